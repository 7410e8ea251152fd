"""Excel workbooks (.xlsx), sheet by sheet and row by row, through openpyxl; formulas give the value last shown."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from itertools import islice
from typing import IO, TYPE_CHECKING, TypeAlias

from pipeline.sources.shared.stream import Stream, Unreadable

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

Row: TypeAlias = tuple[object, ...]

MAX_FILE = 512 << 20  # bytes of a workbook that is not a file of its own
MAX_ROWS = 1 << 20  # Excel's own limit
MAX_CELLS = 50_000_000  # empty ones before a filled one are counted
# Bytes that a part may unpack to: strings and styles are held in memory, sheets are read row by row.
_MAX_SHEET, _MAX_STRINGS, _MAX_OTHER = 1 << 30, 256 << 20, 32 << 20

_PART = re.compile(r"xl/(?:_rels|workbook|worksheets|sharedStrings|styles|theme)")
_OLE = bytes.fromhex("d0cf11e0a1b11ae1").decode("utf-8", "surrogateescape")  # old Office files, and encrypted new ones
_CHUNK = 1000  # rows


def sniff(head: str) -> bool:
    """A zip file with the parts of a workbook, or an old or encrypted one, which is refused."""
    return head.startswith(_OLE) or (head.startswith("PK\3\4") and bool(_PART.search(head)))


def sheets(stream: Stream) -> Iterator[tuple[str, Iterator[Row]]]:
    """The title of each sheet and its rows; raises Unreadable for what is no workbook, or too large for one."""
    from openpyxl import load_workbook  # noqa: PLC0415 -- takes a third of a second, and few readings hold a workbook

    if stream.head.startswith(_OLE):
        raise Unreadable(_refused(stream.binary))
    with stream.path.open("rb") if stream.path else _copy(stream.binary) as file:
        _check_size(file)
        try:
            with warnings.catch_warnings():  # of styles and extensions that it does not know
                warnings.simplefilter("ignore")
                workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except Exception as error:  # whatever a broken part makes openpyxl stumble over
            raise _unsound(error) from error
        for sheet in workbook.worksheets:
            yield sheet.title, _rows(sheet)


def _rows(sheet: ReadOnlyWorksheet) -> Iterator[Row]:
    sheet.reset_dimensions()  # what it claims may be a million rows too many
    rows = sheet.iter_rows(values_only=True)
    count = cells = 0
    while chunk := _taken(rows):
        for row in chunk:
            count, cells = count + 1, cells + len(row)
            if count > MAX_ROWS or cells > MAX_CELLS:
                raise Unreadable(f"has a sheet of more than {MAX_ROWS:,} rows or {MAX_CELLS:,} cells: save it as CSV")
            yield row


def _taken(rows: Iterator[Row]) -> list[Row]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(islice(rows, _CHUNK))
    except Exception as error:
        raise _unsound(error) from error


def _unsound(error: Exception) -> Unreadable:
    return Unreadable(f"is no sound workbook: {type(error).__name__}: {str(error)[:200]}")


def _copy(binary: IO[bytes]) -> IO[bytes]:
    data = binary.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Unreadable(f"is a packed workbook of more than {MAX_FILE:,} bytes: unpack it")
    return io.BytesIO(data)


def _check_size(file: IO[bytes]) -> None:
    """Refuse a workbook that unpacks to more than memory should hold."""
    with zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            name = part.filename
            held = _MAX_STRINGS if "sharedStrings" in name else _MAX_OTHER
            most = _MAX_SHEET if re.search("worksheets/|media/", name) else held
            if part.file_size > most:
                raise Unreadable(f"unpacks {name} to more than {most:,} bytes: save it as CSV")


def _refused(binary: IO[bytes]) -> str:
    """Say what an OLE file is, by the names in its directory."""
    names = binary.read(MAX_FILE)
    if "EncryptedPackage".encode("utf-16-le") in names:
        return "is encrypted: save it without a password"
    if "Workbook".encode("utf-16-le") in names or "Book".encode("utf-16-le") in names:
        return "is an old Excel workbook (.xls): save it as .xlsx or CSV"
    return "is an old Office file (.doc, .ppt): save it in today's format or as text"
