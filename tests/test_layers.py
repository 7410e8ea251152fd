"""The folders import one way, and what is heavy is imported only by the command that needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODELS_AND_SERVERS = {"torch", "transformers", "peft", "prefect", "neo4j", "kglite"}
HEAVY = MODELS_AND_SERVERS | {"pandas", "networkx", "sqlalchemy", "lxml"}


def imported(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_contracts_of_the_layers_hold(root: Path) -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint_imports, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_the_command_line_imports_nothing_heavy() -> None:
    assert imported("import flows.cli") & HEAVY == set()


@pytest.mark.parametrize("module", ["pipeline.types", "pipeline.errors", "pipeline.settings", "extractors.base"])
def test_the_words_of_the_project_import_nothing_heavy(module: str) -> None:
    assert imported(f"import {module}") & HEAVY == set()


@pytest.mark.parametrize("module", ["pipeline.sources", "pipeline.text", "pipeline.link", "pipeline.assemble"])
def test_the_pure_stages_need_no_model_and_no_server(module: str) -> None:
    assert imported(f"import {module}") & MODELS_AND_SERVERS == set()


def test_only_the_flow_imports_prefect() -> None:
    assert "prefect" not in imported("import flows.tasks, flows.workspace, flows.reader")
    assert "prefect" in imported("import flows.build")
