"""MeZO in PyTorch with most of polder's economies in the forward pass, to show what is left of the difference.

As mezo.py (the same step, directions drawn four times), but: what the options of an example share is run once and each
option's own tokens are a branch of it; examples are packed into even rows under a mask that keeps them apart, so that
next to nothing is padded (what different examples begin with is run for each, unlike polder's); the head and the softmax run only where a token is scored; moving a weight makes no copy of it.

    python mezo_economical.py MODEL DATA --task sst2 [as mezo.py]
    python mezo_economical.py MODEL DATA --check      losses of one step of each task equal mezo.py's
"""

from typing import NamedTuple

import torch

import mezo
import training_run
from tasks import TASKS, read_examples, training_examples

ROW = 256  # tokens; longer rows spend more in attention than they save in padding


class Tree(NamedTuple):
    """An example's distinct tokens: the trunk, then the branches without their last token, which predicts nothing."""

    ids: list
    positions: list
    branches: list  # a token's branch; 0 is the trunk
    wanted: list  # an option's (place in the tree, token that it should predict)


def shared_length(e):
    """How many leading tokens all options share and none of them scores."""
    length = 0
    for column in zip(*(ids[: len(ids) - count] for ids, count in zip(e.options, e.scored))):
        if len(set(column)) > 1:
            break
        length += 1
    return length


def tree(e):
    trunk = len(e.options[0]) - 1 if len(e.options) == 1 else shared_length(e)
    ids, positions, branches = e.options[0][:trunk], list(range(trunk)), [0] * trunk
    wanted = []
    for number, (option, count) in enumerate(zip(e.options, e.scored), start=1):
        start = len(ids)
        ids = ids + option[trunk:-1]
        positions += range(trunk, len(option) - 1)
        branches += [number] * (len(option) - 1 - trunk)
        place = lambda at: at if at < trunk else start + at - trunk
        wanted.append([(place(at - 1), option[at]) for at in range(len(option) - count, len(option))])
    return Tree(ids, positions, branches, wanted)


def packed(trees):
    """Numbers of trees, row by row, and the longest row's tokens. Rows take about ROW; the emptiest gets the next tree."""
    sizes = [len(t.ids) for t in trees]
    rows = [[] for _ in range(max(1, sum(sizes) // ROW))]
    for i in sorted(range(len(trees)), key=lambda i: -sizes[i]):
        min(rows, key=lambda row: sum(sizes[j] for j in row)).append(i)
    return rows, max(sum(sizes[j] for j in row) for row in rows)


def token_log_probs(model, examples):
    """As mezo.token_log_probs."""
    trees = [tree(e) for e in examples]
    rows, length = packed(trees)
    ids, positions, branches = (torch.zeros((len(rows), length), dtype=torch.long) for _ in range(3))
    owners = torch.full_like(ids, -1)
    starts = {}
    for r, members in enumerate(rows):
        start = 0
        for i in members:
            place = slice(start, start + len(trees[i].ids))
            starts[i], start = r * length + start, place.stop
            ids[r, place], positions[r, place] = torch.tensor(trees[i].ids), torch.tensor(trees[i].positions)
            branches[r, place], owners[r, place] = torch.tensor(trees[i].branches), i
    seen = owners[:, :, None] == owners[:, None]
    seen &= (branches[:, None] == 0) | (branches[:, :, None] == branches[:, None])
    seen = seen.tril()[:, None]
    hidden = model.base_model(input_ids=ids, attention_mask=seen, position_ids=positions, use_cache=False)[0]
    wanted = [(starts[i] + place, token) for i, t in enumerate(trees) for option in t.wanted for place, token in option]
    places, tokens = torch.tensor(wanted).T
    logits = model.get_output_embeddings()(hidden.flatten(0, 1)[places])
    log_probs = torch.log_softmax(logits.float(), dim=-1).gather(1, tokens[:, None])[:, 0]
    counts = [count for e in examples for count in e.scored]
    each = iter(log_probs.split(counts))
    return [[next(each) for _ in e.scored] for e in examples], ids.numel()


def add_direction(model, seed, scale):
    """As mezo.add_direction."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.add_(torch.normal(0.0, 1.0, size=parameter.shape, dtype=parameter.dtype), alpha=scale)


PROGRAM = training_run.Program(token_log_probs, add_direction)


@torch.no_grad()
def check(args):
    """One step of each task by both programs: the losses at both points are the same to 1e-4."""
    plain = training_run.Program(mezo.token_log_probs, mezo.add_direction)
    tokenizer, model = training_run.load(args.model, "f32", args.threads, args.device)
    for name in TASKS:
        rows = training_examples(name, read_examples(tokenizer, args.data, name, "train", args.batch))
        expected = training_run.step(plain, model, name, rows, 1000, args.eps, 0.0)
        found = training_run.step(PROGRAM, model, name, rows, 1000, args.eps, 0.0)
        gap = max(abs(a - b) for a, b in zip(expected[:2], found[:2]))
        print(f"{name}: losses {found[0]:.6f}, {found[1]:.6f}, off by {gap:.1e} at most; "
              f"{expected[3]} and {found[3]} positions")
        assert gap <= 1e-4, name


if __name__ == "__main__":
    parser = training_run.arguments(__doc__)
    parser.add_argument("--check", action="store_true", help="compare with mezo.py on one batch of each task, in f32")
    if (args := parser.parse_args()).check:
        check(args)
    else:
        training_run.main(PROGRAM, parser)
