"""What only the embedded store does: one file, written anew or not at all, and a mirror beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from graphs import BASE, raynaud

from graph.memory import FILE_NAME, MemoryStore
from graph.rows import rows
from pipeline.errors import InputError


def test_memory_writes_equal_files_for_equal_graphs(tmp_path: Path) -> None:
    MemoryStore(tmp_path / "a").sync(raynaud())
    other = MemoryStore(tmp_path / "b")
    other.sync(BASE)
    other.sync(raynaud())
    assert (tmp_path / "a" / FILE_NAME).read_bytes() == (tmp_path / "b" / FILE_NAME).read_bytes()


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:-20], lambda _: b"no gzip", lambda b: b[:40] + b"xx" + b[42:], lambda _: b""]
)
def test_memory_tells_a_broken_file_and_a_sync_mends_it(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    store = MemoryStore(tmp_path)
    store.sync(raynaud())
    path = tmp_path / FILE_NAME
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match="run `hypograph build` again"):
        MemoryStore(tmp_path).load()
    store.sync(raynaud())
    assert rows(MemoryStore(tmp_path).load()) == rows(raynaud())


def test_memory_sees_what_another_store_wrote_and_keeps_one_mirror(tmp_path: Path) -> None:
    reader, writer = MemoryStore(tmp_path), MemoryStore(tmp_path)
    writer.sync(raynaud())
    count = "MATCH (n:Entity) RETURN count(n) AS n"
    assert reader.query(count).rows == ((6,),)
    assert reader.graph() is reader.graph()
    writer.sync(BASE)
    assert reader.query(count).rows == ((3,),)
    assert reader.graph().number_of_nodes() == 3
    assert [path.stem for path in tmp_path.glob("*.kgl")] == [reader.digest()]
