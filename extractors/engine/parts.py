"""What a graph is to compute, in words that need no onnx: the shape of a model, and which part of it."""

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
class Part:
    """What of a model a graph computes: by default all of it.

    The layers from ``first`` up to ``last``, which is the number of all where it is None; before layer 0 come the
    embeddings, and a graph that begins later takes the hidden state that another one ended with. ``head`` turns the
    last hidden state into scores. With ``shapes`` the row of the token type embeddings that is added to a piece is
    an input, else it is row 0. With ``marks`` rows of ``marks.weight`` are added to the hidden state before layer
    ``first``; row 0, whatever it holds, adds nothing.
    """

    first: int = 0
    last: int | None = None
    head: bool = True
    shapes: bool = False
    marks: bool = False


WHOLE = Part()
