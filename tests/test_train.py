"""Training on next to nothing: what is written can be loaded, and it has learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_readers import tiny_encoder

from extractors.encoder import load_encoder
from extractors.evaluate import claims_of, mention_f1, relation_f1
from extractors.relations import RelationTagger
from extractors.tagger import Tagger
from extractors.train import Annotated, Plan, batches, chance_of, drawn, packed
from extractors.train_relations import scheme_of, train_relation_tagger
from extractors.train_tagger import train_tagger
from pipeline.domains import load_domain
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation

PLAN = Plan(epochs=30, rank=8, batch_tokens=128, rate=1e-2, head_rate=1e-2, average=0.9, masked=0.0)


def study(number: int) -> Reading:
    """A drug, and an illness that it causes in every second paper."""
    harms = number % 2 == 0
    text = f"We gave aspirin to rats. {'It caused pain.' if harms else 'It never did cure pain.'}"
    names = [("aspirin", "Chemical"), ("pain", "Disease")]
    places = [(text.index(name), name, kind) for name, kind in names]
    drug, ill = (
        Mention(at, at + len(name), str(number), name, kind, 1.0, "gold", (Grounding(name, name, 1.0, "gold"),))
        for at, name, kind in places
    )
    relation = Relation(0, len(text), str(number), "INDUCES", drug, ill, 1.0, "gold")
    return replace(split(Document(str(number), text)), mentions=(drug, ill), relations=(relation,) if harms else ())


STUDIES = tuple(study(number) for number in range(22))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    tiny_encoder(folder / "encoder")
    return folder


def test_a_trained_tagger_can_be_loaded_and_has_learnt(folder: Path) -> None:
    types = ("Chemical", "Disease")
    corpus = Annotated(STUDIES, frozenset(types), peek=STUDIES[:1])
    train_tagger(load_encoder(folder / "encoder"), [corpus], types, folder / "ner", PLAN)
    found = list(Tagger.load(folder / "ner")(replace(reading, mentions=()) for reading in STUDIES))
    assert mention_f1(STUDIES, found, corpus.names) == 100


def test_a_trained_relation_tagger_can_be_loaded_and_has_learnt(folder: Path) -> None:
    encoder = load_encoder(folder / "encoder")
    corpus = Annotated(STUDIES, frozenset({"INDUCES"}), peek=STUDIES[:1])
    scheme = scheme_of(STUDIES, encoder, ("Chemical", "Disease"), frozenset())
    assert scheme.pairs == {"INDUCES": {("Chemical", "Disease")}}
    domain = load_domain("biomed")
    train_relation_tagger(encoder, [corpus], scheme, domain, folder / "re", PLAN)
    tagger = RelationTagger.load(folder / "re", domain)
    assert tagger.scheme == scheme
    found = list(tagger(replace(reading, relations=()) for reading in STUDIES))
    assert relation_f1(STUDIES, found, corpus.names) == 100
    assert claims_of(found[0], corpus.names) == {("INDUCES", "aspirin", "pain")}
    assert found[1].relations == ()


@given(st.lists(st.integers(1, 50)), st.integers(1, 100))
def test_batches_hold_each_item_once_and_keep_the_limit(lengths: list[int], tokens: int) -> None:
    items = list(enumerate(lengths))
    found = batches(items, lambda item: item[1], tokens=tokens, chance=chance_of(0))
    assert sorted(item for batch in found for item in batch) == items
    assert all(len(batch) == 1 or max(length for _, length in batch) * len(batch) <= tokens for batch in found)


def test_packing_keeps_the_order() -> None:
    assert list(packed([1, 2, 3, 9, 1], lambda item: item, 6)) == [[1, 2], [3], [9], [1]]


def test_a_share_of_a_corpus_is_drawn() -> None:
    corpora = [Annotated((), frozenset()), Annotated((), frozenset(), share=0.5)]
    seen = drawn([[1, 2], [3, 4, 5, 6]], corpora, chance_of(0))
    assert (len(seen), len(set(seen)), set(seen[:2])) == (4, 4, {1, 2})


def test_seeds_make_training_the_same(folder: Path) -> None:
    corpus = Annotated(STUDIES[:4], frozenset({"Chemical", "Disease"}))
    written = []
    for name in ("one", "two"):
        plan = replace(PLAN, epochs=2)
        torch.manual_seed(len(name))
        train_tagger(load_encoder(folder / "encoder"), [corpus], ("Chemical", "Disease"), folder / name, plan)
        written.append((folder / name / "adapter.safetensors").read_bytes())
    assert written[0] == written[1]
