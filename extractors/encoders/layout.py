"""Writing an encoder's folder: config, tokenizer and weights as the model hub lays them out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

from extractors.encoders import CONFIG, SETTINGS, TOKENIZER, WEIGHTS
from pipeline.errors import InputError


def write_bert(folder: Path, tensors: Mapping[str, NDArray[np.float32]], *, heads: int, lower: bool) -> None:
    """Write the weights of a BERT with the config that their shapes tell, and what its tokenizer presets."""
    config = bert_config({name.removeprefix("bert."): tensor.shape for name, tensor in tensors.items()}, heads)
    write_json(folder / CONFIG, config)
    write_json(folder / SETTINGS, _settings(lower, config["max_position_embeddings"]))
    save_file(dict(tensors), folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)  # safetensors lets its owner alone read it


def bert_config(shapes: Mapping[str, tuple[int, ...]], heads: int) -> dict[str, Any]:
    """The config of a BERT of these shapes; what shapes do not tell is as Devlin et al. have it.

    Raises InputError where the embeddings or the first layer are missing.
    """
    try:
        vocabulary, width = shapes["embeddings.word_embeddings.weight"]
        inner, _ = shapes["encoder.layer.0.intermediate.dense.weight"]
        positions, _ = shapes["embeddings.position_embeddings.weight"]
        types, _ = shapes["embeddings.token_type_embeddings.weight"]
    except KeyError as error:
        raise InputError(f"these weights are not those of a whole BERT: {error.args[0]} is missing") from error
    return {
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": len({name.split(".")[2] for name in shapes if name.startswith("encoder.layer.")}),
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "pad_token_id": 0,
    }


def write_tokenizer(folder: Path, vocabulary: Path, *, lower: bool) -> None:
    """Write BERT's tokenizer from its list of word pieces, one a line."""
    BertWordPieceTokenizer(str(vocabulary), lowercase=lower).save(str(folder / TOKENIZER))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def _settings(lower: bool, positions: int) -> dict[str, Any]:
    return {"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "model_max_length": positions}
