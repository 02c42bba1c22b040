"""Measures PyTorch and an engine in turns, on the same model and batch, and prints ratios.

    cargo bench -p basis-train --bench engine --no-run      # prints the path of the program; `--features gpu` for GPUs
    python benches/pytorch.py PROGRAM [--rounds N]          # with torch and transformers installed
    python benches/pytorch.py PROGRAM --gpu DIR [--bf16]    # both on a GPU, with the model in DIR; where DIR is not there yet,
                                                            # random weights in the shape of Qwen3-0.6B are written to it

On the processor the model has 4.1 million parameters (`m3` of `bench.rs`) and both have 2 threads. Training is forward, backward and AdamW
on 16 x 512 tokens, eager; decoding is `generate` with its cache on 16 prompts of 256 tokens, 128 new ones each, sampled at temperature 1,
as this engine's is; reading the prompts is left out of both. Weights are fp32, and so are products, or bf16 with `--bf16`, in PyTorch by
autocast. Ratios are of tokens per second of wall time; they mean something only on a machine without other work. transformers is also
measured with the batch cut into 4, where its activations take less memory.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import time

import torch
import transformers
from transformers import Qwen3Config, Qwen3ForCausalLM

BATCH, LENGTH, PROMPT, NEW = 16, 512, 256, 128

# `m3` of `bench.rs`.
M3 = Qwen3Config(
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

# The shape of Qwen3-0.6B.
QWEN = Qwen3Config(
    vocab_size=151936,
    hidden_size=1024,
    intermediate_size=3072,
    num_hidden_layers=28,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=40960,
    rope_theta=1000000.0,
    tie_word_embeddings=True,
)


class Measured:
    """A model of transformers on a device, measured as `bench.rs` measures engines."""

    def __init__(self, open_model, device, bf16):
        self.model = open_model().float().to(device)
        self.device, self.bf16 = device, bf16
        self.vocab = self.model.config.vocab_size

    def autocast(self):
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def ids(self, *shape):
        return torch.randint(0, self.vocab, shape, device=self.device)

    def training(self, pieces, seconds=6.0):
        model = self.model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)
        ids = self.ids(BATCH, LENGTH)

        def step():
            for piece in ids.chunk(pieces):
                with self.autocast():
                    loss = model(input_ids=piece, labels=piece, use_cache=False).loss
                (loss / pieces).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            self.wait()

        step()
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            step()
            steps += 1
        return steps * BATCH * LENGTH / (time.perf_counter() - start)

    @torch.inference_mode()
    def decoding(self):
        prompt = self.ids(BATCH, PROMPT)
        settings = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0, pad_token_id=0, eos_token_id=None)
        self.model.eval()

        def seconds(new):
            start = time.perf_counter()
            with self.autocast():
                out = self.model.generate(
                    prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=new, min_new_tokens=new, **settings
                )
            self.wait()
            assert out.shape == (BATCH, PROMPT + new)
            return time.perf_counter() - start

        seconds(2)
        # What reading the prompts and the first id take is subtracted.
        first = min(seconds(1) for _ in range(3))
        return BATCH * (NEW - 1) / (seconds(NEW) - first)


def ours(command, what):
    output = subprocess.run([command[0], what, *command[1:]], capture_output=True, text=True, check=True).stdout
    return json.loads(output)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--gpu", metavar="DIR")
    arguments.add_argument("--bf16", action="store_true")
    arguments = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(2)
    command, device = [arguments.program], "cpu"
    open_model = lambda: Qwen3ForCausalLM(M3)
    if arguments.gpu:
        device = "cuda"
        if not os.path.exists(arguments.gpu):
            with torch.device(device):
                Qwen3ForCausalLM(QWEN).float().save_pretrained(arguments.gpu)
        open_model = lambda: Qwen3ForCausalLM.from_pretrained(arguments.gpu)
        command += ["gpu", arguments.gpu] + ["bf16"] * arguments.bf16
    name = torch.cuda.get_device_name() if arguments.gpu else "2 threads"
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {name}")
    ratios = {}
    for _ in range(arguments.rounds):
        mine = ours(command, "training")
        for name, pieces in [("whole batch", 1), ("batch cut into 4", 4)]:
            theirs = Measured(open_model, device, arguments.bf16).training(pieces)
            ratios.setdefault(f"training, {name}", []).append((mine["rate"]["per_second"], theirs))
        mine = ours(command, "decoding")
        theirs = Measured(open_model, device, arguments.bf16).decoding()
        ratios.setdefault("decoding", []).append((mine["rate"]["per_second"], theirs))
        print(f"peak memory of this engine on the host, decoding: {mine['peak_bytes'] >> 20} MiB")
    for name, pairs in ratios.items():
        rates = ", ".join(f"{mine:.0f} / {theirs:.0f}" for mine, theirs in pairs)
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        print(f"{name}: {rates} tokens/s, ratio {ratio:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak memory of PyTorch on the host: {peak >> 10} MiB")
    if arguments.gpu:
        print(f"peak memory of PyTorch on the GPU: {torch.cuda.max_memory_allocated() >> 20} MiB")


if __name__ == "__main__":
    main()
