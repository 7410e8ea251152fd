"""Texts of tagged lines, which reference managers exchange: a tag and a value, and further lines of the same value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import MAX_RECORD

Tags: TypeAlias = Mapping[str, list[str]]  # the values of each tag, in the order of the record


def records(
    numbered: Iterable[tuple[int, str]], begins: Callable[[str, list[str]], object], ends: Callable[[str], object]
) -> Iterator[tuple[str, str]]:
    """Cut numbered lines into records, each with its place; what stands between two records is passed over.

    ``begins`` is asked with a line and the lines of the record so far, ``ends`` with a line. Of a record that is too
    long only the beginning is kept, a little more than is allowed.
    """
    place, record, size = "", list[str](), 0
    for number, read in numbered:
        line = read.removeprefix("\ufeff")  # left where files were joined
        if begins(line, record):
            if record:
                yield place, "\n".join(record)
            place, record, size = f"record at line {number}", [], 0
        elif not record:
            continue
        if size <= MAX_RECORD:
            record.append(line)
            size += len(line) + 1
        if ends(line):
            yield place, "\n".join(record)
            record = []
    if record:
        yield place, "\n".join(record)


def values(record: str, tag: re.Pattern[str]) -> Tags:
    """The values of a record by tag, their lines as they are but for outer blanks; empty ones are left out.

    >>> values("AU  - Dyer, A\\nAU  - Moss, B\\nAB  - One\\n  two\\nXX  -", re.compile(r"([A-Z]\\w)  -"))
    {'AU': ['Dyer, A', 'Moss, B'], 'AB': ['One\\ntwo']}
    """
    return grouped(pairs(record, tag))


def pairs(record: str, tag: re.Pattern[str]) -> list[tuple[str, str]]:
    """Tags and values in the order of the record; lines before the first tag are left out."""
    found: list[tuple[str, list[str]]] = []
    for line in record.split("\n"):
        if start := tag.match(line):
            found.append((start[1], [line[start.end() :].strip()]))
        elif found:
            found[-1][1].append(line.strip())
    return [(name, text) for name, lines in found if (text := "\n".join(lines).strip("\n"))]


def first(tags: Tags, *names: str) -> str:
    """The first value of the first tag that has one, as one line."""
    return next((fields.flat(tags[name][0]) for name in names if tags.get(name)), "")


def grouped(found: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, text in found:
        grouped.setdefault(name, []).append(text)
    return grouped
