"""Packed encoders: how exact int8 weights are, and that they are loaded as any others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tiny_bert import tiny_tensors, write_tiny

from extractors.encoder import encoder_weights, load_encoder
from extractors.encoders import PACKED, WEIGHTS, file_sha256, outline
from extractors.encoders.packed import pack, pack_folder, unpack
from pipeline.errors import InputError

# far from where a step is too small for a float32
FINITE = st.floats(-(2.0**90), 2.0**90, width=32).filter(lambda number: number == 0 or abs(number) > 2.0**-90)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=FINITE))
def test_no_number_is_off_by_more_than_half_a_step(matrix: NDArray[np.float32]) -> None:
    packed = pack({"w": matrix})
    assert packed["w"].dtype == np.int8
    assert packed["w"].min() >= -127
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(unpack(packed)["w"] - matrix) <= step * 0.5001).all()


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=FINITE))
def test_what_was_packed_once_is_packed_alike_again(matrix: NDArray[np.float32]) -> None:
    once = pack({"w": matrix})
    assert np.array_equal(pack(unpack(once))["w"], once["w"])


def test_only_matrices_are_rounded() -> None:
    tensors = {"bias": np.array([0.1, 0.7], np.float32), "half": np.ones((1, 1, 2), np.float16)}
    packed = pack(tensors)
    assert set(packed) == set(tensors)
    assert packed["bias"].tolist() == tensors["bias"].tolist()
    assert unpack(packed)["half"].dtype == np.float32


def test_a_large_number_costs_only_its_own_row() -> None:
    matrix = np.array([[1000, 1], [1, 0.5]], np.float32)
    assert unpack(pack({"w": matrix}))["w"][1].tolist() == pytest.approx([1, 0.5], abs=0.005)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="w holds numbers that are not finite"):
        pack({"w": np.array([[bad]], np.float32)})


def test_missing_scales_are_told() -> None:
    packed = pack({"w": np.ones((2, 2), np.float32)})
    for scale in (None, np.ones(3, np.float32)):
        broken = {"w": packed["w"]} | ({} if scale is None else {"w.scale": scale})
        with pytest.raises(InputError, match="w lacks its scales"):
            unpack(broken)


def test_a_packed_folder_is_an_encoder(tmp_path: Path) -> None:
    plain = write_tiny(tmp_path / "plain")
    pack_folder(plain, tmp_path / "small")
    assert not (tmp_path / "small" / WEIGHTS).exists()
    config, arrays_ = encoder_weights(tmp_path / "small")
    assert config["hidden_size"] == 8
    encoder, original = load_encoder(tmp_path / "small"), load_encoder(plain)
    assert encoder.sha256 == file_sha256(tmp_path / "small" / PACKED)
    state = encoder.model.state_dict()
    assert set(arrays_) == set(state)
    assert all(np.array_equal(arrays_[name], state[name].numpy()) for name in state)
    assert outline(tmp_path / "small") == outline(plain)
    ids = torch.tensor([encoder.tokenizer.encode("severe headache 12").ids])
    with torch.inference_mode():
        near, exact = (model(ids, torch.ones_like(ids))[0] for model in (encoder.model, original.model))
    assert float(torch.cosine_similarity(near, exact, dim=-1).min()) > 0.999


def test_the_weights_of_a_plain_encoder_come_by_todays_names(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    old = {f"bert.{name.replace('Norm.weight', 'Norm.gamma')}": value for name, value in tiny_tensors().items()}
    save_file({**old, "cls.predictions.bias": np.zeros(3, np.float32)}, folder / WEIGHTS)
    _, found = encoder_weights(folder)
    assert all(np.array_equal(found.pop(name), value) for name, value in tiny_tensors().items())
    assert not found


def test_packed_weights_need_no_torch(tmp_path: Path) -> None:
    pack_folder(write_tiny(tmp_path / "tiny"), tmp_path / "small")
    code = (
        "import sys; from extractors.encoders.packed import encoder_weights; "
        f"encoder_weights({str(tmp_path / 'small')!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_cannot_be_packed_or_told_apart_is_refused(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    pack_folder(folder, tmp_path / "small")
    with pytest.raises(InputError, match="exists already"):
        pack_folder(folder, tmp_path / "small")
    shutil.copy(tmp_path / "small" / PACKED, folder)
    with pytest.raises(InputError, match=r"it holds model\.int8\.safetensors and model\.safetensors: delete one"):
        load_encoder(folder)
    (folder / PACKED).unlink()
    (folder / "config.json").write_text(json.dumps({"model_type": "electra"}), "utf-8")
    with pytest.raises(InputError, match="only a BERT can be packed, its model_type is 'electra'"):
        pack_folder(folder, tmp_path / "other")


def test_a_cut_file_is_told(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-8])
    for load in (encoder_weights, load_encoder):
        with pytest.raises(InputError, match=str(folder)):
            load(folder)


def test_packing_the_packaged_encoder_keeps_its_vectors(tmp_path: Path) -> None:
    pack_folder("minilm", tmp_path / "small", origin="a test")
    assert (tmp_path / "small" / PACKED).stat().st_size < 23e6
    encoder, original = load_encoder(tmp_path / "small"), load_encoder("minilm")
    ids = torch.tensor([encoder.tokenizer.encode("Severe hypotension was induced by captopril.").ids])
    with torch.inference_mode():
        near, exact = (model(ids, torch.ones_like(ids))[0] for model in (encoder.model, original.model))
    assert float(torch.cosine_similarity(near, exact, dim=-1).min()) > 0.995
    record = json.loads((tmp_path / "small" / "source.json").read_text("utf-8"))
    assert (record["licence"], record["origin"]) == ("Apache-2.0", "a test")
    assert (tmp_path / "small" / PACKED).stat().st_mode & 0o044 == 0o044
    assert record["sha256"] == file_sha256(tmp_path / "small" / PACKED)
    assert "word_embeddings.weight.scale" in " ".join(load_file(tmp_path / "small" / PACKED))
