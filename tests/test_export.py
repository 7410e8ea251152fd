"""Exports open in other tools with nothing lost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import networkx as nx
import pytest
from graphs import hostile, raynaud
from lxml import etree

from graph.export import FORMATS, export
from pipeline.errors import UsageError
from pipeline.types import Graph


@pytest.mark.parametrize("made", [raynaud(), hostile(), Graph()], ids=["raynaud", "hostile", "empty"])
def test_graphml_opens_with_equal_counts_and_ids(tmp_path: Path, made: Graph) -> None:
    export(made, "graphml", tmp_path / "g.graphml")
    read = nx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert read.number_of_nodes() == len(made.entities)
    assert {key for _, _, key in read.edges(keys=True)} == {edge.uid for edge in made.edges}


def test_graphml_carries_what_an_edge_says(tmp_path: Path) -> None:
    export(raynaud(), "graphml", tmp_path / "g.graphml")
    read = nx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert read.nodes["C:1"] == {"name": "Fish oil", "type": "Chemical", "synonyms": "fish oils|omega-3 oil"}
    found = next(data for _, _, data in read.edges("C:1", data=True) if data["belief"] == 0.9)
    assert found["predicate"] == "LOWERS"
    assert found["documents"] == "p:1|p:3"
    assert sorted(found["sentences"].split(" | ")) == ["Oil lowers it.", "So it is."]
    assert found["first_year"] == 1984
    assert "last_year" not in found


def test_gexf_has_labels_weights_and_our_ids(tmp_path: Path) -> None:
    export(raynaud(), "gexf", tmp_path / "g.gexf")
    root = etree.parse(str(tmp_path / "g.gexf")).getroot()
    edges = root.findall(".//{*}edge")
    assert {edge.get("id") for edge in edges} == {edge.uid for edge in raynaud().edges}
    assert sorted(float(edge.get("weight")) for edge in edges) == [0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    labels = {node.get("id"): node.get("label") for node in root.findall(".//{*}node")}
    assert labels["D:1"] == "Raynaud's syndrome"


def test_gexf_stands_hostile_text(tmp_path: Path) -> None:
    export(hostile(), "gexf", tmp_path / "g.gexf")
    assert nx.read_gexf(tmp_path / "g.gexf").number_of_edges() == 3


def test_csv_is_four_tables_that_join(tmp_path: Path) -> None:
    export(hostile(), "csv", tmp_path / "out")
    tables = {
        path.stem: list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
        for path in (tmp_path / "out").iterdir()
    }
    assert {name: len(found) for name, found in tables.items()} == {
        "entities": 3,
        "documents": 1,
        "edges": 3,
        "evidence": 3,
    }
    entity = next(row for row in tables["entities"] if row["type"] == "Cell `Line`")
    assert entity["name"] == hostile().entities[0].name
    assert {row["edge_uid"] for row in tables["evidence"]} == {row["uid"] for row in tables["edges"]}
    assert {row["subject"] for row in tables["edges"]} <= {row["id"] for row in tables["entities"]}
    assert tables["documents"][0]["links"] == "corrects d: 0"
    assert {row["last_year"] for row in tables["edges"]} == {""}


def test_jsonl_is_one_object_a_line(tmp_path: Path) -> None:
    export(raynaud(), "jsonl", tmp_path / "g.jsonl")
    found = [json.loads(line) for line in (tmp_path / "g.jsonl").read_text("utf-8").split("\n")[:-1]]
    kinds = [row.pop("kind") for row in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {"entity": 6, "document": 3, "edge": 7, "evidence": 8}
    assert found[0] == {
        "id": "C:1",
        "name": "Fish oil",
        "type": "Chemical",
        "synonyms": ["fish oils", "omega-3 oil"],
        "parents": [],
        "definition": "",
    }


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_equal_graphs_give_equal_bytes(tmp_path: Path, form: str) -> None:
    for name in ("a", "b"):
        export(hostile(), form, tmp_path / name)
    first, second = (
        [path.read_bytes() for path in (sorted(root.iterdir()) if root.is_dir() else [root])]
        for root in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")]


def test_a_stream_gets_the_same_as_a_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    export(raynaud(), "graphml", stream)
    export(raynaud(), "graphml", tmp_path / "g")
    assert stream.getvalue() == (tmp_path / "g").read_bytes()


def test_wrong_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match=r"'xls'.*csv, gexf, graphml, jsonl"):
        export(raynaud(), "xls", tmp_path / "x")
    with pytest.raises(UsageError, match="is a folder"):
        export(raynaud(), "jsonl", tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        export(raynaud(), "csv", tmp_path / "file")
    with pytest.raises(UsageError, match="name a folder"):
        export(raynaud(), "csv", io.BytesIO())
    with pytest.raises(UsageError, match="cannot write"):
        export(raynaud(), "jsonl", tmp_path / "file" / "under")
    assert (tmp_path / "file").read_text() == "kept"
