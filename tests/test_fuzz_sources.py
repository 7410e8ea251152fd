"""Mutants of real papers: whatever is done to a file, it is read or refused, in bounded time, and its records are told.

A mutant is made again from its file and its number alone. ``HYPOGRAPH_FUZZ`` says how many there are; KEPT holds those
that once went wrong.
"""

from __future__ import annotations

import gzip
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from pipeline import sources
from pipeline.sources import Item
from pipeline.types import Deleted, Document, Failure

MUTANTS = int(os.environ.get("HYPOGRAPH_FUZZ", "250"))
SECONDS = 60  # for one mutant; a PDF may take its own limit
SHARDS = 10
KEPT = (("bibtex/crossref_entries.bib", 7150), ("medline_xml/pubmedpy_efetch_expected.tsv", 3992))

Mutation = Callable[[bytes, random.Random], tuple[bytes, int]]


def flip(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    """Change some bytes; each may spoil a record, and a spoiled border joins two."""
    made, count = bytearray(data), random_.randint(1, 8)
    for _ in range(count):
        made[random_.randrange(len(made))] = random_.randrange(256)
    return bytes(made), 2 * count


def delete(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    at, size = random_.randrange(len(data)), random_.randint(1, 2_000)
    return data[:at] + data[at + size :], 2 + size // 80


def insert(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    noise = (
        random_.randbytes(random_.randint(1, 200)),
        b"\0" * 9,
        b"<",
        b'"',
        b"{",
        b"\n\n",
        b"&x;",
        b"]]>",
        b"\xff\xfe",
    )
    at = random_.randrange(len(data))
    return data[:at] + random_.choice(noise) + data[at:], 2


def repeat(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    at, size = random_.randrange(len(data)), random_.randint(1, 5_000)
    return data[: at + size] + data[at : at + size] * random_.randint(1, 5) + data[at + size :], 2


def swap(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    """Two pieces change places."""
    a, b, c = sorted(random_.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:], 6


def cut(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    """What is behind the cut is gone; whether that can be told depends on the format."""
    return data[: random_.randrange(1, len(data) + 1)], len(data)


def cut_gzip(data: bytes, random_: random.Random) -> tuple[bytes, int]:
    packed = gzip.compress(data, 1)
    return packed[: random_.randrange(20, max(21, len(packed)))], len(data)


MUTATIONS: tuple[Mutation, ...] = (flip, flip, delete, insert, insert, repeat, swap, cut, cut_gzip)


@cache
def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*/*")) if path.is_file() and path.stat().st_size]


@cache
def sound(path: Path) -> int:
    """How many papers the file holds as it is."""
    return sum(isinstance(item, Document) for item in sources.read(path))


@contextmanager
def within(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def mutant(path: Path, number: int) -> tuple[str, bytes, int]:
    random_ = random.Random(f"{path.parent.name}/{path.name} {number}")
    mutation = random_.choice(MUTATIONS)
    return mutation.__name__, *mutation(path.read_bytes(), random_)


def check(path: Path, number: int, folder: Path) -> None:
    name, data, touched = mutant(path, number)
    written = folder / "mutant"
    written.write_bytes(data)
    with within(SECONDS):
        items = list(sources.read(written))
    assert items
    for item in items:
        check_item(item)
    given_up = any(isinstance(item, Failure) and rest_is_lost(item) for item in items)
    assert given_up or len(items) >= sound(path) - touched, f"{name}: of {sound(path)} papers {len(items)} are told"
    if name == "cut_gzip":
        assert isinstance(items[-1], Failure), items[-1]


def rest_is_lost(failure: Failure) -> bool:
    """Whether it says that all that follows in the file could not be read."""
    return not failure.place or failure.place.startswith("after record")


def check_item(item: Item) -> None:
    assert isinstance(item, Document | Deleted | Failure)
    str(item).encode()  # nothing that a store or a terminal could not hold
    if isinstance(item, Document):
        assert item.text.strip()
        ends = [0]
        for section in item.sections:
            assert ends[-1] <= section.start < section.end <= len(item.text)
            ends.append(section.end)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutants(shard: int, shared_data: Path, tmp_path: Path) -> None:
    found = files(shared_data / "raw_papers")
    wrong = []
    for number in range(shard, MUTANTS, SHARDS):
        path = found[number % len(found)]
        try:
            check(path, number, tmp_path)
        except Exception as error:  # noqa: BLE001  each is told with the mutant that did it
            wrong.append(f'("{path.parent.name}/{path.name}", {number}): {type(error).__name__}: {str(error)[:200]}')
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "number"), KEPT)
def test_mutants_that_once_went_wrong(name: str, number: int, shared_data: Path, tmp_path: Path) -> None:
    check(shared_data / "raw_papers" / name, number, tmp_path)
