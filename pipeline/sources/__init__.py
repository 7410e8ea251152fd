"""Readers: one module a format, each from a stream to Documents, Deleted records and Failures.

The format is told by the content, in the order of :data:`SOURCES`. A new format is a module with ``sniff`` and ``read``
(:class:`Source`) and one line there.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Protocol

from pipeline.errors import UsageError
from pipeline.sources import (
    arxiv,
    bibtex,
    bioc,
    brat,
    conll,
    crossref,
    datacite,
    drugprot,
    endnote,
    europepmc,
    extracted,
    jats,
    jsonl,
    latex,
    markdown,
    medline,
    nbib,
    openalex,
    pdf,
    plain,
    pubtator,
    ris,
    scierc,
    tei,
    webpage,
    wos,
)
from pipeline.sources.shared.stream import HEAD, Stream, Unreadable
from pipeline.sources.shared.unpack import BROKEN, printable, reason, streams
from pipeline.sources.table import Table
from pipeline.types import Failure, Item, Reading

__all__ = [
    "ANNOTATED",
    "SOURCES",
    "AnnotatedSource",
    "Item",
    "Source",
    "annotated",
    "find",
    "format_of",
    "read",
    "read_all",
]

_NESTED_ENTITY = re.compile(r"""<!ENTITY\s+[^\s"'%>]{1,200}\s+(?:"[^"]{0,9999}&[A-Za-z_]|'[^']{0,9999}&[A-Za-z_])""")


class Source(Protocol):
    """A format: whether the first characters of a file look like it, and its documents, one after the other.

    ``read`` gives a Failure for a record that it cannot read and goes on; it raises Unreadable only where the rest of
    the stream is lost.
    """

    def sniff(self, head: str) -> bool: ...

    def read(self, stream: Stream, name: str) -> Iterator[Item]: ...


class AnnotatedSource(Source, Protocol):
    """A format that carries gold annotations."""

    def read_annotated(self, stream: Stream, name: str) -> Iterator[Reading | Failure]: ...


# The strictest first: what a format's own marks do not claim falls through to the looser ones.
SOURCES: Mapping[str, Source] = {
    "pdf": pdf,
    "medline": medline,
    "jats": jats,
    "tei": tei,
    "endnote": endnote,
    "bioc": bioc,
    "extracted": extracted,
    "scierc": scierc,
    "crossref": crossref,
    "datacite": datacite,
    "openalex": openalex,
    "europepmc": europepmc,
    "arxiv": arxiv,
    "jsonl": jsonl,
    "html": webpage,
    "latex": latex,
    "pubtator": pubtator,
    "brat": brat,
    "drugprot": drugprot,
    "nbib": nbib,
    "ris": ris,
    "wos": wos,
    "bibtex": bibtex,
    "conll": conll,
    "markdown": markdown,
    "table": Table(),
    "plain": plain,
}
ANNOTATED: Mapping[str, AnnotatedSource] = {
    "bioc": bioc,
    "extracted": extracted,
    "scierc": scierc,
    "pubtator": pubtator,
    "brat": brat,
    "drugprot": drugprot,
    "conll": conll,
}


def read(path: str | Path, *, columns: Mapping[str, str] | None = None) -> Iterator[Item]:
    """Read one file, packed or not, or all members of an archive; what cannot be read is a Failure, never an error.

    ``columns`` maps our field names to the columns of a table: ``{"title": "Article Title"}``.
    """
    sources = {**SOURCES, "table": Table(columns)} if columns else SOURCES
    opened = streams(Path(path))
    with closing(opened):
        try:
            for stream in opened:
                yield from [stream] if isinstance(stream, Failure) else _read(stream, sources)
        except BROKEN as error:
            yield Failure(printable(path), "", reason(error))


def annotated(path: str | Path) -> Iterator[Reading | Failure]:
    """Read one file with its gold mentions and relations; raises UsageError for a format that has none."""
    opened = streams(Path(path))
    with closing(opened):
        try:
            for stream in opened:
                yield from [stream] if isinstance(stream, Failure) else _read_annotated(stream)
        except BROKEN as error:
            yield Failure(printable(path), "", reason(error))


def read_all(paths: Iterable[str | Path], *, columns: Mapping[str, str] | None = None) -> Iterator[Item]:
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
            yield Failure(printable(path), "", "does not exist")


def format_of(path: str | Path) -> str:
    """Name the format of a file, or of the first member of an archive; raises Unreadable where there is none."""
    with closing(streams(Path(path))) as opened:
        for stream in opened:
            if isinstance(stream, Stream):
                return _format(stream, SOURCES)
    raise Unreadable("is an archive of which nothing can be read")


def stamp(path: str | Path, *options: object) -> str:
    """Hash what reading a file depends on: its bytes, the readers' code and ``options``; ``""`` where it has none.

    A file whose stamp is that of the last time need not be read again.
    """
    made = hashlib.blake2b(repr((_code(), options)).encode(), digest_size=16)
    try:
        for file in (Path(path), *_companions(Path(path))):
            if not file.is_file():
                return ""
            with file.open("rb") as opened:
                while data := opened.read(1 << 20):
                    made.update(data)
    except OSError:
        return ""
    return made.hexdigest()


def _read(stream: Stream, sources: Mapping[str, Source]) -> Iterator[Item]:
    count = 0
    try:
        for item in sources[_format(stream, sources)].read(stream, stream.name):
            yield item
            count += 1
    except BROKEN as error:
        yield Failure(stream.name, f"after record {count}" if count else "", reason(error))
    else:
        if not count:
            yield Failure(stream.name, "", "holds no papers")


def _read_annotated(stream: Stream) -> Iterator[Reading | Failure]:
    found = _format(stream, SOURCES)
    if found not in ANNOTATED:
        raise UsageError(f"{stream.name} is {found}, which carries no annotations: give one of {', '.join(ANNOTATED)}")
    yield from ANNOTATED[found].read_annotated(stream, stream.name)


def _format(stream: Stream, sources: Mapping[str, Source]) -> str:
    if not stream.head.strip("\ufeff \t\r\n"):
        raise Unreadable("is empty" if len(stream.head) < HEAD // 4 else "begins with nothing but blanks")
    if _NESTED_ENTITY.search(stream.head) and stream.head.lstrip("\ufeff \t\r\n").startswith("<"):
        raise Unreadable("declares entities that are made of entities: it looks like a bomb")
    if drugprot.is_annotated(stream):
        return "drugprot"  # by itself a table like any other
    for name, source in sources.items():
        if source.sniff(stream.head):
            return name
    if "\0" in stream.head:
        raise Unreadable("holds NUL characters: it is no text, or UTF-16 without a byte order mark")
    raise Unreadable(f"is of no known format of papers: it begins with {stream.head.lstrip()[:30]!r}")


def _below(path: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path | Failure]:
    """All files of a path; ``above`` are the folders that led here, by which a loop of links is seen."""
    if not path.is_dir():
        yield path
        return
    try:
        identity = (path.stat().st_dev, path.stat().st_ino)
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except OSError as error:
        yield Failure(printable(path), "", reason(error))
        return
    if identity in above:
        yield Failure(printable(path), "", "links to a folder above it")
        return
    if not names and not above:
        yield Failure(printable(path), "", "is an empty folder")
    for name in _once(path, names):
        yield from _below(path / name, above | {identity})


def _once(folder: Path, names: list[str]) -> list[str]:
    """Without what is read with another file: brat's texts that have annotations, and the tables of DrugProt.

    Of brat's two files a paper the annotations lead, unless there are none.
    """
    pairs = {name for name in names if name.endswith(".ann") and f"{name[:-4]}.txt" in names}
    empty = {name for name in pairs if not (folder / name).stat().st_size}
    tables = {table.name for name in names for table in drugprot.companions(folder / name).values()}
    left_out = empty | {f"{name[:-4]}.txt" for name in pairs - empty} | tables
    return [name for name in names if name not in left_out]


def _companions(path: Path) -> list[Path]:
    """The files that are read along with one: the text of brat's annotations."""
    text = path.with_suffix(".txt")
    return [text] if path.suffix == ".ann" and text.exists() else []


@cache
def _code() -> str:
    """A hash of the modules that readers are made of: another version of them may read a file otherwise."""
    pipeline = Path(__file__).parent.parent
    files = sorted(file for room in ("sources", "text", "pdf") for file in (pipeline / room).rglob("*.py"))
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=16).hexdigest()
