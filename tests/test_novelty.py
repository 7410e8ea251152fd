"""Whether a claim is a finding of its paper: from BioRED through every format and the ledger to Cypher."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from extractors.assertion import Assertions
from graph.export import export
from graph.memory import MemoryStore
from graph.rows import from_rows, rows
from pipeline import sources
from pipeline.annotations import WRITERS
from pipeline.assemble import BeliefRules, assemble
from pipeline.ledger import Ledger
from pipeline.types import Concept, Graph, Reading, Relation

PAPER = """\
7|t|Oil rusts iron and tin.
7|a|Oil helps.
7\t0\t3\tOil\tChemical\tD1
7\t10\t14\tiron\tGene\t22
7\t19\t22\ttin\tGene\t33
7\tAssociation\tD1\t22\tNovel
7\tBind\tD1\t22\tNo
7\tBind\tD1\t33
7\tAssociation\tD1\t33\tperhaps
"""
SAID = [("Association", "22", True), ("Association", "33", None), ("Bind", "22", False), ("Bind", "33", None)]


def read(text: str, folder: Path) -> Reading:
    path = folder / "paper"
    path.write_text(text, "utf-8")
    (reading,) = sources.annotated(path)
    assert isinstance(reading, Reading)
    return reading


def said(relations: Iterable[Relation]) -> list[tuple[str, str, bool | None]]:
    return sorted((r.predicate, r.object.concept_id, r.novel) for r in relations)


def graph_of(reading: Reading, relations: Iterable[Relation]) -> Graph:
    concepts = [Concept(m.concept_id, m.text, m.type) for m in reading.mentions]
    return assemble(relations, concepts, [reading.document], BeliefRules())


def unsaid(reading: Reading) -> Reading:
    return replace(reading, relations=tuple(replace(r, novel=None) for r in reading.relations))


@pytest.mark.parametrize("format_", ["pubtator", "bioc", "jsonl"])
def test_every_format_that_can_keeps_it(tmp_path: Path, format_: str) -> None:
    reading = read(PAPER, tmp_path)
    assert said(reading.relations) == SAID
    written = "".join(WRITERS[format_]([reading]))
    assert said(read(written, tmp_path).relations) == SAID
    assert "ovel" not in "".join(WRITERS[format_]([unsaid(reading)]))


def test_the_stage_that_marks_negation_keeps_it(tmp_path: Path) -> None:
    (marked,) = Assertions()([read(PAPER, tmp_path)])
    assert said(marked.relations) == SAID


def test_a_word_of_another_type_says_nothing(tmp_path: Path) -> None:
    row = json.loads("".join(WRITERS["jsonl"]([read(PAPER, tmp_path)])))
    for relation, novel in zip(row["relations"], ("Novel", 1, 0, None), strict=True):
        relation["novel"] = novel
    assert {r.novel for r in read(json.dumps(row), tmp_path).relations} == {None}


def test_from_the_ledger_to_an_answer(ledger: Ledger, tmp_path: Path) -> None:
    reading = read(PAPER, tmp_path)
    ledger.ingest("gold", [reading.document])
    ledger.save([reading], "gold@1")
    relations = list(ledger.relations())
    assert said(relations) == SAID
    store = MemoryStore(tmp_path / "store")
    store.sync(graph_of(reading, relations))
    asked = (
        "MATCH (e:Evidence)-[:OBJECT]->(o) WHERE e.novel {} "
        "MATCH (c)-[r]->(o) WHERE r.uid = e.edge_uid RETURN type(r), o.name"
    )
    assert store.query(asked.format("= true")).rows == (("Association", "iron"),)
    assert store.query(asked.format("= false")).rows == (("Bind", "iron"),)
    assert len(store.query(asked.format("IS NULL")).rows) == 2
    assert store.load() == from_rows(rows(graph_of(reading, relations)))
    store.close()


def test_evidence_is_the_same_with_and_without_it(tmp_path: Path) -> None:
    reading = read(PAPER, tmp_path)
    told, untold = (graph_of(one, one.relations) for one in (reading, unsaid(reading)))
    assert [[e.uid for e in edge.evidence] for edge in told.edges] == [
        [e.uid for e in edge.evidence] for edge in untold.edges
    ]
    assert [edge.belief for edge in told.edges] == [edge.belief for edge in untold.edges]
    assert not [row for row in rows(untold) if "novel" in row.properties]


def test_exports_have_a_column_for_it_where_it_is_known(tmp_path: Path) -> None:
    reading = read(PAPER, tmp_path)
    for one, known in ((reading, True), (unsaid(reading), False)):
        made = graph_of(one, one.relations)
        for form in ("csv", "jsonl", "graphml", "gexf"):
            export(made, form, tmp_path / form)
        header, *lines = (tmp_path / "csv" / "evidence.csv").read_text("utf-8").splitlines()
        assert header.endswith(",novel") == known
        assert sorted(line.rpartition(",")[2] for line in lines) == (["", "", "False", "True"] if known else [""] * 4)
        records = [json.loads(line) for line in (tmp_path / "jsonl").read_text("utf-8").splitlines()]
        assert {record["kind"] for record in records if "novel" in record} == ({"evidence"} if known else set())


def test_biored_itself(shared_data: Path) -> None:
    counts = {}
    for name in ("Dev.PubTator", "Dev.BioC.JSON"):
        items = list(sources.annotated(shared_data / "biored" / name))
        novel = [r.novel for item in items if isinstance(item, Reading) for r in item.relations]
        counts[name] = (novel.count(True), novel.count(False), novel.count(None))
    assert counts["Dev.PubTator"] == counts["Dev.BioC.JSON"] == (835, 327, 0)


def test_a_ledger_of_the_second_revision_goes_on(url: str, tmp_path: Path) -> None:
    from pipeline.ledger.engine import writer
    from pipeline.ledger.migrations import downgrade

    reading = read(PAPER, tmp_path)
    with Ledger.open(url) as ledger:
        ledger.ingest("gold", [reading.document])
        ledger.save([unsaid(reading)], "gold@1")
        with writer(ledger._engine).begin() as connection:
            downgrade(connection, "0002")
    with Ledger.open(url) as ledger:
        assert list(ledger.relations()) == sorted_claims(unsaid(reading))
        ledger.save([reading], "gold@2")
        assert said(ledger.relations()) == SAID


def sorted_claims(reading: Reading) -> list[Relation]:
    return sorted(reading.relations, key=lambda r: (r.start, r.end, r.predicate))
