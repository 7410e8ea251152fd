"""CSV and TSV with a header, read in chunks through pandas.

Columns are known by their usual names, or by a map from our names to the file's: ``{"title": "Article Title"}``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from pipeline.errors import UsageError
from pipeline.sources import fields
from pipeline.sources.stream import HEAD, MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Document, Failure

_DELIMITERS = ",\t;|"
_CHUNK = 1000  # rows
_TOO_MANY = "\0too many cells"  # marks a row; no sound cell holds a NUL
_TEXTS = frozenset({"title", "abstract", "text"})


@dataclass(frozen=True, slots=True)
class Table:
    """A reader of tables; ``columns`` maps our field names to the names in the header, whatever their case."""

    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in fields.known_fields():
                raise UsageError(f"no field {name!r} to map a column to: use {', '.join(fields.known_fields())}")

    def sniff(self, head: str) -> bool:
        """Two columns or more, of which one is known to hold text, or all rows of one width below a header."""
        rows = self._rows(head)
        if not rows or not any(rows[0]):
            return False
        known = not _TEXTS.isdisjoint(self._fields(rows[0]).values())
        if len(rows[0]) == 1:  # "Abstract" on a line of its own is rather a heading
            return bool(self.columns) and known
        even = len(rows) > (1 if self.columns else 2) and all(len(row) == len(rows[0]) for row in rows)
        return known or (even and ("\t" in head.partition("\n")[0] or _is_header(rows[0])))

    def read(self, stream: Stream, name: str) -> Iterator[Document | Failure]:
        header = self._rows(stream.head)[0]
        found = self._fields(header)
        if _TEXTS.isdisjoint(found.values()):
            seen = ", ".join(repr(cell[:40]) for cell in header[:20])
            raise Unreadable(f"has no column for title, abstract or text: map one of its columns, {seen}")
        rows = _read_csv(stream, self._delimiter(stream.head))
        records = ((f"row {number}", row) for number, row in enumerate(rows, 1) if number > 1)
        return fields.each(records, lambda row: _parse(row, found, len(header)), name)

    def _fields(self, header: list[str]) -> dict[int, str]:
        """The field that each column holds, by position; where a field is mapped, its usual names mean nothing."""
        mapped = {column.strip().lower(): name for name, column in self.columns.items()}
        usual = {at: fields.field_name(cell) for at, cell in enumerate(header)}
        found = {at: name for at, name in usual.items() if name and name not in self.columns}
        return found | {at: mapped[key] for at, cell in enumerate(header) if (key := cell.strip().lower()) in mapped}

    def _delimiter(self, head: str) -> str:
        """The delimiter that gives the most columns that we know, else rows of one width, else the most columns."""
        rows = {delimiter: _parsed(head, delimiter) or [[]] for delimiter in _DELIMITERS}

        def fit(delimiter: str) -> tuple[int, bool, int]:
            first, *others = rows[delimiter]
            return len(self._fields(first)), all(len(row) == len(first) > 1 for row in others), len(first)

        return max(_DELIMITERS, key=fit)

    def _rows(self, head: str) -> list[list[str]]:
        return _parsed(head, self._delimiter(head))


def _parsed(head: str, delimiter: str) -> list[list[str]]:
    """The first rows of a head, but for one that its end may have cut."""
    reader = csv.reader(io.StringIO(head.lstrip("\n"), newline=""), delimiter=delimiter)
    try:
        rows = list(islice(reader, 7))
    except csv.Error:
        return []
    cut = len(rows) > 6 or (len(rows) > 1 and len(head) * 4 >= HEAD)
    return [row for row in (rows[:-1] if cut else rows) if row]


def _is_header(cells: list[str]) -> bool:
    names = [cell.strip() for cell in cells]
    return len(names) > 2 and all(0 < len(name) <= 40 and len(name.split()) <= 4 for name in names)


def _read_csv(stream: Stream, delimiter: str) -> Iterator[list[str]]:
    """Yield all rows, the header too; a row with more cells than the header comes as one marked cell."""
    import pandas as pd  # noqa: PLC0415 -- takes over a second, and most readings hold no table

    # pandas' Python engine, the one that lets us keep bad rows, cuts cells with csv, whose limit is the process's.
    csv.field_size_limit(MAX_RECORD)
    try:
        chunks = pd.read_csv(
            stream.text,
            sep=delimiter,
            header=None,
            dtype=object,
            na_filter=False,
            engine="python",
            chunksize=_CHUNK,
            on_bad_lines=lambda _: [_TOO_MANY],
        )
        for chunk in chunks:
            for row in chunk.itertuples(index=False, name=None):
                yield ["" if cell is None or cell != cell else cell for cell in row]  # noqa: PLR0124 (NaN)
    except pd.errors.ParserError as error:
        raise Unreadable(f"is no table from here on: {error}") from error


def _parse(row: list[str], found: Mapping[int, str], width: int) -> Document:
    if row[0] == _TOO_MANY:
        raise Unreadable(f"has more cells than the header's {width}: a delimiter or quote in a cell is not quoted")
    return fields.document({name: check(row[at]).strip() for at, name in found.items()})
