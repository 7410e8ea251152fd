"""The graph as discovery sees it: which concepts are tied, how strongly, and by which sentences.

Directions and predicates are left aside here: a chemical that lowers blood viscosity and a disease that raises it are
both tied to blood viscosity. Refuted edges tie nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import networkx as nx

from pipeline.errors import UsageError
from pipeline.types import Evidence

Ties: TypeAlias = Mapping[str, Mapping[str, float]]
Score: TypeAlias = Callable[[str, str], float]


def tie(graph: nx.MultiDiGraph) -> Ties:
    """Fold parallel and opposite edges into one strength in (0, 1] for each pair: ``1 - prod(1 - belief)``.

    >>> g = nx.MultiDiGraph()
    >>> _ = g.add_edge("a", "b", belief=0.5, state="supported")
    >>> _ = g.add_edge("b", "a", belief=0.5, state="contested")
    >>> tie(g)["a"]["b"]
    0.75
    """
    doubt: dict[str, dict[str, float]] = defaultdict(dict)
    for a, b, edge in graph.edges(data=True):
        if a != b and edge["state"] != "refuted":
            rest = doubt[a].get(b, 1.0) * (1 - edge["belief"])
            doubt[a][b] = doubt[b][a] = rest
    return {a: {b: 1 - rest for b, rest in sorted(row.items())} for a, row in sorted(doubt.items())}


def score_pairs(pairs: Iterable[tuple[str, str]], score: Score) -> Iterator[tuple[str, str, float]]:
    """Score pairs of concepts, leaving out those that score nothing."""
    for a, c in pairs:
        value = score(a, c)
        if value > 0:
            yield a, c, value


def abc(ties: Ties) -> Score:
    """Swanson's ABC, weighted: how sure it is that some intermediate concept joins the pair.

    ``1 - prod_b (1 - tie(a, b) * tie(b, c) / ln(e + degree(b) - 2))`` over the shared neighbours *b*: an intermediate
    that joins just these two counts in full, one that joins everything (Adamic and Adar, Soc Networks 2003) hardly.
    """

    def score(a: str, c: str) -> float:
        shared = ties.get(a, {}).keys() & ties.get(c, {}).keys()
        return 1 - math.prod(1 - path_strength(ties, a, b, c) for b in sorted(shared))

    return score


def degree(ties: Ties) -> Score:
    """Preferential attachment (Barabasi and Albert, Science 1999): the product of the degrees, blind to content.

    What a ranking must beat: well-studied concepts meet sooner or later whatever joins them.
    """

    def score(a: str, c: str) -> float:
        return float(len(ties.get(a, ())) * len(ties.get(c, ())))

    return score


def path_strength(ties: Ties, a: str, b: str, c: str) -> float:
    """What one intermediate adds, in [0, 1]."""
    return ties[a][b] * ties[b][c] / math.log(math.e + len(ties[b]) - 2)


def sentences(graph: nx.MultiDiGraph, a: str, b: str) -> list[tuple[dict[str, Any], Evidence]]:
    """The evidence that ties two concepts, best first: (edge attributes, evidence)."""
    edges = [*_between(graph, a, b), *_between(graph, b, a)]
    rows = [(edge, row) for edge in edges for row in edge["evidence"] if row.polarity == "positive"]
    return sorted(rows, key=lambda pair: (pair[1].certainty, -pair[0]["belief"], -pair[1].score, pair[1].uid))


def predicate_for(graph: nx.MultiDiGraph, only: str | None = None) -> Callable[[str, str], tuple[str, bool] | None]:
    """The commonest predicate between two types, and whether it points from the second to the first.

    None where the graph knows no edge between such types, or none of the predicate ``only``: then no hypothesis joins
    them either. Raises UsageError for a predicate that no edge has.
    """
    seen: dict[tuple[str, str], Counter[tuple[str, bool]]] = defaultdict(Counter)
    predicates = {predicate for _, _, predicate in graph.edges(data="predicate")}
    if only is not None and only not in predicates:
        raise UsageError(f"no edge has the relation {only!r}; the graph has {', '.join(sorted(predicates)) or 'none'}")
    for a, b, edge in graph.edges(data=True):
        if only not in (None, edge["predicate"]):
            continue
        types = graph.nodes[a]["type"], graph.nodes[b]["type"]
        seen[types][(edge["predicate"], False)] += 1
        seen[types[::-1]][(edge["predicate"], True)] += 1

    def choose(first: str, second: str) -> tuple[str, bool] | None:
        counts = seen.get((graph.nodes[first]["type"], graph.nodes[second]["type"]))
        return min(counts, key=lambda key: (-counts[key], key)) if counts else None

    return choose


def _between(graph: nx.MultiDiGraph, a: str, b: str) -> list[dict[str, Any]]:
    return list(graph.get_edge_data(a, b, default={}).values())
