"""Where adapters lie and what they are by their files, told without loading torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.errors import AdapterError
from pipeline.types import content_id

HOME = Path(__file__).parent
CONFIG, WEIGHTS = "adapter.json", "adapter.safetensors"

# What the code makes of the same weights: a change there that changes what is read counts one up.
VERSIONS = {"tagger": 3, "relations": 3}


def folder_of(name: str | Path) -> Path:
    """The folder of an adapter, by the name of one that comes with the project, or by its path.

    Raises AdapterError where there is none.
    """
    folder = HOME / name if "/" not in str(name) and (HOME / name).is_dir() else Path(name)
    if not (folder / CONFIG).is_file():
        known = ", ".join(sorted(path.parent.name for path in HOME.glob(f"*/{CONFIG}")))
        raise AdapterError(
            f"adapter {str(name)!r}: no {CONFIG} in {folder}: use one of {known}, or an adapter's folder"
        )
    return folder


def fingerprint(kind: str, name: str | Path, *parts: object) -> str:
    """``kind:name@hash`` of an adapter's files, of the code that reads with them, and of what else it depends on.

    >>> fingerprint("tagger", "biomed-ner").partition("@")[0]
    'tagger:biomed-ner'
    """
    folder = folder_of(name)
    return f"{kind}:{folder.name}@{content_id(digest_of(folder), VERSIONS[kind], *parts)}"


def digest_of(folder: Path) -> str:
    """The sha256 of an adapter's files; raises AdapterError where one cannot be read."""
    try:
        return hashlib.sha256((folder / CONFIG).read_bytes() + (folder / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise AdapterError(f"adapter {folder}: {error}: its files are broken, fetch or train it again") from error
