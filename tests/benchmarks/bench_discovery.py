"""Scoring candidate links by weighted ABC, against networkx's Adamic-Adar index over the same pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import networkx as nx
from measure import Figure, race

from graph.hypotheses.ties import abc, score_pairs, tie
from pipeline.types import Evidence

NODES, EDGES, SOURCES = 2_000, 12_000, 20


def figures() -> Iterator[Figure]:
    graph = generated()
    ties = tie(graph)
    plain = nx.Graph((a, b) for a, row in ties.items() for b in row)
    sources = list(islice((a for a in ties if len(ties[a]) > 3), SOURCES))
    pairs = [(a, c) for a in sources for c in sorted({c for b in plain[a] for c in plain[b]} - {a, *plain[a]})]
    yield race(
        "discovery: weighted ABC vs networkx Adamic-Adar",
        lambda: list(score_pairs(pairs, abc(ties))),
        lambda: list(nx.adamic_adar_index(plain, pairs)),
        n=len(pairs),
        unit="pairs",
    )


def generated() -> nx.MultiDiGraph:
    """A random graph of two types in which every edge has one evidence."""
    random_ = random.Random(7)
    graph = nx.MultiDiGraph()
    for number in range(NODES):
        graph.add_node(f"n{number}", name=f"n{number}", type=random_.choice(("Chemical", "Disease")))
    for number in range(EDGES):
        a, b = random_.sample(range(NODES), 2)
        row = Evidence(f"e{number}", f"e{number}", "d", 0, 1, "s", "", "positive", "certain", 1.0, "x@1", 1980)
        edge = {"uid": f"e{number}", "predicate": "R", "belief": 0.7, "state": "supported", "evidence": (row,)}
        graph.add_edge(f"n{a}", f"n{b}", key=f"e{number}", **edge)
    return graph
