"""A new ledger on every database that it may lie in; PostgreSQL is a server of our own in a temporary folder."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateSchema

from pipeline.ledger import Ledger


class NoServer(Exception):
    """PostgreSQL, or what talks to it, is not installed; the message says how to bring it."""


@contextmanager
def served() -> Iterator[str]:
    """A new server while the context lasts; its URL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    control = shutil.which("pg_ctl") or (str(found[-1] / "pg_ctl") if found else "")
    if not control:
        raise NoServer("PostgreSQL is missing: apt-get install postgresql")
    if not find_spec("psycopg"):
        raise NoServer("psycopg is missing: pip install 'hypograph[postgresql]'")
    folder = Path(tempfile.mkdtemp(prefix="hypograph-pg-"))  # short, as the path of a socket must be
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())  # it refuses to run as root
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(*command: str) -> None:
        call = [control, "-D", str(folder / "data"), "-s", *command]
        with (folder / "said").open("w") as said:
            subprocess.run(
                call, check=True, stdout=said, stderr=said, cwd=folder, user=owner.pw_uid, group=owner.pw_gid
            )

    run("init", "-o", "-U postgres -A trust -E UTF8 --locale=C.UTF-8 -N")
    run("start", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses= -F")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        run("stop", "-m", "immediate")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server; the test is skipped where there can be none."""
    try:
        with served() as url:
            yield url
    except NoServer as missing:
        pytest.skip(str(missing))


def sqlite_url(_request: pytest.FixtureRequest, folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def postgresql_url(request: pytest.FixtureRequest, _folder: Path) -> str:
    server: str = request.getfixturevalue("postgresql")
    schema = f"ledger_{next(_NUMBERS)}"
    engine = create_engine(server)
    with engine.begin() as connection:
        connection.execute(CreateSchema(schema))
    engine.dispose()
    return f"{server}&options=-csearch_path%3D{schema}"


_NUMBERS = itertools.count()
DATABASES = [sqlite_url, postgresql_url]


@pytest.fixture(params=DATABASES, ids=lambda make: make.__name__.removesuffix("_url"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    make: Callable[[pytest.FixtureRequest, Path], str] = request.param
    return make(request, tmp_path)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    Ledger.open(url).close()  # the connection that made the ledger is not the one that is tested
    with Ledger.open(url, timeout=10) as opened:
        yield opened
