"""Columns with one token a line, as in CoNLL-2003: the token first, its IOB tag last, a blank line between sentences.

``-DOCSTART-`` or a comment ``# id = ...`` begins a document; without either, the file is one. The text is the tokens
joined by blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.sources.shared import fields, gold
from pipeline.sources.shared.stream import HEAD, MAX_RECORD, Stream, Unreadable, check, lines
from pipeline.types import Document, Failure, Reading, Sentence

_START = re.compile(r"-DOCSTART-(?:[ \t]+(.*))?")
_ID = re.compile(r"#\s*(?:new)?(?:doc)?[ _]?(?:id)\s*[=: ]\s*(\S+).*", re.IGNORECASE)
_NO_ID = re.compile(r"-X-|[-O_]|-DOCSTART-")
_FEWEST = 3  # lines of tokens that tell a table of tags from prose


@dataclass(slots=True)
class _Block:
    """The lines of one document: sentences of numbered tokens with their tags, and what fits in nowhere."""

    number: int
    id: str = ""
    sentences: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])
    size: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return fields.storable(f"line {self.number} ({self.id})" if self.id else f"line {self.number}")


def sniff(head: str) -> bool:
    """Lines of one width, each with a tag at its end, but for comments, starts of documents and blank lines."""
    rows = head.lstrip("\ufeff").split("\n")[:200]
    if len(head) * 4 >= HEAD or len(rows) == 200:
        rows = rows[:-1]  # the end of the head may have cut it
    tokens = [cells for row in rows if (cells := _cells(row)) and not _comment(row, cells) and not _START.match(row)]
    width = len(tokens[0]) if tokens else 0
    return (
        width > 1
        and len(tokens) >= _FEWEST
        and all(len(cells) == width and gold.TAG.fullmatch(cells[-1]) for cells in tokens)
    )


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Documents alone; tags are passed over."""
    for item in read_annotated(stream, name):
        yield item.document if isinstance(item, Reading) else item


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """Documents with their sentences and gold mentions; a line without a tag is a Failure, and its token is kept."""
    for block in _blocks(stream):
        if any(block.sentences) or block.failures:
            yield from fields.each([(block.place, block)], _reading, name)
        yield from (Failure(name, f"line {number}", reason) for number, reason in block.failures)


def _blocks(stream: Stream) -> Iterator[_Block]:
    block = _Block(1)
    for number, line in lines(stream.text):
        cells = _cells(line)
        start = _START.fullmatch(line.rstrip())
        named = _ID.fullmatch(line.strip()) if _comment(line, cells) else None
        if start or named:
            if any(block.sentences) or block.failures:
                yield block
                block = _Block(number)
            elif not block.id:
                block.number = number
            block.id = (named[1] if named else _id(start[1] if start else "")) or block.id
        elif not cells:
            block.sentences.append([])
        elif not _comment(line, cells):
            _add(block, number, line, cells)
    yield block


def _add(block: _Block, number: int, line: str, cells: list[str]) -> None:
    """Take a token in; one that has no tag is still a part of the text."""
    block.size += len(cells[0]) + 1
    if block.size > MAX_RECORD:
        raise Unreadable(f"has a document of more than {MAX_RECORD:,} characters at line {block.number}")
    token, tag = cells[0], cells[-1]
    try:
        check(line)
    except Unreadable as error:
        block.failures.append((number, str(error)))
        return
    if len(cells) < 2 or not gold.TAG.fullmatch(tag):
        block.failures.append((number, f"has no tag such as O or B-Gene at its end: {line[:60]!r}"))
        tag = "O"
    block.sentences[-1].append((token, tag))


def _reading(block: _Block) -> Reading:
    rows = [row for row in block.sentences if row]
    text, spans = gold.joined([token for row in rows for token, _ in row])
    document = fields.document({"id": block.id, "text": text}, exact=True)
    sentences, mentions, first = [], [], 0
    for row in rows:
        own = spans[first : first + len(row)]
        sentences.append(Sentence(own[0].start, own[-1].end, document.sections[0].kind))
        for begin, end, type_ in gold.tagged(tag for _, tag in row):
            mentions.append(gold.mention(document, own[begin].start, own[end].end, type_))
        first += len(row)
    return Reading(document, tuple(sentences), mentions=tuple(mentions))


def _cells(line: str) -> list[str]:
    return line.strip().split("\t") if "\t" in line else line.split()


def _comment(line: str, cells: list[str]) -> bool:
    """A line that begins with ``#`` and is no token of that name with its tag."""
    return line.lstrip("\ufeff").startswith("#") and not (cells[0] == "#" and gold.TAG.fullmatch(cells[-1]) is not None)


def _id(rest: str | None) -> str:
    """What a start of a document says behind its mark, but for empty columns.

    >>> _id("(10194428) O"), _id("-X- -X- O")
    ('10194428', '')
    """
    said = [cell.strip("()") for cell in (rest or "").split() if not _NO_ID.fullmatch(cell)]
    return said[0] if said else ""
