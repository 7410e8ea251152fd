"""Models to read with, opened for what this machine computes best: int8 by onnxruntime on a CPU, torch on a GPU.

On a CPU no torch is loaded: the adapter is merged into its encoder's weights by numpy, and what comes out is kept as a
quantised graph in the cache, where the next run finds it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from extractors.adapter import MERGED, Adapter, merged, require
from extractors.adapters import digest_of
from extractors.encoders import CONFIG, Found, check, find, read_json
from extractors.encoders.packed import read_weights
from extractors.engine.cache import prepared
from extractors.engine.parts import Inputs, Shape
from extractors.engine.session import Engine, choose_precision
from extractors.marking import Marked, marks_of, passes
from extractors.processor import processor
from extractors.tags import Floats, Row
from extractors.tokens import Tokens, load_tokens
from pipeline.errors import AdapterError
from pipeline.types import content_id

log = logging.getLogger(__name__)


class Model(Protocol):
    """Scores the pieces of rows; yields the number of a row and float32 scores (pieces x outputs), in any order."""

    @property
    def tokens(self) -> Tokens: ...

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]: ...


class PassModel(Protocol):
    """Scores the pieces of windows for each look at them; yields the numbers of window and look with the scores."""

    @property
    def tokens(self) -> Tokens: ...

    def scores(self, windows: Sequence[Marked]) -> Iterator[tuple[int, int, Floats]]: ...


class OnnxModel:
    """A :class:`Model` run by onnxruntime."""

    def __init__(self, tokens: Tokens, engine: Engine) -> None:
        self.tokens = tokens
        self.engine = engine

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]:
        return self.engine.scores(rows)


class OnnxPassModel:
    """A :class:`PassModel` run by onnxruntime, which marks up to ``slots`` subjects at once."""

    def __init__(self, tokens: Tokens, engine: Engine, slots: int) -> None:
        self.tokens = tokens
        self.engine = engine
        self.slots = slots

    def scores(self, windows: Sequence[Marked]) -> Iterator[tuple[int, int, Floats]]:
        shared = [(at, looks) for at, window in enumerate(windows) for looks in passes(window.looks, self.slots)]
        rows = [Row(windows[at].ids, windows[at].shapes, marks_of(windows[at], looks)) for at, looks in shared]
        for number, scores in self.engine.scores(rows):
            at, looks = shared[number]
            for look, own in zip(looks, np.split(scores, self.slots, axis=1), strict=False):
                yield at, look, own


def open_model(adapter: Adapter, *, device: str = "auto") -> Model:
    """Open a tagger's model; raises AdapterError where its weights do not fit its encoder."""
    if on_torch(adapter, device):
        from extractors.torch_model import TorchModel  # noqa: PLC0415  loads torch

        return TorchModel.load(adapter, device)
    base = _base(adapter)
    return OnnxModel(base.tokens, _engine(adapter, base, Inputs(adapter.shaped, marks=bool(adapter.known))))


def open_pass_model(adapter: Adapter, *, device: str = "auto") -> PassModel:
    """Open the model of a relation tagger; raises AdapterError as :func:`open_model` does."""
    if on_torch(adapter, device):
        from extractors.torch_model import TorchPassModel  # noqa: PLC0415  loads torch

        return TorchPassModel.load(adapter, device)
    base = _base(adapter)
    return OnnxPassModel(base.tokens, _engine(adapter, base, Inputs(adapter.shaped, marks=True)), adapter.slots)


def on_torch(adapter: Adapter, device: str) -> bool:
    """Whether a model needs torch: on a GPU, and for what cannot be merged into the weights of a BERT."""
    if adapter.method not in MERGED or read_json(_found(adapter).folder / CONFIG).get("model_type") != "bert":
        return True
    return _may_have_gpu() if device == "auto" else device != "cpu"


def _may_have_gpu() -> bool:
    """Told without loading torch; where it may be, torch decides."""
    return Path("/dev/nvidiactl").exists() or sys.platform == "darwin"


def _found(adapter: Adapter) -> Found:
    """Where the encoder of an adapter is; its weights are not looked at yet."""
    found = find(adapter.encoder)
    if found is None:
        raise AdapterError(
            f"adapter {adapter.name}: its encoder {adapter.encoder} is not on this machine: "
            f"hypograph encoders get {adapter.encoder}"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Base:
    """The encoder of an adapter: its folder, the sha256 of its weights, which is computed but once, and its tokens."""

    folder: Path
    digest: str
    tokens: Tokens


def _base(adapter: Adapter) -> _Base:
    """Raises AdapterError where the encoder is not the one that the adapter was trained on."""
    found = _found(adapter)
    digest = check(found)
    require(adapter, digest)
    return _Base(found.folder, digest, load_tokens(found.folder))


def _engine(adapter: Adapter, base: _Base, inputs: Inputs) -> Engine:
    precision = choose_precision(processor())
    key = content_id(digest_of(adapter.folder), base.digest, repr(inputs), precision)

    def make() -> bytes:
        from extractors.engine.graph import build  # noqa: PLC0415  loads onnx, which a model in the cache does without

        shape = Shape.of(read_json(base.folder / CONFIG))
        try:
            return build(shape, merged(read_weights(base.folder), adapter), inputs, precision=precision)
        except (KeyError, ValueError) as error:
            raise AdapterError(
                f"adapter {adapter.name}: its weights do not fit its labels or encoder: {error}"
            ) from error

    engine = Engine(prepared(key, make), cls_id=base.tokens.cls_id, sep_id=base.tokens.sep_id)
    log.info("%s: %s on %s, %d threads", adapter.name, precision, processor(), engine.threads)
    return engine
