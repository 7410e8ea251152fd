from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline import sources
from pipeline.sources.shared import unpack
from pipeline.types import Document, Failure

FIRST, SECOND = b"Fish oil\n\nIt thins blood.", b"Magnesium\n\nIt calms."
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": zstandard.compress,
    "xz": lzma.compress,
}


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def seen(path: Path, content: bytes | None = None) -> list[str]:
    """Titles of what is read, and the place and reason of what is not."""
    if content is not None:
        path.write_bytes(content)
    items = sources.read(path)
    return [i.title if isinstance(i, Document) else f"{i.source[len(str(path)) :]}: {i.reason}" for i in items]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "papers.dat"


@pytest.mark.parametrize("packed", PACKERS.values(), ids=PACKERS)
def test_compressed_files(path: Path, packed: Callable[[bytes], bytes]) -> None:
    assert seen(path, packed(FIRST)) == ["Fish oil"]
    assert seen(path, packed(packed(FIRST))) == ["Fish oil"]
    assert seen(path, packed(FIRST[:10]) + packed(FIRST[10:])) == ["Fish oil"]  # as parallel packers write
    big = b"Fish oil\n\n" + os.urandom(300_000).hex().encode()
    (reason,) = seen(path, packed(big)[:200_000])
    assert "damaged or cut off" in reason or "cannot be read" in reason or "before the end" in reason, reason


@pytest.mark.parametrize("archive", [zipped, tarred])
def test_archives(path: Path, archive: Callable[[dict[str, bytes]], bytes]) -> None:
    members = {"a/1.txt": FIRST, "b.txt.gz": gzip.compress(SECOND), "__MACOSX/._b": b"\0", "a/.DS_Store": b"\0"}
    assert seen(path, archive(members)) == ["Fish oil", "Magnesium"]
    assert seen(path, gzip.compress(archive(members))) == ["Fish oil", "Magnesium"]
    inner = {"inner.zip": zipped(members), "inner.tar": tarred({"c.txt": SECOND}), "last.txt": FIRST}
    assert seen(path, archive(inner)) == ["Fish oil", "Magnesium", "Magnesium", "Fish oil"]
    assert seen(path, archive({"empty.txt": b"", "x.png": b"\x89PNG\0", "1.txt": FIRST}))[2:] == ["Fish oil"]


def test_an_archive_with_nothing_in_it(path: Path) -> None:
    assert seen(path, zipped({})) == [": is an archive with nothing in it"]


def test_a_broken_member_costs_only_itself(path: Path) -> None:
    made = zipped({"1.txt": FIRST, "2.txt": SECOND * 50, "3.txt": FIRST})
    at = made.index(b"2.txt") + 8
    damaged = made[:at] + b"\xff" * 10 + made[at + 10 :]
    first, broken, last = seen(path, damaged)
    assert (first, last) == ("Fish oil", "Fish oil")
    assert broken.startswith("/2.txt: is damaged or cut off")


def test_an_encrypted_member(path: Path) -> None:
    made = bytearray(zipped({"1.txt": FIRST, "2.txt": SECOND}))
    made[6] |= 1
    made[made.index(b"PK\1\2") + 8] |= 1
    assert seen(path, bytes(made)) == ["/1.txt: is encrypted: unpack it with its password first", "Magnesium"]


def test_a_cut_tar_keeps_what_came_before(path: Path) -> None:
    made = tarred({"1.txt": FIRST, "2.txt": os.urandom(40_000).hex().encode()})
    first, *others = seen(path, made[:20_000])
    assert first == "Fish oil"
    assert others


def test_links_in_an_archive_lead_nowhere(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("../1.txt")
        info.size = len(FIRST)
        archive.addfile(info, io.BytesIO(FIRST))
    assert seen(path) == ["Fish oil"]


@pytest.mark.parametrize("packed", [*PACKERS.values(), lambda data: zipped({"1.txt": data})])
def test_bombs(path: Path, packed: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "UNPACKED", 1 << 20)
    bomb = packed(b"a" * (64 << 20))
    assert len(bomb) * unpack.MAX_RATIO < 48 << 20
    (reason,) = seen(path, bomb)
    assert "it looks like a bomb" in reason
    assert "it looks like a bomb" in seen(path, packed(packed(b"a" * (64 << 20)) * 3))[0]


def test_a_bomb_of_many_members_is_counted_as_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "UNPACKED", 1 << 20)
    monkeypatch.setattr(unpack, "MAX_RATIO", 1)
    found = seen(path, zipped({f"{n}.txt": b"oil " * 100_000 for n in range(9)}))
    assert "bomb" in found[-1]
    assert len(found) <= 4  # two members fit, the third does not, and the rest is not looked at


def test_packed_too_often(path: Path) -> None:
    made = FIRST
    for _ in range(unpack.MAX_DEPTH):
        made = gzip.compress(made)
    assert seen(path, made) == ["Fish oil"]
    assert "packed more than 4 times" in seen(path, gzip.compress(made))[0]


def test_a_file_that_changes_while_it_is_read(path: Path) -> None:
    path.write_text("".join(f'{{"id": "{n}", "text": "{"oil " * 50}"}}\n' for n in range(2_000)))
    items = sources.read(path)
    next(items)
    with path.open("a") as file:
        file.write('{"id": "new", "text": "Blood."}\n' * 1_000)
    *documents, failure = items
    assert isinstance(failure, Failure)
    assert failure.reason == "changed while it was read: read it again"
    assert [d.id for d in documents if isinstance(d, Document)] == [str(n) for n in range(1, 2_000)]


def test_a_file_that_vanishes(path: Path, tmp_path: Path) -> None:
    path.write_bytes(FIRST)
    found = list(sources.find([tmp_path]))
    path.unlink()
    (failure,) = (item for each in found if isinstance(each, Path) for item in sources.read(each))
    assert isinstance(failure, Failure)
    assert failure.reason == "does not exist"


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert seen(tmp_path / "fifo") == [": is no regular file (a pipe, a socket or a device)"]
    assert seen(Path("/dev/zero")) == [": is no regular file (a pipe, a socket or a device)"]


def test_a_stamp_tells_whether_to_read_again(path: Path) -> None:
    path.write_bytes(FIRST)
    first = sources.stamp(path, "biomed", {})
    os.utime(path, (0, 0))
    assert first == sources.stamp(path, "biomed", {}) != ""
    assert first != sources.stamp(path, "ai", {})
    path.write_bytes(SECOND)
    assert first != sources.stamp(path, "biomed", {})
    assert sources.stamp(path.parent / "missing") == sources.stamp("/dev/zero") == ""


def test_the_stamp_of_annotations_holds_their_text(tmp_path: Path) -> None:
    (tmp_path / "1.ann").write_text("T1\tChemical 0 8\tFish oil\n")
    (tmp_path / "1.txt").write_bytes(FIRST)
    (tmp_path / "2.txt").write_bytes(SECOND)
    assert list(sources.find([tmp_path])) == [tmp_path / "1.ann", tmp_path / "2.txt"]
    before = sources.stamp(tmp_path / "1.ann")
    (tmp_path / "1.txt").write_bytes(SECOND)
    assert before != sources.stamp(tmp_path / "1.ann")
