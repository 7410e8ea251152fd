"""Training a relation tagger: the task, and what there is to tell in some corpora."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from itertools import accumulate, product

import torch
from torch import Tensor

from extractors.adapter import Adapter
from extractors.classifier import RelationClassifier, passes_of
from extractors.encoder import Encoder
from extractors.evaluate import f1
from extractors.marking import Level, Marked, Scheme, passes
from extractors.relations import RelationTagger, read_scheme
from extractors.torch_model import TorchPassModel
from extractors.training.corpora import Corpus
from extractors.training.passes import RelationExample, RelationModel, relation_examples
from extractors.training.plan import Plan
from extractors.training.thresholds import fitted, told
from extractors.training.tuning import Markers, begin_head, begin_marks
from pipeline.domains import Domain
from pipeline.errors import InputError
from pipeline.types import Reading

log = logging.getLogger(__name__)
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
        held: Sequence[Corpus] = (),
    ) -> None:
        self.encoder, self.corpora, self.development = encoder, corpora, development
        self.scheme, self.domain, self.held = scheme, domain, held
        self.outputs = len(scheme.outputs)
        self.markers = scheme.markers
        self.thresholds = dict.fromkeys(scheme.relations, 0.5)
        self.calibration: dict[str, tuple[float, float]] = {}

    def classifier(self, plan: Plan) -> RelationClassifier:
        return RelationClassifier(self.encoder, self.outputs, slots=self.scheme.slots, dropout=plan.dropout)

    def items(self, corpora: Sequence[Corpus]) -> list[list[RelationExample]]:
        return [list(relation_examples(self.encoder, corpus.readings, self.scheme, corpus.names)) for corpus in corpora]

    def length(self, item: RelationExample) -> int:
        """What an example costs, in pieces that go through the encoder."""
        return (len(item.marked.ids) + 2) * -(-len(item.marked.looks) // self.scheme.slots)

    def model(self, classifier: RelationClassifier, plan: Plan) -> RelationModel:
        return RelationModel(classifier, self.scheme, plan, self.encoder.mask_id)

    def collate(self, items: Sequence[RelationExample]) -> dict[str, Tensor]:
        """The looks of an example are shared out among passes anew each time, so that a subject meets many others."""
        shared: list[tuple[Marked, tuple[int, ...]]] = []
        places: list[tuple[int, int, int, int]] = []
        objects = 0
        for item in items:
            looks = item.marked.looks
            first = list(accumulate((len(look.objects) for look in looks), initial=objects))
            for together in passes(looks, self.scheme.slots, torch.randperm(len(looks)).tolist()):
                for slot, number in enumerate(together):
                    for at, own in enumerate(looks[number].places, first[number]):
                        places.extend((len(shared), place + 1, slot, at) for place in own)
                shared.append((item.marked, together))
            objects = first[-1]
        ids, mask, shapes, marks = passes_of(shared, self.encoder)
        return {
            **{"ids": ids, "mask": mask, "shapes": shapes, "marks": marks},
            "places": torch.tensor(places).T,
            "gold": torch.cat([item.gold for item in items]),
            "told": torch.cat([item.told for item in items]),
        }

    def score(self, classifier: RelationClassifier) -> dict[str, float]:
        """F1 on each development corpus over the relations that it annotates, by pair and name, and their mean.

        Calibrates the scores first, then chooses thresholds, both on the papers that are held out.
        """
        model = TorchPassModel(self.encoder, classifier)
        self.calibration = {}
        tagger = RelationTagger(
            model,
            self.scheme,
            self.domain,
            thresholds=self.thresholds,
            fingerprint="training",
            calibration=self.calibration,
        )
        for corpus in self.held:
            line, threshold = fitted(tagger, corpus)
            names = [name for name in self.scheme.relations if name in corpus.names]
            self.calibration.update(dict.fromkeys(names, line))
            self.thresholds.update(dict.fromkeys(names, threshold))
        scores = {
            corpus.name: f1(
                (told(reading, corpus.names, self.scheme), told(found, corpus.names, self.scheme))
                for reading, found in zip(corpus.readings, tagger(map(_bare, corpus.readings)), strict=True)
            )
            for corpus in self.development
        }
        return scores | {"f1": sum(scores.values()) / max(1, len(scores))}

    @torch.no_grad()
    def start(self, classifier: RelationClassifier, adapter: Adapter) -> None:
        """Begin with the marks of another tagger of relations, and with its head as far as it knows these relations.

        With a tagger of entities for a start the head is a new one.
        """
        if adapter.config["kind"] != self.kind:
            return
        other = read_scheme(adapter)
        begin_head(classifier, adapter.tensors, _slotted(self.scheme), _slotted(other))
        begin_marks(classifier, adapter.tensors, range(self.scheme.slots), range(other.slots))
        table, types = classifier.encoder.get_input_embeddings(), adapter.config["types"]
        if isinstance(table, Markers) and "markers" in adapter.tensors:
            for at, kind in enumerate(self.scheme.types):
                if kind in types:
                    table.delta[at] = torch.from_numpy(adapter.tensors["markers"][types.index(kind)])

    def config(self) -> dict[str, object]:
        chosen = {"thresholds": self.thresholds, "calibration": self.calibration}
        return {**self.scheme.as_json(), **chosen}


def _slotted(scheme: Scheme) -> list[tuple[int, tuple[str, bool]]]:
    """What each row of the head scores: an output, of the subject of a slot."""
    return list(product(range(scheme.slots), scheme.outputs))


def scheme_for(corpora: Sequence[Corpus], encoder: Encoder, domain: Domain, groups: Sequence[Sequence[str]]) -> Scheme:
    """What there is to tell in some corpora.

    Relations between mentions that are linked to nothing are told within a sentence, from both ends, and have the
    direction that the domain pack says; those between concepts are told within a document, and have none.
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
        mutual=level == "sentence",
    )


def _bare(reading: Reading) -> Reading:
    return replace(reading, relations=())
