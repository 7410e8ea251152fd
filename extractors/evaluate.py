"""How well mentions and relations were read: precision, recall and F1 over documents, in per cent.

All scores are micro-averages. :func:`measures` lists, document by document, what is right and what was found;
:func:`score` counts it and bootstraps an interval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.domains import Domain
from pipeline.sources.shared.gold import GOLD, JOINTS, NO_CONCEPT
from pipeline.types import Mention, Reading, Relation

Claims = frozenset[tuple[str, str, str]]
Facts = Mapping[str, Set[tuple[object, ...]]]
Pairs = Sequence[tuple[Set[tuple[object, ...]], Set[tuple[object, ...]]]]

# What BioRED and SciERC annotate without a direction, whatever a domain pack makes of it.
UNORDERED = frozenset(
    {
        *("Association", "Bind", "Comparison", "Conversion", "Cotreatment", "Drug_Interaction"),
        *("Negative_Correlation", "Positive_Correlation", "COMPARE", "CONJUNCTION"),
    }
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts. ``types`` limits mentions and links, not relations; empty means all.

    With ``spans`` a relation joins two places, else two concepts. Relations in ``unordered`` have no direction.
    ``tokens`` says that the text is tokens, which are never divided (:func:`whole_tokens`).
    """

    types: Set[str] = frozenset()
    tokens: bool = False
    spans: bool = False
    unordered: Set[str] = UNORDERED

    def mentions(self, reading: Reading) -> list[Mention]:
        return [mention for mention in reading.mentions if not self.types or mention.type in self.types]

    def ends(self, relation: Relation) -> tuple[Any, Any] | None:
        """The arguments of a claim, in order; None for one that cannot be told by concepts, or is negated."""
        one: Any
        other: Any
        if self.spans:
            one, other = ((end.start, end.end) for end in (relation.subject, relation.object))
        else:
            one, other = relation.subject.concept_id, relation.object.concept_id
            if relation.polarity == "negative" or any(not uid or uid.startswith("NIL:") for uid in (one, other)):
                return None
        return (other, one) if relation.predicate in self.unordered and other < one else (one, other)


EVERYTHING = Rules()


@dataclass(frozen=True, slots=True)
class Score:
    """Counts, and between which bounds F1 lies in 95 % of the bootstrapped samples.

    >>> Score(right=1, predicted=2, gold=3).f1
    40.0
    """

    right: int
    predicted: int
    gold: int
    low: float = 0.0
    high: float = 0.0

    @property
    def precision(self) -> float:
        return 100 * self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        return 100 * self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def row(self) -> dict[str, Any]:
        """What is printed of it, to two decimals."""
        shares = {"p": self.precision, "r": self.recall, "f1": self.f1, "low": self.low, "high": self.high}
        counts = {"right": self.right, "predicted": self.predicted, "gold": self.gold}
        return {name: round(value, 2) for name, value in shares.items()} | counts


def f1(pairs: Iterable[tuple[Set[object], Set[object]]]) -> float:
    """F1 of pairs of what is right and what was found.

    >>> f1([({1, 2}, {2, 3}), ({4}, {4})])
    66.66666666666667
    """
    right = total = 0
    for gold, found in pairs:
        right, total = right + len(gold & found), total + len(gold) + len(found)
    return 200 * right / max(total, 1)


def mention_f1(gold: Sequence[Reading], found: Sequence[Reading], types: Set[str]) -> float:
    """A mention is right when start, end and type agree; other types are left out on both sides."""

    def marks(reading: Reading) -> set[object]:
        return {(m.start, m.end, m.type) for m in reading.mentions if m.type in types}

    return f1((marks(one), marks(other)) for one, other in zip(gold, found, strict=True))


def relation_f1(gold: Sequence[Reading], found: Sequence[Reading], names: Set[str]) -> float:
    """A relation is right when document, name and the two concepts agree, whichever of them is the subject."""
    return f1((claims_of(one, names), claims_of(other, names)) for one, other in zip(gold, found, strict=True))


def claims_of(reading: Reading, names: Set[str]) -> Claims:
    """What a reading says of which concepts, without direction: (relation, one id, other id)."""
    return frozenset(
        unordered(relation.predicate, relation.subject.concept_id, relation.object.concept_id)
        for relation in reading.relations
        if relation.predicate in names
    )


def unordered(name: str, one: str, other: str) -> tuple[str, str, str]:
    """A claim with its two ids in alphabetical order."""
    first, second = sorted((one, other))
    return name, first, second


def renamed(reading: Reading, domain: Domain) -> Reading:
    """The same reading in the names of a domain pack; a label that it does not know stays as it is."""

    def typed(mention: Mention) -> Mention:
        return replace(mention, type=domain.type_of(mention.type) or mention.type)

    relations = (
        replace(
            relation,
            predicate=kind.name if (kind := domain.relation(relation.predicate)) else relation.predicate,
            subject=typed(relation.subject),
            object=typed(relation.object),
        )
        for relation in reading.relations
    )
    return replace(reading, mentions=tuple(map(typed, reading.mentions)), relations=tuple(relations))


def merged(readings: Iterable[Reading]) -> dict[str, Reading]:
    """Readings by document; of a document that comes twice, what both say."""
    whole: dict[str, Reading] = {}
    for reading in readings:
        before = whole.get(reading.document.id, replace(reading, mentions=(), relations=()))
        mentions, relations = (*before.mentions, *reading.mentions), (*before.relations, *reading.relations)
        whole[reading.document.id] = replace(before, mentions=mentions, relations=relations)
    return whole


def aligned(gold: Iterable[Reading], found: Mapping[str, Reading]) -> list[Reading]:
    """For each gold reading what was found in its document: nothing, where that was not read."""
    return [found.get(reading.document.id, Reading(reading.document)) for reading in gold]


def whole_tokens(reading: Reading) -> Reading:
    """The same reading with mentions that begin and end where tokens do, in a text whose tokens blanks part."""
    text = reading.document.text

    def whole(mention: Mention) -> Mention:
        start, end = text.rfind(" ", 0, mention.start) + 1, text.find(" ", mention.end)
        end = len(text) if end < 0 else end
        return replace(mention, start=start, end=end, text=text[start:end])

    relations = (replace(row, subject=whole(row.subject), object=whole(row.object)) for row in reading.relations)
    return replace(reading, mentions=tuple(map(whole, reading.mentions)), relations=tuple(relations))


def measures(gold: Sequence[Reading], found: Sequence[Reading], rules: Rules = EVERYTHING) -> dict[str, Pairs]:
    """For each measure and document what is right and what was found.

    ========================  =====================================================================
    ``ner``, ``ner:TYPE``     start, end and type of a mention
    ``ner_text``              the same without the type
    ``link_mention``          start, end and all concepts of a mention that has any
    ``link_document``         the concepts that a document names
    ``relation``              name and concepts of a claim that is not negated; ``relation:NAME``
    ``rel``, ``rel_strict``   name and places of a claim; and the types of what it joins
    ========================  =====================================================================

    The last row takes the place of the four before it where ``rules.spans``. Types and names are those of the gold.
    """
    facts_of = _span_facts if rules.spans else _concept_facts
    facts = [[facts_of(reading, rules) for reading in side] for side in (gold, found)]
    parts = sorted({name for row in facts[0] for name in row if ":" in name})
    kinds, claims = ([name for name in parts if name.startswith(key)] for key in ("ner:", "relation:"))
    names = ["ner", *kinds, "ner_text", "link_mention", "link_document", "relation", *claims]
    if rules.spans:
        names = ["ner", *kinds, "rel", "rel_strict"]
    none: frozenset[tuple[object, ...]] = frozenset()
    return {
        name: [(one.get(name, none), other.get(name, none)) for one, other in zip(*facts, strict=True)]
        for name in names
    }


def score(pairs: Mapping[str, Pairs], *, resamples: int = 1000, seed: int = 13) -> dict[str, Score]:
    """Count, and bootstrap F1 over documents (Efron, 1979); all measures see the same samples.

    >>> score({"ner": [({1, 2}, {2, 3}), ({4}, {4})]})["ner"].row()["f1"]
    66.67
    """
    documents = max(map(len, pairs.values()), default=0)
    times = np.zeros((resamples, documents), dtype=np.int64)
    if documents:
        times = np.random.default_rng(seed).multinomial(documents, [1 / documents] * documents, size=resamples)
    return {name: _scored(rows, times) for name, rows in pairs.items()}


def by_familiarity(
    gold: Sequence[Reading], found: Sequence[Reading], known: Set[str], rules: Rules = EVERYTHING
) -> dict[str, Pairs]:
    """``ner`` apart for mentions whose text in lower case is among the ``known`` ones, and for all others."""

    def marks(reading: Reading, seen: bool) -> set[tuple[object, ...]]:
        return {(m.start, m.end, m.type) for m in rules.mentions(reading) if (m.text.lower() in known) == seen}

    return {
        name: [(marks(one, seen), marks(other, seen)) for one, other in zip(gold, found, strict=True)]
        for name, seen in (("ner_seen", True), ("ner_unseen", False))
    }


def concepts(mention: Mention) -> frozenset[str]:
    """The concepts that a mention means, without the names of their vocabularies; none where it is linked to none.

    All of a gold mention, for an annotator may mean several; else the best.
    """
    meant = [g.concept_id for g in mention.groundings if g.method == GOLD] or [mention.concept_id]
    parts = (part.strip() for uid in meant if not uid.startswith("NIL:") for part in JOINTS.split(uid))
    return frozenset(part.split(":", 1)[-1] for part in parts if part not in NO_CONCEPT)


def _concept_facts(reading: Reading, rules: Rules) -> Facts:
    facts = _mention_facts(reading, rules)
    ids = {(mention.start, mention.end): concepts(mention) for mention in reading.mentions}
    for place in [(mention.start, mention.end) for mention in rules.mentions(reading)]:
        facts["ner_text"].add(place)
        if ids[place]:
            facts["link_mention"].add((*place, ids[place]))
            facts["link_document"] |= {(uid,) for uid in ids[place]}
    for relation in reading.relations:
        if ends := rules.ends(relation):
            facts["relation"].add((relation.predicate, *ends))
            facts[f"relation:{relation.predicate}"].add(ends)
    return facts


def _span_facts(reading: Reading, rules: Rules) -> Facts:
    facts = _mention_facts(reading, rules)
    kinds = {(mention.start, mention.end): mention.type for mention in reading.mentions}
    for relation in reading.relations:
        if ends := rules.ends(relation):
            facts["rel"].add((relation.predicate, *ends))
            facts["rel_strict"].add((relation.predicate, *ends, *map(kinds.get, ends)))
    return facts


def _mention_facts(reading: Reading, rules: Rules) -> defaultdict[str, set[tuple[object, ...]]]:
    facts: defaultdict[str, set[tuple[object, ...]]] = defaultdict(set)
    for mention in rules.mentions(reading):
        facts["ner"].add((mention.start, mention.end, mention.type))
        facts[f"ner:{mention.type}"].add((mention.start, mention.end))
    return facts


def _scored(rows: Pairs, times: npt.NDArray[np.int64]) -> Score:
    """``times`` says how often each sample (row) holds each document (column)."""
    counts = np.array([(len(gold & found), len(found), len(gold)) for gold, found in rows], dtype=int).reshape(-1, 3)
    right, predicted, gold = (int(column) for column in counts.sum(axis=0))
    sampled = times @ counts
    low, high = np.percentile(200 * sampled[:, 0] / np.maximum(sampled[:, 1] + sampled[:, 2], 1), [2.5, 97.5])
    return Score(right, predicted, gold, float(low), float(high))
