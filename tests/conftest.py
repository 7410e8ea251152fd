"""What every test may use: the shared corpora where they lie beside the project, and Prefect set up to stay at home."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("unhurried")

pytest_plugins = ["fixtures_browser", "fixtures_ledger", "fixtures_neo4j", "fixtures_prefect", "fixtures_workspace"]

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden with what comes out now")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real corpora, kept beside the project; the test is skipped where they are not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real corpora are missing: expected them in {folder}")
    return folder
