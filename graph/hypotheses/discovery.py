"""Open and closed literature-based discovery (Swanson, Perspect Biol Med 1986; Weeber et al., JASIST 2001).

Open: from one concept *A* to the *C* that no paper joins with it but that share intermediate *B* with it. Closed: given
both *A* and *C*, the *B* between them. Each hypothesis carries the sentences of both hops, and beside its score the
rank that the blind degree baseline would give it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx

from graph.hypotheses.ties import Ties, abc, degree, path_strength, predicate_for, score_pairs, sentences, sign_of, tie
from pipeline.types import Evidence


@dataclass(frozen=True, slots=True)
class Path:
    """One way from source to target over ``via``, with the sentence that carries each hop."""

    via: tuple[str, ...]
    names: tuple[str, ...]
    strength: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A link that no paper states yet (unless ``known``), with why it is supposed.

    ``score`` is in (0, 1]; ``relation`` is what most often joins such types, of the sign that the paths tell, and
    ``inverse`` says that it points from target to source; ``degree_rank`` is the place among the same candidates by
    degree alone.
    """

    rank: int
    source: str
    target: str
    relation: str
    inverse: bool
    score: float
    degree_rank: int
    known: bool
    paths: tuple[Path, ...]


def discover(
    graph: nx.MultiDiGraph,
    *,
    source: str | None = None,
    target: str | None = None,
    relation: str | None = None,
    top: int = 10,
    paths: int = 10,
    signs: Mapping[str, int] | None = None,
) -> list[Hypothesis]:
    """Rank new links, best first: from one concept, between two, or over the whole graph.

    ``signs`` tell of predicates whether they raise (1) or lower (-1), as domain packs do; the relation that is supposed
    follows from them. ``relation`` keeps the pairs whose types that predicate is known to join. Equal scores are
    ordered by degree, then by id, so that the ranking is the same everywhere. Raises UsageError for a relation that no
    edge has.
    """
    ties = tie(graph)
    predicate = predicate_for(graph, only=relation, signs=signs)
    closed = source is not None and target is not None
    pairs = ((source, target),) if source and target else _candidates(graph, ties, source or target)
    oriented = ((a, c) if source or not target else (c, a) for a, c in pairs)
    wanted = [(a, c) for a, c in oriented if closed or predicate(a, c, 0)]
    by_degree = degree(ties)
    scored = list(score_pairs(wanted, abc(ties)))
    best = heapq.nsmallest(top, scored, key=lambda row: (-row[2], -by_degree(row[0], row[1]), row[0], row[1]))
    baseline = sorted((-value, a, c) for a, c, value in score_pairs(((a, c) for a, c, _ in scored), by_degree))
    place = {(a, c): rank for rank, (_, a, c) in enumerate(baseline, 1)}

    def supposed(a: str, c: str) -> tuple[str, bool]:
        return predicate(a, c, sign_of(graph, ties, a, c, signs or {})) or (relation or "", False)

    return [
        _explain(graph, ties, rank, (a, c, score), supposed(a, c), place[(a, c)], paths)
        for rank, (a, c, score) in enumerate(best, 1)
    ]


def _candidates(graph: nx.MultiDiGraph, ties: Ties, source: str | None) -> Iterator[tuple[str, str]]:
    """Pairs two hops apart that no edge joins, a refuted one neither: of one concept, else of all (each pair once)."""
    for a in [source] if source is not None else ties:
        second = {c for b in ties.get(a, {}) for c in ties[b]} - {a, *nx.all_neighbors(graph, a)}
        yield from ((a, c) for c in sorted(second) if source is not None or a < c)


def _explain(
    graph: nx.MultiDiGraph,
    ties: Ties,
    rank: int,
    pair: tuple[str, str, float],
    relation: tuple[str, bool],
    degree_rank: int,
    top: int,
) -> Hypothesis:
    a, c, score = pair
    shared = sorted(ties[a].keys() & ties[c].keys(), key=lambda b: (-path_strength(ties, a, b, c), b))
    return Hypothesis(
        rank=rank,
        source=a,
        target=c,
        relation=relation[0],
        inverse=relation[1],
        score=score,
        degree_rank=degree_rank,
        known=c in ties[a],
        paths=tuple(
            Path((b,), (graph.nodes[b]["name"],), path_strength(ties, a, b, c), _hops(graph, a, b, c))
            for b in shared[:top]
        ),
    )


def _hops(graph: nx.MultiDiGraph, *nodes: str) -> tuple[Evidence, ...]:
    """The best evidence of each hop, in order."""
    return tuple(sentences(graph, a, b)[0][1] for a, b in itertools.pairwise(nodes))


def as_row(graph: nx.MultiDiGraph, found: Hypothesis) -> dict[str, Any]:
    """A hypothesis as plain values, with names for people."""
    return {
        "rank": found.rank,
        "source": {"uid": found.source, "name": graph.nodes[found.source]["name"]},
        "target": {"uid": found.target, "name": graph.nodes[found.target]["name"]},
        "relation": found.relation,
        "inverse": found.inverse,
        "score": found.score,
        "degree_rank": found.degree_rank,
        "known": found.known,
        "paths": [
            {
                "via": list(path.names),
                "strength": path.strength,
                "evidence": [row.text for row in path.evidence],
                "documents": [row.document_id for row in path.evidence],
            }
            for path in found.paths
        ],
    }
