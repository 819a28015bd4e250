"""AdamW with gradients on rows of a task: the first-order curve beside polder's.

    python first_order.py MODEL DATA [--task sst2] [--rows 1000] [--steps 126] [--at 0,8,16,32,63,126] [--lr 2e-5]

Trains all weights in f32 on the training rows that `polder train` takes with task.train = ROWS, task.seed = seed = SEED, in
its order of the first epoch; every later epoch takes that order again. No demonstrations, no warm-up, constant rate, weight
decay 0. The loss is the task's; the forward pass has polder's economies (mezo_economical.py). Prints one JSON line a step,
with step, seconds (of training alone, from its beginning) and loss, and, after the steps of --at, one with step, accuracy on
all validation rows and the process's peak memory in bytes.
"""

import json
import resource
import time

import torch

import training_run
from evaluate_transformers import mean_scores as every_score
from mezo_economical import token_log_probs
from polder_order import permutation
from tasks import TASKS, read_examples, training_examples
from training_run import mean_scores


def drawn(count, rows, seed):
    """Which rows of a training file of `count` rows polder takes, in the order of its first epoch."""
    taken = permutation(count, seed.to_bytes(8, "little") + b"train   " + bytes(16))[:rows]
    return [taken[i] for i in permutation(rows, seed.to_bytes(8, "little") + bytes(8) + b"polder/batches/1")]


def loss_of(name, examples, log_probs):
    """As training_run.loss, with its graph."""
    if TASKS[name].loss == "target":
        return -torch.cat([options[e.gold] for e, options in zip(examples, log_probs)]).mean()
    each = [mean_scores(options).log_softmax(0)[e.gold] for e, options in zip(examples, log_probs)]
    return -torch.stack(each).mean()


@torch.no_grad()
def accuracy(model, examples):
    scores, _, _ = every_score(model, examples, 16, True)
    right = [max(range(len(s)), key=s.__getitem__) == e.gold for s, e in zip(scores, examples)]
    return sum(right) / len(right)


def main():
    parser = training_run.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=lambda text: {int(n) for n in text.split(",")}, default={0, 8, 16, 32, 63, 126})
    parser.set_defaults(steps=126, lr=2e-5)
    args = parser.parse_args()
    tokenizer, model = training_run.load(args.model, "f32", args.threads, args.device)
    rows = training_examples(args.task, read_examples(tokenizer, args.data, args.task, "train"))
    rows = [rows[i] for i in drawn(len(rows), args.rows, args.seed)]
    validation = read_examples(tokenizer, args.data, args.task, "validation")
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
    seconds = 0.0
    for step in range(args.steps + 1):
        if step in args.at:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(json.dumps({"step": step, "accuracy": accuracy(model, validation), "peak": peak}), flush=True)
        if step == args.steps:
            break
        begin = time.perf_counter()
        batch = [rows[(step * args.batch + i) % len(rows)] for i in range(args.batch)]
        loss = loss_of(args.task, batch, token_log_probs(model, batch)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds += time.perf_counter() - begin
        print(json.dumps({"step": step + 1, "seconds": seconds, "loss": loss.item()}), flush=True)


if __name__ == "__main__":
    main()
