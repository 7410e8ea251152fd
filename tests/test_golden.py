"""The graph of one field of the sample corpus, as rules alone read it, line by line.

A change here is meant or it is a mistake: look at the difference, then rewrite the file with
``pytest tests/test_golden.py --update-golden``.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from fixtures_workspace import build_all

from flows.workspace import Workspace
from pipeline.vocabulary import build

ADAPTERS = re.compile(r"^\[adapters[^\[]*", re.MULTILINE)


@pytest.fixture
def lines(root: Path, tmp_path: Path) -> list[str]:
    (tmp_path / "vocab").mkdir()
    build("ai", [root / "sample_corpus" / "vocabulary" / "ai.tsv"], tmp_path / "vocab" / "ai.vocab")
    pack = (root / "pipeline" / "domains" / "ai.toml").read_text("utf-8")
    (tmp_path / "rules.toml").write_text(ADAPTERS.sub("", pack), "utf-8")
    text = f'domain = "{tmp_path}/rules.toml"\n[[corpus]]\npath = "{root}/sample_corpus/ai"\n'
    (tmp_path / "hypograph.toml").write_text(text, "utf-8")
    build_all(tmp_path)
    with Workspace.open(tmp_path) as workspace:
        graph = workspace.store.load()
    names = {concept.id: concept.name for concept in graph.entities}
    out = io.StringIO()
    for edge in sorted(graph.edges, key=lambda e: (names[e.subject], e.predicate, names[e.object])):
        row = [names[edge.subject], edge.predicate, names[edge.object], edge.state, round(edge.belief, 6)]
        cited = sorted((e.document_id, e.start, e.end, e.polarity, e.certainty) for e in edge.evidence)
        out.write(json.dumps([*row, cited], ensure_ascii=False) + "\n")
    return out.getvalue().splitlines()


def test_the_graph_is_as_it_was(lines: list[str], root: Path, request: pytest.FixtureRequest) -> None:
    path = root / "tests" / "golden" / "ai-graph.jsonl"
    if request.config.getoption("--update-golden"):
        path.write_text("\n".join(lines) + "\n", "utf-8")
    assert lines == path.read_text("utf-8").splitlines()
