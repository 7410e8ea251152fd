from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue

import pytest

from pipeline import sources
from pipeline.errors import UsageError
from pipeline.sources import parallel
from pipeline.sources.parallel import read_many
from pipeline.types import Document, Failure

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")


def papers(count: int, *, seed: int = 0, length: int = 50) -> str:
    random_ = random.Random(seed)
    return "".join(
        json.dumps(
            {
                "id": f"{seed}:{number}",
                "title": "".join(random_.choices("abé \U0001f41f", k=9)) + ".",
                "sections": [{"kind": "methods", "text": "x" * length}, {"kind": "results", "text": "Thin."}],
                "date": "1985-04",
                "authors": ["Dyer, Ann"] * random_.randint(0, 2),
                "status": random_.choice(["", "retracted"]),
                "links": [["corrects", "sample:1"]],
                "references": ["pmid:1"],
                "doi": "10.1000/a",
            }
        )
        + "\n"
        for number in range(count)
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def mixed(write: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """Files of all sizes and states."""
    deleted = "<PubmedArticleSet><DeleteCitation><PMID>5</PMID></DeleteCitation></PubmedArticleSet>"
    many = [write(papers(n * 40, seed=n), f"{n}.jsonl") for n in range(1, 9)]
    return [
        *many,
        write(gzip.compress(papers(2000, seed=9).encode())[:-20], "cut.gz"),
        write(papers(2) + '{"id": 1\n' + papers(1, seed=3), "broken.jsonl"),
        write(deleted, "deleted.xml"),
        write("", "empty"),
        tmp_path / "missing",
        tmp_path,
    ]


def children() -> set[int]:
    """The reading processes that this one has started and that still run; other tests' servers are none."""
    lists = [path.read_text() for path in Path("/proc/self/task").glob("*/children")]
    return {int(pid) for list_ in lists for pid in list_.split() if running(int(pid)) and reads(int(pid))}


def reads(pid: int) -> bool:
    try:
        return b"pipeline.sources.parallel" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_as_if_read_one_by_one(processes: int, mixed: list[Path]) -> None:
    before = children()
    expected = [(path, list(sources.read(path))) for path in mixed]
    assert [(path, list(items)) for path, items in read_many(mixed, processes=processes)] == expected
    kinds = {type(item).__name__ for _, items in expected for item in items}
    assert kinds == {"Document", "Deleted", "Failure"}
    assert children() <= before


def test_the_same_file_twice_and_none(mixed: list[Path]) -> None:
    assert list(read_many([], processes=4)) == []
    twice = [list(items) for _, items in read_many([mixed[0]] * 2, processes=2)]
    assert twice[0] == twice[1] == list(sources.read(mixed[0]))


def test_what_is_not_consumed_is_passed_over(mixed: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_AHEAD", 1)
    found = [next(items) for _, items in read_many(mixed, processes=2)]
    assert found == [next(sources.read(path)) for path in mixed]


def test_columns_and_wrong_use(write: Callable[..., Path]) -> None:
    tables = [write(f"Key,Head\n{n},Oil\n", f"{n}.csv") for n in range(3)]
    found = [list(items) for _, items in read_many(tables, processes=2, columns={"id": "Key", "title": "Head"})]
    assert [[item.id for item in items if isinstance(item, Document)] for items in found] == [["0"], ["1"], ["2"]]
    with closing(read_many(tables, processes=2, columns={"heading": "Head"})) as run:
        _, items = next(run)
        with pytest.raises(UsageError, match="no field 'heading'"):
            list(items)
    assert not children()


def test_it_is_not_far_ahead(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_AHEAD", 3)
    waiting: SimpleQueue[parallel._File] = SimpleQueue()
    file = parallel._File(write(papers(4000, length=1000), "long.jsonl"))
    waiting.put(file)
    reader = parallel._Reader(waiting, None)
    try:
        assert until(lambda: file.batches.qsize() == 3)
        time.sleep(0.3)
        assert file.batches.qsize() == 3
        assert len(list(file.items())) == 4000
    finally:
        reader.stop()


def test_a_killed_process_costs_the_rest_of_its_file(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "_AHEAD", 2)
    paths = [write(papers(8000, seed=seed, length=1000), f"{seed}.jsonl") for seed in (1, 2)]
    paths += [write(papers(20, seed=seed), f"{seed}.jsonl") for seed in (3, 4, 5)]
    found: list[list[sources.Item]] = []
    for number, (_, items) in enumerate(read_many(paths, processes=2)):
        found.append([next(items)])
        if not number:
            assert until(lambda: len(children()) == 2)
            for pid in children():
                os.kill(pid, signal.SIGKILL)
        found[-1].extend(items)
    *some, failure = found[0]
    assert some == list(sources.read(paths[0]))[: len(some)]
    assert isinstance(failure, Failure)
    assert (failure.source, failure.place) == (str(paths[0]), f"after record {len(some)}")
    assert "its process was killed (SIGKILL)" in failure.reason
    assert found[2:] == [list(sources.read(path)) for path in paths[2:]]
    assert not children()


def test_an_abandoned_run_leaves_no_process(mixed: list[Path]) -> None:
    with closing(read_many(mixed, processes=2)) as run:
        _, items = next(run)
        next(items)
        assert children()
    assert not children()


SCRIPT = """
import sys, time
from pathlib import Path
from pipeline.sources.parallel import read_many

for path, items in read_many(sys.argv[1:], processes=2):
    print(path.name, sum(1 for _ in items), flush=True)
    if path.name == "last.jsonl":
        time.sleep(60)
"""


def test_a_plain_script_and_its_sudden_end(write: Callable[..., Path], root: Path) -> None:
    """No guard for __main__ is needed, and the processes do not outlive the script, however it ends."""
    names = ("one.jsonl", "last.jsonl", "long.jsonl", "longer.jsonl")
    paths = [write(papers(9 if number < 2 else 20_000, length=1000), name) for number, name in enumerate(names)]
    command = [sys.executable, str(write(SCRIPT, "script.py")), *map(str, paths)]
    with subprocess.Popen(
        command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout
        assert [script.stdout.readline() for _ in range(2)] == ["one.jsonl 9\n", "last.jsonl 9\n"]
        workers = set(pids(script.pid))
        assert len(workers) == 2
        script.kill()
    assert until(lambda: not any(map(running, workers)))


def pids(parent: int) -> Iterator[int]:
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        yield from map(int, path.read_text().split())
