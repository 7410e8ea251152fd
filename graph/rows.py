"""The rows of a graph, which every store holds alike, their digest, and the difference between two graphs.

A graph is laid out as rows of four kinds: nodes ``(:Entity:<Type>)`` and ``(:Document)``, claims that join two
entities and carry their predicate as the type, and nodes ``(:Evidence)``, each tied to its paper and to the entities
of its claim by ``FROM``, ``SUBJECT`` and ``OBJECT``. What is not known (None, an empty string or list) is left out.
No property is called ``id``, ``title`` or ``type``, which embedded engines keep for themselves: the type of an entity
is its second label.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from pipeline.errors import InputError, UsageError
from pipeline.types import Concept, Document, Edge, Evidence, Graph, Section

Kind: TypeAlias = Literal["claim", "document", "entity", "evidence"]
Key: TypeAlias = tuple[Kind, str]

LABELS: Mapping[Kind, str] = {"document": "Document", "entity": "Entity", "evidence": "Evidence"}
ENDS: Mapping[Kind, tuple[Kind, ...]] = {
    "claim": ("entity", "entity"),
    "document": (),
    "entity": (),
    "evidence": ("document", "entity", "entity"),
}
LINKS = ("FROM", "SUBJECT", "OBJECT")

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A node with the links that belong to it, or a relationship.

    ``labels`` are those of the node, or the one type of a claim. ``ends`` are the uids that it is tied to, of the
    kinds that ``ENDS`` tells: subject and object of a claim; document, subject and object of an evidence.
    """

    kind: Kind
    uid: str
    labels: tuple[str, ...]
    properties: Mapping[str, Any]
    ends: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.kind, self.uid

    @property
    def digest(self) -> str:
        """Hash of the content, the same whatever the order of the properties."""
        content = [self.labels, self.ends, self.properties]
        payload = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(payload.encode("ascii")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SyncCounts:
    """How many rows a sync wrote, and how many it left alone."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What turns the rows of a store into wanted rows: ``created`` and ``updated`` are new rows, the rest keys."""

    created: tuple[Row, ...]
    updated: tuple[Row, ...]
    deleted: tuple[Key, ...]
    same: int

    @property
    def counts(self) -> SyncCounts:
        return SyncCounts(len(self.created), len(self.updated), len(self.deleted), self.same)


def rows(graph: Graph) -> tuple[Row, ...]:
    """Lay a graph out as rows, sorted by kind and uid.

    Raises InputError for an edge or evidence whose entity or document the graph lacks and for an id given twice,
    UsageError for an entity type that is one of the layout's own labels.
    """
    found = sorted(_rows(graph), key=lambda row: row.key)
    keys = {row.key for row in found}
    if len(keys) < len(found):
        twice = next(a for a, b in pairwise(found) if a.key == b.key)
        raise InputError(f"two rows of the graph are the {twice.kind} {twice.uid!r}: ids must be unique")
    for row in found:
        missing = [(kind, uid) for kind, uid in zip(ENDS[row.kind], row.ends, strict=True) if (kind, uid) not in keys]
        if missing:
            raise InputError(f"{row.kind} {row.uid!r} names {' '.join(missing[0])!r}, which the graph lacks")
    return tuple(found)


def digest(found: Iterable[Row]) -> str:
    """Hash of the ids and contents of all rows, in whatever order they come.

    >>> digest(rows(Graph()))
    'e3b0c44298fc1c149afbf4c8996fb924'
    """
    total = hashlib.sha256()
    for line in sorted(f"{row.kind}\t{row.uid}\t{row.digest}\n" for row in found):
        total.update(line.encode())
    return total.hexdigest()[:32]


def difference(held: Mapping[Key, str], wanted: Iterable[Row]) -> Difference:
    """Compare the digests that a store holds with the rows that it should hold."""
    created, updated, same = [], [], 0
    gone = set(held)
    for row in wanted:
        if row.key not in held:
            created.append(row)
            continue
        gone.discard(row.key)
        if held[row.key] == row.digest:
            same += 1
        else:
            updated.append(row)
    return Difference(tuple(created), tuple(updated), tuple(sorted(gone)), same)


def from_rows(found: Iterable[Row]) -> Graph:
    """The graph that these rows lay out: ``rows(from_rows(r)) == r``."""
    by_kind: dict[Kind, list[Row]] = {kind: [] for kind in ENDS}
    for row in sorted(found, key=lambda row: row.key):
        by_kind[row.kind].append(row)
    evidence: dict[str, list[Evidence]] = {}
    for row in by_kind["evidence"]:
        evidence.setdefault(row.properties["edge_uid"], []).append(_evidence(row))
    return Graph(
        entities=tuple(_concept(row) for row in by_kind["entity"]),
        edges=tuple(_edge(row, tuple(evidence.get(row.uid, ()))) for row in by_kind["claim"]),
        documents=tuple(_document(row) for row in by_kind["document"]),
    )


def count(kinds: Iterable[Kind]) -> dict[str, int]:
    """Count rows under the names that users know.

    >>> count(["entity", "claim", "claim"])
    {'documents': 0, 'entities': 1, 'edges': 2, 'evidence': 0}
    """
    found = Counter(kinds)
    names: dict[str, Kind] = {"documents": "document", "entities": "entity", "edges": "claim", "evidence": "evidence"}
    return {name: found[kind] for name, kind in names.items()}


def _rows(graph: Graph) -> Iterator[Row]:
    for concept in graph.entities:
        yield _entity_row(concept)
    for document in graph.documents:
        yield _document_row(document)
    for edge in graph.edges:
        yield _claim_row(edge)
        for evidence in edge.evidence:
            yield _evidence_row(edge, evidence)


def _entity_row(concept: Concept) -> Row:
    if concept.type in LABELS.values():
        raise UsageError(
            f"entity {concept.id!r} has the type {concept.type!r}, which is a label of the graph itself: "
            "rename the type in the domain pack"
        )
    labels = (LABELS["entity"], *([_clean(concept.type)] if concept.type else []))
    properties = _properties(
        uid=concept.id,
        name=concept.name,
        synonyms=concept.synonyms,
        parents=concept.parents,
        definition=concept.definition,
    )
    return Row("entity", properties["uid"], labels, properties)


def _document_row(document: Document) -> Row:
    properties = _properties(
        uid=document.id,
        name=document.title,
        year=document.year,
        date=document.date,
        ids=document.ids,
        authors=document.authors,
        journal=document.journal,
        language=document.language,
        licence=document.licence,
        status=document.status,
        links=tuple(f"{word} {other}" for word, other in document.links),
        domain=document.domain,
    )
    return Row("document", properties["uid"], (LABELS["document"],), properties)


def _claim_row(edge: Edge) -> Row:
    properties = _properties(
        uid=edge.uid,
        belief=float(edge.belief),
        support=edge.support,
        refute=edge.refute,
        speculative=edge.speculative,
        first_year=edge.first_year,
        last_year=edge.last_year,
        state=edge.state,
    )
    ends = (_clean(edge.subject), _clean(edge.object))
    return Row("claim", edge.uid, (_clean(edge.predicate),), properties, ends)


def _evidence_row(edge: Edge, evidence: Evidence) -> Row:
    properties = _properties(
        uid=evidence.uid,
        edge_uid=edge.uid,
        text=evidence.text,
        start=evidence.start,
        end=evidence.end,
        section=evidence.section,
        polarity=evidence.polarity,
        certainty=evidence.certainty,
        score=float(evidence.score),
        extractor=evidence.extractor,
        year=evidence.year,
        novel=evidence.novel,
    )
    ends = (_clean(evidence.document_id), _clean(edge.subject), _clean(edge.object))
    return Row("evidence", evidence.uid, (LABELS["evidence"],), properties, ends)


def _concept(row: Row) -> Concept:
    known = row.properties
    return Concept(
        id=row.uid,
        name=known.get("name", ""),
        type=row.labels[1] if len(row.labels) > 1 else "",
        synonyms=tuple(known.get("synonyms", ())),
        parents=tuple(known.get("parents", ())),
        definition=known.get("definition", ""),
    )


def _document(row: Row) -> Document:
    known = row.properties
    title = known.get("name", "")
    return Document(
        id=row.uid,
        text=title,
        sections=(Section(0, len(title), "title"),),
        date=known.get("date", ""),
        ids=tuple(known.get("ids", ())),
        authors=tuple(known.get("authors", ())),
        journal=known.get("journal", ""),
        language=known.get("language", ""),
        licence=known.get("licence", ""),
        status=known.get("status", "article"),
        links=tuple((word, other) for word, _, other in (link.partition(" ") for link in known.get("links", ()))),
        domain=known.get("domain", ""),
    )


def _edge(row: Row, evidence: tuple[Evidence, ...]) -> Edge:
    known = row.properties
    return Edge(
        uid=row.uid,
        subject=row.ends[0],
        predicate=row.labels[0],
        object=row.ends[1],
        belief=known.get("belief", 0.0),
        support=known.get("support", 0),
        refute=known.get("refute", 0),
        speculative=known.get("speculative", 0),
        first_year=known.get("first_year"),
        last_year=known.get("last_year"),
        state=known.get("state", "supported"),
        evidence=evidence,
    )


def _evidence(row: Row) -> Evidence:
    known = row.properties
    return Evidence(
        uid=row.uid,
        edge_uid=known["edge_uid"],
        document_id=row.ends[0],
        start=known.get("start", 0),
        end=known.get("end", 0),
        text=known.get("text", ""),
        section=known.get("section", ""),
        polarity=known.get("polarity", "positive"),
        certainty=known.get("certainty", "certain"),
        score=known.get("score", 0.0),
        extractor=known.get("extractor", ""),
        year=known.get("year"),
        novel=known.get("novel"),
    )


def _properties(**given: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in given.items() if value not in (None, "", ())}


def _value(value: Any) -> Any:
    """A property as every store keeps it: 12 significant digits outlive any round trip, half an emoji does not."""
    if isinstance(value, float):
        return float(f"{value:.12g}")
    if isinstance(value, str):
        return _clean(value)
    return [_clean(item) for item in value] if isinstance(value, tuple | list) else value


def _clean(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)
