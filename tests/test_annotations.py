"""Readings written in the formats of the field: offsets are those of the text, and gold comes back as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import sources
from pipeline.annotations import WRITERS, bioc, jsonl, pubtator, scierc
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation, Section

TEXT = "Fish oil\nFish oil (EPA) lowers viscosity. It may help."


def mention(start: int, end: int, concept: str = "X:1", kind: str = "Chemical", text: str = TEXT) -> Mention:
    groundings = (Grounding(concept, "n", 1.0, "exact"),) if concept else ()
    return Mention(start, end, "d1", text[start:end], kind, 0.9, "x@1", groundings)


def reading(**more: Any) -> Reading:
    oil, epa, thick = mention(9, 17), mention(19, 22, "NIL:abc"), mention(31, 40, "Y:2", "Disease")
    document = Document("d1", TEXT, (Section(0, 8, "title"), Section(9, len(TEXT), "abstract")), "1985")
    claims = (
        Relation(9, 41, "d1", "LOWERS", oil, thick, 0.8, "x@1"),
        Relation(9, 41, "d1", "LOWERS", oil, thick, 0.7, "y@1"),
        Relation(9, 41, "d1", "LOWERS", epa, thick, 0.7, "y@1"),
        Relation(9, 41, "d1", "RAISES", oil, thick, 0.7, "y@1", "negative"),
    )
    return Reading(document, mentions=(oil, epa, thick), relations=claims, **more)


def test_pubtator() -> None:
    assert "".join(pubtator([reading()])).splitlines() == [
        "d1|t|Fish oil",
        "d1|a|Fish oil (EPA) lowers viscosity. It may help.",
        "d1\t9\t17\tFish oil\tChemical\tX:1",
        "d1\t19\t22\tEPA\tChemical\t-",
        "d1\t31\t40\tviscosity\tDisease\tY:2",
        "d1\tLOWERS\tX:1\tY:2",
        "",
    ]


def test_jsonl_keeps_everything() -> None:
    (line,) = jsonl([reading()])
    row = json.loads(line)
    assert [row["text"][m["start"] : m["end"]] for m in row["mentions"]] == ["Fish oil", "EPA", "viscosity"]
    assert [(r["predicate"], r["polarity"], r["score"]) for r in row["relations"]][-1] == ("RAISES", "negative", 0.7)
    assert row["relations"][0]["subject"] == {"start": 9, "end": 17, "concept_id": "X:1"}


def test_bioc_is_one_collection() -> None:
    collection = json.loads("".join(bioc([reading(), reading()])))
    assert len(collection["documents"]) == 2
    title, abstract = collection["documents"][0]["passages"]
    assert (title["offset"], abstract["offset"]) == (0, 9)
    for annotation in abstract["annotations"]:
        (place,) = annotation["locations"]
        start = place["offset"] - abstract["offset"]
        assert abstract["text"][start : start + place["length"]] == annotation["text"]
    assert json.loads("".join(bioc([])))["documents"] == []


def test_bioc_without_sections_loses_nothing() -> None:
    bare = Document("d1", TEXT)
    collection = json.loads("".join(bioc([Reading(bare, mentions=reading().mentions)])))
    (passage,) = collection["documents"][0]["passages"]
    assert passage["text"] == TEXT
    assert len(passage["annotations"]) == 3


def test_bioc_writes_what_lies_between_sections_and_what_is_known_of_the_paper() -> None:
    sections = (Section(0, 8, "title"), Section(43, len(TEXT), "results"))
    document = Document("d1", TEXT, sections, "1985", ("pmid:7",), ("Dyer, Ann",), "Blood", licence="CC0")
    written = json.loads("".join(bioc([Reading(document, mentions=reading().mentions)])))["documents"][0]
    assert [(p["offset"], p["infons"]["type"], len(p["annotations"])) for p in written["passages"]] == [
        (0, "title", 0),
        (9, "text", 3),
        (43, "results", 0),
    ]
    assert written["infons"] == {
        "article-id_pmid": "7",
        "name_0": "surname:Dyer;given-names:Ann",
        "date": "1985",
        "journal": "Blood",
        "license": "CC0",
    }


def test_composite_gold_keeps_all_its_concepts() -> None:
    both = tuple(Grounding(concept, "n", 1.0, "gold") for concept in ("X:1", "X:2"))
    gold = Mention(9, 17, "d1", "Fish oil", "Chemical", 1.0, "gold", both)
    ranked = Mention(9, 17, "d1", "Fish oil", "Chemical", 1.0, "x", (*both[:1], Grounding("X:3", "n", 0.5, "exact")))
    for meant, joined in ((gold, ("X:1|X:2", "X:1;X:2")), (ranked, ("X:1", "X:1"))):
        one = Reading(reading().document, mentions=(meant,))
        assert "".join(pubtator([one])).splitlines()[2].endswith(f"\t{joined[0]}")
        (annotation,) = json.loads("".join(bioc([one])))["documents"][0]["passages"][1]["annotations"]
        assert annotation["infons"]["identifier"] == joined[1]


def test_scierc_counts_tokens_over_the_document() -> None:
    (line,) = scierc([split(reading().document), reading()][1:])
    row = json.loads(line)
    tokens = [token for sentence in row["sentences"] for token in sentence]
    spans = [span for sentence in row["ner"] for span in sentence]
    assert [" ".join(tokens[start : end + 1]) for start, end, _ in spans] == ["Fish oil", "EPA", "viscosity"]
    assert len(row["ner"]) == len(row["relations"]) == len(row["sentences"]) == 3
    assert row["relations"][1][0] == [2, 3, 8, 8, "LOWERS"]


@given(st.text(max_size=80), st.data())
def test_any_text_can_be_written_in_every_format(text: str, data: st.DataObject) -> None:
    document = Document("d1", text)
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=len(text) > 0)))
    found = (mention(*ends, text=text),) if ends[0] < ends[1] else ()
    for name, writer in WRITERS.items():
        out = "".join(writer([Reading(document, mentions=found)]))
        if name == "pubtator":
            assert all("\t" in line or "|" in line for line in out.split("\n") if line)
        else:
            for line in out.splitlines() if name != "bioc" else [out]:
                json.loads(line)


@pytest.mark.parametrize("field", ["biomed", "astronomy", "ai"])
def test_gold_comes_back_as_it_was(root: Path, field: str) -> None:
    path = root / "sample_corpus" / "gold" / f"{field}.pubtator"
    readings = [item for item in sources.annotated(path) if isinstance(item, Reading)]
    written = "".join(pubtator(readings))
    gold = path.read_text("utf-8")
    pattern = re.compile(r"^[^\t\n]+\t\d+\t\d+\t.*$", re.MULTILINE)
    assert pattern.findall(written) == pattern.findall(gold)
