from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import abbreviations, sentences, split
from pipeline.types import Document, Section

# Sentences are written one a line and joined with a blank; splitting must give the lines back.
SENTENCES = """
The dose was low, e.g. 5 mg.\tNo effect was seen.
Smith et al. found none.\tThe others did, i.e. all but one.
As shown in Fig. 2 and Figs. S3, it rose (cf. Table 1).\tIt fell later.
Dr. J. B. Smith vs. Prof. Moss: a reply.\tWe disagree.
Strains of E. coli and S. aureus grew.\tB. subtilis did not.
It was reported by R. Dyer in 1985.\tThe report was right.
Levels rose (p < 0.05).\tThey fell by 3.5 percent (n = 12; P = .01).
P < 0.05.\t23 patients died in 1985.\tNone followed.
Doses (see ref. 3. The rest is known) were given.\tAll recovered.
See no. 5 for the rest.\tThe answer was no.\tWe agree.
It binds p53.\tp53 is a protein.\tmRNA levels rose.\tn-3 acids did not.
The drug was given i.v. and i.p. to rats.\tControls got saline i.v.\tAll survived.
Deficiency of vitamin C.\tSerum was taken.
Does it work?\tYes!\tIt does ... sometimes.\t"It does."\tWe saw (it).
This was shown.[12]\tThe others agree.12,13\tNone differ.
In the U.S. Army it was used in the U.K. and U.S. alike.\tHe came.
Wait for it...\tNow it is here.
1. Acetylcholine fell.\t2. Noradrenaline rose.
Levels of factor VIII.C and IL-1.beta rose in 0. 05 M.\t[Data are in part new.]\tEnd.
Treated with 5 mg/kg approx. twice a day for 2 wk. by Merck Inc. in May.\tIt helped
"""

CASES = [line.split("\t") for line in SENTENCES.strip().split("\n")]


@pytest.mark.parametrize("lines", CASES, ids=lambda lines: lines[0][:30])
def test_sentences_end_where_they_should(lines: list[str]) -> None:
    text = " ".join(lines)
    assert [s.of(text) for s in sentences(Document("1", text))] == lines


def test_sentences_of_other_scripts() -> None:
    text = "これは文です。次の文です！ هل هذا سؤال؟ نعم. यह वाक्य है। अगला।"
    found = [s.of(text) for s in sentences(Document("1", text))]
    assert found == ["これは文です。", "次の文です！", "هل هذا سؤال؟", "نعم.", "यह वाक्य है।", "अगला।"]


def test_sections_cut_sentences_and_name_them() -> None:
    text = "A title without end\nAn abstract. With two\n\nparagraphs left over"
    document = Document("1", text, (Section(0, 19, "title"), Section(20, 32, "background"), Section(33, 53, "results")))
    assert [(s.of(text), s.section) for s in sentences(document)] == [
        ("A title without end", "title"),
        ("An abstract.", "background"),
        ("With two", "results"),
        ("paragraphs", "results"),
        ("left over", "body"),
    ]


def test_lines_that_end_sentences() -> None:
    text = "2. Methods\nCells grew in\nthe dish. We used:\n- food\n- water\r\n\r\nThe end"
    found = [s.of(text) for s in sentences(Document("1", text))]
    assert found == ["2. Methods", "Cells grew in\nthe dish.", "We used:", "- food", "- water", "The end"]


def test_nested_and_empty_sections() -> None:
    text = "One. Two. Three."
    document = Document("1", text, (Section(0, 16, "outer"), Section(5, 9, "inner"), Section(9, 9, "nothing")))
    assert [(s.of(text), s.section) for s in sentences(document)] == [
        ("One.", "outer"),
        ("Two.", "inner"),
        ("Three.", "outer"),
    ]


ABBREVIATIONS = [
    ("Raynaud's phenomenon (RP) is rare.", [("RP", "Raynaud's phenomenon")]),
    ("EPA (eicosapentaenoic acid) is an oil.", [("EPA", "eicosapentaenoic acid")]),
    ("Given magnetic resonance imaging [MRI] of the head.", [("MRI", "magnetic resonance imaging")]),
    ("Use of monoclonal antibodies (mAbs; 20 mg) rose.", [("mAbs", "monoclonal antibodies")]),
    ("Tumor necrosis factor-α (TNF-α) fell.", [("TNF-α", "Tumor necrosis factor-α")]),
    ("Tumor necrosis factor alpha (TNFα) fell.", [("TNFα", "Tumor necrosis factor alpha")]),
    ("The interleukin 6 (IL-6) level.", [("IL-6", "interleukin 6")]),
    ("Forced expiratory volume in 1 s (FEV(1)) fell.", [("FEV(1)", "Forced expiratory volume in 1 s")]),
    ("Prostaglandin E2 (PGE2) fell.", [("PGE2", "Prostaglandin E2")]),
    ("Proton pump inhibitors (PPIs) help.", [("PPIs", "Proton pump inhibitors")]),
    ("With anti-human immunodeficiency virus (HIV) drugs.", [("HIV", "human immunodeficiency virus")]),
    ("Given 7,12-dimethylbenzanthracene (DMBA) daily.", [("DMBA", "7,12-dimethylbenzanthracene")]),
    ("Acute (non-lymphatic (myeloid leukemia [ML])) cells.", [("ML", "myeloid leukemia")]),
    ("The body mass index (BMI) and BMI (body mass index).", [("BMI", "body mass index")]),
    ("Beats per minute (bpm) rose.", [("bpm", "Beats per minute")]),
    ("Given 5-fluorouracil (5-FU) daily.", [("5-FU", "5-fluorouracil")]),
    ("The tidal volume (V(T)) fell.", [("V(T)", "tidal volume")]),
    ("The citrate (C) or placebo (P) group.", [("C", "citrate"), ("P", "placebo")]),
    ("The kinase c-Jun terminal kinase (JTK).", [("JTK", "c-Jun terminal kinase")]),
    ("Given 4-(9-acridinyl) anisidine (ACA).", [("ACA", "4-(9-acridinyl) anisidine")]),
    ("It rose (tumor necrosis factor, TNF).", [("TNF", "tumor necrosis factor")]),
    ("Pressure was measured in units (PMIU).", []),
    ("A support vector machine model (SVM) won.", [("SVM", "support vector machine")]),
    ("A non - negative matrix factorization ( NMF ) won .", [("NMF", "non - negative matrix factorization")]),
    ("A Gaussian mixture model ( GMM - UBM ) won .", [("GMM", "Gaussian mixture model")]),
    ("A low power wide area network ( LP - WAN ) won .", [("LP - WAN", "low power wide area network")]),
    ("We use generative adversarial networks, or GANs, here.", [("GANs", "generative adversarial networks")]),
    ("WDR: weighted data rate.", [("WDR", "weighted data rate")]),
    ("TCP (the top concept popularity) fell.", [("TCP", "top concept popularity")]),
    ("The VIT (VIT-2) and VIT (VITAMIN).", []),
    ("Workers in shops (welders) and controls (mean 5 years).", []),
    ("They fell (P < 0.05) in rats (n = 5) given 5 mg (10 mg/kg).", []),
    ("The first group (group 1) and those seen in (2b).", []),
    ("This is magnetic. Resonance imaging (MRI) is not.", []),
    ("(RP) stands alone (RP).", []),
]


@pytest.mark.parametrize(("text", "expected"), ABBREVIATIONS)
def test_abbreviations(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(a.short.of(text), a.long.of(text)) for a in abbreviations(Document("1", text))] == expected


# Combining marks, soft hyphens, ligatures, zero width, right to left, lone surrogates, NUL, form feeds among the rest.
TEXT = st.text(
    st.one_of(
        st.sampled_from(" .\n()[]!?…。\"'ABab1,-:αﬁßİ\u0301\u200f\u200b\u00ad\u2028\ud800\udc00\0\r\f\x85םش字"),
        st.characters(),
    ),
    max_size=200,
)


@settings(deadline=None)
@given(TEXT, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=4))
def test_nothing_is_lost(text: str, cuts: list[tuple[int, int]]) -> None:
    spans = [sorted((min(a, len(text)), min(b, len(text)))) for a, b in cuts]
    reading = split(Document("1", text, tuple(Section(a, b, f"s{n}") for n, (a, b) in enumerate(spans))))
    found = reading.sentences
    assert "".join("".join(s.of(text).split()) for s in found) == "".join(text.split())
    assert all(a.end <= b.start for a, b in pairwise(found))
    for sentence in found:
        assert sentence.of(text) == sentence.of(text).strip() != ""
        assert not any(sentence.start < edge < sentence.end for span in spans for edge in span)
    for pair in reading.abbreviations:
        assert any(s.covers(pair.short) and s.covers(pair.long) for s in found)
        assert not pair.short.overlaps(pair.long)
        assert len(pair.long.of(text)) > len(pair.short.of(text))
    assert split(reading.document) == reading


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "(",
        ")",
        "()",
        ".",
        ". ",
        "a. ",
        "A. b ",
        " ",
        "\n ",
        "x(a)[b] ",
        "(AB ",
        "ab.[1,",
        "1-",
        "(AB) ",
        "。",
        "METHODS: ",
        "\n1. A\n",
        "\n- ",
        "(a, AB) ",
        "ABC or ABC ",
        "4-(a",
        " -LRB- ",
        "Methods\n",
        "a (B) ",
    ],
)
def test_time_is_linear(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        split(Document("1", text))
        return time.process_time() - start

    def linear() -> bool:
        """Eight times the text; a quadratic rule would take 64 times as long."""
        large = seconds(40_000)
        return large < 0.3 or large < 24 * seconds(5_000)

    assert any(linear() for _ in range(4))  # the machine may have been busy once


def test_deep_brackets() -> None:
    text = "(" * 50_000 + "Oil. Blood. " + ")" * 50_000
    assert len(sentences(Document("1", text))) in (1, 2, 3)


@pytest.mark.parametrize("text", ["(" * 50_000 + ")" * 50_000, "a" * 1_000_000, "(AB)" * 25_000, "METHODS: " * 10_000])
def test_monstrous_texts_take_bounded_time(text: str) -> None:
    start = time.process_time()
    reading = split(Document("1", text))
    assert time.process_time() - start < 10
    assert reading.sentences[0].start == 0
    assert reading.sentences[-1].end == len(text.rstrip())


def test_ten_thousand_abstracts_a_minute() -> None:
    paper = " ".join(part for case in CASES for part in case)  # about as long as an abstract
    start = time.process_time()
    for n in range(500):
        split(Document(str(n), paper))
    assert time.process_time() - start < 3
