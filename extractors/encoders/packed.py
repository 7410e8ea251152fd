"""Packed encoders: each matrix as int8 numbers with one scale a row, a quarter of the size, and numpy is all it needs.

A row w becomes ``round(w / s)`` with ``s = max|w| / 127``, symmetric about zero, so that no element is off by more than
``s / 2``. Embeddings are matrices too: a row is the vector of one piece. Biases and norms stay float32.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from extractors.encoders import (
    CONFIG,
    PACKED,
    RECORD,
    SETTINGS,
    TOKENIZER,
    check,
    file_sha256,
    find,
    read_json,
    weight_files,
)
from pipeline.errors import InputError

Array = NDArray[Any]
SCALE = ".scale"
LARGEST = 127


def pack(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Turn every matrix into int8 and its scales, which are called ``NAME.scale``; all else becomes float32.

    >>> packed = pack({"w": np.array([[1.0, -2.54], [0.0, 0.0]]), "b": np.array([0.5])})
    >>> packed["w"].tolist(), packed["w.scale"].round(4).tolist(), packed["b"].tolist()
    ([[50, -127], [0, 0]], [0.019999999552965164, 0.0], [0.5])

    Raises InputError for a matrix with a number that is not finite.
    """
    packed: dict[str, Array] = {}
    for name, tensor in tensors.items():
        values = tensor.astype(np.float32)
        if values.ndim != 2:
            packed[name] = values
            continue
        if not np.isfinite(values).all():
            raise InputError(f"{name} holds numbers that are not finite: these weights cannot be packed")
        scale = np.abs(values).max(axis=1, initial=0.0) / np.float32(LARGEST)
        divisor = np.where(scale > 0, scale, np.float32(1))[:, None]
        packed[name] = np.clip(np.rint(values / divisor), -LARGEST, LARGEST).astype(np.int8)
        packed[name + SCALE] = scale
    return packed


def unpack(tensors: Mapping[str, Array]) -> dict[str, NDArray[np.float32]]:
    """Undo :func:`pack`, up to its rounding; all comes back as float32.

    >>> unpack({"w": np.array([[50, -127]], dtype=np.int8), "w.scale": np.array([0.02])})["w"].round(2).tolist()
    [[1.0, -2.5399999618530273]]

    Raises InputError where scales are missing or of another length.
    """
    unpacked: dict[str, NDArray[np.float32]] = {}
    for name, tensor in tensors.items():
        if tensor.dtype == np.int8:
            scale = tensors.get(name + SCALE)
            if scale is None or scale.shape != tensor.shape[:1]:
                raise InputError(f"packed weights: {name} lacks its scales, one a row")
            unpacked[name] = tensor * scale.astype(np.float32)[:, None]
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in tensors):
            unpacked[name] = tensor.astype(np.float32)
    return unpacked


def bert_name(name: str) -> str:
    """BertModel's own name of a tensor of any BERT's checkpoint; empty for heads, pooler and position numbers.

    >>> bert_name("bert.embeddings.LayerNorm.gamma"), bert_name("cls.predictions.bias")
    ('embeddings.LayerNorm.weight', '')
    """
    name = name.removeprefix("bert.").replace("LayerNorm.gamma", "LayerNorm.weight")
    name = name.replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name.startswith(("embeddings.", "encoder.")) and not name.endswith("position_ids") else ""


def encoder_weights(name: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """The config and the weights of a BERT that is on this machine, by BertModel's names, without torch.

    Raises InputError where it is not here, broken, or no BERT, and AdapterError where its weights were changed.
    """
    found = find(name)
    if found is None:
        raise InputError(f"encoder {name} is not on this machine: `hypograph encoders get {name}` fetches it")
    check(found)
    return read_json(found.folder / CONFIG), read_weights(found.folder)


def read_weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a BERT's folder, packed or not, by BertModel's names."""
    tensors: dict[str, Array] = {}
    for path in weight_files(folder):
        try:
            tensors |= load_file(path)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: {error}: fetch the encoder again") from error
        except TypeError as error:  # numpy has no bfloat16
            raise InputError(f"{path}: {error}: only float32, float16 and packed weights are read here") from error
    plain = {bert_name(name): tensor for name, tensor in unpack(tensors).items() if bert_name(name)}
    if not plain:
        raise InputError(f"encoder {folder}: its weights are not those of a BERT")
    return plain


def pack_folder(source: str | Path, target: Path, *, licence: str = "", origin: str = "") -> None:
    """Make a packed encoder out of one that is on this machine: its config, tokenizer and weights without heads.

    ``licence`` and ``origin`` go into its record; by default they are those of the source. Raises InputError where the
    target is there already, or the source is no BERT.
    """
    found = find(source)
    config, tensors = encoder_weights(source)
    if found is None or config.get("model_type") != "bert":
        raise InputError(f"encoder {source}: only a BERT can be packed, its model_type is {config.get('model_type')!r}")
    if target.exists():
        raise InputError(f"{target} exists already: delete it, or choose another folder")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(pack(tensors), partial / PACKED)
    (partial / PACKED).chmod(0o644)  # safetensors lets its owner alone read it
    for name in (CONFIG, TOKENIZER, SETTINGS):
        if (found.folder / name).is_file():
            shutil.copyfile(found.folder / name, partial / name)
    told = {"licence": licence or found.licence, "origin": origin or found.origin}
    record = {"sha256": file_sha256(partial / PACKED), **told}
    (partial / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    partial.rename(target)
