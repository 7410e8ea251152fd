"""The cache of built models: made once, anew after a change of the code, and never half a file."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from extractors.engine import cache
from extractors.engine.cache import prepared


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def never() -> bytes:
    raise AssertionError("the model is there already")


def large() -> bytes:
    return bytes(10_000_000)


def prepare_large() -> None:
    prepared("k", large)


def test_a_model_is_made_once(home: Path) -> None:
    path = prepared("minilm-int8", lambda: b"model")
    assert isinstance(path, Path)
    assert (path.parent, path.read_bytes()) == (home, b"model")
    assert prepared("minilm-int8", never) == path
    assert prepared("minilm-fp32", lambda: b"other") != path


def test_a_change_of_the_code_makes_a_model_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    path = prepared("k", lambda: b"old")
    monkeypatch.setattr(cache, "code_version", lambda: "changed")
    new = prepared("k", lambda: b"new")
    assert isinstance(new, Path)
    assert (new != path, new.read_bytes()) == (True, b"new")


def test_what_fails_while_it_is_made_leaves_nothing(home: Path) -> None:
    def fails() -> bytes:
        raise ValueError("no weights")

    with pytest.raises(ValueError, match="no weights"):
        prepared("k", fails)
    assert not list(home.glob("*"))


def test_where_nothing_can_be_written_the_model_itself_comes_back(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.parent.write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING):
        assert prepared("k", lambda: b"model") == b"model"
    assert "HYPOGRAPH_CACHE" in caplog.text


def aged(path: Path, days: float) -> Path:
    """The file, last used so many days ago."""
    path.touch()
    then = time.time() - 86_400 * days
    os.utime(path, (then, then))
    return path


def test_a_model_that_nobody_used_for_a_month_goes_when_another_is_written(home: Path) -> None:
    used = prepared("used", lambda: b"model")
    assert isinstance(used, Path)
    aged(used, 40)
    old, half = aged(home / "old.onnx", 31), aged(home / ".x.partial", 31)
    kept = {used, aged(home / "new.onnx", 29), aged(home / ".y.partial", 0), aged(home / "notes.txt", 99)}
    assert prepared("used", never) == used
    assert old.exists(), "nothing was written"
    with old.open("rb"):
        kept.add(Path(str(prepared("another", lambda: b"model"))))
    assert not old.exists()
    assert not half.exists()
    assert set(home.iterdir()) == kept


def test_what_cannot_be_deleted_stays_and_is_no_error(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    stuck = home / "a-folder.onnx"
    stuck.mkdir(parents=True)
    aged(stuck, 31)
    gone = aged(home / "z.onnx", 31)
    with caplog.at_level(logging.DEBUG):
        path = prepared("k", lambda: b"model")
    assert set(home.iterdir()) == {path, stuck}
    assert not gone.exists()
    assert "a-folder.onnx: not deleted" in caplog.text


def test_several_processes_at_once_give_one_whole_file(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=prepare_large) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    (path,) = home.iterdir()
    assert path.stat().st_size == 10_000_000


def test_the_home_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HYPOGRAPH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.models_home() == tmp_path / "hypograph" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.models_home() == tmp_path / ".cache" / "hypograph" / "models"


@pytest.mark.parametrize(
    ("module", "heavy"), [("extractors.model", {"torch", "onnx"}), ("extractors.engine.graph", {"torch"})]
)
def test_running_a_model_loads_neither_torch_nor_onnx(module: str, heavy: set[str]) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not heavy & set(loaded)
