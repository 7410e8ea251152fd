"""A folder of everything that goes wrong: each thing is a failure that says so, and no paper beside it is lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import hostile
import pytest

HYPOGRAPH = Path(sys.executable).with_name("hypograph")
MEMORY = 2 << 30  # bytes of address space that a run may use: it must get by with bounded memory


def hypograph(*args: str | Path, code: int) -> Any:
    done = subprocess.run(  # noqa: PLW1510  the code is looked at below
        [HYPOGRAPH, *args, "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == code, done.stderr[-2_000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace into which such a folder was ingested."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "papers").mkdir()
    hostile.fill(folder / "papers")
    hypograph("ingest", folder / "papers", "-w", folder, code=1)
    return folder


@pytest.fixture(scope="module")
def failures(workspace: Path) -> dict[str, str]:
    """Reasons by the name of the file."""
    found: dict[str, str] = {}
    for row in hypograph("failures", "-w", workspace, code=0):
        found[str(Path(row["source"]).relative_to(workspace / "papers"))] = row["reason"]
    return found


def known(workspace: Path) -> set[str]:
    from flows.workspace import Workspace

    with Workspace.open(workspace) as opened:
        return {document.id for document in opened.ledger.documents()}


@pytest.mark.parametrize("name", hostile.BAD)
def test_each_bad_file_is_a_failure_that_says_why(name: str, failures: dict[str, str]) -> None:
    assert hostile.BAD[name][1] in failures[name]


def test_what_is_no_file(failures: dict[str, str]) -> None:
    assert failures["loop/again"] == "links to a folder above it"
    assert failures["dangling.txt"] == "does not exist"
    assert failures["device"] == failures["fifo"] == "is no regular file (a pipe, a socket or a device)"


def test_every_good_paper_is_there(workspace: Path, failures: dict[str, str]) -> None:
    assert known(workspace) >= set(hostile.SURVIVORS)
    assert not set(hostile.GOOD) & set(failures)


def test_failures_are_told_again_and_mended_ones_are_gone(workspace: Path, failures: dict[str, str]) -> None:
    again = hypograph("ingest", workspace / "papers", "-w", workspace, code=1)
    assert again["new"] == again["changed"] == 0
    assert again["failed"] == len(hypograph("failures", "-w", workspace, code=0))
    (workspace / "papers" / "columns.csv").write_text("id,title\ngood:9,Salt\n")
    retried = hypograph("ingest", "--retry", "-w", workspace, code=1)
    assert retried["new"] == 1
    left = {Path(row["source"]).name for row in hypograph("failures", "-w", workspace, code=0)}
    assert left == {Path(name).name for name in failures} - {"columns.csv"}
    assert "good:9" in known(workspace)


@pytest.mark.slow
def test_a_folder_of_many_files(tmp_path: Path) -> None:
    count = 100_000 if os.environ.get("HYPOGRAPH_FUZZ") else 5_000
    papers = tmp_path / "papers"
    for n in range(count):
        folder = papers / f"{n // 100_000}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{n}.txt").write_text(f"Id: many:{n}\n\nFish oil {n}\n\nIt thins blood.")
    assert hypograph("ingest", papers, "-w", tmp_path, code=0)["new"] == count
    assert hypograph("ingest", papers, "-w", tmp_path, code=0)["same"] == count
