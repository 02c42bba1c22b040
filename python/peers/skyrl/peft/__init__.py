"""Stands in for PEFT, of which SkyRL's JAX backend only writes the description of an adapter."""

import json
from pathlib import Path


class LoraConfig:
    """The description, as it was given."""

    def __init__(self, **fields):
        self.fields = fields

    def save_pretrained(self, directory):
        """Writes it where PEFT would."""
        Path(directory).mkdir(parents=True, exist_ok=True)
        Path(directory, "adapter_config.json").write_text(json.dumps(self.fields, default=list))
