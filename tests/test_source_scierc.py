"""Tokens in JSON lines: exact places in the joined text, gold as the corpus counts it, and bad rows told."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotations import scierc as written
from pipeline.sources import scierc
from pipeline.sources.shared import gold
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.sources.shared.unpack import streams
from pipeline.types import Document, Failure, Reading, Section, Sentence

ROW = {
    "doc_key": "A1",
    "sentences": [["Fish", "oil", "thins", "blood", "."], ["It", "helps", "."]],
    "ner": [[[0, 1, "Drug"], [1, 1, "Fluid"], [3, 3, "Fluid"]], [[5, 5, "Drug"]]],
    "relations": [[[0, 1, 3, 3, "THINS"]], [[5, 5, 3, 3, "HELPS"]]],
    "clusters": [[[0, 1], [5, 5]]],
}


def read(*rows: dict[str, Any] | str) -> list[Reading | Failure]:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    stream = Stream("x", io.BufferedReader(io.BytesIO(text.encode())))
    assert scierc.sniff(stream.head)
    return list(scierc.read_annotated(stream, "x"))


def one(*rows: dict[str, Any] | str) -> Reading:
    (found,) = read(*rows)
    assert isinstance(found, Reading), found
    return found


def test_tokens_sentences_and_gold() -> None:
    found = one(ROW)
    assert found.document.id == "A1"
    assert found.document.text == "Fish oil thins blood . It helps ."
    assert [s.of(found.document.text) for s in found.sentences] == ["Fish oil thins blood .", "It helps ."]
    assert [(m.start, m.end, m.text, m.type) for m in found.mentions] == [
        (0, 8, "Fish oil", "Drug"),
        (5, 8, "oil", "Fluid"),
        (15, 20, "blood", "Fluid"),
        (23, 25, "It", "Drug"),
    ]
    claims = [(r.subject.text, r.predicate, r.object.text, r.start, r.end) for r in found.relations]
    assert claims == [("Fish oil", "THINS", "blood", 0, 22), ("It", "HELPS", "blood", 0, 33)]
    stream = Stream("x", io.BufferedReader(io.BytesIO(json.dumps(ROW).encode())))
    assert list(scierc.read(stream, "x")) == [found.document]


def test_tokens_with_tags() -> None:
    row = {
        "unique_id": "fulltext_1",
        "bibcode": "2019MNRAS.486.5558S",
        "tokens": ["The", "Kepler", "telescope", "saw", "HD", "1"],
        "ner_tags": ["O", "B-Telescope", "I-Telescope", "O", "B-Object", "B-Object"],
    }
    found = one(row)
    assert (found.document.id, found.document.year, found.sentences) == ("fulltext_1", 2019, ())
    assert [(m.text, m.type) for m in found.mentions] == [
        ("Kepler telescope", "Telescope"),
        ("HD", "Object"),
        ("1", "Object"),
    ]
    assert not one({key: row[key] for key in ("unique_id", "tokens")}).mentions


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ner": [[[0, 8, "Drug"]], []]}, "has an annotation outside of its 8 tokens: 0 to 8"),
        ({"ner": [[[2, 1, "Drug"]], []]}, "has an annotation outside of its 8 tokens: 2 to 1"),
        ({"ner": [[[-1, 1, "Drug"]], []]}, "has an annotation outside of its 8 tokens: -1 to 1"),
        ({"ner": [[[0, True, "Drug"]], []]}, "has an annotation outside of its 8 tokens: 0 to True"),
        ({"ner": [[["0", 1, "Drug"]], []]}, "has an annotation outside of its 8 tokens: '0' to 1"),
        ({"ner": [[[0, 1]], []]}, "has an entity that is no [first token, last token, type]: [0, 1]"),
        ({"relations": [[[0, 1, 2, 2, "THINS"]], []]}, "relates [2, 2], where no entity is: [0, 1, 2, 2, 'THINS']"),
        ({"relations": [[[0, 0, 3, 3, "THINS"]], []]}, "relates [0, 0], where no entity is: [0, 0, 3, 3, 'THINS']"),
        ({"relations": [[[0, 1, 3, 3]], []]}, "has a relation that is no [first, last, first, last token, name]: "),
    ],
)
def test_a_bad_annotation_costs_no_other(change: dict[str, Any], reason: str) -> None:
    found, failure, following = read(ROW | {"relations": []} | change, ROW)
    assert isinstance(found, Reading)
    assert isinstance(failure, Failure)
    assert isinstance(following, Reading)
    assert len(found.mentions) == (0 if "ner" in change else 4)
    assert failure.place == "line 1 (A1)"
    assert failure.reason.startswith(reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"doc_key": "B", "sentences": [["a", 3]]}', "has tokens that are no list of strings: ['a', 3]"),
        ('{"doc_key": "B", "sentences": [[]]}', "has neither title nor text"),
        ('{"doc_key": "B", "sentences": "a b"}', "has sentences that are no list: 'a b'"),
        ('{"doc_key": "B", "sentences": [["a"]], "ner": [1]}', "has ner that are no list: 1"),
        ('{"doc_key": "B"}', "has tokens that are no list of strings: None"),
        ('{"tokens": ["a"], "ner_tags": ["O", "O"]}', "has 2 tags for 1 tokens"),
        ('{"tokens": ["a"], "ner_tags": ["Gene"]}', "has a tag that is neither O nor like B-Gene: 'Gene'"),
        ('{"tokens": ["a"], "ner_tags": [7]}', "has a tag that is neither O nor like B-Gene: 7"),
        ('{"sentences": [["a"', "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"sentences": ' + "[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_bad_line_costs_no_other(line: str, reason: str) -> None:
    first, failure, last = read(ROW, line, "", ROW)
    assert isinstance(failure, Failure)
    assert failure.place == "line 2"
    assert failure.reason.startswith(reason)
    assert first == last == one(ROW)


@pytest.mark.parametrize(
    "head",
    [
        '{"title": "A", "tokens": ["a", "b"]}',
        '{"text": "the \\"sentences\\": [[ of a court"}',
        '{"id": 1, "title": "A"}\n{"sentences": [["a"]]}',
        '[{"sentences": [["a"]]}]',
        '{"sentences": [{"text": "a"}]}',
    ],
)
def test_other_formats_are_left_alone(head: str) -> None:
    assert not scierc.sniff(head)


def test_a_long_first_line_is_known_by_its_beginning() -> None:
    assert scierc.sniff(json.dumps({"clusters": [], "sentences": [["oil"] * 30_000]})[:65_000])


TOKENS = st.sampled_from(["oil", "Fish", ",", "rigidly-moving", "Fig.", "β", "0.5", "(", ")", "10%", "\u2009", "a b"])


@st.composite
def readings(draw: st.DrawFn, tokens: st.SearchStrategy[str]) -> Reading:
    lists = draw(st.lists(st.lists(tokens, min_size=1, max_size=8), min_size=1, max_size=4))
    flat = [token for row in lists for token in row]
    text, spans = gold.joined(flat)
    document = Document("d1", text, (Section(0, len(text), "body"),))
    ends, at = [], 0
    for row in lists:
        ends.append(Sentence(spans[at].start, spans[at + len(row) - 1].end, "body"))
        at += len(row)
    pairs = st.tuples(st.integers(0, len(flat) - 1), st.integers(0, len(flat) - 1)).map(sorted)
    places = sorted({tuple(pair) for pair in draw(st.lists(pairs, max_size=5))})
    mentions = gold.in_order(gold.mention(document, spans[a].start, spans[b].end, "X") for a, b in places)
    return Reading(document, tuple(ends), mentions=mentions)


@given(st.lists(readings(st.sampled_from(["oil", "Fish", "thins", "β", "x1"]).map(str)), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_what_is_written_comes_back(given: list[Reading]) -> None:
    text = "".join(written(given))
    assert read(*text.splitlines()) == given


@given(readings(TOKENS.filter(lambda token: " " not in token and token.strip())))
@settings(max_examples=100, deadline=None)
def test_tokens_of_a_tokenised_text_stay(given: Reading) -> None:
    closed = given.document.text + " ." * (given.document.text.count("Fig.") + given.document.text.count(")") + 1)
    first, *_ = given.sentences
    sentences = (Sentence(first.start, len(closed), "body"),)
    document = Document("d1", closed, (Section(0, len(closed), "body"),))
    mentions = tuple(gold.mention(document, m.start, m.end, m.type) for m in given.mentions)
    whole = Reading(document, sentences, mentions=mentions)
    (line,) = written([whole])
    assert json.loads(line)["sentences"] == [closed.split(" ")]
    assert read(line) == [whole]


@given(st.binary(max_size=80), st.integers(0, 200))
@settings(deadline=None)
def test_noise(noise: bytes, at: int) -> None:
    sample = json.dumps(ROW).encode()
    stream = Stream("x", io.BufferedReader(io.BytesIO(sample[:at] + noise + sample[at:] + b"\n" + sample)))
    try:
        items = list(scierc.read_annotated(stream, "x"))
    except (Unreadable, UnicodeError):
        return
    for item in items:
        str(item).encode()
        for mention in item.mentions if isinstance(item, Reading) else ():
            assert item.document.text[mention.start : mention.end] == mention.text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "documents", "sentences", "mentions", "relations"),
    [
        ("scierc/dev.json", 50, 275, 811, 455),
        ("scierc/train.json", 350, 1861, 5598, 3219),
        ("chemprot/pure_json/dev.json", 327, 3360, 8415, 1373),
        ("wiesp_astro_ner/WIESP2022-NER-TRAINING.train80.jsonl.gz", 1416, 0, 32763, 0),
        ("wiesp_astro_ner/WIESP2022-NER-VALIDATION-NO-LABELS.jsonl.gz", 1360, 0, 0, 0),
    ],
)
def test_real_corpora(
    shared_data: Path, name: str, documents: int, sentences: int, mentions: int, relations: int
) -> None:
    found = []
    for stream in streams(shared_data / name):
        assert isinstance(stream, Stream)
        found += list(scierc.read_annotated(stream, name))
    readings = [item for item in found if isinstance(item, Reading)]
    assert len(found) == len(readings) == documents
    assert sum(len(reading.sentences) for reading in readings) == sentences
    assert sum(len(reading.mentions) for reading in readings) == mentions
    assert sum(len(reading.relations) for reading in readings) == relations
    if sentences:
        assert read(*"".join(written(readings)).splitlines()) == readings
