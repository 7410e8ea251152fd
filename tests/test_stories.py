"""The three stories of the sample corpus: each discovery is found in the papers from before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows import tasks
from flows.hypothesize import hypothesize
from flows.workspace import Workspace

MAGNESIUM, MIGRAINE, FISH_OIL, RAYNAUD = "MESH:D008274", "MESH:D008881", "MESH:D005395", "MESH:D011928"


def links(folder: Path, source: str, year: int, **options: Any) -> dict[str, dict[str, Any]]:
    """Hypotheses of a source by the id of their target."""
    with Workspace.open(folder) as workspace:
        rows = hypothesize(workspace, source=source, as_of=year, **options)
    return {row["target"]["uid"]: row for row in rows}


def via(row: dict[str, Any]) -> set[str]:
    return {name for path in row["paths"] for name in path["via"]}


@pytest.mark.parametrize(
    ("disease", "year", "remedy", "intermediates"),
    [
        (RAYNAUD, 1985, FISH_OIL, {"Blood Viscosity", "Platelet Aggregation"}),
        (MIGRAINE, 1987, MAGNESIUM, {"Cortical Spreading Depression", "Platelet Aggregation"}),
    ],
)
def test_swansons_discoveries_are_among_the_ten_best(
    sample: Path, disease: str, year: int, remedy: str, intermediates: set[str]
) -> None:
    found = links(sample, disease, year, top=10)
    assert remedy in found
    row = found[remedy]
    assert intermediates <= via(row)
    assert not row["known"]
    for path in row["paths"]:
        assert len(path["evidence"]) == 2
        assert all(path["evidence"])
    with Workspace.open(sample) as workspace:
        years = {d.id: d.year for d in workspace.ledger.documents()}
    cited = [document for path in row["paths"] for document in path["documents"]]
    assert all(years[document] is not None and years[document] <= year for document in cited)


@pytest.mark.parametrize(("disease", "remedy"), [(RAYNAUD, FISH_OIL), (MIGRAINE, MAGNESIUM)])
def test_what_was_confirmed_since_is_no_longer_new(sample: Path, disease: str, remedy: str) -> None:
    with Workspace.open(sample) as workspace:
        found = hypothesize(workspace, source=disease, top=1000)
        (known,) = hypothesize(workspace, source=disease, target=remedy)
    assert remedy not in {row["target"]["uid"] for row in found}
    assert known["known"]


@pytest.mark.parametrize(
    ("source", "year", "target", "intermediates"),
    [
        ("AI:transformer", 2018, "AI:image-classification", {"residual connection", "dropout"}),
        ("ASTRO:gamma-ray-burst", 1983, "ASTRO:neutron-star-merger", {"pulsar"}),
    ],
)
def test_the_other_stories_are_found_too(
    sample: Path, source: str, year: int, target: str, intermediates: set[str]
) -> None:
    found = links(sample, source, year, top=10)
    assert target in found
    assert intermediates <= via(found[target])


def test_the_answer_comes_from_the_early_papers_alone(sample: Path, own_sample: Path) -> None:
    with Workspace.open(own_sample) as workspace:
        later = [d.id for d in workspace.ledger.documents() if d.year is None or d.year > 1985]
        assert later
        for document in later:
            workspace.ledger.remove(document)
        tasks.load(workspace)
        alone = hypothesize(workspace, source=RAYNAUD, top=10)
    scores = {uid: row["score"] for uid, row in links(sample, RAYNAUD, 1985, top=10).items()}
    assert {row["target"]["uid"]: row["score"] for row in alone} == pytest.approx(scores)


def test_claims_of_the_retracted_paper_are_not_in_the_graph(sample: Path) -> None:
    with Workspace.open(sample) as workspace:
        graph = workspace.store.load()
        read = {r.document_id for r in workspace.ledger.relations()}
    cited = {row.document_id for edge in graph.edges for row in edge.evidence}
    assert "sample:migraine-015" in read, "the ledger keeps what the retracted paper claimed"
    assert not cited & {"sample:migraine-015", "sample:migraine-016", "sample:astro-018", "sample:astro-019"}


def test_contradictions_are_kept_as_contested_claims(sample: Path) -> None:
    with Workspace.open(sample) as workspace:
        edges = workspace.store.load().edges
    states = {state: sum(edge.state == state for edge in edges) for state in ("contested", "refuted", "speculative")}
    assert all(states.values()), states


def test_every_edge_can_show_a_sentence(sample: Path) -> None:
    with Workspace.open(sample) as workspace:
        texts = {d.id: d.text for d in workspace.ledger.documents()}
        edges = workspace.store.load().edges
    assert edges
    for edge in edges:
        assert edge.evidence
        assert all(texts[row.document_id][row.start : row.end] == row.text for row in edge.evidence)
