"""Accuracy against seconds of training and against passes: polder's runs beside first_order.py's.

    python learning_curve.py --first-order adamw.jsonl --run RUN curve.jsonl [--run …] --out curve.svg

RUN is the folder of a two-point run, curve.jsonl has a line {"step": …, "accuracy": …} for each step at which its weights were scored: `polder
replay RUN --steps N --out W`, then `polder eval --model W --json`. Seconds are the sums of the steps' own, scoring left out. A
forward pass is one of a batch; a step of first order counts as three, its backward pass being twice the work of its forward.
"""

import argparse
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def first_order(path):
    """[(seconds, passes, accuracy)]"""
    found = lines(path)
    seconds = {0: 0.0} | {line["step"]: line["seconds"] for line in found if "seconds" in line}
    return [(seconds[line["step"]], 3 * line["step"], line["accuracy"]) for line in found if "accuracy" in line]


def polder(run, curve):
    steps = [line for line in lines(pathlib.Path(run) / "metrics.jsonl") if line.get("kind") == "step"]
    seconds, passes = {0: 0.0}, {0: 0}
    for step in steps:
        seconds[step["step"]] = seconds[step["step"] - 1] + step["seconds"]
        passes[step["step"]] = passes[step["step"] - 1] + len(step["projected"]) * 2
    return [(seconds[line["step"]], passes[line["step"]], line["accuracy"]) for line in lines(curve)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-order", required=True)
    parser.add_argument("--run", nargs=2, action="append", required=True, metavar=("RUN", "CURVE"))
    parser.add_argument("--out", required=True, type=pathlib.Path)
    args = parser.parse_args()
    found = [("AdamW with gradients", "#9a9a9a", first_order(args.first_order))]
    found += [(f"polder, {pathlib.Path(run).name}", "#1b6ca8", polder(run, curve)) for run, curve in args.run]
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
    for axis, (at, what) in zip(axes, [(0, "seconds of training"), (1, "forward passes of a batch")]):
        for name, colour, points in found:
            axis.plot([p[at] for p in points], [100 * p[2] for p in points], "o-", color=colour, label=name, markersize=4)
        axis.set_xlabel(what)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend(frameon=False, loc="lower right")
    figure.savefig(args.out)


if __name__ == "__main__":
    main()
