"""BioC in both its forms: one text, every annotation where its text says, and what does not fit is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotations import bioc as written
from pipeline.sources import bioc, pubtator
from pipeline.sources.shared import gold
from pipeline.sources.shared.fields import layout
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.sources.shared.unpack import streams
from pipeline.types import Document, Failure, Reading, Relation

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>own</source><date>2020</date><key>k</key>
<document><id>PMC12</id>
<passage><infon key="type">front</infon><infon key="section_type">TITLE</infon>
<infon key="article-id_pmid">7</infon><infon key="article-id_pmc">12</infon>
<infon key="article-id_doi">10.1000/X</infon>
<infon key="year">1985</infon><infon key="journal">Blood</infon><infon key="license">CC0</infon>
<infon key="name_1">surname:Moss</infon><infon key="name_0">surname:Dyer;given-names:Ann B</infon>
<offset>0</offset><text>Oil &amp; blood</text></passage>
<passage><infon key="type">abstract_title_1</infon><infon key="section_type">ABSTRACT</infon>
<offset>12</offset><text>Aims and results</text></passage>
<passage><infon key="type">abstract</infon><infon key="section_type">ABSTRACT</infon>
<offset>29</offset><text>Fish oil thins &beta; blood.</text>
<annotation id="T1"><infon key="type">Chemical</infon><infon key="MESH">D005395</infon>
<location offset="29" length="8"/><text>Fish oil</text></annotation>
<annotation id="T2"><infon key="type">Tissue</infon><location offset="46" length="5"/><text>blood</text></annotation>
<relation id="R1"><infon key="type">THINS</infon><node refid="T2" role="target"/>
<node refid="T1" role="agent"/></relation>
</passage>
<passage><infon key="type">title_1</infon><infon key="section_type">METHODS</infon>
<offset>60</offset><text>Patients</text></passage>
<passage><infon key="type">paragraph</infon><infon key="section_type">METHODS</infon><offset>69</offset>
<sentence><offset>69</offset><text>We gave oil.</text></sentence>
<sentence><offset>90</offset><text>They ate it.</text>
<annotation id="T3"><infon key="type">Act</infon><location offset="95" length="3"/><text>ate</text></annotation>
</sentence></passage>
<passage><infon key="type">fig_caption</infon><infon key="section_type">FIG</infon>
<offset>110</offset><text>Oil drops.</text></passage>
<passage><infon key="type">table</infon><infon key="section_type">TABLE</infon>
<offset>121</offset><text>oil 3 4</text>
<annotation id="T4"><infon key="type">Chemical</infon><location offset="121" length="3"/><text>oil</text></annotation>
</passage>
<passage><infon key="type">title</infon><infon key="section_type">REF</infon>
<offset>130</offset><text>References</text></passage>
<passage><infon key="type">ref</infon><infon key="section_type">REF</infon><infon key="pub-id_pmid">99</infon>
<offset>141</offset><text>On oil</text></passage>
<passage><infon key="type">ref</infon><infon key="section_type">REF</infon>
<infon key="name_0">surname:Fox;given-names:C</infon>
<infon key="source">Oils.</infon><infon key="year">1970</infon><offset>150</offset><text>More oil.</text></passage>
</document>
</collection>
"""


def annotation(offset: int, text: str, number: int = 1, **infons: Any) -> dict[str, Any]:
    infons = {"type": "Chemical", **infons}
    return {
        "id": str(number),
        "infons": infons,
        "text": text,
        "locations": [{"offset": offset, "length": len(text)}],
    }


def passage(offset: int, text: str, *annotations: dict[str, Any], **infons: Any) -> dict[str, Any]:
    return {"offset": offset, "infons": infons, "text": text, "annotations": list(annotations)}


def paper(*passages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "d1", "infons": {}, "passages": list(passages), **more}


def collection(*documents: dict[str, Any]) -> str:
    return json.dumps({"source": "own", "key": "k", "infons": {}, "documents": list(documents)})


def read(text: str) -> list[Reading | Failure]:
    stream = Stream("x", io.BufferedReader(io.BytesIO(text.encode())))
    assert bioc.sniff(stream.head)
    return list(bioc.read_annotated(stream, "x"))


def one(text: str) -> Reading:
    (found,) = read(text)
    assert isinstance(found, Reading), found
    return found


def reasons(text: str) -> list[str]:
    return [f"{item.place}: {item.reason}" for item in read(text) if isinstance(item, Failure)]


def test_a_full_paper() -> None:
    found, failure = read(XML)
    assert isinstance(found, Reading)
    document = found.document
    assert [(s.kind, s.of(document.text)) for s in document.sections] == [
        ("title", "Oil & blood"),
        ("results", "Fish oil thins β blood."),
        ("methods", "We gave oil. They ate it."),
        ("caption", "Oil drops."),
    ]
    assert document.id == "7"  # the best known of its ids, as in all formats
    assert document.ids == ("pmid:7", "pmcid:PMC12", "doi:10.1000/x")
    assert (document.date, document.journal, document.licence) == ("1985", "Blood", "CC0")
    assert document.authors == ("Dyer, Ann B", "Moss")
    assert document.references == ("pmid:99", "Fox, C. More oil. Oils. 1970")
    assert [(m.text, m.type, m.concept_id) for m in found.mentions] == [
        ("Fish oil", "Chemical", "MESH:D005395"),
        ("blood", "Tissue", ""),
        ("ate", "Act", ""),
    ]
    assert all(document.text[m.start : m.end] == m.text for m in found.mentions)
    (relation,) = found.relations
    assert (relation.subject.text, relation.predicate, relation.object.text) == ("Fish oil", "THINS", "blood")
    assert isinstance(failure, Failure)
    assert (failure.place, failure.reason) == (
        "document 7",
        "has 1 annotations in tables or references, which are no part of the text",
    )


def test_both_ways_of_reading_give_the_same_document() -> None:
    stream = Stream("x", io.BufferedReader(io.BytesIO(XML.encode())))
    assert list(bioc.read(stream, "x")) == [item.document for item in read(XML) if isinstance(item, Reading)]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda documents: json.dumps({"infons": {}, "documents": documents}, indent=1),
        lambda documents: json.dumps([{"infons": {}, "documents": [d]} for d in documents]),
        lambda documents: json.dumps({"PubTator3": documents}),
        json.dumps,
        lambda documents: "\n".join(map(json.dumps, documents)),
    ],
)
def test_json_however_it_is_wrapped(wrap: Callable[[list[dict[str, Any]]], str]) -> None:
    text = '"documents": [ {'  # in a text it means nothing
    documents = [paper(passage(0, text), passage(17, "Oil.")) | {"id": f"d{number}"} for number in range(3)]
    found = [item.document for item in read(wrap(documents)) if isinstance(item, Reading)]
    assert [(d.id, d.text) for d in found] == [(f"d{n}", f"{text}\nOil.") for n in range(3)]
    assert [s.kind for s in found[0].sections] == ["title", "abstract"]


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 1), ("utf-16-le", 2), ("utf-32-le", 4)])
def test_offsets_in_any_unit(encoding: str, width: int) -> None:
    def units(text: str) -> int:
        return len(text.encode(encoding)) // width

    title, text = "Öl 𝛽", "Das 𝛽-Öl ist dünn: β-Öl."
    start = units(title) + 1
    marks = []
    for said in ("𝛽-Öl", "dünn", "β-Öl"):
        mark = annotation(start + units(text[: text.index(said)]), said)
        mark["locations"][0]["length"] = units(said)
        marks.append(mark)
    found = one(collection(paper(passage(0, title), passage(start, text, *marks))))
    assert [(m.start, m.text) for m in found.mentions] == [(9, "𝛽-Öl"), (18, "dünn"), (24, "β-Öl")]


def test_gaps_annotations_of_the_document_and_parts() -> None:
    near = annotation(100, "Fish oil") | {"locations": [{"offset": 105, "length": 3}, {"offset": 100, "length": 4}]}
    apart = annotation(100, "Fish thins") | {"locations": [{"offset": 100, "length": 4}, {"offset": 109, "length": 5}]}
    text = collection(
        paper(passage(0, "Oil"), passage(50, " "), passage(100, "Fish oil thins."), annotations=[near, apart])
    )
    found, failure = read(text)
    assert isinstance(found, Reading)
    assert found.document.text == "Oil\nFish oil thins."
    assert [(m.start, m.text) for m in found.mentions] == [(4, "Fish oil")]
    assert isinstance(failure, Failure)
    assert failure.reason == (
        "lies in parts, which no mention can, and says 'Fish thins' where the text at 100 to 114 is 'Fish oil thins'"
    )


def test_nested_mentions_are_kept_and_a_marked_heading_is_read() -> None:
    body = passage(0, "Fish oil", annotation(0, "Fish oil"), annotation(5, "oil", 2), type="title_1")
    found = one(collection(paper(body, passage(9, "Thin.", type="paragraph"))))
    assert found.document.text == "Fish oil\nThin."
    assert [m.text for m in found.mentions] == ["Fish oil", "oil"]
    plain = one(collection(paper(passage(0, "Methods", type="title_1"), passage(8, "Thin.", type="paragraph"))))
    assert [(s.kind, s.start) for s in plain.document.sections] == [("methods", 0)]


RELATIONS = {
    "BioRED": {"infons": {"type": "BINDS", "entity1": "D1", "entity2": "6528"}},
    "PubTator": {"infons": {"type": "BINDS", "role1": {"identifier": "MESH:D1"}, "role2": {"identifier": "6528"}}},
    "BC5CDR": {"infons": {"relation": "BINDS", "Chemical": "D1", "Disease": "6528"}},
    "nodes": {
        "infons": {"type": "BINDS"},
        "nodes": [{"refid": "1", "role": "Arg1"}, {"refid": "2", "role": "Arg2"}],
    },
    "nodes turned": {
        "infons": {"type": "BINDS"},
        "nodes": [{"refid": "2", "role": "Theme"}, {"refid": "1", "role": "x"}],
    },
}


@pytest.mark.parametrize("case", RELATIONS)
def test_relations_of_every_kind(case: str) -> None:
    marks = (annotation(0, "Oil", 1, identifier="D1"), annotation(10, "NIS", 2, type="Gene", identifier="6528"))
    found = one(collection(paper(passage(0, "Oil binds NIS.", *marks), relations=[RELATIONS[case]])))
    (relation,) = found.relations
    assert (relation.subject, relation.predicate, relation.object) == (found.mentions[0], "BINDS", found.mentions[1])
    assert (relation.start, relation.end, relation.score, relation.extractor) == (0, 13, 1.0, "gold")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "says another text": ({"text": "Eel"}, "annotation 1: says 'Eel' where the text at 0 to 3 is 'Oil'"),
    "lies beyond the end": (
        {"locations": [{"offset": 99, "length": 3}]},
        "annotation 1: says 'Oil' where the text at 99 to 102 is ''",
    ),
    "is cut by the end": (
        {"locations": [{"offset": 11, "length": 9}], "text": ""},
        "annotation 1: says '' where the text at 11 to 20 is 'IS.'",
    ),
    "is empty": ({"locations": [{"offset": 1, "length": 0}], "text": ""}, "annotation 1: says ''"),
    "has no location": ({"locations": []}, "annotation 1: has no location"),
    "has no type": ({"infons": {}}, "annotation 1: has no type"),
    "has a wrong offset": (
        {"locations": [{"offset": "x", "length": 3}]},
        "annotation 1: has an offset that is no number: 'x'",
    ),
    "has a negative offset": ({"locations": [{"offset": -3, "length": 3}]}, "annotation 1: has an offset that is no"),
    "has no list": ({"locations": 3}, "annotation 1: has locations that are no list of objects: 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_annotation_costs_no_other(case: str) -> None:
    change, reason = BAD[case]
    marks = (annotation(0, "Oil") | change, annotation(10, "NIS", 2))
    relation = {"id": "R", "infons": {"type": "B"}, "nodes": [{"refid": "2"}, {"refid": "1"}]}
    text = collection(paper(passage(0, "Oil binds NIS.", *marks), relations=[relation]), paper(passage(0, "Next.")))
    found = read(text)
    assert [[m.text for m in item.mentions] for item in found if isinstance(item, Reading)] == [["NIS"], []]
    first, second = reasons(text)
    assert first.startswith(f"document d1, {reason}")
    assert second == "document d1, relation R: relates '1', which is no annotation that could be read"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": "b", "passages": []}, "item 2: has neither title nor text"),
        ({"id": "b", "passages": 3}, "item 2: has passages that are no list of objects"),
        ({"id": "b", "passages": [{"text": "B"}]}, "item 2: has an offset that is no number: None"),
        ({"id": "b", "infons": [1], "passages": [passage(0, "B")]}, "item 2: has infons that are no mapping"),
    ],
)
def test_a_bad_document_costs_no_other(record: dict[str, Any], reason: str) -> None:
    text = collection(paper(passage(0, "A")), record, paper(passage(0, "C")))
    assert [item.document.text for item in read(text) if isinstance(item, Reading)] == ["A", "C"]
    assert reasons(text)[0].startswith(reason)


def test_bad_xml_costs_no_other() -> None:
    def document(text: str, end: str = "</document>") -> str:
        return f"<document><id>d</id><passage><offset>0</offset><text>{text}</text></passage>{end}\n"

    text = f"<collection>{document('A')}{document('x < 3')}{document('lost', '')}{document('C')}</collection>"
    assert [item.document.text for item in read(text) if isinstance(item, Reading)] == ["A", "C"]
    broken, endless = reasons(text)
    assert broken.startswith("document 2 (d): is not well-formed")
    assert endless == "document 3 (d): has no end tag: the file is cut off, or a tag is missing"
    with pytest.raises(Unreadable, match="cut off"):
        read(text.removesuffix("</collection>"))


def test_cut_json_says_so() -> None:
    text = collection(paper(passage(0, "A")), paper(passage(0, "B")))
    for end in range(text.index('"B"'), len(text)):
        with pytest.raises(Unreadable, match="cut off"):
            read(text[:end])


def test_hostile_xml_does_not_grow() -> None:
    bomb = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(20))
    text = (
        f'<!DOCTYPE collection [<!ENTITY e0 "x">{bomb}]><collection><document><id>d</id><passage><offset>0</offset>'
        "<text>A &e20; b</text></passage></document></collection>"
    )
    assert one(text).document.text == "A &e20; b"


@pytest.mark.parametrize(
    "head",
    [
        '<collection xmlns="http://www.loc.gov/MARC21/slim"><record/></collection>',
        '{"title": "the \\"passages\\": [ of a ship"}',
        '{"doc_key": "a", "sentences": [["A"]]}',
        '{"documents": [{"title": "A"}]}',
        "Passages: [1]",
    ],
)
def test_other_formats_are_left_alone(head: str) -> None:
    assert not bioc.sniff(head)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=12)
KINDS = st.sampled_from(["abstract", "methods", "results", "caption", "body", "fish oil"])


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    title = draw(WORDS.map(lambda text: text.replace("\n", " ")))
    parts = [("title", title), *draw(st.lists(st.tuples(KINDS, WORDS), max_size=3))]
    text, sections = layout(parts)
    if not text:
        text, sections = layout([("title", "x")])
    date, ids = draw(st.sampled_from(["", "1985", "1985-04"])), draw(st.sampled_from([(), ("pmid:7", "doi:10.1000/x")]))
    authors = draw(st.sampled_from([(), ("Dyer, Ann", "The Oil Group")]))
    document = Document(
        "d1", text, sections, date, ids, authors, draw(st.sampled_from(["", "Blood"])), status="erratum"
    )
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)), st.sampled_from("AB"))
    spans = {(min(a, b), max(a, b), kind) for a, b, kind in draw(st.lists(places, max_size=5))}
    concepts = st.sampled_from([(), ("MESH:D1",), ("X:1", "6528"), ("c|DEL|1314_1328|",)])
    mentions = sorted(
        (
            gold.mention(document, start, end, kind, draw(concepts))
            for start, end, kind in spans
            if text[start:end].strip()
        ),
        key=lambda mention: (mention.start, mention.end, mention.type),
    )
    some = st.sampled_from(mentions) if mentions else st.nothing()
    claims = draw(st.lists(st.tuples(some, some), max_size=3)) if mentions else []
    return Reading(document, mentions=tuple(mentions), relations=tuple(gold.relation("R", *pair) for pair in claims))


@given(st.lists(readings(), max_size=3))
@settings(max_examples=150, deadline=None)
def test_what_is_written_comes_back(given: list[Reading]) -> None:
    found = read("".join(written(given)))
    assert found == given


def test_what_was_linked_comes_back_too() -> None:
    (first,) = [item for item in read(XML) if isinstance(item, Reading)]
    claim = first.relations[0]
    stated = Relation(12, 35, "7", "THINS", claim.subject, claim.object, 0.5, "gold", "negative", "speculative")
    bare = Reading(first.document, mentions=first.mentions, relations=(stated,))
    assert one("".join(written([bare]))).relations == (stated,)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_noise(data: st.DataObject) -> None:
    sample = XML if data.draw(st.booleans()) else collection(paper(passage(0, "Öl", annotation(0, "Öl"))))
    noisy = bytearray(sample.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(noisy)))
        noisy[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    stream = Stream("x", io.BufferedReader(io.BytesIO(bytes(noisy))))
    try:
        items = list(bioc.read_annotated(stream, "x"))
    except (Unreadable, UnicodeError):
        return
    for item in items:
        str(item).encode()
        for mention in item.mentions if isinstance(item, Reading) else ():
            assert item.document.text[mention.start : mention.end] == mention.text  # type: ignore[union-attr]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "infons", "passages", "offset", "text", "annotations", "locations", "length"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
@settings(deadline=None)
def test_any_values_give_a_reading_or_a_reason(value: object) -> None:
    record = paper(passage(0, "Oil")) | (value if isinstance(value, dict) else {"passages": value})
    found = read(collection(deepcopy(record), paper(passage(0, "Next."))))
    last = found[-1]
    assert isinstance(last, Reading)
    assert last.document.text == "Next."


def test_biored_says_the_same_in_both_formats(shared_data: Path) -> None:
    found = {}
    for name, source in (("Dev.BioC.JSON", bioc), ("Dev.PubTator", pubtator)):
        for stream in streams(shared_data / "biored" / name):
            assert isinstance(stream, Stream)
            found[name] = list(source.read_annotated(stream, name))
    assert found["Dev.BioC.JSON"] == found["Dev.PubTator"]
    assert len(found["Dev.BioC.JSON"]) == 100
