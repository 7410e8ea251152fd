"""What a graph is to compute, in words that need no onnx: the shape of a model, and what it is told of each piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """What the weights of a BERT do not tell of it themselves, and its size."""

    layers: int
    heads: int
    width: int
    epsilon: float = 1e-12

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """The shape that a ``config.json`` describes.

        >>> Shape.of({"num_hidden_layers": 6, "num_attention_heads": 12, "hidden_size": 384, "layer_norm_eps": 1e-12})
        Shape(layers=6, heads=12, width=384, epsilon=1e-12)
        """
        return cls(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            width=int(config["hidden_size"]),
            epsilon=float(config["layer_norm_eps"]),
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model is told of each piece, beside its id.

    With ``shapes`` it is which row of the token type embeddings is added to it, else that is row 0. With ``marks`` it
    is which row of ``marks.weight`` is added to its embedding; row 0, whatever it holds, adds nothing.
    """

    shapes: bool = False
    marks: bool = False


IDS = Inputs()
