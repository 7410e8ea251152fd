"""Proofs that a converted encoder computes what the file it was taken from computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from extractors.bert import Bert, bert_weights
from extractors.encoders import CONFIG, TOKENIZER, WEIGHTS, read_json
from pipeline.errors import AdapterError

TOLERANCE = 1e-4
SENTENCES = (
    "Magnesium.",
    "Severe hypotension was induced by 25 mg of captopril (p<0.05) in 3 of 14 patients.",
    "TGF-β1 and NF-κB mediate isoproterenol-induced cardiac hypertrophy – see Müller et al., 2019.",
    "We train graph neural networks with 1.2e9 parameters on spectra of the Crab Nebula (M1), z = 0.0021. " * 8,
)
BLANKS = (
    ("The capital of France is [MASK].", "paris"),
    ("Paris is the capital of [MASK].", "france"),
    ("He drank a glass of [MASK] because he was thirsty.", "water"),
    ("She opened the [MASK] with her key.", "door"),
    ("He is the father and she is the [MASK] of the child.", "mother"),
)


def outputs_agree(model: Path, folder: Path) -> float:
    """The largest difference between the vectors of the ONNX file and ours; AdapterError where it is too large.

    Sentences of several lengths go alone and as one padded batch.
    """
    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}
    bert, tokenizer = _load(folder)
    largest = 0.0
    for ids, mask in _batches(tokenizer):
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        theirs = session.run(None, {name: value for name, value in feed.items() if name in wanted})[0]
        with torch.inference_mode():
            ours = bert(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        largest = max(largest, float(np.abs(ours - theirs)[mask.astype(bool)].max()))
    if not largest < TOLERANCE:  # a NaN is no agreement either
        raise AdapterError(f"{model.name}: converted, its vectors differ by {largest:.2g}: it is not kept")
    return largest


def fills_blanks(folder: Path) -> None:
    """Let the masked-language head fill in plain blanks; AdapterError where it fails at one."""
    bert, tokenizer = _load(folder)
    tensors = load_file(folder / WEIGHTS)
    mask_id = tokenizer.token_to_id("[MASK]")
    for text, word in BLANKS:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            hidden = bert(ids, torch.ones_like(ids))[ids == mask_id]
            best = int(_predictions(hidden, tensors).argmax())
        if (said := str(tokenizer.id_to_token(best)).lower()) != word:
            raise AdapterError(f"converted, the model says {said!r} in {text!r} and not {word!r}: it is not kept")


def _load(folder: Path) -> tuple[Bert, Tokenizer]:
    config = read_json(folder / CONFIG)
    bert = Bert(config).eval()
    try:
        bert.load_state_dict(bert_weights(load_file(folder / WEIGHTS)))
    except RuntimeError as error:
        raise AdapterError(f"converted, the weights do not make a BERT: {error}") from error
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.enable_truncation(config["max_position_embeddings"])
    tokenizer.no_padding()
    return bert, tokenizer


def _batches(tokenizer: Tokenizer) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    rows = [tokenizer.encode(text).ids for text in SENTENCES]
    for group in (*([row] for row in rows), rows):
        length = max(map(len, group))
        ids = np.array([row + [0] * (length - len(row)) for row in group])
        mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in group])
        yield ids, mask


def _predictions(hidden: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """Scores of all pieces, of shape places x vocabulary."""
    head = {name.removeprefix("cls.predictions."): tensor for name, tensor in tensors.items()}
    hidden = functional.gelu(functional.linear(hidden, head["transform.dense.weight"], head["transform.dense.bias"]))
    norm = head["transform.LayerNorm.weight"], head["transform.LayerNorm.bias"]
    hidden = functional.layer_norm(hidden, hidden.shape[-1:], *norm, eps=1e-12)
    return functional.linear(hidden, tensors["bert.embeddings.word_embeddings.weight"], head["bias"])
