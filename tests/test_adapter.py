"""Adapters: what is loaded, what is refused, and that nothing is lost on the way from training to reading."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_readers import random_adapter, tiny_encoder, tuned
from transformers import ElectraConfig, ElectraModel

from extractors.adapter import CONFIG, WEIGHTS, read_adapter, write_adapter
from extractors.classifier import TokenClassifier
from extractors.encoder import Encoder, load_encoder
from extractors.tags import Row
from extractors.torch_model import TorchModel, fill, loaded
from extractors.training.plan import Plan
from extractors.training.tuning import trained
from pipeline.errors import AdapterError

TAGGER = {"kind": "tagger", "types": ["Drug"], "window": 64, "overlap": 16}
MARKERS = [1005, 1001]
IDS, MASK = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
SHAPES = torch.arange(12).reshape(2, 6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def adapter(tmp_path: Path, tiny: Encoder) -> Path:
    return random_adapter(tmp_path / "adapter", tiny, 3, TAGGER)


def load(folder: Path) -> TorchModel:
    return TorchModel.load(read_adapter(folder, kind="tagger"), "cpu")


@pytest.mark.parametrize("tuning", ["lora", "adalora", "prefix", "bottleneck"])
def test_what_is_read_scores_as_what_was_trained(tiny: Encoder, tmp_path: Path, tuning: str) -> None:
    torch.manual_seed(1)
    model = tuned(tiny, 3, tuning, markers=MARKERS)
    torch.manual_seed(1)
    folder = random_adapter(tmp_path, tiny, 3, {**TAGGER, "markers": MARKERS}, tuning=tuning)
    plain = TokenClassifier(load_encoder(tiny.name), 3).eval()(IDS, MASK)
    read = load(folder).classifier
    with torch.no_grad():
        assert torch.allclose(read(IDS, MASK, SHAPES), model(IDS, MASK, SHAPES), atol=2e-2)
        assert not torch.allclose(read(IDS, MASK, SHAPES), plain, atol=0.2)


@pytest.mark.parametrize("tuning", ["lora", "adalora", "prefix", "bottleneck"])
def test_every_part_of_an_adapter_counts(tiny: Encoder, tmp_path: Path, tuning: str) -> None:
    adapter = read_adapter(
        random_adapter(tmp_path, tiny, 3, {**TAGGER, "markers": MARKERS}, tuning=tuning), kind="tagger"
    )
    with torch.no_grad():
        before = loaded(adapter, lambda base: TokenClassifier(base, 3), "cpu")[1](IDS, MASK, SHAPES)
        for name, tensor in adapter.tensors.items():
            slope = np.linspace(0, 1, tensor.size, dtype=np.float16).reshape(tensor.shape)  # no norm takes it away
            changed = replace(adapter, tensors={**adapter.tensors, name: tensor + slope})
            other = loaded(changed, lambda base: TokenClassifier(base, 3), "cpu")[1](IDS, MASK, SHAPES)
            assert not torch.allclose(before, other, atol=1e-5), name


def test_scores_of_a_row_do_not_depend_on_its_neighbours(tiny: Encoder) -> None:
    model = TorchModel(tiny, TokenClassifier(tiny, 3).eval())
    rows = [Row(range(1000, 1000 + length), [1] * length) for length in (5, 40, 7, 6, 300, 510)]
    together = dict(model.scores(rows))
    assert [len(together[at]) for at in range(6)] == [5, 40, 7, 6, 300, 510]
    for at, row in enumerate(rows):
        ((_, alone),) = model.scores([row])
        assert abs(together[at] - alone).max() < 1e-5


def test_a_missing_adapter_names_those_that_there_are() -> None:
    with pytest.raises(AdapterError, match="biomed-ner"):
        read_adapter("no-such-adapter", kind="tagger")


def test_an_adapter_of_another_kind_is_refused(adapter: Path) -> None:
    with pytest.raises(AdapterError, match="kind is 'tagger', wanted 'relations'"):
        read_adapter(adapter, kind="relations")


def truncated(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-10])


def without_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def with_broken_json(folder: Path) -> None:
    (folder / CONFIG).write_text("{", "utf-8")


@pytest.mark.parametrize("damage", [truncated, without_weights, with_broken_json])
def test_broken_files_are_told(adapter: Path, damage: Callable[[Path], None]) -> None:
    damage(adapter)
    with pytest.raises(AdapterError, match="broken"):
        read_adapter(adapter, kind="tagger")


def rewritten(adapter: Path, **settings: object) -> Path:
    config = json.loads((adapter / CONFIG).read_text("utf-8")) | settings
    (adapter / CONFIG).write_text(json.dumps(config), "utf-8")
    return adapter


def test_an_adapter_of_another_encoder_is_refused(adapter: Path, tiny: Encoder) -> None:
    with pytest.raises(AdapterError, match=f"trained on encoder weights ffff.*has {tiny.sha256}"):
        load(rewritten(adapter, encoder_sha256="f" * 64))


@pytest.mark.parametrize("tuning", ["lora", "prefix", "bottleneck"])
def test_an_adapter_of_another_size_is_refused(tiny: Encoder, tmp_path: Path, tuning: str) -> None:
    adapter = random_adapter(tmp_path / "a", tiny, 3, TAGGER, tuning=tuning)
    with pytest.raises(AdapterError, match="do not fit its labels or encoder"):
        load(rewritten(adapter, encoder="minilm", encoder_sha256=""))


def test_tensors_for_layers_that_are_not_there_are_refused(tiny: Encoder) -> None:
    adapter = read_adapter("biomed-ner", kind="tagger")  # made for six layers of 384
    with pytest.raises((KeyError, ValueError, RuntimeError)):
        fill(TokenClassifier(load_encoder(tiny.name), adapter.outputs), adapter)


def test_other_architectures_take_adapters_too(tiny: Encoder, tmp_path: Path) -> None:
    config = ElectraConfig(hidden_size=16, embedding_size=16, num_hidden_layers=1, num_attention_heads=2)
    ElectraModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(tiny.name) / name, tmp_path)
    model = tuned(load_encoder(tmp_path), 3, "lora", markers=[1])
    assert model(IDS, MASK).shape == (2, 6, 3)
    assert any(name.endswith("query.up") for name in trained(model, Plan()))


def test_packed_factors_are_read_as_they_were_up_to_rounding(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    tensors = {"a.up": chance.normal(size=(200, 8)), "a.down": chance.normal(size=(8, 200)), "head.bias": np.ones(3)}
    config = {"kind": "tagger", "encoder": "x", "encoder_sha256": "", "types": [], "window": 8, "overlap": 2}
    for packed in (False, True):
        write_adapter(tmp_path / str(packed), config, tensors, packed=packed)
        found = read_adapter(tmp_path / str(packed)).tensors
        assert sorted(found) == sorted(tensors)
        for name, tensor in tensors.items():
            assert found[name] == pytest.approx(tensor, abs=np.abs(tensor).max() / 250)
    sizes = [(tmp_path / name / "adapter.safetensors").stat().st_size for name in ("True", "False")]
    assert sizes[0] < 0.75 * sizes[1]
