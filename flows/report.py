"""The report of a workspace: its graph, the answers to the questions asked, and what failed, as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows import tasks
from flows.hypothesize import network
from flows.workspace import Workspace
from graph.hypotheses.discovery import Hypothesis, discover
from graph.query import resolve
from graph.report import Report, write_report
from pipeline.errors import UsageError
from pipeline.types import Graph


def report_to(path: Path, workspace: Workspace, *, questions: Sequence[str], top: int) -> None:
    """Write the page; without a question it shows the best links of the whole graph.

    A question is the name of an entity, or ``NAME@YEAR`` for its links as of that year. Raises NotFound for a name that
    no entity has, UsageError for a year that is none.
    """
    packs, whole = workspace.packs, workspace.store.load()
    graph = network(workspace, whole)
    groups = [answer(workspace, whole, question, top) for question in questions] or [
        ("New links in the whole graph", discover(graph, top=top, signs=workspace.signs))
    ]
    write_report(
        path,
        Report(
            title=f"Hypograph: {workspace.settings.workspace.resolve().name}",
            domains=tuple(pack.title for pack in packs),
            stats=tasks.statistics(workspace),
            graph=graph,
            hypotheses=groups,
            failures=workspace.ledger.failures(),
            documents={document.id: document for document in workspace.ledger.documents()},
            colours={entity.name: entity.colour for pack in packs for entity in pack.entities},
        ),
    )


def answer(workspace: Workspace, whole: Graph, question: str, top: int) -> tuple[str, list[Hypothesis]]:
    """The question in words, and the hypotheses that answer it."""
    name, year = split_question(question)
    uid = resolve(workspace.store, name)
    graph = network(workspace, whole, year)
    words = f"New links of {graph.nodes[uid]['name']}" + ("" if year is None else f" as of {year}")
    return words, discover(graph, source=uid, top=top, signs=workspace.signs)


def split_question(question: str) -> tuple[str, int | None]:
    """Name and year of a question.

    >>> split_question("Raynaud disease@1985")
    ('Raynaud disease', 1985)
    >>> split_question("HER2")
    ('HER2', None)
    """
    name, at, year = question.rpartition("@")
    if not at:
        return question, None
    if not year.isdigit():
        raise UsageError(f"--question {question!r}: expected NAME or NAME@YEAR, not the year {year!r}")
    return name, int(year)
