"""The steps of a build as plain functions over a workspace; ``build.py`` makes Prefect tasks of them.

They take paths and ids, not documents, and each may be repeated: what is done already is found in the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from flows.progress import say
from flows.workspace import Workspace
from graph.query import stats
from pipeline import sources
from pipeline.assemble import assemble, name_concepts
from pipeline.ledger import IngestCounts
from pipeline.sources.parallel import read_many
from pipeline.types import Document, Failure, Graph, Reading

Item = TypeVar("Item")

MOST_BATCHES = 100
"""Of one build: each is a task run that Prefect keeps a record of, at about 20 ms of its server's time."""
MOST_PROCESSES = 4  # the ledger takes in what as many can read
PROCESS_PAYS = 4 << 20  # bytes
PORTION_FILES, PORTION_BYTES = 5_000, 2 << 30
TOLD_EVERY = 50_000  # records


def ingest(
    workspace: Workspace,
    files: Sequence[Path],
    domain: str,
    *,
    columns: Mapping[str, str] | None = None,
    retry: bool = False,
    processes: int | None = None,
) -> IngestCounts:
    """Read files into the ledger; one that cannot be read is a failure in the ledger, and the others are read."""
    each = ingest_each(workspace, files, domain, columns=columns, retry=retry, processes=processes)
    return sum((counts for _, counts in each), IngestCounts())


def ingest_each(
    workspace: Workspace,
    files: Sequence[Path],
    domain: str,
    *,
    columns: Mapping[str, str] | None = None,
    retry: bool = False,
    processes: int | None = None,
) -> Iterator[tuple[str, IngestCounts]]:
    """Read files into the ledger, each with its counts as soon as it is written.

    A file whose bytes were read before, by the same readers for the same domain, is not opened again, unless
    something in it failed and ``retry`` is set. ``processes`` read side by side; None: as many as pay.
    """
    for portion in _portions(files):
        stamps = {str(path): sources.stamp(path, domain, sorted((columns or {}).items())) for path in portion}
        known = workspace.ledger.unchanged(stamps)
        again = frozenset(source for source, counts in known.items() if retry and counts.failed)
        yield from ((source, counts) for source, counts in known.items() if source not in again)
        unread = [Path(source) for source in stamps if source not in known or source in again]
        opened = read_many(unread, processes=processes or _processes(unread), columns=columns)
        told = ((str(path), stamps[str(path)], _assigned(items, domain, path)) for path, items in opened)
        yield from workspace.ledger.ingest_many(told)


def pending(workspace: Workspace) -> list[list[str]]:
    """Ids of the documents that the present readers have not read, in batches."""
    fingerprints = {name: workspace.reader(name).fingerprint for name in workspace.ledger.domains()}
    ids = workspace.ledger.pending(fingerprints)
    size = max(workspace.settings.batch_size, -(-len(ids) // MOST_BATCHES))
    return batches(ids, size)


def extract(workspace: Workspace, ids: Sequence[str]) -> int:
    """Read these documents and keep what was read; the number of those that could not be."""
    failed = 0
    by_domain: dict[str, list[Document]] = {}
    for document in workspace.ledger.documents(ids):
        by_domain.setdefault(document.domain, []).append(document)
    for domain, documents in by_domain.items():
        reader = workspace.reader(domain)
        results = list(reader.read(documents))
        workspace.ledger.save([r for r in results if isinstance(r, Reading)], reader.fingerprint)
        failures = [r for r in results if isinstance(r, Failure)]
        workspace.ledger.fail(failures)
        failed += len(failures)
    return failed


def load(workspace: Workspace) -> Graph:
    """Assemble the graph from the ledger and bring the store in step with it."""
    ledger = workspace.ledger
    graph = assemble(
        ledger.relations(),
        name_concepts(ledger.concept_counts(), workspace.concept),
        ledger.documents(),
        workspace.rules,
    )
    workspace.store.sync(graph)
    return graph


def statistics(workspace: Workspace) -> dict[str, int | str]:
    """What a workspace holds, in one flat object."""
    ledger, graph = workspace.ledger.counts(), stats(workspace.store)
    return {
        "documents": ledger.documents,
        "mentions": ledger.mentions,
        "entities": graph["entities"],
        "edges": graph["edges"],
        "evidence": graph["evidence"],
        "failures": ledger.failures,
        "contested": graph["contested"],
        "digest": graph["digest"],
    }


def batches(items: Sequence[Item], size: int) -> list[list[Item]]:
    """Cut a sequence into lists of at most ``size``.

    >>> batches("abcde", 2)
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    return [list(items[at : at + size]) for at in range(0, len(items), size)]


def corpora(workspace: Workspace, paths: Sequence[Path]) -> tuple[dict[str, list[Path]], IngestCounts]:
    """The files to read by domain: those under the paths given, else under the corpora of the workspace.

    A path that leads to no file is a failure in the ledger, and counted.
    """
    settings = workspace.settings
    wanted = [(path, settings.domain) for path in paths] or [(c.path, c.domain) for c in settings.corpora]
    files: dict[str, list[Path]] = {}
    missing: dict[str, Failure] = {}
    for path, domain in wanted:
        for found in sources.find([path]):
            if isinstance(found, Failure):
                missing[found.source] = found
            else:
                files.setdefault(domain, []).append(found)
    told = [(source, "", [failure]) for source, failure in missing.items()]
    told += [(source, "", []) for source in _mended(workspace, [path for path, _ in wanted]) if source not in missing]
    return files, sum((counts for _, counts in workspace.ledger.ingest_many(told)), IngestCounts())


def _mended(workspace: Workspace, paths: Sequence[Path]) -> list[str]:
    """What failed among these paths without being a file (a folder that was empty, a glob without matches)."""
    sources_ = map(Path, workspace.ledger.failed_sources())
    return [
        str(s)
        for s in sources_
        if not s.is_file() and any(s == p or (s.is_dir() and s.is_relative_to(p)) for p in paths)
    ]


def failed(workspace: Workspace) -> dict[str, list[Path]]:
    """The files of which something could not be read, by the domain of the corpus that they lie in."""
    settings = workspace.settings
    homes = [(corpus.path.absolute(), corpus.domain) for corpus in settings.corpora]
    files: dict[str, list[Path]] = {}
    for path in map(Path, workspace.ledger.failed_sources()):
        if path.is_dir():  # was empty, or a loop of links: found out anew when its own path is given
            continue
        near = (domain for home, domain in homes if path.absolute().is_relative_to(home))
        files.setdefault(next(near, settings.domain), []).append(path)
    return files


def _portions(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Files in turns: each is first told from what is known, for which it is read once, and then taken in."""
    portion: list[Path] = []
    size = 0
    for path in files:
        portion.append(path)
        size += _size(path)
        if len(portion) == PORTION_FILES or size > PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it is not there, or not any more: reading it says so
        return 0


def _processes(files: Sequence[Path]) -> int:
    """A process pays for its start when it has some megabytes to read."""
    size = sum(map(_size, files))
    return max(1, min(os.cpu_count() or 1, MOST_PROCESSES, size // PROCESS_PAYS))


def _assigned(items: Iterable[sources.Item], domain: str, path: Path) -> Iterator[sources.Item]:
    """What a file gives, for a domain; a long one tells how far it is."""
    for number, item in enumerate(items, 1):
        yield replace(item, domain=domain) if isinstance(item, Document) else item
        if number % TOLD_EVERY == 0:
            say(f"ingesting: {path.name}: {number:,} records")
