"""What the PyTorch programs share: their arguments, the losses, MeZO's step, and the loop that times it.

A program prints one JSON line a step: step, seconds, loss (the mean of both points'), projected, positions (that the
layers ran, padding included, both points together); then, with --validation, the accuracy. Batches are consecutive rows
of DATA/<task>/train.jsonl, from its beginning again when it ends.
"""

import argparse
import json
import time
from typing import Callable, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from tasks import TASKS, read_examples, training_examples

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Program(NamedTuple):
    token_log_probs: Callable  # of model and examples: their log-probabilities and the positions run
    add_direction: Callable  # of model, seed and scale


def usual_arguments(description, steps, lr):
    """Those of every program that trains."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a Hugging Face folder")
    parser.add_argument("data", help="a folder with sst2/, copa/ and arc_easy/")
    parser.add_argument("--task", choices=TASKS, default="sst2")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def arguments(description):
    parser = usual_arguments(description, steps=8, lr=0.0)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--device", default="cpu", help="as polder names it: cpu, cuda:N or metal")
    parser.add_argument("--validation", type=int, default=0, metavar="N", help="then score the first N validation rows")
    return parser


def load(folder, dtype, threads, device="cpu"):
    """Tokenizer and model; every tensor that is made later lies on the device."""
    torch.set_num_threads(threads)
    device = "mps" if device.startswith("metal") else device
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval().to(device)
    torch.set_default_device(device)
    return AutoTokenizer.from_pretrained(folder), model


def loss(name, examples, log_probs):
    """The batch's loss, a tensor; `log_probs[example][option]` holds the log-probabilities of the option's tokens."""
    if TASKS[name].loss == "target":
        return -torch.cat([options[e.gold] for e, options in zip(examples, log_probs)]).mean()
    each = [mean_scores(options).log_softmax(0)[e.gold] for e, options in zip(examples, log_probs)]
    return -torch.stack(each).mean()


def mean_scores(options):
    return torch.stack([tokens.mean() for tokens in options])


def finish():
    """Waits for what a device has yet to do."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()
    elif torch.get_default_device().type == "mps":
        torch.mps.synchronize()


def step(program, model, name, examples, seed, eps, lr):
    """The losses at both points, the projected gradient, and the positions that the layers ran."""
    program.add_direction(model, seed, eps)
    log_probs, positions = program.token_log_probs(model, examples)
    plus = loss(name, examples, log_probs).item()
    program.add_direction(model, seed, -2 * eps)
    log_probs, again = program.token_log_probs(model, examples)
    minus = loss(name, examples, log_probs).item()
    program.add_direction(model, seed, eps)
    projected = (plus - minus) / (2 * eps)
    program.add_direction(model, seed, -lr * projected)
    return plus, minus, projected, positions + again


def accuracy(program, model, examples):
    right = 0
    for e in examples:
        (options,), _ = program.token_log_probs(model, [e])
        right += int(mean_scores(options).argmax().item() == e.gold)
    return right / len(examples)


@torch.no_grad()
def main(program, parser):
    args = parser.parse_args()
    tokenizer, model = load(args.model, args.dtype, args.threads, args.device)
    rows = training_examples(args.task, read_examples(tokenizer, args.data, args.task, "train"))
    for number in range(args.steps):
        batch = [rows[i % len(rows)] for i in range(number * args.batch, (number + 1) * args.batch)]
        begin = time.perf_counter()
        plus, minus, projected, positions = step(program, model, args.task, batch, 1000 + number, args.eps, args.lr)
        finish()
        seconds = time.perf_counter() - begin
        line = {"step": number + 1, "seconds": seconds, "loss": (plus + minus) / 2, "projected": projected}
        print(json.dumps(line | {"positions": positions}), flush=True)
    if args.validation:
        held_out = read_examples(tokenizer, args.data, args.task, "validation", args.validation)
        print(json.dumps({"accuracy": accuracy(program, model, held_out), "n": len(held_out)}), flush=True)
