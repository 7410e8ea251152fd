"""Names from annotated papers: what a concept is called by most, beside the vocabulary's own names."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import VocabularyError
from pipeline.vocabulary import Vocabulary, build

TABLE = "id\tname\ttype\tsynonyms\nMESH:D007674\tKidney Diseases\tDisease\tKidney Disease\n"
ROWS = [
    ("Kidney damage", "Disease", "D007674"),
    ("nephropathy", "Disease", "D007674"),
    ("nephropathy", "Disease", "D007674"),
    ("nephropathy", "Disease", "D000001"),
    ("toxicity", "Disease", "D007674"),
    ("toxicity", "Disease", "D000001"),
    ("renal and liver failure", "Disease", "D007674|D017093"),
    ("odd disease", "Disease", "-1"),
    ("Glycol", "Chemical", "D000002"),
]


def papers(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    text = " ".join(name for name, _, _ in rows)
    lines, at = [f"1|t|{text}"], 0
    for name, kind, concept in rows:
        lines.append(f"1\t{at}\t{at + len(name)}\t{name}\t{kind}\t{concept}")
        at += len(name) + 1
    path.write_text("\n".join(lines) + "\n\n", "utf-8")
    return path


@pytest.fixture
def index(tmp_path: Path) -> Vocabulary:
    (tmp_path / "terms.tsv").write_text(TABLE, "utf-8")
    build("kidney", [papers(tmp_path / "papers.txt", ROWS), tmp_path / "terms.tsv"], tmp_path)
    return Vocabulary.open(tmp_path / "kidney.vocab")


def test_a_name_of_annotators_is_a_synonym_though_their_papers_were_given_first(index: Vocabulary) -> None:
    (match,) = index.lookup("nephropathy")
    assert (match.concept_id, match.name, match.type, match.preferred) == (
        *("MESH:D007674", "Kidney Diseases", "Disease"),
        False,
    )
    assert [match.concept_id for match in index.lookup_normalised("kidney damages")] == ["MESH:D007674"]


@pytest.mark.parametrize("name", ["toxicity", "renal and liver failure", "odd disease"])
def test_a_name_of_no_single_concept_is_left_out(index: Vocabulary, name: str) -> None:
    assert list(index.lookup_normalised(name)) == []


def test_a_concept_that_only_annotators_know_has_no_type(index: Vocabulary) -> None:
    (match,) = index.lookup("Glycol")
    assert (match.concept_id, match.type, match.preferred) == ("MESH:D000002", "", True)


def test_papers_without_concepts_are_refused(tmp_path: Path) -> None:
    file = papers(tmp_path / "papers.txt", [("Glycol", "Chemical", "-1")])
    with pytest.raises(VocabularyError, match=r"papers\.txt: none of its annotations names a concept: give"):
        build("none", [file], tmp_path)


def test_a_record_that_cannot_be_read_is_told_and_the_others_count(tmp_path: Path) -> None:
    file = papers(tmp_path / "papers.txt", ROWS)
    file.write_text(file.read_text("utf-8") + "2|t|Aspirin\n2\t0\t7\tAnother\tChemical\tD001241\n\n", "utf-8")
    stats = build("some", [file], tmp_path)
    assert stats.concepts == 2
    assert [where.endswith("(2)") for _, where in stats.skipped.values()] == [True]
