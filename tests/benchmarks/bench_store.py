"""Two hops in the embedded store by Cypher, against loops over the same NetworkX graph."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import Figure, race

from graph.memory import MemoryStore
from pipeline.types import Concept, Edge, Graph, edge_uid

ENTITIES = 2_000
EDGES = 12_000
QUESTIONS = 100
TWO_HOPS = "MATCH (a:Entity {uid: $uid})-[:AFFECTS]->(:Entity)-[:AFFECTS]->(c:Entity) RETURN DISTINCT c.uid AS uid"


def figures() -> Iterator[Figure]:
    random_ = random.Random(1)
    uids = [f"X:{number}" for number in range(ENTITIES)]
    asked = random_.sample(uids, QUESTIONS)
    with TemporaryDirectory() as folder:
        store = MemoryStore(Path(folder))
        store.sync(graph(random_, uids))
        held = store.graph()

        def cypher() -> list[set[str]]:
            return [{row[0] for row in store.query(TWO_HOPS, {"uid": uid}).rows} for uid in asked]

        def loops() -> list[set[str]]:
            return [{c for b in held.successors(a) for c in held.successors(b)} for a in asked]

        assert cypher() == loops()
        yield race("store: Cypher vs NetworkX loops", cypher, loops, n=QUESTIONS, unit="questions")
        store.close()


def graph(random_: random.Random, uids: list[str]) -> Graph:
    pairs = sorted({(a, b) for a, b in (random_.sample(uids, 2) for _ in range(EDGES))})
    edges = sorted((edge(a, b) for a, b in pairs), key=lambda found: found.uid)
    return Graph(entities=tuple(Concept(uid, uid, "Chemical") for uid in sorted(uids)), edges=tuple(edges))


def edge(subject: str, object_: str) -> Edge:
    return Edge(
        uid=edge_uid(subject, "AFFECTS", object_),
        subject=subject,
        predicate="AFFECTS",
        object=object_,
        belief=0.7,
        support=1,
        refute=0,
        speculative=0,
        first_year=1985,
        last_year=1985,
        state="supported",
        evidence=(),
    )
