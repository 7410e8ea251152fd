"""What a graph store is: the Protocol that all of them answer, and the graph that analysis walks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import networkx as nx

from graph.rows import SyncCounts
from pipeline.types import Graph


@dataclass(frozen=True, slots=True)
class Table:
    """The answer to a query, of plain JSON values; ``truncated`` where the limit cut it off."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False

    def dicts(self) -> list[dict[str, Any]]:
        """One dictionary a row.

        >>> Table(("a", "b"), ((1, 2),)).dicts()
        [{'a': 1, 'b': 2}]
        """
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class GraphStore(Protocol):
    """Holds one graph and answers questions about it; every store passes the same battery of tests."""

    def sync(self, graph: Graph) -> SyncCounts:
        """Make the store hold this graph; rows whose content is the same are not touched."""
        ...

    def digest(self) -> str:
        """Hash of all that the store holds, equal for equal graphs in any store."""
        ...

    def counts(self) -> dict[str, int]:
        """How many ``documents``, ``entities``, ``edges`` and ``evidence`` there are."""
        ...

    def query(
        self, cypher: str, params: Mapping[str, Any] | None = None, *, timeout: float = 30.0, limit: int = 1000
    ) -> Table:
        """Answer read-only Cypher within ``timeout`` seconds with at most ``limit`` rows.

        Raises QueryError for Cypher that is wrong or would write, QueryTimeout for one that takes too long.
        """
        ...

    def load(self) -> Graph:
        """The graph itself; documents come without their text, which the ledger keeps."""
        ...

    def graph(self) -> nx.MultiDiGraph:
        """The graph for analysis, as :func:`to_networkx` makes it; not to be changed."""
        ...

    def close(self) -> None: ...


def to_networkx(graph: Graph) -> nx.MultiDiGraph:
    """The graph for analysis: entities, and edges from subject to object keyed by their uid; frozen.

    A node has ``name``, ``type`` and ``synonyms``; an edge has all fields of :class:`pipeline.types.Edge` but its
    ends, ``evidence`` among them as a tuple. ``g.graph["documents"]`` maps document ids to documents.

    >>> from pipeline.types import Concept
    >>> to_networkx(Graph(entities=(Concept("A:1", "aspirin", "Chemical"),))).nodes["A:1"]["name"]
    'aspirin'
    """
    made = nx.MultiDiGraph(documents={document.id: document for document in graph.documents})
    for concept in graph.entities:
        made.add_node(concept.id, name=concept.name, type=concept.type, synonyms=concept.synonyms)
    for edge in graph.edges:
        made.add_edge(
            edge.subject,
            edge.object,
            key=edge.uid,
            uid=edge.uid,
            predicate=edge.predicate,
            belief=edge.belief,
            support=edge.support,
            refute=edge.refute,
            speculative=edge.speculative,
            first_year=edge.first_year,
            last_year=edge.last_year,
            state=edge.state,
            evidence=edge.evidence,
        )
    return nx.freeze(made)
