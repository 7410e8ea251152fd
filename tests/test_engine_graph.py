"""The graph against torch: the same weights must give the same scores, exact or in int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import pytest
import torch

from extractors.bert import Bert
from extractors.engine.graph import build
from extractors.engine.nodes import Precision
from extractors.engine.parts import Inputs, Shape
from extractors.engine.session import choose_precision
from extractors.processor import processor
from pipeline.errors import AdapterError

Array = npt.NDArray[np.float32]
Tensors = dict[str, Array]
OUTPUTS = 5
CONFIG = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 90,
    "max_position_embeddings": 40,
    "type_vocab_size": 3,
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
}
SHAPE = Shape.of(CONFIG)
IDS = np.random.default_rng(3).integers(0, 90, (4, 13), dtype=np.int32)
BOUNDS: dict[Precision, float] = {"fp32": 1e-4, "int8": 0.04, "int7": 0.06}  # of scores with a spread of 1
OWN = choose_precision(processor())
if OWN != "int8":
    del BOUNDS["int8"]  # this processor adds two products in 16 bits, which those of eight bits overflow


@pytest.fixture(scope="module")
def bert() -> Bert:
    """Weights with a spread like that of trained ones, and some biases that are not zero."""
    torch.manual_seed(0)
    model = Bert(CONFIG).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    return model


@pytest.fixture(scope="module")
def tensors(bert: Bert) -> Tensors:
    rng = np.random.default_rng(1)
    head = {"head.weight": rng.normal(size=(OUTPUTS, 32)) / 32**0.5, "head.bias": rng.normal(size=OUTPUTS)}
    marks = {"marks.weight": rng.normal(size=(4, 32))}
    own = {name: tensor.numpy() for name, tensor in bert.state_dict().items()}
    return {name: np.asarray(tensor, np.float32) for name, tensor in (own | head | marks).items()}


def run(model: bytes, **inputs: npt.NDArray[np.generic]) -> Array:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: Array = session.run(None, inputs)[0]
    return found


def reference(bert: Bert, tensors: Tensors, ids: npt.NDArray[np.int32] = IDS) -> Array:
    with torch.inference_mode():
        hidden = bert(torch.from_numpy(ids).long(), torch.ones(ids.shape, dtype=torch.long)).numpy()
    scores: Array = hidden @ tensors["head.weight"].T + tensors["head.bias"]
    return scores


@pytest.mark.parametrize("precision", BOUNDS)
def test_scores_are_those_of_torch(bert: Bert, tensors: Tensors, precision: Precision) -> None:
    wanted = reference(bert, tensors)
    error = np.abs(run(build(SHAPE, tensors, precision=precision), ids=IDS) - wanted)
    assert 0.7 < wanted.std() < 1.5
    assert error.max() < BOUNDS[precision]
    assert precision == "fp32" or error.max() > 1e-3  # it was quantised indeed


@pytest.mark.parametrize("length", [1, 2, 40])
def test_rows_may_have_any_length_up_to_the_longest(bert: Bert, tensors: Tensors, length: int) -> None:
    ids = np.resize(IDS, (2, length))
    np.testing.assert_allclose(
        run(build(SHAPE, tensors, precision="fp32"), ids=ids), reference(bert, tensors, ids), atol=1e-4
    )


@pytest.mark.parametrize("precision", BOUNDS)
def test_shapes_picks_the_embedding_that_is_added(tensors: Tensors, precision: Precision) -> None:
    model = build(SHAPE, tensors, Inputs(shapes=True), precision=precision)
    kinds = tensors["embeddings.token_type_embeddings.weight"]
    for kind in range(3):
        instead = tensors | {"embeddings.token_type_embeddings.weight": kinds[[kind]]}
        wanted = run(build(SHAPE, instead, precision=precision), ids=IDS)
        found = run(model, ids=IDS, shapes=np.full_like(IDS, kind))
        np.testing.assert_allclose(found, wanted, atol=BOUNDS[precision] / 2)
    mixed = run(model, ids=IDS, shapes=IDS % 3)
    assert np.abs(mixed - wanted).max() > 0.1


def test_marks_add_their_row_before_the_first_layer(bert: Bert, tensors: Tensors) -> None:
    plain = run(build(SHAPE, tensors, precision="fp32"), ids=IDS)
    model = build(SHAPE, tensors, Inputs(marks=True), precision="fp32")
    np.testing.assert_array_equal(run(model, ids=IDS, marks=np.zeros_like(IDS)), plain)
    table = np.concatenate([np.zeros((1, 32), np.float32), tensors["marks.weight"][1:]])
    with torch.inference_mode():
        marked = bert.embeddings(torch.from_numpy(IDS).long()) + torch.from_numpy(table[IDS % 4])
        hidden = bert.layers(marked, torch.ones(IDS.shape, dtype=torch.long)).numpy()
    wanted = hidden @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(run(model, ids=IDS, marks=IDS % 4), wanted, atol=1e-4)
    assert np.abs(wanted - plain).max() > 0.1


@pytest.mark.parametrize("precision", ["int8", "int7"])
def test_scores_of_a_row_do_not_depend_on_its_neighbours(tensors: Tensors, precision: Precision) -> None:
    model = build(SHAPE, tensors, precision=precision)
    together = run(model, ids=IDS)
    for at in range(len(IDS)):
        np.testing.assert_array_equal(run(model, ids=IDS[at : at + 1])[0], together[at])


def test_weights_of_seven_bits_cannot_overflow_sixteen(tensors: Tensors) -> None:
    weights = [array for array in _bytes(build(SHAPE, tensors, precision="int7")) if array.shape[0] in (32, 64)]
    assert len(weights) == 3 * 6
    assert max(int(np.abs(array.astype(int)).max()) for array in weights) * 255 * 2 < 2**15


def test_what_is_missing_or_does_not_fit_is_named(tensors: Tensors) -> None:
    name = "encoder.layer.1.output.dense.weight"
    with pytest.raises(AdapterError, match=f"no tensor {name}"):
        build(SHAPE, {key: value for key, value in tensors.items() if key != name}, precision="int8")
    with pytest.raises(AdapterError, match=rf"tensor {name}: its shape is \(32, 32\), wanted \(32, 64\)"):
        build(SHAPE, tensors | {name: np.zeros((32, 32), np.float32)}, precision="int8")
    with pytest.raises(AdapterError, match="5 heads do not divide"):
        build(replace(SHAPE, heads=5), tensors, precision="int8")


def _bytes(model: bytes) -> Iterator[npt.NDArray[np.int8]]:
    import onnx

    for tensor in onnx.load_model_from_string(model).graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.int8 and array.shape[0] != CONFIG["vocab_size"]:
            yield array
