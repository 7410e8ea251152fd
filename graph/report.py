"""One self-contained HTML page about a graph: its numbers, hypotheses, picture, contested claims and failures.

The page asks the network for nothing, and its content security policy allows nothing but its own code, by hash. The
same input gives the same bytes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
from markupsafe import Markup

from graph.hypotheses.discovery import Hypothesis
from graph.hypotheses.discovery import Path as Way
from graph.picture import Picture, Quote, draw, quote, quotes
from pipeline.pages import allowed, asset, templates, write_page
from pipeline.types import Document, Failure

MOST_CONTESTED = 100
MOST_FAILURES = 500
MOST_SENTENCES = 4
# How each state is drawn: a dash pattern beside the colour that the style sheet gives it.
STATES = {"supported": "", "contested": "8 4", "refuted": "10 3 2 3", "speculative": "2 4"}
OUTLINES = {
    "ellipse": "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10z",
    "rectangle": "M1.5 1.5h9v9h-9z",
    "triangle": "M6 1l5.5 10h-11z",
    "diamond": "M6 0l6 6-6 6-6-6z",
    "hexagon": "M3 1h6l3 5-3 5h-6l-3-5z",
    "pentagon": "M6 .5l5.7 4.2-2.2 6.8h-7l-2.2-6.8z",
    "star": "M6 0l1.8 4h4.2l-3.4 2.8 1.3 4.7-3.9-2.7-3.9 2.7 1.3-4.7-3.4-2.8h4.2z",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a page tells. ``stats`` are shown in their order; ``documents`` give titles and years by document id.

    ``hypotheses`` are groups of a question ("New links of Raynaud disease as of 1985") and its answers.
    ``colours`` are the domain packs', by entity type.
    """

    title: str
    domains: tuple[str, ...]
    stats: Mapping[str, int | str]
    graph: nx.MultiDiGraph
    hypotheses: Sequence[tuple[str, Sequence[Hypothesis]]] = ()
    failures: Sequence[Failure] = ()
    documents: Mapping[str, Document] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path: from where to where, and the sentence that carries it; ``state`` is "" where unknown."""

    start: str
    end: str
    predicate: str
    state: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class Claim:
    """An edge as the page lists it; ``support`` and ``refute`` count all its sentences, shown here or not."""

    uid: str
    subject: str
    predicate: str
    object: str
    belief: float
    state: str
    support: int
    refute: int
    first_year: int | None
    pros: tuple[Quote, ...]
    cons: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Idea:
    """A hypothesis as the page lists it; ``number`` counts over all groups, ``stated`` are claims that now join it."""

    number: int
    hypothesis: Hypothesis
    source: str
    target: str
    ways: tuple[tuple[Way, tuple[Hop, ...]], ...]
    stated: tuple[Claim, ...]


def write_report(path: Path, report: Report) -> None:
    """Write the page; an older one is replaced at once or not at all.

    Raises InputError where the file cannot be written.
    """
    write_page(path, render(report), name="report")


def render(report: Report) -> str:
    """The page as text."""
    every = [hypothesis for _, group in report.hypotheses for hypothesis in group]
    picture = draw(report.graph, every, report.documents, report.colours)
    edges = {edge["uid"]: edge for _, _, edge in report.graph.edges(data=True)}
    contested = _contested(report.graph)
    failures = sorted(report.failures, key=lambda f: (f.stage, f.source, f.place, f.reason))
    style, code = asset("graph", "templates/report.css"), asset("graph", "templates/report.js")
    vendored = asset("graph", "vendor/cytoscape.min.js")
    environment = templates("graph")
    environment.filters["number"] = _number
    return environment.get_template("report.html.j2").render(
        report=report,
        groups=list(_groups(report, edges)),
        picture=picture,
        drawn={edge["id"] for edge in picture.edges},
        contested=contested[:MOST_CONTESTED],
        contested_count=len(contested),
        failures=failures[:MOST_FAILURES],
        failure_count=len(failures),
        states=STATES,
        outlines=OUTLINES,
        data=_json(picture),
        style=Markup(style),  # noqa: S704 - our own files, no input
        scripts=[Markup(text) for text in (vendored, code)],  # noqa: S704
        policy=_policy(style, (vendored, code)),
    )


def _groups(report: Report, edges: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[str, list[Idea]]]:
    numbers = itertools.count()
    for question, group in report.hypotheses:
        yield question, [_idea(report.graph, edges, next(numbers), hypothesis) for hypothesis in group]


def _idea(graph: nx.MultiDiGraph, edges: Mapping[str, Mapping[str, Any]], number: int, found: Hypothesis) -> Idea:
    ways = tuple((way, tuple(_hops(graph, edges, found, way))) for way in found.paths)
    ends = {found.source, found.target}
    between = graph.subgraph(ends).edges(data=True)
    stated = sorted((_claim(graph, *row) for row in between if row[0] != row[1]), key=lambda claim: claim.uid)
    return Idea(number, found, _name(graph, found.source), _name(graph, found.target), ways, tuple(stated))


def _hops(graph: nx.MultiDiGraph, edges: Mapping[str, Mapping[str, Any]], found: Hypothesis, way: Way) -> Iterable[Hop]:
    chain = [_name(graph, uid) for uid in (found.source, *way.via, found.target)]
    for (start, end), row in zip(itertools.pairwise(chain), way.evidence, strict=True):
        edge = edges.get(row.edge_uid, {})
        yield Hop(start, end, edge.get("predicate", ""), edge.get("state", ""), quote(row, (start, end)))


def _contested(graph: nx.MultiDiGraph) -> list[Claim]:
    """Claims that some papers support and others deny, those with most evidence first."""
    rows = [row for row in graph.edges(data=True) if row[2]["state"] == "contested"]
    rows.sort(key=lambda row: (-len(row[2]["evidence"]), row[2]["uid"]))
    return [_claim(graph, *row) for row in rows]


def _claim(graph: nx.MultiDiGraph, a: str, b: str, edge: Mapping[str, Any]) -> Claim:
    names = _name(graph, a), _name(graph, b)
    shown = quotes(edge["evidence"], names, most=MOST_SENTENCES)
    return Claim(
        uid=edge["uid"],
        subject=names[0],
        predicate=edge["predicate"],
        object=names[1],
        belief=edge["belief"],
        state=edge["state"],
        support=edge["support"] + edge["speculative"],
        refute=edge["refute"],
        first_year=edge["first_year"],
        pros=tuple(row for row in shown if row.polarity == "positive"),
        cons=tuple(row for row in shown if row.polarity == "negative"),
    )


def _name(graph: nx.MultiDiGraph, uid: str) -> str:
    """The name of a concept; its id where the graph does not hold it."""
    return str(graph.nodes[uid]["name"]) if uid in graph else uid


def _json(picture: Picture) -> Markup:
    """JSON that may stand inside a script element, whatever the texts in it.

    ASCII alone, and no ``<``: neither an end tag nor a comment can begin in it.
    """
    text = json.dumps({**asdict(picture), "states": STATES}, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704


def _policy(style: str, scripts: Sequence[str]) -> str:
    """A content security policy that allows the page its own code, by hash, and no request at all."""
    code = " ".join(map(allowed, scripts))
    return f"default-src 'none'; style-src {allowed(style)}; script-src {code}; img-src data:; base-uri 'none'"


def _number(value: int | str) -> str:
    """Thousands set apart by a narrow space.

    >>> _number(4312) == "4\N{NARROW NO-BREAK SPACE}312"
    True
    """
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if isinstance(value, int) else value
