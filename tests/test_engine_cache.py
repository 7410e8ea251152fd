"""The cache of built models: made once, anew after a change of the code, and never half a file."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import sys
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
    ("module", "heavy"), [("session", {"torch", "onnx"}), ("cache", {"onnx"}), ("graph", {"torch"})]
)
def test_running_a_model_loads_neither_torch_nor_onnx(module: str, heavy: set[str]) -> None:
    code = f"import extractors.engine.{module}, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not heavy & set(loaded)
