"""Readings written in the annotation formats of the field: PubTator, BioC JSON, SciERC and our own JSON Lines.

Each writer turns readings into pieces of text, a document at a time.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pipeline.sources.shared.gold import GOLD
from pipeline.text import split
from pipeline.types import Document, Mention, Reading, Relation, Section

Writer = Callable[[Iterable[Reading]], Iterator[str]]
_TOKEN = re.compile(r"\w+|[^\w\s]")
_BLANKS_APART = re.compile(r"\S+")
_MARK = re.compile(r"(?<!\S)[.,;:?!)](?!\S)|\w[.,;:?!)](?!\S)")


def pubtator(readings: Iterable[Reading]) -> Iterator[str]:
    """PubTator: title, abstract, mentions, and relations between concepts.

    Offsets count over title, one character, abstract. A mention without a concept has ``-`` for its id, and a relation
    that has such an argument cannot be written in this format, which names arguments by concept.
    """
    for reading in readings:
        document = reading.document
        title, _, abstract = document.text.partition("\n")
        # one character a line break, so that the offsets stay
        lines = [f"{document.id}|t|{title}", f"{document.id}|a|{_one_line(abstract)}"]
        lines += [_pubtator_mention(mention) for mention in reading.mentions]
        claims = {
            (relation.predicate, relation.subject.concept_id, relation.object.concept_id, *_novelty(relation)): None
            for relation in reading.relations
            if relation.polarity == "positive" and _known(relation.subject) and _known(relation.object)
        }
        lines += ["\t".join((document.id, *claim)) for claim in claims]
        yield "\n".join(lines) + "\n\n"


def jsonl(readings: Iterable[Reading]) -> Iterator[str]:
    """Our own JSON Lines: everything, each mention and relation with its score and extractor."""
    for reading in readings:
        row = {
            "id": reading.document.id,
            "year": reading.document.year,
            "text": reading.document.text,
            "mentions": [_plain(mention) for mention in reading.mentions],
            "relations": [_plain_relation(relation) for relation in reading.relations],
        }
        yield json.dumps(row) + "\n"


def bioc(readings: Iterable[Reading]) -> Iterator[str]:
    """BioC JSON, one collection: a passage a section, offsets into the whole document (Comeau et al., 2013)."""
    yield '{"source": "hypograph", "date": "", "key": "", "infons": {}, "documents": ['
    for number, reading in enumerate(readings):
        yield (",\n" if number else "\n") + json.dumps(_bioc_document(reading))
    yield "\n]}\n"


def scierc(readings: Iterable[Reading]) -> Iterator[str]:
    """SciERC JSON Lines: tokens by sentence, spans by token of the document, ends inclusive (Luan et al., 2018).

    A text that was read from tokens keeps them. A mention that begins or ends inside a token stands for all of it.
    """
    for reading in readings:
        yield json.dumps(_scierc_document(reading), ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Writer] = {"pubtator": pubtator, "jsonl": jsonl, "bioc": bioc, "scierc": scierc}


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _known(mention: Mention) -> bool:
    return bool(mention.concept_id) and not mention.concept_id.startswith("NIL:")


def _pubtator_mention(mention: Mention) -> str:
    concept = "|".join(_meant(mention)) if _known(mention) else "-"
    surface = mention.text.replace("\n", " ").replace("\t", " ")
    return "\t".join((mention.document_id, str(mention.start), str(mention.end), surface, mention.type, concept))


def _novelty(relation: Relation) -> tuple[str, ...]:
    """The word that BioRED has for it; nothing where it is not known."""
    return () if relation.novel is None else ("Novel" if relation.novel else "No",)


def _plain(mention: Mention) -> dict[str, Any]:
    row = asdict(mention)
    del row["document_id"]
    return row


def _plain_relation(relation: Relation) -> dict[str, Any]:
    row = asdict(relation)
    del row["document_id"]
    for role in ("subject", "object"):
        mention: Mention = getattr(relation, role)
        row[role] = {"start": mention.start, "end": mention.end, "concept_id": mention.concept_id}
    if relation.novel is None:
        del row["novel"]
    return row


def _bioc_document(reading: Reading) -> dict[str, Any]:
    document = reading.document
    names = {mention.uid: f"M{number}" for number, mention in enumerate(reading.mentions)}
    stretches = list(_stretches(document))
    starts = [stretch.start for stretch in stretches]
    inside: list[list[dict[str, Any]]] = [[] for _ in stretches]
    for mention in reading.mentions:
        inside[max(bisect_right(starts, mention.start) - 1, 0)].append(_bioc_mention(mention, names))
    passages = [
        {
            "offset": stretch.start,
            "infons": {"type": stretch.kind},
            "text": stretch.of(document.text),
            "sentences": [],
            "annotations": annotations,
            "relations": [],
        }
        for stretch, annotations in zip(stretches, inside, strict=True)
    ]
    relations = [_bioc_relation(relation, number, names) for number, relation in enumerate(reading.relations)]
    infons = dict(_about(document))
    return {"id": document.id, "infons": infons, "passages": passages, "annotations": [], "relations": relations}


def _stretches(document: Document) -> Iterator[Section]:
    """The sections, and what of the text lies between them."""
    text, at = document.text, 0
    if not document.sections:
        yield Section(0, len(text), "text")
        return
    for section in (*sorted(document.sections), Section(len(text), len(text), "")):
        between = text[at : section.start]
        if between.strip():
            start = at + len(between) - len(between.lstrip())
            yield Section(start, start + len(between.strip()), "text")
        if section.kind:
            yield section
        at = max(at, section.end)


def _about(document: Document) -> Iterator[tuple[str, str]]:
    """What is known of the paper, under the names that PubMed Central's BioC has for it."""
    for curie in document.ids:
        source, _, value = curie.partition(":")
        yield f"article-id_{source.replace('pmcid', 'pmc')}", value
    for number, author in enumerate(document.authors):
        family, _, given = author.partition(", ")
        yield f"name_{number}", f"surname:{family};given-names:{given}" if given else f"surname:{family}"
    known = {
        "date": document.date,
        "journal": document.journal,
        "language": document.language,
        "license": document.licence,
        "status": document.status if document.status != "article" else "",
    }
    yield from ((key, value) for key, value in known.items() if value)


def _bioc_mention(mention: Mention, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": names[mention.uid],
        "infons": {"type": mention.type, "identifier": ";".join(_meant(mention)), "score": mention.score},
        "text": mention.text,
        "locations": [{"offset": mention.start, "length": mention.end - mention.start}],
    }


def _meant(mention: Mention) -> list[str]:
    """The best concept; of a gold mention all, for each of them is meant."""
    gold = [grounding.concept_id for grounding in mention.groundings if grounding.method == GOLD]
    return gold or [mention.concept_id]


def _bioc_relation(relation: Relation, number: int, names: Mapping[str, str]) -> dict[str, Any]:
    infons = {
        "type": relation.predicate,
        "entity1": ";".join(_meant(relation.subject)),
        "entity2": ";".join(_meant(relation.object)),
        "score": relation.score,
        "polarity": relation.polarity,
        "certainty": relation.certainty,
        "offset": relation.start,
        "length": relation.end - relation.start,
    }
    for word in _novelty(relation):
        infons["novel"] = word
    nodes = [
        {"refid": names[mention.uid], "role": role}
        for mention, role in ((relation.subject, "subject"), (relation.object, "object"))
    ]
    return {"id": f"R{number}", "infons": infons, "nodes": nodes}


def _scierc_document(reading: Reading) -> dict[str, Any]:
    text = reading.document.text
    spans = reading.sentences or split(reading.document).sentences
    token = _BLANKS_APART if _is_tokenised(text) else _TOKEN
    tokens = [[(m.start(), m.end()) for m in token.finditer(text, s.start, s.end)] for s in spans]
    tokens = [sentence for sentence in tokens if sentence]
    flat = [token for sentence in tokens for token in sentence]
    starts, ends = [start for start, _ in flat], [end for _, end in flat]
    first_of = [sum(len(sentence) for sentence in tokens[:number]) for number in range(len(tokens))]

    def place(mention: Mention) -> tuple[int, int]:
        return bisect_right(ends, mention.start), bisect_left(starts, mention.end) - 1

    def by_sentence(rows: Iterable[list[Any]]) -> list[list[list[Any]]]:
        out: list[list[list[Any]]] = [[] for _ in tokens]
        for row in rows:
            out[bisect_right(first_of, row[0]) - 1].append(row)
        return out

    placed = [(mention, place(mention)) for mention in reading.mentions]
    return {
        "doc_key": reading.document.id,
        "sentences": [[text[start:end] for start, end in sentence] for sentence in tokens],
        "ner": by_sentence([*where, mention.type] for mention, where in placed if where[0] <= where[1]),
        "relations": by_sentence([*place(r.subject), *place(r.object), r.predicate] for r in reading.relations),
    }


def _is_tokenised(text: str) -> bool:
    """Whether blanks already part all tokens: most marks that end a phrase stand alone.

    >>> _is_tokenised("It thins ( e.g. ) blood ."), _is_tokenised("It thins (e.g.) blood.")
    (True, False)
    """
    marks = _MARK.findall(text)
    return 2 * sum(len(mark) == 1 for mark in marks) > len(marks)
