"""Questions in the portable subset of Cypher about the graph ``graphs.raynaud``, which every store must answer alike.

Each is a query, its parameters and the rows of its answer, worked out by hand from the drawing of the graph; every
query asks for a total order.
"""

from __future__ import annotations

from typing import Any

from pipeline.types import edge_uid

QUESTIONS: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("MATCH (n:Entity) RETURN count(n)", {}, [(6,)]),
    ("MATCH (n:Chemical) RETURN n.name ORDER BY n.uid", {}, [("Fish oil",), ("iloprost",), ("magnesium",)]),
    ("MATCH (n:Entity {uid: $uid}) RETURN n.name AS name", {"uid": "D:1"}, [("Raynaud's syndrome",)]),
    ('MATCH (n:Entity) WHERE n.name = "Raynaud\'s syndrome" RETURN n.uid', {}, [("D:1",)]),
    ("MATCH (n:Nothing) RETURN n.uid", {}, []),
    (
        "MATCH (:Entity {uid: 'C:1'})-[r:LOWERS]->(b) RETURN b.uid, r.belief ORDER BY b.uid",
        {},
        [("P:1", 0.9), ("P:2", 0.6)],
    ),
    ("MATCH (a)-[r:`RAISED-IN`]->(b) RETURN a.uid, b.uid ORDER BY a.uid", {}, [("D:1", "P:2"), ("P:1", "D:1")]),
    (
        "MATCH (:Chemical)-[r:LOWERS|RAISES]->(b {uid: 'P:1'}) RETURN type(r) AS t ORDER BY t",
        {},
        [("LOWERS",), ("RAISES",)],
    ),
    (
        "MATCH (:Entity)-[r]->(:Entity) RETURN type(r) AS t, count(*) AS n ORDER BY n DESC, t",
        {},
        [("LOWERS", 2), ("RAISED-IN", 2), ("INDUCES", 1), ("RAISES", 1), ("TREATS", 1)],
    ),
    ("MATCH (:Entity)-[r]->(:Entity) WHERE r.state = 'contested' RETURN r.belief", {}, [(0.2,)]),
    ("MATCH (:Entity)-[r]->(:Entity) WHERE r.first_year < 1985 RETURN count(r) AS n", {}, [(2,)]),
    ("MATCH (:Entity)-[r]->(:Entity) WHERE r.first_year IS NULL RETURN count(r) AS n", {}, [(3,)]),
    ("MATCH (a)-[r:INDUCES]-(b) RETURN a.uid, b.uid", {}, [("D:1", "D:1")]),
    (
        "MATCH (a:Chemical)-->(b:Phenomenon)-->(c:Disease) RETURN DISTINCT a.uid, b.uid, c.uid",
        {},
        [("C:1", "P:1", "D:1")],
    ),
    (
        "MATCH (a {uid: 'C:1'})--(b:Phenomenon)--(c:Disease) WHERE NOT (a)--(c) RETURN DISTINCT b.uid ORDER BY b.uid",
        {},
        [("P:1",), ("P:2",)],
    ),
    (
        "MATCH (a {uid: 'C:1'})-[:LOWERS|`RAISED-IN`*1..2]->(c) RETURN c.uid ORDER BY c.uid",
        {},
        [("D:1",), ("P:1",), ("P:2",)],
    ),
    (
        "MATCH p = (:Entity {uid: 'C:1'})-[:LOWERS]->()-[]->(:Disease) RETURN length(p), [n IN nodes(p) | n.uid]",
        {},
        [(2, ["C:1", "P:1", "D:1"])],
    ),
    (
        "MATCH (n:Chemical) OPTIONAL MATCH (n)-[r:TREATS]->(d) RETURN n.uid, d.uid ORDER BY n.uid",
        {},
        [("C:1", None), ("C:2", "D:1"), ("C:3", None)],
    ),
    ("MATCH (n:Entity) WHERE NOT EXISTS { (n)--(:Entity) } RETURN n.uid", {}, [("C:3",)]),
    (
        "MATCH (n:Entity) RETURN n.uid, COUNT { (n)--(:Entity) } AS d ORDER BY d DESC, n.uid LIMIT 3",
        {},
        [("D:1", 4), ("C:1", 3), ("P:1", 3)],
    ),
    (
        "MATCH (e:Evidence)-[:FROM]->(d:Document) RETURN d.uid, count(e) AS n ORDER BY d.uid",
        {},
        [("p:1", 2), ("p:2", 3), ("p:3", 3)],
    ),
    (
        "MATCH (s)<-[:SUBJECT]-(e:Evidence)-[:OBJECT]->(o) WHERE e.text STARTS WITH 'Plat' RETURN s.uid, o.uid",
        {},
        [("D:1", "P:2")],
    ),
    ("MATCH (e:Evidence) WHERE e.text =~ '.*[?]' RETURN e.start, e.end, e.score", {}, [(0, 14, 0.9)]),
    (
        "MATCH (d:Document) RETURN d.name, d.year, d.authors ORDER BY d.uid",
        {},
        [
            ("Oils and blood", 1984, None),
            ("Raynaud's blood", 1985, None),
            ("Undated", None, ["A. Writer", "B. Reader"]),
        ],
    ),
    ("MATCH (n:Entity) WHERE any(s IN n.synonyms WHERE toLower(s) CONTAINS 'omega') RETURN n.uid", {}, [("C:1",)]),
    (
        "MATCH (n:Entity) WHERE n.uid IN $uids RETURN collect(n.uid) AS all, size($uids) AS asked",
        {"uids": ["P:2"]},
        [(["P:2"], 1)],
    ),
    (
        "UNWIND $rows AS row MATCH (n {uid: row.uid}) RETURN n.name, row.x ORDER BY row.x",
        {"rows": [{"uid": "C:2", "x": 2.5}, {"uid": "C:3", "x": 1}]},
        [("magnesium", 1), ("iloprost", 2.5)],
    ),
    (
        "MATCH (:Entity)-[r]->(:Entity) WITH r.belief AS b ORDER BY b DESC SKIP 1 LIMIT 2 RETURN collect(b) AS b",
        {},
        [([0.9, 0.8],)],
    ),
    ("MATCH (:Entity)-[r]->(:Entity) RETURN min(r.belief), max(r.belief), sum(r.support)", {}, [(0.2, 0.95, 8)]),
    (
        "MATCH (n:Entity) RETURN CASE WHEN n:Disease THEN 'ill' ELSE 'not' END AS c, count(*) AS n ORDER BY c",
        {},
        [("ill", 1), ("not", 5)],
    ),
    (
        "RETURN 1 AS a, 1.0 AS b, true AS c, null AS d, 'x' AS e, [1, 'a'] AS f, {k: 1} AS g /* all kinds */",
        {},
        [(1, 1.0, True, None, "x", [1, "a"], {"k": 1})],
    ),
    (
        "MATCH (n:Entity {uid: 'C:3'}) RETURN n",
        {},
        [({"labels": ["Entity", "Chemical"], "definition": "an element", "name": "magnesium", "uid": "C:3"},)],
    ),
    (
        "MATCH ()-[r:TREATS]->() RETURN r",
        {},
        [
            (
                {
                    "type": "TREATS",
                    "belief": 0.95,
                    "refute": 0,
                    "speculative": 0,
                    "state": "supported",
                    "support": 1,
                    "uid": edge_uid("C:2", "TREATS", "D:1"),
                },
            )
        ],
    ),
    (
        "MATCH (n:Entity {uid: 'C:1'}) RETURN n.uid AS u UNION MATCH (n:Disease) RETURN n.uid AS u",
        {},
        [("C:1",), ("D:1",)],
    ),
]
