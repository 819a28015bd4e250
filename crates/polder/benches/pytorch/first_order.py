"""AdamW with gradients on rows of a task: the first-order curve beside polder's.

    python first_order.py MODEL DATA [--task sst2] [--rows 1000] [--steps 126] [--at 0,8,16,32,63,126] [--lr 2e-5]

Trains all weights in f32 on the training rows that `polder train` takes with task.train = ROWS, task.seed = seed = SEED, in
its order of the first epoch; every later epoch takes that order again. No demonstrations, no warm-up, constant rate, weight
decay 0. The loss is the task's; the forward pass is that of mezo_economical.py. Prints one JSON line a step, with step,
seconds (of training alone, from its beginning), loss (before the step) and peak (the process's high-water mark in bytes; a
scored split counts in it from then on), and, after the steps of --at, one with step and accuracy on all validation rows.
"""

import json
import resource
import time

import torch

import evaluate_transformers
import training_run
from mezo_economical import token_log_probs
from polder_order import first_epoch
from tasks import read_examples, training_examples


def parsed():
    parser = training_run.usual_arguments(__doc__, steps=126, lr=2e-5)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=lambda text: {int(n) for n in text.split(",")}, default={0, 8, 16, 32, 63, 126})
    return parser.parse_args()


@torch.no_grad()
def accuracy(model, examples):
    scores, _, _ = evaluate_transformers.mean_scores(model, examples, 16, True)
    right = [max(range(len(s)), key=s.__getitem__) == e.gold for s, e in zip(scores, examples)]
    return sum(right) / len(right)


def main():
    args = parsed()
    tokenizer, model = training_run.load(args.model, "f32", args.threads)
    rows = training_examples(args.task, read_examples(tokenizer, args.data, args.task, "train"))
    rows = [rows[i] for i in first_epoch(len(rows), args.seed, args.seed, args.rows)]
    validation = read_examples(tokenizer, args.data, args.task, "validation")
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    seconds = 0.0
    for step in range(args.steps + 1):
        if step in args.at:
            print(json.dumps({"step": step, "accuracy": accuracy(model, validation)}), flush=True)
        if step == args.steps:
            break
        begin = time.perf_counter()
        batch = [rows[(step * args.batch + i) % len(rows)] for i in range(args.batch)]
        loss = training_run.loss(args.task, batch, token_log_probs(model, batch)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds += time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"step": step + 1, "seconds": seconds, "loss": loss.item(), "peak": peak}), flush=True)


if __name__ == "__main__":
    main()
