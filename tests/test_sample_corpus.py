"""The sample corpus keeps its promises: formats, lengths, references, gold that fits, literatures that do not meet."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from pipeline import sources
from pipeline.domains import load_domain
from pipeline.types import Document, Failure, Reading

FIELDS = ("biomed", "astronomy", "ai")


@pytest.fixture(scope="module")
def papers(root: Path) -> dict[str, Document]:
    found = list(sources.read_all([root / "sample_corpus" / field for field in FIELDS]))
    assert not [item for item in found if isinstance(item, Failure)]
    return {item.id: item for item in found if isinstance(item, Document)}


@pytest.fixture(scope="module")
def vocabulary(root: Path) -> dict[str, dict[str, str]]:
    rows = {}
    for field in FIELDS:
        with (root / "sample_corpus" / "vocabulary" / f"{field}.tsv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
                assert row["id"] not in rows
                rows[row["id"]] = row
    return rows


def gold(root: Path, field: str) -> list[Reading]:
    return [
        r for r in sources.annotated(root / "sample_corpus" / "gold" / f"{field}.pubtator") if isinstance(r, Reading)
    ]


def test_enough_papers_of_the_promised_length_each_with_its_reference(root: Path, papers: dict[str, Document]) -> None:
    assert len(papers) >= 90
    assert all(re.fullmatch(r"sample:[a-z]+-\d{3}", id_) for id_ in papers)
    lengths = {id_: len(paper.text.split()) for id_, paper in papers.items()}
    assert {id_: n for id_, n in lengths.items() if not 80 <= n <= 200} == {}
    with (root / "sample_corpus" / "references.tsv").open(encoding="utf-8", newline="") as stream:
        references = {row["id"]: row for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert references.keys() == papers.keys()
    assert all(len(row["reference"]) > 20 for row in references.values())
    assert all(paper.year in (None, int(references[id_]["year"])) for id_, paper in papers.items())


def test_at_least_five_formats(root: Path) -> None:
    files = [
        path for path in sources.find([root / "sample_corpus" / field for field in FIELDS]) if isinstance(path, Path)
    ]
    assert {sources.format_of(path) for path in files} >= {
        "medline",
        "pubtator",
        "jsonl",
        "table",
        "ris",
        "markdown",
        "plain",
    }


def test_hard_cases_in_plain_text(root: Path, papers: dict[str, Document]) -> None:
    notes = [f"sample:{path.stem}" for field in FIELDS for path in (root / "sample_corpus" / field).rglob("*.txt")]
    assert len(notes) >= 10
    statuses = {papers[id_].status for id_ in notes}
    assert {"erratum", "retraction"} <= statuses
    assert "retracted" in {paper.status for paper in papers.values()}
    denied = [r for field in FIELDS for r in (root / f"sample_corpus/gold/{field}.pubtator").read_text().split("\n")]
    assert sum("\tnegative" in line for line in denied) >= 10
    assert sum("\tspeculative" in line for line in denied) >= 10


@pytest.mark.parametrize("field", FIELDS)
def test_gold_fits_papers_vocabulary_and_pack(
    root: Path, papers: dict[str, Document], vocabulary: dict[str, dict[str, str]], field: str
) -> None:
    pack = load_domain(field)
    readings = gold(root, field)
    assert len(readings) >= 20
    for reading in readings:
        paper = papers[reading.document.id]
        assert " ".join(reading.document.text.split()) == " ".join(paper.text.split())
        assert reading.mentions
        for mention in reading.mentions:
            assert reading.document.text[mention.start : mention.end] == mention.text
            assert vocabulary[mention.concept_id]["type"] == mention.type
            assert mention.type in pack.types
        for relation in reading.relations:
            kind = pack.relation(relation.predicate)
            assert kind is not None
            assert kind.joins(relation.subject.type, relation.object.type), (reading.document.id, relation)
    assert sum(len(reading.relations) for reading in readings) > 100


@pytest.mark.parametrize(
    ("year", "one", "other"),
    [
        (1985, r"fish oil|eicosapentaenoic|omega-3|n-3 fatty|cod liver|mackerel|marine", r"raynaud"),
        (1987, r"magnesium", r"migraine"),
        (1983, r"gamma-ray burst", r"merger|coalesc|collision of|collisions"),
        (2018, r"transformer", r"image classification|imagenet"),
    ],
)
def test_the_early_literatures_never_meet(papers: dict[str, Document], year: int, one: str, other: str) -> None:
    early = [paper.text for paper in papers.values() if paper.year is not None and paper.year <= year]
    sides = [sum(bool(re.search(side, text, re.IGNORECASE)) for text in early) for side in (one, other)]
    assert min(sides) >= 1
    assert not [text for text in early if all(re.search(side, text, re.IGNORECASE) for side in (one, other))]
