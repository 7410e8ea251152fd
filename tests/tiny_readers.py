"""A very small encoder with random weights, and adapters for it: what reads wrongly, but fast and by the same code."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from extractors.adapter import TokenClassifier, attach, factors, write_adapter
from extractors.encoder import Encoder, encoder_folder, load_encoder


def tiny_encoder(folder: Path) -> Encoder:
    """Write an encoder of two layers with the vocabulary of minilm, and load it."""
    torch.manual_seed(0)
    config = BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(encoder_folder("minilm") / name, folder)
    return load_encoder(folder)


def random_adapter(folder: Path, encoder: Encoder, outputs: int, config: Mapping[str, Any]) -> Path:
    """Write an adapter whose every tensor is random."""
    model = TokenClassifier(load_encoder(encoder.name), outputs)
    attach(model, rank=2, precision=torch.float32, markers=config.get("markers", ()))
    tensors = {name: torch.randn(tensor.shape) for name, tensor in factors(model).items()}
    write_adapter(folder, {"encoder": encoder.name, "encoder_sha256": encoder.sha256, **config}, tensors)
    return folder
