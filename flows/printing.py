"""What the command line prints: rows as a table for people, JSON or CSV for programs; stdout is only data."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TextIO

from pipeline.types import Abbreviation, Reading, Span


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"


PIPE_WIDTH = 160


def to_json(value: object, *, indent: int | None = None) -> str:
    """JSON that can always be written: lone surrogates, which UTF-8 cannot hold, are escaped.

    >>> to_json({"name": "β-blocker"})
    '{"name": "β-blocker"}'
    >>> to_json("\\ud800")
    '"\\\\ud800"'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def print_rows(rows: Sequence[Mapping[str, Any]], format_: Format, *, columns: Sequence[str] = ()) -> None:
    """Print rows; ``columns`` are those of an empty result."""
    names = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    if format_ is Format.json:
        sys.stdout.write(to_json(list(rows), indent=1) + "\n")
    elif format_ is Format.csv:
        _write_csv(rows, names, sys.stdout)
    else:
        _print_table(rows, names)


def print_object(row: Mapping[str, Any], format_: Format) -> None:
    """Print one object: as it is in JSON, a line a key in a table."""
    if format_ is Format.json:
        sys.stdout.write(to_json(row, indent=1) + "\n")
    elif format_ is Format.csv:
        _write_csv([row], list(row), sys.stdout)
    else:
        width = max(map(len, row), default=0)
        for key, value in row.items():
            sys.stdout.write(f"{key:<{width}}  {_cell(value)}\n")


def reading_row(reading: Reading) -> dict[str, Any]:
    """How a paper was read, all spans as ``[start, end]`` into ``text``."""
    document = reading.document
    return {
        "id": document.id,
        "year": document.year,
        "text": document.text,
        "sections": [{"kind": section.kind, "span": _span(section)} for section in document.sections],
        "sentences": [_span(sentence) for sentence in reading.sentences],
        "abbreviations": [_abbreviation(pair) for pair in reading.abbreviations],
    }


def _span(span: Span) -> list[int]:
    return [span.start, span.end]


def _abbreviation(pair: Abbreviation) -> dict[str, list[int]]:
    return {"short": _span(pair.short), "long": _span(pair.long)}


def _write_csv(rows: Iterable[Mapping[str, Any]], names: Sequence[str], stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _print_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in names))
    # where nobody's window limits it, a row stays on one line as far as it can
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple | dict):
        return to_json(value)
    return str(value)
