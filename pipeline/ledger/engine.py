"""How the ledger talks to its database: one writer at a time, readers that see one moment, errors in plain words."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    any_,
    create_engine,
    event,
    func,
    inspect,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
)

from pipeline.errors import HypographError, LedgerError, ServiceError
from pipeline.ledger.schema import HEAD, VERSION_TABLE, Record, escape

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_WRITES = "ledger_writes"
_LOCK = 0x4C45444745  # any number, the same for all writers: "LEDGE"
_VERSION = Table(VERSION_TABLE, MetaData(), Column("version_num", String))
_HINTS = {
    "BUSY": "another process is writing to it: try again when that has ended",
    "NOTADB": "this is no ledger: give the path of a ledger, or of a file that does not exist yet",
    "CORRUPT": "the file is damaged: restore a copy, or delete it and ingest again",
    "CANTOPEN": "make the folder first, or give another path",
    "READONLY": "make the file and its folder writable",
    "FULL": "make room on the disk",
}


def connect(url: str, *, timeout: float) -> Engine:
    """An engine for a URL; whoever finds the ledger locked waits ``timeout`` seconds."""
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        engine = create_engine(address, connect_args=_connect_args(address, timeout))
    except (ArgumentError, NoSuchModuleError) as error:
        raise LedgerError(
            f"{url!r} is no ledger URL: give sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        ) from error
    except ModuleNotFoundError as error:
        raise LedgerError(f"{error.name} is missing: pip install 'hypograph[postgresql]'") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def reader(engine: Engine) -> Engine:
    """The engine for transactions that read: all their statements see the ledger at one moment."""
    return engine.execution_options(isolation_level="REPEATABLE READ") if engine.dialect.name != "sqlite" else engine


def writer(engine: Engine) -> Engine:
    """The engine for transactions that write: each waits until it is the only one."""
    return engine.execution_options(**{_WRITES: True})


def bring_to_head(engine: Engine, *, create: bool) -> str:
    """Check that this is a ledger that the program knows, migrate it where it is older, and return its revision."""
    where = name_of(engine.url)
    if not create and _is_missing(engine.url):
        raise LedgerError(f"there is no ledger at {where}: run `hypograph ingest` first")
    with reader(engine).begin() as connection:
        revision = _stored_revision(connection, where)
    if revision is None and not create:
        raise LedgerError(f"{where} is empty, not a ledger: run `hypograph ingest` first")
    with engine.connect() as connection:
        _pragma(connection, "journal_mode = WAL")  # readers go on while one writes; the file remembers
    if revision != HEAD:
        _migrate(engine, where)
    return HEAD


def name_of(url: URL) -> str:
    """How messages name a ledger: the path of the file, or the URL without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what a database says when it cannot be used into a LedgerError or ServiceError; bugs stay as they are."""
    try:
        yield
    except (DataError, IntegrityError, ProgrammingError):
        raise
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise _explain(error, url) from error


def insert_rows(connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows that are not there yet, as values in the order of the columns, in the fastest way there is.

    They go past SQLAlchemy, which would spend more time on each value than the database does.
    """
    stored = [tuple([escape(value) if value.__class__ is str else value for value in row]) for row in rows]
    if not stored:
        return
    quoted = connection.dialect.identifier_preparer.quote
    into = f"{quoted(table.name)} ({', '.join(quoted(column.name) for column in table.c)})"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(table.c))
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({marks})", stored)  # noqa: S608
    else:
        _copy(connection, f"COPY {into} FROM STDIN", stored)


def among(connection: Connection, column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """That a column is one of any number of values: one statement, and one value bound, however many they are."""
    stored = [escape(value) for value in values]
    if connection.dialect.name == "sqlite":
        return column.in_(select(func.json_each(json.dumps(stored)).table_valued("value").c.value))
    return column == any_(literal(stored, postgresql.ARRAY(Text)))


def among_pairs(
    connection: Connection, columns: tuple[ColumnElement[str], ColumnElement[str]], values: Iterable[tuple[str, str]]
) -> ColumnElement[bool]:
    """That two columns are one of any number of pairs."""
    stored = [(escape(one), escape(other)) for one, other in values]
    if connection.dialect.name == "sqlite":
        pair = func.json_each(json.dumps(stored)).table_valued("value").c.value
        wanted = select(func.json_extract(pair, "$[0]"), func.json_extract(pair, "$[1]"))
    else:
        sides = [literal([pair[n] for pair in stored], postgresql.ARRAY(Text)) for n in (0, 1)]
        listed = func.unnest(*sides).table_valued("one", "other").render_derived()
        wanted = select(listed.c.one, listed.c.other)
    return tuple_(*columns).in_(wanted)


def upsert(connection: Connection, table: Table, rows: Sequence[Record]) -> None:
    """Insert rows, or update those whose key is there where anything differs; no key may come twice."""
    if not rows:
        return
    is_sqlite = connection.dialect.name == "sqlite"
    statement = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
    values = {name: statement.excluded[name] for name in rows[0] if not table.c[name].primary_key}
    differs = [table.c[name].is_distinct_from(value) for name, value in values.items()]
    keys = list(table.primary_key)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values, where=or_(*differs)), rows)


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Lists of at most ``size`` items.

    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _copy(connection: Connection, statement: str, rows: Iterable[Sequence[Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    known = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except known as error:  # as SQLAlchemy would raise it
        raise DBAPIError.instance(statement, None, error, known, dialect=connection.dialect) from error


def _explain(error: Exception, url: URL) -> HypographError:
    cause = getattr(error, "orig", error)
    if getattr(cause, "sqlstate", None) == "55P03":
        return LedgerError(f"ledger {name_of(url)} is locked: {_HINTS['BUSY']}")
    if not isinstance(cause, sqlite3.Error):
        return ServiceError(f"ledger {name_of(url)}: {cause}; is the server running, and does it let you in?")
    # SQLITE_BUSY_SNAPSHOT is a kind of SQLITE_BUSY
    kind = getattr(cause, "sqlite_errorname", "SQLITE_ERROR").split("_")[1]
    return LedgerError(f"ledger {name_of(url)}: {cause}; {_HINTS.get(kind, 'it cannot be used')}")


def _connect_args(url: URL, timeout: float) -> dict[str, Any]:
    match url.get_backend_name():
        case "sqlite" if url.database in (None, "", ":memory:"):
            raise LedgerError("a ledger in memory would be lost: give sqlite:///PATH")
        case "sqlite":
            return {"timeout": timeout, "isolation_level": None}  # no transaction begins but by _begin
        case "postgresql":
            return {"options": f"{url.query.get('options', '')} -c lock_timeout={round(timeout * 1000)}".strip()}
        case other:
            raise LedgerError(
                f"a ledger cannot lie in {other}: give sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
            )


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("foreign_keys = ON", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    if connection.dialect.name == "sqlite":
        # a transaction that reads first and writes later would fail, instead of waiting, when another wrote between
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _is_missing(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def _stored_revision(connection: Connection, where: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        return connection.scalar(select(_VERSION.c.version_num))
    if tables:
        raise LedgerError(f"{where} holds other tables ({', '.join(sorted(tables)[:3])}, ...): this is no ledger")
    return None


def _pragma(connection: Connection, pragma: str) -> None:
    """Set what SQLite lets be set only between transactions; nothing elsewhere."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.execute(f"PRAGMA {pragma}")


def _migrate(engine: Engine, where: str) -> None:
    from pipeline.ledger.migrations import known_revisions, upgrade  # noqa: PLC0415  alembic takes half a second

    with writer(engine).connect() as connection:
        _pragma(connection, "foreign_keys = OFF")  # a table that is changed by copying would take its children along
        with connection.begin():
            revision = _stored_revision(connection, where)  # again: another process may have been faster
            if revision is not None and revision not in known_revisions():
                raise LedgerError(
                    f"ledger {where} is at revision {revision}, this program knows up to {HEAD}: upgrade hypograph"
                )
            log.info("ledger %s: from revision %s to %s", where, revision, HEAD)
            upgrade(connection)
        _pragma(connection, "foreign_keys = ON")
