"""The Neo4j store: the same graph in a Neo4j server, synced by difference, asked in its own Cypher.

Of a database that others use too, ours are the nodes labelled ``Entity``, ``Evidence`` and ``Document`` that have a
``uid``, and the relationships between them: claims by their ``uid``, and ``FROM``, ``SUBJECT`` and ``OBJECT``.
Everything else stays as it is.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import neo4j
import networkx as nx
from neo4j import exceptions
from neo4j import graph as values

from graph.cypher import batches, check_read_only, labels_of, link_value, match_ends, node_value, parameters, plain
from graph.rows import ENDS, LABELS, LINKS, Kind, Row, SyncCounts, count, difference, digest, from_rows, rows
from graph.store import Table, to_networkx
from pipeline.errors import QueryError, QueryTimeout, ServiceError
from pipeline.settings import Neo4jSettings
from pipeline.types import Graph

logger = logging.getLogger(__name__)

BATCH = 5000
_PATTERNS: Mapping[Kind, str] = {
    "claim": "(a:Entity)-[x]->(b:Entity) WHERE x.uid IS NOT NULL AND a.uid IS NOT NULL AND b.uid IS NOT NULL",
    **{kind: f"(x:{label}) WHERE x.uid IS NOT NULL" for kind, label in LABELS.items()},
}
_FORBIDDEN_STEPS = re.compile("LoadCSV|ProcedureCall|Show|Terminate|.*Transaction|Foreach")


class Neo4jStore:
    """Talks to one database; connects when first used."""

    def __init__(self, settings: Neo4jSettings) -> None:
        self._settings = settings
        self._driver: neo4j.Driver | None = None

    def sync(self, graph: Graph) -> SyncCounts:
        """Write what differs, in transactions of 5,000 rows: one that is cut off is finished by the next."""
        wanted = rows(graph)
        with self._session() as session:
            found = session.execute_read(_all_rows)
            held = {row.key: row for row in found}
            twice = [row for row in found if held[row.key] is not row]
            change = difference({key: row.digest for key, row in held.items()}, wanted)
            if twice or change.created or change.updated or change.deleted:
                _prepare(session, (*wanted, *found))
                _delete(session, twice)
                _untie(session, ((held[row.key], row) for row in change.updated))
                _relabel(session, ((held[row.key], row) for row in change.updated))
                _delete(session, (held[key] for key in change.deleted))
                _save(session, (*change.created, *change.updated))
        return change.counts

    def digest(self) -> str:
        return digest(self._rows())

    def counts(self) -> dict[str, int]:
        with self._session() as session:
            found = session.execute_read(_count)
        return count(Counter(found).elements())

    def query(
        self, cypher: str, params: Mapping[str, Any] | None = None, *, timeout: float = 30.0, limit: int = 1000
    ) -> Table:
        statement = check_read_only(cypher)
        with self._session(neo4j.READ_ACCESS) as session, _query_errors(timeout):
            transaction = session.begin_transaction(timeout=timeout)
            with contextlib.closing(transaction):
                _check_plan(transaction.run("EXPLAIN " + statement, dict(params or {})).consume())
                result = transaction.run(statement, dict(params or {}))
                found = tuple(tuple(map(_value, record.values())) for record in islice(result, limit))
                return Table(tuple(result.keys()), found, truncated=result.peek() is not None)

    def load(self) -> Graph:
        return from_rows(self._rows())

    def graph(self) -> nx.MultiDiGraph:
        return to_networkx(self.load())

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def _rows(self) -> list[Row]:
        with self._session() as session:
            return session.execute_read(_all_rows)

    @contextlib.contextmanager
    def _session(self, access: str = neo4j.WRITE_ACCESS) -> Iterator[neo4j.Session]:
        """A session; what goes wrong outside a query is told with what to do about it."""
        where = f"Neo4j at {self._settings.uri}"
        try:
            if self._driver is None:
                self._driver = self._connect()
            with self._driver.session(database=self._settings.database, default_access_mode=access) as session:
                yield session
        except (exceptions.ServiceUnavailable, exceptions.SessionExpired) as error:
            raise ServiceError(
                f"{where} does not answer: start it (`make neo4j`), or set NEO4J_URI to one that runs "
                f"({str(error).partition(chr(10))[0]})"
            ) from error
        except exceptions.Neo4jError as error:
            advice = f"fails: {error.message}"
            if ".Security." in (error.code or ""):
                advice = f"refuses user {self._settings.user!r}: set NEO4J_USER and NEO4J_PASSWORD ({error.message})"
            elif ".Database." in (error.code or ""):
                advice = f"has no database {self._settings.database!r}: set NEO4J_DATABASE ({error.message})"
            raise ServiceError(f"{where} {advice}") from error

    def _connect(self) -> neo4j.Driver:
        settings = self._settings
        try:
            driver = neo4j.GraphDatabase.driver(
                settings.uri,
                auth=(settings.user, settings.password),
                notifications_min_severity=neo4j.NotificationMinimumSeverity.OFF,
                connection_timeout=10,
                max_transaction_retry_time=30,
            )
        except (exceptions.ConfigurationError, ValueError) as error:
            raise ServiceError(f"{settings.uri!r} is no address of a Neo4j server (NEO4J_URI): {error}") from error
        try:
            driver.verify_connectivity()
        except BaseException:
            driver.close()
            raise
        return driver


def _all_rows(transaction: neo4j.ManagedTransaction) -> list[Row]:
    """Everything of ours that the database holds, in one transaction."""
    found = [
        Row("claim", str(properties["uid"]), (type_,), properties, tuple(ends))
        for type_, properties, ends in transaction.run(
            f"MATCH {_PATTERNS['claim']} RETURN type(x) AS type, properties(x) AS properties, [a.uid, b.uid] AS ends"
        )
    ]
    for kind, label in LABELS.items():
        links = LINKS if ENDS[kind] else ()
        ends = " + ".join(["[]", *(f"[(x)-[:{link}]->(end) | toString(end.uid)]" for link in links)])
        result = transaction.run(
            f"MATCH {_PATTERNS[kind]} RETURN labels(x) AS labels, properties(x) AS properties, {ends} AS ends"
        )
        for labels, properties, tied in result:
            others = sorted(set(labels) - {label})
            found.append(Row(kind, str(properties["uid"]), (label, *others), properties, tuple(tied)))
    return found


def _count(transaction: neo4j.ManagedTransaction) -> dict[Kind, int]:
    return {
        kind: transaction.run(f"MATCH {pattern} RETURN count(x) AS n").single(strict=True)["n"]
        for kind, pattern in _PATTERNS.items()
    }


def _prepare(session: neo4j.Session, found: Iterable[Row]) -> None:
    """Uniqueness first: it makes writing idempotent, and every look-up by uid a seek."""
    for label in LABELS.values():
        session.run(f"CREATE CONSTRAINT IF NOT EXISTS FOR (n:{label}) REQUIRE n.uid IS UNIQUE").consume()
    session.run("CREATE INDEX IF NOT EXISTS FOR (n:Evidence) ON (n.edge_uid)").consume()
    for predicate in sorted({row.labels for row in found if row.kind == "claim"}):
        session.run(
            f"CREATE CONSTRAINT IF NOT EXISTS FOR ()-[r{labels_of(predicate)}]-() REQUIRE r.uid IS UNIQUE"
        ).consume()
    session.run("CALL db.awaitIndexes(300)").consume()


def _untie(session: neo4j.Session, changed: Iterable[tuple[Row, Row]]) -> None:
    """Take away claims and links that now join something else, which Neo4j cannot change in place."""
    moved = [old for old, new in changed if old.ends != new.ends or (old.kind == "claim" and old.labels != new.labels)]
    _delete(session, (row for row in moved if row.kind == "claim"))
    for _, _, batch in batches((row for row in moved if row.kind == "evidence"), BATCH):
        _write(session, f"MATCH (:Evidence {{uid: row.uid}})-[r:{'|'.join(LINKS)}]->() DELETE r", batch)


def _relabel(session: neo4j.Session, changed: Iterable[tuple[Row, Row]]) -> None:
    """Take the labels away that a node no longer has; saving it adds the new ones."""
    stale = (
        replace(old, labels=tuple(label for label in old.labels if label not in new.labels))
        for old, new in changed
        if old.kind in LABELS
    )
    for kind, labels, batch in batches((row for row in stale if row.labels), BATCH):
        _write(session, f"MATCH (n:{LABELS[kind]} {{uid: row.uid}}) REMOVE n{labels_of(labels)}", batch)


def _delete(session: neo4j.Session, gone: Iterable[Row]) -> None:
    """Claims and evidence go before what they hang on: a hub's relationships would not fit into one transaction."""
    for kind, labels, batch in batches(gone, BATCH, backwards=True):
        if kind == "claim":
            _write(session, f"MATCH ()-[r{labels_of(labels)} {{uid: row.uid}}]->() DELETE r", batch)
        else:
            _write(session, f"MATCH (n:{LABELS[kind]} {{uid: row.uid}}) DETACH DELETE n", batch)


def _save(session: neo4j.Session, found: Iterable[Row]) -> None:
    """Create or overwrite rows, what others hang on first; evidence comes in one step with its links."""
    for kind, labels, batch in batches(found, BATCH):
        _write(session, _saving(kind, labels), batch)


def _saving(kind: Kind, labels: tuple[str, ...]) -> str:
    if kind == "claim":
        return f"{match_ends(kind)} MERGE (end0)-[r{labels_of(labels)} {{uid: row.uid}}]->(end1) SET r = row.properties"
    links = "".join(f" MERGE (n)-[:{type_}]->(end{i})" for i, type_ in enumerate(LINKS)) if ENDS[kind] else ""
    node = f"MERGE (n:{LABELS[kind]} {{uid: row.uid}}) SET n = row.properties SET n{labels_of(labels)}"
    return f"{match_ends(kind)} {node}{links}"


def _write(session: neo4j.Session, statement: str, batch: list[Row]) -> None:
    """Run a statement for each row in one transaction, again where the server says that it may."""
    given = parameters(batch)
    session.execute_write(lambda transaction: transaction.run(f"UNWIND $rows AS row {statement}", rows=given).consume())
    logger.debug("wrote %d rows: %s", len(batch), statement)


def _check_plan(summary: neo4j.ResultSummary) -> None:
    """Refuse what the server itself says would write or leave the graph, whatever the words looked like."""
    steps = list(_steps(summary.plan or {}))
    forbidden = next((step for step in steps if _FORBIDDEN_STEPS.match(step)), None)
    if forbidden or summary.query_type != "r":
        raise QueryError(f"only reading is allowed, and this query would run {forbidden or summary.query_type!r}")


def _steps(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan.get("operatorType", "")
    for child in plan.get("children", ()):
        yield from _steps(child)


@contextlib.contextmanager
def _query_errors(timeout: float) -> Iterator[None]:
    """Tell what the server says of a query in our own words."""
    try:
        yield
    except exceptions.Neo4jError as error:
        code = error.code or ""
        if ".Security." in code or ".Database." in code:
            raise
        if "TransactionTimedOut" in code or code.endswith("Transaction.Terminated"):
            raise QueryTimeout(f"the query took longer than {timeout:g} s: narrow it or allow more time") from error
        raise QueryError(error.message or str(error)) from error


def _value(value: Any) -> Any:
    """An answer of the driver as plain JSON."""
    if isinstance(value, values.Node):
        return node_value(value.labels, dict(value.items()))
    if isinstance(value, values.Relationship):
        return link_value(value.type, dict(value.items()))
    if isinstance(value, values.Path):
        return {"nodes": [_value(n) for n in value.nodes], "relationships": [_value(r) for r in value.relationships]}
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    return plain(value)
