"""The reader of a field: its stages in order, and one bad document that harms nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from flows.reader import Reader
from pipeline.domains import load_domain
from pipeline.errors import AdapterError
from pipeline.types import Document, Failure, Reading, Section
from pipeline.vocabulary import Vocabulary, build


class Breaks:
    """A stage that cannot read one document; it counts how often it is asked."""

    fingerprint = "breaks@1"

    def __init__(self, on: str, error: Exception) -> None:
        self.on, self.error = on, error

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            if reading.document.id == self.on:
                raise self.error
            yield reading


@pytest.fixture
def reader(root: Path, tmp_path: Path) -> Reader:
    build("ai", [root / "sample_corpus" / "vocabulary" / "ai.tsv"], tmp_path / "ai.vocab")
    return Reader.open(load_domain("ai"), [tmp_path / "ai.vocab"], threshold=0)


def paper(id_: str, text: str = "The Transformer is used for machine translation.") -> Document:
    whole = f"A title\n{text}"
    return Document(id_, whole, (Section(0, 7, "title"), Section(8, len(whole), "abstract")), domain="ai")


def test_mentions_are_linked_and_related(reader: Reader) -> None:
    (reading,) = reader.read([paper("one")])
    assert isinstance(reading, Reading)
    linked = [mention.concept_id for mention in reading.mentions if mention.concept_id.startswith("AI:")]
    assert linked == ["AI:transformer", "AI:machine-translation"]
    by_rules, by_model = sorted(reading.relations, key=lambda relation: relation.extractor)
    assert (by_rules.extractor.partition("@")[0], by_model.extractor.partition(":")[0]) == ("patterns", "relations")
    for relation in (by_rules, by_model):
        assert (relation.predicate, relation.subject.concept_id) == ("USED-FOR", "AI:transformer")
        assert relation.of(reading.document.text) == "The Transformer is used for machine translation."
    (doubted,) = reader.read([paper("two", "The Transformer may not be used for machine translation.")])
    assert isinstance(doubted, Reading)
    assert {(r.polarity, r.certainty) for r in doubted.relations} == {("negative", "speculative")}


def test_one_bad_document_is_a_failure_and_the_others_are_read(reader: Reader) -> None:
    whole = list(reader.read([paper("a"), paper("c")]))
    reader.relaters.append(Breaks("b", ValueError("no sense in it")))
    a, b, c = reader.read([paper("a"), paper("b"), paper("c")])
    assert [a, c] == whole
    assert b == Failure("b", "extract", "ValueError: no sense in it", stage="extract")


def test_errors_raised_on_purpose_stop_the_run(reader: Reader) -> None:
    reader.relaters.append(Breaks("b", AdapterError("weights are gone")))
    with pytest.raises(AdapterError, match="weights are gone"):
        list(reader.read([paper("a"), paper("b")]))


def test_the_fingerprint_depends_on_pack_vocabulary_and_nothing_else(
    reader: Reader, root: Path, tmp_path: Path
) -> None:
    assert Reader.open(load_domain("ai"), [tmp_path / "ai.vocab"], threshold=0).fingerprint == reader.fingerprint
    assert Reader.open(load_domain("ai"), [tmp_path / "ai.vocab"]).fingerprint != reader.fingerprint
    assert Reader.open(load_domain("ai"), []).fingerprint != reader.fingerprint
    assert Reader.open(load_domain("astronomy"), []).fingerprint != Reader.open(load_domain("ai"), []).fingerprint


def test_vocabularies_of_other_fields_are_left_out(root: Path, tmp_path: Path) -> None:
    build("biomed", [root / "sample_corpus" / "vocabulary" / "biomed.tsv"], tmp_path / "biomed.vocab")
    assert Reader.open(load_domain("ai"), [tmp_path / "biomed.vocab"]).vocabularies == ()
    with Vocabulary.open(tmp_path / "biomed.vocab") as index:
        assert not index.types & load_domain("ai").types
