"""Measures PyTorch and this engine in turns, on the same model and batch, and prints ratios.

    cargo bench -p basis-train --bench engine --no-run      # prints the path of the program
    python benches/pytorch.py PROGRAM [--rounds N]          # with torch and transformers installed

The model has 4.1 million parameters (`m3` of `bench.rs`). Training is forward, backward and AdamW on 16 x 512 tokens in fp32, eager, on 2
threads; decoding is `generate` with its cache on 16 prompts of 256 tokens, 128 new ones each, sampled at temperature 1, as this engine's
is; reading the prompts is left out of both. Ratios are of tokens per second of wall time; they mean something only on a machine without
other work. transformers is also measured with the batch cut into 4, where its activations take less memory.
"""

import argparse
import json
import resource
import statistics
import subprocess
import time

import torch
import transformers
from transformers import Qwen3Config, Qwen3ForCausalLM

BATCH, LENGTH, PROMPT, NEW = 16, 512, 256, 128


def model():
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=2048,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    return Qwen3ForCausalLM(config).float()


def training(model, pieces, seconds=6.0):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
    ids = torch.randint(0, 2048, (BATCH, LENGTH))

    def step():
        for piece in ids.chunk(pieces):
            (model(input_ids=piece, labels=piece, use_cache=False).loss / pieces).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    step()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    return steps * BATCH * LENGTH / (time.perf_counter() - start)


def decoding(model):
    prompt = torch.randint(0, 2048, (BATCH, PROMPT))
    settings = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, pad_token_id=0, eos_token_id=None)

    def seconds(new):
        start = time.perf_counter()
        out = model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=new, min_new_tokens=new, **settings)
        assert out.shape == (BATCH, PROMPT + new)
        return time.perf_counter() - start

    seconds(2)
    # What reading the prompts and the first id take is subtracted.
    first = min(seconds(1) for _ in range(3))
    return BATCH * (NEW - 1) / (seconds(NEW) - first)


def ours(program, what):
    output = subprocess.run([program, what], capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--rounds", type=int, default=2)
    arguments = arguments.parse_args()
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, 2 threads")
    ratios = {}
    for _ in range(arguments.rounds):
        mine = ours(arguments.program, "training")
        for name, pieces in [("whole batch", 1), ("batch cut into 4", 4)]:
            theirs = training(model(), pieces)
            ratios.setdefault(f"training, {name}", []).append((mine["rate"]["per_second"], theirs))
        mine = ours(arguments.program, "decoding")
        with torch.inference_mode():
            theirs = decoding(model().eval())
        ratios.setdefault("decoding", []).append((mine["rate"]["per_second"], theirs))
        print(f"peak memory of this engine, decoding: {mine['peak_bytes'] >> 20} MiB")
    for name, pairs in ratios.items():
        rates = ", ".join(f"{mine:.0f} / {theirs:.0f}" for mine, theirs in pairs)
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        print(f"{name}: {rates} tokens/s, ratio {ratio:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory of PyTorch: {peak >> 10} MiB")


if __name__ == "__main__":
    main()
