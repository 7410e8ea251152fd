"""The build as a Prefect flow: it finds nothing to do twice, survives a kill, and fills Neo4j alike."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.workspace import Workspace
from pipeline.settings import Neo4jSettings

HYPOGRAPH = Path(sys.executable).with_name("hypograph")


def build(environ: dict[str, str], folder: Path, *args: str | Path, code: int = 0) -> tuple[dict[str, Any], str]:
    command = [HYPOGRAPH, "build", *args, "--workspace", folder, "--format", "json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stderr[-3000:]
    return json.loads(done.stdout), done.stderr


@pytest.fixture
def ai(sample: Path, root: Path, tmp_path: Path) -> Path:
    """A workspace of one field, with its vocabulary, nothing read yet, and small batches."""
    folder = tmp_path / "ai"
    (folder / "vocab").mkdir(parents=True)
    shutil.copy(sample / "vocab" / "ai.vocab", folder / "vocab")
    text = f'domain = "ai"\nbatch_size = 5\n[[corpus]]\npath = "{root}/sample_corpus/ai"\n'
    (folder / "hypograph.toml").write_text(text, "utf-8")
    return folder


def test_the_second_build_changes_nothing(ai: Path, prefect_server: dict[str, str]) -> None:
    first, _ = build(prefect_server, ai)
    assert (first["new"], first["same"], first["failed"], first["documents"]) == (28, 0, 0, 28)
    assert first["edges"] > 0
    again, messages = build(prefect_server, ai)
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 28)
    assert "nothing changed" in messages
    assert again["digest"] == first["digest"]
    batches = [name for name in task_runs(prefect_server, ai) if name.startswith("extract batch")]
    assert len(batches) == 6, "28 papers in batches of 5, once"


def task_runs(environ: dict[str, str], folder: Path) -> list[str]:
    """The names of the tasks that builds of one workspace ran, of all that the server has seen."""

    def ask(kind: str, **wanted: object) -> list[dict[str, Any]]:
        answer = httpx.post(f"{environ['PREFECT_API_URL']}/{kind}/filter", json=wanted, timeout=30)
        answer.raise_for_status()
        return answer.json()

    flows = ask("flow_runs", sort="START_TIME_DESC")
    own = [run["id"] for run in flows if run["parameters"].get("workspace") == str(folder.resolve())]
    return [run["name"] for run in ask("task_runs", flow_runs={"id": {"any_": own}})]


def test_a_build_that_is_killed_goes_on_where_it_was(ai: Path, sample: Path, prefect_server: dict[str, str]) -> None:
    whole, _ = build(prefect_server, ai)
    (ai / "ledger.db").unlink()
    shutil.rmtree(ai / "cache")
    command = [HYPOGRAPH, "build", "--workspace", ai]
    process = subprocess.Popen(
        command, env=prefect_server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while read_so_far(ai) == 0 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    at_kill = read_so_far(ai)
    assert at_kill > 0
    resumed, _ = build(prefect_server, ai)
    assert resumed["digest"] == whole["digest"]
    assert resumed["documents"] == 28


def read_so_far(folder: Path) -> int:
    if not (folder / "ledger.db").exists():
        return 0
    with Workspace.open(folder) as workspace:
        return workspace.ledger.counts().mentions


def test_failures_are_kept_and_told_by_the_exit_code(ai: Path, prefect_server: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<PubmedArticleSet><PubmedArticle><MedlineCitation>", "utf-8")
    good = tmp_path / "good.txt"
    good.write_text("The Transformer\n\nThe Transformer is used for machine translation.\n", "utf-8")
    result, _ = build(prefect_server, ai, broken, good, code=1)
    assert result["new"] == 1
    assert result["failed"] == result["failures"] >= 1
    with Workspace.open(ai) as workspace:
        assert {failure.source for failure in workspace.ledger.failures()} == {str(broken)}


def test_both_stores_hold_the_same_graph(
    ai: Path, prefect_server: dict[str, str], neo4j_settings: Neo4jSettings
) -> None:
    memory, _ = build(prefect_server, ai)
    environ = {
        **prefect_server,
        "NEO4J_URI": neo4j_settings.uri,
        "NEO4J_USER": neo4j_settings.user,
        "NEO4J_PASSWORD": neo4j_settings.password,
    }
    server, _ = build(environ, ai, "--store", "neo4j")
    assert server["digest"] == memory["digest"]
    keys = ("entities", "edges", "evidence", "contested")
    assert {key: server[key] for key in keys} == {key: memory[key] for key in keys}
