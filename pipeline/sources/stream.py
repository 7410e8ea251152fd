"""From a file to characters: unpacked, capped, decoded, with damage that stays in the record where it is.

Bytes that cannot be decoded come through as lone surrogates, and lines that are too long come through cut, so that
a reader goes on behind them; :func:`check` tells such a record from a sound one.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

HEAD = 1 << 16  # bytes that a format is told by
MAX_RECORD = 32 << 20  # characters of one line, or of one paper
MAX_UNPACKED = 4 << 30  # bytes that a compressed file may unpack to

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_XML_ENCODING = re.compile(rb"""<\?xml[^>]{0,99}?\sencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_UNDECODED = re.compile("[\udc80-\udcff]")


class Unreadable(ValueError):
    """A record, or the rest of a file, cannot be read; always turned into a Failure."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An open file: its first characters, to tell the format by, and all of them, to be read once."""

    head: str
    text: TextIO


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Open a regular file, unpacked if it begins like gzip, in the encoding that its first bytes name, else UTF-8."""
    with _unpacked(path) as binary:
        head = binary.peek(HEAD)[:HEAD]
        encoding = encoding_of(head)
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        with io.TextIOWrapper(binary, encoding, errors) as text:
            yield Stream(_first_characters(head, encoding), text)


def encoding_of(head: bytes) -> str:
    """Name the encoding of a file by its first bytes.

    >>> encoding_of(b"plain"), encoding_of(b'<?xml version="1.0" encoding="ISO-8859-1"?>')
    ('utf-8', 'iso8859-1')
    """
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    declared = _XML_ENCODING.match(head)
    if not declared:
        return "utf-8"
    name = declared[1].decode("ascii")
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise Unreadable(f"names an encoding that is unknown: {name}") from error


def lines(text: TextIO) -> Iterator[tuple[int, str]]:
    """Number the lines from 1; of a line that is too long, one character more than is allowed."""
    number = 0
    while line := text.readline(MAX_RECORD + 1):
        number += 1
        yield number, line.removesuffix("\n")
        while line and len(line) > MAX_RECORD and not line.endswith("\n"):
            line = text.readline(MAX_RECORD + 1)


def whole(text: TextIO) -> str:
    """Read the one paper that a file is."""
    return check(text.read(MAX_RECORD + 1))


def check(text: str) -> str:
    """Return a line or a record as it is, unless it is too long or damaged."""
    if len(text) > MAX_RECORD:
        raise Unreadable(f"is longer than {MAX_RECORD:,} characters: cut it into papers")
    if "\0" in text:
        raise Unreadable("holds NUL characters: it is no text, or UTF-16 without a byte order mark")
    if damage := _UNDECODED.search(text):
        byte = ord(damage[0]) - 0xDC00
        raise Unreadable(
            f"holds the byte 0x{byte:02x}, which is not UTF-8: convert it (iconv -f WINDOWS-1252 -t UTF-8)"
        )
    return text


class _Capped(io.RawIOBase):
    """Counts the bytes that come out of a compressed file and stops at the limit."""

    def __init__(self, unpacked: gzip.GzipFile, raw: io.BufferedReader) -> None:
        self._unpacked, self._raw, self._left = unpacked, raw, MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._unpacked.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(f"unpacks to more than {MAX_UNPACKED:,} bytes")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._unpacked.close()
        self._raw.close()
        super().close()


def _unpacked(path: Path) -> io.BufferedReader:
    if not path.is_file():  # a pipe must not even be opened, for that would wait
        raise Unreadable(_no_file(path))
    raw: io.BufferedReader = io.BufferedReader(io.FileIO(path), buffer_size=HEAD)
    if raw.peek(2)[:2] != b"\x1f\x8b":
        return raw
    return io.BufferedReader(_Capped(gzip.GzipFile(fileobj=raw), raw), buffer_size=HEAD)


def _first_characters(head: bytes, encoding: str) -> str:
    """Decode, leaving out a character that the end of the head cuts in two."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = codecs.getincrementaldecoder(encoding)(errors).decode(head)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is no regular file (a pipe, a socket or a device)" if path.exists() else "does not exist"
