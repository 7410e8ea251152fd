"""Relations by token classification: the subject is marked in the text, and the markers of its objects are tagged.

The model gives the marker of a possible object one score a relation; an object's score is the log-sum-exp over its
mentions, so that one clear statement is enough. Of the relations that exclude each other, and none of them, whose
score is zero, the probabilities sum to one. (Marked subjects with packed objects, and relations that are told from both
ends, come from PL-Marker, Ye et al., ACL 2022; the pooling over mentions from BRAN, Verga et al., NAACL 2018.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from extractors.adapter import Adapter, read_adapter
from extractors.adapters import fingerprint
from extractors.calibration import logit, sigmoid
from extractors.marking import Entity, Marked, Scheme, marked
from extractors.model import PassModel, open_pass_model
from extractors.tags import Floats, cut
from pipeline.domains import Domain, RelationType
from pipeline.errors import AdapterError
from pipeline.types import Mention, Reading, Relation

Bools = npt.NDArray[np.bool_]


class RelationTagger:
    """An :class:`extractors.base.Extractor` that adds relations between the mentions of a reading.

    It reads what the adapter was trained on and the domain pack allows. ``calibration`` is what :func:`calibrated`
    takes. ``ahead`` is how many readings are read before the first is given back. Two entities that are named further
    apart than a window, sentences without a mention not counted, are not compared.
    """

    ahead = 16

    def __init__(
        self,
        model: PassModel,
        scheme: Scheme,
        domain: Domain,
        *,
        thresholds: Mapping[str, float],
        fingerprint: str,
        calibration: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.model = model
        self.scheme = scheme
        self.kinds = relation_types(scheme, domain)
        self.thresholds = thresholds
        self.calibration = {} if calibration is None else calibration
        self.fingerprint = fingerprint

    @classmethod
    def load(cls, name: str | Path, domain: Domain, *, device: str = "auto") -> RelationTagger:
        """Load an adapter by name or folder; raises AdapterError where it does not fit the encoder or the domain."""
        adapter = read_adapter(name, kind="relations")
        scheme = read_scheme(adapter)
        model = open_pass_model(adapter, device=device)
        config = adapter.config
        return cls(
            model,
            scheme,
            domain,
            thresholds=config["thresholds"],
            fingerprint=fingerprint("relations", name, domain.fingerprint),
            calibration=config.get("calibration"),
        )

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        stream = iter(readings)
        while chunk := list(islice(stream, self.ahead)):
            for reading, scored in zip(chunk, self.scores(chunk), strict=True):
                found = tuple(self._relations(reading, scored))
                yield replace(reading, relations=(*reading.relations, *found)) if found else reading

    def scores(self, readings: Sequence[Reading]) -> list[list[tuple[Entity, Entity, Floats]]]:
        """For each reading the pairs of entities that may be related, with a probability a relation."""
        texts = cut(self.model.tokens.tokenizer, [reading.document.text for reading in readings])
        jobs = [
            (at, window)
            for at, (reading, pieces) in enumerate(zip(readings, texts, strict=True))
            for window in marked(reading, pieces, self.scheme)
        ]
        best: list[dict[tuple[Entity, Entity], Floats]] = [{} for _ in readings]
        for at, subject, object_, logits in self._logits(jobs):
            pair = (subject, object_)
            best[at][pair] = np.maximum(best[at][pair], logits) if pair in best[at] else logits
        return [list(self._sure(found)) for found in best]

    def _sure(self, found: Mapping[tuple[Entity, Entity], Floats]) -> Iterator[tuple[Entity, Entity, Floats]]:
        """From the scores of looks to a probability for each relation from one entity to another."""
        if self.scheme.mutual:
            found = joined(found, self.scheme)
        for one, other in sorted(found, key=_place):
            sure = probabilities(found[one, other], self._open(one, other), self.scheme)
            for subject, object_, row in directed(one, other, sure, self.scheme):
                yield subject, object_, calibrated(row, self.scheme, self.calibration)

    def _logits(self, jobs: Sequence[tuple[int, Marked]]) -> Iterator[tuple[int, Entity, Entity, Floats]]:
        """The scores of each pair in each window: the log-sum-exp over the mentions of the object."""
        for at, number, scores in self.model.scores([window for _, window in jobs]):
            reading, window = jobs[at]
            look = window.looks[number]
            for object_, places in zip(look.objects, look.places, strict=True):
                told = scores[list(places)]
                top = told.max(axis=0)
                yield reading, look.subject, object_, top + np.log(np.exp(told - top).sum(axis=0))

    def _open(self, subject: Entity, object_: Entity) -> Bools:
        """Which relations the scheme and the domain allow from one to the other."""
        pair = (subject.type, object_.type)
        held = self.scheme.holds(subject, object_)
        for at, (name, turned) in enumerate(self.scheme.outputs):
            kind = self.kinds[self.scheme.relations.index(name)]
            held[at] = held[at] and (kind.loose or kind.joins(*(pair[::-1] if turned else pair)))
        return np.array(held)

    def _relations(self, reading: Reading, scored: Sequence[tuple[Entity, Entity, Floats]]) -> Iterator[Relation]:
        for subject, object_, row in scored:
            found = chosen(row, self.scheme, self.thresholds)
            for at in of_one_sign(found, row, [kind.sign for kind in self.kinds]):
                yield self._relation(reading, self.kinds[at], subject, object_, float(row[at]))

    def _relation(
        self, reading: Reading, kind: RelationType, subject: Entity, object_: Entity, score: float
    ) -> Relation:
        """The claim at the place where the two are named closest to each other.

        It is right where the relation holds and both of its entities are right, each by its surest mention.
        """
        if kind.symmetric and object_.start < subject.start:
            subject, object_ = object_, subject
        one, other, start, end = nearest(reading, subject, object_)
        for entity in (subject, object_):
            score *= max(mention.score for mention in entity.mentions)
        return Relation(
            start,
            end,
            document_id=reading.document.id,
            predicate=kind.name,
            subject=_as(one, subject),
            object=_as(other, object_),
            score=round(score, 4),
            extractor=self.fingerprint,
        )


def read_scheme(adapter: Adapter) -> Scheme:
    """The scheme that an adapter's JSON describes."""
    config = adapter.config
    lacking = sorted(set(config["pairs"]) - set(config["thresholds"]))
    if lacking:
        raise AdapterError(f"adapter {adapter.name}: adapter.json has no threshold for {', '.join(lacking)}")
    return Scheme(
        types=tuple(config["types"]),
        relations=tuple(config["pairs"]),
        pairs={name: frozenset((one, other) for one, other in pairs) for name, pairs in config["pairs"].items()},
        ordered=frozenset(config["ordered"]),
        groups=tuple(tuple(group) for group in config["groups"]),
        markers=tuple(config["markers"]),
        window=config["window"],
        overlap=config["overlap"],
        level=config["level"],
        mutual=config.get("mutual", False),
        slots=adapter.slots,
    )


def joined(found: Mapping[tuple[Entity, Entity], Floats], scheme: Scheme) -> dict[tuple[Entity, Entity], Floats]:
    """The mean of what the looks for either of two entities say, as if in a look for the one that is named first."""
    turned = [scheme.outputs.index((name, not inverse and name in scheme.ordered)) for name, inverse in scheme.outputs]
    said: dict[tuple[Entity, Entity], list[Floats]] = defaultdict(list)
    for (subject, object_), logits in found.items():
        first = (subject.start, subject.id) < (object_.start, object_.id)
        said[(subject, object_) if first else (object_, subject)].append(logits if first else logits[turned])
    return {pair: np.mean(rows, axis=0) for pair, rows in said.items()}


def directed(one: Entity, other: Entity, row: Floats, scheme: Scheme) -> Iterator[tuple[Entity, Entity, Floats]]:
    """The outputs of a look apart by direction: a probability a relation each time."""
    number = len(scheme.relations)
    yield one, other, row[:number]
    if scheme.mutual:
        back = np.zeros_like(row[:number])
        for at, (name, _) in enumerate(scheme.outputs[number:], number):
            back[scheme.relations.index(name)] = row[at]
        yield other, one, back


def probabilities(logits: Floats, open_: Bools, scheme: Scheme) -> Floats:
    """A probability an output: of those of a group that are open, and none of them, they sum to one.

    >>> scheme = Scheme((), ("A", "B"), {}, frozenset(), (("A", "B"),), (), 8, 2)
    >>> probabilities(np.zeros(2, np.float32), np.array([True, True]), scheme).round(2).tolist()
    [0.33000001311302185, 0.33000001311302185]
    """
    sure = np.zeros_like(logits)
    for group in scheme.groups:
        at = [n for n, (name, _) in enumerate(scheme.outputs) if name in group and open_[n]]
        top = max(0.0, *logits[at]) if at else 0.0
        weights = np.exp(logits[at] - top)
        sure[at] = weights / (weights.sum() + np.exp(-top))
    return sure


def calibrated(row: Floats, scheme: Scheme, lines: Mapping[str, tuple[float, float]]) -> Floats:
    """Probabilities after Platt scaling: that any relation of a group holds is scaled, the share of each in it stays.

    ``lines`` has slope and offset of the logit for relations; one that it does not name keeps its probability.
    """
    sure = row.copy()
    for group in scheme.groups:
        at = [n for n, name in enumerate(scheme.relations) if name in group]
        total = row[at].sum()
        for n in at if total > 0 else ():
            slope, offset = lines.get(scheme.relations[n], (1.0, 0.0))
            sure[n] *= sigmoid(slope * logit(total) + offset) / total
    return sure


def chosen(row: Floats, scheme: Scheme, thresholds: Mapping[str, float]) -> list[int]:
    """The likeliest relation of each group that reaches its threshold together with the others of the group."""
    found = []
    for group in scheme.groups:
        members = [at for at, name in enumerate(scheme.relations) if name in group]
        best = max(members, key=row.__getitem__)
        if row[best] > 0 and row[members].sum() >= thresholds[scheme.relations[best]]:
            found.append(best)
    return found


def of_one_sign(found: Sequence[int], row: Floats, signs: Sequence[int]) -> list[int]:
    """Leave out what contradicts the likeliest: a drug that induces a disease does not relieve it in the same paper.

    >>> of_one_sign([0, 1, 2], np.array([0.5, 0.9, 0.4]), [1, -1, 0])
    [1, 2]
    """
    told = [at for at in found if signs[at]]
    sign = signs[max(told, key=row.__getitem__)] if told else 0
    return [at for at in found if signs[at] in (0, sign)]


def nearest(reading: Reading, subject: Entity, object_: Entity) -> tuple[Mention, Mention, int, int]:
    """The mentions of two entities that are nearest to each other, and the span of the sentences that hold them.

    Mentions in one sentence are nearer than any in two.
    """
    starts = [sentence.start for sentence in reading.sentences]

    def sentence(mention: Mention) -> int:
        return max(0, bisect_right(starts, mention.start) - 1)

    def distance(pair: tuple[Mention, Mention]) -> tuple[int, int, int]:
        one, other = sorted(pair)
        return sentence(other) - sentence(one), other.start - one.end, one.start

    one, other = min(product(subject.mentions, object_.mentions), key=distance)
    start, end = min(one.start, other.start), max(one.end, other.end)
    if reading.sentences:
        held = sorted((sentence(one), sentence(other)))
        start = min(start, reading.sentences[held[0]].start)
        end = max(end, reading.sentences[held[1]].end)
    return one, other, start, end


def relation_types(scheme: Scheme, domain: Domain) -> list[RelationType]:
    """The domain's relation types of a scheme; raises AdapterError where the pack lacks one."""
    kinds = [domain.relation(name) for name in scheme.relations]
    lacking = [name for name, kind in zip(scheme.relations, kinds, strict=True) if kind is None]
    if lacking:
        raise AdapterError(
            f"the relation adapter tells {', '.join(lacking)}, which the domain pack {domain.name} does not know: "
            "load another adapter, or add the relations to the pack"
        )
    return [kind for kind in kinds if kind is not None]


def _as(mention: Mention, entity: Entity) -> Mention:
    """The mention with the grounding first that makes it one of the entity."""
    ours = [grounding for grounding in mention.groundings if grounding.concept_id == entity.id]
    others = [grounding for grounding in mention.groundings if grounding.concept_id != entity.id]
    return replace(mention, groundings=(*ours, *others)) if ours else mention


def _place(pair: tuple[Entity, Entity]) -> tuple[int, int, str, str]:
    return pair[0].start, pair[1].start, pair[0].id, pair[1].id
