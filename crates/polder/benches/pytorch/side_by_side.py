"""Seconds a step of polder and of PyTorch MeZO, side by side: same model, rows, batch and threads, alternating runs.

    python side_by_side.py --polder target/release/polder --model HF_FOLDER --train sst2/train.jsonl [--rounds 3]

Both sides draw from the same rows in batches of 16 at learning rate 0. Prints a table with the median and the range
of all steps but each run's first, and the ratio of the medians; writes it as JSON with --json FILE.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent


def prepare(folder, train, steps, batch):
    with open(train) as lines:
        rows = [line for line in lines]
    chosen = random.Random(0).sample(rows, steps * batch + 16)
    (folder / "train.jsonl").write_text("".join(chosen))
    (folder / "validation.jsonl").write_text("".join(chosen[-16:]))


def polder(args, folder, number, dtype):
    run = folder / f"run-{dtype}-{number}"
    (folder / "config.toml").write_text(f"""
seed = {number}
steps = {args.steps}
batch = {args.batch}
device = "cpu"
threads = {args.threads}
[model]
path = "{args.model}"
dtype = "{dtype}"
[task]
name = "sst2"
data = "{folder}"
train = {args.steps * args.batch}
dev = 16
[estimator.two-point]
eps = 1e-3
[optimizer.sgd]
lr = 0.0
[eval]
every = 1000000
before = false
limit = 16
[save]
every = 1000000
""")
    command = [args.polder, "train", str(folder / "config.toml"), "--run", str(run), "--quiet"]
    subprocess.run(command, check=True)
    events = [json.loads(line) for line in open(run / "metrics.jsonl")]
    return [e["seconds"] for e in events if e["kind"] == "step"][1:]


def torch_mezo(args, folder, dtype):
    command = [sys.executable, str(HERE / "mezo.py"), args.model, str(folder / "train.jsonl"), "--steps", str(args.steps)]
    command += ["--batch", str(args.batch), "--threads", str(args.threads), "--dtype", dtype]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line)["seconds"] for line in out.splitlines()][1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--polder", required=True)
    parser.add_argument("--model", required=True, help="a Hugging Face folder")
    parser.add_argument("--train", required=True, help="SST-2's train.jsonl")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", default="f32,bf16")
    parser.add_argument("--json")
    args = parser.parse_args()
    args.polder, args.model = str(pathlib.Path(args.polder).resolve()), str(pathlib.Path(args.model).resolve())
    names = {"f32": "float32", "bf16": "bfloat16"}
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(folder, args.train, args.steps, args.batch)
        for number in range(args.rounds):
            for dtype in args.dtypes.split(","):
                seconds.setdefault(("polder", dtype), []).extend(polder(args, folder, number, dtype))
                seconds.setdefault(("PyTorch", dtype), []).extend(torch_mezo(args, folder, names[dtype]))
    report = []
    print("| | weights | s a step, median | range | PyTorch ÷ polder |\n|---|---|---|---|---|")
    for (side, dtype), values in sorted(seconds.items()):
        median = statistics.median(values)
        ratio = statistics.median(seconds["PyTorch", dtype]) / median
        report.append({"side": side, "dtype": dtype, "median": median, "seconds": values, "ratio": ratio})
        print(f"| {side} | {dtype} | {median:.3f} | {min(values):.3f}–{max(values):.3f} | {ratio:.1f} |")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
