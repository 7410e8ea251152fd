"""JSON Lines: one object a line.

Keys are ``id``, ``title``, ``abstract`` or ``text`` or ``sections`` (a list of ``{kind, text}``), ``date`` or ``year``,
``authors``, ``journal``, ``status``, ``doi``, ``pmid``, ``links`` and its words (``corrects``, ``retracts``, ...).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pipeline.sources import fields
from pipeline.sources.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

# A brace alone is no sign of JSON: "{1,3}-diols ..." is a title.
_OBJECT = re.compile(r'\s*\{[ \t]*(?:\}|"(?:[^"\\\n]|\\.)*"[ \t]*:)')


def sniff(head: str) -> bool:
    return bool(_OBJECT.match(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    records = ((f"line {number}", line) for number, line in lines(stream.text) if line.strip())
    return fields.each(records, _parse, name)


def _parse(line: str) -> Document:
    check(line)
    try:
        record = json.loads(line)
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise Unreadable(f"is no JSON object but {line[:40]!r}")
    return fields.document(record)
