"""The score of every option of a split's first rows by `transformers`, computed as lm-evaluation-harness does.

Sequences without their last token are sorted, the longest first, and run 16 a batch, right-padded to the batch's longest;
the head and the softmax over the vocabulary run at every position. Every option is a row of its own. With --once, options
with equal rows (those of one token) are run once, which is what the harness does for them unless told otherwise.

    python evaluate_transformers.py MODEL DATA --task sst2 [--split validation] [--limit N] [--batch 16] [--once]

Prints one JSON object: seconds (of scoring: neither loading nor tokenising), rows, positions (padding included), gold,
and each option's mean log-probability a token.
"""

import argparse
import json
import time

import torch

from mezo import padded
from tasks import TASKS, read_examples
from training_run import load


def mean_scores(model, examples, batch, once):
    """scores[example][option], the rows that were run, and their positions with padding."""
    inputs, places = {}, []
    for i, e in enumerate(examples):
        for j, (ids, count) in enumerate(zip(e.options, e.scored)):
            key = tuple(ids[:-1]) if once else (i, j)
            inputs.setdefault(key, (ids[:-1], []))[1].append((i, j, ids[-count:]))
    rows = sorted(inputs.values(), key=lambda row: -len(row[0]))
    scores = [[0.0] * len(e.options) for e in examples]
    positions = 0
    for first in range(0, len(rows), batch):
        group = rows[first : first + batch]
        ids, _ = padded([row for row, _ in group], left=False)
        positions += ids.numel()
        log_probs = torch.log_softmax(model(input_ids=ids, use_cache=False).logits.float(), dim=-1)
        for of_row, (row, options) in zip(log_probs, group):
            for i, j, tokens in options:
                wanted = of_row[len(row) - len(tokens) : len(row)].gather(1, torch.tensor(tokens)[:, None])
                scores[i][j] = wanted.mean().item()
    return scores, len(rows), positions


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a Hugging Face folder")
    parser.add_argument("data", help="a folder with sst2/, copa/, arc_easy/ …")
    parser.add_argument("--task", choices=TASKS, default="sst2")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    args = parser.parse_args()
    tokenizer, model = load(args.model, "f32", args.threads)
    examples = read_examples(tokenizer, args.data, args.task, args.split, args.limit)
    begin = time.perf_counter()
    scores, rows, positions = mean_scores(model, examples, args.batch, args.once)
    seconds = time.perf_counter() - begin
    out = {"seconds": seconds, "rows": rows, "positions": positions, "gold": [e.gold for e in examples]}
    print(json.dumps(out | {"scores": scores}))


if __name__ == "__main__":
    main()
