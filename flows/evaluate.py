"""Scores of a reader, or of a file of predictions, against annotated papers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import HERE, Domain, Folder, Reader, Rows, finish
from flows.printing import Format, print_object, print_rows
from flows.progress import say, track
from pipeline.errors import InputError, UsageError

if TYPE_CHECKING:
    from extractors.calibration import Trust
    from extractors.evaluate import Rules, Score
    from extractors.mistakes import Compared
    from flows.reader import Reader as PackReader
    from pipeline.domains import Domain as Pack
    from pipeline.types import Document, Failure, Reading

BATCH = 64
TOKENS = frozenset({"scierc", "conll"})
"""Formats whose text is tokens parted by blanks."""


def evaluate(
    gold: Annotated[list[Path], typer.Argument(help="Annotated papers: files, folders or globs.")],
    predicted: Annotated[
        Path | None, typer.Option("--predicted", help="Score this annotated file instead of the reader.")
    ] = None,
    domain: Domain = None,
    reader: Reader = None,
    gold_entities: Annotated[
        bool, typer.Option("--gold-entities", help="Give the reader the gold mentions, score relations.")
    ] = False,
    types: Annotated[str | None, typer.Option("--types", help="Entity types to score, as A,B.")] = None,
    train: Annotated[
        list[Path] | None, typer.Option("--train", help="Training papers: score apart what they do not name.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--page", help="HTML page of errors to write.")] = None,
    vocabulary: Annotated[list[Path] | None, typer.Option("--vocabulary", help="Concept index to link to.")] = None,
    workspace: Folder = HERE,
    format_: Rows = Format.table,
) -> None:
    """Score mentions, links and relations against annotated papers, with a page of what went wrong."""
    from extractors.error_page import Page, render
    from flows.extract import open_reader
    from pipeline.domains import load_domain
    from pipeline.pages import write_page
    from pipeline.settings import load_settings

    if predicted and (gold_entities or reader):
        raise UsageError("--predicted scores a file, --gold-entities and --reader the models: give one or the other")
    settings = load_settings(workspace, domain=domain, reader=reader.value if reader else None)
    pack = load_domain(settings.domain) if domain or not predicted else None
    failures: list[Failure] = []
    wanted = _annotated(gold, pack, failures)
    if not wanted:
        raise InputError(f"no annotated paper in {', '.join(map(str, gold))}")
    rules = _rules(gold, wanted, pack, types)
    if predicted or pack is None:
        found = _annotated([predicted] if predicted else [], pack, failures)
    else:
        found = _read(wanted, open_reader(settings, vocabulary or []), gold_entities, failures)
        rules, found = _as_annotated(rules, wanted, found)
    known = _strings(train or [], failures)
    scores, familiar, compared = _scored(wanted, found, rules, known)
    trusts = _trusts(compared, rules)
    _print(len(wanted), scores, trusts, format_)
    if page:
        colours = {entity.name: entity.colour for entity in pack.entities} if pack else {}
        title = ", ".join(path.name for path in gold)
        by = str(predicted.name) if predicted else f"{settings.domain}, {settings.reader} reader"
        write_page(page, render(Page(title, by, scores, compared, familiar, trusts, colours)))
        say(f"wrote {page}")
    for failure in failures:
        say(f"failed: {failure.source}: {failure.place}: {failure.reason}")
    finish(len(failures), listed=False)


def _annotated(paths: Iterable[Path], pack: Pack | None, failures: list[Failure]) -> dict[str, Reading]:
    """Annotated papers by id, in the names of the pack; what cannot be read is put aside into ``failures``."""
    from extractors.evaluate import merged, renamed

    readings = _readings(paths, failures)
    return merged(renamed(reading, pack) if pack else reading for reading in readings)


def _readings(paths: Iterable[Path], failures: list[Failure]) -> Iterator[Reading]:
    from pipeline import sources
    from pipeline.types import Reading

    for path in sources.find(paths):
        for item in sources.annotated(path) if isinstance(path, Path) else [path]:
            if isinstance(item, Reading):
                yield item
            else:
                failures.append(item)


def _rules(paths: Sequence[Path], gold: dict[str, Reading], pack: Pack | None, types: str | None) -> Rules:
    """What counts: token formats, and what names no concepts, tell relations by place."""
    from extractors.evaluate import UNORDERED, Rules
    from pipeline import sources
    from pipeline.sources.shared.stream import Unreadable

    formats = set()
    for path in sources.find(paths):
        try:
            formats.add(sources.format_of(path) if isinstance(path, Path) else "")
        except Unreadable:
            continue
    if formats & TOKENS and formats - TOKENS - {""}:
        raise UsageError(f"gold of tokens and of running text ({', '.join(sorted(formats))}): score them apart")
    linked = "pubtator" in formats or any(m.concept_id for reading in gold.values() for m in reading.mentions)
    names = [name.strip() for name in (types or "").split(",") if name.strip()]
    symmetric = {relation.name for relation in pack.relations if relation.symmetric} if pack else set()
    return Rules(
        types=frozenset((pack and pack.type_of(name)) or name for name in names),
        tokens=bool(formats & TOKENS),
        spans=not linked,
        unordered=UNORDERED | symmetric,
    )


def _read(gold: dict[str, Reading], opened: PackReader, given: bool, failures: list[Failure]) -> dict[str, Reading]:
    from pipeline.types import Reading

    readings = list(gold.values())
    batches = [readings[at : at + BATCH] for at in range(0, len(readings), BATCH)]
    results = [item for batch in track(batches, "reading") for item in _read_batch(opened, batch, given)]
    failures += [item for item in results if not isinstance(item, Reading)]
    return {item.document.id: item for item in results if isinstance(item, Reading)}


def _read_batch(opened: PackReader, batch: Sequence[Reading], given: bool) -> Iterator[Reading | Failure]:
    if given:
        return opened.relate([replace(reading, relations=()) for reading in batch])
    documents: list[Document] = [reading.document for reading in batch]
    return opened.read(documents)


def _as_annotated(
    rules: Rules, gold: dict[str, Reading], found: dict[str, Reading]
) -> tuple[Rules, dict[str, Reading]]:
    """Leave out what the gold does not annotate: a pack's reader may know more types and relations than a corpus."""
    names = {relation.predicate for reading in gold.values() for relation in reading.relations}
    kinds = {mention.type for reading in gold.values() for mention in reading.mentions}
    told = {
        uid: replace(reading, relations=tuple(row for row in reading.relations if row.predicate in names))
        for uid, reading in found.items()
    }
    return replace(rules, types=rules.types or frozenset(kinds)), told


def _strings(paths: Sequence[Path], failures: list[Failure]) -> frozenset[str]:
    return frozenset(m.text.lower() for reading in _readings(paths, failures) for m in reading.mentions)


def _scored(
    gold: dict[str, Reading], found: dict[str, Reading], rules: Rules, known: frozenset[str]
) -> tuple[dict[str, Score], dict[str, tuple[Score, Score]], list[Compared]]:
    """All scores, those of seen and unseen mentions by type ("" is all), and the documents compared."""
    from extractors.evaluate import aligned, by_familiarity, measures, score, whole_tokens
    from extractors.mistakes import compare

    ours, theirs = list(gold.values()), aligned(gold.values(), found)
    if strays := len(found.keys() - gold.keys()):
        say(f"{strays} predicted documents are not in the gold and left out")
    if changed := sum(a.document.text != b.document.text for a, b in zip(ours, theirs, strict=True)):
        say(f"{changed} predicted documents have another text than the gold: their offsets may not fit")
    if rules.tokens:
        theirs = [whole_tokens(reading) for reading in theirs]
    scores = score(measures(ours, theirs, rules))
    familiar: dict[str, tuple[Score, Score]] = {}
    if known:
        kinds = sorted({m.type for reading in ours for m in rules.mentions(reading)})
        for kind in ("", *kinds):
            own = replace(rules, types=frozenset({kind})) if kind else rules
            apart = score(by_familiarity(ours, theirs, known, own))
            familiar[kind] = (apart["ner_seen"], apart["ner_unseen"])
        scores |= {"ner_seen": familiar[""][0], "ner_unseen": familiar[""][1]}
    return scores, familiar, [compare(one, other, rules) for one, other in zip(ours, theirs, strict=True)]


def _trusts(compared: Sequence[Compared], rules: Rules) -> list[Trust]:
    from extractors.calibration import trust
    from extractors.mistakes import mention_scores, relation_scores

    rows = {"mentions": mention_scores(compared), "relations": relation_scores(compared, rules)}
    return [made for name, part in rows.items() if (made := trust(name, part))]


def _print(documents: int, scores: dict[str, Score], trusts: Sequence[Trust], format_: Format) -> None:
    if format_ is Format.json:
        row: dict[str, Any] = {"documents": documents, "scores": {name: one.row() for name, one in scores.items()}}
        print_object(row | {"calibration": [one.row() for one in trusts]}, format_)
        return
    rows = [{"measure": name} | one.row() for name, one in scores.items()]
    if format_ is Format.table:  # whose cells for numbers keep four digits in all
        rows = [{key: f"{v:.2f}" if isinstance(v, float) else v for key, v in row.items()} for row in rows]
    print_rows(rows, format_)
    for one in trusts:
        say(
            f"calibration of {one.count} {one.name}: expected error {one.error:.2f} %, "
            f"{one.fitted:.2f} % if scaled after Platt"
        )
