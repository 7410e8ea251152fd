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
    rows = [(edge, row) for edge in _between(graph, a, b) for row in edge["evidence"] if row.polarity == "positive"]
    return sorted(rows, key=lambda pair: (pair[1].certainty, -pair[0]["belief"], -pair[1].score, pair[1].uid))


def predicate_for(
    graph: nx.MultiDiGraph, *, only: str | None = None, signs: Mapping[str, int] | None = None
) -> Callable[[str, str, int], tuple[str, bool] | None]:
    """The commonest predicate between the types of two concepts, and whether it points from the second to the first.

    A predicate of the given sign goes before commoner ones; None where the graph knows no edge between such types, or
    none of the predicate ``only``: then no hypothesis joins them either. Raises UsageError for a predicate that no
    edge has.
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

    def choose(first: str, second: str, sign: int = 0) -> tuple[str, bool] | None:
        counts = seen.get((graph.nodes[first]["type"], graph.nodes[second]["type"]), Counter[tuple[str, bool]]())

        def order(key: tuple[str, bool]) -> tuple[bool, int, tuple[str, bool]]:
            return sign != 0 and (signs or {}).get(key[0], 0) != sign, -counts[key], key

        return min(counts, key=order, default=None)

    return choose


def sign_of(graph: nx.MultiDiGraph, ties: Ties, a: str, c: str, signs: Mapping[str, int]) -> int:
    """Whether two concepts should rise together (1) or against each other (-1), by all that joins them; 0 unknown.

    Signs multiply along a path, as in causal graphs: what lowers a thing that comes with a disease should relieve it.
    The most believed edge of a hop gives its sign; one that tells none counts half, and as if the two go together.
    """

    def hop(one: str, other: str) -> int:
        told = [(edge["belief"], signs.get(edge["predicate"], 0)) for edge in _between(graph, one, other)]
        return max((belief * (abs(sign) or 0.5), sign) for belief, sign in told)[1]

    total = 0.0
    for b in sorted(ties.get(a, {}).keys() & ties.get(c, {}).keys()):
        first, second = hop(a, b), hop(b, c)
        if first or second:
            total += math.copysign(path_strength(ties, a, b, c), (first or 1) * (second or 1))
    return (total > 0) - (total < 0)


def _between(graph: nx.MultiDiGraph, a: str, b: str) -> list[dict[str, Any]]:
    """The attributes of all edges that join two concepts, in either direction."""
    return [edge for pair in ((a, b), (b, a)) for edge in graph.get_edge_data(*pair, default={}).values()]
