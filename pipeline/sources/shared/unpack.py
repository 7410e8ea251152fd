"""From a path to streams: compressed files unpacked, archives opened member by member, all of it bounded.

Nothing is written to disk but what an archive inside an archive needs, and nothing is read beyond the size that the
file had when it was opened.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard
from isal import igzip
from isal.igzip_lib import IsalError

from pipeline.sources.shared.stream import HEAD, Stream, Unreadable
from pipeline.types import Failure

MAX_RATIO = 200  # bytes that one packed byte may unpack to: text seldom passes 20, a bomb has 1,000 and more
UNPACKED = 256 << 20  # bytes that any file may unpack to, however small it is
MAX_DEPTH = 4  # layers of packing: papers.tar.gz has two
BROKEN: tuple[Any, ...] = (
    OSError,
    EOFError,
    UnicodeError,
    zlib.error,
    IsalError,
    lzma.LZMAError,
    zstandard.ZstdError,
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,  # zipfile: a compression that it does not know
    Unreadable,
)
_SPOOL = 16 << 20  # bytes of an inner archive that are held in memory


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Zstd:
    """Zstandard frames; the library's own reader takes a frame that is cut off for the end of the file."""

    _PIECE = 1024  # packed bytes, which may give 32 MiB at once

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._frame, self._ready = raw, zstandard.ZstdDecompressor().decompressobj(), memoryview(b"")

    def read(self, size: int, /) -> bytes:
        while not self._ready:
            packed = self._frame.unused_data if self._frame.eof else b""
            if not (packed := packed or self._raw.read(self._PIECE)):
                if not self._frame.eof:
                    raise EOFError("the file ends inside a Zstandard frame")
                return b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(packed))
        found, self._ready = self._ready[:size], self._ready[size:]
        return bytes(found)


_UNPACKERS: dict[bytes, Callable[[IO[bytes]], _Readable]] = {
    b"\x1f\x8b": lambda raw: igzip.IGzipFile(fileobj=raw),  # three times as fast as gzip
    b"BZh": bz2.BZ2File,
    b"\x28\xb5\x2f\xfd": _Zstd,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}


def streams(path: Path) -> Generator[Stream | Failure]:
    """Open a file: one stream, or one a member where it is an archive; a member that cannot be opened is a Failure.

    Each stream must be read before the next one is asked for. Raises one of BROKEN where the file, or all that
    follows in it, cannot be read.
    """
    if not path.is_file():  # a pipe must not even be opened, for that would wait
        raise Unreadable(_no_file(path))
    name = printable(path)
    with closing(io.FileIO(path)) as raw:
        before = os.fstat(raw.fileno())
        budget = _Budget(before.st_size * MAX_RATIO + UNPACKED)
        yield from _layers(name, _bounded(raw, _Budget(before.st_size), grows=True), path, budget, 0)
        after = os.fstat(raw.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unreadable("changed while it was read: read it again")


def reason(error: Exception) -> str:
    """Say in plain words why a file cannot be read."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, UnicodeError):
        return f"is not in the encoding that it claims: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"is damaged or cut off: {error}"


def printable(path: str | Path) -> str:
    """A path as it was given, fit to be stored even where the file system's bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


class _Budget:
    """How many bytes may still be read."""

    def __init__(self, size: int) -> None:
        self.left = self.size = size


class _Bounded(io.RawIOBase):
    """Reads from another stream, whole buffers at a time, until the budget is spent."""

    def __init__(self, source: _Readable, budget: _Budget, *, grows: bool) -> None:
        self._source, self._budget, self._grows = source, budget, grows

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        filled, size = 0, len(buffer)
        if self._grows:  # what is appended while we read is not there yet
            size = min(size, self._budget.left)
        while filled < size and (data := self._source.read(size - filled)):
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        self._budget.left -= filled
        if self._budget.left < 0:
            raise Unreadable(f"unpacks to more than {self._budget.size:,} bytes: it looks like a bomb")
        return filled


def _bounded(source: _Readable, budget: _Budget, *, grows: bool = False) -> io.BufferedReader:
    return io.BufferedReader(_Bounded(source, budget, grows=grows), buffer_size=HEAD)


def _layers(
    name: str, binary: io.BufferedReader, path: Path | None, budget: _Budget, depth: int
) -> Iterator[Stream | Failure]:
    """Take off one layer of packing after the other until there is a file of a format."""
    head = binary.peek(HEAD)[:HEAD]
    packed = next((mark for mark in _UNPACKERS if head.startswith(mark)), None)
    archive = _zipped if head.startswith((b"PK\3\4", b"PK\5\6")) else _tarred if head[257:262] == b"ustar" else None
    if (packed or archive) and depth == MAX_DEPTH:
        raise Unreadable(f"is packed more than {MAX_DEPTH} times over")
    if packed:
        inner = _bounded(_UNPACKERS[packed](binary), budget)
        yield from _layers(name, inner, None, budget, depth + 1)
    elif archive:
        yield from archive(name, binary, path, budget, depth + 1)
    else:
        yield Stream(name, binary, path)


def _zipped(
    name: str, binary: io.BufferedReader, path: Path | None, budget: _Budget, depth: int
) -> Iterator[Stream | Failure]:
    with open(path, "rb") if path else _spooled(binary) as file, zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if any(member.filename == "[Content_Types].xml" for member in members):  # an office document, not papers
            file.seek(0)
            yield Stream(name, _bounded(file, budget), path)
            return
        if not members:
            raise Unreadable("is an archive with nothing in it")
        for member in members:
            if member.flag_bits & 1:
                yield Failure(f"{name}/{member.filename}", "", "is encrypted: unpack it with its password first")
            elif not _hidden(member.filename):
                yield from _member(f"{name}/{member.filename}", partial(archive.open, member), budget, depth)


def _tarred(
    name: str, binary: io.BufferedReader, _path: Path | None, budget: _Budget, depth: int
) -> Iterator[Stream | Failure]:
    empty = True
    with tarfile.open(fileobj=binary, mode="r|", bufsize=HEAD) as archive:
        while member := archive.next():
            archive.members = []  # type: ignore[attr-defined]  # else it keeps a record of every one of them
            empty = False
            if member.isfile() and not _hidden(member.name):
                yield from _member(f"{name}/{member.name}", partial(archive.extractfile, member), budget, depth)
    if empty:
        raise Unreadable("is an archive with nothing in it")


def _member(
    name: str, open_: Callable[[], IO[bytes] | None], budget: _Budget, depth: int
) -> Iterator[Stream | Failure]:
    """One member; what is wrong with it alone is its Failure, but a bomb ends the archive."""
    name = name.encode("utf-8", "replace").decode()
    try:
        file = open_()
        if file is not None:
            yield from _layers(name, _bounded(file, budget), None, budget, depth)
    except BROKEN as error:
        if budget.left < 0:
            raise
        yield Failure(name, "", reason(error))


def _spooled(binary: io.BufferedReader) -> IO[bytes]:
    """A copy of an inner archive that can be read from anywhere."""
    copy: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115  the caller closes it
    while data := binary.read(1 << 20):
        copy.write(data)
    copy.seek(0)
    return copy


def _hidden(name: str) -> bool:
    """``.DS_Store``, ``__MACOSX/...``: what systems leave in archives.

    >>> _hidden("papers/._a.xml"), _hidden("papers/a.xml")
    (True, False)
    """
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/") if part not in (".", ".."))


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is no regular file (a pipe, a socket or a device)" if path.exists() else "does not exist"
