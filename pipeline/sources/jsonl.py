"""JSON with our own keys: one object a line, an array of objects, or one object.

Keys are ``id``, ``title``, ``abstract`` or ``text`` or ``sections`` (a list of ``{kind, text}``), ``date`` or ``year``,
``authors``, ``journal``, ``status``, ``doi``, ``pmid``, ``links`` and its words (``corrects``, ``retracts``, ...).
Where a text is given as ``tokens`` alone, as corpora do, these are joined by blanks.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.sources.shared import fields, objects
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure

_TEXTS = ("title", "abstract", "text", "sections")


def sniff(head: str) -> bool:
    return objects.begins(head)


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return objects.read(stream, _document, name)


def _document(given: objects.Object) -> Document:
    if isinstance(given.get("tokens"), list) and not any(
        fields.field_name(name) in _TEXTS for name, value in given.items() if value
    ):
        given = {**given, "text": given["tokens"]}
    return fields.document(given)
