"""Seconds to score a split by `polder eval` and by `transformers`, side by side: same rows, f32, alternating runs.

    python evaluate_side_by_side.py --polder target/release/polder --model HF_FOLDER --data FOLDER --out DIR
        [--tasks sst2,arc-easy] [--limit N] [--rounds 3] [--threads 2]

FOLDER holds a folder for each task (sst2/, arc_easy/), each with a validation.jsonl. evaluate_transformers.py says how the other side
scores; it runs with every option a row of its own and, for SST-2, also with equal rows run once. Loading and tokenising
are left out on all sides. Writes evaluate_side_by_side.json and .md: seconds, ratios, how many predictions are the same.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from measured_process import described, machine, median_and_range, run
from tasks import rows_file

HERE = pathlib.Path(__file__).parent
NAMES = {"polder": "polder", "rows": "transformers, a row an option", "once": "transformers, equal rows once"}


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polder", required=True, type=pathlib.Path, help="the built program")
    parser.add_argument("--model", required=True, type=pathlib.Path, help="a Hugging Face folder")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--tasks", type=lambda text: text.split(","), default=["sst2", "arc-easy"])
    parser.add_argument("--limit", type=int, default=10**6, help="only the first N rows")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16, help="rows a batch of transformers")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.polder = args.polder.resolve()
    return args


def polder(args, name):
    with tempfile.TemporaryDirectory() as place:
        samples = pathlib.Path(place) / "samples.jsonl"
        command = [args.polder, "eval", "--model", args.model, "--dtype", "f32", "--threads", args.threads]
        command += ["--task", name, "--data", rows_file(args.data, name, "validation").parent, "--limit", args.limit]
        out, peak = run([*command, "--json", "--quiet", "--samples", samples])
        rows = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    done = json.loads(out)
    return {
        "seconds": done["seconds"], "rows": done["sequences"], "positions": done["tokens"], "peak": peak,
        "gold": [row["gold"] for row in rows], "scores": [row["scores"] for row in rows],
    }  # fmt: skip


def transformers(args, name, *extra):
    command = [sys.executable, HERE / "evaluate_transformers.py", args.model, args.data, "--task", name]
    command += ["--limit", args.limit, "--batch", args.batch, "--threads", args.threads, *extra]
    out, peak = run(command)
    return json.loads(out) | {"peak": peak}


WITH_ONE_TOKEN_OPTIONS = ["sst2"]
SIDES = {
    "polder": polder,
    "rows": transformers,
    "once": lambda args, name: transformers(args, name, "--once"),
}


def predictions(scores):
    return [max(range(len(options)), key=options.__getitem__) for options in scores]


def summary(name, side, runs, reference):
    """A side's runs of a task, with its agreement with polder's first run."""
    first = runs[0]
    answers, expected = predictions(first["scores"]), predictions(reference["scores"])
    pairs = [(a, b) for mine, other in zip(first["scores"], reference["scores"]) for a, b in zip(mine, other)]
    assert first["gold"] == reference["gold"], f"{name}: the sides read different rows"
    return {
        "task": name,
        "side": side,
        "seconds": [r["seconds"] for r in runs],
        "rows": first["rows"],
        "positions": first["positions"],
        "peak": max(r["peak"] for r in runs),
        "n": len(answers),
        "right": sum(a == gold for a, gold in zip(answers, first["gold"])),
        "same_predictions": sum(a == b for a, b in zip(answers, expected)),
        "largest_score_difference": max(abs(a - b) for a, b in pairs),
    }


def cells(s, own):
    """The table's cells of a side; `own` is polder's median."""
    parts = [s["task"], NAMES[s["side"]], median_and_range(s["seconds"])]
    if s["side"] == "polder":
        compared = [""] * 3
    else:
        ratio = f"**{statistics.median(s['seconds']) / own:.1f}**"
        compared = [ratio, f"{s['same_predictions']} of {s['n']}", f"{s['largest_score_difference']:.1e}"]
    costs = [s["rows"], s["positions"], f"{s['peak'] / 2**20:.0f}"]
    return [*parts, *compared, f"{s['right']} of {s['n']}", *map(str, costs)]


def markdown(result):
    settings = result["settings"]
    own = {s["task"]: statistics.median(s["seconds"]) for s in result["sides"] if s["side"] == "polder"}
    columns = ["task", "", "seconds", "÷ polder", "same predictions", "largest score difference", "right", "rows"]
    table = [[*columns, "positions", "peak MiB"], ["---"] * 10, *(cells(s, own[s["task"]]) for s in result["sides"])]
    caption = (
        f"Seconds to score validation rows in f32, median (range) of {settings['rounds']} alternating runs; transformers "
        f"in batches of {settings['batch']} rows; {described(result['machine'], settings['threads'])}. Positions are "
        "those that the layers run, padding counted; score differences are in nats a token; peaks are high-water marks of "
        "whole processes, loading included."
    )
    return "\n".join([caption, "", *("| " + " | ".join(row) + " |" for row in table), ""])


def main():
    args = parsed()
    args.out.mkdir(parents=True, exist_ok=True)
    settings = {key: getattr(args, key) for key in ["limit", "rounds", "batch", "threads"]}
    result = {"machine": machine(), "settings": settings, "sides": []}
    for name in args.tasks:
        sides = [side for side in SIDES if side != "once" or name in WITH_ONE_TOKEN_OPTIONS]
        runs = {side: [] for side in sides}
        for number in range(args.rounds):
            turn = number % len(sides)
            for side in sides[turn:] + sides[:turn]:
                runs[side].append(SIDES[side](args, name))
                seconds = runs[side][-1]["seconds"]
                print(f"round {number + 1}: {name} {side}: {seconds:.2f} s", file=sys.stderr, flush=True)
        result["sides"] += [summary(name, side, of_side, runs["polder"][0]) for side, of_side in runs.items()]
    (args.out / "evaluate_side_by_side.json").write_text(json.dumps(result, indent=1))
    table = markdown(result)
    (args.out / "evaluate_side_by_side.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
