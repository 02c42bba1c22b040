"""Tasks of Basis for loops that others wrote: thin clients of `basis serve --pack`, without logic of their own.

`Client` speaks HTTP. `basis_gym.verifiers`, `basis_gym.verl` and `basis_gym.harbor` fit it to those programs; each needs the extra of
its name. Sandboxes, tools and graders stay in `basis serve`.
"""

from importlib.util import find_spec

from basis_gym.client import Client, ServerError

# verifiers finds a plugin by what its package exports.
_PLUGIN = ["BasisTaskset", "BasisHarness"] if find_spec("verifiers") else []

__all__ = ["Client", "ServerError", *_PLUGIN]


def __getattr__(name):
    if name in _PLUGIN:
        from basis_gym import verifiers

        return getattr(verifiers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
