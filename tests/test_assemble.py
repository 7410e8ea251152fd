"""Relations become edges: hand-solved beliefs, then properties that hold for any evidence."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assemble import BeliefRules, as_of, assemble, belief, make_edge, name_concepts, withdrawn_ids
from pipeline.settings import Reliability
from pipeline.types import (
    Concept,
    Document,
    Evidence,
    Grounding,
    Mention,
    Relation,
    edge_uid,
)

RULES = BeliefRules()


def paper(id_: str, date: str = "1985", **more: object) -> Document:
    return replace(Document(id_, "Fish oil lowers viscosity.", date=date), **more)


def mention(doc: str, start: int, end: int, concept: str) -> Mention:
    text = "Fish oil lowers viscosity."[start:end]
    grounding = (Grounding(concept, text, 1.0, "exact", text),) if concept else ()
    return Mention(start, end, doc, text, "Chemical", 1.0, "gold", grounding)


def claim(doc: str, *, subject: str = "A", object_: str = "B", predicate: str = "LOWERS", **more: object) -> Relation:
    relation = Relation(
        0, 26, doc, predicate, mention(doc, 0, 8, subject), mention(doc, 16, 25, object_), 1.0, "gold@1"
    )
    return replace(relation, **more)


def concepts(*ids: str) -> list[Concept]:
    return [Concept(id_, id_.lower(), "Chemical") for id_ in ids]


def row(
    uid: str, *, polarity: str = "positive", certainty: str = "certain", score: float = 1.0, by: str = "x@1"
) -> Evidence:
    return Evidence(uid, "e", "d", 0, 1, "", "", polarity, certainty, score, by)  # type: ignore[arg-type]


def test_three_papers_give_three_evidences_and_one_edge() -> None:
    papers = [paper("d1", "1979"), paper("d2", "1985"), paper("d3", "")]
    graph = assemble([claim(p.id) for p in papers], concepts("A", "B"), papers, RULES)
    (edge,) = graph.edges
    assert edge.uid == edge_uid("A", "LOWERS", "B")
    assert (edge.support, edge.refute, edge.speculative, edge.state) == (3, 0, 0, "supported")
    assert (edge.first_year, edge.last_year) == (1979, 1985)
    assert sorted(e.document_id for e in edge.evidence) == ["d1", "d2", "d3"]
    assert all(e.text == "Fish oil lowers viscosity." for e in edge.evidence)


def test_the_same_sentence_read_twice_by_one_extractor_counts_once_with_its_best_score() -> None:
    relations = [claim("d1", score=0.4), claim("d1", score=0.9)]
    (edge,) = assemble(relations, concepts("A", "B"), [paper("d1")], RULES).edges
    assert [e.score for e in edge.evidence] == [0.9]


@pytest.mark.parametrize(
    ("polarities", "certainties", "state"),
    [
        (["positive"], ["certain"], "supported"),
        (["positive"], ["speculative"], "speculative"),
        (["negative"], ["certain"], "refuted"),
        (["negative"], ["speculative"], "refuted"),
        (["positive", "negative"], ["certain", "certain"], "contested"),
        (["positive", "negative"], ["speculative", "certain"], "contested"),
        (["positive", "positive"], ["speculative", "certain"], "supported"),
    ],
)
def test_state(polarities: list[str], certainties: list[str], state: str) -> None:
    rows = [row(str(n), polarity=p, certainty=c) for n, (p, c) in enumerate(zip(polarities, certainties, strict=True))]
    edge = make_edge("A", "R", "B", rows, RULES)
    assert edge.state == state
    assert edge.support + edge.refute + edge.speculative == len(rows)


def test_symmetric_predicates_have_one_edge_whatever_the_order() -> None:
    rules = BeliefRules(symmetric={"WITH"})
    relations = [claim("d1", predicate="WITH"), claim("d2", predicate="WITH", subject="B", object_="A")]
    graph = assemble(relations, concepts("A", "B"), [paper("d1"), paper("d2")], rules)
    assert [(e.subject, e.object, e.support) for e in graph.edges] == [("A", "B", 2)]


def test_claims_of_withdrawn_papers_fall_with_them() -> None:
    papers = [
        paper("kept"),
        paper("flagged", status="retracted"),
        paper("named"),
        paper("notice", status="retraction", links=(("retracts", "named"),)),
        paper("fixed", status="erratum", links=(("corrects", "kept"),)),
    ]
    assert withdrawn_ids(papers) == {"flagged", "named", "notice"}
    (edge,) = assemble([claim(p.id) for p in papers], concepts("A", "B"), papers, RULES).edges
    assert sorted(e.document_id for e in edge.evidence) == ["fixed", "kept"]


@pytest.mark.parametrize(
    "target", ["12", "pmid:12", "10.1000/XYZ", "doi:10.1000/xyz", "PMC7", "arXiv:1711.04702v2", "own"]
)
@pytest.mark.parametrize("word", ["retracts", "retracted_by"])
def test_a_link_leads_to_a_paper_by_any_of_its_ids(word: str, target: str) -> None:
    ids = ("doi:10.1000/xyz", "pmcid:PMC7", "arxiv:1711.04702", "own")
    papers = [paper("12", ids=ids), paper("13", links=((word, target),)), paper("14", links=(("corrects", target),))]
    assert withdrawn_ids(papers) == ({"12", "13"} if word == "retracted_by" else {"12"})


def test_unlinked_and_self_relations_state_nothing() -> None:
    relations = [claim("d1", subject=""), claim("d1", subject="B")]
    assert assemble(relations, concepts("A", "B"), [paper("d1")], RULES).edges == ()


def test_belief_by_hand() -> None:
    rules = BeliefRules({"x": Reliability(0.1, 0.2), "y": Reliability(0.0, 0.5)})
    assert belief([row("1")], rules) == pytest.approx(1 - (0.1 + 0.2))
    assert belief([row("1"), row("2")], rules) == pytest.approx(1 - (0.1 + 0.2 * 0.2))
    assert belief([row("1"), row("2", by="y@1")], rules) == pytest.approx(1 - 0.3 * 0.5)
    assert belief([row("1", score=0.5)], rules) == pytest.approx(1 - (0.1 + (1 - 0.8 * 0.5)))
    assert belief([row("1", certainty="speculative")], rules) == belief([row("1", score=0.5)], rules)
    against = row("2", polarity="negative")
    assert belief([row("1"), against], rules) == pytest.approx(0.7 * (1 - 0.7))
    assert belief([against], rules) == 0


def test_reliability_is_looked_up_by_name_then_by_role() -> None:
    rules = BeliefRules({"relations": Reliability(0.2, 0.2), "relations:fine": Reliability(0.1, 0.1)})
    assert rules.of("relations:fine@ab").systematic == 0.1
    assert rules.of("relations:other@ab").systematic == 0.2
    assert rules.of("unheard-of@ab") == Reliability()


@given(st.lists(st.tuples(st.sampled_from(["x@1", "y@1"]), st.floats(0, 1), st.booleans()), max_size=8))
def test_belief_is_a_probability_and_never_falls_with_support(rows: list[tuple[str, float, bool]]) -> None:
    evidence = [
        row(str(n), by=by, score=score, polarity="negative" if no else "positive")
        for n, (by, score, no) in enumerate(rows)
    ]
    before = belief(evidence, RULES)
    assert 0 <= before <= 1
    assert belief([*evidence, row("more")], RULES) >= before - 1e-12
    assert belief([*evidence, row("less", polarity="negative")], RULES) <= before + 1e-12


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_has_no_say(rng: random.Random) -> None:
    papers = [paper(f"d{n}", str(1980 + n)) for n in range(6)]
    relations = [claim(p.id, object_=o, score=0.5 + n / 20) for n, p in enumerate(papers) for o in "BC"]
    whole = assemble(relations, concepts("A", "B", "C"), papers, RULES)
    for rows in (relations, papers):
        rng.shuffle(rows)  # type: ignore[arg-type]
    assert assemble(relations, concepts("C", "A", "B"), papers, RULES) == whole


def test_as_of_is_the_graph_of_the_papers_until_then() -> None:
    papers = [paper("old", "1979"), paper("new", "1990-03"), paper("undated", "")]
    relations = [claim("old"), claim("new"), claim("new", object_="C"), claim("undated")]
    whole = assemble(relations, concepts("A", "B", "C"), papers, RULES)
    early = assemble([claim("old")], concepts("A", "B", "C"), papers[:1], RULES)
    assert as_of(whole, 1985, RULES) == early
    assert as_of(whole, 1900, RULES).edges == ()


def test_concepts_are_named_by_the_vocabulary_else_by_their_commonest_surface() -> None:
    counts = [("NIL:1", "Gene", "abc", 1, 2), ("NIL:1", "Gene", "ABC", 1, 3), ("X:1", "Disease", "flu", 1, 1)]
    known = {"X:1": Concept("X:1", "Influenza", "")}
    named = list(name_concepts(counts, known.get))
    assert named == [Concept("NIL:1", "ABC", "Gene"), Concept("X:1", "Influenza", "Disease")]
    assert list(name_concepts(reversed(counts), known.get)) == named
