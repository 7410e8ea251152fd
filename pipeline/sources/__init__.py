"""Readers: one module a format, each from a stream of bytes to Documents and Failures.

The format is told by the content, in the order of :data:`SOURCES`. A new format is a module with ``sniff`` and ``read``
(:class:`Source`) and one line there.
"""

from __future__ import annotations

import glob
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from pipeline.errors import UsageError
from pipeline.sources import jsonl, markdown, medline, plain, pubtator, ris
from pipeline.sources.stream import HEAD, Stream, Unreadable, opened
from pipeline.sources.table import Table
from pipeline.types import Document, Failure, Reading

__all__ = ["ANNOTATED", "SOURCES", "AnnotatedSource", "Source", "annotated", "find", "format_of", "read", "read_all"]


class Source(Protocol):
    """A format: whether the first characters of a file look like it, and its documents, one after the other.

    ``read`` gives a Failure for a record that it cannot read and goes on; it raises Unreadable only where the rest of
    the stream is lost.
    """

    def sniff(self, head: str) -> bool: ...

    def read(self, stream: Stream, name: str) -> Iterator[Document | Failure]: ...


class AnnotatedSource(Source, Protocol):
    """A format that carries gold annotations."""

    def read_annotated(self, stream: Stream, name: str) -> Iterator[Reading | Failure]: ...


# The strictest first: what a format's own marks do not claim falls through to the looser ones.
SOURCES: Mapping[str, Source] = {
    "medline": medline,
    "pubtator": pubtator,
    "jsonl": jsonl,
    "ris": ris,
    "markdown": markdown,
    "table": Table(),
    "plain": plain,
}
ANNOTATED: Mapping[str, AnnotatedSource] = {"pubtator": pubtator}
_BROKEN = (Unreadable, OSError, EOFError, zlib.error, UnicodeError)


def read(path: str | Path, *, columns: Mapping[str, str] | None = None) -> Iterator[Document | Failure]:
    """Read one file, packed with gzip or not; what cannot be read is a Failure, and never an error.

    ``columns`` maps our field names to the columns of a table: ``{"title": "Article Title"}``.
    """
    sources = {**SOURCES, "table": Table(columns)} if columns else SOURCES
    name, count = _name(path), 0
    try:
        with opened(Path(path)) as stream:
            for item in sources[_format(stream, sources)].read(stream, name):
                yield item
                count += 1
    except _BROKEN as error:
        yield Failure(name, f"after record {count}" if count else "", _reason(error))
    else:
        if not count:
            yield Failure(name, "", "holds no papers")


def annotated(path: str | Path) -> Iterator[Reading | Failure]:
    """Read one file with its gold mentions and relations; raises UsageError for a format that has none."""
    name = _name(path)
    try:
        with opened(Path(path)) as stream:
            found = _format(stream, SOURCES)
            if found not in ANNOTATED:
                raise UsageError(f"{name} is {found}, which carries no annotations: give one of {', '.join(ANNOTATED)}")
            yield from ANNOTATED[found].read_annotated(stream, name)
    except _BROKEN as error:
        yield Failure(name, "", _reason(error))


def read_all(paths: Iterable[str | Path], *, columns: Mapping[str, str] | None = None) -> Iterator[Document | Failure]:
    """Read files, folders and globs, one after the other."""
    for found in find(paths):
        if isinstance(found, Failure):
            yield found
        else:
            yield from read(found, columns=columns)


def find(paths: Iterable[str | Path]) -> Iterator[Path | Failure]:
    """Expand files, folders (all that is below, sorted, but for hidden names) and globs.

    A file goes by the path that was given, and below a folder by that folder's path and its own, so that messages
    name it alike on every run.
    """
    for path in paths:
        if os.path.lexists(path):
            yield from _below(Path(path), frozenset())
            continue
        matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(str(path)) else []
        for match in matches:
            yield from _below(Path(match), frozenset())
        if not matches:
            yield Failure(_name(path), "", "does not exist")


def format_of(path: str | Path) -> str:
    """Name the format of a file; raises Unreadable where there is none."""
    with opened(Path(path)) as stream:
        return _format(stream, SOURCES)


def _format(stream: Stream, sources: Mapping[str, Source]) -> str:
    if not stream.head.strip("\ufeff \t\r\n"):
        raise Unreadable("is empty" if len(stream.head) < HEAD // 4 else "begins with nothing but blanks")
    for name, source in sources.items():
        if source.sniff(stream.head):
            return name
    raise Unreadable(f"is of no known format ({', '.join(sources)}): it begins with {stream.head.lstrip()[:30]!r}")


def _below(path: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path | Failure]:
    """All files of a path; ``above`` are the folders that led here, by which a loop of links is seen."""
    if not path.is_dir():
        yield path
        return
    try:
        identity = (path.stat().st_dev, path.stat().st_ino)
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except OSError as error:
        yield Failure(_name(path), "", _reason(error))
        return
    if identity in above:
        yield Failure(_name(path), "", "links to a folder above it")
        return
    if not names and not above:
        yield Failure(_name(path), "", "is an empty folder")
    for name in names:
        yield from _below(path / name, above | {identity})


def _name(path: str | Path) -> str:
    """A path as it was given, fit to be stored even where the file system's bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return f"is not in the encoding that it claims: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return str(error) if isinstance(error, Unreadable) else f"is damaged or cut off: {error}"
