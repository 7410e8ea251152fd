"""The embedded store: one file in a folder, a NetworkX graph for analysis, a cached mirror for Cypher."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import networkx as nx

from graph.cypher import check_read_only
from graph.mirror import Mirror
from graph.rows import Row, SyncCounts, count, difference, digest, from_rows, rows
from graph.store import Table, to_networkx
from pipeline.errors import InputError
from pipeline.types import Graph

FILE_NAME = "graph.jsonl.gz"
_FORMAT = "hypograph graph 1"


class MemoryStore:
    """Keeps the graph in ``folder/graph.jsonl.gz``: a line of counts and digest, then a row a line, sorted.

    The file is replaced in one step, so that a reader sees the old graph or the new one; what was read from it is
    kept until the file changes. A store belongs to one thread at a time for syncing; questions may come from many.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE_NAME
        self._lock = threading.RLock()
        self._seen: tuple[int, ...] = ()
        self._kept: dict[str, Any] = {}

    def sync(self, graph: Graph) -> SyncCounts:
        wanted = rows(graph)
        header = _header(wanted)
        with self._lock:
            try:
                if self._path.exists() and self._header() == header and self._whole():
                    return SyncCounts(same=len(wanted))
                held = {row.key: row.digest for row in self._rows()}
            except InputError:
                held = {}  # a broken file is what a new sync is to mend
            self._write(header, wanted)
        return difference(held, wanted).counts

    def digest(self) -> str:
        return str(self._header()["digest"])

    def counts(self) -> dict[str, int]:
        return dict(self._header()["counts"])

    def query(
        self, cypher: str, params: Mapping[str, Any] | None = None, *, timeout: float = 30.0, limit: int = 1000
    ) -> Table:
        statement = check_read_only(cypher)
        return self._mirror().query(statement, params or {}, timeout=timeout, limit=limit)

    def load(self) -> Graph:
        loaded: Graph = self._once("graph", lambda: from_rows(self._rows()))
        return loaded

    def graph(self) -> nx.MultiDiGraph:
        return self._once("networkx", lambda: to_networkx(self.load()))

    def close(self) -> None:
        with self._lock:
            self._kept.clear()

    def _mirror(self) -> Mirror:
        mirror: Mirror = self._once("mirror", self._open_mirror)
        return mirror

    def _open_mirror(self) -> Mirror:
        name = f"{self.digest()}.kgl"
        self._folder.mkdir(parents=True, exist_ok=True)
        mirror = Mirror.open(self._folder / name, self._rows())
        for older in self._folder.glob("*.kgl*"):
            if older.name != name:
                older.unlink(missing_ok=True)
        return mirror

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for each state of the file."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._seen:
                self._kept.clear()
                self._seen = stamp
            if name not in self._kept:
                self._kept[name] = make()
            return self._kept[name]

    def _header(self) -> dict[str, Any]:
        if not self._path.exists():
            return _header(())
        with self._opened() as file:
            return _checked(json.loads(next(file)))

    def _whole(self) -> bool:
        """Read the file to its end, where gzip keeps a checksum; raises InputError for a broken one."""
        with self._opened() as file:
            return sum(1 for _ in file) > 0

    def _rows(self) -> Iterator[Row]:
        """All rows of the file; gzip's checksum tells a broken one."""
        if not self._path.exists():
            return
        with self._opened() as file:
            _checked(json.loads(next(file)))
            for line in file:
                kind, uid, labels, properties, ends = json.loads(line)
                yield Row(kind, uid, tuple(labels), properties, tuple(ends))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[TextIO]:
        """The file as text; what goes wrong while it is read is told with what mends it."""
        try:
            with gzip.open(self._path, "rt", encoding="utf-8") as file:
                yield cast("TextIO", file)
        except (OSError, EOFError, ValueError, KeyError, TypeError, StopIteration, zlib.error) as error:
            raise InputError(
                f"{self._path} is broken ({error}): run `hypograph build` again, which writes it anew"
            ) from error

    def _write(self, header: dict[str, Any], wanted: Iterable[Row]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_name(FILE_NAME + ".partial")
        with partial.open("wb") as raw:
            # No name and no time in the gzip header: equal graphs make equal files.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed, io.TextIOWrapper(packed, "utf-8") as file:
                file.write(_line(header))
                for row in wanted:
                    file.write(_line(_record(row)))
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(partial, self._path)


def _header(found: Sequence[Row]) -> dict[str, Any]:
    return {"format": _FORMAT, "digest": digest(found), "counts": count(row.kind for row in found)}


def _record(row: Row) -> list[Any]:
    return [row.kind, row.uid, row.labels, row.properties, row.ends]


def _checked(header: dict[str, Any]) -> dict[str, Any]:
    if header["format"] != _FORMAT:
        raise ValueError(f"unknown format {header['format']!r}")
    return header


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
