"""Base encoders by name or folder: one way in, weights checked, precision chosen by the processor.

An encoder is a folder in the layout of the model hub (``config.json``, ``tokenizer.json``, ``model.safetensors`` or
``model.int8.safetensors``). Where it is looked for is told in :mod:`extractors.encoders`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from extractors.bert import Bert, bert_weights, supports
from extractors.encoders import (
    CONFIG,
    PACKAGED,
    PACKED,
    Found,
    Packaged,
    check,
    find,
    read_json,
    weight_files,
    weights_sha256,
)
from extractors.encoders.packed import encoder_weights, read_weights
from extractors.processor import processor
from extractors.tokens import Tokens, load_tokens
from pipeline.errors import InputError

__all__ = [
    "PACKAGED",
    "Encoder",
    "Packaged",
    "choose_device",
    "choose_dtype",
    "encoder_folder",
    "encoder_weights",
    "inference",
    "load_encoder",
    "weights_sha256",
]


@dataclass(frozen=True, slots=True)
class Encoder(Tokens):
    """A base model with its tokenizer; ``sha256`` is that of its weights, ``width`` the size of a piece's vector."""

    name: str
    model: torch.nn.Module
    sha256: str
    width: int

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self.sha256[:8]}"


def load_encoder(name: str | Path = "minilm") -> Encoder:
    """Load an encoder by its name or folder; one that is not on this machine is fetched from the model hub.

    Raises AdapterError where its weights are not the ones that it must have, InputError for a folder or name that
    holds no encoder, ServiceError where the hub cannot be reached.
    """
    found = _located(name)
    digest = check(found)
    folder = found.folder
    try:
        config, tokens = read_json(folder / CONFIG), load_tokens(folder)
        model = _bert(folder, config) if supports(config) else _from_transformers(folder)
        return Encoder(
            name=str(name),
            model=model.eval(),
            sha256=digest,
            width=int(config["hidden_size"]),
            **{field.name: getattr(tokens, field.name) for field in fields(tokens)},
        )
    except InputError as error:
        raise InputError(f"encoder {name}: {folder}: {error}") from error
    except Exception as error:  # what tokenizers, safetensors and transformers throw has no common base
        raise InputError(f"encoder {name}: {folder} cannot be loaded: {type(error).__name__}: {error}") from error


def encoder_folder(name: str | Path) -> Path:
    """Find the folder of an encoder, fetching it from the hub where it is not on this machine."""
    return _located(name).folder


def choose_device(device: str = "auto") -> torch.device:
    """``auto`` is a CUDA GPU, else Apple's MPS, else the CPU; any torch device name is taken as it is."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, else float32.

    A CPU with AVX-512 but no bf16 instructions emulates them, more than twice as slowly as float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if device.type == "cpu" and processor().bf16 else torch.float32


@contextmanager
def inference(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """No gradients, and matrix products of numbers of the given type."""
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield


def _located(name: str | Path) -> Found:
    found = find(name)
    if found is None:
        from extractors.encoders.fetch import fetch  # noqa: PLC0415  the hub's client, which few runs need

        found = fetch(str(name), artifacts=False)
    return found


def _bert(folder: Path, config: dict[str, Any]) -> torch.nn.Module:
    model = Bert(config)
    tensors: dict[str, torch.Tensor] = {}
    if (folder / PACKED).is_file():
        tensors = {name: torch.from_numpy(array) for name, array in read_weights(folder).items()}
    else:
        for path in weight_files(folder):
            tensors |= load_file(path)
    model.load_state_dict(bert_weights(tensors))
    return model


def _from_transformers(folder: Path) -> torch.nn.Module:
    """Any other architecture, by transformers' own loader."""
    if (folder / PACKED).is_file():
        raise InputError(f"only a BERT can be packed: {PACKED} cannot be loaded")
    from transformers import AutoModel  # noqa: PLC0415  slow to import, and BERT does without

    model: torch.nn.Module = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return model
