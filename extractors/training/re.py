"""Training a relation tagger: the task, what there is to tell in some corpora, and from which score on it is told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace

import torch
from torch import Tensor

from extractors.adapter import Adapter
from extractors.bert import Bert
from extractors.classifier import RelationClassifier, passes_of
from extractors.encoder import Encoder
from extractors.evaluate import f1, unordered
from extractors.marking import Entity, Level, Scheme
from extractors.relations import RelationTagger, chosen
from extractors.tags import Floats
from extractors.torch_model import TorchPassModel
from extractors.training.corpora import Corpus
from extractors.training.passes import RelationExample, RelationModel, ends, relation_examples
from extractors.training.plan import Plan
from pipeline.domains import Domain
from pipeline.errors import InputError, UsageError
from pipeline.types import Reading

log = logging.getLogger(__name__)
Claim = tuple[str, str, str]
OVERLAP = 128
SENTENCE = 128
RARE = 3
"""Pairs of types with fewer claims of a relation are not learnt for it."""


def marker_ids(encoder: Encoder, types: Sequence[str]) -> tuple[int, ...]:
    """An unused piece of the vocabulary a type, so that no embedding has to be added."""
    names = [f"[unused{number}]" for number in range(len(types))]
    ids = [encoder.tokenizer.token_to_id(name) for name in names]
    found = tuple(one for one in ids if one is not None)
    if len(found) < len(names):
        raise InputError(f"encoder {encoder.name} has no {len(names)} unused pieces to mark {len(types)} types with")
    return found


class RelationTask:
    """What :func:`extractors.training.run.fit` has to know of relations; ``held`` corpora choose the thresholds."""

    kind = "relations"

    def __init__(
        self,
        encoder: Encoder,
        corpora: Sequence[Corpus],
        development: Sequence[Corpus],
        scheme: Scheme,
        domain: Domain,
        *,
        layer: int,
        held: Sequence[Corpus] = (),
    ) -> None:
        self.encoder, self.corpora, self.development = encoder, corpora, development
        self.scheme, self.domain, self.held = scheme, domain, held
        self.layers = len(encoder.model.encoder.layer) if isinstance(encoder.model, Bert) else 0  # type: ignore[arg-type]
        if not 0 <= layer <= self.layers:
            raise UsageError(f"layer {layer}: {encoder.name} can be divided at 0 to {self.layers}")
        self.layer = layer
        self.outputs = len(scheme.relations)
        self.markers = scheme.markers
        self.thresholds = dict.fromkeys(scheme.relations, 0.5)

    def classifier(self, plan: Plan) -> RelationClassifier:
        return RelationClassifier(self.encoder, self.outputs, layer=self.layer, dropout=plan.dropout)

    def items(self, corpora: Sequence[Corpus]) -> list[list[RelationExample]]:
        return [list(relation_examples(self.encoder, corpus.readings, self.scheme, corpus.names)) for corpus in corpora]

    def length(self, item: RelationExample) -> int:
        """What a window costs, in pieces that go through the whole encoder."""
        above = 1 - self.layer / max(1, self.layers)
        return int((len(item.marked.ids) + 2) * (1 - above + above * len(item.marked.passes)))

    def model(self, classifier: RelationClassifier, plan: Plan) -> RelationModel:
        return RelationModel(classifier, self.scheme, plan, self.encoder.mask_id)

    def collate(self, items: Sequence[RelationExample]) -> dict[str, Tensor]:
        ids, mask, shapes, rows, marks = passes_of([item.marked for item in items], self.encoder)
        looks = [look for item in items for look in item.marked.passes]
        places: list[tuple[int, int, int]] = []
        objects = 0
        for number, look in enumerate(looks):
            for own in look.places:
                places.extend((number, place + 1, objects) for place in own)
                objects += 1
        return {
            **{"ids": ids, "mask": mask, "shapes": shapes, "rows": rows, "marks": marks},
            "places": torch.tensor(places).T,
            "gold": torch.cat([item.gold for item in items]),
            "told": torch.cat([item.told for item in items]),
        }

    def score(self, classifier: RelationClassifier) -> dict[str, float]:
        """F1 on each development corpus over the relations that it annotates, by pair and name, and their mean."""
        model = TorchPassModel(self.encoder, classifier)
        tagger = RelationTagger(model, self.scheme, self.domain, thresholds=self.thresholds, fingerprint="training")
        for corpus in self.held:
            best = best_threshold(tagger, corpus)
            self.thresholds |= {name: best for name in self.scheme.relations if name in corpus.names}
        scores = {
            corpus.name: f1(
                (told(reading, corpus.names, self.scheme), told(found, corpus.names, self.scheme))
                for reading, found in zip(corpus.readings, tagger(map(_bare, corpus.readings)), strict=True)
            )
            for corpus in self.development
        }
        return scores | {"f1": sum(scores.values()) / max(1, len(scores))}

    def start(self, classifier: RelationClassifier, adapter: Adapter) -> None:
        """A relation tagger begins with a new head."""

    def config(self) -> dict[str, object]:
        return {**self.scheme.as_json(), "layer": self.layer, "thresholds": self.thresholds}


def scheme_for(corpora: Sequence[Corpus], encoder: Encoder, domain: Domain, groups: Sequence[Sequence[str]]) -> Scheme:
    """What there is to tell in some corpora.

    Relations between mentions that are linked to nothing are told within a sentence, and have the direction that
    the domain pack says; those between concepts are told within a document, and have none.
    """
    readings = [reading for corpus in corpora for reading in corpus.readings]
    loose = any(not relation.subject.concept_id for reading in readings for relation in reading.relations)
    if loose:
        ordered = {kind.name for kind in domain.relations if not kind.symmetric}
        return scheme_of(readings, encoder, domain, groups=groups, ordered=ordered, level="sentence", window=SENTENCE)
    subjects = [entity.name for entity in domain.entities]
    return scheme_of(readings, encoder, domain, subjects=subjects, groups=groups)


def scheme_of(  # noqa: PLR0913  a scheme has that many choices
    readings: Iterable[Reading],
    encoder: Encoder,
    domain: Domain,
    *,
    subjects: Sequence[str] = (),
    groups: Sequence[Sequence[str]] = (),
    ordered: Set[str] = frozenset(),
    level: Level = "document",
    window: int = 0,
) -> Scheme:
    """Which types each relation joins in some readings.

    Where a relation is not ``ordered`` the corpora give it no direction: of two types the one that stands earlier in
    ``subjects`` is then the subject. Relations that are in none of the ``groups`` exclude no other; one that is in
    several belongs to the first.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    for relation in (relation for reading in readings for relation in reading.relations):
        one, other = relation.subject.type, relation.object.type
        if relation.predicate not in ordered and subjects:
            one, other = sorted((one, other), key=subjects.index)
        seen[relation.predicate, one, other] += 1
        if relation.predicate not in ordered and not subjects:
            seen[relation.predicate, other, one] += 1
    pairs: Mapping[str, frozenset[tuple[str, str]]] = {
        name: frozenset((one, other) for (kind, one, other), count in seen.items() if kind == name and count >= RARE)
        for name in sorted({name for name, *_ in seen})
    }
    grouped: set[str] = set()
    apart: list[tuple[str, ...]] = []
    for group in (*groups, *((name,) for name in pairs)):
        if members := tuple(name for name in group if name in pairs and name not in grouped):
            apart.append(members)
            grouped.update(members)
    joined = {kind for some in pairs.values() for pair in some for kind in pair}
    types = tuple(name for name in subjects or [entity.name for entity in domain.entities] if name in joined)
    return Scheme(
        types=types,
        relations=tuple(pairs),
        pairs=pairs,
        ordered=frozenset(ordered),
        groups=tuple(apart),
        markers=marker_ids(encoder, types),
        window=window or encoder.size,
        overlap=min(OVERLAP, (window or encoder.size) // 4),
        level=level,
    )


def best_threshold(tagger: RelationTagger, held: Corpus) -> float:
    """The threshold in twentieths with the best F1 of a corpus' relations."""
    scored = tagger.scores(held.readings)
    gold = [told(reading, held.names, tagger.scheme) for reading in held.readings]

    def trial(threshold: float) -> float:
        limits = {name: threshold if name in held.names else 2.0 for name in tagger.scheme.relations}
        return f1(zip(gold, (_found(rows, tagger.scheme, limits) for rows in scored), strict=True))

    trials = {step / 20: trial(step / 20) for step in range(2, 17)}
    best = max(trials, key=lambda threshold: (trials[threshold], threshold))
    log.info("threshold %.2f: %.2f F1 on %d held-out papers", best, trials[best], len(held.readings))
    return best


def told(reading: Reading, names: Set[str], scheme: Scheme) -> Set[Claim]:
    """What a reading says of which entities: name and two ids, in alphabetical order where it has no direction."""
    return {
        _claim(relation.predicate, one, other, scheme)
        for relation in reading.relations
        if relation.predicate in names
        for one, other in [ends(relation, scheme)]
    }


def _found(
    rows: Sequence[tuple[Entity, Entity, Floats]], scheme: Scheme, thresholds: Mapping[str, float]
) -> Set[Claim]:
    return {
        _claim(scheme.relations[at], one.id, other.id, scheme)
        for one, other, row in rows
        for at in chosen(row, scheme, thresholds)
    }


def _claim(name: str, one: str, other: str, scheme: Scheme) -> Claim:
    return (name, one, other) if name in scheme.ordered else unordered(name, one, other)


def _bare(reading: Reading) -> Reading:
    return replace(reading, relations=())
