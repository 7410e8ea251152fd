"""Run the benchmarks, print their ratios and keep them in ``runs/bench.json``: ``run.py [NAME]``.

Each module ``bench_<name>`` beside this file has ``figures()``, which yields Figures or raises Missing. A figure that
was not measured this time keeps its last value in the file.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from measure import ROOT, Figure, Missing, machine
from rich.console import Console
from rich.table import Table

OUT = ROOT / "runs" / "bench.json"


def main(only: str = "") -> int:
    names = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    if only and only not in names:
        sys.stderr.write(f"no benchmark is called {only!r}: there are {', '.join(names)}\n")
        return 2
    found = list(measured([only] if only else names))
    if found:
        Console().print(table(found))
        keep(found)
    return 0


def measured(names: Iterable[str]) -> Iterator[Figure]:
    for name in names:
        sys.stderr.write(f"bench: {name}\n")
        try:
            yield from importlib.import_module(f"bench_{name}").figures()
        except Missing as missing:
            sys.stderr.write(f"bench: {name} left out: {missing}\n")


def table(found: Iterable[Figure]) -> Table:
    made = Table(title="ours : peer, in times the speed (above 1 we are faster)")
    for column in ("figure", "ratio", "ours", "peer", "unit", "n", "MB"):
        made.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for figure in found:
        rates = (f"{figure.ours:,.0f}", f"{figure.peer:,.0f}")
        memory = f"{figure.memory:,.0f}" if figure.memory else ""
        made.add_row(figure.name, f"{figure.ratio:.2f}", *rates, f"{figure.unit}/s", f"{figure.n:,}", memory)
    return made


def keep(found: Iterable[Figure]) -> None:
    """Write the figures, with where they were measured, in place of older ones of the same name."""
    kept = {row["name"]: row for row in (json.loads(OUT.read_text("utf-8")) if OUT.exists() else [])}
    kept |= {figure.name: row(figure) for figure in found}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([kept[name] for name in sorted(kept)], indent=2) + "\n", "utf-8")


def row(figure: Figure) -> dict[str, Any]:
    rounded = {name: float(f"{value:.4g}") for name, value in (("ours", figure.ours), ("peer", figure.peer))}
    ratio = float(f"{figure.ratio:.3g}")
    memory = {"memory": round(figure.memory)} if figure.memory else {}
    return {"name": figure.name, **rounded, "ratio": ratio, "unit": f"{figure.unit}/s", "n": figure.n, **memory} | {
        "machine": machine()
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
