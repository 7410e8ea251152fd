"""The dictionary: case, word boundaries, longest match, short forms, and offsets that hold on any text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extractors.dictionary import Dictionary, fold
from pipeline.types import Abbreviation, Document, Mention, Reading, Span
from pipeline.vocabulary import Vocabulary, build

NAMES = {
    "Chemical": ["Fish Oils", "fish oil", "Aspirin", "Lead", "IL-6", "mRNA", "Zinc", "Au", "as", "methyl", "12"],
    "Disease": ["Raynaud's Disease", "Diabetes Mellitus, Type 2", "Diabetes", "AIDS", "Gout", "HIV Infections", "ALL"],
    "Species": ["Mice", "cold zinc", "İstanbul mouse", "Straßenmaus"],
}  # fmt: skip


def open_vocabulary(folder: Path, names: dict[str, list[str]]) -> Vocabulary:
    rows = [f"{type_}:{n}\t{name}\t{type_}" for type_, listed in names.items() for n, name in enumerate(listed)]
    source = folder / "v.tsv"
    source.write_text("\n".join(["id\tname\ttype", *rows]), "utf-8")
    return Vocabulary.open(build("test", [source], folder).path)


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Dictionary:
    return Dictionary([open_vocabulary(tmp_path_factory.mktemp("dictionary"), NAMES)], NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aspirin and ASPIRIN, Aspirin.", ["aspirin", "ASPIRIN", "Aspirin"]),
        ("Fish oils, fish-oil, fish\noil", ["Fish oils", "fish-oil", "fish\noil"]),
        ("aspirins aspiring aspirin2 xaspirin aspirin_x", ["aspirins", "aspirin"]),
        ("Type 2 diabetes mellitus; diabetes", ["Type 2 diabetes mellitus", "diabetes"]),
        ("Raynaud’s disease, raynaud's disease", ["Raynaud’s disease", "raynaud's disease"]),
        ("gout Gout GOUT", ["gout", "Gout"]),
        ("AIDS aids Aids", ["AIDS"]),
        ("mRNA mrna MRNA mRNAs", ["mRNA", "mRNAs"]),
        ("HIV infection, hiv infections, HIV infections", ["HIV infection", "HIV infections"]),
        ("IL-6, IL 6, il-6", ["IL-6", "IL 6"]),
        ("lead, as, 12, all", []),
        ("ALL patients", ["ALL"]),
        ("Au au AU", ["Au"]),
        ("aspirin-induced non-aspirin", ["aspirin", "aspirin"]),
        ("2-methyl-3 methyl-4 and methyl", ["methyl"]),
        ("cold zinc, zinc", ["cold zinc", "zinc"]),
        ("ISTANBUL mouse İstanbul mouse", ["ISTANBUL mouse", "İstanbul mouse"]),
        ("zinc\u0301 zinc", ["zinc"]),
        ("mouse mice", ["mice"]),
    ],
)
def test_what_is_found(dictionary: Dictionary, text: str, expected: list[str]) -> None:
    assert [span.of(text) for span, _ in dictionary.find(text)] == expected


def test_mentions_say_where_they_come_from(dictionary: Dictionary) -> None:
    text = "Aspirin and gout"
    [found] = dictionary([Reading(Document("d:1", text))])
    assert found.mentions == (
        Mention(0, 7, "d:1", "Aspirin", "Chemical", 0.9, dictionary.fingerprint),
        Mention(12, 16, "d:1", "gout", "Disease", 0.9, dictionary.fingerprint),
    )


def test_known_mentions_win(dictionary: Dictionary) -> None:
    known = Mention(0, 15, "d:1", "Aspirin therapy", "Method", 1.0, "by hand")
    [found] = dictionary([Reading(Document("d:1", "Aspirin therapy, zinc"), mentions=(known,))])
    assert [mention.text for mention in found.mentions] == ["Aspirin therapy", "zinc"]
    assert found.mentions[0] == known


def abbreviated(text: str, *pairs: tuple[str, str]) -> Reading:
    def span(part: str) -> Span:
        return Span(text.index(part), text.index(part) + len(part))

    return Reading(Document("d:1", text), abbreviations=tuple(Abbreviation(span(s), span(long)) for s, long in pairs))


def test_short_forms_are_found_from_their_definition_on(dictionary: Dictionary) -> None:
    base = abbreviated("FO? Fish oil (FX) helps; FX and FXs, not FXy.", ("FX", "Fish oil"))
    [found] = dictionary([base])
    assert [(mention.text, mention.type) for mention in found.mentions] == [
        ("Fish oil", "Chemical"), ("FX", "Chemical"), ("FX", "Chemical"), ("FXs", "Chemical")
    ]  # fmt: skip


def test_a_symbol_that_the_document_defines_otherwise_is_not_found(dictionary: Dictionary) -> None:
    text = "ALL means all living lizards (ALL). ALL sleep."
    base = abbreviated(text, ("ALL", "all living lizards"))
    assert [span.of(text) for span, _ in dictionary.find(text)] == ["ALL"] * 3
    [found] = dictionary([base])
    assert found.mentions == ()


def test_a_short_form_of_a_mention_found_by_another(dictionary: Dictionary) -> None:
    base = abbreviated("Zorg fever (ZF). ZF!", ("ZF", "Zorg fever"))
    known = Mention(0, 10, "d:1", "Zorg fever", "Disease", 1.0, "tagger@1")
    [found] = dictionary([replace(base, mentions=(known,))])
    assert [(mention.start, mention.text) for mention in found.mentions] == [(0, "Zorg fever"), (12, "ZF"), (17, "ZF")]


def test_only_the_types_asked_for(tmp_path: Path) -> None:
    vocabulary = open_vocabulary(tmp_path, {"Chemical": ["Zinc", "Orange"], "Disease": ["Gout"], "Species": ["Orange"]})
    assert [type_ for _, type_ in Dictionary([vocabulary], ["Disease"]).find("zinc gout")] == ["Disease"]
    assert [type_ for _, type_ in Dictionary([vocabulary], ["Species", "Chemical"]).find("an orange")] == ["Chemical"]
    assert list(Dictionary([vocabulary], []).find("zinc gout")) == []
    assert list(Dictionary([], ["Disease"]).find("zinc gout")) == []


def test_the_fingerprint_tells_vocabularies_and_types(tmp_path: Path) -> None:
    vocabulary = open_vocabulary(tmp_path, {"Chemical": ["Zinc"]})
    assert Dictionary([vocabulary], {"A", "B"}).fingerprint == Dictionary([vocabulary], ["B", "A"]).fingerprint
    assert len({Dictionary(v, t).fingerprint for v in ([], [vocabulary]) for t in ([], ["A"])}) == 4


PIECES = st.sampled_from(
    [name for listed in NAMES.values() for name in listed] + [" ", "-", "İ", "ß", "ﬁ", "Σ", "s", "’"]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=4))).map("".join))
@example("İİİ aspirin ẞ aspirin ŉ aspirin")
def test_offsets_hold_on_any_text(dictionary: Dictionary, text: str) -> None:
    assert len(fold(text)) == len(text)
    [found] = dictionary([Reading(Document("d:1", text))])
    names = {fold(name) for listed in NAMES.values() for name in listed} | {"type 2 diabetes mellitus"}
    end = 0
    for mention in found.mentions:
        assert text[mention.start : mention.end] == mention.text
        assert mention.start >= end
        end = mention.end
        assert {fold(mention.text), fold(mention.text).removesuffix("s"), fold(mention.text) + "s"} & names
        assert not text[mention.start - 1 : mention.start].isalnum()
        assert not text[mention.end : mention.end + 1].isalnum()
