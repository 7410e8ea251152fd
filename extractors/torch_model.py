"""Models run by torch: on a GPU, in training, and where tuning left parts that no graph holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from typing import TypeVar

import torch
from torch import Tensor

from extractors.adapter import KINDS, MARKS, Adapter, merged, require
from extractors.batches import packed
from extractors.classifier import RelationClassifier, TokenClassifier, padded, passes_of
from extractors.encoder import Encoder, choose_device, choose_dtype, inference, load_encoder
from extractors.marking import Marked, passes
from extractors.tags import Floats, Row
from extractors.tuned import rebuild
from pipeline.errors import AdapterError

log = logging.getLogger(__name__)
Classifier = TypeVar("Classifier", bound=TokenClassifier)
PIECES = 4096
"""How many pieces go through the encoder at once, padding counted."""


class TorchModel:
    """An :class:`extractors.model.Model`; rows are padded to a multiple of eight whatever their neighbours are, so that
    scores do not depend on these."""

    def __init__(self, encoder: Encoder, classifier: TokenClassifier) -> None:
        self.tokens = encoder
        self.classifier = classifier

    @classmethod
    def load(cls, adapter: Adapter, device: str = "auto") -> TorchModel:
        make = partial(TokenClassifier, outputs=adapter.outputs, marks=len(adapter.known))
        return cls(*loaded(adapter, make, device))

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]:
        longest = self.tokens.size + 2
        lengths = [min(-8 * (-(len(row) + 2) // 8), longest) for row in rows]
        order = sorted(range(len(rows)), key=lengths.__getitem__)
        for length, group in groupby(order, key=lengths.__getitem__):
            for numbers in _batched(group, max(1, PIECES // length)):
                found = self._run([rows[number] for number in numbers], length)
                for number, scores in zip(numbers, found, strict=True):
                    yield number, scores[1 : len(rows[number]) + 1].numpy()

    def _run(self, rows: Sequence[Row], length: int) -> Tensor:
        device = self.classifier.head.weight.device
        inputs = padded(rows, self.tokens, length)
        with inference(device, choose_dtype(device)):
            scores: Tensor = self.classifier(*(tensor.to(device) for tensor in inputs)).float().cpu()
        return scores


class TorchPassModel:
    """An :class:`extractors.model.PassModel`; passes over windows of about one length share a run."""

    def __init__(self, encoder: Encoder, classifier: RelationClassifier) -> None:
        self.tokens = encoder
        self.classifier = classifier

    @classmethod
    def load(cls, adapter: Adapter, device: str = "auto") -> TorchPassModel:
        make = partial(RelationClassifier, outputs=adapter.outputs // adapter.slots, slots=adapter.slots)
        return cls(*loaded(adapter, make, device))

    def scores(self, windows: Sequence[Marked]) -> Iterator[tuple[int, int, Floats]]:
        order = sorted(range(len(windows)), key=lambda at: len(windows[at].ids))
        shared = ((at, looks) for at in order for looks in passes(windows[at].looks, self.classifier.slots))
        for batch in packed(shared, lambda one: len(windows[one[0]].ids) + 2, PIECES):
            found = self._run([(windows[at], looks) for at, looks in batch])
            for (at, looks), scores in zip(batch, found, strict=True):
                for slot, look in enumerate(looks):
                    yield at, look, scores[1 : len(windows[at].ids) + 1, slot].numpy()

    def _run(self, shared: Sequence[tuple[Marked, Sequence[int]]]) -> Tensor:
        device = self.classifier.head.weight.device
        inputs = passes_of(shared, self.tokens)
        with inference(device, choose_dtype(device)):
            scores: Tensor = self.classifier(*(tensor.to(device) for tensor in inputs)).float().cpu()
        return scores


def loaded(adapter: Adapter, make: Callable[[Encoder], Classifier], device: str = "auto") -> tuple[Encoder, Classifier]:
    """Put an adapter on its encoder; raises AdapterError where the one does not fit the other."""
    base = load_encoder(adapter.encoder)
    require(adapter, base.sha256)
    classifier = make(base)
    try:
        fill(classifier, adapter)
    except (AttributeError, KeyError, ValueError, RuntimeError) as error:
        raise AdapterError(f"adapter {adapter.name}: its weights do not fit its labels or encoder: {error}") from error
    place = choose_device(device)
    log.info("%s on %s, %s", adapter.name, place, str(choose_dtype(place)).removeprefix("torch."))
    return base, classifier.to(place).eval()


def fill(classifier: TokenClassifier, adapter: Adapter) -> None:
    """Give a plain model the weights of an adapter; raises an AttributeError, KeyError, ValueError
    or RuntimeError on a misfit."""
    own = {name: weight.numpy() for name, weight in classifier.encoder.state_dict().items()}
    found = {name: torch.from_numpy(weight) for name, weight in merged(own, adapter).items()}
    if KINDS in found and len(found[KINDS]) != len(own[KINDS]):
        classifier.see_shapes()
    classifier.encoder.load_state_dict({name: found[name] for name in own})
    rebuild(classifier.encoder, {name: torch.from_numpy(part).float() for name, part in adapter.tensors.items()})
    more = {"mark": found[MARKS][1:]} if MARKS in found else {}
    classifier.load_state_dict({name: found[name] for name in ("head.weight", "head.bias")} | more, strict=False)


def _batched(items: Iterable[int], size: int) -> Iterator[list[int]]:
    stream = iter(items)
    while run := list(islice(stream, size)):
        yield run
