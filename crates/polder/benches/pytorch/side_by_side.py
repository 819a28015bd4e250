"""Seconds a step of polder and of two MeZO programs in PyTorch, side by side: alternating runs on the same batches.

    python side_by_side.py --polder target/release/polder --model HF_FOLDER --data FOLDER --out DIR
        [--tasks sst2,copa,arc-easy] [--dtypes f32,bf16] [--rounds 3] [--steps 6] [--threads 2] [--device cuda:0]
        [--polder-set KEY=VALUE]

FOLDER holds sst2/, copa/ and arc_easy/, each with a train.jsonl. `plain` is mezo.py, `economical` is mezo_economical.py.
Every step of a round runs the same rows on all sides, with directions that each side makes itself, at a learning rate so
small that the losses stay what they are; not 0, at which polder has no update to make and leaves it out.
A run's first step is left out. Writes side_by_side.json (after each run, so that an interrupted comparison is kept), .md,
.png and .svg.
"""

import argparse
import json
import pathlib
import random
import shutil
import sys
import tempfile

import step_report
from measured_process import machine, median_and_range, run
from polder_order import first_epoch
from tasks import TASKS, rows_file

HERE = pathlib.Path(__file__).parent
LEARNING_RATE = 1e-9
PROGRAMS = {"economical": "mezo_economical.py", "plain": "mezo.py"}


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    listed = lambda text: text.split(",")
    parser.add_argument("--polder", required=True, type=pathlib.Path, help="the built program")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="a Hugging Face folder")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--tasks", type=listed, default=list(TASKS))
    parser.add_argument("--dtypes", type=listed, default=["f32", "bf16"])
    parser.add_argument("--sides", type=listed, default=["polder", *PROGRAMS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eps", type=float, default=1e-3)
    parser.add_argument("--device", default="cpu", help="cpu, cuda:N or metal:N, for all sides")
    parser.add_argument("--polder-set", action="append", default=[], metavar="KEY=VALUE", help="for `polder train --set`")
    args = parser.parse_args()
    if args.steps < 2:
        parser.error("--steps must be 2 at least: the first is left out")
    args.polder, args.model = args.polder.resolve(), args.model.resolve()
    return args


def prepare(folder, args, name, number):
    """The round's rows of a task: one file for polder, one with the order that polder takes them in for PyTorch."""
    count = args.steps * args.batch
    rows = rows_file(args.data, name, "train").read_text(encoding="utf-8").splitlines(keepends=True)
    rows = random.Random(number).sample(rows, count)
    ordered = [rows[i] for i in first_epoch(count, 0, number)]
    files = [("polder", "train", rows), ("polder", "validation", rows[:1]), ("torch", "train", ordered)]
    for side, split, lines in files:
        file = rows_file(folder / side, name, split)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(lines), encoding="utf-8")


def polder(folder, args, name, dtype, number):
    config, target = folder / "config.toml", folder / f"run-{name}-{dtype}-{number}"
    config.write_text(f"""
seed = {number}
steps = {args.steps}
batch = {args.batch}
device = "{args.device}"
threads = {args.threads}
[model]
path = "{args.model}"
dtype = "{dtype}"
[task]
name = "{name}"
data = "{rows_file(folder / "polder", name, "train").parent}"
train = {args.steps * args.batch}
dev = 0
seed = 0
[estimator.two-point]
eps = {args.eps}
[optimizer.sgd]
lr = {LEARNING_RATE}
[eval]
every = 1000000
before = false
limit = 1
[save]
every = 1000000
""")
    sets = [part for pair in args.polder_set for part in ("--set", pair)]
    _, peak = run([args.polder, "train", config, "--run", target, "--quiet", *sets])
    with open(target / "metrics.jsonl") as lines:
        steps = [event for event in map(json.loads, lines) if event["kind"] == "step"]
    shutil.rmtree(target)
    return [(s["seconds"], s["loss"], s["tokens"]) for s in steps], peak


def torch_program(folder, args, name, dtype, program):
    command = [sys.executable, HERE / program, args.model, folder / "torch", "--task", name, "--steps", args.steps]
    command += ["--batch", args.batch, "--eps", args.eps, "--threads", args.threads, "--dtype", dtype]
    command += ["--lr", LEARNING_RATE, "--device", args.device]
    out, peak = run(command)
    return [(s["seconds"], s["loss"], s["positions"]) for s in map(json.loads, out.splitlines())], peak


def measured(folder, args, side, name, dtype, number):
    if side == "polder":
        steps, peak = polder(folder, args, name, dtype, number)
    else:
        steps, peak = torch_program(folder, args, name, dtype, PROGRAMS[side])
    seconds, losses, positions = zip(*steps[1:])
    about = {"task": name, "dtype": dtype, "side": side, "round": number, "peak": peak}
    return about | {"seconds": seconds, "losses": losses, "positions": positions}


def main():
    args = parsed()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = ["sides", "rounds", "steps", "batch", "threads", "eps", "device", "polder_set"]
    result = {"machine": machine(), "settings": {key: getattr(args, key) for key in kept}, "runs": []}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        for number in range(args.rounds):
            turn = number % len(args.sides)
            for name in args.tasks:
                prepare(folder, args, name, number)
                for dtype in args.dtypes:
                    for side in args.sides[turn:] + args.sides[:turn]:
                        done = measured(folder, args, side, name, dtype, number)
                        result["runs"].append(done)
                        (args.out / "side_by_side.json").write_text(json.dumps(result, indent=1))
                        seconds = median_and_range(done["seconds"])
                        print(f"round {number + 1}: {name} {dtype} {side}: {seconds} s", file=sys.stderr, flush=True)
    print(step_report.write(args.out))


if __name__ == "__main__":
    main()
