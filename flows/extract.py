"""Extraction alone: papers to a file of mentions, links and relations, no workspace needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from flows.progress import say
from flows.reader import Reader
from pipeline import sources
from pipeline.annotations import WRITERS
from pipeline.domains import Domain, load_domain
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.types import Deleted, Document, Failure, Reading

if TYPE_CHECKING:
    from extractors.explain import Explained, Explainer

BATCH = 64


@dataclass(frozen=True, slots=True)
class Explain:
    """A page of explanations to write: integrated over ``steps``, of ``most`` mentions a document."""

    page: Path
    steps: int = 32
    most: int = 10


def open_reader(settings: Settings, vocabularies: Iterable[Path] = ()) -> Reader:
    """The reader that a workspace's settings describe, over its concept indexes and others."""
    return Reader.open(
        load_domain(settings.domain),
        [*vocabularies, *settings.vocabularies],
        which=settings.reader,
        threshold=settings.vocabulary_threshold,
    )


def extract_to(
    output: Path,
    format_: str,
    paths: Sequence[Path],
    *,
    reader: Reader,
    gold_entities: bool = False,
    explain: Explain | None = None,
) -> int:
    """Read papers and write them with what was found; the number of documents that could not be read.

    The file appears only when it is whole. With ``gold_entities`` the mentions of the input are kept and only
    relations between them are read. With ``explain`` a page says why mentions were found.
    """
    failures: list[Failure] = []
    readings = _readings(paths, reader, gold_entities, failures)
    told: list[Explained] = []
    if explain:
        readings = _explained(readings, _explainer(reader, explain), told)
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
    if explain:
        _write_page(explain, told, reader.domain, ", ".join(path.name for path in paths))
    for failure in failures:
        say(f"failed: {failure.source}: {failure.place}: {failure.reason}")
    return len(failures)


def _explainer(reader: Reader, explain: Explain) -> Explainer:
    from extractors.dictionary import Dictionary
    from extractors.explain import Explainer

    if "tagger" not in reader.adapters:
        raise UsageError(f"--explain: the domain pack {reader.domain.name} names no tagger, whose mentions it explains")
    dictionary = next((finder for finder in reader.finders if isinstance(finder, Dictionary)), None)
    return Explainer.load(reader.adapters["tagger"], dictionary=dictionary, steps=explain.steps, most=explain.most)


def _explained(readings: Iterable[Reading], explainer: Explainer, told: list[Explained]) -> Iterator[Reading]:
    for reading in readings:
        told.append(explainer(reading))
        yield reading


def _write_page(explain: Explain, told: Sequence[Explained], domain: Domain, title: str) -> None:
    from extractors.explain import render
    from pipeline.pages import write_page

    colours = {entity.name: entity.colour for entity in domain.entities}
    write_page(explain.page, render(told, colours, title=title, steps=explain.steps))
    say(f"wrote {explain.page}")


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
