"""PubTator: title and abstract lines, with annotations whose offsets count title, one character, abstract.

Texts are kept to the last blank, so that a corpus' own offsets hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.sources.shared import gold
from pipeline.sources.shared.fields import each, storable
from pipeline.sources.shared.stream import Stream, Unreadable, lines
from pipeline.types import Document, Failure, Mention, Reading, Relation

_TEXT_LINE = re.compile(r"([^|\t\n]{1,100})\|([ta])\|(.*)", re.DOTALL)
_MESH = re.compile(r"[DC]\d+")
_ONE_ID = re.compile(r"[^\s|+,;]*\d[^\s|+,;]*")


@dataclass(slots=True)
class _Block:
    """The lines of one document: its texts by their letter, and the numbered lines below them."""

    id: str
    number: int
    texts: dict[str, str] = field(default_factory=dict)
    others: list[tuple[int, str]] = field(default_factory=list)

    def at(self, number: int) -> str:
        return storable(f"line {number} ({self.id})")


def sniff(head: str) -> bool:
    return bool(_TEXT_LINE.match(head.lstrip()))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Documents alone; annotations are passed over."""
    for block in _blocks(stream):
        yield from each([(block.at(block.number), block)], _document, name)
        for number, line in block.others:
            if "\t" not in line:
                yield Failure(name, block.at(number), f"is neither text nor annotation: {line[:40]!r}")


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """Documents with their gold mentions and relations; an annotation that does not fit is a Failure of its own.

    Relations hold between concepts: their subject and object are the first mention of each, with that concept alone.
    """
    for block in _blocks(stream):
        for document in each([(block.at(block.number), block)], _document, name):
            yield from [document] if isinstance(document, Failure) else _annotated(document, block, name)


def concept_ids(column: str) -> tuple[str, ...]:
    """The ids of an annotation's last column.

    Composite mentions join theirs with ``|``, ``+`` or ``,``; a variant's own bars join nothing.

    >>> concept_ids("D003865|D016584"), concept_ids("14062,14063"), concept_ids("c|SUB|G|-3170|A"), concept_ids("-1")
    (('MESH:D003865', 'MESH:D016584'), ('14062', '14063'), ('c|SUB|G|-3170|A',), ())
    """
    column = column.strip()
    if column in ("", "-", "-1"):
        return ()
    parts = [part.strip() for part in gold.JOINTS.split(column)]
    if not all(map(_ONE_ID.fullmatch, parts)):
        parts = [column]
    return tuple(dict.fromkeys(f"MESH:{part}" if _MESH.fullmatch(part) else part for part in parts))


def _blocks(stream: Stream) -> Iterator[_Block]:
    """Group the lines; blank ones mean nothing, for some corpora begin with one or have none between documents."""
    block = None
    for number, line in lines(stream.text):
        found = _TEXT_LINE.fullmatch(line)
        if found:
            if block is None or found[1] != block.id or found[2] in block.texts:
                if block:
                    yield block
                block = _Block(found[1], number)
            block.texts[found[2]] = found[3]
        elif block and line.strip():
            block.others.append((number, line))
    if block:
        yield block


def _document(block: _Block) -> Document:
    return gold.paper(block.id.strip(), block.texts.get("t", ""), block.texts.get("a", ""))


def _annotated(document: Document, block: _Block, name: str) -> Iterator[Reading | Failure]:
    rows = [(block.at(number), line.split("\t")) for number, line in block.others]
    spans = [row for row in rows if row[1][1:2] and row[1][1].strip().isdecimal()]
    claims = [row for row in rows if row not in spans]
    read = list(each(spans, lambda cells: _mention(cells, document), name))
    mentions = gold.in_order(mention for mention in read if isinstance(mention, Mention))
    first = {g.concept_id: replace(m, groundings=(g,)) for m in reversed(mentions) for g in m.groundings}
    related = list(each(claims, lambda cells: _relation(cells, document, first), name))
    relations = tuple(relation for relation in related if isinstance(relation, Relation))
    yield Reading(document, mentions=mentions, relations=relations)
    yield from (failure for failure in (*read, *related) if isinstance(failure, Failure))


def _mention(cells: list[str], document: Document) -> Mention:
    if cells[0] != document.id or len(cells) < 5:
        raise Unreadable(f"is no annotation of {document.id}: {cells!r:.80}")
    try:
        start, end = int(cells[1]), int(cells[2])
    except ValueError as error:
        raise Unreadable(f"has offsets that are no numbers: {cells[1:3]}") from error
    text = document.text[start:end]
    if not text or text.replace("\n", " ") != storable(cells[3]):
        raise Unreadable(f"says {cells[3]!r} where the text at {start} to {end} is {text!r:.80}")
    ids = concept_ids(cells[5]) if len(cells) > 5 else ()
    return gold.mention(document, start, end, cells[4].strip(), ids)


def _relation(cells: list[str], document: Document, first: Mapping[str, Mention]) -> Relation:
    if cells[0] != document.id or len(cells) < 4:
        raise Unreadable(f"is neither text nor annotation of {document.id}: {cells!r:.80}")
    ends = [next((first[uid] for uid in concept_ids(cell) if uid in first), None) for cell in cells[2:4]]
    subject, object_ = ends
    if subject is None or object_ is None:
        missing = cells[2] if subject is None else cells[3]
        raise Unreadable(f"relates {missing!r}, which no mention has")
    found = gold.relation(cells[1].strip(), subject, object_)
    return replace(found, novel=gold.novelty(cells[4]) if len(cells) > 4 else None)
