"""What a reader makes of a text that stands in a test."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol

from pipeline.sources.shared.stream import Stream
from pipeline.types import Deleted, Document, Failure


class Reader(Protocol):
    def sniff(self, head: str) -> bool: ...

    def read(self, stream: Stream, name: str) -> Iterator[Document | Deleted | Failure]: ...


def items(reader: Reader, content: str | bytes) -> list[Document | Deleted | Failure]:
    data = content if isinstance(content, bytes) else content.encode()
    return list(reader.read(Stream("x", io.BufferedReader(io.BytesIO(data))), "x"))


def papers(reader: Reader, content: str | bytes) -> list[Document]:
    return [item for item in items(reader, content) if isinstance(item, Document)]


def paper(reader: Reader, content: str | bytes) -> Document:
    (item,) = items(reader, content)
    assert isinstance(item, Document), item
    return item


def failures(reader: Reader, content: str | bytes) -> list[str]:
    return [f"{item.place}: {item.reason}" for item in items(reader, content) if isinstance(item, Failure)]
