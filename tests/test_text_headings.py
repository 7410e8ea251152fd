"""Headings in running text: which there are, and, above all, which are none."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import section_kind, sections_of
from pipeline.types import Section


def kinds(text: str, kind: str = "-") -> list[str]:
    return [section.kind for section in sections_of(text, 0, len(text), kind)]


INLINE = [
    ("METHODS: We counted. RESULTS: There were 5.", ["methods", "results"]),
    ("Cells grow. METHODS: We counted.", ["-", "methods"]),
    ("Background. Cells grow. Methods. We counted. Results. Five.", ["background", "methods", "results"]),
    ("RESULTS - There were 5. CONCLUSIONS - Cells grow.", ["results", "conclusion"]),
    ("Purpose – To count. Findings – There were 5.", ["objective", "results"]),
    ("Abstract—In this paper we count.", ["abstract"]),
    ("Materials and Methods: We counted. Results: Five.", ["methods", "results"]),
    ("PATIENTS AND METHODS: We counted.", ["methods"]),
    ("Main outcome measures: Growth. Setting: A farm.", ["methods", "methods"]),
    ("Data sources: PubMed. Study selection: Trials.", ["methods", "methods"]),
    ("BACKGROUND/AIMS: To count.", ["objective"]),
    ("BACKGROUND & AIMS Cells grow. METHODS We counted. RESULTS 23 grew.", ["objective", "methods", "results"]),
    ("AUTHORS' CONCLUSIONS: Cells grow.", ["conclusion"]),
    ("INTERVENTION(S): Food. RESULT(S): Five.", ["methods", "results"]),
    ("DESIGN, SETTING, AND PARTICIPANTS: A cohort.", ["methods"]),
    ("Objective:To count. Results:Five.", ["objective", "results"]),
    ("Cells grow (Fig. 1). Discussion: They do.", ["-", "discussion"]),
    ("Cells grow.[12] Conclusion: They do.", ["-", "conclusion"]),
    ("of cells in 20 patients METHODS: We counted.", ["-", "methods"]),  # whose full stop was forgotten
    ("CASE REPORT: A man fell.", ["case report"]),
    ("TAKE HOME MESSAGE: Eat.", ["take home message"]),
    ("METHODS: We counted. TREATMENT: Food.", ["methods", "treatment"]),
    ("Results: Five.\nFunding: None.", ["results", "funding"]),
    ("Cells grow.\nKeywords: cells, growth", ["-", "keywords"]),
    ("Summary: Cells grow.", ["abstract"]),
]

LINES = [
    ("Abstract\nCells grow.\n\n1 Introduction\nThey do.", ["abstract", "background"]),
    ("2. Methods\nWe counted.\n3. Results\nFive.", ["methods", "results"]),
    ("II. METHODS\nWe counted.\nIII. RESULTS\nFive.", ["methods", "results"]),
    ("A. Methods\nWe counted.", ["methods"]),
    ("Cells.\nConclusions\nThey grow.", ["-", "conclusion"]),
    ("CONCLUSIONS AND FUTURE WORK\nThey grow.", ["conclusion"]),
    ("## Results and Discussion\nFive.", ["-"]),  # Markdown has a reader of its own
    ("Methods:\nWe counted.", ["methods"]),
    ("Related Work\nOthers counted.", ["related work"]),
    ("2 Methods\nWe counted.\n2.1 Growth of cells\nFive grew.\n2.2 Results\nAll.", ["methods", "results"]),
    ("1 Introduction\nHi.\n\n2 The star cluster\n\nIt is old.", ["background", "the star cluster"]),
    ("They grow.\nAcknowledgments\nWe thank all.", ["-", "acknowledgements"]),
    ("They grow.\nReferences\n[1] A. Smith. Methods\n[2] B. Moss. Results: all.", ["-", "references"]),
    ("They grow.\nREFERENCES\n1. A. Smith.\nAppendix A\nProofs.", ["-", "references", "appendix"]),
    ("They grow.\nBibliography\nSmith.\n\n2 Methods\nMoss.", ["-", "references"]),
    ("They grow.\r\nMethods\r\nWe counted.", ["-", "methods"]),
    ("They grow.\fMethods\nWe counted.", ["-", "methods"]),
    ("They grow.\nLiterature Cited\nSmith.", ["-", "references"]),
    ("Conflicts of interest\nNone.\nData availability\nNone.", ["conflicts of interest", "data availability"]),
]

PROSE = [
    "Conclusion of the trial: it works.",
    "It is told in the methods. Results show that it works.",
    "It is told in the Methods. Results of others agree.",
    "Our conclusion: it works.",
    "The results: five. The methods: none.",
    "Results were good. Methods were bad. Conclusions differ.",
    "Background noise was low. Introduction of food helped.",
    "We had one aim: to count.",
    "See METHODS for more. See also RESULTS and FIGURES.",
    "It binds DNA. RNA: it does not.",
    "It binds NSCLC. ATRA: it does not.",
    "Two groups were formed: Patients: 25; Controls: 25.",
    "Patients. 25 of them.",
    "Aim high. Purpose matters. Importance grows.",
    "AIM2 was high. AIM 2 was low.",
    "The question. Comment. Sources.",
    "Results – we think – are good.",
    "As told in the\nMethods\nwe counted.",
    "This is told in our\nMethods\nThe rest is known.",
    "methods\nwe counted.",
    "There were two groups,\nPatients\nControls.",
    "1. Wash the cells\n\n2. Count the cells\n\n3. Fix the cells",
    "1. Wash\n2. Count\n3. Fix",
    "The rate was\n3.5 Growth per day\nin all.",
    "Results",
    "RESULTS:",
    "The Results\nof it.",
    "John Smith\nBob Moss\nCells grow.",
    "He said: Results: none.",
    "METHODSX: We counted.",
    "結果: 細胞は増えた。方法: 数えた。",
    "",
    "   \n ",
]


@pytest.mark.parametrize(("text", "expected"), INLINE + LINES, ids=lambda value: str(value)[:40])
def test_headings(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize("text", PROSE, ids=lambda text: text[:40])
def test_prose_is_left_alone(text: str) -> None:
    assert sections_of(text, 0, len(text), "-") == (Section(0, len(text), "-"),)


def test_a_heading_belongs_to_the_section_it_opens() -> None:
    text = "Title\nCells grow. \n\n2. Methods \nWe counted.  "
    assert [(s.kind, s.of(text)) for s in sections_of(text, 6, len(text), "body")] == [
        ("body", "Cells grow."),
        ("methods", "2. Methods \nWe counted."),
    ]


def test_only_the_stretch_is_divided() -> None:
    text = "METHODS: a RESULTS: b\nMethods\nWe counted."
    assert sections_of(text, 11, 21, "body") == (Section(11, 21, "results"),)
    assert sections_of(text, 9, 10, "body") == (Section(9, 10, "body"),)


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Results and conclusions", "results"),
        ("Patient(s)", "methods"),
        ("Design, setting, and main outcome measures", "methods"),
        ("The results of a long search for new methods", "the results of a long search for new methods"),
        ("Acknowledgment", "acknowledgements"),
        ("Key Words", "keywords"),
        ("5.", "body"),
        ("", "body"),
    ],
)
def test_kinds_of_labels(label: str, kind: str) -> None:
    assert section_kind(label) == kind


TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            ["METHODS:", "Results.", "\n", "References", "2. Methods", "3.1 Cells", ". ", " ", "Aim - ", "—"]
        ),
        st.text(max_size=8),
    ),
    max_size=30,
).map("".join)


@settings(deadline=None)
@given(TEXT, st.integers(0, 60), st.integers(0, 60))
def test_sections_tile_the_stretch(text: str, a: int, b: int) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    found = sections_of(text, start, end, "body")
    assert all(one.end <= two.start for one, two in pairwise(found))
    assert all(start <= section.start <= section.end <= end for section in found)
    assert "".join("".join(s.of(text).split()) for s in found) == "".join(text[start:end].split())
    assert all(section.kind for section in found)


@pytest.mark.slow
def test_labels_of_real_abstracts(shared_data: Path) -> None:
    """Words in capitals before a colon, at least five letters long, are labels but for a few, and are found."""
    labelled = found = 0
    for part in ("Training", "Development"):
        text = (shared_data / "bc5cdr" / f"CDR_{part}Set.PubTator.txt").read_text("utf-8")
        for abstract in re.findall(r"^\d+\|a\|(.*)", text, re.MULTILINE):
            starts = {section.start for section in sections_of(abstract, 0, len(abstract), "abstract")}
            labels = [label.start() for label in re.finditer(r"(?<!\S)[A-Z][A-Z &/,'()-]{3,50}[A-Z)]:", abstract)]
            labelled, found = labelled + len(labels), found + len(starts.intersection(labels))
    assert found / labelled >= 0.99
