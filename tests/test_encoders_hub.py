"""Encoders from the model hub: a small hub on loopback, by the hub's own client, well and badly behaved."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from tiny_bert import write_tiny

from extractors.encoder import load_encoder
from extractors.encoders import WEIGHTS, find
from extractors.encoders.fetch import fetch
from pipeline.errors import AdapterError, InputError, ServiceError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "tests/tiny"


@dataclass
class Hub:
    """One model, ``tests/tiny``; ``fault`` is what the answers do wrong: error, cut, short, lie."""

    files: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    asked: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, object]:
        siblings = [
            {"rfilename": name, "size": len(body), "blobId": hashlib.sha1(body).hexdigest(), **self.lfs(name)}  # noqa: S324
            for name, body in self.files.items()
        ]
        return {"id": MODEL, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}

    def lfs(self, name: str) -> dict[str, object]:
        if not name.endswith(".safetensors"):
            return {}
        body = self.files[name]
        return {"lfs": {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 1}}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running hub that our client takes for its own."""
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(send=False)

        def do_GET(self) -> None:
            self.answer(send=True)

        def answer(self, *, send: bool) -> None:
            served.asked.append(f"{self.command} {self.path}")
            status, headers, body = _answer(served, self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if send:
                cut = served.fault == "cut" and self.path.endswith(".safetensors")
                self.wfile.write(body[: len(body) // 2] if cut else body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"  # as HF_ENDPOINT does, which is read once, at the import
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield served
    server.shutdown()
    server.server_close()


def _answer(hub: Hub, path: str) -> tuple[int, dict[str, str], bytes]:
    path = path.partition("?")[0]
    if hub.fault == "error":
        return 500, {}, b"the hub has a bad day"
    if path in (f"/api/models/{MODEL}", f"/api/models/{MODEL}/revision/{COMMIT}", f"/api/models/{MODEL}/revision/v1"):
        return 200, {"Content-Type": "application/json"}, json.dumps(hub.describe()).encode()
    if path.startswith(f"/api/models/{MODEL}/"):
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
    name = path.removeprefix(f"/{MODEL}/resolve/{COMMIT}/")
    if name in hub.files:
        body = hub.files[name]
        etag = hashlib.sha256(body).hexdigest()
        if name.endswith(".safetensors"):
            body = {"lie": bytes(reversed(body)), "short": body[:-100]}.get(hub.fault, body)
        return 200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body
    return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "encoders"


@pytest.fixture
def tiny(hub: Hub, tmp_path: Path) -> Path:
    """The folder of the encoder that the hub serves."""
    folder = write_tiny(tmp_path / "tiny")
    hub.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.files["pytorch_model.bin"] = b"a pickle"
    return folder


def test_an_encoder_of_the_hub_is_cached_with_its_commit_and_checksum(hub: Hub, home: Path, tiny: Path) -> None:
    encoder = load_encoder(MODEL)
    assert encoder.sha256 == hashlib.sha256(hub.files[WEIGHTS]).hexdigest()
    record = json.loads((home / "tests--tiny" / "source.json").read_text("utf-8"))
    assert record == {
        "name": MODEL,
        "sha256": encoder.sha256,
        "origin": f"hub {MODEL}",
        "revision": COMMIT,
        "licence": "mit",
    }
    files = {path.name for path in (home / "tests--tiny").iterdir()}
    assert files == {"config.json", "source.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", WEIGHTS}
    assert not any("pytorch_model" in request for request in hub.asked)


def test_a_cached_encoder_needs_no_hub(hub: Hub, home: Path, tiny: Path) -> None:
    load_encoder(MODEL)
    hub.asked.clear()
    hub.fault = "error"
    assert load_encoder(MODEL).width == 8
    assert fetch(MODEL).place == "cache"
    assert hub.asked == []


def test_a_revision_is_asked_for_and_kept_apart(hub: Hub, home: Path, tiny: Path) -> None:
    found = fetch(f"{MODEL}@v1")
    assert found.folder == home / "tests--tiny@v1"
    assert find(MODEL) is None
    with pytest.raises(InputError, match=r"tests/tiny@v2: the model hub has no such model"):
        fetch(f"{MODEL}@v2")


def test_a_changed_file_is_refused_and_mended(hub: Hub, home: Path, tiny: Path) -> None:
    weights = fetch(MODEL).folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(AdapterError, match=r"expected .*`hypograph encoders get tests/tiny` fetches them again"):
        load_encoder(MODEL)
    assert fetch(MODEL).folder == weights.parent
    assert weights.read_bytes() == hub.files[WEIGHTS]
    weights.unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_encoder(MODEL)
    fetch(MODEL)
    (weights.parent / "source.json").write_text("{", "utf-8")
    with pytest.raises(AdapterError, match=r"no source\.json says"):
        load_encoder(MODEL)
    fetch(MODEL)
    assert load_encoder(MODEL).width == 8


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error", "500 Internal Server Error"),
        ("short", r"has sha256 \w+, but it states"),
        ("lie", r"has sha256 \w+, but it states"),
        pytest.param("cut", "peer closed connection", marks=pytest.mark.slow),  # the client tries six times
    ],
)
def test_a_hub_that_fails_leaves_nothing(hub: Hub, home: Path, tiny: Path, fault: str, reason: str) -> None:
    hub.fault = fault
    with pytest.raises(ServiceError, match=reason):
        fetch(MODEL)
    assert list(home.iterdir()) == []
    hub.fault = ""
    assert fetch(MODEL).licence == "mit"


def test_an_unknown_name_is_wrong_input(hub: Hub, home: Path) -> None:
    with pytest.raises(InputError, match="the model hub has no such model, or not for you"):
        load_encoder("tests/unknown")


def test_pickled_weights_are_not_fetched(hub: Hub, home: Path, tiny: Path) -> None:
    del hub.files[WEIGHTS]
    with pytest.raises(InputError, match=r"no safetensors of it.*tests/tiny@refs/pr/1"):
        fetch(MODEL)
    assert list(home.iterdir()) == []


def test_weights_in_parts_are_read_whole(hub: Hub, home: Path, tiny: Path) -> None:
    tensors = load_file(tiny / WEIGHTS)
    names = sorted(tensors)
    for number, part in enumerate((names[:5], names[5:]), 1):
        file = tiny / f"model-0000{number}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, file)
        hub.files[file.name] = file.read_bytes()
    del hub.files[WEIGHTS]
    state = load_encoder(MODEL).model.state_dict()
    assert all(torch.equal(state[name], tensors[name]) for name in names)


def test_a_list_of_pieces_is_tokenizer_enough(hub: Hub, home: Path, tiny: Path) -> None:
    expected = load_encoder(tiny).tokenizer.encode("Abc 12").ids
    for name in ("tokenizer.json", "tokenizer_config.json"):
        del hub.files[name]
    encoder = load_encoder(MODEL)
    assert encoder.tokenizer.encode("Abc 12").ids == expected
    assert encoder.size == 510


def test_an_encoder_without_a_tokenizer_is_refused(hub: Hub, home: Path, tiny: Path) -> None:
    del hub.files["tokenizer.json"], hub.files["vocab.txt"]
    with pytest.raises(InputError, match=r"has no tokenizer\.json"):
        fetch(MODEL)


def test_the_cache_that_cannot_be_written_is_named(
    hub: Hub, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"the cache .*/file/encoders cannot be written.*HYPOGRAPH_CACHE"):
        fetch(MODEL)


def test_what_a_killed_run_left_is_swept_after_a_day(hub: Hub, home: Path, tiny: Path) -> None:
    old, young = home / ".partial-old", home / ".partial-young"
    for folder in (old, young):
        (folder / "new").mkdir(parents=True)
    os.utime(old, (0, 0))
    fetch(MODEL)
    assert not old.exists()
    assert young.exists()


def test_a_hub_that_cannot_be_reached_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HYPOGRAPH_CACHE": str(tmp_path)}
    code = "from extractors.encoders.fetch import fetch; fetch('bge-small', artifacts=False)"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert "ServiceError: encoder BAAI/bge-small-en-v1.5: the model hub cannot be reached or fails" in done.stderr
    assert "`hypograph encoders get bge-small` gets it without the hub" in done.stderr
