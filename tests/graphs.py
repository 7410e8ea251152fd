"""Small graphs for tests of the stores and of what reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.types import Concept, Document, Edge, Evidence, Graph, content_id, edge_uid


def evidence(edge: str, document: str, text: str, **given: Any) -> Evidence:
    base = Evidence(
        uid=content_id(edge, document, text),
        edge_uid=edge,
        document_id=document,
        start=0,
        end=len(text),
        text=text,
        section="abstract",
        polarity="positive",
        certainty="certain",
        score=0.9,
        extractor="reader@1",
    )
    return replace(base, **given)


def edge(subject: str, predicate: str, object_: str, *said: tuple[str, str], **given: Any) -> Edge:
    """An edge with one evidence for each pair of document and sentence."""
    uid = edge_uid(subject, predicate, object_)
    found = tuple(sorted((evidence(uid, document, text) for document, text in said), key=lambda e: e.uid))
    base = Edge(uid, subject, predicate, object_, 0.5, len(found), 0, 0, None, None, "supported", found)
    return replace(base, **given)


def graph(entities: list[Concept], edges: list[Edge], documents: list[Document]) -> Graph:
    """A graph whose tuples are sorted as a graph's are."""
    return Graph(
        tuple(sorted(entities, key=lambda e: e.id)),
        tuple(sorted(edges, key=lambda e: e.uid)),
        tuple(sorted(documents, key=lambda d: d.id)),
    )


def raynaud() -> Graph:
    """Fish oil and Raynaud, who meet through blood: drawn so that every answer can be worked out by hand.

    ::

        fish oil --LOWERS 0.9--> viscosity --RAISED-IN 0.8--> Raynaud --INDUCES 0.5--> Raynaud (a self-loop)
        fish oil --LOWERS 0.6--> platelets <--RAISED-IN 0.7-- Raynaud     iloprost --TREATS 0.95--> Raynaud
        fish oil --RAISES 0.2--> viscosity (contested)                    magnesium (alone)
    """
    entities = [
        Concept("C:1", "Fish oil", "Chemical", ("fish oils", "omega-3 oil")),
        Concept("C:2", "iloprost", "Chemical"),
        Concept("C:3", "magnesium", "Chemical", definition="an element"),
        Concept("D:1", "Raynaud's syndrome", "Disease", ("Raynaud disease",)),
        Concept("P:1", "blood viscosity", "Phenomenon"),
        Concept("P:2", "platelet aggregation", "Phenomenon"),
    ]
    documents = [
        Document("p:1", "Oils and blood\nFish oil lowers viscosity.", date="1984-03"),
        Document("p:2", "Raynaud's blood\nIt is thick.", date="1985"),
        Document("p:3", "Undated", authors=("A. Writer", "B. Reader")),
    ]
    edges = [
        edge("C:1", "LOWERS", "P:1", ("p:1", "Oil lowers it."), ("p:3", "So it is."), belief=0.9, first_year=1984),
        edge("C:1", "RAISES", "P:1", ("p:3", "Oil raises it?"), belief=0.2, refute=1, state="contested"),
        edge("C:1", "LOWERS", "P:2", ("p:1", "Oil calms platelets."), belief=0.6, first_year=1984, last_year=1984),
        edge("P:1", "RAISED-IN", "D:1", ("p:2", "Blood is thick."), belief=0.8, first_year=1985),
        edge("D:1", "RAISED-IN", "P:2", ("p:2", "Platelets clump."), belief=0.7, first_year=1985),
        edge("C:2", "TREATS", "D:1", ("p:3", "Iloprost helps."), belief=0.95),
        edge("D:1", "INDUCES", "D:1", ("p:2", "Raynaud begets Raynaud."), belief=0.5),
    ]
    return graph(entities, edges, documents)


def hostile() -> Graph:
    """Names and texts that break what is not careful: quotes, backticks, newlines, other scripts, half an emoji."""
    nasty = 'it\'s "q" `b` \\ \n\t\r {$x} // /* <&> ]]> \u03b2-\u6f22 \U0001f600 \x00\x1f'
    entities = [
        Concept("X:'1`\"\\", nasty, "Cell `Line`", (nasty, "b")),
        Concept("X:2 \u00fc", "\ud83d broken", "Type-2", parents=("X:'1`\"\\",)),
        Concept("X:3", "3", ""),
    ]
    documents = [Document("d:\n1", nasty, date="1999", links=(("corrects", "d: 0"),), status="erratum")]
    edges = [
        edge(entities[0].id, "USED-FOR `x` \n", entities[1].id, ("d:\n1", nasty), belief=1 / 3),
        edge(entities[0].id, "FROM", entities[1].id, ("d:\n1", "as a link is called"), belief=1),
        edge(entities[1].id, "DELETE", entities[2].id, ("d:\n1", ""), belief=0.1 + 0.2),
    ]
    return graph(entities, edges, documents)


def small(*edges: tuple[str, str, str]) -> Graph:
    """A graph of three entities and one paper."""
    names = [Concept(uid, uid.lower(), "Gene") for uid in "ABC"]
    return graph(names, [edge(*triple, ("d:1", "So it is.")) for triple in edges], [Document("d:1", "Paper")])


BASE = small(("A", "BINDS", "B"), ("B", "BINDS", "C"))


def changed(made: Graph, uid: str, **fields: Any) -> Graph:
    """The graph with other fields on one entity."""
    return replace(made, entities=tuple(replace(e, **fields) if e.id == uid else e for e in made.entities))


def crowd(size: int) -> Graph:
    """A ring of entities."""
    names = [Concept(f"N:{i:05}", f"name {i}", "Gene") for i in range(size)]
    ring = [edge(f"N:{i:05}", "BINDS", f"N:{(i + 1) % size:05}", ("d:1", f"Text {i}")) for i in range(size)]
    return graph(names, ring, [Document("d:1", "Paper")])
