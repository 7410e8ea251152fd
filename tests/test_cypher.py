"""The guard lets every reading query through and no other; answers become plain values."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import kglite
import pytest
from graphs import raynaud
from hypothesis import given
from hypothesis import strategies as st

from graph.cypher import FORBIDDEN, check_read_only, plain
from graph.mirror import Mirror
from graph.rows import Row, rows
from pipeline.errors import QueryError

READS = [
    "MATCH (n) RETURN n",
    "match (n) return n.set, n.delete AS create",
    "MATCH (n:Create)-[:DELETE|MERGE|SET]->(m:!Drop&Set) RETURN n.`DELETE`, 'MERGE (x)', \"SET\"",
    "MATCH (n {set: 1, delete: 'CREATE'}) RETURN {load: n.load, use: $use}",
    "MATCH (created) WHERE created.settings = $merge RETURN created, unloaded ORDER BY dropped",
    "MATCH (set) RETURN set, set.name + set.load",
    "OPTIONAL MATCH (n) WITH n AS set RETURN set",
    "UNWIND [1, 2] AS x WITH x WHERE x > 1 RETURN x;",
    "CALL { MATCH (n) RETURN n } RETURN n",
    "CALL (x) { RETURN 1 AS y } RETURN y",
    "MATCH (n) WHERE EXISTS { (n)--(:Use) } RETURN COUNT { (n)--() } AS call",
    "MATCH (n) // DELETE it\nRETURN n /* or CREATE\n (one) */ ;",
    r"RETURN 'it\'s; DELETE' AS a, 'C:\\' AS b",
    "MATCH p = (a)-[*1..3]->(b) RETURN p",
    "RETURN '\\u00e9' AS e",
    "MATCH (n) RETURN n.uid AS `CALL x`",
]
WRITES = [
    ("CREATE (n)", "'CREATE' at line 1, column 1"),
    ("MATCH (n) SET n.x = 1", "SET at line 1, column 11"),
    ("MATCH (n)\nWHERE n.x\ndetach\ndelete n", "DETACH at line 3, column 1"),
    ("MATCH (n) DELETE n", "DELETE"),
    ("MATCH (n) DELETE(n)", "DELETE"),
    ("MATCH (n) DELETE [n][0]", "DELETE"),
    ("MATCH (n) REMOVE n.x", "REMOVE"),
    ("MATCH (n)MERGE(m)", "MERGE"),
    ("MATCH (n) WITH 1.SET n.x = 1", "SET"),
    ("MATCH (n) WITH 1SET n.x = 1", "SET"),
    ("MATCH (n) RETURN 1..SET n.x = 1", "SET"),
    ("MATCH (n) /**/ SET/**/n.x = 1", "SET"),
    ("MATCH (n) //\nSET n.x = 1", "SET"),
    ("MATCH (n) FOREACH (x IN [1] | CREATE (m))", "FOREACH"),
    ("LOAD CSV FROM 'file:///etc/passwd' AS r RETURN r", "LOAD"),
    ("MATCH (n) LOAD CSV FROM 'x' AS r RETURN r", "LOAD"),
    ("CALL db.labels()", "CALL at line 1, column 1"),
    ("MATCH (n) CALL `db`.labels() YIELD label RETURN label", "CALL"),
    ("CALL { MATCH (n) DELETE n } RETURN 1", "DELETE"),
    ("CALL { MATCH (n) RETURN n } IN TRANSACTIONS", "TRANSACTIONS"),
    ("CALL { MATCH (n) RETURN n } IN 3 CONCURRENT TRANSACTIONS OF 5 ROWS", "TRANSACTIONS"),
    ("SHOW TRANSACTIONS", "SHOW"),
    ("TERMINATE TRANSACTION 'x'", "TERMINATE"),
    ("USE other MATCH (n) RETURN n", "USE"),
    ("CALL { USE other MATCH (n) RETURN n } RETURN n", "USE"),
    ("ALTER USER neo4j SET PASSWORD 'x'", "ALTER"),
    ("DROP INDEX x", "DROP"),
    ("EXPLAIN MATCH (n) RETURN n", "EXPLAIN"),
    ("CYPHER 5 CREATE (n)", "CYPHER"),
    ("INSERT (:A)", "INSERT"),
    ("MATCH (n) RETURN n FORMAT CSV", "FORMAT"),
    ("RETURN 1; RETURN 2", "second statement at line 1, column 9"),
    ("RETURN 1 AS `a`; MATCH (n) DELETE n", "second statement"),
    (r"RETURN '\u0027 MATCH (n) SET n.x = 1 //'", "write the character itself"),
    ("RETURN 'open", "never closed"),
    ("RETURN `open", "never closed"),
    ("RETURN 1 /* open", "never closed"),
    ("", "empty"),
    (" // nothing\n ; ", "empty"),
    ("hello", "starts with"),
    ("(n)", "starts with"),
]


@pytest.mark.parametrize("cypher", READS)
def test_reads_pass(cypher: str) -> None:
    assert check_read_only(cypher)


@pytest.mark.parametrize(("cypher", "reason"), WRITES)
def test_all_else_is_refused_with_word_and_place(cypher: str, reason: str) -> None:
    with pytest.raises(QueryError, match=reason):
        check_read_only(cypher)


def test_comments_become_blanks_of_the_same_size() -> None:
    text = "RETURN 1 /* a\nb */ AS x, '// no' AS y // end\n;"
    assert check_read_only(text) == "RETURN 1     \n     AS x, '// no' AS y"


@given(st.sampled_from(sorted(FORBIDDEN)), st.sampled_from(["({}x)", "-{}x", ".{}", ":{}", "`{}`", "'{}'", "${}"]))
def test_a_word_is_refused_as_a_clause_and_passes_as_a_name(word: str, shape: str) -> None:
    name = shape.format(word)
    assert check_read_only(f"MATCH (n) RETURN n{name}, 1") == f"MATCH (n) RETURN n{name}, 1"
    for case in (word, word.lower(), word.capitalize()):
        for gap in (" ", "\n", "\t", "/**/", "//\n"):
            with pytest.raises(QueryError, match=word):
                check_read_only(f"MATCH (n){gap}{case}{gap}n")


@given(st.text("'\"`\\/*\n nSET$;{}:.|1", max_size=30))
def test_what_passes_cannot_write_in_a_real_engine(middle: str) -> None:
    """No play of quotes, comments and escapes makes the guard see a name where the engine sees a clause."""
    try:
        statement = check_read_only(f"MATCH (n) RETURN 1 AS a {middle} SET n.x = 1")
    except QueryError:
        return
    graph = kglite.KnowledgeGraph()
    graph.cypher("CREATE (n:A {x: 0})")
    try:
        graph.cypher(statement)
    except kglite.KgError:
        return
    assert next(iter(graph.cypher("MATCH (n:A) RETURN n.x AS x")))["x"] == 0


@given(st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    with contextlib.suppress(QueryError):
        assert check_read_only(text)


def test_values_become_plain() -> None:
    assert plain([date(2020, 1, 2), float("nan"), (1, "x"), {"a": None}]) == ["2020-01-02", None, [1, "x"], {"a": None}]


def test_the_mirror_is_built_once_and_mended_when_broken(tmp_path: Path) -> None:
    path = tmp_path / "m.kgl"

    def links(found: tuple[Row, ...]) -> object:
        statement = "MATCH ()-[r]->() RETURN count(r) AS n"
        return Mirror.open(path, found).query(statement, {}, timeout=5, limit=1).rows[0][0]

    assert links(rows(raynaud())) == 7 + 3 * 8
    assert links(()) == 31  # from the file, not from the rows
    path.write_bytes(path.read_bytes()[:100])
    assert links(rows(raynaud())) == 31
