"""Stands in for PyTorch, of which SkyRL's JAX backend only asks whether a value is one of its tensors."""


class Tensor:
    """No value is one."""
