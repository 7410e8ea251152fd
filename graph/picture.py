"""The part of a graph that a page can show: which nodes and edges, where they lie, and the sentences behind them.

A picture of ten thousand nodes shows nothing, so the most connected are taken, with all that the hypotheses speak of;
what is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

import networkx as nx

from graph.hypotheses.discovery import Hypothesis
from graph.layout import lay_out
from pipeline.types import Certainty, Document, Evidence, Polarity

MOST_NODES = 400
MOST_EDGES = 1500
MOST_QUOTES = 15
SHAPES = ("ellipse", "rectangle", "triangle", "diamond", "hexagon", "pentagon", "star")
GREY = "#888888"

EdgeRow: TypeAlias = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence as a page shows it: ``parts`` are plain and marked text in turn, plain first."""

    parts: tuple[str, ...]
    document: str
    year: int | None
    section: str
    polarity: Polarity
    certainty: Certainty
    score: float


@dataclass(frozen=True, slots=True)
class Kind:
    """How an entity type is drawn; colour is never the only sign."""

    name: str
    colour: str
    shape: str
    count: int


@dataclass(frozen=True, slots=True)
class Picture:
    """What the page draws, ready for JSON; ``papers`` maps the id of each quoted paper to its title."""

    kinds: tuple[Kind, ...]
    nodes: tuple[dict[str, Any], ...]
    edges: tuple[dict[str, Any], ...]
    papers: Mapping[str, str]
    all_nodes: int
    all_edges: int
    years: tuple[int, int] | None = None
    ideas: tuple[dict[str, Any], ...] = field(default=())


def marked(text: str, names: Iterable[str]) -> tuple[str, ...]:
    """Cut a sentence at the names in it, whatever their case: plain and marked text in turn.

    >>> marked("Fish oil lowers blood viscosity.", ["fish oil", "Blood Viscosity"])
    ('', 'Fish oil', ' lowers ', 'blood viscosity', '.')
    """
    words = sorted({re.escape(name) for name in names if name}, key=lambda word: (-len(word), word))
    if not words:
        return (text,)
    return tuple(re.split(rf"(?<!\w)({'|'.join(words)})(?!\w)", text, flags=re.IGNORECASE))


def quote(row: Evidence, names: Iterable[str] = ()) -> Quote:
    """An evidence as the page shows it, with the names in it marked."""
    parts = marked(row.text, names)
    return Quote(parts, row.document_id, row.year, row.section, row.polarity, row.certainty, round(row.score, 3))


def quotes(rows: Iterable[Evidence], names: Sequence[str], *, most: int = MOST_QUOTES) -> list[Quote]:
    """The best sentences for a claim, then the best against it; at most so many of each side."""
    ranked = sorted(rows, key=lambda row: (row.polarity != "positive", row.certainty, -row.score, row.uid))
    sides = ([row for row in ranked if row.polarity == side][:most] for side in ("positive", "negative"))
    return [quote(row, names) for side in sides for row in side]


def draw(
    graph: nx.MultiDiGraph,
    hypotheses: Sequence[Hypothesis],
    documents: Mapping[str, Document],
    colours: Mapping[str, str],
    *,
    most_nodes: int = MOST_NODES,
    most_edges: int = MOST_EDGES,
) -> Picture:
    """Choose, place and describe what is shown.

    Nodes of the hypotheses are always kept, even beyond ``most_nodes``; nodes without an edge never.
    """
    kept = _choose(graph, {n for h in hypotheses for n in _nodes(h)}, most_nodes)
    edges = _edges(graph, kept, {e.edge_uid for h in hypotheses for p in h.paths for e in p.evidence}, most_edges)
    # What a hypothesis joins stays even where the cap on edges has taken all that joined it.
    shown = {n for a, b, _ in edges for n in (a, b)} | {n for h in hypotheses for n in _nodes(h) if n in kept}
    places = lay_out(_drawn(shown, edges))
    kinds = _kinds([graph.nodes[n]["type"] for n in shown], colours)
    uids = {edge["uid"] for _, _, edge in edges}
    years = [y for _, _, edge in edges if (y := edge["first_year"]) is not None]
    quoted = {row.document_id for _, _, edge in edges for row in edge["evidence"]}
    return Picture(
        kinds=kinds,
        nodes=tuple(_node(graph, n, places[n]) for n in sorted(shown)),
        edges=tuple(_edge(graph, *edge) for edge in edges),
        papers={uid: documents[uid].title for uid in sorted(quoted) if uid in documents},
        all_nodes=sum(1 for n in graph if graph.degree(n)),
        all_edges=graph.number_of_edges(),
        years=(min(years), max(years)) if years else None,
        ideas=tuple(_idea(h, shown, uids) for h in hypotheses),
    )


def _choose(graph: nx.MultiDiGraph, wanted: Collection[str], most: int) -> set[str]:
    """The nodes of the hypotheses, then those with most neighbours, that have an edge at all."""
    degree = {n: len(set(nx.all_neighbors(graph, n)) - {n}) for n in graph}
    ranked = sorted((n for n in graph if degree[n] or n in wanted), key=lambda n: (n not in wanted, -degree[n], n))
    return set(ranked[: max(most, sum(1 for n in ranked if n in wanted))])


def _edges(graph: nx.MultiDiGraph, nodes: Collection[str], wanted: Collection[str], most: int) -> list[EdgeRow]:
    """The edges among the nodes: those of paths first, then those with most evidence."""
    rows = [(a, b, edge) for a, b, edge in graph.edges(data=True) if a in nodes and b in nodes]
    rows.sort(key=lambda row: (row[2]["uid"] not in wanted, -len(row[2]["evidence"]), row[2]["uid"]))
    return sorted(rows[:most], key=lambda row: row[2]["uid"])


def _drawn(nodes: Iterable[str], edges: Iterable[EdgeRow]) -> nx.Graph:
    """What the layout sees; the supposed links leave it as it is, so that they show as the leap they are."""
    drawn = nx.Graph()
    drawn.add_nodes_from(nodes)
    drawn.add_edges_from((a, b) for a, b, _ in edges)
    return drawn


def _node(graph: nx.MultiDiGraph, uid: str, place: tuple[int, int]) -> dict[str, Any]:
    entity = graph.nodes[uid]
    claims = graph.degree(uid)
    return {"id": uid, "name": entity["name"], "type": entity["type"], "claims": claims, "x": place[0], "y": place[1]}


def _edge(graph: nx.MultiDiGraph, a: str, b: str, edge: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("predicate", "state", "support", "refute", "speculative", "first_year", "last_year")
    names = [graph.nodes[n]["name"] for n in (a, b)]
    return {
        "id": edge["uid"],
        "source": a,
        "target": b,
        "belief": round(edge["belief"], 3),
        **{key: edge[key] for key in plain},
        "evidence": [asdict(row) for row in quotes(edge["evidence"], names)],
    }


def _idea(hypothesis: Hypothesis, nodes: Collection[str], edges: Collection[str]) -> dict[str, Any]:
    """What a hypothesis lights up; of nodes and edges that the picture lacks nothing is said."""
    ends = (hypothesis.source, hypothesis.target)
    return {
        "source": hypothesis.source,
        "target": hypothesis.target,
        "inverse": hypothesis.inverse,
        "relation": hypothesis.relation,
        "drawn": all(n in nodes for n in ends),
        "nodes": [n for n in _nodes(hypothesis) if n in nodes],
        "edges": sorted({e.edge_uid for p in hypothesis.paths for e in p.evidence if e.edge_uid in edges}),
    }


def _nodes(hypothesis: Hypothesis) -> list[str]:
    return list(dict.fromkeys((hypothesis.source, hypothesis.target, *(n for p in hypothesis.paths for n in p.via))))


def _kinds(types: Sequence[str], colours: Mapping[str, str]) -> tuple[Kind, ...]:
    """Colour and shape of each type in the picture, in the order of the alphabet."""
    return tuple(
        Kind(name, _colour(colours.get(name, GREY)), SHAPES[i % len(SHAPES)], types.count(name))
        for i, name in enumerate(sorted(set(types)))
    )


def _colour(text: str) -> str:
    """A colour as packs write it, ``#rgb`` or ``#rrggbb``; anything else would be code in the page."""
    return text if re.fullmatch(r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?", text) else GREY
