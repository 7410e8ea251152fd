"""Built models as files: a model is made once a machine, and again where the code that builds it has changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeAlias

from extractors.encoders import caches

log = logging.getLogger(__name__)
Model: TypeAlias = Path | bytes


def prepared(key: str, make: Callable[[], bytes]) -> Model:
    """The file of the model that goes by a key, made where it is not there yet.

    The key names all that the model depends on but the code: the hash of its weights, its part, its precision.
    Whoever is killed while writing leaves no half a model, and of two who make the same one the later one wins.
    Where nothing can be written, the model itself is returned, and made anew by the next process.
    """
    path = models_home() / f"{key}-{code_version()}.onnx"
    if path.is_file():
        return path
    model = make()
    try:
        return _written(path, model)
    except OSError as error:
        log.warning("%s: %s: the model is built anew by each run; $HYPOGRAPH_CACHE names another folder", path, error)
        return model


def models_home() -> Path:
    """Where built models are kept."""
    return caches() / "models"


@cache
def code_version() -> str:
    """A hash of the code that builds models, told without loading it."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / name).read_bytes() for name in ("graph.py", "nodes.py"))).hexdigest()[:8]


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
