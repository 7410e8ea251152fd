"""Relations to a kind are left out where one of its kinds is told, and nothing else is."""

from __future__ import annotations

import pytest

from extractors.hypernyms import MostSpecific
from pipeline.domains import load_domain
from pipeline.types import Document, Grounding, Mention, Reading, Relation
from pipeline.vocabulary import Vocabulary, build

OBO = """format-version: 1.2

[Term]
id: X:1
name: disease

[Term]
id: X:2
name: arrhythmia
is_a: X:1

[Term]
id: X:3
name: torsade de pointes
is_a: X:2

[Term]
id: X:4
name: rash
is_a: X:1
is_a: X:5

[Term]
id: X:5
name: a loop
is_a: X:4
"""
BIOMED = load_domain("biomed")


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder = tmp_path_factory.mktemp("vocabulary")
    (folder / "x.obo").write_text(OBO, "utf-8")
    build("x", [folder / "x.obo"], folder, type="Disease")
    return Vocabulary.open(folder / "x.vocab")


def mention(uid: str, kind: str) -> Mention:
    return Mention(0, 1, "1", "t", kind, 1.0, "gold", (Grounding(uid, "t", 1.0, "exact", "t"),))


def relation(name: str, one: str, other: str) -> Relation:
    return Relation(0, 1, "1", name, mention(one, "Chemical"), mention(other, "Disease"), 1.0, "model@1")


def kept(vocabularies: list[Vocabulary], *relations: Relation) -> list[tuple[str, str, str]]:
    reading = Reading(Document("1", "text"), (), relations=relations)
    (found,) = MostSpecific(vocabularies, BIOMED)([reading])
    return [(one.predicate, one.subject.concept_id, one.object.concept_id) for one in found.relations]


def test_an_ancestor_of_another_object_is_left_out_at_any_distance(vocabulary: Vocabulary) -> None:
    told = [relation("INDUCES", "D:1", uid) for uid in ("X:1", "X:2", "X:3")]
    assert kept([vocabulary], *told) == [("INDUCES", "D:1", "X:3")]


def test_another_subject_or_another_relation_takes_nothing_away(vocabulary: Vocabulary) -> None:
    told = [
        relation("INDUCES", "D:1", "X:3"),
        relation("INDUCES", "D:2", "X:2"),
        relation("Association", "D:1", "X:2"),
        relation("Association", "D:1", "X:3"),
    ]
    assert len(kept([vocabulary], *told)) == 4


def test_siblings_and_loops_stay(vocabulary: Vocabulary) -> None:
    told = [relation("INDUCES", "D:1", uid) for uid in ("X:3", "X:4")]
    assert kept([vocabulary], *told) == [("INDUCES", "D:1", "X:3"), ("INDUCES", "D:1", "X:4")]


def test_without_a_vocabulary_all_stays(vocabulary: Vocabulary) -> None:
    told = [relation("INDUCES", "D:1", uid) for uid in ("X:2", "X:3")]
    assert len(kept([], *told)) == 2
    assert MostSpecific([], BIOMED).fingerprint != MostSpecific([vocabulary], BIOMED).fingerprint
