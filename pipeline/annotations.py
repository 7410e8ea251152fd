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

from pipeline.text import split
from pipeline.types import Mention, Reading, Relation, Section

Writer = Callable[[Iterable[Reading]], Iterator[str]]
_TOKEN = re.compile(r"\w+|[^\w\s]")


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
            (relation.predicate, relation.subject.concept_id, relation.object.concept_id): None
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

    A mention that begins or ends inside a token stands for the whole token.
    """
    for reading in readings:
        yield json.dumps(_scierc_document(reading), ensure_ascii=False) + "\n"


WRITERS: Mapping[str, Writer] = {"pubtator": pubtator, "jsonl": jsonl, "bioc": bioc, "scierc": scierc}


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ")


def _known(mention: Mention) -> bool:
    return bool(mention.concept_id) and not mention.concept_id.startswith("NIL:")


def _pubtator_mention(mention: Mention) -> str:
    concept = mention.concept_id if _known(mention) else "-"
    surface = mention.text.replace("\n", " ").replace("\t", " ")
    return "\t".join((mention.document_id, str(mention.start), str(mention.end), surface, mention.type, concept))


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
    return row


def _bioc_document(reading: Reading) -> dict[str, Any]:
    document = reading.document
    names = {mention.uid: f"M{number}" for number, mention in enumerate(reading.mentions)}
    passages = [
        {
            "offset": section.start,
            "infons": {"type": section.kind},
            "text": section.of(document.text),
            "sentences": [],
            "annotations": [
                _bioc_mention(m, names) for m in reading.mentions if section.start <= m.start < section.end
            ],
            "relations": [],
        }
        for section in document.sections or (Section(0, len(document.text), "text"),)
    ]
    relations = [
        {
            "id": f"R{number}",
            "infons": {"type": r.predicate, "score": r.score, "polarity": r.polarity, "certainty": r.certainty},
            "nodes": [
                {"refid": names[r.subject.uid], "role": "subject"},
                {"refid": names[r.object.uid], "role": "object"},
            ],
        }
        for number, r in enumerate(reading.relations)
    ]
    return {"id": document.id, "infons": {}, "passages": passages, "annotations": [], "relations": relations}


def _bioc_mention(mention: Mention, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": names[mention.uid],
        "infons": {"type": mention.type, "identifier": mention.concept_id, "score": mention.score},
        "text": mention.text,
        "locations": [{"offset": mention.start, "length": mention.end - mention.start}],
    }


def _scierc_document(reading: Reading) -> dict[str, Any]:
    text = reading.document.text
    spans = reading.sentences or split(reading.document).sentences
    tokens = [[(m.start(), m.end()) for m in _TOKEN.finditer(text, s.start, s.end)] for s in spans]
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
