"""The engine: every row scored once and alone, whatever comes beside it; bad rows are told before any is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.engine.graph import build
from extractors.engine.nodes import Precision
from extractors.engine.parts import IDS, Inputs, Shape
from extractors.engine.session import Engine, by_length, choose_precision
from extractors.processor import Processor
from extractors.tags import Row
from pipeline.errors import InputError, UsageError

CLS, SEP, OUTPUTS, WIDTH, POSITIONS, PIECES = 1, 2, 3, 16, 512, 50
SHAPE = Shape(layers=2, heads=2, width=WIDTH)


def random_tensors() -> dict[str, npt.NDArray[np.float32]]:
    shapes: dict[str, tuple[int, ...]] = {"head.weight": (OUTPUTS, WIDTH), "head.bias": (OUTPUTS,)}
    shapes |= {"marks.weight": (3, WIDTH), "embeddings.LayerNorm.weight": (WIDTH,)}
    shapes |= {"embeddings.LayerNorm.bias": (WIDTH,)}
    for name, rows in (("word", PIECES), ("position", POSITIONS), ("token_type", 4)):
        shapes[f"embeddings.{name}_embeddings.weight"] = (rows, WIDTH)
    for layer in ("encoder.layer.0.", "encoder.layer.1."):
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{layer}{name}.weight": (WIDTH, WIDTH), f"{layer}{name}.bias": (WIDTH,)}
        shapes |= {f"{layer}intermediate.dense.weight": (32, WIDTH), f"{layer}intermediate.dense.bias": (32,)}
        shapes |= {f"{layer}output.dense.weight": (WIDTH, 32), f"{layer}output.dense.bias": (WIDTH,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{layer}{name}.weight": (WIDTH,), f"{layer}{name}.bias": (WIDTH,)}
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


TENSORS = random_tensors()


def engine(inputs: Inputs = IDS, *, threads: int = 2, precision: Precision = "int8") -> Engine:
    return Engine(build(SHAPE, TENSORS, inputs, precision=precision), cls_id=CLS, sep_id=SEP, threads=threads)


ENGINE, ALONE = engine(), engine(threads=1)
ids = st.lists(st.integers(0, PIECES - 1), max_size=12)


@given(st.lists(ids, max_size=12), st.sampled_from([1, 16, 512]))
@settings(max_examples=40, deadline=None)
def test_a_row_scores_the_same_alone_and_among_others(rows: list[list[int]], tokens: int) -> None:
    found = list(ENGINE.scores([Row(row) for row in rows], tokens=tokens))
    assert sorted(number for number, _ in found) == list(range(len(rows)))
    for number, scores in found:
        assert scores.shape == (len(rows[number]), OUTPUTS)
        assert scores.dtype == np.float32
        ((_, alone),) = ALONE.scores([Row(rows[number])])
        np.testing.assert_array_equal(scores, alone)


def test_special_pieces_stand_around_a_row_and_are_taken_off() -> None:
    row = [7, 8, 9]
    direct = ALONE.session.run(None, {"ids": np.array([[CLS, *row, SEP]], np.int32)})[0]
    ((_, scores),) = ALONE.scores([Row(row)])
    np.testing.assert_array_equal(scores, direct[0, 1:-1])


def test_nothing_gives_nothing() -> None:
    assert list(ENGINE.scores([])) == []


@pytest.mark.parametrize("length", [0, 1, POSITIONS - 2])
def test_the_shortest_and_the_longest_row(length: int) -> None:
    ((number, scores),) = ENGINE.scores([Row([5] * length)], tokens=64)
    assert (number, scores.shape) == (0, (length, OUTPUTS))
    assert np.isfinite(scores).all()


def test_a_row_that_is_too_long_is_refused() -> None:
    with pytest.raises(UsageError, match="row 1: 511 pieces, the model sees 510 at once"):
        list(ENGINE.scores([Row([5]), Row([5] * 511)]))


@pytest.mark.parametrize("bad", [-1, PIECES, 2**40])
def test_a_number_that_the_model_does_not_know_is_refused(bad: int) -> None:
    with pytest.raises(UsageError, match=f"row 0: ids from .* but the model knows 0 to {PIECES - 1}"):
        list(ENGINE.scores([Row([5, bad])]))


def test_a_row_without_an_input_that_the_model_has_is_refused() -> None:
    cased = engine(Inputs(shapes=True))
    with pytest.raises(UsageError, match="row 0: the model wants shapes, one number for each of 2 pieces"):
        list(cased.scores([Row([5, 6])]))
    with pytest.raises(UsageError, match="row 0: shapes from 4 to 4, but the model knows 0 to 3"):
        list(cased.scores([Row([5], shapes=[4])]))
    with pytest.raises(UsageError, match="row 0: the model wants marks, one number for each of 2 pieces"):
        list(engine(Inputs(marks=True)).scores([Row([5, 6], marks=[1])]))


def test_shapes_zero_is_what_special_pieces_and_plain_models_have() -> None:
    cased = engine(Inputs(shapes=True), precision="fp32")
    ((_, plain),) = engine(precision="fp32").scores([Row([5, 6])])
    ((_, zeros),) = cased.scores([Row([5, 6], shapes=[0, 0])])
    np.testing.assert_allclose(zeros, plain, atol=1e-4)
    ((_, other),) = cased.scores([Row([5, 6], shapes=[3, 3])])
    assert np.abs(other - plain).max() > 0.1


def test_a_consumer_that_stops_early_leaves_no_thread_waiting() -> None:
    rows = [Row([5] * (1 + at % 9)) for at in range(500)]
    first, _ = next(ENGINE.scores(rows, tokens=16))
    assert first == 0
    assert len(list(ENGINE.scores(rows, tokens=16))) == 500


def test_batches_hold_equal_lengths_and_at_most_the_tokens_asked_for() -> None:
    rows = [Row([5] * (at % 7)) for at in range(100)]
    batches = list(by_length(rows, 20))
    assert sorted(number for batch in batches for number in batch) == list(range(100))
    assert all(len({len(rows[number]) for number in batch}) == 1 for batch in batches)
    assert all(len(batch) * (len(rows[batch[0]]) + 2) <= 20 for batch in batches)


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08not a model")
    with pytest.raises(InputError, match=r"model\.onnx cannot be loaded: .*: delete its file"):
        Engine(tmp_path / "model.onnx", cls_id=CLS, sep_id=SEP)


def test_precision_follows_the_processor() -> None:
    assert choose_precision(Processor(avx2=True, avx512=True)) == "int7"
    assert choose_precision(Processor(avx2=True, vnni=True)) == "int8"
    assert choose_precision(Processor(neon=True)) == "int8"
