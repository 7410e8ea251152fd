"""Tables with a header: CSV and TSV through pandas, Excel workbooks, Parquet.

Columns are known by their usual names, or by a map from our names to the file's: ``{"title": "Article Title"}``. Tab
separated lines of an id, a title and an abstract are read without a header. Of a workbook the first sheet counts that
has a column for a text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from itertools import islice

from pipeline.errors import UsageError
from pipeline.sources import parquet, workbook
from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import HEAD, MAX_RECORD, Stream, Unreadable, check
from pipeline.types import Document, Failure

_DELIMITERS = ",\t;|"
_CHUNK = 1000  # rows
_TOO_MANY = "\0too many cells"  # marks a row; no sound cell holds a NUL
_TEXTS = frozenset({"title", "abstract", "text"})
_ABOVE = 10  # rows of a sheet among which its header is looked for
_ABSTRACT = 50  # characters; shorter cells are no abstracts


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
        if workbook.sniff(head) or parquet.sniff(head):
            return True
        rows = self._rows(head)
        if not rows or not any(rows[0]):
            return False
        known = not _TEXTS.isdisjoint(self._fields(rows[0]).values())
        if len(rows[0]) == 1:  # "Abstract" on a line of its own is rather a heading
            return bool(self.columns) and known
        even = len(rows) > (1 if self.columns else 2) and all(len(row) == len(rows[0]) for row in rows)
        tabs = "\t" in head.partition("\n")[0]
        return known or bool(_headless(head)) or (even and (tabs or _is_header(rows[0])))

    def read(self, stream: Stream, name: str) -> Iterator[Document | Failure]:
        if parquet.sniff(stream.head):
            return self._read_parquet(stream, name)
        if workbook.sniff(stream.head):
            return self._read_workbook(stream, name)
        return self._read_text(stream, name)

    def _read_text(self, stream: Stream, name: str) -> Iterator[Document | Failure]:
        if found := _headless(stream.head) if not self.columns else {}:
            return _documents(enumerate(_read_csv(stream, "\t", quoted=False), 1), found, "row", len(found), name)
        header = self._rows(stream.head)[0]
        found = self._known(header)
        rows = enumerate(_read_csv(stream, self._delimiter(stream.head)), 1)
        return _documents((row for row in rows if row[0] > 1), found, "row", len(header), name)

    def _read_workbook(self, stream: Stream, name: str) -> Iterator[Document | Failure]:
        header: list[str] = []
        for title, rows in workbook.sheets(stream):
            numbered = enumerate(rows, 1)
            for _, row in islice(numbered, _ABOVE):
                cells = [str(_value(cell)) for cell in row]
                header = max(header, cells, key=lambda cells: sum(map(bool, cells)))
                if not _TEXTS.isdisjoint((found := self._fields(cells)).values()):
                    filled = ((number, row) for number, row in numbered if any(cell is not None for cell in row))
                    yield from _documents(filled, found, f"sheet {title!r}, row", len(cells), name)
                    return
        self._known(header)

    def _read_parquet(self, stream: Stream, name: str) -> Iterator[Document | Failure]:
        file = parquet.opened(stream)
        found = self._known(file.schema_arrow.names)
        rows = enumerate(parquet.rows(file, list(found)), 1)
        return _documents(rows, dict(enumerate(found.values())), "row", len(found), name)

    def _known(self, header: Sequence[str]) -> dict[int, str]:
        """The fields of a header; raises Unreadable where none holds a text."""
        found = self._fields(header)
        if _TEXTS.isdisjoint(found.values()):
            seen = ", ".join(repr(cell[:40]) for cell in header[:20])
            raise Unreadable(f"has no column for title, abstract or text: map one of its columns, {seen}")
        return found

    def _fields(self, header: Sequence[str]) -> dict[int, str]:
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


def _read_csv(stream: Stream, delimiter: str, *, quoted: bool = True) -> Iterator[list[str]]:
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
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            on_bad_lines=lambda _: [_TOO_MANY],
        )
        for chunk in chunks:
            for row in chunk.itertuples(index=False, name=None):
                yield ["" if cell is None or cell != cell else cell for cell in row]  # noqa: PLR0124 (NaN)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise Unreadable(f"is no table from here on: {error}") from error


def _headless(head: str) -> dict[int, str]:
    """The fields of lines without a header that hold an id, a title and an abstract; empty for all others.

    >>> _headless("17651117\\tOil and blood\\t" + "Fish oil thins blood, " * 3)
    {0: 'pmid', 1: 'title', 2: 'abstract'}
    """
    lines = [line for line in head.split("\n")[:7] if line]
    rows = [line.split("\t") for line in (lines[:-1] or lines)]  # the end of the head may have cut the last
    for row in rows:
        if not (len(row) == 3 and row[0].isdecimal() and len(row[2]) > _ABSTRACT and " " in row[1].strip()):
            return {}
    pmids = all(re.fullmatch(r"[1-9]\d{5,7}", row[0]) for row in rows)  # small numbers rather count the lines
    return {0: "pmid" if pmids else "id", 1: "title", 2: "abstract"} if rows else {}


def _documents(
    rows: Iterator[tuple[int, Sequence[object]]], found: Mapping[int, str], place: str, width: int, name: str
) -> Iterator[Document | Failure]:
    records = ((f"{place} {number}", row) for number, row in rows)
    return fields.each(records, lambda row: _parse(row, found, width), name)


def _parse(row: Sequence[object], found: Mapping[int, str], width: int) -> Document:
    if row[:1] == [_TOO_MANY]:
        raise Unreadable(f"has more cells than the header's {width}: a delimiter or quote in a cell is not quoted")
    return fields.document({name: _value(row[at]) for at, name in found.items() if at < len(row)})


def _value(cell: object) -> object:
    """A cell of any type as text, or as a list or mapping of texts.

    >>> [_value(cell) for cell in (1985.0, float("nan"), datetime(1985, 4, 2), None, [1.5, b"x"])]
    ['1985', '', '1985-04-02', '', ['1.5', 'x']]
    """
    if isinstance(cell, list | tuple):
        return [_value(item) for item in cell]
    if isinstance(cell, dict):
        return {str(key): _value(item) for key, item in cell.items()}
    return check(_text(cell)).strip()


def _text(cell: object) -> str:
    if cell is None or cell != cell:  # noqa: PLR0124 (NaN)
        return ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "surrogateescape")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    return str(cell)
