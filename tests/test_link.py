"""Linking: the order of methods, types, abbreviations, consistency within a document, and persistent NIL ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.link import Linker, nil
from pipeline.types import Abbreviation, Document, Grounding, Mention, Reading, Relation, Span
from pipeline.vocabulary import Vocabulary, build

TABLE = """id\tname\ttype\tsynonyms
T:1\tFish oil\tChemical\tomega-3 oil
T:2\tRaynaud disease\tDisease\tRD
T:3\tRefsum disease\tDisease\tRD
T:4\tLead\tChemical\t
T:5\tLead poisoning\tDisease\tlead
T:6\tAnything\t\t
""" + "".join(f"M:{n}\tThing {chr(97 + n)}\tChemical\tmany\n" for n in range(7))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder = tmp_path_factory.mktemp("link")
    source = folder / "v.tsv"
    source.write_text(TABLE)
    return Vocabulary.open(build("test", [source], folder).path)


def reading(text: str, *marks: tuple[str, str], id_: str = "d:1", pairs: tuple[tuple[str, str], ...] = ()) -> Reading:
    """A reading with a mention for each (surface, type), and abbreviations for each (short, long)."""

    def span(surface: str) -> Span:
        return Span(text.index(surface), text.index(surface) + len(surface))

    mentions = tuple(
        Mention(span(surface).start, span(surface).end, id_, surface, type_, 1.0, "by hand") for surface, type_ in marks
    )
    abbreviations = tuple(Abbreviation(span(f"({short})"), span(long)) for short, long in pairs)
    inner = tuple(Abbreviation(Span(a.short.start + 1, a.short.end - 1), a.long) for a in abbreviations)
    return Reading(Document(id_, text), (), inner, mentions)


def best(vocabulary: Vocabulary, given: Reading) -> list[tuple[str, str]]:
    [linked] = Linker([vocabulary], ("Chemical", "Disease"))([given])
    assert linked.document == given.document
    return [(mention.concept_id, mention.groundings[0].method) for mention in linked.mentions]


def test_exact_before_normalised_before_nil(vocabulary: Vocabulary) -> None:
    given = reading(
        "Fish oil, fish-oils, cod oil.", ("Fish oil", "Chemical"), ("fish-oils", "Chemical"), ("cod oil", "Chemical")
    )
    assert best(vocabulary, given) == [
        ("T:1", "exact"),
        ("T:1", "normalised"),
        (nil("Chemical", "cod oil").concept_id, "nil"),
    ]


def test_a_grounding_carries_its_reason(vocabulary: Vocabulary) -> None:
    [linked] = Linker([vocabulary], ("Chemical",))([reading("Omega-3 oils.", ("Omega-3 oils", "Chemical"))])
    assert linked.mentions[0].groundings == (Grounding("T:1", "Fish oil", 0.85, "normalised", "omega-3 oil"),)


def test_only_concepts_of_the_mentions_type_or_of_none(vocabulary: Vocabulary) -> None:
    assert best(vocabulary, reading("Lead here.", ("Lead", "Disease"))) == [("T:5", "normalised")]
    assert best(vocabulary, reading("Lead here.", ("Lead", "Chemical"))) == [("T:4", "exact")]
    assert best(vocabulary, reading("Anything.", ("Anything", "Disease"))) == [("T:6", "exact")]


def test_types_that_are_not_asked_for_are_left_alone(vocabulary: Vocabulary) -> None:
    given = reading("Fish oil.", ("Fish oil", "Gene"))
    assert list(Linker([vocabulary], ("Chemical",))([given])) == [given]


def test_a_short_form_means_what_the_document_says(vocabulary: Vocabulary) -> None:
    given = reading("Refsum disease (RD). RD is rare.", ("RD", "Disease"), pairs=(("RD", "Refsum disease"),))
    assert best(vocabulary, given) == [("T:3", "abbreviation")]


def test_a_short_form_and_its_long_form_share_a_nil(vocabulary: Vocabulary) -> None:
    text = "Zorg fever (ZF) came. ZF went."
    given = reading(text, ("Zorg fever", "Disease"), ("ZF", "Disease"), pairs=(("ZF", "Zorg fever"),))
    ids = [id_ for id_, _ in best(vocabulary, given)]
    assert ids[0] == ids[1]
    assert ids[0].startswith("NIL:")
    elsewhere = reading("ZORG FEVERS again.", ("ZORG FEVERS", "Disease"), id_="d:2")
    assert best(vocabulary, elsewhere)[0][0] == ids[0]


def test_nils_differ_by_type_and_exist_for_any_text() -> None:
    assert nil("Disease", "zorg").concept_id != nil("Chemical", "zorg").concept_id
    assert nil("Disease", "***").concept_id != nil("Disease", "+++").concept_id
    assert nil("Disease", "zorg").concept_id == "NIL:" + nil("Disease", "Zorg").concept_id[4:]


def test_an_ambiguous_name_follows_what_the_document_names_elsewhere(vocabulary: Vocabulary) -> None:
    assert best(vocabulary, reading("RD only.", ("RD", "Disease"))) == [("T:2", "exact")]
    given = reading("RD and Refsum disease.", ("RD", "Disease"), ("Refsum disease", "Disease"))
    assert [id_ for id_, _ in best(vocabulary, given)] == ["T:3", "T:3"]
    [linked] = Linker([vocabulary], ("Disease",))([given])
    assert [grounding.concept_id for grounding in linked.mentions[0].groundings] == ["T:3", "T:2"]


def test_no_more_than_five_candidates_are_kept(vocabulary: Vocabulary) -> None:
    [linked] = Linker([vocabulary], ("Chemical",))([reading("many", ("many", "Chemical"))])
    assert [grounding.concept_id for grounding in linked.mentions[0].groundings] == [f"M:{n}" for n in range(5)]


def test_groundings_already_there_stay_and_relations_see_the_linked_mentions(vocabulary: Vocabulary) -> None:
    known = (Grounding("X:9", "by hand", 1.0, "curated"),)
    oil = Mention(0, 8, "d:1", "Fish oil", "Chemical", 1.0, "x", known)
    disease = Mention(16, 31, "d:1", "Raynaud disease", "Disease", 1.0, "x")
    relation = Relation(0, 32, "d:1", "Negative_Correlation", oil, disease, 0.8, "x")
    given = Reading(Document("d:1", "Fish oil treats Raynaud disease."), mentions=(oil, disease), relations=(relation,))
    [linked] = Linker([vocabulary], ("Chemical", "Disease"))([given])
    assert linked.mentions[0] == oil
    assert (linked.relations[0].subject, linked.relations[0].object) == linked.mentions


def test_an_earlier_vocabulary_goes_first(vocabulary: Vocabulary, tmp_path: Path) -> None:
    source = tmp_path / "w.tsv"
    source.write_text("id\tname\ttype\nW:1\tFish oil\tChemical\n")
    other = Vocabulary.open(build("other", [source], tmp_path).path)
    given = reading("Fish oil", ("Fish oil", "Chemical"))
    for order, expected in (([vocabulary, other], ["T:1", "W:1"]), ([other, vocabulary], ["W:1", "T:1"])):
        [linked] = Linker(order, ("Chemical",))([given])
        assert [grounding.concept_id for grounding in linked.mentions[0].groundings] == expected


def test_the_fingerprint_tells_vocabularies_and_types(vocabulary: Vocabulary) -> None:
    prints = {Linker(v, t).fingerprint for v in ([], [vocabulary]) for t in (("Chemical",), ("Disease",))}
    assert len(prints) == 4
    assert Linker([vocabulary], {"B", "A"}).fingerprint == Linker([vocabulary], ("A", "B")).fingerprint
