"""Training a relation tagger: from marked passes with the relations of their objects, as far as annotated."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from extractors.adapter import Adapter, TokenClassifier, factors, padded, write_adapter
from extractors.encoder import Encoder
from extractors.evaluate import claims_of, f1, relation_f1, unordered
from extractors.marking import Entity, Marked, Scheme, passes
from extractors.relations import RelationTagger, chosen
from extractors.tags import cut
from extractors.train import Annotated, Plan, batches, chance_of, drawn, fit, prepare
from pipeline.domains import Domain
from pipeline.errors import InputError
from pipeline.types import Reading

log = logging.getLogger(__name__)
OVERLAP = 128
HELD_OUT = 10  # one training paper in so many chooses the thresholds
TOLERANCE = 2.0  # per cent
RARE = 3  # claims; pairs of types with fewer are not learnt


@dataclass(frozen=True, slots=True)
class RelationExample:
    """A window of a pass; ``gold`` and ``told`` are booleans of shape objects x relations.

    Where ``told`` is false the corpus, or the scheme, says nothing about the relation.
    """

    marked: Marked
    gold: Tensor
    told: Tensor


def marker_ids(encoder: Encoder, types: Sequence[str]) -> tuple[int, ...]:
    """Three unused pieces of the vocabulary a type, so that no embedding has to be added."""
    names = [f"[unused{number}]" for number in range(3 * len(types))]
    ids = [encoder.tokenizer.token_to_id(name) for name in names]
    found = tuple(one for one in ids if one is not None)
    if len(found) < len(names):
        raise InputError(f"encoder {encoder.name} has no {len(names)} unused pieces to mark {len(types)} types with")
    return found


def relation_examples(
    encoder: Encoder, readings: Iterable[Reading], scheme: Scheme, annotated: Set[str]
) -> Iterator[RelationExample]:
    """Passes over annotated readings of a corpus that annotates the given relations."""
    asked = torch.tensor([name in annotated for name in scheme.relations])
    for reading in readings:
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        claims = {(r.predicate, r.subject.concept_id, r.object.concept_id) for r in reading.relations}
        for marked in passes(reading, pieces, scheme):
            told = torch.tensor([scheme.holds(marked.subject, other) for other in marked.objects]) & asked
            if told.any():
                gold = torch.tensor([_gold(claims, marked.subject, other, scheme) for other in marked.objects])
                yield RelationExample(marked, gold, told)


def _gold(claims: Set[tuple[str, str, str]], subject: Entity, object_: Entity, scheme: Scheme) -> list[bool]:
    return [
        (name, subject.id, object_.id) in claims
        or (name not in scheme.ordered and (name, object_.id, subject.id) in claims)
        for name in scheme.relations
    ]


class RelationLoss:
    """Binary cross-entropy a relation and object, over what is told."""

    def __init__(self, model: TokenClassifier, encoder: Encoder, plan: Plan) -> None:
        self.model = model
        self.encoder = encoder
        self.device = model.head.weight.device
        self.masked = plan.masked
        self.chance = torch.Generator().manual_seed(plan.seed)

    def __call__(self, examples: Sequence[RelationExample]) -> Tensor:
        length = max(len(example.marked.ids) for example in examples) + 2
        ids, mask = padded([example.marked.ids for example in examples], self.encoder, length)
        logits = self.model(self._hidden(ids, mask, examples).to(self.device), mask.to(self.device)).float()
        scores = torch.stack(
            [
                logits[row, [place + 1 for place in places]].logsumexp(0)
                for row, example in enumerate(examples)
                for places in example.marked.places
            ]
        )
        gold = torch.cat([example.gold for example in examples]).to(self.device)
        told = torch.cat([example.told for example in examples]).to(self.device)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(scores, gold.float(), reduction="none")
        return (losses * told).sum() / len(scores)

    def _hidden(self, ids: Tensor, mask: Tensor, examples: Sequence[RelationExample]) -> Tensor:
        """Mask some pieces at random, never a marker of an object."""
        hidden = (torch.rand(ids.shape, generator=self.chance) < self.masked) & (mask == 1)
        for row, example in enumerate(examples):
            hidden[row, [place + 1 for places in example.marked.places for place in places]] = False
        return ids.masked_fill(hidden, self.encoder.mask_id)


def train_relation_tagger(
    encoder: Encoder,
    corpora: Sequence[Annotated],
    scheme: Scheme,
    domain: Domain,
    out: Path,
    plan: Plan,
    *,
    start: Adapter | None = None,
) -> None:
    """Train an adapter that tells the relations of a scheme and write it to ``out`` after every epoch.

    One paper in :data:`HELD_OUT` is not trained on but chooses the thresholds.
    """
    model = prepare(encoder, len(scheme.relations), plan, markers=scheme.markers, start=start)
    held = [replace(corpus, readings=corpus.readings[::HELD_OUT]) for corpus in corpora]
    kept = [tuple(r for n, r in enumerate(corpus.readings) if n % HELD_OUT) for corpus in corpora]
    examples = [
        list(relation_examples(encoder, readings, scheme, corpus.names))
        for corpus, readings in zip(corpora, kept, strict=True)
    ]
    log.info("passes: %s", [len(group) for group in examples])

    @functools.lru_cache(maxsize=1)
    def epoch(number: int) -> list[list[RelationExample]]:
        chance = chance_of(plan.seed + number)
        seen = drawn(examples, corpora, chance)
        return batches(seen, lambda e: len(e.marked.ids) + 2, tokens=plan.batch_tokens, chance=chance)

    def after(number: int) -> None:
        tagger = RelationTagger(encoder, model, scheme, domain, thresholds={}, fingerprint="training")
        best = [(corpus, best_threshold(tagger, corpus)) for corpus in held]
        tagger.thresholds = {name: threshold for corpus, threshold in best for name in sorted(corpus.names)}
        config: dict[str, object] = {"kind": "relations", "encoder": encoder.name, "encoder_sha256": encoder.sha256}
        config |= {"thresholds": tagger.thresholds, "plan": asdict(plan), "epochs_done": number + 1}
        write_adapter(out, config | scheme.as_json(), factors(model))
        for corpus in corpora:
            read = list(tagger(replace(reading, relations=()) for reading in corpus.peek))
            score = relation_f1(corpus.peek, read, corpus.names)
            log.info("epoch %d: %.2f F1 on %d papers", number + 1, score, len(read))

    fit(model, epoch, RelationLoss(model, encoder, plan), plan, after)


def scheme_of(
    readings: Iterable[Reading], encoder: Encoder, subjects: Sequence[str], exclusive: frozenset[str]
) -> Scheme:
    """Which types each relation joins in some readings, where the corpora give no direction.

    Of two types the one that stands earlier in ``subjects`` is the subject.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    for relation in (relation for reading in readings for relation in reading.relations):
        one, other = sorted((relation.subject.type, relation.object.type), key=subjects.index)
        seen[relation.predicate, one, other] += 1
    pairs: Mapping[str, frozenset[tuple[str, str]]] = {
        name: frozenset((one, other) for (kind, one, other), count in seen.items() if kind == name and count >= RARE)
        for name in sorted({name for name, *_ in seen})
    }
    return Scheme(
        types=tuple(subjects),
        relations=tuple(pairs),
        pairs=pairs,
        ordered=frozenset(),
        exclusive=exclusive,
        markers=marker_ids(encoder, subjects),
        window=encoder.size,
        overlap=OVERLAP,
    )


def best_threshold(tagger: RelationTagger, held: Annotated) -> float:
    """The threshold in twentieths with the best F1 of a corpus' relations.

    Of those within :data:`TOLERANCE` of the best, which so few papers cannot tell apart, the highest is taken: for a
    graph, precision is worth more than recall.
    """
    scored = tagger.scores(held.readings)
    scheme = tagger.scheme

    def score(threshold: float) -> float:
        limits = {name: threshold if name in held.names else 2.0 for name in scheme.relations}
        found = [
            {
                unordered(scheme.relations[at], one.id, other.id)
                for one, other, row in rows
                for at in chosen(row * scheme.holds(one, other), scheme, limits)
            }
            for rows in scored
        ]
        gold = [claims_of(reading, held.names) for reading in held.readings]
        return f1(zip(gold, found, strict=True))

    trials = {threshold: score(threshold) for threshold in (step / 20 for step in range(2, 15))}
    best = max(threshold for threshold, f in trials.items() if f >= max(trials.values()) - TOLERANCE)
    log.info("threshold %.2f: %.2f F1 on %d held-out papers", best, trials[best], len(held.readings))
    return best
