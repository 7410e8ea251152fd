"""Mentions in real abstracts by the engine, against transformers' token classification pipeline with the same weights.

The pipeline is run at its best: dtype, batch size and sentences or whole abstracts are first tried on a few abstracts.
Both sides are given sentences that are already split.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import torch
from measure import ROOT, Figure, Missing, race

from extractors.adapter import Adapter, Array, merged, read_adapter
from extractors.encoders import find, read_json
from extractors.encoders.packed import encoder_weights
from extractors.engine.graph import build
from extractors.engine.parts import Inputs, Shape
from extractors.engine.session import Engine
from extractors.evaluate import mention_f1
from extractors.model import OnnxModel
from extractors.tagger import Tagger
from extractors.tokens import load_tokens
from extractors.training.corpora import read_corpus
from pipeline.domains import load_domain
from pipeline.types import Reading

CORPUS = ROOT.parent / "shared" / "data" / "bc5cdr" / "CDR_DevelopmentSet.PubTator.txt"
TYPES = frozenset({"Chemical", "Disease"})
READER = "biomed-ner-fast"
TRIED = 12  # abstracts for finding the pipeline's best setting
RACED = 100  # on all 500 six runs of the pipeline take minutes; F1 is that of all
LOST = 0.2  # F1 that int8 may cost
Peer: TypeAlias = Callable[[Sequence[Reading]], object]


def figures() -> Iterator[Figure]:
    if not CORPUS.is_file():
        raise Missing(f"no {CORPUS}: the development set of BC5CDR belongs there")
    gold = read_corpus(CORPUS, load_domain("biomed"), task="ner", problems=[]).readings
    papers = [replace(reading, mentions=()) for reading in gold]
    adapter = read_adapter(READER, kind="tagger")
    tagger = Tagger.load(READER, device="cpu")
    folder, weights = weights_of(adapter)
    tell_f1(tagger, Tagger.of(adapter, exact(adapter, folder, weights)), gold)
    with TemporaryDirectory() as place:
        write_model(Path(place), folder, weights, tagger.names)
        peer = best_setting(Path(place), papers[:TRIED])
        yield race(
            "reading: entities vs transformers.pipeline at its best",
            lambda: list(tagger(papers[:RACED])),
            lambda: peer(papers[:RACED]),
            n=RACED,
            unit="abstracts",
        )


def weights_of(adapter: Adapter) -> tuple[Path, dict[str, Array]]:
    """The folder of an adapter's encoder, and the weights of both together."""
    found = find(adapter.encoder)
    assert found is not None
    return found.folder, merged(encoder_weights(found.folder)[1], adapter)


def exact(adapter: Adapter, folder: Path, weights: Mapping[str, Array]) -> OnnxModel:
    """The same model in float32."""
    tokens, shape = load_tokens(folder), Shape.of(read_json(folder / "config.json"))
    model = build(shape, weights, Inputs(adapter.shaped, marks=bool(adapter.known)), precision="fp32")
    return OnnxModel(tokens, Engine(model, cls_id=tokens.cls_id, sep_id=tokens.sep_id))


def tell_f1(ours: Tagger, exact: Tagger, gold: Sequence[Reading]) -> None:
    """The F1 of ours and of the same weights in float32; raises AssertionError where they are too far apart."""
    papers = [replace(reading, mentions=()) for reading in gold]
    mine, theirs = (mention_f1(gold, list(reader(papers)), TYPES) for reader in (ours, exact))
    sys.stderr.write(f"reading: F1 of {len(gold)} abstracts {mine:.2f}, in float32 {theirs:.2f}\n")
    assert mine > theirs - LOST


def write_model(place: Path, folder: Path, weights: Mapping[str, Array], tags: Sequence[str]) -> None:
    """Write the same weights as a model of transformers."""
    from transformers import BertConfig, BertForTokenClassification

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, place)
    kinds = len(weights["embeddings.token_type_embeddings.weight"])
    config = BertConfig.from_pretrained(folder, id2label=dict(enumerate(tags)), type_vocab_size=kinds)
    model = BertForTokenClassification(config)
    tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    model.bert.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.startswith("head.")})
    model.classifier.load_state_dict({"weight": tensors["head.weight"], "bias": tensors["head.bias"]})
    model.save_pretrained(place)


def best_setting(folder: Path, papers: Sequence[Reading]) -> Peer:
    """The pipeline with the setting that reads the given papers fastest."""
    from transformers import pipeline

    taken: dict[float, tuple[str, Peer]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        pipe = pipeline("token-classification", str(folder), dtype=dtype, device="cpu", aggregation_strategy="first")
        for batch, texts in product((1, 8, 32), (sentences_of, abstracts_of)):
            run = partial(piped, pipe=pipe, batch=batch, texts=texts)
            run(papers[:2])
            start = time.perf_counter()
            run(papers)
            taken[time.perf_counter() - start] = (f"{dtype}, batches of {batch}, {texts.__name__}", run)
    name, best = taken[min(taken)]
    sys.stderr.write(f"reading: the pipeline is fastest with {name}: {len(papers) / min(taken):.1f} abstracts/s\n")
    return best


def piped(papers: Sequence[Reading], *, pipe: Any, batch: int, texts: Callable[[Sequence[Reading]], list[str]]) -> Any:
    return pipe(texts(papers), batch_size=batch)


def sentences_of(papers: Sequence[Reading]) -> list[str]:
    return [paper.document.text[s.start : s.end] for paper in papers for s in paper.sentences]


def abstracts_of(papers: Sequence[Reading]) -> list[str]:
    return [paper.document.text for paper in papers]
