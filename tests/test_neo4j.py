"""What only Neo4j can do: hold the data of others, be changed by hand, be unreachable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import neo4j
import pytest
from fixtures_neo4j import connection, server
from graphs import BASE, edge, graph

from graph.neo4j import Neo4jStore, _check_plan
from graph.rows import digest, rows
from pipeline.errors import QueryError, ServiceError
from pipeline.settings import Neo4jSettings
from pipeline.types import Concept, Document, Graph


@pytest.fixture
def session(neo4j_settings: Neo4jSettings) -> Iterator[neo4j.Session]:
    """A session of somebody else in the same database, who leaves nothing behind."""
    with (
        neo4j.GraphDatabase.driver(neo4j_settings.uri, auth=(neo4j_settings.user, neo4j_settings.password)) as driver,
        driver.session() as session,
    ):
        yield session
        session.run("MATCH (n) WHERE n.uid IS NULL DETACH DELETE n").consume()


@pytest.mark.needs_neo4j
def test_neo4j_leaves_the_data_of_others_alone(neo4j_settings: Neo4jSettings, session: neo4j.Session) -> None:
    session.run("CREATE (:Person {name: 'x'})-[:READ]->(:Document {name: 'not ours'})").consume()
    store = Neo4jStore(neo4j_settings)
    store.sync(BASE)
    assert store.digest() == digest(rows(BASE))
    session.run("MATCH (p:Person) MATCH (n:Entity {uid: 'A'}) CREATE (p)-[:LIKES]->(n)").consume()
    store.sync(Graph())
    assert session.run("MATCH (n) RETURN count(n) AS n").single(strict=True)["n"] == 2
    store.close()


@pytest.mark.needs_neo4j
@pytest.mark.parametrize(
    "spoil",
    [
        "MATCH (n:Entity {uid: 'A'}) SET n.name = 'changed', n.extra = date('2020-01-01')",
        "MATCH (n:Entity {uid: 'A'}) SET n:Favourite REMOVE n:Gene",
        "MATCH (n:Entity {uid: 'B'}) DETACH DELETE n",
        "MATCH ()-[r:FROM]->() DELETE r",
        "MATCH (e:Evidence)-[:SUBJECT]->(a) CREATE (e)-[:SUBJECT]->(a)",
        "MATCH (a {uid: 'A'}) MATCH (c {uid: 'C'}) CREATE (a)-[:BINDS {uid: 'more'}]->(c)",
        "CREATE (:Entity:Gene {uid: 'D'})",
        "MATCH (a {uid: 'A'})-[r:BINDS]->(b) CREATE (a)-[:CUTS {uid: r.uid, belief: 0.5}]->(b)",
        "MATCH ()-[r:BINDS]->() SET r.belief = 1",
    ],
)
def test_neo4j_sees_and_mends_what_was_changed_by_hand(
    neo4j_settings: Neo4jSettings, session: neo4j.Session, spoil: str
) -> None:
    store = Neo4jStore(neo4j_settings)
    store.sync(BASE)
    session.run(spoil).consume()
    assert store.digest() != digest(rows(BASE))
    store.sync(BASE)
    assert store.digest() == digest(rows(BASE))
    assert store.counts()["edges"] == 2
    store.close()


@pytest.mark.needs_neo4j
def test_neo4j_deletes_a_hub_with_more_than_a_batch(
    neo4j_settings: Neo4jSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.neo4j.BATCH", 7)
    store = Neo4jStore(neo4j_settings)
    star = [edge("HUB", "BINDS", f"N:{i}", ("d:1", f"Text {i}")) for i in range(30)]
    names = [Concept(uid, uid, "Gene") for uid in ["HUB", *(f"N:{i}" for i in range(30))]]
    store.sync(graph(names, star, [Document("d:1", "Paper")]))
    assert store.counts()["edges"] == 30
    assert store.sync(Graph()).deleted == 31 + 30 + 30 + 1
    assert store.digest() == digest(rows(Graph()))
    store.close()


@pytest.mark.needs_neo4j
@pytest.mark.parametrize(
    "cypher",
    [
        "LOAD CSV FROM 'http://127.0.0.1:1/x' AS row RETURN row",
        "SHOW TRANSACTIONS",
        "CALL dbms.listConfig() YIELD name RETURN name",
        "CALL dbms.killConnections([])",
        "MATCH (n) SET n.x = 1",
        "CREATE INDEX FOR (n:A) ON (n.b)",
    ],
)
def test_the_plan_alone_betrays_what_is_no_reading(session: neo4j.Session, cypher: str) -> None:
    """The second guard stands where the first should ever be fooled."""
    with pytest.raises(QueryError, match="only reading"):
        _check_plan(session.run("EXPLAIN " + cypher).consume())


@pytest.mark.needs_neo4j
def test_neo4j_tells_what_to_do_when_it_cannot_connect(neo4j_server: Neo4jSettings) -> None:
    cases = [
        (replace(neo4j_server, uri="bolt://127.0.0.1:1"), "bolt://127.0.0.1:1 does not answer.*make neo4j"),
        (replace(neo4j_server, uri="nonsense"), "'nonsense' is no address"),
        (replace(neo4j_server, password="wrong"), "refuses user 'neo4j'.*NEO4J_PASSWORD"),
        (replace(neo4j_server, database="nowhere"), "no database 'nowhere'"),
    ]
    for wrong, message in cases:
        store = Neo4jStore(wrong)
        with pytest.raises(ServiceError, match=message):
            store.counts()
        with pytest.raises(ServiceError, match=message):
            store.query("RETURN 1")
        store.close()


@pytest.mark.needs_neo4j
def test_starting_a_running_server_changes_nothing(neo4j_home: Path, neo4j_server: Neo4jSettings) -> None:
    again = server("start", neo4j_home)
    assert again.returncode == 0
    assert f"already runs at {neo4j_server.uri}" in again.stderr
    assert connection(server("env", neo4j_home).stdout) == neo4j_server
    assert (neo4j_home / "password").stat().st_mode & 0o777 == 0o600
    assert neo4j_server.uri.startswith("bolt://127.0.0.1:")


def test_a_server_that_does_not_run_is_told_and_need_not_be_stopped(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(f'{{"pid": {os.getpid()}, "port": 1}}')  # somebody else's number by now
    told = server("env", tmp_path)
    assert told.returncode == 1
    assert "make neo4j" in told.stderr
    assert told.stdout == ""
    assert server("stop", tmp_path).returncode == 0
