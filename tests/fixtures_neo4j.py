"""A real Neo4j for tests: a server of its own on a free port, started once a session and ended by its id."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.neo4j import Neo4jStore
from pipeline.settings import Neo4jSettings, Settings, neo4j_from
from pipeline.types import Graph

ROOT = Path(__file__).parent.parent
LIB = ROOT / ".neo4j" / "lib"
SCRIPT = ROOT / "tools" / "neo4j_server.py"


@pytest.fixture(scope="session")
def neo4j_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of this session keeps its data."""
    return tmp_path_factory.mktemp("neo4j")


@pytest.fixture(scope="session")
def neo4j_server(neo4j_home: Path) -> Iterator[Neo4jSettings]:
    """How to connect to a fresh server; the test is skipped where its jars are not there."""
    if not LIB.is_dir():
        _missing("run `make neo4j` once (needs Java 17 or 21 and Maven)")
    started = server("start", neo4j_home)
    if started.returncode != 0:
        _missing(f"Neo4j does not start: {started.stderr}")
    try:
        yield connection(server("env", neo4j_home).stdout)
    finally:
        server("stop", neo4j_home)


@pytest.fixture
def neo4j_settings(neo4j_server: Neo4jSettings) -> Neo4jSettings:
    """The server with our graph emptied out."""
    store = Neo4jStore(neo4j_server)
    store.sync(Graph())
    store.close()
    return neo4j_server


def server(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the script that `make neo4j` runs, on a folder of the test's own."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), command, "--home", str(home), "--lib", str(LIB), "--heap", "512m"],
        capture_output=True,
        text=True,
        check=False,
    )


def connection(exports: str) -> Neo4jSettings:
    """Read the lines that `make neo4j-env` prints, as a shell would."""
    words = (shlex.split(line)[1].partition("=") for line in exports.splitlines())
    return neo4j_from(Settings(), {name: value for name, _, value in words})


def _missing(reason: str) -> None:
    if os.environ.get("HYPOGRAPH_TEST_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
