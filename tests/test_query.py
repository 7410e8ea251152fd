"""The ready-made questions, on a graph whose answers are worked out by hand."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphs import edge, graph, raynaud

from graph.memory import MemoryStore
from graph.query import evidence, neighbors, paths, resolve, stats
from pipeline.errors import NotFound, UsageError
from pipeline.types import Concept, Document, edge_uid


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    store = MemoryStore(tmp_path)
    store.sync(raynaud())
    yield store
    store.close()


@pytest.mark.parametrize("name", ["C:1", "Fish oil", "FISH OIL", "omega-3 oil", "OMEGA-3 Oil"])
def test_an_entity_goes_by_id_name_and_synonym(store: MemoryStore, name: str) -> None:
    assert resolve(store, name) == "C:1"


def test_an_unknown_name_is_told_with_what_is_close(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match=r"'iloprst'; close are iloprost"):
        resolve(store, "iloprst")
    with pytest.raises(NotFound, match=r"'zzz'$"):
        resolve(store, "zzz")


def test_of_several_the_best_joined_is_taken_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore(tmp_path)
    names = [Concept("A", "cold", "Disease"), Concept("B", "Cold", "Phenomenon"), Concept("C", "cold", "Sense")]
    store.sync(graph(names, [edge("C", "CAUSES", "B", ("d", "It does."))], [Document("d", "d")]))
    with caplog.at_level(logging.WARNING):
        assert resolve(store, "cold") == "C"
    assert "also names A" in caplog.text
    assert resolve(store, "Cold") == "B"  # the exact name wins over one that differs in case


def test_neighbors_are_ranked_by_belief_with_direction(store: MemoryStore) -> None:
    found = neighbors(store, "D:1")
    assert [(row["direction"], row["predicate"], row["uid"], row["belief"]) for row in found] == [
        ("in", "TREATS", "C:2", 0.95),
        ("in", "RAISED-IN", "P:1", 0.8),
        ("out", "RAISED-IN", "P:2", 0.7),
        ("out", "INDUCES", "D:1", 0.5),  # a loop comes once
    ]
    assert found[0]["name"] == "iloprost"
    assert found[0]["type"] == "Chemical"
    assert found[0]["edge"] == edge_uid("C:2", "TREATS", "D:1")


def test_neighbors_can_be_narrowed(store: MemoryStore) -> None:
    assert [row["uid"] for row in neighbors(store, "fish oil", predicate="LOWERS")] == ["P:1", "P:2"]
    assert [row["belief"] for row in neighbors(store, "fish oil", min_belief=0.5)] == [0.9, 0.6]
    assert [row["belief"] for row in neighbors(store, "D:1", limit=2)] == [0.95, 0.8]
    assert neighbors(store, "magnesium") == []


def test_paths_are_ranked_by_the_product_of_beliefs(store: MemoryStore) -> None:
    found = paths(store, "fish oil", "Raynaud disease")
    assert [(row["uids"], row["belief"]) for row in found] == [
        (["C:1", "P:1", "D:1"], 0.72),
        (["C:1", "P:2", "D:1"], 0.42),
    ]
    assert found[0]["names"] == ["Fish oil", "blood viscosity", "Raynaud's syndrome"]
    assert [hop["belief"] for hop in found[0]["edges"]] == [0.9, 0.8]  # LOWERS, not the weaker RAISES beside it
    assert found[1]["edges"][1] | {"edge": ""} == {
        "subject": "D:1",
        "predicate": "RAISED-IN",
        "object": "P:2",
        "belief": 0.7,
        "edge": "",
    }


def test_paths_keep_to_their_length_and_number(store: MemoryStore) -> None:
    assert [row["length"] for row in paths(store, "fish oil", "iloprost")] == [3, 3]
    assert paths(store, "fish oil", "iloprost", max_length=2) == []
    assert len(paths(store, "fish oil", "iloprost", top=1)) == 1
    assert paths(store, "fish oil", "magnesium") == []
    with pytest.raises(UsageError, match="max_length"):
        paths(store, "fish oil", "iloprost", max_length=0)


def test_evidence_shows_the_sentences(store: MemoryStore) -> None:
    uid = edge_uid("C:1", "LOWERS", "P:1")
    found = evidence(store, uid[:8])
    assert [(row["document"], row["title"], row["text"]) for row in found] == [
        ("p:1", "Oils and blood", "Oil lowers it."),
        ("p:3", "Undated", "So it is."),
    ]
    assert (found[0]["start"], found[0]["end"]) == (0, 14)
    assert evidence(store, uid) == found


def test_evidence_of_no_or_of_several_edges_is_told(store: MemoryStore) -> None:
    with pytest.raises(NotFound, match="'xyz'"):
        evidence(store, "xyz")
    with pytest.raises(UsageError, match=r"several edges begin with ''.*\.\.\."):
        evidence(store, "")


def test_stats_count_everything(store: MemoryStore) -> None:
    assert stats(store) == {
        "documents": 3,
        "entities": 6,
        "edges": 7,
        "evidence": 8,
        "contested": 1,
        "types": {"Chemical": 3, "Disease": 1, "Phenomenon": 2},
        "predicates": {"INDUCES": 1, "LOWERS": 2, "RAISED-IN": 2, "RAISES": 1, "TREATS": 1},
        "digest": store.digest(),
    }
