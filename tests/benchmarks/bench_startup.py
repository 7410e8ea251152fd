"""How long help takes, against a bare command line of one command made with the same library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import Figure, race

HYPOGRAPH = str(Path(sys.executable).with_name("hypograph"))
BARE = "import typer; app = typer.Typer(rich_markup_mode=None); app.command()(lambda: None); app(['--help'])"


def figures() -> Iterator[Figure]:
    yield race(
        "startup: hypograph --help vs a bare typer",
        lambda: run(HYPOGRAPH, "--help"),
        lambda: run(sys.executable, "-c", BARE),
        n=1,
        unit="starts",
    )


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
