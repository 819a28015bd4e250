"""MeZO in PyTorch as its paper describes it, to be timed beside polder.

Written from the published algorithm (Malladi et al. 2023, Algorithm 1): one seed a step, a standard normal tensor drawn
again from that seed for each use, the weights perturbed in place (+eps, -2 eps, +eps) and then updated. Options are rows
of their own, left-padded to a multiple of 8, and the head runs at every position.

    python mezo.py MODEL TRAIN.jsonl --steps 8 --threads 2 [--dtype float32] [--lr 0] [--validation FILE --limit 400]

Prints one JSON line a step: step, seconds, loss (at +eps), projected; then, with --validation, the accuracy.
"""

import argparse
import json
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WORDS = [" terrible", " great"]


def encode(tokenizer, row):
    """Both options of an SST-2 row: token ids, and how many of the last ones belong to the option."""
    prompt = row["sentence"].strip() + " It was"
    prompt_length = len(tokenizer.encode(prompt.strip(" ")))
    sequences = [tokenizer.encode(prompt + word) for word in WORDS]
    return [(ids, len(ids) - prompt_length) for ids in sequences], row["label"]


def scores(model, tokenizer, examples):
    """Mean log-probability of the option's tokens, [examples, options]."""
    rows = [option for options, _ in examples for option in options]
    longest = max(len(ids) for ids, _ in rows)
    longest = (longest + 7) // 8 * 8
    pad = tokenizer.pad_token_id or 0
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for i, (row, _) in enumerate(rows):
        ids[i, longest - len(row):] = torch.tensor(row)
        mask[i, longest - len(row):] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
    log_probs = torch.log_softmax(logits[:, :-1].float(), dim=-1)
    wanted = log_probs.gather(2, ids[:, 1:, None])[:, :, 0]
    means = [wanted[i, -count:].mean() for i, (_, count) in enumerate(rows)]
    return torch.stack(means).view(len(examples), len(WORDS))


def loss(model, tokenizer, examples):
    labels = torch.tensor([label for _, label in examples])
    return torch.nn.functional.cross_entropy(scores(model, tokenizer, examples), labels).item()


def perturb(model, seed, scale):
    torch.manual_seed(seed)
    for parameter in model.parameters():
        z = torch.normal(0.0, 1.0, size=parameter.shape, dtype=parameter.dtype)
        parameter.data = parameter.data + scale * z


def step(model, tokenizer, examples, seed, eps, lr):
    perturb(model, seed, eps)
    plus = loss(model, tokenizer, examples)
    perturb(model, seed, -2 * eps)
    minus = loss(model, tokenizer, examples)
    perturb(model, seed, eps)
    projected = (plus - minus) / (2 * eps)
    torch.manual_seed(seed)
    for parameter in model.parameters():
        z = torch.normal(0.0, 1.0, size=parameter.shape, dtype=parameter.dtype)
        parameter.data = parameter.data - lr * (projected * z)
    return plus, projected


def accuracy(model, tokenizer, rows):
    right = 0
    for row in rows:
        options, label = encode(tokenizer, row)
        right += int(scores(model, tokenizer, [(options, label)]).argmax().item() == label)
    return right / len(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("train")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--lr", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--validation")
    parser.add_argument("--limit", type=int, default=400)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype)).eval()
    with open(args.train) as lines:
        rows = [json.loads(line) for line in lines]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for number in range(args.steps):
            if number * args.batch % len(rows) == 0:
                order = torch.randperm(len(rows), generator=generator).tolist()
            first = number * args.batch % len(rows)
            examples = [encode(tokenizer, rows[i]) for i in order[first:first + args.batch]]
            begin = time.perf_counter()
            value, projected = step(model, tokenizer, examples, 1000 + number, args.eps, args.lr)
            seconds = time.perf_counter() - begin
            print(json.dumps({"step": number + 1, "seconds": seconds, "loss": value, "projected": projected}), flush=True)
        if args.validation:
            with open(args.validation) as lines:
                held_out = [json.loads(line) for line in lines][:args.limit]
            print(json.dumps({"accuracy": accuracy(model, tokenizer, held_out), "n": len(held_out)}), flush=True)


if __name__ == "__main__":
    main()
