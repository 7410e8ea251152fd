"""A real Prefect server on loopback, one for the session, and processes that are ended by their id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

UP_SECONDS = 120
STOP_SECONDS = 10


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of clients of a server that runs for the tests of this session."""
    folder = tmp_path_factory.mktemp("prefect")
    port = str(free_port())
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "DO_NOT_TRACK": "1",
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port]
    with running(command, environ, folder / "server.log") as alive:
        wait_for(lambda: healthy(environ["PREFECT_API_URL"]), UP_SECONDS, alive)
        yield environ


def healthy(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=2).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(look: Callable[[], Any], seconds: float, alive: Callable[[], None]) -> Any:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        alive()
        assert time.monotonic() < deadline, f"nothing within {seconds} s"
        time.sleep(0.3)
    return found


@contextmanager
def running(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[Callable[[], None]]:
    """Run a command in a process group of its own and end the whole group after the block, whatever happens in it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,  # an operator starts it anywhere, not in the project's folder
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def alive() -> None:
        assert process.poll() is None, f"{command} ended with {process.returncode}:\n{log.read_text()[-3000:]}"

    try:
        yield alive
    except AssertionError as error:
        error.add_note(f"the end of {log.name}:\n{log.read_text()[-3000:]}")
        raise
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask politely, then kill what is left; the group is ours because it was made for this process."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
