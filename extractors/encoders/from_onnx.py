"""BERT out of an ONNX file, as torch's exporter writes it.

Embeddings, biases and norms are initialisers with BertModel's own names. The weight of a linear layer is an
initialiser with a number for a name, transposed, that goes into a MatMul node; the node is called after its module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from extractors.encoders.packed import bert_name
from pipeline.errors import InputError


def read_bert(path: Path) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of an exported BERT, by BertModel's names; raises InputError for another model."""
    graph = onnx.load(path).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    named = {bert_name(name): array for name, array in arrays.items()} | dict(_products(graph, arrays))
    tensors = {name: np.ascontiguousarray(array) for name, array in named.items() if array.dtype == np.float32}
    tensors.pop("", None)
    if not tensors:
        raise InputError(f"{path.name}: no initialiser is called embeddings.... or encoder....: it holds no BERT")
    return tensors


def module_name(node: str) -> str:
    """The weight that a MatMul node multiplies by, from the node's name.

    >>> module_name("/encoder/layer.0/attention/self/query/MatMul")
    'encoder.layer.0.attention.self.query.weight'
    """
    return bert_name(node.strip("/").removesuffix("/MatMul").replace("/", ".") + ".weight")


def _products(
    graph: onnx.GraphProto, arrays: dict[str, NDArray[np.float32]]
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            yield module_name(node.name), arrays[node.input[1]].T
