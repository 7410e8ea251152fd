"""An encoder of two layers and eight numbers with random weights and pieces of one letter, made by numpy alone."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.encoders.layout import write_bert, write_tokenizer

LAYERS, WIDTH, INNER, HEADS, POSITIONS = 2, 8, 16, 2, 512
SIGNS = [*string.ascii_lowercase, *string.digits]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *SIGNS, *(f"##{sign}" for sign in SIGNS)]


def tiny_tensors(seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """All tensors of the encoder, by BertModel's names."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(PIECES), WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        **_norm("embeddings"),
    }
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            shapes |= _linear(f"{at}.attention.self.{name}", WIDTH, WIDTH)
        shapes |= _linear(f"{at}.attention.output.dense", WIDTH, WIDTH) | _norm(f"{at}.attention.output")
        shapes |= _linear(f"{at}.intermediate.dense", INNER, WIDTH)
        shapes |= _linear(f"{at}.output.dense", WIDTH, INNER) | _norm(f"{at}.output")
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def write_tiny(folder: Path, seed: int = 0) -> Path:
    """Write the encoder as a folder of the model hub."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bert(folder, tiny_tensors(seed), heads=HEADS, lower=True)
    pieces = folder / "vocab.txt"
    pieces.write_text("\n".join(PIECES) + "\n", "utf-8")
    write_tokenizer(folder, pieces, lower=True)
    return folder


def _linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.LayerNorm.weight": (WIDTH,), f"{name}.LayerNorm.bias": (WIDTH,)}
