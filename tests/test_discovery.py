"""Discovery over small graphs solved by hand, then properties over random ones."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.hypotheses.discovery import as_row, discover
from graph.hypotheses.ties import abc, degree, score_pairs, tie
from pipeline.errors import UsageError
from pipeline.types import Evidence, edge_uid

Triple = tuple[str, str, str]


def evidence(edge: str, text: str, *, polarity: str = "positive", certainty: str = "certain") -> Evidence:
    return Evidence(edge + text, edge, "d", 0, 1, text, "", polarity, certainty, 1.0, "x@1", 1980)  # type: ignore[arg-type]


def network(*triples: Triple, belief: float = 0.5, states: dict[Triple, str] | None = None) -> nx.MultiDiGraph:
    """Nodes ``d...`` are diseases, ``c...`` chemicals, all else genes."""
    graph = nx.MultiDiGraph()
    for triple in triples:
        a, predicate, b = triple
        for node in (a, b):
            type_ = {"d": "Disease", "c": "Chemical"}.get(node[0], "Gene")
            graph.add_node(node, name=node.upper(), type=type_)
        uid = edge_uid(*triple)
        polarity = "negative" if (states or {}).get(triple) == "refuted" else "positive"
        graph.add_edge(
            a,
            b,
            key=uid,
            uid=uid,
            predicate=predicate,
            belief=0.0 if polarity == "negative" else belief,
            state=(states or {}).get(triple, "supported"),
            evidence=(evidence(uid, f"{a} {predicate} {b}.", polarity=polarity),),
        )
    return graph


SWANSON = (
    ("c_oil", "LOWERS", "viscosity"),
    ("c_oil", "LOWERS", "aggregation"),
    ("d_raynaud", "RAISES", "viscosity"),
    ("d_raynaud", "RAISES", "aggregation"),
    ("c_aspirin", "LOWERS", "aggregation"),
    ("c_salt", "TREATS", "d_cramp"),
)


def test_open_discovery_finds_what_shares_most() -> None:
    found = discover(network(*SWANSON), source="d_raynaud", relation="TREATS")
    assert [h.target for h in found] == ["c_oil", "c_aspirin"]
    best = found[0]
    assert (best.rank, best.relation, best.inverse, best.known) == (1, "TREATS", True, False)
    assert {path.names for path in best.paths} == {("VISCOSITY",), ("AGGREGATION",)}
    hops = {tuple(e.text for e in path.evidence) for path in best.paths}
    assert ("d_raynaud RAISES viscosity.", "c_oil LOWERS viscosity.") in hops


def test_the_score_by_hand() -> None:
    ties = tie(network(*SWANSON))
    over_viscosity = 0.25  # two neighbours: full weight
    over_aggregation = 0.25 / math.log(math.e + 1)  # three neighbours
    expected = 1 - (1 - over_viscosity) * (1 - over_aggregation)
    assert abc(ties)("d_raynaud", "c_oil") == pytest.approx(expected)
    assert abc(ties)("d_raynaud", "c_aspirin") == pytest.approx(over_aggregation)
    assert abc(ties)("d_raynaud", "c_salt") == 0
    assert degree(ties)("d_raynaud", "c_oil") == 4


def test_types_that_no_edge_joins_are_no_candidates() -> None:
    without = network(*SWANSON[:-1])
    assert discover(without, source="d_raynaud") == []


@pytest.mark.parametrize(
    ("first", "second", "relation"),
    [
        ("LOWERS", "RAISES", "LOWERS"),
        ("RAISES", "RAISES", "RAISES"),
        ("LOWERS", "LOWERS", "RAISES"),
        ("WITH", "LOWERS", "LOWERS"),
    ],
)
def test_the_supposed_relation_follows_the_signs_of_the_hops(first: str, second: str, relation: str) -> None:
    known = [(f"c{n}", predicate, f"d{n}") for n, predicate in enumerate(("RAISES", "RAISES", "LOWERS"))]
    graph = network(("c_oil", first, "viscosity"), ("d_raynaud", second, "viscosity"), *known)
    (found,) = discover(graph, source="d_raynaud", signs={"LOWERS": -1, "RAISES": 1})
    assert (found.target, found.relation, found.inverse) == ("c_oil", relation, True)
    (blind,) = discover(graph, source="d_raynaud")
    assert blind.relation == "RAISES", "the commonest, where no signs are known"


def test_an_unknown_relation_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"'CURES'.*LOWERS, RAISES, TREATS"):
        discover(network(*SWANSON), source="d_raynaud", relation="CURES")


def test_known_links_are_not_new_even_when_they_are_refuted() -> None:
    denied = ("c_oil", "TREATS", "d_raynaud")
    for state in ("supported", "speculative", "contested", "refuted"):
        graph = network(*SWANSON, denied, states={denied: state})
        assert "c_oil" not in {h.target for h in discover(graph, source="d_raynaud")}


def test_closed_discovery_explains_a_pair_even_when_it_is_known() -> None:
    graph = network(*SWANSON)
    (found,) = discover(graph, source="c_oil", target="d_raynaud")
    assert (found.source, found.target, found.known) == ("c_oil", "d_raynaud", False)
    assert found.relation == "TREATS"
    assert not found.inverse
    assert {path.via for path in found.paths} == {("viscosity",), ("aggregation",)}
    known = network(*SWANSON, ("c_oil", "TREATS", "d_raynaud"))
    assert discover(known, source="c_oil", target="d_raynaud")[0].known
    assert discover(graph, source="c_salt", target="d_raynaud") == []


def test_a_target_alone_gives_its_sources() -> None:
    found = discover(network(*SWANSON), target="d_raynaud")
    assert [(h.source, h.target) for h in found[:2]] == [("c_oil", "d_raynaud"), ("c_aspirin", "d_raynaud")]


def test_refuted_edges_tie_nothing() -> None:
    refuted = ("c_oil", "LOWERS", "viscosity")
    graph = network(*SWANSON, states={refuted: "refuted"})
    (path,) = discover(graph, source="d_raynaud")[0].paths
    assert path.via == ("aggregation",)


def test_the_degree_baseline_stands_beside_the_score() -> None:
    hub = [("c_hub", "LOWERS", f"gene{n}") for n in range(9)]
    graph = network(*SWANSON, *hub, ("c_hub", "LOWERS", "aggregation"))
    found = {h.target: h for h in discover(graph, source="d_raynaud")}
    assert found["c_oil"].rank == 1
    assert found["c_hub"].degree_rank == 1 < found["c_oil"].degree_rank


def test_rows_have_names_and_sentences() -> None:
    graph = network(*SWANSON)
    row = as_row(graph, discover(graph, source="d_raynaud")[0])
    assert row["source"] == {"uid": "d_raynaud", "name": "D_RAYNAUD"}
    assert row["target"] == {"uid": "c_oil", "name": "C_OIL"}
    assert row["paths"][0]["via"] == ["VISCOSITY"]
    assert len(row["paths"][0]["evidence"]) == 2


def test_unknown_and_lonely_nodes_have_no_links() -> None:
    graph = network(*SWANSON)
    graph.add_node("d_alone", name="Alone", type="Disease")
    assert discover(graph, source="d_alone") == []
    assert discover(nx.MultiDiGraph()) == []


@given(
    st.lists(st.tuples(st.sampled_from("abcdexyz"), st.sampled_from("RS"), st.sampled_from("abcdexyz")), max_size=25)
)
def test_properties_of_any_ranking(triples: list[Triple]) -> None:
    graph = network(*triples)
    found = discover(graph, top=100)
    pairs = [(h.source, h.target) for h in found]
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    assert [h.rank for h in found] == list(range(1, len(found) + 1))
    assert all(earlier.score >= later.score for earlier, later in itertools.pairwise(found))
    for hypothesis in found:
        assert 0 < hypothesis.score <= 1
        assert not graph.has_edge(hypothesis.source, hypothesis.target)
        assert not graph.has_edge(hypothesis.target, hypothesis.source)
        for path in hypothesis.paths:
            assert len(path.evidence) == 2
    ties = tie(graph)
    assert all(ties[b][a] == strength for a in ties for b, strength in ties[a].items())
    assert list(score_pairs([("a", "nowhere")], abc(ties))) == []
