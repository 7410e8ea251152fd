"""Extraction alone: papers to a file of mentions, links and relations, no workspace needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from flows.progress import say
from flows.reader import Reader
from pipeline import sources
from pipeline.annotations import WRITERS
from pipeline.domains import load_domain
from pipeline.types import Deleted, Document, Failure, Reading

BATCH = 64


def open_reader(domain: str, vocabularies: Iterable[Path], which: str) -> Reader:
    return Reader.open(load_domain(domain), vocabularies, which=which)


def extract_to(
    output: Path, format_: str, paths: Sequence[Path], *, reader: Reader, gold_entities: bool = False
) -> int:
    """Read papers and write them with what was found; the number of documents that could not be read.

    The file appears only when it is whole. With ``gold_entities`` the mentions of the input are kept and only
    relations between them are read.
    """
    failures: list[Failure] = []
    readings = _readings(paths, reader, gold_entities, failures)
    if str(output) == "-":
        _write(readings, format_, sys.stdout)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        part = output.with_name(output.name + ".part")
        try:
            with part.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as stream:
                _write(readings, format_, stream)
            os.replace(part, output)
        finally:
            part.unlink(missing_ok=True)
    for failure in failures:
        say(f"failed: {failure.source}: {failure.place}: {failure.reason}")
    return len(failures)


def _write(readings: Iterable[Reading], format_: str, stream: TextIO) -> None:
    for text in WRITERS[format_](readings):
        stream.write(text)


def _readings(paths: Sequence[Path], reader: Reader, gold_entities: bool, failures: list[Failure]) -> Iterator[Reading]:
    """The readings of all papers in order; what fails on the way is put aside into ``failures``."""
    items = _annotated(paths) if gold_entities else sources.read_all(paths)
    batch: list[Document | Reading] = []
    for item in items:
        if isinstance(item, Failure):
            failures.append(item)
        elif not isinstance(item, Deleted):
            batch.append(item)
        if len(batch) == BATCH:
            yield from _read(batch, reader, failures)
            batch = []
    yield from _read(batch, reader, failures)


def _annotated(paths: Sequence[Path]) -> Iterator[Reading | Failure]:
    for found in sources.find(paths):
        if isinstance(found, Failure):
            yield found
        else:
            yield from sources.annotated(found)


def _read(batch: Sequence[Document | Reading], reader: Reader, failures: list[Failure]) -> Iterator[Reading]:
    results = [
        *reader.read([item for item in batch if isinstance(item, Document)]),
        *reader.relate([item for item in batch if isinstance(item, Reading)]),
    ]
    failures.extend(item for item in results if isinstance(item, Failure))
    yield from (item for item in results if isinstance(item, Reading))
