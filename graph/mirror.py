"""The embedded mirror: a frozen copy of a graph in an embedded Cypher engine, cached on disk."""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.cypher import batches, labels_of, link_value, match_ends, node_value, parameters, plain, quote_end
from graph.rows import ENDS, LABELS, LINKS, Kind, Row
from graph.store import Table
from pipeline.errors import QueryError, QueryTimeout

if TYPE_CHECKING:
    import kglite

logger = logging.getLogger(__name__)


class Mirror:
    """A frozen copy of a graph in an embedded Cypher engine (kglite): a cache that answers queries, never the truth."""

    def __init__(self, graph: kglite.KnowledgeGraph) -> None:
        self._frozen = graph.freeze()

    @classmethod
    def open(cls, path: Path, found: Iterable[Row]) -> Mirror:
        """Open the mirror cached at ``path``, or build it from rows and cache it there."""
        import kglite  # noqa: PLC0415 - a compiled engine, only needed where a query is asked

        kglite.set_query_warning_policy("silent")
        if path.exists():
            try:
                return cls(kglite.load(str(path)))
            except kglite.KgError as error:
                logger.warning("%s cannot be opened and is built anew: %s", path, error)
        graph = _build(kglite.KnowledgeGraph(), list(found))
        partial = path.with_name(path.name + ".partial")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", kglite.MappedFallbackWarning)  # how it will be loaded does not matter
            graph.save(str(partial))
        os.replace(partial, path)
        return cls(graph)

    def query(self, cypher: str, params: Mapping[str, Any], *, timeout: float, limit: int) -> Table:
        """Answer a checked query; raises QueryError and QueryTimeout."""
        import kglite  # noqa: PLC0415

        try:
            view = self._frozen.cypher(
                quote_end(cypher), params=dict(params), timeout_ms=max(1, round(timeout * 1000)), row_limit=limit + 1
            )
        except kglite.CypherTimeoutError as error:
            raise QueryTimeout(f"the query took longer than {timeout:g} s: narrow it or allow more time") from error
        except kglite.KgError as error:
            raise QueryError(str(error)) from error
        found = [tuple(_value(record[name]) for name in view.columns) for record in islice(view, limit)]
        columns = tuple(name.replace(".`end`", ".end") for name in view.columns)
        return Table(columns, tuple(found), truncated=len(view) > limit)


def _build(graph: kglite.KnowledgeGraph, found: list[Row]) -> kglite.KnowledgeGraph:
    """Load rows by UNWIND and CREATE, the one way that keeps parallel edges, and count what has come in."""
    for label in LABELS.values():
        graph.cypher(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.uid IS UNIQUE")
    for kind, labels, batch in batches(found):
        graph.cypher(f"UNWIND $rows AS row {_creation(kind, labels)}", params={"rows": parameters(batch)})
    graph.create_index("Evidence", "edge_uid")
    nodes, links = (
        next(iter(graph.cypher(f"MATCH {pattern} RETURN count(x) AS n")))["n"] for pattern in ("(x)", "()-[x]->()")
    )
    kinds = Counter(row.kind for row in found)
    wanted = (len(found) - kinds["claim"], kinds["claim"] + len(LINKS) * kinds["evidence"])
    if (nodes, links) != wanted:
        raise RuntimeError(f"the mirror holds {nodes} nodes and {links} relationships instead of {wanted}")
    return graph


def _creation(kind: Kind, labels: tuple[str, ...]) -> str:
    if kind == "claim":
        return f"{match_ends(kind)} CREATE (end0)-[r{labels_of(labels)}]->(end1) SET r += row.properties"
    links = "".join(f" CREATE (n)-[:{type_}]->(end{i})" for i, type_ in enumerate(LINKS)) if ENDS[kind] else ""
    return f"{match_ends(kind)} CREATE (n{labels_of(labels)}) SET n += row.properties{links}"


def _value(value: Any) -> Any:
    """An answer of the mirror: its nodes and relationships lose what the engine adds (``id``, ``title``, ``type``)."""
    if isinstance(value, list):
        return [_value(item) for item in value]
    if not isinstance(value, dict):
        return plain(value)
    if value.keys() == {"id", "labels", "properties"}:
        return node_value(value["labels"], _own(value["properties"]))
    if value.keys() == {"id", "start", "end", "type", "properties"}:
        return link_value(value["type"], _own(value["properties"]))
    return {key: _value(item) for key, item in value.items()}


def _own(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in ("id", "title", "type")}
