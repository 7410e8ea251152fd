"""The rows that both stores hold, their digest, and the difference between two graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graphs import BASE, changed, edge, graph, raynaud, small
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.rows import Row, difference, digest, from_rows, rows
from graph.store import to_networkx
from pipeline.errors import InputError, UsageError
from pipeline.types import Concept, Document, Graph, edge_uid


def test_rows_are_laid_out_as_the_design_says() -> None:
    found = {(row.kind, row.uid): row for row in rows(raynaud())}
    assert found["entity", "C:1"] == Row(
        "entity",
        "C:1",
        ("Entity", "Chemical"),
        {"uid": "C:1", "name": "Fish oil", "synonyms": ["fish oils", "omega-3 oil"]},
    )
    claim = found["claim", edge_uid("C:2", "TREATS", "D:1")]
    assert (claim.labels, claim.ends) == (("TREATS",), ("C:2", "D:1"))
    assert "first_year" not in claim.properties
    said = next(row for row in found.values() if row.properties.get("text") == "Iloprost helps.")
    assert said.ends == ("p:3", "C:2", "D:1")
    assert found["document", "p:1"].properties["year"] == 1984


def test_a_float_has_twelve_digits_and_an_int_stays_one() -> None:
    exact, rounded = (small(("A", "BINDS", "B")) for _ in range(2))
    exact = replace(exact, edges=(replace(exact.edges[0], belief=0.30000000000000004),))
    rounded = replace(rounded, edges=(replace(rounded.edges[0], belief=0.3),))
    assert digest(rows(exact)) == digest(rows(rounded))
    whole = replace(exact, edges=(replace(exact.edges[0], belief=1),))
    assert next(row for row in rows(whole) if row.kind == "claim").properties["belief"] == 1.0


def test_a_graph_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(InputError, match=r"names 'entity Z', which the graph lacks"):
        rows(small(("A", "BINDS", "Z")))
    with pytest.raises(InputError, match=r"names 'document d:1', which"):
        rows(replace(BASE, documents=()))
    with pytest.raises(InputError, match=r"entity 'A': ids must be unique"):
        rows(replace(BASE, entities=(*BASE.entities, BASE.entities[0])))
    with pytest.raises(UsageError, match=r"'Document'.*rename the type"):
        rows(changed(BASE, "A", type="Document"))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any small graph, whatever its names, types and predicates are."""
    types = st.text(min_size=1, max_size=4)
    texts = st.text(max_size=8)
    names = draw(st.lists(st.tuples(texts, types, st.lists(texts, max_size=2)), min_size=1, max_size=4))
    entities = [Concept(f"{i}{name}", name, kind, tuple(more)) for i, (name, kind, more) in enumerate(names)]
    ends = st.sampled_from([entity.id for entity in entities])
    triples = draw(st.sets(st.tuples(ends, st.text(min_size=1, max_size=5), ends), max_size=5))
    document = Document("d", "x", date=str(draw(st.integers(1000, 2100))))
    return graph(entities, [edge(*triple, ("d", "x")) for triple in triples], [document])


@settings(deadline=None)
@given(graphs(), graphs())
def test_rows_survive_the_way_back_and_differences_lead_from_one_graph_to_the_other(one: Graph, two: Graph) -> None:
    before, after = rows(one), rows(two)
    assert rows(from_rows(reversed(before))) == before
    assert (digest(before) == digest(after)) == (before == after)
    change = difference({row.key: row.digest for row in before}, after)
    held = {row.key: row for row in before}
    for key in change.deleted:
        del held[key]
    held.update({row.key: row for row in (*change.created, *change.updated)})
    assert sorted(held.values(), key=lambda row: row.key) == list(after)
    assert to_networkx(one).number_of_edges() == len(one.edges)
