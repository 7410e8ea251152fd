"""What can be wrong with annotated data, each found by one function and told in one line.

A fatal problem would make the training worthless or its score untrue; the others cost only themselves.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeAlias

from extractors.marking import Entity, entities
from pipeline.domains import Domain
from pipeline.types import Document, Failure, Mention, Reading, Relation, merge_mentions

Task: TypeAlias = Literal["ner", "re"]
File: TypeAlias = tuple[str, Sequence[Reading]]
WHAT: Mapping[Task, str] = {"ner": "mentions", "re": "relations"}

_PMID = re.compile(r"pmid:?\s*(\d+)", re.IGNORECASE)
_PLACE = re.compile(r"line \d+ \((.+)\)|document ([^,]+)")  # where readers name the document of a Failure


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the data; as text, the line that is shown.

    >>> print(Problem("train.txt", "227508", "characters 0 to 8", "is of no type", fatal=True))
    train.txt: 227508: characters 0 to 8: is of no type
    """

    source: str
    document: str
    place: str
    reason: str
    fatal: bool

    def __str__(self) -> str:
        document = "" if self.document in self.place else self.document
        return ": ".join(part for part in (self.source, document, self.place, self.reason) if part)


def about(path: str | Path, reason: str, *, fatal: bool = True) -> Problem:
    """What is wrong with a file or corpus as a whole."""
    return Problem(str(path), "", "", reason, fatal)


def of_failure(failure: Failure) -> Problem:
    """What a reader could not read; where it has no place a whole file, or the rest of one, is lost."""
    named = _PLACE.match(failure.place)
    document = (named[1] or named[2]) if named else ""
    return Problem(failure.source, document, failure.place, failure.reason, fatal=not failure.place)


def id_of(text: str) -> str:
    """An id under which a paper goes in every corpus.

    >>> id_of("PMID: 227508"), id_of("pmid:227508"), id_of("227508"), id_of("J87-1003")
    ('227508', '227508', '227508', 'J87-1003')
    """
    found = _PMID.fullmatch(text.strip())
    return found[1] if found else text.strip()


def ids_of(document: Document) -> frozenset[str]:
    """All that a document goes by."""
    return frozenset(map(id_of, (document.id, *document.ids)))


def unknown_labels(files: Iterable[File], domain: Domain, ignore: Set[str], task: Task) -> Iterator[Problem]:
    """Labels of mentions (and, to learn relations, of relations) that the domain pack does not know."""
    places: dict[tuple[str, str], list[tuple[str, str, str]]] = defaultdict(list)
    for source, reading in ((source, reading) for source, readings in files for reading in readings):
        for mention in reading.mentions:
            if domain.type_of(mention.type) is None:
                places["entities", mention.type].append((source, reading.document.id, _at(mention)))
        for relation in reading.relations if task == "re" else ():
            if domain.relation(relation.predicate) is None:
                places["relations", relation.predicate].append((source, reading.document.id, _at(relation)))
    for (kind, label), found in places.items():
        if label not in ignore:
            seen = times(len(found), "mentions" if kind == "entities" else kind)
            remedy = f'write labels = ["{label}"] under one of its {kind}, or give --ignore {label}'
            reason = f"label {label!r} ({seen}) is unknown to the domain pack {domain.name}: {remedy}"
            yield Problem(*found[0], reason, fatal=True)


def overlaps(source: str, readings: Iterable[Reading]) -> Iterator[Problem]:
    """Mentions that a tagger cannot learn, for a word has one tag: of two the longer, then the earlier is learnt."""
    lost: list[Mention] = []
    for reading in readings:
        distinct = list({(m.start, m.end, m.type): m for m in reading.mentions}.values())
        learnt = set(merge_mentions(distinct))
        lost.extend(mention for mention in distinct if mention not in learnt)
    if lost:
        shown = "; ".join(f"{m.document_id}: {_at(m)} ({m.text[:40]!r}, {m.type})" for m in lost[:3])
        count = times(len(lost), "mentions")
        what = f"a tagger cannot learn {count}, each of which overlaps a longer or an earlier one that it learns"
        yield about(source, f"{what}: {shown}{'; ...' if len(lost) > 3 else ''}", fatal=False)


def once(readings: Iterable[Reading]) -> tuple[list[Reading], list[str]]:
    """The first reading of each document, and the ids of those that came again, by id or by text."""
    seen: set[str] = set()
    kept: list[Reading] = []
    again: list[str] = []
    for reading in readings:
        keys = {*ids_of(reading.document), _folded(reading.document)}
        if keys & seen:
            again.append(reading.document.id)
        else:
            kept.append(reading)
        seen |= keys
    return kept, again


def shared(train: str, learnt: Iterable[Reading], development: str, scored: Iterable[Reading]) -> Iterator[Problem]:
    """Documents that are learnt and scored, by id or by text: the score would be that of a memory."""
    known: dict[str, str] = {}
    for reading in scored:
        document = reading.document
        known |= dict.fromkeys((_folded(document), *ids_of(document)), document.id)
    found: dict[str, str] = {}
    for document in (reading.document for reading in learnt):
        if other := next((known[key] for key in (*ids_of(document), _folded(document)) if key in known), None):
            same = id_of(other) in ids_of(document)
            found[document.id] = document.id if same else f"{document.id} (there {other})"
    if found:
        reason = f"shares {some(found.values(), 'documents')} with the development set {development}"
        yield about(train, f"{reason}: leave them out with --exclude FILE, a file with one id a line")


def one_class(readings: Sequence[Reading], task: Task) -> Iterator[Problem]:
    """Training data, all corpora together, from which nothing can be told apart."""
    if task == "ner":
        types = {mention.type for reading in readings for mention in reading.mentions}
        if len(types) == 1 and not any(map(_has_word_outside, readings)):
            reason = f"every word lies in a mention of {types.pop()}: a tagger also needs text that is none"
            yield about("training data", reason)
    elif any(reading.relations for reading in readings) and not _has_unrelated_pair(readings):
        reason = "every two entities that could be related are: a reader of relations also needs pairs that are not"
        yield about("training data", reason)


def some(names: Collection[str], what: str) -> str:
    """How many there are, and the first five by name.

    >>> some(["a", "b", "c", "d", "e", "f"], "documents"), some(["a"], "documents")
    ('6 documents (a, b, c, d, e, ...)', '1 document (a)')
    """
    shown = ", ".join([*names][:5]) + (", ..." if len(names) > 5 else "")
    return f"{times(len(names), what)} ({shown})"


def times(count: int, what: str) -> str:
    """
    >>> times(1, "documents"), times(2000, "documents")
    ('1 document', '2,000 documents')
    """
    return f"{count:,} {what if count != 1 else what.removesuffix('s')}"


def _at(span: Mention | Relation) -> str:
    return f"characters {span.start} to {span.end}"


def _folded(document: Document) -> str:
    """The text without what does not make it another: case and blanks; no id can look like it."""
    return "\n" + " ".join(document.text.casefold().split())


def _has_word_outside(reading: Reading) -> bool:
    at = 0
    for mention in sorted(reading.mentions):
        if reading.document.text[at : mention.start].strip():
            return True
        at = max(at, mention.end)
    return bool(reading.document.text[at:].strip())


def _has_unrelated_pair(readings: Iterable[Reading]) -> bool:
    """Whether two entities of one document stand unrelated whose types some relation of the data joins."""
    joined = {_types(relation.subject, relation.object) for reading in readings for relation in reading.relations}
    for reading in readings:
        related = {frozenset((_name(r.subject), _name(r.object))) for r in reading.relations}
        for one, other in combinations(entities(reading), 2):
            if one.id != other.id and _types(one, other) in joined and frozenset((one.id, other.id)) not in related:
                return True
    return False


def _types(one: Mention | Entity, other: Mention | Entity) -> frozenset[str]:
    return frozenset((one.type, other.type))


def _name(mention: Mention) -> str:
    return mention.concept_id or mention.text.lower()
