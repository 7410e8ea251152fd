"""Built models as files: a model is made once a machine, and again where the code that builds it has changed.

One that nobody has used for a month is deleted when another one is written.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeAlias

from extractors.encoders import caches

log = logging.getLogger(__name__)
Model: TypeAlias = Path | bytes
KEPT = 30 * 24 * 3600
"""How many seconds a model is kept after its last use."""


def prepared(key: str, make: Callable[[], bytes]) -> Model:
    """The file of the model that goes by a key, made where it is not there yet.

    The key names all that the model depends on but the code: the hash of its weights, its part, its precision.
    Whoever is killed while writing leaves no half a model, and of two who make the same one the later one wins.
    Where nothing can be written, the model itself is returned, and made anew by the next process.
    """
    path = models_home() / f"{key}-{code_version()}.onnx"
    if _used(path):
        return path
    model = make()
    try:
        written = _written(path, model)
    except OSError as error:
        log.warning("%s: %s: the model is built anew by each run; $HYPOGRAPH_CACHE names another folder", path, error)
        return model
    _forget_unused(path.parent)
    return written


def models_home() -> Path:
    """Where built models are kept."""
    return caches() / "models"


@cache
def code_version() -> str:
    """A hash of the code that builds models, told without loading it."""
    files = (Path(__file__).with_name(name) for name in ("graph.py", "nodes.py", "parts.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def _used(path: Path) -> bool:
    """Whether a model is there; its time of change tells when it was last used."""
    try:
        os.utime(path)
    except OSError as error:
        log.debug("%s: not touched: %s", path, error)
    return path.is_file()


def _forget_unused(folder: Path) -> None:
    """Delete old models, and old halves of them; a process that has one open keeps it until it ends."""
    for path in (*folder.glob("*.onnx"), *folder.glob(".*.partial")):
        try:
            if path.stat().st_mtime < time.time() - KEPT:
                path.unlink()
        except OSError as error:
            log.debug("%s: not deleted: %s", path, error)


def _written(path: Path, model: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".partial", delete=False) as stream:
        try:
            stream.write(model)
            stream.close()
            Path(stream.name).replace(path)
        except OSError:
            Path(stream.name).unlink(missing_ok=True)
            raise
    return path
