"""The tagger: by a model of random weights what holds of any text, by the shipped one what it must find."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny_readers import random_adapter, tiny_encoder

from extractors.adapter import read_adapter
from extractors.calibration import logit, sigmoid
from extractors.encoder import Encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger, joined, sentence_windows
from extractors.tags import Floats, Row, cut, scheme_of, sentence_ranges
from extractors.tokens import Tokens
from extractors.torch_model import TorchModel
from extractors.training.corpora import read_corpus
from pipeline.domains import load_domain
from pipeline.errors import AdapterError
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading

CONFIG = {"kind": "tagger", "types": ["Drug", "Ill"], "window": 24, "overlap": 8}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module", params=[("BIO", 5), ("BIOES", 9)], ids=lambda param: param[0])
def tagger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, encoder: Encoder
) -> Iterator[Tagger]:
    scheme, outputs = request.param
    folder = tmp_path_factory.mktemp("tagger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPOGRAPH_CACHE", str(folder))
        yield Tagger.load(random_adapter(folder / "adapter", encoder, outputs, CONFIG | {"scheme": scheme}))


@pytest.fixture(scope="module")
def biomed() -> Tagger:
    return Tagger.load("biomed-ner")


def mention(start: int, end: int, *, concept: str = "") -> Mention:
    groundings = (Grounding(concept, concept, 1.0, "exact"),) if concept else ()
    return Mention(start, end, "1", "x" * (end - start), "Drug", 1.0, "test@1", groundings)


class Recorder:
    """A model that calls each first piece of an even number a drug, and remembers which pieces it was shown."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.seen: list[Row] = []

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]:
        self.seen.extend(rows)
        for number, row in enumerate(rows):
            drugs = np.array(row.ids) % 2 == 0
            yield number, np.stack([~drugs, drugs, *(0 * drugs,) * 3], axis=1).astype(np.float32) * 9


HARD = (
    *("a", "Z", "7", " ", "  ", "\n", ".", ". ", "-", "acid", "Ca2+", "[SEP]", "##s", "\x00", "\ud800", "\U000e0001"),
    *("\u0301", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e", "😀", "👩\u200d🔬", "🇩🇪"),
    *("中", "の", "한", "\u1112\u1161", "ﬁ", "ß", "İ", "א", "ب", "\u0e33", "क्ष"),
)


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    """Up to 200,000 characters, made of a few of the hard ones, each run as long as it likes."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    parts = draw(st.lists(st.sampled_from(HARD), min_size=1, max_size=8))
    longest = draw(st.sampled_from([1, 3, 50, 2000, 200_000]))
    wanted = draw(st.sampled_from([0, 40, 700, 5_000, 200_000]))
    text = ""
    while len(text) < wanted:
        text += chance.choice(parts) * chance.randint(1, longest)
    return text[:wanted]


@given(long_texts())
@settings(max_examples=40, deadline=None)
def test_no_character_of_any_text_is_cut_off_or_read_twice(encoder: Encoder, text: str) -> None:
    model = Recorder(encoder)
    tagger = Tagger(model, CONFIG["types"], size=24, overlap=8, fingerprint="test@1")
    reading = split(Document("1", text))
    (found,) = tagger([reading])
    (pieces,) = cut(encoder.tokenizer, [text])
    ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
    windows = list(sentence_windows(pieces, ranges, size=24, overlap=8))
    assert [piece for w in windows for piece in range(w.first, w.last)] == list(range(len(pieces.ids)))
    assert Counter(row.ids for row in model.seen) == Counter(pieces.ids[w.start : w.end] for w in windows)
    assert all(len(row) <= 24 for row in model.seen)
    drugs = [word for word, head in zip(pieces.words, pieces.heads, strict=True) if pieces.ids[head] % 2 == 0]
    assert [(m.start, m.end) for m in found.mentions] == [(word.start, word.end) for word in drugs]
    assert all(text[m.start : m.end] == m.text for m in found.mentions)
    covered = np.zeros(len(text) + 1, dtype=int)
    for word in pieces.words:
        covered[word.start : word.end] += 1
    assert covered.max(initial=0) <= 1
    assert all(covered[at] for at, character in enumerate(text) if character.isascii() and character.isalnum())


@pytest.mark.parametrize("part", ["a", "中", "😀", "e\u0301", "\u200b", "שלום", "acid. ", "ACGT-", "👩\u200d🔬 "])
def test_a_long_text_goes_through_a_real_model_whole(tagger: Tagger, part: str) -> None:
    text = (part * 20_000)[:20_000]
    (found,) = tagger([split(Document("1", text))])
    assert all(text[m.start : m.end] == m.text for m in found.mentions)
    ends = [0, *(m.end for m in found.mentions)]
    assert all(end <= m.start < m.end for end, m in zip(ends, found.mentions, strict=False))


@given(st.lists(st.text(st.characters(), max_size=800), max_size=5))
@example(["0001:::;¸‐`"])
@settings(max_examples=25, deadline=None)
def test_any_text_gives_mentions_with_exact_offsets(tagger: Tagger, texts: list[str]) -> None:
    readings = [split(Document(str(at), text)) for at, text in enumerate(texts)]
    found = list(tagger(readings))
    assert [reading.document for reading in found] == [reading.document for reading in readings]
    for reading in found:
        ends = [0, *(m.end for m in reading.mentions)]
        assert all(end <= m.start < m.end for end, m in zip(ends, reading.mentions, strict=False))
        assert all(reading.document.text[m.start : m.end] == m.text for m in reading.mentions)
        assert all(0 <= m.score <= 1 and m.type in ("Drug", "Ill") for m in reading.mentions)  # 0.0000: a forced tag


def test_a_document_reads_the_same_alone_and_among_others(tagger: Tagger) -> None:
    texts = ["Aspirin helps. It may harm, too.", "One word", "", "acid " * 300, "Pain, fever and rash came."]
    readings = [split(Document(str(at), text)) for at, text in enumerate(texts)]
    together = [[(m.start, m.end, m.type) for m in reading.mentions] for reading in tagger(readings)]
    alone = [[(m.start, m.end, m.type) for m in reading.mentions] for one in readings for reading in tagger([one])]
    assert together == alone
    assert any(together)


def test_readings_are_taken_a_look_ahead_at_a_time(tagger: Tagger) -> None:
    taken = 0

    def endless() -> Iterator[Reading]:
        nonlocal taken
        for reading in repeat(Reading(Document("1", "Aspirin"))):
            taken += 1
            yield reading

    assert len(list(islice(tagger(endless()), 3))) == 3
    assert taken == tagger.ahead


def test_scores_are_scaled_as_whole_mentions(tagger: Tagger) -> None:
    text = split(Document("1", "Lithium and haloperidol gave pain to many."))
    (plain,) = tagger([text])
    scaled = Tagger(
        tagger.model,
        [name[2:] for name in tagger.names if name.startswith("B-")],
        size=tagger.size,
        overlap=tagger.overlap,
        fingerprint=tagger.fingerprint,
        scheme=scheme_of(tagger.names),
        line=(0.5, 1.0),
    )
    (other,) = scaled([text])
    assert plain.mentions
    assert [replace(new, score=old.score) for new, old in zip(other.mentions, plain.mentions, strict=True)] == list(
        plain.mentions
    )
    for new, old in zip(other.mentions, plain.mentions, strict=True):
        low, high = sigmoid(0.5 * logit(np.clip([old.score - 5e-5, old.score + 5e-5], 0, 1)) + 1.0)  # it is rounded
        assert low - 1e-4 <= new.score <= high + 1e-4


def test_the_fingerprint_depends_on_the_weights(encoder: Encoder, tagger: Tagger, tmp_path: Path) -> None:
    other = Tagger.load(random_adapter(tmp_path / "adapter", encoder, 5, CONFIG))
    name, _, digest = other.fingerprint.partition("@")
    assert name == "tagger:adapter"
    assert other.fingerprint != tagger.fingerprint
    assert Tagger.load(tmp_path / "adapter").fingerprint == other.fingerprint
    assert len(digest) == 16


def test_labels_that_do_not_fit_the_weights_are_refused(encoder: Encoder, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "adapter", encoder, 3, CONFIG)
    with pytest.raises(AdapterError, match="2 types, but its head scores 3 tags"):
        Tagger.load(adapter)


def test_the_tagger_reads_alike_by_onnxruntime_and_by_torch(encoder: Encoder, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "adapter", encoder, 5, CONFIG)
    rows = [Row(tuple(range(1000, 1000 + length)), tuple(range(2, 2 + length))) for length in (3, 9)]
    torch_scores = dict(TorchModel.load(read_adapter(adapter, kind="tagger"), "cpu").scores(rows))
    for at, scores in Tagger.load(adapter).model.scores(rows):
        assert scores == pytest.approx(torch_scores[at], abs=0.5)
        assert np.corrcoef(scores.ravel(), torch_scores[at].ravel())[0, 1] > 0.98


def test_a_missing_adapter_is_told() -> None:
    with pytest.raises(AdapterError, match="no adapter"):
        Tagger.load("/no/such/folder")


class Doubtful:
    """A model for which each word is a drug with a probability of one half, and an illness with one of a hundredth."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def scores(self, rows: Sequence[Row]) -> Iterator[tuple[int, Floats]]:
        for number, row in enumerate(rows):
            yield number, np.log(np.tile(np.array([0.49, 0.25, 0.25, 0.005, 0.005], dtype=np.float32), (len(row), 1)))


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0.6, "told other"), (0.4, "name told other"), (0.0, "name ill told other")]
)
def test_a_name_of_a_vocabulary_stays_where_the_tagger_believes_it(
    encoder: Encoder, threshold: float, kept: str
) -> None:
    words = (("name", "Drug"), ("ill", "Ill"), ("told", "Drug"), ("other", "Gene"))
    text = " ".join(word for word, _ in words)
    given = [
        Mention(text.index(word), text.index(word) + len(word), "1", word, kind, 0.9, extractor)
        for word, kind in words
        for extractor in ["pubtator" if word == "told" else "dictionary@1"]
    ]
    tagger = Tagger(Doubtful(encoder), CONFIG["types"], size=24, overlap=8, fingerprint="test@1", threshold=threshold)
    (found,) = tagger([replace(split(Document("1", text)), mentions=tuple(given))])
    assert [mention.text for mention in found.mentions] == kept.split()


def test_what_is_found_wins_over_what_was_there() -> None:
    assert joined([mention(0, 5)], [mention(3, 9), mention(20, 25)]) == (mention(0, 5), mention(20, 25))


def test_a_linked_name_wins_where_it_covers_what_is_found() -> None:
    linked, cut_off = mention(0, 9, concept="MESH:D1"), mention(12, 20, concept="MESH:D2")
    found = [mention(0, 5), mention(10, 14)]
    assert joined(found, [linked, cut_off]) == (linked, mention(10, 14))
    assert joined(found, [linked, cut_off], unquestioned=True) == (linked, cut_off)


def test_the_shipped_tagger_finds_a_drug_and_what_it_did(biomed: Tagger) -> None:
    text = (
        "Naloxone reverses the antihypertensive effect of clonidine.\nIn rats, haloperidol caused catalepsy and pain."
    )
    (reading,) = biomed([split(Document("1", text))])
    found = {(m.text, m.type) for m in reading.mentions}
    assert {("Naloxone", "Chemical"), ("clonidine", "Chemical"), ("haloperidol", "Chemical")} <= found
    assert {("catalepsy", "Disease"), ("pain", "Disease"), ("rats", "Species")} <= found


def test_the_shipped_tagger_still_reads_real_abstracts(biomed: Tagger, shared_data: Path) -> None:
    path = shared_data / "bc5cdr/CDR_DevelopmentSet.PubTator.txt"
    gold = read_corpus(path, load_domain("biomed"), task="ner", problems=[]).readings[:40]
    found = list(biomed(replace(reading, mentions=()) for reading in gold))
    assert mention_f1(gold, found, frozenset({"Chemical", "Disease"})) > 78
