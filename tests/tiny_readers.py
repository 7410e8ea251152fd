"""A very small encoder with random weights, adapters for it, and a toy language that it can learn by the same code."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from extractors.adapter import write_adapter
from extractors.classifier import RelationClassifier, TokenClassifier
from extractors.encoder import Encoder, encoder_folder, load_encoder
from extractors.training.corpora import Corpus
from extractors.training.plan import Plan
from extractors.training.tuning import trained, tune
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation

DRUGS = ("aspirin", "lithium", "naloxone", "ibuprofen")
ILLS = ("pain", "fever", "asthma", "rash")


def tiny_encoder(folder: Path) -> Encoder:
    """Write an encoder of two layers with the vocabulary of minilm, and load it."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, initializer_range=0.2
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(encoder_folder("minilm") / name, folder)
    return load_encoder(folder)


def tuned(encoder: Encoder, outputs: int, tuning: str, *, slots: int = 0, **more: Any) -> TokenClassifier:
    """A fresh classifier (of relations, where there are slots) whose every trainable tensor is random."""
    base = load_encoder(encoder.name)
    model = RelationClassifier(base, outputs, slots=slots) if slots else TokenClassifier(base, outputs)
    model.see_shapes()
    tune(model, Plan(tuning=tuning, rank=2), steps=10, precision=torch.float32, **more)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.copy_(torch.randn(weight.shape) * 0.3)
    return model.eval()


def random_adapter(
    folder: Path, encoder: Encoder, outputs: int, config: Mapping[str, Any], *, tuning: str = "lora"
) -> Path:
    """Write an adapter whose every tensor is random."""
    model = tuned(encoder, outputs, tuning, slots=config.get("slots", 0), markers=config.get("markers", ()))
    tensors = {name: tensor.numpy() for name, tensor in trained(model, Plan(tuning=tuning)).items()}
    told = {"encoder": encoder.name, "encoder_sha256": encoder.sha256, "method": tuning, "shaped": True}
    write_adapter(folder, {**told, **config}, {name: np.asarray(tensor) for name, tensor in tensors.items()})
    return folder


def study(number: int) -> Reading:
    """A paper of the toy language: a drug, an illness, and in two of three papers that the one induces the other."""
    drug, ill, harms = DRUGS[number % 4], ILLS[number // 4 % 4], number % 3
    said = ("It caused", "It never did cure", "It led to")[harms]
    text = f"We gave {drug} to rats. {said} {ill}."
    one, other = (
        Mention(at, at + len(name), str(number), name, kind, 1.0, "gold", (Grounding(name, name, 1.0, "gold"),))
        for name, kind in ((drug, "Chemical"), (ill, "Disease"))
        for at in [text.index(name)]
    )
    relation = Relation(0, len(text), str(number), "INDUCES", one, other, 1.0, "gold")
    relations = (relation,) if harms != 1 else ()
    return replace(split(Document(str(number), text)), mentions=(one, other), relations=relations)


STUDIES = tuple(study(number) for number in range(48))
TYPES = ("Chemical", "Disease")
NER = Corpus("studies", STUDIES, frozenset(TYPES))
RE = Corpus("studies", STUDIES, frozenset({"INDUCES"}))
QUICK = Plan(
    epochs=24, rank=8, batch_tokens=128, rate=5e-3, head_rate=3e-2, average=0.9, masked=0.0, dropout=0.0, device="cpu"
)  # fmt: skip


def write_pubtator(path: Path, readings: Iterable[Reading]) -> None:
    """Write studies as a corpus; their concepts get an id of MeSH's look."""
    rows: list[str] = []
    for reading in readings:
        at = reading.document.id
        rows += [f"{at}|t|{reading.document.text}", f"{at}|a|"]
        rows += [f"{at}\t{m.start}\t{m.end}\t{m.text}\t{m.type}\t{uid_of(m.text)}" for m in reading.mentions]
        rows += [f"{at}\tCID\t{uid_of(r.subject.text)}\t{uid_of(r.object.text)}" for r in reading.relations]
        rows.append("")
    path.write_text("\n".join(rows), "utf-8")


def uid_of(name: str) -> str:
    return f"D{[*DRUGS, *ILLS].index(name):06}"
