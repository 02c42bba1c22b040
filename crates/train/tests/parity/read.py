"""Prints the log-probability of every next id that transformers gives: `python read.py DIR < ids.json`.

DIR is a Hugging Face directory or one of PEFT. The ids are a list of sequences, the answer has a list for each.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import Qwen3ForCausalLM


def load(path):
    adapters = Path(path) / "adapter_config.json"
    if not adapters.exists():
        return Qwen3ForCausalLM.from_pretrained(path, dtype=torch.float32)
    from peft import PeftModel

    base = json.loads(adapters.read_text())["base_model_name_or_path"]
    return PeftModel.from_pretrained(Qwen3ForCausalLM.from_pretrained(base, dtype=torch.float32), path)


def logprobs(model, ids):
    ids = torch.tensor(ids)
    with torch.no_grad():
        logits = model(input_ids=ids[None]).logits[0, :-1]
    return torch.log_softmax(logits, -1).gather(-1, ids[1:, None])[:, 0].tolist()


torch.set_num_threads(1)
model = load(sys.argv[1]).eval()
json.dump([logprobs(model, ids) for ids in json.load(sys.stdin)], sys.stdout)
