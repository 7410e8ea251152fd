"""Training a relation tagger: from marked passes with the relations of their objects, as far as annotated."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from extractors.adapter import Adapter
from extractors.bert import Bert
from extractors.classifier import RelationClassifier, passes_of
from extractors.encoder import Encoder
from extractors.evaluate import f1, unordered
from extractors.marking import Entity, Level, Marked, Pass, Scheme, marked
from extractors.relations import RelationTagger, chosen
from extractors.tags import Floats, cut
from extractors.torch_model import TorchPassModel
from extractors.training.corpora import Corpus
from extractors.training.plan import Plan
from pipeline.domains import Domain
from pipeline.errors import InputError, UsageError
from pipeline.types import Reading, Relation

log = logging.getLogger(__name__)
Claim = tuple[str, str, str]
OVERLAP = 128
SENTENCE = 128
RARE = 3
"""Pairs of types with fewer claims of a relation are not learnt for it."""


@dataclass(frozen=True, slots=True)
class RelationExample:
    """A window with its passes; ``gold`` and ``told`` are booleans of shape objects (of all passes) x relations.

    Where ``told`` is false the corpus, or the scheme, says nothing about the relation.
    """

    marked: Marked
    gold: Tensor
    told: Tensor


def marker_ids(encoder: Encoder, types: Sequence[str]) -> tuple[int, ...]:
    """An unused piece of the vocabulary a type, so that no embedding has to be added."""
    names = [f"[unused{number}]" for number in range(len(types))]
    ids = [encoder.tokenizer.token_to_id(name) for name in names]
    found = tuple(one for one in ids if one is not None)
    if len(found) < len(names):
        raise InputError(f"encoder {encoder.name} has no {len(names)} unused pieces to mark {len(types)} types with")
    return found


def relation_examples(
    encoder: Encoder, readings: Iterable[Reading], scheme: Scheme, annotated: Set[str]
) -> Iterator[RelationExample]:
    """Marked windows of annotated readings of a corpus that annotates the given relations."""
    asked = torch.tensor([name in annotated for name in scheme.relations])
    for reading in readings:
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        claims = {(relation.predicate, *_ends(relation, scheme)) for relation in reading.relations}
        for window in marked(reading, pieces, scheme):
            looks = [look for look in window.passes if _told(look, scheme, asked).any()]
            if looks:
                gold = [_gold(claims, look.subject, other, scheme) for look in looks for other in look.objects]
                known = torch.cat([_told(look, scheme, asked) for look in looks])
                yield RelationExample(replace(window, passes=tuple(looks)), torch.tensor(gold), known)


def _told(look: Pass, scheme: Scheme, asked: Tensor) -> Tensor:
    return torch.tensor([scheme.holds(look.subject, other) for other in look.objects]) & asked


def _gold(claims: Set[tuple[str, str, str]], subject: Entity, object_: Entity, scheme: Scheme) -> list[bool]:
    return [
        (name, subject.id, object_.id) in claims
        or (name not in scheme.ordered and (name, object_.id, subject.id) in claims)
        for name in scheme.relations
    ]


class RelationModel(nn.Module):
    """A classifier with its loss: in each group of relations, cross-entropy over what is told and none of it."""

    def __init__(self, classifier: RelationClassifier, scheme: Scheme, plan: Plan, mask_id: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.groups = [[n for n, name in enumerate(scheme.relations) if name in group] for group in scheme.groups]
        self.markers: Tensor
        self.register_buffer("markers", torch.tensor(scheme.markers), persistent=False)
        self.masked, self.smoothing, self.mask_id = plan.masked, plan.smoothing, mask_id

    def forward(  # noqa: PLR0913, PLR0917  a batch has that many parts
        self,
        ids: Tensor,
        mask: Tensor,
        shapes: Tensor,
        rows: Tensor,
        marks: Tensor,
        places: Tensor,
        gold: Tensor,
        told: Tensor,
    ) -> dict[str, Tensor]:
        """``places`` has a column for each marker of an object: its pass, its place, the number of the object."""
        hidden = (torch.rand(ids.shape, device=ids.device) < self.masked) & (mask == 1) & ~torch.isin(ids, self.markers)
        scores = self.classifier(ids.masked_fill(hidden, self.mask_id), mask, shapes, rows, marks).float()
        passes, at, objects = places
        pooled = _logsumexp(scores[passes, at], objects, len(gold))
        losses = [self._loss(pooled[:, group], gold[:, group], told[:, group]) for group in self.groups]
        return {"loss": torch.cat(losses).mean()}

    def _loss(self, scores: Tensor, gold: Tensor, told: Tensor) -> Tensor:
        """For the objects that the group is told of: that one of the gold relations holds, or none where none is."""
        told_of = told.any(1)
        scores, gold = scores[told_of].masked_fill(~told[told_of], -torch.inf), gold[told_of] & told[told_of]
        scores = torch.cat([scores.new_zeros(len(scores), 1), scores], dim=1)
        right = torch.cat([~gold.any(1, keepdim=True), gold], dim=1)
        total = scores.logsumexp(1)
        loss = total - scores.masked_fill(~right, -torch.inf).logsumexp(1)
        if self.smoothing:
            open_ = scores.isfinite()
            even = total - scores.masked_fill(~open_, 0).sum(1) / open_.sum(1)
            loss = (1 - self.smoothing) * loss + self.smoothing * even
        return loss


def _logsumexp(scores: Tensor, groups: Tensor, number: int) -> Tensor:
    """The log-sum-exp of rows of the same group; scores of shape rows x relations, gives groups x relations."""
    index = groups[:, None].expand_as(scores)
    top = scores.new_full((number, scores.shape[1]), -torch.inf).scatter_reduce(0, index, scores.detach(), "amax")
    total = scores.new_zeros(top.shape).scatter_add(0, index, (scores - top[groups]).exp())
    return total.log() + top


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
        for one, other in [_ends(relation, scheme)]
    }


def _found(
    rows: Sequence[tuple[Entity, Entity, Floats]], scheme: Scheme, thresholds: Mapping[str, float]
) -> Set[Claim]:
    return {
        _claim(scheme.relations[at], one.id, other.id, scheme)
        for one, other, row in rows
        for at in chosen(row, scheme, thresholds)
    }


def _ends(relation: Relation, scheme: Scheme) -> tuple[str, str]:
    if scheme.level == "sentence":
        return relation.subject.uid, relation.object.uid
    return relation.subject.concept_id, relation.object.concept_id


def _claim(name: str, one: str, other: str, scheme: Scheme) -> Claim:
    return (name, one, other) if name in scheme.ordered else unordered(name, one, other)


def _bare(reading: Reading) -> Reading:
    return replace(reading, relations=())
