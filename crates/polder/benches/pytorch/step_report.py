"""Table and chart of what side_by_side.py measured; by itself it makes them again from the JSON:

    python step_report.py DIR
"""

import json
import pathlib
import statistics
import sys

from measured_process import described, median_and_range

COLOURS = {"polder": "#1b6ca8", "economical": "#e0a030", "plain": "#9a9a9a"}
NAMES = {"polder": "polder", "economical": "PyTorch, economical", "plain": "PyTorch, plain"}


class Cell:
    """All runs of a side with one task and one type of weights."""

    def __init__(self, runs):
        self.seconds = [value for run in runs for value in run["seconds"]]
        self.positions = [value for run in runs for value in run["positions"]]
        self.losses = [value for run in sorted(runs, key=lambda run: run["round"]) for value in run["losses"]]
        self.peak = max(run["peak"] for run in runs)
        self.median = statistics.median(self.seconds)


def cells(result):
    """{(task, dtype): {side: Cell}}, in the order of the first round."""
    runs = {}
    for run in result["runs"]:
        runs.setdefault((run["task"], run["dtype"]), {}).setdefault(run["side"], []).append(run)
    sides = result["settings"]["sides"]
    return {case: {s: Cell(found[s]) for s in sides if s in found} for case, found in runs.items()}


def ratio(row, side):
    return f"**{row[side].median / row['polder'].median:.1f}**" if {side, "polder"} <= row.keys() else ""


def loss_gap(rows):
    """The largest difference between polder's and PyTorch's loss of one batch."""
    pairs = [(row["polder"].losses, row[s].losses) for row in rows for s in row if "polder" in row and s != "polder"]
    return max((abs(a - b) for mine, other in pairs for a, b in zip(mine, other)), default=None)


def line(parts):
    return "| " + " | ".join(parts) + " |"


def table(columns, rows):
    return [line(columns), line(["---"] * len(columns)), *map(line, rows), ""]


def markdown(result):
    settings, found = result["settings"], cells(result)
    sides = settings["sides"]
    others = [side for side in sides if side != "polder"]
    blank = lambda row, text: [text(row[side]) if side in row else "" for side in sides]
    seconds = [
        [*case, *blank(row, lambda cell: median_and_range(cell.seconds)), *(ratio(row, side) for side in others)]
        for case, row in found.items()
    ]
    positions = [[*case, *blank(row, lambda c: f"{statistics.median(c.positions):.0f}")] for case, row in found.items()]
    peaks = [[*case, *blank(row, lambda cell: f"{cell.peak / 2**20:.0f}")] for case, row in found.items()]
    names = ["task", "weights", *(NAMES[side] for side in sides)]
    gaps = {dtype: loss_gap([row for case, row in found.items() if case[1] == dtype]) for _, dtype in found}
    gaps = [f"{gap:.2g} in {dtype}" for dtype, gap in gaps.items() if gap is not None]
    set_to = f"; polder with {', '.join(settings['polder_set'])}" if settings["polder_set"] else ""
    return "\n".join([
        f"Seconds a step, median (range) of {settings['rounds']} alternating runs of {settings['steps']} steps each, the "
        f"first left out; batch {settings['batch']}, ε {settings['eps']}, learning rate 1e-9; "
        f"{described(result['machine'], settings['threads'])}{set_to}.",
        "",
        *table([*names, *(f"{side} ÷ polder" for side in others)], seconds),
        "Positions that the layers run in a step, both points and all padding counted:",
        "",
        *table(names, positions),
        "High-water marks of whole processes in MiB, loading included:",
        "",
        *table(names, peaks),
        "Losses of the same batches, each side with its own directions, differ from polder's by at most: "
        + (", ".join(gaps) or "not compared") + ".",
        "",
    ])  # fmt: skip


def chart(result, folder):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = cells(result)
    sides = result["settings"]["sides"]
    figure, axes = pyplot.subplots(figsize=(9, 0.9 + 0.95 * len(rows)), layout="constrained")
    thickness = 0.8 / len(sides)
    longest = max(max(cell.seconds) for row in rows.values() for cell in row.values())
    for at, side in enumerate(sides):
        offset = (at - (len(sides) - 1) / 2) * thickness
        found = [(i + offset, row) for i, row in enumerate(rows.values()) if side in row]
        places, medians = [place for place, _ in found], [row[side].median for _, row in found]
        ranges = [[m - min(row[side].seconds) for m, (_, row) in zip(medians, found)],
                  [max(row[side].seconds) - m for m, (_, row) in zip(medians, found)]]
        axes.barh(places, medians, thickness * 0.92, color=COLOURS[side], label=NAMES[side])
        axes.errorbar(medians, places, xerr=ranges, fmt="none", ecolor="#333333", elinewidth=0.8, capsize=2)
        for place, row in found:
            times = f"  ×{row[side].median / row['polder'].median:.1f}" if side != "polder" and "polder" in row else ""
            end = max(row[side].seconds) + longest * 0.008
            axes.text(end, place, f"{row[side].median:.3g} s{times}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [f"{task}\n{dtype}" for task, dtype in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.17)
    axes.set_xlabel("seconds a step: median, lines from the fastest to the slowest step; × is the ratio to polder")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    for kind in ["png", "svg"]:
        figure.savefig(folder / f"side_by_side.{kind}", dpi=160)


def write(folder):
    """The table, as it also stands in side_by_side.md."""
    result = json.loads((folder / "side_by_side.json").read_text())
    table = markdown(result)
    (folder / "side_by_side.md").write_text(table, encoding="utf-8")
    chart(result, folder)
    return table


if __name__ == "__main__":
    print(write(pathlib.Path(sys.argv[1])))
