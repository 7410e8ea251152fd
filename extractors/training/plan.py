"""How to train: one frozen value with every setting, each with its meaning, default and unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any

from pipeline.errors import UsageError

TUNINGS = ("full", "lora", "adalora", "prefix", "bottleneck")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides the weights that come out, besides the data and the encoder.

    How much is tuned: ``tuning`` is ``full``, ``lora`` (Hu et al. 2021), ``adalora`` (Zhang et al. 2023),
    ``prefix`` (Li and Liang 2021) or ``bottleneck`` (Houlsby et al. 2019); ``rank`` the rank of the first two, the
    number of prefix vectors, the width of the bottleneck; ``embeddings`` whether word embeddings are trained too
    (``full`` only).

    How it learns: ``rate`` and ``head_rate`` are the peaks of the learning rates of the encoder and of the head after
    a linear ``warmup`` (share of all steps), falling to zero; each layer below the top one learns at ``layer_decay``
    of the rate of the one above. ``trust`` is the share of the loss that teachers have, where there are some.
    ``batch_tokens`` counts pieces with padding, of ``accumulate`` batches a step is made. ``average`` is the inertia of
    the mean of the weights, which is what is kept (0: the last weights). ``silent`` is the share of the examples in
    which nothing is annotated that an epoch sees, drawn anew for each.

    What keeps it from learning by heart: ``dropout``, ``masked`` (the share of pieces that are hidden), ``blind``
    (that of the windows that are not told which names vocabularies know), ``smoothing`` (of labels), ``decay`` (of
    weights), ``clip`` (norm of gradients), ``adversarial`` (the length of the step against the embeddings, FGM of
    Miyato et al. 2017; 0: none), ``patience`` (epochs without a better development score before it stops; 0:
    never), and the shares of mentions or texts that are changed anew in each epoch: ``replaced`` (by another name
    of the type), ``synonyms`` (by another name of the concept), ``recased``.

    What it computes with: ``device`` and ``precision`` (``auto``, ``fp32``, ``bf16``, ``fp16``), ``checkpointing``
    (less memory, a third slower), ``compiled`` (by torch.compile; pays on a GPU).
    """

    epochs: int = 4
    tuning: str = "lora"
    rank: int = 64
    embeddings: bool = False
    rate: float = 3e-4
    head_rate: float = 1e-3
    warmup: float = 0.08
    layer_decay: float = 1.0
    trust: float = 0.5
    batch_tokens: int = 1024
    accumulate: int = 1
    average: float = 0.997
    silent: float = 1.0
    dropout: float = 0.1
    masked: float = 0.05
    blind: float = 0.3
    smoothing: float = 0.0
    decay: float = 0.01
    clip: float = 1.0
    adversarial: float = 0.0
    patience: int = 0
    replaced: float = 0.0
    synonyms: float = 0.0
    recased: float = 0.0
    seed: int = 13
    device: str = "auto"
    precision: str = "auto"
    checkpointing: bool = False
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.tuning not in TUNINGS:
            raise UsageError(f"tuning {self.tuning!r}: use one of {', '.join(TUNINGS)}")
        if self.tuning == "adalora" and self.rank < 2:
            raise UsageError(f"rank {self.rank}: adalora halves it, so that it must be at least 2")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.device):
            raise UsageError(f"device {self.device!r}: use auto, cpu, mps, cuda or cuda:1")
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision {self.precision!r}: use one of {', '.join(PRECISIONS)}")
        for name in ("epochs", "rank", "rate", "head_rate", "batch_tokens", "accumulate", "clip", "layer_decay"):
            if not 0 < getattr(self, name) < inf:
                raise UsageError(f"{name} {getattr(self, name)}: must be more than 0")
        for name in ("decay", "adversarial", "patience"):
            if not 0 <= getattr(self, name) < inf:
                raise UsageError(f"{name} {getattr(self, name)}: must be at least 0")
        for name in ("trust", "silent", "blind"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} {getattr(self, name)}: must be at least 0 and at most 1")
        for name in ("warmup", "average", "dropout", "masked", "smoothing", "replaced", "synonyms", "recased"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} {getattr(self, name)}: must be at least 0 and less than 1")


def changed(plan: Plan, settings: Mapping[str, str]) -> Plan:
    """A plan with some settings given as text.

    >>> changed(Plan(), {"epochs": "6", "embeddings": "yes"}).epochs
    6

    Raises UsageError for a name that no setting has, or a value of another kind.
    """
    kinds = {field.name: type(field.default) for field in fields(Plan)}
    unknown = sorted(set(settings) - set(kinds))
    if unknown:
        raise UsageError(f"no setting {', '.join(unknown)}: use {', '.join(kinds)}")
    return replace(plan, **{name: _value(name, kinds[name], text) for name, text in settings.items()})


def _value(name: str, kind: Any, text: str) -> Any:
    if kind is bool:
        told = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.lower())
        if told is None:
            raise UsageError(f"{name}={text}: say yes or no")
        return told
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"{name}={text}: is no {kind.__name__}") from error
