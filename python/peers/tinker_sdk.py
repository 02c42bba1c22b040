"""The official Tinker SDK trains and samples through `basis serve --tinker`: usage `tinker_sdk.py URL MODEL`.

Cross-entropy on one sequence falls by 30 % in 20 steps; an importance-sampling step moves log-probabilities with the sign of the
advantage; what is sampled has the log-probability that training gives it.
"""

import random
import sys

import tinker
from tinker import types


def tensor(values, dtype):
    return types.TensorData(data=values, dtype=dtype, shape=[len(values)])


def run(url, model):
    service = tinker.ServiceClient(base_url=url, api_key="tml-any")
    training = service.create_lora_training_client(base_model=model, rank=8)
    ids = [random.Random(1).randrange(5, 200) for _ in range(24)]
    whole = types.ModelInput.from_ints(ids[:-1])

    def loss():
        inputs = {"weights": tensor([1.0] * 23, "float32"), "target_tokens": tensor(ids[1:], "int64")}
        output = training.forward_backward([types.Datum(model_input=whole, loss_fn_inputs=inputs)], "cross_entropy").result()
        logprobs = output.loss_fn_outputs[0]["logprobs"].data
        return -sum(logprobs) / len(logprobs)

    sampler = training.save_weights_and_get_sampling_client()
    prompt = ids[:4]
    # Before anything is learned, so that there is something to be unsure of.
    ask = types.SamplingParams(max_tokens=6, temperature=1.0, seed=1)
    sampled = sampler.sample(prompt=types.ModelInput.from_ints(prompt), num_samples=1, sampling_params=ask).result().sequences[0]
    text, context = prompt + list(sampled.tokens), len(prompt)

    def logprobs(advantage):
        """Trains one step on the sample with this advantage; the log-probabilities before it."""
        count = len(text) - 1
        padding = [0.0] * (context - 1)
        inputs = {
            "target_tokens": tensor(text[1:], "int64"),
            "logprobs": tensor(padding + list(sampled.logprobs), "float32"),
            "advantages": tensor(padding + [advantage] * (count - len(padding)), "float32"),
        }
        datum = types.Datum(model_input=types.ModelInput.from_ints(text[:-1]), loss_fn_inputs=inputs)
        output = training.forward_backward([datum], "importance_sampling").result()
        training.optim_step(types.AdamParams(learning_rate=1e-5)).result()
        return list(output.loss_fn_outputs[0]["logprobs"].data)[context - 1 :]

    before = logprobs(1.0)
    apart = max(abs(one - other) for one, other in zip(before, sampled.logprobs))
    assert apart < 1e-3, f"sampled and trained log-probabilities differ by {apart}"
    after = logprobs(-1.0)
    assert sum(after) > sum(before), (before, after)

    losses = []
    for _ in range(20):
        losses.append(loss())
        training.optim_step(types.AdamParams(learning_rate=3e-3)).result()
    assert losses[-1] < 0.7 * losses[0], losses
    print(f"tinker {tinker.__version__}: cross-entropy {losses[0]:.3f} -> {losses[-1]:.3f}, sampled against trained {apart:.1e}")


run(sys.argv[1], sys.argv[2])
