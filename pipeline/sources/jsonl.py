"""JSON with our own keys: one object a line, an array of objects, or one object.

Keys are ``id``, ``title``, ``abstract`` or ``text`` or ``sections`` (a list of ``{kind, text}``), ``date`` or ``year``,
``authors``, ``journal``, ``status``, ``doi``, ``pmid``, ``links`` and its words (``corrects``, ``retracts``, ...).
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.shared import fields, objects
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure


def sniff(head: str) -> bool:
    return objects.begins(head)


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return objects.read(stream, fields.document, name)
