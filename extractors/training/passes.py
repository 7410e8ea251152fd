"""What a relation tagger learns from: marked windows with the relations of their objects, and the loss over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from extractors.classifier import RelationClassifier
from extractors.encoder import Encoder
from extractors.marking import Entity, Look, Marked, Scheme, marked
from extractors.tags import cut
from extractors.training.plan import Plan
from pipeline.types import Reading, Relation

LARGEST = 4096
"""Pieces that go through the encoder at once, whatever a batch is to have: a page with forty chemicals has 20,000."""


@dataclass(frozen=True, slots=True)
class RelationExample:
    """A window with its looks; ``gold`` and ``told`` are booleans of shape objects (of all looks) x outputs.

    Where ``told`` is false the corpus, or the scheme, says nothing about the relation.
    """

    marked: Marked
    gold: Tensor
    told: Tensor

    @property
    def silent(self) -> bool:
        """Whether it tells no relation."""
        return not (self.gold & self.told).any()


_Learnt = tuple[Look, Tensor, Tensor]


def relation_examples(
    encoder: Encoder, readings: Iterable[Reading], scheme: Scheme, annotated: Set[str]
) -> Iterator[RelationExample]:
    """Marked windows of annotated readings of a corpus that annotates the given relations.

    Where the passes over a window have more than :data:`LARGEST` pieces it is several examples.
    """
    asked = torch.tensor([name in annotated for name, _ in scheme.outputs])
    for reading in readings:
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        claims = {(relation.predicate, *ends(relation, scheme)) for relation in reading.relations}
        for window in marked(reading, pieces, scheme):
            learnt = [
                (look, torch.tensor([_gold(claims, look.subject, other, scheme) for other in look.objects]), known)
                for look in window.looks
                if (known := _told(look, scheme, asked)).any()
            ]
            yield from _examples(window, learnt, scheme.slots)


def _examples(window: Marked, some: Sequence[_Learnt], slots: int) -> Iterator[RelationExample]:
    size = slots * max(1, LARGEST // (len(window.ids) + 2))
    for at in range(0, len(some), size):
        looks, gold, known = zip(*some[at : at + size], strict=True)
        yield RelationExample(replace(window, looks=looks), torch.cat(gold), torch.cat(known))


def _told(look: Look, scheme: Scheme, asked: Tensor) -> Tensor:
    return torch.tensor([scheme.holds(look.subject, other) for other in look.objects]) & asked


def _gold(claims: Set[tuple[str, str, str]], subject: Entity, object_: Entity, scheme: Scheme) -> list[bool]:
    straight, turned = (subject.id, object_.id), (object_.id, subject.id)
    return [
        (name, *(turned if inverse else straight)) in claims
        or (name not in scheme.ordered and (name, *turned) in claims)
        for name, inverse in scheme.outputs
    ]


def ends(relation: Relation, scheme: Scheme) -> tuple[str, str]:
    """The ids that subject and object of a relation have as entities of the scheme."""
    if scheme.level == "sentence":
        return relation.subject.uid, relation.object.uid
    return relation.subject.concept_id, relation.object.concept_id


class RelationModel(nn.Module):
    """A classifier with its loss: in each group of relations, cross-entropy over what is told and none of it."""

    def __init__(self, classifier: RelationClassifier, scheme: Scheme, plan: Plan, mask_id: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.groups = [[n for n, (name, _) in enumerate(scheme.outputs) if name in group] for group in scheme.groups]
        self.markers: Tensor
        self.register_buffer("markers", torch.tensor(scheme.markers), persistent=False)
        self.masked, self.smoothing, self.mask_id = plan.masked, plan.smoothing, mask_id

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        shapes: Tensor,
        marks: Tensor,
        places: Tensor,
        gold: Tensor,
        told: Tensor,
    ) -> dict[str, Tensor]:
        """``places`` has a column for each marker of an object: its pass, place, slot, and the number of the object."""
        hidden = (torch.rand(ids.shape, device=ids.device) < self.masked) & (mask == 1) & ~torch.isin(ids, self.markers)
        scores = self.classifier(ids.masked_fill(hidden, self.mask_id), mask, shapes, marks).float()
        passes, at, slots, objects = places
        pooled = _logsumexp(scores[passes, at, slots], objects, len(gold))
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
