"""Writes the reference of these tests: models of random weights, and what transformers computes with them.

    python make.py        # with torch, transformers and tokenizers installed; needs no network

`tied/` is a model as transformers saves a small one: fp32, one file, output matrix tied to the embedding. `untied/` is what larger ones
look like: bf16, several files with an index, an output matrix of its own, another base of the rotary embedding, heads whose width is not
the hidden width over their number. In both, `reference.json` has, for sequences of different lengths, the log-probability of every next
id, the losses, and of the gradient of every tensor its norm and its product with a fixed vector. transformers computes in fp32.

`tokenizer/` is a byte-level BPE with the splitting rule, the normalizer and the added tokens of Qwen3, and `chats.json` has what
transformers makes of conversations in Qwen's format.
"""

import json
import shutil
from pathlib import Path

import tokenizers
import torch
import transformers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

HERE = Path(__file__).parent
LOW, HIGH = 0.8, 1.28
VERSIONS = {
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "tokenizers": tokenizers.__version__,
}
COMMON = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, max_position_embeddings=128)
TIED = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True)
UNTIED = dict(
    num_attention_heads=6,
    num_key_value_heads=2,
    head_dim=12,
    tie_word_embeddings=False,
    rms_norm_eps=1e-5,
    rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
)


def make_model(settings, dtype):
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**COMMON, **settings)).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Larger than a fresh model's, so that attention is far from uniform and every norm's weight matters.
            value = torch.randn_like(parameter) * 0.2 + (1.0 if "norm" in name else 0.0)
            parameter.copy_(value.to(dtype).float())
    return model


def make_data():
    generator = torch.Generator().manual_seed(1)
    data = []
    for length in (2, 5, 33, 70, 128):
        ids = torch.randint(0, 64, (length,), generator=generator)
        weights = torch.rand(length - 1, generator=generator) * (torch.rand(length - 1, generator=generator) < 0.6)
        advantages = torch.randn(length - 1, generator=generator)
        shifts = torch.randn(length - 1, generator=generator) * 0.3
        data.append((ids, weights, advantages, shifts))
    return data


def logprobs(model, ids):
    logits = model(ids[None]).logits[0, :-1]
    return torch.log_softmax(logits, -1).gather(-1, ids[1:, None])[:, 0]


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    result = {}
    for name, parameter in model.named_parameters():
        grad = parameter.grad.flatten().double()
        along = (torch.arange(len(grad)) * 7919) % 13 - 6
        result[name] = [grad.norm().item(), (grad * along).sum().item()]
    return result


def write_model(name, settings, dtype, shard):
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    model, data = make_model(settings, dtype), make_data()
    old = [(logprobs(model, ids) + shifts).detach() for ids, _, _, shifts in data]
    cross_entropy = sum(-(w * logprobs(model, ids)).sum() for ids, w, _, _ in data)
    ratio_loss = 0
    for (ids, weights, advantages, _), before in zip(data, old):
        ratio = (logprobs(model, ids) - before).exp()
        gain = torch.minimum(ratio * advantages, ratio.clamp(LOW, HIGH) * advantages)
        ratio_loss = ratio_loss - (weights * gain).sum()
    reference = {
        "made_with": VERSIONS,
        "data": [
            {
                "ids": ids.tolist(),
                "weights": weights.tolist(),
                "old_logprobs": before.tolist(),
                "advantages": advantages.tolist(),
                "logprobs": logprobs(model, ids).tolist(),
            }
            for (ids, weights, advantages, _), before in zip(data, old)
        ],
        "cross_entropy": {"loss": cross_entropy.item(), "gradients": gradients(model, cross_entropy)},
        "clipped_ratio": {
            "low": LOW,
            "high": HIGH,
            "loss": ratio_loss.item(),
            "gradients": gradients(model, ratio_loss),
        },
    }
    model.to(dtype).save_pretrained(out, max_shard_size=shard)
    (out / "generation_config.json").unlink(missing_ok=True)
    (out / "reference.json").write_text(json.dumps(reference) + "\n")


# What Qwen's files say: the rule by which text is split before merging, and the added tokens, of which only some are called special.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]


def make_tokenizer():
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    texts = [
        'user assistant system "name" "arguments" "command" "path" "old" "new" function object string\n',
        "def total(values):\n    return sum(values)\n\n\nYou may call one or more functions to assist with the query.\n",
    ]
    tokenizer.train_from_iterator(texts * 20, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in PLAIN])
    return tokenizer


def turn(role, text):
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def call(name, **arguments):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n</tool_call>"


def write_tokenizer():
    out = HERE / "tokenizer"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    make_tokenizer().save(str(out / "tokenizer.json"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(out / "tokenizer.json"))
    texts = [
        "",
        "def total(values):\n\treturn 1234 + sum(values)  # it's naïve\r\n\r\n   x",
        "日本語 🦀 ﷽ e\u0301 \u00e9 \u200d\u2028 it'S 'Ve \t\n\n \n",
    ]
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    responses = "\n".join(f"<tool_response>\n{text}\n</tool_response>" for text in ("a.py\nb.py", "ok"))
    replace = call("str_replace", path="a.py", old="é\n\t\"1\"", new="")
    chats = {
        "made_with": VERSIONS,
        "texts": [{"text": text, "ids": ids(text)} for text in texts],
        # The prompt's system message depends on the tools: what follows it is here.
        "prompt_end": ids(turn("user", "Mend `total`.") + "<|im_start|>assistant\n"),
        "reply": ids("I look.\n" + call("bash", command="ls && cat 'a.py'") + "\n" + replace + "<|im_end|>"),
        "thought": ids("<think>\nIt is a.py.\n</think>\n\n" + call("bash", command="ls") + "<|im_end|>"),
        "answer": ids("<think>\n\n</think>\n\nDone.<|im_end|>"),
        "observations": ids("\n" + turn("user", responses) + "<|im_start|>assistant\n"),
    }
    (out / "chats.json").write_text(json.dumps(chats) + "\n")


if __name__ == "__main__":
    write_model("tied", TIED, torch.float32, "1GB")
    write_model("untied", UNTIED, torch.bfloat16, "20KB")
    write_tokenizer()
