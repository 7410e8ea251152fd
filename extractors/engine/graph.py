"""BERT as an ONNX graph for onnxruntime, written node by node: what is computed is what stands here.

Three things make it fast on a processor. Products are of int8 numbers (:mod:`extractors.engine.nodes`). The hidden
state runs through the graph as one long list of pieces, position by position, so that attention reads queries, keys
and values where they lie instead of copying them head by head. And the nodes are the fastest ones measured: Add and
LayerNormalization take a seventh of the time of their fusion, Add and Gelu five sixths of theirs.

All rows of a batch are of one length: there is no padding, and no mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from extractors.engine.nodes import OPSETS, Array, Nodes, Precision, Products, Rows, quantised
from extractors.engine.parts import IDS, Inputs, Shape
from pipeline.errors import AdapterError


def build(shape: Shape, tensors: Mapping[str, Array], inputs: Inputs = IDS, *, precision: Precision) -> bytes:
    """An ONNX model of a BERT whose tensors are named as in ``Bert.state_dict()``, and of its head.

    Inputs: ``ids``, and ``shapes`` and ``marks`` where they are asked for (int32, batch x length). Output: ``scores``
    (batch x length x outputs) by ``head.weight`` and ``head.bias``. The metadata hold the longest ``length`` and, for
    each input, one above the largest number. Raises AdapterError where a tensor is missing or of another shape.
    """
    if shape.width % shape.heads:
        raise AdapterError(f"{shape.heads} heads do not divide a width of {shape.width}: use the model's config.json")
    graph = _Bert(shape, tensors, Products(precision))
    hidden = graph.embedded(shapes=inputs.shapes)
    hidden = graph.flat(graph.marked(hidden) if inputs.marks else hidden)
    for number in range(shape.layers):
        hidden = graph.layer(hidden, f"encoder.layer.{number}.")
    graph.leave(hidden)
    return bytes(graph.model().SerializeToString())


class _Bert(Nodes):
    """The parts of a BERT; between its layers the hidden state is (length * batch) x width."""

    def __init__(self, shape: Shape, tensors: Mapping[str, Array], products: Products) -> None:
        super().__init__()
        self.shape = shape
        self.tensors = tensors
        self.products = products
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.limits: dict[str, int] = {}
        self.sizes = ""  # the number of positions and of rows, as they are known when a batch comes in
        self.by_head = ""  # these, and the heads with their widths

    def embedded(self, *, shapes: bool) -> str:
        """Embeddings of shape length x batch x width."""
        words = self.tensor("embeddings.word_embeddings.weight", -1, self.shape.width)
        kinds = self.tensor("embeddings.token_type_embeddings.weight", -1, self.shape.width)
        places = self.tensor("embeddings.position_embeddings.weight", -1, self.shape.width)
        self.limits["length"] = len(places)
        ids = self.numbers("ids", len(words))
        self.sizes = self.add("Shape", ids)
        hidden = self._words(words, ids)
        if shapes:
            hidden = self.add("Add", hidden, self.add("Gather", self.floats(kinds), self.numbers("shapes", len(kinds))))
        else:
            places = places + kinds[0]
        start, length = self.integers([0]), self.add("Shape", ids, start=0, end=1)
        here = self.add("Slice", self.floats(places[:, None, :]), start, length, start)
        return self._normal(self.add("Add", hidden, here), "embeddings.LayerNorm.")

    def _words(self, words: Array, ids: str) -> str:
        """Half of a small model is its vocabulary, which int8 makes a fourth as large."""
        if self.products.precision == "fp32":
            return self.add("Gather", self.floats(words), ids)
        codes, scale = quantised(words, 127)
        whole = self.add("Cast", self.add("Gather", self.constant(codes, np.int8), ids), to=TensorProto.FLOAT)
        return self.add("Mul", whole, self.add("Gather", self.floats(scale), ids))

    def marked(self, hidden: str) -> str:
        table = self.tensor("marks.weight", -1, self.shape.width).copy()
        table[0] = 0
        return self.add("Add", hidden, self.add("Gather", self.floats(table), self.numbers("marks", len(table))))

    def numbers(self, name: str, limit: int) -> str:
        """An input of shape batch x length with numbers below the limit, turned to length x batch."""
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "length"]))
        self.limits[name] = limit
        return self.add("Transpose", name, perm=[1, 0])

    def flat(self, hidden: str) -> str:
        return self.add("Reshape", hidden, self.integers([-1, self.shape.width]))

    def layer(self, hidden: str, prefix: str) -> str:
        name = f"{prefix}attention.output."
        hidden = self._normal(self.add("Add", self._attention(hidden, prefix), hidden), f"{name}LayerNorm.")
        width, inner = self.shape.width, len(self.tensor(f"{prefix}intermediate.dense.bias", -1))
        rows = self.products.ready(self, hidden)
        wide = self.add("Gelu", self._linear(rows, f"{prefix}intermediate.dense.", inner, width))
        rows = self.products.ready(self, wide, after_gelu=True)
        out = self._linear(rows, f"{prefix}output.dense.", width, inner)
        return self._normal(self.add("Add", out, hidden), f"{prefix}output.LayerNorm.")

    def _attention(self, hidden: str, prefix: str) -> str:
        """Attention among the pieces of a row, and the layer after it.

        The bias of the keys adds the same to all scores of a query and falls out; as weights sum up to one, that
        of the values may be added behind the next layer's weights.
        """
        name, out = f"{prefix}attention.self.", f"{prefix}attention.output.dense."
        width, heads = self.shape.width, self.shape.heads
        rows = self.products.ready(self, hidden)
        self.by_head = self.by_head or self.add("Concat", self.sizes, self.integers([heads, width // heads]), axis=0)
        query, key, value = (
            self.add("Reshape", product, self.by_head)
            for product in (
                self._linear(rows, f"{name}query.", width, width),
                self.products.times(self, rows, self.tensor(f"{name}key.weight", width, width)),
                self.products.times(self, rows, self.tensor(f"{name}value.weight", width, width)),
            )
        )
        scale = (width // heads) ** -0.5
        scores = self.add("FusedMatMul", query, key, alpha=scale, transB=1, transBatchA=1, transBatchB=1)
        context = self.add("FusedMatMul", self.add("Softmax", scores, axis=-1), value, transBatchB=1)
        joined = self.flat(self.add("Transpose", context, perm=[2, 0, 1, 3]))
        weight = self.tensor(f"{out}weight", width, width)
        bias = self.tensor(f"{out}bias", width) + weight @ self.tensor(f"{name}value.bias", width)
        product = self.products.times(self, self.products.ready(self, joined), weight)
        return self.add("Add", product, self.floats(bias))

    def _linear(self, rows: Rows, name: str, outer: int, inner: int) -> str:
        product = self.products.times(self, rows, self.tensor(f"{name}weight", outer, inner))
        return self.add("Add", product, self.floats(self.tensor(f"{name}bias", outer)))

    def _normal(self, values: str, name: str) -> str:
        weights = (self.floats(self.tensor(f"{name}{part}", self.shape.width)) for part in ("weight", "bias"))
        return self.add("LayerNormalization", values, *weights, axis=-1, epsilon=self.shape.epsilon)

    def leave(self, hidden: str) -> None:
        """The scores, as batch x length x outputs."""
        weight = self.tensor("head.weight", -1, self.shape.width)
        hidden = self.add("MatMul", hidden, self.floats(weight.T))
        hidden = self.add("Add", hidden, self.floats(self.tensor("head.bias", len(weight))))
        unfolded = self.add("Concat", self.sizes, self.integers([len(weight)]), axis=0)
        self.add("Transpose", self.add("Reshape", hidden, unfolded), perm=[1, 0, 2], result="scores")
        axes: list[str | int | None] = ["batch", "length", len(weight)]
        self.outputs.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, axes))

    def tensor(self, name: str, *sizes: int) -> Array:
        """A tensor of the given sizes, of which -1 fits any."""
        if name not in self.tensors:
            raise AdapterError(f"no tensor {name} among the weights: it needs those that Bert.state_dict() has")
        found = np.asarray(self.tensors[name], dtype=np.float32)
        if found.ndim != len(sizes) or any(size not in (-1, has) for has, size in zip(found.shape, sizes, strict=True)):
            raise AdapterError(f"tensor {name}: its shape is {found.shape}, wanted {sizes}")
        return found

    def model(self) -> ModelProto:
        graph = helper.make_graph(self.nodes, "bert", self.inputs, self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
        helper.set_model_props(model, {name: str(limit) for name, limit in self.limits.items()})
        return model
