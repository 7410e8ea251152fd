"""An open file, or a member of an archive: its bytes, and its characters with the damage left where it is.

Bytes that cannot be decoded come through as lone surrogates, and lines that are too long come through cut, so that
a reader goes on behind them; :func:`check` tells such a record from a sound one.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TextIO

HEAD = 1 << 16  # bytes that a format is told by
MAX_RECORD = 32 << 20  # characters of one line, or of one paper

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_XML_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,99}?\sencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_UNDECODED = re.compile("[\udc80-\udcff]")


class Unreadable(ValueError):
    """A record, or the rest of a file, cannot be read; always turned into a Failure."""


class Stream:
    """What a reader is given, to be read once, as ``binary`` or as ``text``.

    ``head`` is the first characters, by which the format is told; ``path`` the file itself, None where it is packed
    or a member of an archive; ``name`` is what messages call it.
    """

    def __init__(self, name: str, binary: io.BufferedReader, path: Path | None = None) -> None:
        self.name, self.binary, self.path = name, binary, path
        first = binary.peek(HEAD)[:HEAD]
        self.encoding = encoding_of(first)
        self.head = _first_characters(first, self.encoding)

    @cached_property
    def text(self) -> TextIO:
        """All characters, in the encoding that the first bytes name, else UTF-8."""
        return io.TextIOWrapper(self.binary, self.encoding, _on_errors(self.encoding))


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
        found = codecs.lookup(name)
    except LookupError as error:
        raise Unreadable(f"names an encoding that is unknown: {name}") from error
    if not found._is_text_encoding:  # rot13, hex and other codecs that make no text of bytes
        raise Unreadable(f"names an encoding that is none: {name}")
    return found.name


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


def _on_errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "strict"


def _first_characters(head: bytes, encoding: str) -> str:
    """Decode, leaving out a character that the end of the head cuts in two."""
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = codecs.getincrementaldecoder(encoding)(errors).decode(head)
    return text.replace("\r\n", "\n").replace("\r", "\n")
