"""Hypotheses of a workspace: the store's graph, as of a year where one is given, and discovery over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from flows.workspace import Workspace
from graph.hypotheses.discovery import as_row, discover
from graph.query import resolve
from graph.store import to_networkx
from pipeline.assemble import as_of as graph_as_of
from pipeline.types import Graph


def hypothesize(
    workspace: Workspace,
    *,
    source: str | None = None,
    target: str | None = None,
    relation: str | None = None,
    top: int = 10,
    as_of: int | None = None,
) -> list[dict[str, Any]]:
    """Ranked links as plain rows; see :func:`graph.hypotheses.discovery.discover`.

    Raises NotFound for a name that no entity has.
    """
    graph = network(workspace, workspace.store.load(), as_of)
    found = discover(
        graph,
        source=resolve(workspace.store, source) if source else None,
        target=resolve(workspace.store, target) if target else None,
        relation=relation,
        top=top,
        signs=workspace.signs,
    )
    return [as_row(graph, row) for row in found]


def network(workspace: Workspace, whole: Graph, as_of: int | None = None) -> nx.MultiDiGraph:
    """The graph of the store for analysis, as it could be known at the end of a year."""
    return to_networkx(whole if as_of is None else graph_as_of(whole, as_of, workspace.rules))


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line for a person: who, with whom, over what."""
    return {
        "rank": row["rank"],
        "source": row["source"]["name"],
        "relation": f"← {row['relation']}" if row["inverse"] else f"{row['relation']} →",
        "target": row["target"]["name"],
        "score": row["score"],
        "by degree": row["degree_rank"],
        "via": ", ".join(_names(row["paths"])),
    }


def _names(paths: Sequence[Mapping[str, Any]]) -> list[str]:
    return [" – ".join(path["via"]) for path in paths]
