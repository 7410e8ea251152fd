"""A reader tried on a content, as a file is read: its beginning must be known, and what ends a file is a Failure."""

from __future__ import annotations

import io

from pipeline.sources import Source
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Document, Failure, Item


def open_stream(content: str | bytes) -> Stream:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    return Stream("answer", io.BufferedReader(io.BytesIO(data), 1 << 16))


def items(source: Source, content: str | bytes) -> list[Item]:
    stream = open_stream(content)
    assert source.sniff(stream.head), stream.head[:200]
    found: list[Item] = []
    try:
        for item in source.read(stream, "answer"):
            found.append(item)  # noqa: PERF402 -- what came before an error is kept
    except Unreadable as error:
        found.append(Failure("answer", "", str(error)))
    return found


def paper(source: Source, content: str | bytes) -> Document:
    (found,) = items(source, content)
    assert isinstance(found, Document), found
    return found


def reason(source: Source, content: str | bytes) -> str:
    (found,) = items(source, content)
    assert isinstance(found, Failure), found
    return found.reason


def texts(document: Document) -> list[tuple[str, str]]:
    """The sections as pairs of kind and text."""
    return [(section.kind, section.of(document.text)) for section in document.sections]
