"""Greedy tokens a second by `polder generate` and by `transformers`, side by side: alternating runs, medians.

    python generate_side_by_side.py --polder target/release/polder --model HF_FOLDER [--out DIR] [--new 64] [--rounds 5]
        [--threads 2] [--dtypes f32,bf16]

One prompt, and eight side by side, of 9 to 40 tokens; loading and tokenising are left out on both sides. Every prompt is
checked to get all its tokens, and it is said how many of them are the same. Writes generate_side_by_side.json and .md.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from measured_process import described, machine, median_and_range

HERE = pathlib.Path(__file__).parent
PROMPTS = [
    "The old lighthouse keeper climbed the stairs and",
    "The history of the bicycle begins in the early nineteenth century, when",
    "In a small village between two rivers there lived a baker who",
    "To grow tomatoes on a balcony, you first need to",
    "The train was late again, and the people on the platform began to talk about the weather, the price of bread and",
    "When the first snow fell, the children of the valley ran out of their houses, and the dogs ran after them, and",
    "A good map shows more than roads and rivers. It tells the reader where people live, what they grow, and",
    "Rain fell for three days. On the morning of the fourth day the water had reached the first step of the church, and",
]


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polder", required=True, type=pathlib.Path, help="the built program")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="a Hugging Face folder")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtypes", type=lambda text: text.split(","), default=["f32", "bf16"])
    args = parser.parse_args()
    args.polder = args.polder.resolve()
    return args


def answer(command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)


def polder(args, file, dtype):
    command = [args.polder, "generate", args.model, "--prompts", file, "--dtype", dtype, "--threads", args.threads]
    done = answer([*command, "--max-new-tokens", args.new])
    seconds = float(re.search(r"tokens in ([0-9.]+) s", done.stderr).group(1))
    return {"seconds": seconds, "ids": [json.loads(line)["ids"] for line in done.stdout.splitlines()]}


def transformers(args, file, dtype):
    command = [sys.executable, HERE / "generate_transformers.py", args.model, file, "--dtype", dtype]
    return json.loads(answer([*command, "--new", args.new, "--threads", args.threads]).stdout)


def compared(args, file, count, dtype):
    file.write_text("\n".join(PROMPTS[:count]) + "\n", encoding="utf-8")
    seconds = {"polder": [], "transformers": []}
    for number in range(args.rounds):
        ours, theirs = polder(args, file, dtype), transformers(args, file, dtype)
        seconds["polder"].append(ours["seconds"])
        seconds["transformers"].append(theirs["seconds"])
        assert all(len(ids) == args.new for ids in ours["ids"] + theirs["ids"]), "a prompt ended early"
        print(dtype, count, number, {name: values[-1] for name, values in seconds.items()}, file=sys.stderr)
    same = sum(a == b for x, y in zip(ours["ids"], theirs["ids"]) for a, b in zip(x, y))
    return {"prompts": count, "dtype": dtype, "same": same, "seconds": seconds, "tokens": count * args.new}


def main():
    args = parsed()
    on = machine()
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place) / "prompts.txt"
        cases = [compared(args, file, count, dtype) for dtype in args.dtypes for count in [1, len(PROMPTS)]]
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "generate_side_by_side.json").write_text(json.dumps({"machine": on, "cases": cases}, indent=1) + "\n")
    lines = [described(on, args.threads), "", "| weights | prompts | polder, tokens/s (range) | transformers | ratio | same tokens |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for case in cases:
        rate = {name: [case["tokens"] / s for s in values] for name, values in case["seconds"].items()}
        ratio = statistics.median(rate["polder"]) / statistics.median(rate["transformers"])
        shown = " | ".join(median_and_range(rate[name]) for name in ["polder", "transformers"])
        lines.append(f"| {case['dtype']} | {case['prompts']} | {shown} | {ratio:.2g} | {case['same']} of {case['tokens']} |")
    text = "\n".join(lines) + "\n"
    (args.out / "generate_side_by_side.md").write_text(text)
    print(text)


main()
