"""BioC, XML and JSON: passages with offsets, annotations and relations (Comeau et al., Database 2013).

Where the offsets of a collection count on in another way than our text, each annotation is found by the offset of its
own passage, in characters, UTF-16 units or bytes, whichever its text proves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.sources.bioc_papers import Paper, Places, paper_of
from pipeline.sources.bioc_records import Record, from_xml, infons_of, number_of, plain, records_of, value_of
from pipeline.sources.pubtator import concept_ids
from pipeline.sources.shared import elements, fields, gold, objects, xml
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Document, Failure, Mention, Reading, Relation, Span

_XML = re.compile(r"<(?:document|passage|infon|key)[\s>/]|BioC\.dtd")
_JSON = re.compile(r"\s*[\[{]")
_PASSAGES, _DOCUMENTS = (re.compile(rf'(?<!\\)"{key}"\s*:\s*\[') for key in ("passages", "documents"))
_LISTS = ("documents", "PubTator3")
_DATABASES = {
    "mesh": "MESH:",
    "omim": "OMIM:",
    "ncbi gene": "NCBIGene:",
    "ncbi taxonomy": "NCBITaxon:",
    "chebi": "CHEBI:",
    "umls": "UMLS:",
}
_SUBJECTS = frozenset({"subject", "arg1", "agent", "cause", "source", "chemical"})
_OBJECTS = frozenset({"object", "arg2", "theme", "target", "disease"})
_UNITS = (("utf-16-le", 2), ("utf-8", 1))


def sniff(head: str) -> bool:
    if xml.opens(head, "collection"):
        return bool(_XML.search(head))
    if not _JSON.match(head):
        return False
    return bool(_PASSAGES.search(head) or ('"infons"' in head and _DOCUMENTS.search(head)))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Documents alone; annotations are passed over."""
    for paper in _papers(stream, name):
        yield paper if isinstance(paper, Failure) else paper.document


def read_annotated(stream: Stream, name: str) -> Iterator[Reading | Failure]:
    """Documents with their gold mentions and relations; an annotation that does not fit is a Failure of its own.

    A relation between concepts holds between the first mention of each.
    """
    for paper in _papers(stream, name):
        yield from [paper] if isinstance(paper, Failure) else _annotated(paper, name)


def _papers(stream: Stream, name: str) -> Iterator[Paper | Failure]:
    if stream.head.lstrip("\ufeff \t\n").startswith("<"):
        yield from elements.read(stream, lambda element: paper_of(from_xml(element)), name, "document")
        return
    for found in objects.read(stream, lambda record: _in_collection(record, name), name, _LISTS):
        yield from [found] if isinstance(found, Failure) else found


def _in_collection(record: Record, name: str) -> list[Paper | Failure]:
    """The documents of one collection of several, or the one that a record is."""
    if "documents" not in record:
        return [paper_of(record)]
    records = enumerate(records_of(record, "documents"), 1)
    return list(fields.each(((f"document {number}", inner) for number, inner in records), paper_of, name))


def _annotated(paper: Paper, name: str) -> Iterator[Reading | Failure]:
    place = f"document {paper.document.id}"
    marked = [(f"{place}, annotation {value_of(record, 'id')}", (record, at)) for record, at in _marked(paper)]
    inside = [row for row in marked if row[1][1]]
    found = list(fields.each(inside, lambda given: _mention(given[0], given[1], paper.document), name))
    pairs = [pair for pair in found if not isinstance(pair, Failure)]
    mentions = gold.in_order(mention for _, mention in pairs)
    named = dict(reversed(pairs))
    first = {g.concept_id: replace(m, groundings=(g,)) for m in reversed(mentions) for g in m.groundings}
    records = [*paper.relations, *(record for passage, _ in paper.passages for record in passage.relations)]
    claims = [(f"{place}, relation {value_of(record, 'id')}", record) for record in records]
    related = list(fields.each(claims, lambda record: _relation(record, named, first), name))
    relations = tuple(relation for relation in related if isinstance(relation, Relation))
    yield Reading(paper.document, mentions=mentions, relations=relations)
    yield from (failure for failure in (*found, *related) if isinstance(failure, Failure))
    if lost := len(marked) - len(inside):
        yield Failure(name, place, f"has {lost} annotations in tables or references, which are no part of the text")


def _marked(paper: Paper) -> Iterator[tuple[Record, Places]]:
    """Annotations and the places that they may count from; none for those in what is no part of the text."""
    everywhere: list[tuple[int, int]] = []
    for passage, start in paper.passages:
        places = () if start is None else tuple((offset, start + at) for offset, at in passage.pieces)
        everywhere.extend(places)
        for record in passage.annotations:
            yield record, places
    for record in paper.annotations:
        yield record, tuple(everywhere)


def _mention(record: Record, places: Places, document: Document) -> tuple[str, Mention]:
    """A mention and the name that relations have for it."""
    infons = infons_of(record)
    type_ = value_of(infons, "type")
    if not type_:
        raise Unreadable("has no type")
    parts = sorted((number_of(part, "offset"), number_of(part, "length")) for part in records_of(record, "locations"))
    if not parts:
        raise Unreadable("has no location")
    offset, end = parts[0][0], max(start + length for start, length in parts)
    apart = any(after[0] > before[0] + before[1] + 1 for before, after in pairwise(parts))
    said = plain(record.get("text"))
    span = _find(document.text, places, offset, end - offset, said) if said or not apart else None
    if span is None:
        seen = _clear(document.text, places, offset, end - offset)
        why = "lies in parts, which no mention can, and " if apart else ""
        raise Unreadable(f"{why}says {said!r:.80} where the text at {offset} to {end} is {seen!r:.80}")
    found = gold.mention(document, span.start, span.end, type_, _ids(infons))
    return value_of(record, "id"), replace(found, score=_score(infons))


def _find(text: str, places: Places, offset: int, length: int, said: str) -> Span | None:
    """The span whose offset and length are these, in the unit by which its text is the one given."""
    start = max((place for place in places if place[0] <= offset), default=None)
    if start is None:
        return None
    rest, begin = text[start[1] : start[1] + offset - start[0] + length], offset - start[0]
    for span in _units(rest, begin, length):
        found = span.of(rest)
        if found.strip() and (not said or _blank(found) == _blank(said)):
            return Span(start[1] + span.start, start[1] + span.end)
    return None


def _units(text: str, begin: int, length: int) -> Iterator[Span]:
    """Where a stretch lies in a text if it counts characters, UTF-16 units, or bytes."""
    if length > 0 and begin + length <= len(text):
        yield Span(begin, begin + length)
    for encoding, width in () if text.isascii() else _UNITS:
        data = text.encode(encoding, "surrogatepass")
        before = data[: begin * width].decode(encoding, "ignore")
        inside = data[begin * width : (begin + length) * width].decode(encoding, "ignore")
        yield Span(len(before), len(before) + len(inside))


def _clear(text: str, places: Places, offset: int, length: int) -> str:
    """What stands at an offset, to be shown."""
    at = max((place for place in places if place[0] <= offset), default=(offset, len(text)))
    return text[at[1] + offset - at[0] :][:length]


def _relation(record: Record, named: Mapping[str, Mention], first: Mapping[str, Mention]) -> Relation:
    infons = infons_of(record)
    predicate = value_of(infons, "type", "relation", "relation type")
    if not predicate:
        raise Unreadable("has no type")
    nodes = records_of(record, "nodes")
    concepts = _concepts(infons)
    if len(nodes) == 2:
        subject, object_ = (_node(node, named) for node in _ordered(nodes))
        if len(concepts) == 2:  # which of several that a mention means
            subject, object_ = _meaning(subject, concepts[0]), _meaning(object_, concepts[1])
    else:
        known = [next((first[uid] for uid in concept_ids(said) if uid in first), None) for said in concepts]
        if len(known) != 2 or not (known[0] and known[1]):
            raise Unreadable(
                f"relates {len(nodes)} annotations and the concepts {concepts!r:.80}, not two that are read"
            )
        subject, object_ = known[0], known[1]
    found = gold.relation(predicate, subject, object_)
    stated = _stated(infons)
    if stated and stated.covers(found):
        found = replace(found, start=stated.start, end=stated.end)
    return replace(
        found,
        score=_score(infons),
        polarity="negative" if value_of(infons, "polarity") == "negative" else "positive",
        certainty="speculative" if value_of(infons, "certainty") == "speculative" else "certain",
        novel=gold.novelty(value_of(infons, "novel")),
    )


def _ordered(nodes: Sequence[Record]) -> Sequence[Record]:
    """Subject before object, where the roles say which is which."""
    first, second = (value_of(node, "role").lower() for node in nodes)
    return nodes[::-1] if first in _OBJECTS or second in _SUBJECTS else nodes


def _node(node: Record, named: Mapping[str, Mention]) -> Mention:
    name = value_of(node, "refid")
    if name not in named:
        raise Unreadable(f"relates {name!r}, which is no annotation that could be read")
    return named[name]


def _concepts(infons: Record) -> list[str]:
    """The two concepts of a relation without nodes, as BioRED, PubTator and BC5CDR name them."""
    for keys in (("entity1", "entity2"), ("role1", "role2"), ("Chemical", "Disease")):
        roles = [infons.get(key) for key in keys]
        said = [value_of(role, "identifier") if isinstance(role, dict) else plain(role) for role in roles]
        if all(said):
            return said
    return []


def _meaning(mention: Mention, concept: str) -> Mention:
    """A mention with the concepts that a relation is about, where it has others too."""
    own = tuple(g for g in mention.groundings if g.concept_id in concept_ids(concept))
    return replace(mention, groundings=own) if own else mention


def _stated(infons: Record) -> Span | None:
    """The stretch that states a relation, which only our own files tell."""
    offset, length = (value_of(infons, key) for key in ("offset", "length"))
    return Span(int(offset), int(offset) + int(length)) if offset.isdecimal() and length.isdecimal() else None


def _ids(infons: Record) -> tuple[str, ...]:
    """
    >>> _ids({"type": "Gene", "NCBI Gene": "6528"}), _ids({"identifier": "D003409"})
    (('NCBIGene:6528',), ('MESH:D003409',))
    """
    if said := value_of(infons, "identifier", "Identifier"):
        return concept_ids(said)
    for key in infons:
        if prefix := _DATABASES.get(key.lower().replace("_", " ")):
            return tuple(uid if ":" in uid else prefix + uid for uid in concept_ids(value_of(infons, key)))
    return ()


def _score(infons: Record) -> float:
    """The score that an annotation tells, else 1."""
    try:
        score = float(value_of(infons, "score") or 1)
    except ValueError:
        return 1.0
    return score if 0 <= score <= 1 else 1.0


def _blank(text: str) -> str:
    return re.sub(r"\s", " ", text)
