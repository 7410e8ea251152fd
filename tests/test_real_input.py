"""The main job on 500 real abstracts: the whole development set of BC5CDR, its annotations not used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

HYPOGRAPH = Path(sys.executable).with_name("hypograph")


def run(environ: dict[str, str], *args: str | Path) -> str:
    done = subprocess.run([HYPOGRAPH, *args], env=environ, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
def test_real_abstracts_become_a_graph_that_answers(
    shared_data: Path, prefect_server: dict[str, str], tmp_path: Path
) -> None:
    space = ("--workspace", tmp_path)

    def rows(*args: str | Path) -> Any:
        return json.loads(run(prefect_server, *args, *space, "--format", "json"))

    mesh = shared_data / "vocab" / "mesh"
    tables = (mesh / "mesh2024_descriptor_terms.tsv.gz", mesh / "mesh2024_descriptor_trees.tsv.gz")
    run(prefect_server, "vocab", "build", "mesh", *tables, *space)
    made = rows("build", "--reader", "fast", shared_data / "bc5cdr" / "CDR_DevelopmentSet.PubTator.txt")
    assert (made["new"], made["failed"], made["documents"]) == (500, 0, 500)
    assert made["mentions"] > 5000
    assert made["edges"] > 500

    top = rows(
        "query",
        "MATCH (a:Chemical)-[r:INDUCES]->(b:Disease) "
        "RETURN a.name AS a, b.name AS b, r.belief AS belief ORDER BY belief DESC, a, b LIMIT 5",
    )
    assert len(top) == 5
    found = rows("hypothesize", "--source", top[0]["a"], "--top", "5")
    assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
    assert all(len(path["evidence"]) == 2 for row in found for path in row["paths"])

    run(prefect_server, "export", "--format", "graphml", "-o", tmp_path / "g.graphml", *space)
    graph = nx.read_graphml(tmp_path / "g.graphml")
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (made["entities"], made["edges"])

    again = rows("build", "--reader", "fast", shared_data / "bc5cdr" / "CDR_DevelopmentSet.PubTator.txt")
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 500)
    assert again["digest"] == made["digest"]
