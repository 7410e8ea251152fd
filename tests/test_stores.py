"""One battery for every graph store; Neo4j runs it on a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeAlias

import networkx as nx
import pytest
from graphs import BASE, changed, crowd, hostile, raynaud, small
from questions import QUESTIONS

from graph.memory import MemoryStore
from graph.neo4j import Neo4jStore
from graph.rows import SyncCounts, digest, rows
from graph.store import GraphStore
from pipeline.errors import QueryError, QueryTimeout
from pipeline.types import Document, Graph, edge_uid

Open: TypeAlias = Callable[[], GraphStore]
STORES = ["memory", pytest.param("neo4j", marks=pytest.mark.needs_neo4j)]


@pytest.fixture(params=STORES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens one empty store again and again; all of them are closed at the end."""
    stores: list[GraphStore] = []
    connection = request.getfixturevalue("neo4j_settings") if request.param == "neo4j" else None

    def open_store() -> GraphStore:
        stores.append(MemoryStore(tmp_path / "store") if connection is None else Neo4jStore(connection))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Open) -> GraphStore:
    return opened()


@pytest.mark.parametrize("made", [raynaud(), hostile(), BASE, Graph()], ids=["raynaud", "hostile", "small", "empty"])
def test_a_graph_comes_back_and_its_digest_is_that_of_its_rows(opened: Open, made: Graph) -> None:
    assert opened().sync(made) == SyncCounts(created=len(rows(made)))
    again = opened()
    assert again.digest() == digest(rows(made))
    assert rows(again.load()) == rows(made)
    assert again.counts() == {
        "documents": len(made.documents),
        "entities": len(made.entities),
        "edges": len(made.edges),
        "evidence": sum(len(edge.evidence) for edge in made.edges),
    }


def test_an_untouched_store_is_the_empty_graph(store: GraphStore) -> None:
    assert store.digest() == digest(rows(Graph()))
    assert store.counts() == {"documents": 0, "entities": 0, "edges": 0, "evidence": 0}
    assert store.load() == Graph()
    assert store.query("MATCH (n:Entity) RETURN count(n) AS n").rows == ((0,),)


def test_a_second_sync_writes_nothing(opened: Open) -> None:
    opened().sync(raynaud())
    assert opened().sync(raynaud()) == SyncCounts(same=24)


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (small(("A", "BINDS", "B"), ("B", "BINDS", "C"), ("A", "CUTS", "B")), SyncCounts(2, 0, 0, 8)),
        (small(("A", "BINDS", "B")), SyncCounts(0, 0, 2, 6)),
        (small(("A", "BINDS", "B"), ("B", "CUTS", "C")), SyncCounts(2, 0, 2, 6)),
        (changed(BASE, "A", name="alpha"), SyncCounts(0, 1, 0, 7)),
        (changed(BASE, "A", type="Cell `Line`"), SyncCounts(0, 1, 0, 7)),
        (changed(BASE, "A", type=""), SyncCounts(0, 1, 0, 7)),
        (changed(BASE, "A", synonyms=("a1", "a2")), SyncCounts(0, 1, 0, 7)),
        (replace(BASE, edges=(replace(BASE.edges[0], belief=0.7), BASE.edges[1])), SyncCounts(0, 1, 0, 7)),
        (replace(BASE, documents=(replace(BASE.documents[0], status="retracted"),)), SyncCounts(0, 1, 0, 7)),
        (replace(BASE, documents=(*BASE.documents, Document("d:2", "More"))), SyncCounts(1, 0, 0, 8)),
        (Graph(), SyncCounts(0, 0, 8, 0)),
    ],
    ids=["edge+", "edge-", "predicate", "name", "type", "untyped", "synonyms", "belief", "status", "document+", "all-"],
)
def test_a_sync_writes_the_difference_there_and_back(opened: Open, after: Graph, counts: SyncCounts) -> None:
    store = opened()
    store.sync(BASE)
    assert store.sync(after) == counts
    assert opened().digest() == digest(rows(after))
    assert rows(store.load()) == rows(after)
    assert store.sync(BASE) == SyncCounts(counts.deleted, counts.updated, counts.created, counts.same)
    assert store.digest() == digest(rows(BASE))


def test_an_evidence_may_move_to_another_paper(store: GraphStore) -> None:
    papers = (*BASE.documents, Document("d:2", "More"))
    before = replace(BASE, documents=papers)
    said = replace(before.edges[0].evidence[0], document_id="d:2")
    after = replace(before, edges=(replace(before.edges[0], evidence=(said,)), before.edges[1]))
    store.sync(before)
    assert store.sync(after) == SyncCounts(0, 1, 0, 8)
    assert store.digest() == digest(rows(after))
    asked = "MATCH (e:Evidence {uid: $uid})-[:FROM]->(d) RETURN d.uid"
    assert store.query(asked, {"uid": said.uid}).rows == (("d:2",),)


def test_an_edge_may_get_another_predicate_under_its_id(store: GraphStore) -> None:
    """Ids are hashes, so it should not happen; what a store holds must be right nevertheless."""
    after = replace(BASE, edges=(replace(BASE.edges[0], predicate="CUTS", subject="C"), BASE.edges[1]))
    store.sync(BASE)
    store.sync(after)
    assert store.digest() == digest(rows(after))
    assert store.query("MATCH (:Entity)-[r]->(:Entity) RETURN count(r) AS n").rows == ((2,),)


def test_the_graph_for_analysis_keeps_every_edge_and_sentence(store: GraphStore) -> None:
    store.sync(raynaud())
    found = store.graph()
    assert isinstance(found, nx.MultiDiGraph)
    assert found.number_of_nodes() == 6
    assert {key for _, _, key in found.edges(keys=True)} == {edge.uid for edge in raynaud().edges}
    assert found.number_of_edges("C:1", "P:1") == 2
    assert found.nodes["C:1"] == {"name": "Fish oil", "type": "Chemical", "synonyms": ("fish oils", "omega-3 oil")}
    lowers = found["C:1"]["P:1"][edge_uid("C:1", "LOWERS", "P:1")]
    assert {item.text for item in lowers["evidence"]} == {"Oil lowers it.", "So it is."}
    assert {name: value for name, value in lowers.items() if name not in ("uid", "evidence")} == {
        "predicate": "LOWERS",
        "belief": 0.9,
        "support": 2,
        "refute": 0,
        "speculative": 0,
        "first_year": 1984,
        "last_year": None,
        "state": "supported",
    }
    assert found.graph["documents"]["p:1"].title == "Oils and blood"
    with pytest.raises(nx.NetworkXError):
        found.remove_node("C:1")


@pytest.mark.parametrize("name", STORES)
def test_questions_have_the_same_right_answers(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store: GraphStore = (
        MemoryStore(tmp_path) if name == "memory" else Neo4jStore(request.getfixturevalue("neo4j_settings"))
    )
    store.sync(raynaud())
    wrong = []
    for cypher, params, answer in QUESTIONS:
        table = store.query(cypher, params)
        if list(map(repr, table.rows)) != list(map(repr, answer)):  # repr tells 1 from 1.0
            wrong.append((cypher, table.rows, answer))
    store.close()
    assert wrong == []


def test_columns_have_the_names_that_were_asked_for(store: GraphStore) -> None:
    store.sync(raynaud())
    table = store.query("MATCH (e:Evidence) RETURN e.uid, e.end, e.text AS sentence, count(*) LIMIT 1")
    assert table.columns == ("e.uid", "e.end", "sentence", "count(*)")
    assert list(table.dicts()[0]) == list(table.columns)
    assert store.query("RETURN 'the.end' AS x").rows == (("the.end",),)


def test_a_limit_cuts_the_answer_and_says_so(store: GraphStore) -> None:
    store.sync(raynaud())
    question = "MATCH (n:Entity) RETURN n.uid ORDER BY n.uid"
    assert store.query(question, limit=2).rows == (("C:1",), ("C:2",))
    assert store.query(question, limit=2).truncated
    assert not store.query(question, limit=6).truncated


def test_a_query_that_takes_too_long_is_ended(store: GraphStore) -> None:
    endless = "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN sum(a * b) AS s"
    with pytest.raises(QueryTimeout, match=r"longer than 0\.5 s"):
        store.query(endless, timeout=0.5)
    assert store.query("RETURN 1 AS one").rows == ((1,),)


@pytest.mark.parametrize(
    "cypher",
    [
        "CREATE (:Entity {uid: 'x'})",
        "MATCH (n) DETACH DELETE n",
        "MATCH (n) SET n.name = ''",
        "LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
        "CALL db.labels() YIELD label RETURN label",
        "SHOW INDEXES",
    ],
)
def test_writing_is_refused(store: GraphStore, cypher: str) -> None:
    store.sync(BASE)
    with pytest.raises(QueryError):
        store.query(cypher)
    assert store.digest() == digest(rows(BASE))


@pytest.mark.parametrize("cypher", ["MATCH (n RETURN n", "RETURN x", "RETURN $missing", "RETURN 1 / 0"])
def test_wrong_cypher_is_told(store: GraphStore, cypher: str) -> None:
    with pytest.raises(QueryError):
        store.query(cypher)


def test_a_store_finishes_what_a_killed_sync_began(
    opened: Open, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    big = crowd(1500)
    made = opened()
    made.sync(raynaud())
    if isinstance(made, Neo4jStore):
        place = f"Neo4jStore(Neo4jSettings(**{asdict(request.getfixturevalue('neo4j_server'))}))"
    else:
        place = f"MemoryStore(Path({str(tmp_path / 'store')!r}))"
    kill_within_sync(place, after=len(rows(big)) // 2)
    assert opened().digest() != digest(rows(big))
    if isinstance(made, MemoryStore):
        assert opened().digest() == digest(rows(raynaud()))
    opened().sync(big)
    assert opened().digest() == digest(rows(big))
    assert opened().query("MATCH (n:Entity) RETURN count(n) AS n").rows == ((1500,),)
    assert opened().sync(big) == SyncCounts(same=len(rows(big)))


KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from graphs import crowd
import graph.memory, graph.neo4j
from graph.memory import MemoryStore
from graph.neo4j import Neo4jStore
from pipeline.settings import Neo4jSettings

def die_after(write, size):
    written = 0
    def wrapped(*given):
        nonlocal written
        written += size(given)
        if written > {after}:
            os.kill(os.getpid(), 9)
        return write(*given)
    return wrapped

graph.neo4j.BATCH = 500
graph.neo4j._write = die_after(graph.neo4j._write, lambda given: len(given[2]))
graph.memory._line = die_after(graph.memory._line, lambda given: 1)
{place}.sync(crowd(1500))
"""


def kill_within_sync(place: str, *, after: int) -> None:
    """Run a sync in a process that is ended by signal 9 when so many rows are written."""
    script = KILLED.format(tests=str(Path(__file__).parent), place=place, after=after)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent
    )
    assert ended.returncode == -9, ended.stdout + ended.stderr
