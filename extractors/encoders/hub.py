"""Encoders from the model hub, by its own client, with that client's settings: ``HF_ENDPOINT``, token, offline mode.

The commit is resolved first, and all files are those of that commit. Large files are checked against the sha256 that
the hub states. Weights are taken as safetensors alone: a pickle can run code when it is loaded.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

from extractors.encoders import CONFIG, SETTINGS, TOKENIZER, WEIGHTS, file_sha256
from pipeline.errors import InputError, ServiceError

FILES = (CONFIG, TOKENIZER, SETTINGS, "special_tokens_map.json", "vocab.txt")
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
INDEX = "model.safetensors.index.json"


def download(name: str, revision: str, folder: Path) -> dict[str, str]:
    """Fetch a model's files into a folder; returns where they come from and their licence.

    ``revision`` is a branch, tag or commit; empty is the newest. Raises InputError where the hub has no such model or
    it has no safetensors, ServiceError where the hub cannot be reached, fails, or sends other bytes than it states.
    """
    client = HfApi()
    with _told(f"{name}@{revision}" if revision else name):
        info = client.model_info(name, revision=revision or None, files_metadata=True)
    files = {entry.rfilename: entry for entry in info.siblings or ()}
    for file in _wanted(name, files):
        with _told(f"{name}@{info.sha}"):
            path = Path(client.hf_hub_download(name, file, revision=info.sha, local_dir=folder))
        _verify(path, files[file].lfs)
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's own notes
    licence = getattr(info.card_data, "license", None) or ""
    return {"origin": f"hub {name}", "revision": str(info.sha), "licence": str(licence)}


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the client raises into our errors."""
    try:
        yield
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise InputError(f"encoder {name}: the model hub has no such model, or not for you: {_line(error)}") from error
    except Exception as error:  # of the client, its HTTP library and the operating system, which share no base
        raise ServiceError(
            f"encoder {name}: the model hub cannot be reached or fails: {_line(error)}: try again, or use one of "
            "`hypograph encoders list`"
        ) from error


def _wanted(name: str, files: dict[str, Any]) -> list[str]:
    """What of a repository is an encoder: one file of weights, or its parts, and small files of known names."""
    weights = [WEIGHTS] if WEIGHTS in files else sorted(file for file in files if SHARD.fullmatch(file))
    if not weights:
        raise InputError(
            f"encoder {name}: the hub has no safetensors of it, and pickled weights are not loaded: ask for a revision "
            f"that has them, such as {name}@refs/pr/1, where the hub offers a conversion"
        )
    small = FILES if weights == [WEIGHTS] else (*FILES, INDEX)  # transformers finds parts by their index
    return [*(file for file in small if file in files), *weights]


def _verify(path: Path, stated: Any) -> None:
    """Compare a large file with what the hub states of it; small ones are not stated."""
    if stated and (digest := file_sha256(path)) != stated.sha256:
        raise ServiceError(
            f"{path.name} from the model hub has sha256 {digest}, but it states {stated.sha256}: try again"
        )


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
