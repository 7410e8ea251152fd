"""Training loops that the taggers share: batches by length, an averaged model, a checkpoint after every epoch."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from extractors.adapter import Adapter, TokenClassifier, attach, restore
from extractors.encoder import Encoder, choose_device, choose_precision
from pipeline.types import Reading

log = logging.getLogger(__name__)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train an adapter.

    Rates are peaks after a linear warm-up; ``batch_tokens`` counts padding too; ``masked`` is the share of pieces
    that are hidden; ``average`` the inertia of the mean of the weights, which is what is kept.
    """

    epochs: int = 4
    rank: int = 64
    rate: float = 1e-3
    head_rate: float = 1e-3
    batch_tokens: int = 1024
    masked: float = 0.05
    warmup: float = 0.05
    decay: float = 0.01
    clip: float = 1.0
    average: float = 0.998
    seed: int = 13


@dataclass(frozen=True, slots=True)
class Annotated:
    """Readings of one corpus and the types or relations that its makers annotated, wherever they stand.

    ``share`` of its windows, drawn anew, are seen in an epoch; ``peek`` are papers kept apart that are scored after
    each epoch, for the log alone.
    """

    readings: tuple[Reading, ...]
    names: frozenset[str]
    share: float = 1.0
    peek: tuple[Reading, ...] = ()


def prepare(
    encoder: Encoder, outputs: int, plan: Plan, *, markers: Sequence[int] = (), start: Adapter | None = None
) -> TokenClassifier:
    """A model with an adapter to train, on the best device; ``start`` is one to train on from.

    The head of ``start`` is taken too where it has the right shape.
    """
    torch.manual_seed(plan.seed)
    device = choose_device()
    model = TokenClassifier(encoder, outputs)
    attach(model, rank=plan.rank, precision=choose_precision(device), markers=markers)
    if start:
        restore(model, start.tensors)
    return model.to(device)


def drawn(groups: Sequence[Sequence[Item]], corpora: Sequence[Annotated], chance: random.Random) -> list[Item]:
    """What is seen in one epoch of each corpus' items."""
    shares = (int(len(group) * corpus.share) for group, corpus in zip(groups, corpora, strict=True))
    return [item for group, size in zip(groups, shares, strict=True) for item in chance.sample(group, size)]


def batches(
    items: Sequence[Item], length: Callable[[Item], int], *, tokens: int, chance: random.Random
) -> list[list[Item]]:
    """Shuffle items into batches of like length, none over ``tokens`` when padded (but a single long item).

    >>> batches([1, 9, 2, 8], lambda item: item, tokens=18, chance=random.Random(0))
    [[1, 2], [8, 9]]
    """
    shuffled = chance.sample(items, len(items))
    pool = 100 * tokens
    done: list[list[Item]] = []
    for group in _within(shuffled, length, pool):
        done.extend(packed(sorted(group, key=length), length, tokens))
    chance.shuffle(done)
    return done


def packed(items: Iterable[Item], length: Callable[[Item], int], tokens: int) -> Iterator[list[Item]]:
    """Cut a sequence into runs whose longest length times their number stays within ``tokens``."""
    run: list[Item] = []
    longest = 0
    for item in items:
        if run and max(longest, length(item)) * (len(run) + 1) > tokens:
            yield run
            run, longest = [], 0
        run.append(item)
        longest = max(longest, length(item))
    if run:
        yield run


def fit(
    model: nn.Module,
    epoch: Callable[[int], Sequence[Item]],
    loss: Callable[[Item], Tensor],
    plan: Plan,
    after: Callable[[int], None],
) -> None:
    """Train the parameters that want gradients, with AdamW and a linear schedule.

    ``epoch(n)`` gives the batches of the n-th epoch, ``loss`` the loss of one. ``after(n)`` is called when it is
    over, with the averaged weights in the model, so that a checkpoint can be scored and written.
    """
    torch.manual_seed(plan.seed)
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    head = [weight for name, weight in trained if name.startswith("head")]
    rest = [weight for name, weight in trained if not name.startswith("head")]
    optimizer = torch.optim.AdamW(
        [{"params": rest, "lr": plan.rate}, {"params": head, "lr": plan.head_rate}], weight_decay=plan.decay, fused=True
    )
    total = plan.epochs * len(epoch(0))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _slope(step, total, plan.warmup))
    weights = [*rest, *head]
    mean = [weight.detach().clone() for weight in weights]
    for number in range(plan.epochs):
        model.train()
        began = time.perf_counter()
        losses = [_step(loss(batch), weights, mean, optimizer, schedule, plan) for batch in epoch(number)]
        seconds = time.perf_counter() - began
        log.info("epoch %d: loss %.4f, %.0f s", number + 1, sum(losses) / max(len(losses), 1), seconds)
        model.eval()
        with _swapped(weights, mean):
            after(number)


def chance_of(seed: int) -> random.Random:
    """A source of chance that gives the same draws on every machine."""
    return random.Random(seed)  # noqa: S311  nothing secret hangs on it


def _step(
    loss: Tensor,
    weights: list[nn.Parameter],
    mean: list[Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    plan: Plan,
) -> float:
    """Learn from one batch; the mean follows the faster the younger it is."""
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(weights, plan.clip)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    step = schedule.last_epoch
    with torch.no_grad():
        torch._foreach_lerp_(mean, list(weights), 1 - min(plan.average, step / (step + 10)))
    return float(loss.detach())


def _slope(step: int, total: int, warmup: float) -> float:
    rise = max(1.0, total * warmup)
    return min((step + 1) / rise, max(0.0, (total - step) / max(1.0, total - rise)))


def _within(items: Sequence[Item], length: Callable[[Item], int], tokens: int) -> Iterator[list[Item]]:
    group: list[Item] = []
    room = tokens
    for item in items:
        if group and length(item) > room:
            yield group
            group, room = [], tokens
        group.append(item)
        room -= length(item)
    if group:
        yield group


@contextmanager
def _swapped(weights: Sequence[Tensor], values: list[Tensor]) -> Iterator[None]:
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=True):
            weight.copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)
