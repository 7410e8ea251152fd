"""The main job as a Prefect flow: ingest, extract, link, assemble, load.

Tasks are batches, never single documents; what passes between them is paths and ids. Nothing is cached by Prefect: the
ledger knows what is done, so a build that was killed goes on where it was, and a second one finds nothing to do.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows import tasks
from flows.progress import track
from flows.workspace import Workspace
from pipeline.ledger import IngestCounts

Flags = dict[str, str | None]

FILES_A_TASK = 200


@task(task_run_name="ingest {files[0]} and {more} more", cache_policy=NO_CACHE)
def ingest(workspace: str, flags: Flags, files: list[str], domain: str, more: int) -> dict[str, int]:  # noqa: ARG001
    with Workspace.open(Path(workspace), **flags) as opened:
        return asdict(tasks.ingest(opened, [Path(file) for file in files], domain))


@task(cache_policy=NO_CACHE)
def find_pending(workspace: str, flags: Flags) -> list[list[str]]:
    with Workspace.open(Path(workspace), **flags) as opened:
        return tasks.pending(opened)


@task(task_run_name="extract batch {number}", cache_policy=NO_CACHE)
def extract(workspace: str, flags: Flags, ids: list[str], number: int) -> int:  # noqa: ARG001
    with Workspace.open(Path(workspace), **flags) as opened:
        return tasks.extract(opened, ids)


@task(cache_policy=NO_CACHE)
def load(workspace: str, flags: Flags) -> dict[str, int | str]:
    with Workspace.open(Path(workspace), **flags) as opened:
        tasks.load(opened)
        return tasks.statistics(opened)


@flow(name="build", validate_parameters=False)
def build(workspace: str = ".", paths: list[str] | None = None, flags: Flags | None = None) -> dict[str, Any]:
    """Papers to graph; counts of what was new, changed, the same and failed, with the statistics of the graph."""
    flags = flags or {}
    file_batches, found = _file_batches(workspace, paths or [], flags)
    counts = asdict(found)
    for domain, files in track(file_batches, "ingesting"):
        for key, value in ingest(workspace, flags, files, domain, len(files) - 1).items():
            counts[key] += value
    batches = find_pending(workspace, flags)
    for number, ids in enumerate(track(batches, "reading"), 1):
        counts["failed"] += extract(workspace, flags, ids, number)
    return counts | load(workspace, flags)


def run(workspace: str, paths: list[str], flags: Flags) -> dict[str, Any]:
    """Run the flow here and now.

    The heartbeat thread of a synchronous flow would keep it waiting for a second at its end.
    """
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        result: dict[str, Any] = build(workspace, paths, flags)
    return result


def _file_batches(workspace: str, paths: list[str], flags: Flags) -> tuple[list[tuple[str, list[str]]], IngestCounts]:
    with Workspace.open(Path(workspace), **flags) as opened:
        by_domain, counts = tasks.corpora(opened, [Path(path) for path in paths])
    batches = [(domain, batch) for domain, files in by_domain.items() for batch in tasks.batches(files, FILES_A_TASK)]
    return [(domain, [str(file) for file in batch]) for domain, batch in batches], counts
