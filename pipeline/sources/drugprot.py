"""DrugProt: three tables beside each other, of abstracts, of their entities and of their relations.

``X_abstracts.tsv`` looks like any table of an id, a title and an abstract; ``X_entities.tsv`` or ``X_relations.tsv``
beside it tell it from one. Offsets count title, one character, abstract. The tables are those of BioCreative VII
(Miranda et al., 2021), one of whose files of abstracts is called ``X_abstracs.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.sources.shared import fields, gold
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.sources.shared.unpack import BROKEN, printable, reason
from pipeline.types import Document, Failure, Mention, Reading, Relation

_ABSTRACTS = re.compile(r"(.+)_abstra\w{0,5}\.tsv")
_PAPER = re.compile(r"\ufeff?\d+\t")
_ROWS: Mapping[str, re.Pattern[str]] = {
    "entities": re.compile(r"\d+\t(T\d+)\t(\S[^\t]*)\t(\d{1,9})\t(\d{1,9})\t([^\t]*)"),
    "relations": re.compile(r"\d+\t(\S[^\t]*)\tArg1:(T\d+)\tArg2:(T\d+)\s*"),
}


@dataclass(slots=True)
class _Table:
    """The lines of a table by PMID, each with its place, and what is wrong with the table as a whole."""

    name: str
    rows: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def sniff(head: str) -> bool:
    """Lines of entities or relations; of abstracts what lies beside them tells (:func:`is_annotated`)."""
    return bool(_kind(head))


def is_annotated(stream: Stream) -> bool:
    """Whether these are abstracts with their entities or relations beside them."""
    beside = companions(stream.path) if stream.path else {}
    return bool(_PAPER.match(stream.head)) and any(path.is_file() for path in beside.values())


def companions(path: Path) -> dict[str, Path]:
    """The tables that a file of abstracts goes with, by its name; none for any other file.

    >>> [found.name for found in companions(Path("train_abstracts.tsv")).values()]
    ['train_entities.tsv', 'train_relations.tsv']
    """
    named = _ABSTRACTS.fullmatch(path.name)
    return {kind: path.with_name(f"{named[1]}_{kind}.tsv") for kind in _ROWS} if named else {}


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """The abstracts, annotations passed over."""
    if kind := _kind(stream.head):
        raise Unreadable(_alone(kind))
    rows = ((f"line {number}", line) for number, line in lines(stream.text) if line.strip())
    return fields.each(rows, _document, name)


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """The abstracts with their gold mentions and relations; a line that does not fit is a Failure of its own."""
    if kind := _kind(stream.head):
        raise UsageError(f"{name} {_alone(kind)}")
    entities, relations = tables = [
        _table(kind, path, name) for kind, path in companions(stream.path or Path()).items()
    ]
    yield from (failure for table in tables for failure in table.failures)
    seen = set()
    for document in read(stream, name):
        if isinstance(document, Failure):
            yield document
        else:
            seen.add(document.id)
            yield from _annotated(document, entities, relations)
    for table in tables:
        for id_, rows in table.rows.items():
            if id_ not in seen:
                yield Failure(table.name, rows[0][0], f"is the first of {len(rows)} lines of a paper that {name} lacks")


def _kind(head: str) -> str:
    """What the first line is a row of, ``entities`` or ``relations``; else nothing."""
    first = head.lstrip("\ufeff").partition("\n")[0]
    return next((kind for kind, row in _ROWS.items() if row.fullmatch(first)), "")


def _alone(kind: str) -> str:
    return f"holds {kind} of DrugProt: give the abstracts that they belong to (X_abstracts.tsv beside X_{kind}.tsv)"


def _document(line: str) -> Document:
    cells = line.split("\t", 2)
    if len(cells) < 3 or not cells[0].strip().isdecimal():
        raise Unreadable(f"is no PMID, title and abstract: {line[:60]!r}")
    return gold.paper(cells[0].strip(), *cells[1:])


def _table(kind: str, path: Path, abstracts: str) -> _Table:
    """All lines of a table; where a part of it is lost, a Failure says so."""
    table = _Table(printable(path))
    if not path.is_file():
        table.failures.append(Failure(abstracts, path.name, f"is not beside the abstracts: no {kind} are read"))
        return table
    try:
        with path.open("rb") as file, Stream(table.name, file, path).text as text:
            for number, line in lines(text):
                if line.strip():
                    id_ = fields.storable(line.partition("\t")[0].strip())[:40]
                    table.rows.setdefault(id_, []).append((f"line {number} ({id_})", line))
    except BROKEN as error:
        table.failures.append(Failure(table.name, "", reason(error)))
    return table


def _annotated(document: Document, entities: _Table, relations: _Table) -> Iterator[Reading | Failure]:
    found: dict[str, Mention] = {}
    rows = entities.rows.get(document.id, ())
    marked = list(fields.each(rows, lambda line: _mention(line, document, found), entities.name))
    rows = relations.rows.get(document.id, ())
    related = list(fields.each(rows, lambda line: _relation(line, found), relations.name))
    claims = tuple(relation for relation in related if isinstance(relation, Relation))
    yield Reading(document, mentions=gold.in_order(found.values()), relations=claims)
    yield from (failure for failure in (*marked, *related) if isinstance(failure, Failure))


def _mention(line: str, document: Document, found: dict[str, Mention]) -> Mention:
    """A mention, which is put among those ``found`` under the name that relations have for it."""
    cells = _ROWS["entities"].fullmatch(check(line))
    if not cells:
        raise Unreadable(f"is no PMID, entity, type, two offsets and text: {line[:80]!r}")
    name, type_, said = cells[1], cells[2].strip(), fields.storable(cells[5])
    start, end = int(cells[3]), int(cells[4])
    text = document.text[start:end]
    if not text.strip() or text.replace("\n", " ") != said:
        raise Unreadable(f"says {said!r:.80} where the text at {start} to {end} is {text!r:.80}")
    if name in found:
        raise Unreadable(f"has the id {name}, which an entity above it has")
    found[name] = gold.mention(document, start, end, type_)
    return found[name]


def _relation(line: str, found: Mapping[str, Mention]) -> Relation:
    cells = _ROWS["relations"].fullmatch(check(line))
    if not cells:
        raise Unreadable(f"is no PMID, relation and two arguments: {line[:80]!r}")
    if missing := next((name for name in cells.groups()[1:] if name not in found), None):
        raise Unreadable(f"relates {missing}, which is no entity that could be read")
    return gold.relation(cells[1].strip(), found[cells[2]], found[cells[3]])
