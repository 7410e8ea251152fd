"""An ONNX graph while it is written, and the products in it: of int8 numbers or of plain ones.

Each weight column has a scale, and so has each piece of an activation, taken from its own largest value (per-token
quantisation as in ZeroQuant, Yao et al., NeurIPS 2022): half the error of one scale a tensor, and a row's scores do
not depend on the rows beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

Array: TypeAlias = npt.NDArray[Any]
Precision: TypeAlias = Literal["int8", "int7", "fp32"]

# Processors without VNNI add two products in 16 bits: those of unsigned 8-bit numbers by 7-bit ones just fit.
LARGEST = {"int8": 127, "int7": 63}
CONTRIBUTED = "com.microsoft"
OPERATORS = {"FusedMatMul": CONTRIBUTED, "Gelu": CONTRIBUTED, "MatMulIntegerToFloat": CONTRIBUTED}
OPSETS = (helper.make_opsetid("", 17), helper.make_opsetid(CONTRIBUTED, 1))
GELU_FLOOR = 0.17  # gelu is nowhere below minus this


class Nodes:
    """A graph while it is written; names of results are made up."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._small: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        name = result or f"{operator}_{len(self.nodes)}"
        domain = OPERATORS.get(operator, "")
        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name

    def constant(self, value: npt.ArrayLike, kind: npt.DTypeLike) -> str:
        array = np.ascontiguousarray(np.asarray(value, dtype=kind)).reshape(np.shape(value))
        key = (array.dtype.str, array.shape, array.tobytes() if array.size < 8 else b"")
        if key[2] and key in self._small:
            return self._small[key]
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        self._small[key] = name
        return name

    def floats(self, value: npt.ArrayLike) -> str:
        return self.constant(value, np.float32)

    def integers(self, value: npt.ArrayLike) -> str:
        return self.constant(value, np.int64)


@dataclass(frozen=True, slots=True)
class Rows:
    """An activation ready for products: int8 codes with a scale a piece, or plain numbers."""

    codes: str
    scale: str = ""
    zero: int = 0


@dataclass(frozen=True, slots=True)
class Products:
    """How activations (pieces x in) are multiplied by weights (out x in, as torch keeps them)."""

    precision: Precision
    zeros: dict[int, str] = field(default_factory=dict)

    def ready(self, nodes: Nodes, values: str, *, after_gelu: bool = False) -> Rows:
        """Quantise once what several products share.

        Codes lie around 128, or, where gelu leaves hardly anything below zero, above 16.
        """
        if self.precision == "fp32":
            return Rows(values)
        if after_gelu:
            zero, steps = 16, 255 - 16
            least = nodes.floats(GELU_FLOOR * steps / zero)
            largest = nodes.add("Max", nodes.add("ReduceMax", values, axes=[-1]), least)
        else:
            zero, steps = 128, 127
            largest = nodes.add("ReduceMax", nodes.add("Abs", values), axes=[-1])
        scale = nodes.add("Mul", largest, nodes.floats(1 / steps))
        flat = nodes.add("Squeeze", scale, nodes.integers([1]))
        if zero not in self.zeros:
            self.zeros[zero] = nodes.add("Expand", nodes.constant([zero], np.uint8), nodes.add("Shape", flat))
        return Rows(nodes.add("QuantizeLinear", values, flat, self.zeros[zero], axis=0), scale, zero)

    def times(self, nodes: Nodes, rows: Rows, weight: Array) -> str:
        if self.precision == "fp32":
            return nodes.add("MatMul", rows.codes, nodes.floats(weight.T))
        codes, scale = quantised(weight, LARGEST[self.precision])
        whole = (nodes.floats(1.0), nodes.floats(scale[:, 0]), nodes.constant(rows.zero, np.uint8))
        product = nodes.add("MatMulIntegerToFloat", rows.codes, nodes.constant(codes.T, np.int8), *whole)
        return nodes.add("Mul", product, rows.scale)


def quantised(table: Array, largest: int) -> tuple[Array, Array]:
    """Whole numbers of at most ``largest``, and for each row the scale (rows x 1) that they are multiplied by.

    >>> codes, scale = quantised(np.array([[31.75, -63.5], [0.0, 0.0]]), 127)
    >>> codes.tolist(), scale.tolist()
    ([[64, -127], [0, 0]], [[0.5], [1.0]])
    """
    scale = np.abs(table).max(axis=1, keepdims=True) / largest
    scale[scale == 0] = 1
    return np.rint(table / scale).astype(np.int8), scale.astype(np.float32)
