"""brat standoff: annotations in an ``.ann`` file, their text in the ``.txt`` file beside it.

The text is kept character for character, for offsets count into the file. Entities (``T``), binary relations (``R``),
concept ids (``N``) and the attributes Negation and Speculation of relations are read; notes, coreference and other
attributes are passed over. The ``.txt`` given alone is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.sources.pubtator import concept_ids
from pipeline.sources.shared import fields, gold
from pipeline.sources.shared.stream import MAX_RECORD, Stream, Unreadable, check, encoding_of, lines
from pipeline.types import Document, Failure, Mention, Reading, Relation, Section

_TITLE = 250  # characters; a longer first line is text
_ENTITY = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)")
_RELATION = re.compile(r"(\S+) (\S+):(T\S+) (\S+):(T\S+)\s*")
_REFERENCE = re.compile(r"\S+ (T\S+) (\S.*)")
_ATTRIBUTE = re.compile(r"(\S+) (\S+)(?: .*)?")
_LINE = re.compile(
    r"T\d+\t\S+ \d+ \d+[ ;\t]|R\d+\t\S+ \S+:\S+ |E\d+\t\S+:T\d+|[AM]\d+\t\S+ \S|N\d+\tReference |#\S*\t\S+ |\*\t\S+ T\d"
)


@dataclass(slots=True)
class _Lines:
    """The lines of an ``.ann`` file by the letter that they begin with: place, id, and what follows."""

    entities: list[tuple[str, list[str]]] = field(default_factory=list)
    relations: list[tuple[str, list[str]]] = field(default_factory=list)
    ids: dict[str, list[str]] = field(default_factory=dict)  # concepts by entity
    marks: dict[str, set[str]] = field(default_factory=dict)  # attributes by relation
    failures: list[Failure] = field(default_factory=list)


def sniff(head: str) -> bool:
    """The first line has one of brat's shapes, and most that follow."""
    rows = [row for row in head.lstrip("\ufeff").split("\n")[:21] if row.strip()]
    shown = rows[:-1] or rows  # the end of the head may have cut the last
    fitting = [bool(_LINE.match(row)) for row in shown]
    return any(fitting[:1]) and 4 * sum(fitting) >= 3 * len(fitting)


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """The document of an ``.ann`` file, annotations passed over."""
    for text in fields.each([("", stream)], _text, name):
        if isinstance(text, Failure):
            yield text
        else:
            yield from fields.each([("", text)], lambda text: _document(text, stream), name)


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """The document of an ``.ann`` file with its gold mentions and relations; a line that does not fit is a Failure."""
    for text in fields.each([("", stream)], _text, name):
        if isinstance(text, Failure):
            yield text
            continue
        rows = _lines(stream, name)
        fitting = _fitting(text, rows)
        for document in fields.each([("", fitting)], lambda text: _document(text, stream), name):
            yield from [document] if isinstance(document, Failure) else _annotated(document, rows, name)


def _text(stream: Stream) -> str:
    """The text beside an ``.ann`` file, with the line breaks that it has."""
    if stream.path is None:
        raise Unreadable("is packed brat standoff: unpack it, for its text is looked for in the .txt file beside it")
    path = stream.path.with_suffix(".txt")
    if not path.is_file():
        raise Unreadable(f"is brat standoff without its text: expected {path.name} beside it")
    with path.open("rb") as file:
        data = file.read(4 * MAX_RECORD + 1)
    encoding = encoding_of(data[:4])
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return check(data.decode(encoding, errors))


def _fitting(text: str, rows: _Lines) -> str:
    """Text whose line breaks are one character, by which most entities lie where they should.

    brat counts the two characters of a Windows line break, unless the file got them after it was annotated.
    """
    kept, shorter = (text.replace("\r\n", new).replace("\r", "\n") for new in (" \n", "\n"))
    return max((kept, shorter), key=lambda text: sum(_fits(cells, text) for _, cells in rows.entities))


def _fits(cells: Sequence[str], text: str) -> bool:
    found = _ENTITY.fullmatch(cells[1]) if len(cells) > 2 else None
    start, end = map(int, re.split("[ ;]", found[2])[:2]) if found else (0, 0)
    return bool(found) and cells[2].startswith(_one_line(text[start:end]))


def _document(text: str, stream: Stream) -> Document:
    """The text as one paper, whose first line is its title where it is short and more follows."""
    name = stream.path.stem if stream.path else ""
    title, _, rest = text.partition("\n")
    text = fields.storable(text)
    document = fields.document({"id": name, "text": text}, exact=True)
    if not (title.strip() and rest.strip() and len(title) <= _TITLE):
        return document
    sections = (Section(0, len(title), "title"), Section(len(title) + 1, len(text), "abstract"))
    return replace(document, sections=fields.divided(text, sections))


def _lines(stream: Stream, name: str) -> _Lines:
    rows = _Lines()
    for number, line in lines(stream.text):
        if line.strip():
            place = f"line {number}"
            try:
                _sort(check(line).rstrip("\r"), place, rows)
            except Unreadable as error:
                rows.failures.append(Failure(name, place, str(error)))
    return rows


def _sort(line: str, place: str, rows: _Lines) -> None:
    """Put a line where it belongs."""
    cells = line.removeprefix("\ufeff").split("\t")
    kind, said = cells[0][:1], cells[1] if len(cells) > 1 else ""
    if kind == "T":
        rows.entities.append((place, cells))
    elif kind == "R":
        rows.relations.append((place, cells))
    elif kind == "N" and (found := _REFERENCE.fullmatch(said)):
        rows.ids.setdefault(found[1], []).extend(concept_ids(found[2]))
    elif kind in ("A", "M") and (found := _ATTRIBUTE.fullmatch(said)):
        rows.marks.setdefault(found[2], set()).add(found[1].lower())
    elif kind == "E":
        raise Unreadable(f"is an event, which is no relation of two entities: {line:.60}")
    elif kind not in ("#", "*"):
        raise Unreadable(f"is no line of brat standoff: {line[:60]!r}")


def _annotated(document: Document, rows: _Lines, name: str) -> Iterator[Reading | Failure]:
    found: dict[str, Mention] = {}
    failures = list(rows.failures)
    for place, cells in rows.entities:
        for mention in fields.each([(place, cells)], lambda cells: _mention(cells, document, rows), name):
            if isinstance(mention, Failure):
                failures.append(mention)
            elif cells[0] in found:
                failures.append(Failure(name, place, f"has the id {cells[0]}, which an entity above it has"))
            else:
                found[cells[0]] = mention
    related = list(fields.each(rows.relations, lambda cells: _relation(cells, found, rows.marks), name))
    relations = tuple(relation for relation in related if isinstance(relation, Relation))
    yield Reading(document, mentions=gold.in_order(found.values()), relations=relations)
    yield from failures
    yield from (failure for failure in related if isinstance(failure, Failure))


def _mention(cells: list[str], document: Document, rows: _Lines) -> Mention:
    found = _ENTITY.fullmatch(cells[1]) if len(cells) > 2 else None
    if not found:
        raise Unreadable(f"is no entity with a type, two offsets and its text: {cells!r:.80}")
    parts = sorted(tuple(map(int, part.split(" "))) for part in found[2].split(";"))
    start, end = parts[0][0], parts[-1][1]
    text = document.text[start:end]
    said = fields.storable(cells[2])
    if not text.strip() or _one_line(text) != _one_line(said):
        apart = "lies in parts, which no mention can, and " if len(parts) > 1 else ""
        raise Unreadable(f"{apart}says {said!r:.80} where the text at {start} to {end} is {text!r:.80}")
    return gold.mention(document, start, end, found[1], rows.ids.get(cells[0], ()))


def _relation(cells: list[str], found: Mapping[str, Mention], marks: Mapping[str, set[str]]) -> Relation:
    said = _RELATION.fullmatch(cells[1]) if len(cells) > 1 else None
    if not said:
        raise Unreadable(f"is no relation with a name and two arguments: {cells!r:.80}")
    missing = next((name for name in (said[3], said[5]) if name not in found), None)
    if missing:
        raise Unreadable(f"relates {missing}, which is no entity that could be read")
    relation = gold.relation(said[1], found[said[3]], found[said[5]])
    if "negation" in marks.get(cells[0], ()):
        relation = replace(relation, polarity="negative")
    return replace(relation, certainty="speculative") if "speculation" in marks.get(cells[0], ()) else relation


def _one_line(text: str) -> str:
    return re.sub(r"\s", " ", text)
