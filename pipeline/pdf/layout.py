"""From the runs of the pages to lines in reading order.

Running heads and page numbers go first. Then each page is cut at its gutter, if it has one: what crosses the gutter (a
title, a wide table) cuts the page into bands, and each band is read column by column, each column again in this way.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from pipeline.pdf.characters import Run

_EDGE, _ROWS = 0.2, 3  # running heads lie in this share of a page, in that many rows from its edge
_NUMBER = re.compile(r"[-–—\s|]*(?:page\s*)?(?:\d{1,5}|[ivxl]{1,6})(?:\s*(?:of|/)\s*\d{1,5})?[-–—\s|]*", re.IGNORECASE)
_IMPRINT = re.compile(
    r"^Proceedings of|©|\bc (?:19|20)\d\d |\bCopyright\b|All rights reserved|^arXiv:\d|^https?://doi\.org/\S+$|^doi:",
    re.IGNORECASE,
)
_GUTTER, _COLUMN = 5.0, 100.0  # points: the least width of a gutter, and of a column of text
_OVERFULL = 10.0  # points by which a line may stick out into the gutter and beyond
_WIDE_GAP = 1.2  # of the font size: cells of a table stand so far apart


@dataclass(frozen=True, slots=True)
class Page:
    """The runs of one page, numbered from 1, and its height in points."""

    number: int
    height: float
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a column, which reaches from ``left`` to ``right``; ``gaps`` counts the wide gaps inside it.

    ``column`` numbers the columns and page-wide bands of the whole file in reading order.
    """

    page: int
    column: int
    left: float
    right: float
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    gaps: int
    text: str


def lines(pages: Sequence[Page]) -> list[Line]:
    """All lines of pages without furniture, in reading order."""
    gutters = [_gutter(page.runs) for page in pages]
    known = [gutter for gutter in gutters if gutter is not None]
    usual = median(known) if known and len(known) * 2 >= len(pages) else None
    found: list[Line] = []
    for page, own in zip(pages, gutters, strict=True):
        gutter = own if own is not None else usual
        for region in _regions(page.runs, gutter):
            column = found[-1].column + 1 if found else 0
            found.extend(_lines(region, page.number, column))
    return found


def rows(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs side by side, from top to bottom; raised and lowered ones stay with their row."""
    found: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: (run.y, run.x0)):
        for row in reversed(found[-2:]):
            main = max(row, key=lambda other: other.size)
            if abs(run.y - main.y) < 0.55 * max(main.size, run.size):
                row.append(run)
                break
        else:
            found.append([run])
    return [sorted(row, key=lambda run: run.x0) for row in found]


def without_furniture(pages: Sequence[Page]) -> tuple[list[Page], str]:
    """The pages without running heads, page numbers and imprints, and what of these stands on the first page."""
    edges = [list(_edge_rows(page)) for page in pages]
    seen = Counter(key for found in edges for key in {_place(row) for row in found})
    bare, imprint = [], ""
    for page, found in zip(pages, edges, strict=True):
        furniture = [row for row in found if seen[_place(row)] > 1 or _is_furniture(row)]
        dropped = {run for row in furniture for run in row}
        if len(dropped) == len(page.runs):  # pages of one line each are not made of running heads
            dropped = set()
        bare.append(replace(page, runs=tuple(run for run in page.runs if run not in dropped)))
        if page is pages[0]:
            imprint = "\n".join(_text(row) for row in furniture)
    return bare, imprint


def _edge_rows(page: Page) -> Iterator[list[Run]]:
    """The outermost rows of a page; coordinates may begin anywhere, so the page's own text says where its edges are."""
    found = rows(page.runs)
    if not found:
        return
    top, bottom = found[0][0].y, found[-1][0].y
    yield from (row for row in found[:_ROWS] if row[0].y - top < _EDGE / 2 * page.height)
    yield from (row for row in found[_ROWS:][-_ROWS:] if bottom - row[0].y < _EDGE / 2 * page.height)


def _text(row: Iterable[Run]) -> str:
    return " ".join(run.text for run in row)


def _place(row: list[Run]) -> tuple[str, int]:
    """By what a row is known again on another page: its words with any number in them, and how high it stands."""
    return re.sub(r"\d+", "#", _text(row)), round(row[0].y / 4)


def _is_furniture(row: list[Run]) -> bool:
    text = _text(row)
    return bool(_NUMBER.fullmatch(text) or _IMPRINT.search(text))


def _gutter(runs: Sequence[Run]) -> float | None:
    """The x of the gutter that splits most of the runs into two columns of text, or None."""
    if len(runs) < 12:
        return None
    left, right = min(run.x0 for run in runs), max(run.x1 for run in runs)
    crossed = _crossings(runs, left, right)
    inner = range(int(0.15 * len(crossed)), int(0.85 * len(crossed)))
    if not inner:
        return None
    fewest = min(crossed[at] for at in inner)
    best = max(_stretches([at for at in inner if crossed[at] == fewest]), key=len)
    gutter = left + best[len(best) // 2]
    sides = [run for run in runs if run.x1 <= gutter], [run for run in runs if run.x0 >= gutter]
    crossing = len(runs) - len(sides[0]) - len(sides[1])
    if min(len(side) for side in sides) < max(4, crossing / 4):
        return None
    return gutter if all(_is_text(side) for side in sides) else None


def _crossings(runs: Iterable[Run], left: float, right: float) -> list[int]:
    """How many runs come within half a gutter of each point from left to right."""
    width = min(int(right - left) + 1, 20_000)
    steps = [0] * (width + 2)
    for run in runs:
        steps[min(max(int(run.x0 - left - _GUTTER / 2), 0), width)] += 1
        steps[min(max(int(run.x1 - left + _GUTTER / 2) + 1, 0), width)] -= 1
    total, crossed = 0, []
    for step in steps[:width]:
        total += step
        crossed.append(total)
    return crossed


def _stretches(points: Iterable[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for point in points:
        if found and found[-1][-1] == point - 1:
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _is_text(side: list[Run]) -> bool:
    """Whether these runs fill a column, as lines do and cells of a table do not."""
    width = max(run.x1 for run in side) - min(run.x0 for run in side)
    filled = sum(run.x1 - run.x0 for run in side)
    return width > _COLUMN and filled > 0.55 * width * len(rows(side))


def _regions(runs: Sequence[Run], gutter: float | None, depth: int = 0) -> Iterator[list[Run]]:
    """Columns and page-wide bands in reading order."""
    if gutter is None:
        if runs:
            yield list(runs)
        return
    wide: list[Run] = []
    columns: dict[bool, list[Run]] = defaultdict(list)
    for row in rows(runs):
        if any(run.x0 < gutter - _OVERFULL and run.x1 > gutter + _OVERFULL for run in row):
            yield from _columns(columns, depth)
            columns.clear()
            wide.extend(row)
            continue
        if wide:
            yield wide
            wide = []
        for run in row:
            columns[run.x0 + run.x1 > 2 * gutter].append(run)
    if wide:
        yield wide
    yield from _columns(columns, depth)


def _columns(columns: dict[bool, list[Run]], depth: int) -> Iterator[list[Run]]:
    for right in (False, True):
        column = columns.get(right, [])
        yield from _regions(column, _gutter(column) if depth < 3 else None, depth + 1)


def _lines(region: list[Run], page: int, column: int) -> Iterator[Line]:
    left, right = min(run.x0 for run in region), max(run.x1 for run in region)
    for row in rows(region):
        main = max(row, key=lambda run: len(run.text) * run.size)
        gaps = sum(b.x0 - a.x1 > _WIDE_GAP * main.size for a, b in pairwise(row))
        yield Line(
            page=page,
            column=column,
            left=left,
            right=right,
            x0=row[0].x0,
            x1=row[-1].x1,
            y=main.y,
            size=main.size,
            bold=all(run.bold for run in row),
            gaps=gaps,
            text=_text(row),
        )
