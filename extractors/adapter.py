"""Adapters: what fine-tuning adds to a base encoder, small enough to lie in the repository.

An adapter is a folder with ``adapter.json`` (what it is, and the sha256 of its encoder), ``adapter.safetensors``
and a card, ``README.md``. The weights are low-rank (LoRA, Hu et al. 2021): for a linear layer with the weight W of
shape out x in, the factors ``up`` (out x rank) and ``down`` (rank x in), so that the tuned weight is W + up @ down.
Beside them lie a head and, where they are used, the embeddings of word shapes (``shapes``), corrections for those of
markers (``markers``) and the vectors that mark subjects or known names (``mark``, one a row). Merged at load they cost
nothing at inference.
Where the whole encoder was tuned it lies in the same folder, and the adapter holds the head alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from extractors.adapters import CONFIG, WEIGHTS, folder_of
from extractors.encoders.packed import pack, unpack
from extractors.tags import tag_names
from pipeline.errors import AdapterError, InputError

Array = NDArray[Any]
WHOLE = "."
"""What an adapter calls an encoder that lies, tuned as a whole, in its own folder."""
FACTORS = (".up", ".down")
MERGED = frozenset({"full", "lora", "adalora"})
"""Ways of tuning of which nothing is left beside the weights."""
WORDS, KINDS, MARKS = "embeddings.word_embeddings.weight", "embeddings.token_type_embeddings.weight", "marks.weight"
KEYS = {
    "tagger": ("encoder", "encoder_sha256", "types", "window", "overlap"),
    "relations": (
        *("encoder", "encoder_sha256", "types", "window", "overlap"),
        *("pairs", "ordered", "groups", "markers", "thresholds", "level"),
    ),
}


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter as it was read: ``config`` from its JSON, ``folder`` where it lies."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, Array]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def encoder(self) -> str | Path:
        """The name of its encoder, or its own folder where that holds the whole encoder."""
        return self.folder if self.config["encoder"] == WHOLE else str(self.config["encoder"])

    @property
    def method(self) -> str:
        return str(self.config.get("method", "lora"))

    @property
    def shaped(self) -> bool:
        """Whether the model is told how words are written."""
        return bool(self.config.get("shaped", False))

    @property
    def tags(self) -> tuple[str, ...]:
        """What the head of a tagger scores, in its order."""
        return tag_names(self.config["types"], self.config.get("scheme", "BIO"))

    @property
    def known(self) -> tuple[str, ...]:
        """The types whose names, where a dictionary found them, a tagger is told of, in the order of its marks."""
        return tuple(self.config.get("known", ()))

    @property
    def slots(self) -> int:
        """How many subjects a tagger of relations marks at once."""
        return int(self.config.get("slots", 1))

    @property
    def outputs(self) -> int:
        """How many scores the head gives a piece."""
        return len(self.tensors["head.bias"])


def require(adapter: Adapter, digest: str) -> None:
    """Raise AdapterError where the weights of its encoder, by their sha256, are not those that it was trained on."""
    wanted = adapter.config["encoder_sha256"]
    if wanted and digest != wanted:
        raise AdapterError(
            f"adapter {adapter.name} was trained on encoder weights {wanted}, but {adapter.encoder} has {digest}: "
            "use the encoder that it names, or train the adapter again"
        )


def merged(weights: Mapping[str, Array], adapter: Adapter) -> dict[str, Array]:
    """An encoder's weights with an adapter merged into them, its head and its marks of subjects beside them.

    Raises KeyError or ValueError where the one does not fit the other.
    """
    found, tensors = dict(weights), {name: np.asarray(tensor, np.float32) for name, tensor in adapter.tensors.items()}
    for name in (name.removesuffix(".up") for name in tensors if name.endswith(".up")):
        if f"{name}.down" in tensors:
            found[f"{name}.weight"] = found[f"{name}.weight"] + tensors[f"{name}.up"] @ tensors[f"{name}.down"]
    if "shapes" in tensors:
        found[KINDS] = tensors["shapes"]
    if "markers" in tensors:
        found[WORDS] = found[WORDS].copy()
        found[WORDS][adapter.config["markers"]] += tensors["markers"]
    if "mark" in tensors:
        found[MARKS] = np.pad(tensors["mark"], [(1, 0), (0, 0)])  # row 0: pieces that are not marked
    return found | {name: tensors[name] for name in ("head.weight", "head.bias")}


def write_adapter(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Array], *, packed: bool = False
) -> None:
    """Write an adapter as JSON and fp16 weights, or with its factors as int8 with a scale a row, half the size."""
    folder.mkdir(parents=True, exist_ok=True)
    factors = {key: value for key, value in tensors.items() if packed and key.endswith(FACTORS)}
    halves = {
        key: np.ascontiguousarray(value, dtype=np.float16) for key, value in tensors.items() if key not in factors
    }
    (folder / WEIGHTS).write_bytes(save(halves | pack(factors)))
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def read_adapter(name: str | Path, *, kind: str = "") -> Adapter:
    """Read an adapter by the name of one that comes with the project, or by its folder.

    Raises AdapterError where the folder is missing or broken, or holds another kind of adapter than is asked for.
    """
    folder = folder_of(name)
    try:
        raw = (folder / CONFIG).read_bytes()
        config = json.loads(raw)
        tensors = unpack(load_file(folder / WEIGHTS))
    except (OSError, ValueError, SafetensorError, InputError) as error:
        raise AdapterError(f"adapter {folder}: {error}: its files are broken, fetch or train it again") from error
    found = config.get("kind")
    if found not in KEYS or kind not in ("", found):
        raise AdapterError(f"adapter {folder}: its kind is {found!r}, wanted {kind or ' or '.join(KEYS)!r}")
    lacking = [key for key in KEYS[found] if key not in config]
    if lacking:
        raise AdapterError(f"adapter {folder}: {CONFIG} lacks {', '.join(lacking)}: fetch or train it again")
    if "mark" in tensors:
        tensors["mark"] = np.atleast_2d(tensors["mark"])  # older ones hold the mark of one subject as a vector
    return Adapter(folder, config, tensors)
