"""The tagger: by a model of random weights what holds of any text, by the shipped one what it must find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_readers import random_adapter, tiny_encoder

from extractors.adapters.train_biomed import read
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger, joined
from extractors.tags import tag_names
from extractors.train_tagger import partial_tags, tag_examples
from pipeline.errors import AdapterError
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading

CONFIG = {"kind": "tagger", "types": ["Drug", "Ill"], "window": 24, "overlap": 8}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    folder = tmp_path_factory.mktemp("tagger")
    encoder = tiny_encoder(folder / "encoder")
    return Tagger.load(random_adapter(folder / "adapter", encoder, 5, CONFIG))


@pytest.fixture(scope="module")
def biomed() -> Tagger:
    return Tagger.load("biomed-ner")


def mention(start: int, end: int, *, concept: str = "") -> Mention:
    groundings = (Grounding(concept, concept, 1.0, "exact"),) if concept else ()
    return Mention(start, end, "1", "x" * (end - start), "Drug", 1.0, "test@1", groundings)


@given(st.lists(st.text(st.characters(), max_size=800), max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_mentions_with_exact_offsets(tagger: Tagger, texts: list[str]) -> None:
    readings = [split(Document(str(at), text)) for at, text in enumerate(texts)]
    found = list(tagger(readings))
    assert [reading.document for reading in found] == [reading.document for reading in readings]
    for reading in found:
        ends = [0, *(m.end for m in reading.mentions)]
        assert all(end <= m.start < m.end for end, m in zip(ends, reading.mentions, strict=False))
        assert all(reading.document.text[m.start : m.end] == m.text for m in reading.mentions)
        assert all(0 < m.score <= 1 and m.type in ("Drug", "Ill") for m in reading.mentions)


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


def test_the_fingerprint_depends_on_the_weights(tagger: Tagger, tmp_path: Path) -> None:
    other = Tagger.load(random_adapter(tmp_path / "adapter", tagger.encoder, 5, CONFIG))
    name, _, digest = other.fingerprint.partition("@")
    assert name == "tagger:adapter"
    assert other.fingerprint != tagger.fingerprint
    assert Tagger.load(tmp_path / "adapter").fingerprint == other.fingerprint
    assert len(digest) == 16


def test_a_missing_adapter_is_told() -> None:
    with pytest.raises(AdapterError, match="no adapter"):
        Tagger.load("/no/such/folder")


def test_what_is_found_wins_over_what_was_there() -> None:
    assert joined([mention(0, 5)], [mention(3, 9), mention(20, 25)]) == (mention(0, 5), mention(20, 25))


def test_a_linked_name_wins_where_it_covers_what_is_found() -> None:
    linked, cut_off = mention(0, 9, concept="MESH:D1"), mention(12, 20, concept="MESH:D2")
    assert joined([mention(0, 5), mention(10, 14)], [linked, cut_off]) == (linked, mention(10, 14))


def test_a_corpus_says_nothing_about_a_type_that_it_does_not_annotate() -> None:
    names = tag_names(["Drug", "Ill"])
    table = partial_tags(names, [frozenset({"Drug", "Ill"}), frozenset({"Drug"})])
    meant = [[{names[at] for at in row.nonzero().flatten()} for row in corpus] for corpus in table]
    assert meant[0] == [{name} for name in names]
    assert meant[1][0] == {"O", "B-Ill", "I-Ill"}
    assert meant[1][1:3] == [{"B-Drug"}, {"I-Drug"}]


def test_training_windows_hold_each_word_once_with_its_tag(tagger: Tagger) -> None:
    text = "Pain. " + "acid " * 100 + "Aspirin."
    at = text.index("Aspirin")
    gold = replace(split(Document("1", text)), mentions=(mention(0, 4), mention(at, at + 7)))
    found = list(tag_examples(tagger.encoder, [gold], tagger.names, corpus=0, size=24, overlap=8))
    tags = [tag for example in found for tag in example.tags]
    assert len(found) > 4
    assert [tagger.names[tag] for tag in (tags[0], tags[-2])] == ["B-Drug", "B-Drug"]
    assert tags.count(0) == len(tags) - 2
    assert len(tags) == 104


def test_the_shipped_tagger_finds_a_drug_and_what_it_did(biomed: Tagger) -> None:
    text = (
        "Naloxone reverses the antihypertensive effect of clonidine.\nIn rats, haloperidol caused catalepsy and pain."
    )
    (reading,) = biomed([split(Document("1", text))])
    found = {(m.text, m.type) for m in reading.mentions}
    assert {("Naloxone", "Chemical"), ("clonidine", "Chemical"), ("haloperidol", "Chemical")} <= found
    assert {("catalepsy", "Disease"), ("pain", "Disease"), ("rats", "Species")} <= found


def test_the_shipped_tagger_still_reads_real_abstracts(biomed: Tagger, shared_data: Path) -> None:
    gold = read(shared_data / "bc5cdr/CDR_DevelopmentSet.PubTator.txt")[:40]
    found = list(biomed(replace(reading, mentions=()) for reading in gold))
    assert mention_f1(gold, found, frozenset({"Chemical", "Disease"})) > 78
