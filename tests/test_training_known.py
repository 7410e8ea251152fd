"""A tagger that is told which names vocabularies know: a toy language in which nothing else tells names from words."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_readers import QUICK, tiny_encoder

from extractors.adapter import read_adapter
from extractors.dictionary import Dictionary
from extractors.encoder import load_encoder
from extractors.explain import Explainer
from extractors.tagger import Tagger
from extractors.tags import Pieces, named
from extractors.torch_model import TorchModel
from extractors.training.corpora import Corpus
from extractors.training.ner import UNTOLD, TagTask
from extractors.training.run import fit
from pipeline.text import split
from pipeline.types import Document, Mention, Reading, Span
from pipeline.vocabulary import Vocabulary, build

CHANCE = random.Random(5)
WORDS = ["".join(CHANCE.choice(part) for part in ("bdgkl", "aeo", "mnrt", "iu", "bdgk")) for _ in range(400)]
WORDS = sorted(set(WORDS))[:160]
KNOWN, UNKNOWN = WORDS[::2], WORDS[1::2]


def study(name: str, other: str) -> Reading:
    """Of two words of no meaning the one that the vocabulary has is a chemical."""
    first, second = sorted((name, other), key=hash_of)
    text = f"We gave {first} and {second} to rats."
    start = text.index(name)
    mention = Mention(start, start + len(name), name, name, "Chemical", 1.0, "gold")
    return replace(split(Document(name, text)), mentions=(mention,))


def hash_of(word: str) -> int:
    return sum(ord(letter) * 31**at for at, letter in enumerate(word)) % 97


STUDIES = [study(name, other) for name, other in zip(KNOWN, UNKNOWN, strict=True)]
LEARNT = Corpus("studies", tuple(STUDIES[:60]), frozenset({"Chemical"}))
DEV = Corpus("dev", tuple(STUDIES[60:]), frozenset({"Chemical"}))


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Dictionary:
    folder = tmp_path_factory.mktemp("vocabulary")
    source = folder / "names.tsv"
    rows = ["id\tname\ttype", *(f"C:{at}\t{name}\tChemical" for at, name in enumerate(KNOWN))]
    source.write_text("\n".join(rows), "utf-8")
    return Dictionary([Vocabulary.open(build("names", [source], folder).path)], ["Chemical", "Disease"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, dictionary: Dictionary) -> Path:
    folder = tmp_path_factory.mktemp("known")
    tiny_encoder(folder / "encoder")
    task = TagTask(load_encoder(folder / "encoder"), [LEARNT], [DEV], ["Chemical"], dictionary=dictionary)
    scores = fit(task, QUICK, folder / "model")
    assert scores["dev"] > 90
    assert scores[f"dev{UNTOLD}"] < 70
    return folder / "model"


def test_names_that_were_never_seen_are_found_where_a_vocabulary_knows_them(
    model: Path, dictionary: Dictionary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path))
    adapter = read_adapter(model, kind="tagger")
    assert adapter.known == ("Chemical",)
    assert adapter.config["dictionary"] == dictionary.fingerprint
    bare = [replace(one, mentions=()) for one in DEV.readings]
    taggers = [Tagger.load(model, threshold=1.0), Tagger.of(adapter, TorchModel.load(adapter, "cpu"), threshold=1.0)]
    for tagger in taggers:  # by onnxruntime and by torch; at 1.0 no name stays that the tagger does not find itself
        read = list(tagger(dictionary(bare)))
        right = sum(
            [m.text for m in one.mentions] == [gold.document.id] for one, gold in zip(read, DEV.readings, strict=True)
        )
        assert right > 0.9 * len(read)
        assert list(tagger(bare)) != read


def test_an_explanation_is_of_the_score_that_the_tagger_had(
    model: Path, dictionary: Dictionary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path))
    (read,) = Tagger.load(model, threshold=1.0)(dictionary([replace(DEV.readings[0], mentions=())]))
    told, untold = (
        Explainer.load(model, dictionary=names, steps=2, device="cpu")(read).attributions[0].score
        for names in (dictionary, None)
    )
    assert told > 0.6 > untold


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_each_piece_of_a_word_that_a_name_touches_is_marked(lengths: list[int], data: st.DataObject) -> None:
    edges = [sum(lengths[:at]) for at in range(len(lengths) + 1)]
    words = tuple(Span(start, end) for start, end in pairwise(edges))
    heads = tuple(range(0, 2 * len(words), 2))
    pieces = Pieces(tuple(range(2 * len(words))), words, heads, (0,) * 2 * len(words))
    start = data.draw(st.integers(0, edges[-1] - 1))
    end = data.draw(st.integers(start + 1, edges[-1]))
    found = named(pieces, [(start, end, "B"), (0, edges[-1], "Z")], ["A", "B"])
    touched = [word.start < end and start < word.end for word in words]
    assert found == [2 * hit for hit in touched for _ in range(2)]
    assert named(pieces, [], ["A"]) == [0] * len(found)
