"""A real Prefect server on loopback fires a scheduled run, and the run completes.

The versions that the lock holds together are what this guards: a newer SQLAlchemy installs and then no scheduled run is
ever created, a newer FastAPI ends every flow as it starts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fixtures_prefect import running, wait_for

from flows.tasks import statistics
from flows.workspace import Workspace

FIRE_SECONDS = 200

CRON = "* * * * * */30"  # the sixth field is seconds


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with one paper in its corpus that no build has seen yet."""
    folder = tmp_path / "workspace"
    (folder / "papers").mkdir(parents=True)
    (folder / "papers" / "one.txt").write_text("Magnesium and migraine\n\nMagnesium prevents migraine.\n")
    (folder / "hypograph.toml").write_text('domain = "ai"\n[[corpus]]\npath = "papers"\n')
    return folder


@pytest.mark.slow
def test_a_scheduled_build_fires_and_completes(prefect_server: dict[str, str], workspace: Path, tmp_path: Path) -> None:
    hypograph = str(Path(sys.executable).with_name("hypograph"))
    schedule = [hypograph, "schedule", "--cron", CRON, "--workspace", str(workspace)]

    with running(schedule, prefect_server, tmp_path / "schedule.log") as alive:
        wait_for(lambda: scheduled_runs(prefect_server["PREFECT_API_URL"], "COMPLETED"), FIRE_SECONDS, alive)

    with Workspace.open(workspace) as opened:
        assert statistics(opened)["documents"] == 1


def scheduled_runs(api: str, state: str) -> list[dict[str, Any]]:
    """The flow runs of schedules in a state; an error where one has failed, because then none may ever get there.

    Other tests start builds by hand on the same server.
    """
    wanted = {"flow_runs": {"state": {"type": {"any_": [state, "FAILED", "CRASHED"]}}}}
    found: list[dict[str, Any]] = httpx.post(f"{api}/flow_runs/filter", json=wanted, timeout=30).json()
    runs = [run for run in found if run["auto_scheduled"]]
    broken = [run["state"]["message"] for run in runs if run["state_type"] != state]
    assert not broken, f"a flow run did not complete: {broken[0]}"
    return runs
