"""Loss and development scores of a run as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

GREY, BLUE = "#9aa4ad", "#1f5f99"


def draw(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw a Trainer's history: the loss over steps, and the F1 of each development corpus after each epoch."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    left = figure.add_subplot()
    steps = [(row["step"], row["loss"]) for row in history if "loss" in row]
    left.plot(*zip(*steps, strict=True) if steps else ((), ()), color=GREY, linewidth=1)
    left.set_xlabel("step")
    left.set_ylabel("training loss", color="#5c666e")
    left.set_ylim(bottom=0)
    right = left.twinx()
    scored = [row for row in history if "eval_f1" in row]
    names = sorted({name for row in scored for name in row if name.startswith("eval_")} - {"eval_f1"})
    for name in names if len(names) > 1 else ():
        right.plot([row["step"] for row in scored], [row[name] for row in scored], "o-", alpha=0.55, linewidth=1,
                   markersize=3, label=name.removeprefix("eval_"))  # fmt: skip
    label = "mean" if len(names) > 1 else (names[0].removeprefix("eval_") if names else "F1")
    right.plot([row["step"] for row in scored], [row["eval_f1"] for row in scored], "o-", color=BLUE, label=label)
    for row in scored[-1:]:
        right.annotate(f"{row['eval_f1']:.1f}", (row["step"], row["eval_f1"]), xytext=(-4, 6),
                       textcoords="offset points", ha="right", color=BLUE)  # fmt: skip
    right.set_ylabel("development F1 (%)", color=BLUE)
    if scored:
        right.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names) + 1, frameon=False)  # above the lines
    for side in (left, right):
        side.spines["top"].set_visible(False)
    figure.savefig(path, dpi=110)
