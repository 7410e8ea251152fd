"""Ready-made questions: who is this, what is it joined to, how are two joined, who says so, how much is there.

Each works on any store and answers with plain dictionaries, ready to print. All but :func:`paths`, which walks the
graph, ask in Cypher of the portable subset.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from difflib import get_close_matches
from heapq import heappop, heappush, nsmallest
from itertools import islice, pairwise
from typing import Any

import networkx as nx

from graph.rows import LABELS
from graph.store import GraphStore
from pipeline.errors import NotFound, UsageError

logger = logging.getLogger(__name__)

_ALL = 10_000_000  # no limit on rows that are counted or compared here
_MATCHES = (
    "n.uid = $name",
    "n.name = $name",
    "toLower(n.name) = toLower($name)",
    "any(s IN n.synonyms WHERE toLower(s) = toLower($name))",
)


def resolve(store: GraphStore, name: str) -> str:
    """The uid of the entity that goes by this uid, name or synonym; case matters only where it must.

    Of several the one with most relationships is taken, and a warning names the others. Raises NotFound, with the
    names that look alike.
    """
    for match in _MATCHES:
        found = store.query(
            f"MATCH (n:Entity) WHERE {match} "
            "RETURN n.uid AS uid, COUNT { (n)--(:Entity) } AS degree ORDER BY degree DESC, uid",
            {"name": name},
        )
        if found.rows:
            uid, *others = (row[0] for row in found.rows)
            if others:
                logger.warning("%r also names %s; taking %s, which is joined to most", name, ", ".join(others), uid)
            return str(uid)
    raise NotFound(f"no entity is named {name!r}{_alike(store, name)}")


def neighbors(
    store: GraphStore, name: str, *, predicate: str | None = None, min_belief: float = 0.0, limit: int = 50
) -> list[dict[str, Any]]:
    """The edges of an entity, the most believed first: one dictionary for each, with the entity at its other end.

    ``direction`` is ``out`` where the entity is the subject, ``in`` where it is the object.
    """
    uid = resolve(store, name)
    found = []
    for direction, pattern in (("out", "(a)-[r]->(b:Entity)"), ("in", "(a)<-[r]-(b:Entity)")):
        loops_once = "" if direction == "out" else " AND b.uid <> $uid"
        answer = store.query(
            f"MATCH (a:Entity {{uid: $uid}}) MATCH {pattern} "
            f"WHERE r.belief >= $least AND ($predicate IS NULL OR type(r) = $predicate){loops_once} "
            "RETURN type(r) AS predicate, b.uid AS uid, b.name AS name, labels(b) AS labels, r.belief AS belief, "
            "r.support AS support, r.refute AS refute, r.state AS state, r.first_year AS first_year, "
            "r.last_year AS last_year, r.uid AS edge "
            "ORDER BY belief DESC, support DESC, edge",
            {"uid": uid, "least": min_belief, "predicate": predicate},
            limit=limit,
        )
        found += [{"direction": direction, **_typed(row)} for row in answer.dicts()]
    return nsmallest(limit, found, key=lambda row: (-row["belief"], -row["support"], row["edge"]))


def paths(store: GraphStore, source: str, target: str, *, max_length: int = 3, top: int = 10) -> list[dict[str, Any]]:
    """The most believed simple paths between two entities, whatever the direction of their edges.

    Between two neighbours the most believed edge counts, and the belief of a path is the product of its edges'.
    """
    if max_length < 1:
        raise UsageError(f"a path has at least one edge: max_length cannot be {max_length}")
    graph = store.graph()
    ends = resolve(store, source), resolve(store, target)
    return [
        {
            "belief": round(belief, 12),
            "length": len(nodes) - 1,
            "names": [graph.nodes[node]["name"] for node in nodes],
            "uids": list(nodes),
            "edges": [_hop(graph, a, b) for a, b in pairwise(nodes)],
        }
        for belief, nodes in islice(_walks(graph, *ends, max_length), top)
    ]


def evidence(store: GraphStore, edge: str, *, limit: int = 1000) -> list[dict[str, Any]]:
    """The sentences behind an edge, oldest first, given its uid or the beginning of it."""
    uid = _edge(store, edge)
    answer = store.query(
        "MATCH (e:Evidence {edge_uid: $uid})-[:FROM]->(d:Document) "
        "RETURN e.uid AS uid, d.uid AS document, d.name AS title, e.year AS year, e.section AS section, "
        "e.text AS text, e.start AS start, e.`end` AS `end`, e.polarity AS polarity, e.certainty AS certainty, "
        "e.score AS score, e.extractor AS extractor "
        "ORDER BY year, document, start, uid",
        {"uid": uid},
        limit=limit,
    )
    return answer.dicts()


def stats(store: GraphStore) -> dict[str, Any]:
    """How much there is, in all and of each type and predicate, and the digest of it."""
    types = store.query("MATCH (n:Entity) RETURN labels(n) AS labels, count(n) AS n", limit=_ALL)
    edges = store.query("MATCH (:Entity)-[r]->(:Entity) RETURN type(r) AS t, r.state AS s, count(r) AS n", limit=_ALL)
    predicates: dict[str, int] = {}
    for predicate, _, number in edges.rows:
        predicates[predicate] = predicates.get(predicate, 0) + number
    return {
        **store.counts(),
        "contested": sum(number for _, state, number in edges.rows if state == "contested"),
        "types": dict(sorted((_type(labels), number) for labels, number in types.rows)),
        "predicates": dict(sorted(predicates.items())),
        "digest": store.digest(),
    }


def _alike(store: GraphStore, name: str) -> str:
    """What to add to an error: names that look like this one."""
    known = {row[0].lower(): row[0] for row in store.query("MATCH (n:Entity) RETURN n.name AS name", limit=_ALL).rows}
    close = get_close_matches(name.lower(), known, n=5, cutoff=0.6)
    return f"; close are {', '.join(known[key] for key in close)}" if close else ""


def _edge(store: GraphStore, prefix: str) -> str:
    found = store.query(
        "MATCH (:Entity)-[r]->(:Entity) WHERE r.uid STARTS WITH $prefix RETURN r.uid AS uid ORDER BY uid",
        {"prefix": prefix},
        limit=5,
    )
    uids = [str(row[0]) for row in found.rows]
    if not uids:
        raise NotFound(f"no edge has the id {prefix!r}: `hypograph neighbors NAME` lists the edges of an entity")
    if len(uids) > 1 and prefix not in uids:
        more = ", ..." if found.truncated else ""
        raise UsageError(f"several edges begin with {prefix!r}: {', '.join(uids)}{more}")
    return uids[0]


def _walks(
    graph: nx.MultiDiGraph, source: str, target: str, max_length: int
) -> Iterator[tuple[float, tuple[str, ...]]]:
    """All simple paths as (belief, nodes), the most believed first: belief only falls as a path grows."""
    left = _distances(graph, target, max_length)
    heap: list[tuple[float, int, tuple[str, ...]]] = [(-1.0, 1, (source,))]
    while heap:
        belief, size, nodes = heappop(heap)
        if nodes[-1] == target and size > 1:
            yield -belief, nodes
            continue
        for node in _around(graph, nodes[-1]):
            if node not in nodes and left.get(node, max_length) <= max_length - size:
                longer = belief * _hop(graph, nodes[-1], node)["belief"]
                heappush(heap, (longer, size + 1, (*nodes, node)))


def _distances(graph: nx.MultiDiGraph, start: str, most: int) -> dict[str, int]:
    found = {start: 0}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for other in _around(graph, node) if found[node] < most else ():
            if other not in found:
                found[other] = found[node] + 1
                queue.append(other)
    return found


def _around(graph: nx.MultiDiGraph, node: str) -> list[str]:
    return sorted({*graph.successors(node), *graph.predecessors(node)})


def _hop(graph: nx.MultiDiGraph, a: str, b: str) -> dict[str, Any]:
    """The most believed edge between two neighbours."""
    edges = [
        {"subject": s, "predicate": edge["predicate"], "object": o, "belief": edge["belief"], "edge": edge["uid"]}
        for s, o in ((a, b), (b, a))
        for edge in graph.get_edge_data(s, o, default={}).values()
    ]
    return min(edges, key=lambda edge: (-edge["belief"], edge["edge"]))


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """The same row with a type in the place of the labels."""
    return {
        "type" if key == "labels" else key: _type(value) if key == "labels" else value for key, value in row.items()
    }


def _type(labels: list[str]) -> str:
    return next((label for label in labels if label not in LABELS.values()), "")
