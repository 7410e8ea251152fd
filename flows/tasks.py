"""The steps of a build as plain functions over a workspace; ``build.py`` makes Prefect tasks of them.

They take paths and ids, not documents, and each may be repeated: what is done already is found in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from flows.workspace import Workspace
from graph.query import stats
from pipeline import sources
from pipeline.assemble import assemble, name_concepts
from pipeline.ledger import IngestCounts
from pipeline.types import Document, Failure, Graph, Reading

Item = TypeVar("Item")

MOST_BATCHES = 100
"""Of one build: each is a task run that Prefect keeps a record of, at about 20 ms of its server's time."""


def ingest(
    workspace: Workspace, files: Sequence[Path], domain: str, *, columns: Mapping[str, str] | None = None
) -> IngestCounts:
    """Read files into the ledger; one that cannot be read is a failure in the ledger, and the others are read."""
    total = IngestCounts()
    for path in files:
        items = (_assigned(item, domain) for item in sources.read(path, columns=columns))
        total += workspace.ledger.ingest(str(path), items)
    return total


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


def _assigned(item: Document | Failure, domain: str) -> Document | Failure:
    return replace(item, domain=domain) if isinstance(item, Document) else item


def corpora(workspace: Workspace, paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The files to read with their domain: those under the paths given, else under the corpora of the workspace.

    A path that leads to no file is among them: reading it says why.
    """
    settings = workspace.settings
    wanted = [(path, settings.domain) for path in paths] or [(c.path, c.domain) for c in settings.corpora]
    for path, domain in wanted:
        for found in sources.find([path]):
            yield Path(found.source) if isinstance(found, Failure) else found, domain
