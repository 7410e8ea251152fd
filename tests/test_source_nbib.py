"""PubMed's tagged text, and that it tells the same as MEDLINE XML."""

from __future__ import annotations

from pathlib import Path

import pytest
from exports import failures, items, paper, papers
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import medline, nbib
from pipeline.sources.shared import stream, tagged
from pipeline.types import Document, Failure

RECORD = """
PMID- 7
OWN - NLM
STAT- MEDLINE
LR  - 20190203
DP  - 1985 Apr 2
TI  - Fish oil in
      migraine: 2-
      hour trials.
LID - 10.1000/other [pii]
AB  - BACKGROUND: It thins
      blood. RESULTS: Less
      pain.
CI  - (c) 1985 The Oil Board.
FAU - Dyer, Ann
AU  - Dyer A
AD  - Hull.
CN  - Oil Group
FAU - Moss, Bo
AU  - Moss B
LA  - eng
LA  - ger
PT  - Journal Article
PT  - Retracted Publication
DEP - 19850101
TA  - Blood J
JT  - Blood journal
RIN - Blood J. 1986;2:1. PMID: 9
EIN - Blood J. 1985;1:9. PMID: 8
CIN - Blood J. 1985;1:10. PMID: 11
CRDT- 1999/01/01 00:00
PMC - PMC77
AID - S1 [pii]
AID - 10.1000/A [doi]
SO  - Blood J. 1985 Apr 2;1:1-2.
"""
XML = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID>
<DateRevised><Year>2019</Year><Month>02</Month><Day>03</Day></DateRevised>
<Article><Journal><JournalIssue><PubDate><Year>1985</Year><Month>Apr</Month><Day>2</Day></PubDate></JournalIssue>
<Title>Blood journal</Title></Journal><ArticleTitle>Fish oil in migraine: 2- hour trials.</ArticleTitle>
<Abstract><AbstractText>BACKGROUND: It thins blood. RESULTS: Less pain.</AbstractText></Abstract>
<AuthorList><Author><LastName>Dyer</LastName><ForeName>Ann</ForeName></Author>
<Author><CollectiveName>Oil Group</CollectiveName></Author>
<Author><LastName>Moss</LastName><ForeName>Bo</ForeName></Author></AuthorList><Language>eng</Language>
<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList></Article>
<CommentsCorrectionsList><CommentsCorrections RefType="ErratumIn"><PMID>8</PMID></CommentsCorrections>
<CommentsCorrections RefType="RetractionIn"><PMID>9</PMID></CommentsCorrections></CommentsCorrectionsList>
</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="doi">10.1000/A</ArticleId>
<ArticleId IdType="pmc">PMC77</ArticleId></ArticleIdList></PubmedData></PubmedArticle></PubmedArticleSet>"""


def test_record() -> None:
    found = paper(nbib, RECORD)
    assert (found.id, found.date, found.revised) == ("7", "1985-04-02", "2019-02-03")
    assert found.text == "Fish oil in migraine: 2- hour trials.\nBACKGROUND: It thins blood. RESULTS: Less pain."
    assert [section.kind for section in found.sections] == ["title", "background", "results"]
    assert found.ids == ("pmid:7", "pmcid:PMC77", "doi:10.1000/a")
    assert found.authors == ("Dyer, Ann", "Oil Group", "Moss, Bo")
    assert (found.journal, found.language, found.licence) == ("Blood journal", "eng", "(c) 1985 The Oil Board.")
    assert (found.status, set(found.links)) == ("retracted", {("retracted_by", "9"), ("corrected_by", "8")})


def test_equals_medline_xml() -> None:
    tagged, xml = paper(nbib, RECORD), paper(medline, XML)
    for field in ("id", "ids", "text", "date", "authors", "journal", "language", "status", "revised"):
        assert getattr(tagged, field) == getattr(xml, field), field
    assert set(tagged.links) == set(xml.links)


def test_records_are_cut_at_blank_lines_and_at_pmids() -> None:
    content = (
        "PMID- 1\nTI  - A\nPMC - PMC1\n\n\nPMID- 2\nTI  - B\nPMID- 3\nTI  - C\nAB  - one\n\n      two\n\nDP  - 1999\n"
    )
    assert [(p.id, p.text, p.date) for p in papers(nbib, content)] == [
        ("1", "A", ""),
        ("2", "B", ""),
        ("3", "C\none two", "1999"),
    ]


def test_of_pubmed_central() -> None:
    content = (
        "PMC - PMC1\nPMID- 1\nTI  - A\nAB  - \nOAB - Publisher: Abstract available from the publisher.\n"
        "DEP - 201003\nSO  - A.\n\nPMC - PMC2\nTI  - B\nDP  - 2011\nSO  - B.\n"
    )
    assert [(p.id, p.ids, p.text) for p in papers(nbib, content)] == [
        ("1", ("pmid:1", "pmcid:PMC1"), "A"),
        ("PMC2", ("pmcid:PMC2",), "B"),
    ]


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ("TI  - \nBTI - A book", "A book"),
        ("TI  - A chapter\nBTI - A book", "A chapter"),
        ("TI  - [Not Available].\nTT  - Über Öl.", "Über Öl."),
        ("TI  - [Oil].\nTT  - Öl.", "[Oil]."),
    ],
)
def test_titles(lines: str, title: str) -> None:
    assert paper(nbib, f"PMID- 1\n{lines}\n").title == title


def test_other_abstract_and_short_names() -> None:
    found = paper(
        nbib, "PMID- 1\nTI  - A\nOAB - PIP: It thins.\nAU  - van der Dyer AB\nAU  - Oil Board\nDEP - 20100304\n"
    )
    assert (found.text, found.authors, found.date) == ("A\nIt thins.", ("van der Dyer, AB", "Oil Board"), "2010-03-04")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("PMID- 2\nDP  - 1999\n", "record at line 5 (PMID 2): has neither title nor text"),
        ("PMID- 2\nSTAT- MEDLINE\nTI  - Cut off\nAB  - in the", "record at line 5 (PMID 2): has no source (SO)"),
        ("PMID- 2\nTI  - One\n\nPMXD- 3\nTI  - Two\n", "record at line 5 (PMID 2): has two titles"),
        ("PMID- 2\nTI  - \udcff\n", "record at line 5 (PMID 2): holds the byte 0xff"),
        ("PMID- 2\nTI  - \0\n", "record at line 5 (PMID 2): holds NUL characters"),
    ],
)
def test_bad_record_costs_no_other(bad: str, reason: str) -> None:
    content = f"PMID- 1\nTI  - A\n\n\n{bad}\n\nPMID- 4\nTI  - D\n".encode(errors="surrogateescape")
    assert [p.id for p in papers(nbib, content)] == ["1", "4"]
    (failure,) = failures(nbib, content)
    assert failure.startswith(reason)


def test_long_record_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stream, tagged):
        monkeypatch.setattr(module, "MAX_RECORD", 60)
    long = "PMID- 2\nTI  - " + "b\n      " * 60
    content = f"PMID- 1\nTI  - A\n\n{long}\n\nPMID- 3\nTI  - {'c' * 100}\n\nPMID- 4\nTI  - D\n"
    assert [p.id for p in papers(nbib, content)] == ["1", "4"]
    assert [reason.partition(": ")[2] for reason in failures(nbib, content)] == [
        "is longer than 60 characters: cut it into papers"
    ] * 2


def test_file_that_begins_in_the_middle() -> None:
    first, second = items(nbib, "      of an abstract.\nFAU - Dyer, Ann\nPMID- 2\nTI  - B\n")
    assert isinstance(first, Failure)
    assert isinstance(second, Document)
    assert second.authors == ()


def test_told_by_its_numbers() -> None:
    assert nbib.sniff(RECORD)
    assert nbib.sniff("      of an abstract.\n\nPMID- 2\nOWN - NLM\n")
    assert nbib.sniff("PMC - PMC1\nPMID- 1\n")
    assert not nbib.sniff("PMID- 2 is a number.\nAnd so on.")
    assert not nbib.sniff("An example:\nPMID- 2\nOWN - NLM\n")


@given(st.text())
def test_title_is_kept_character_for_character(title: str) -> None:
    line = " ".join(title.replace("\0", "").split())
    found = items(nbib, f"PMID- 1\nTI  - x{line}x\n".encode(errors="replace"))
    assert [item.text for item in found if isinstance(item, Document)] == [
        f"x{line}x".encode(errors="replace").decode()
    ]


def test_real_files(shared_data: Path) -> None:
    counts = {path.name: items(nbib, path.read_bytes()) for path in (shared_data / "raw_papers" / "nbib").iterdir()}
    assert {name: len(found) for name, found in counts.items()} == {
        "single.nbib": 1,
        "pmc_medlars.txt": 5,
        "biopython_pubmed_result1.txt": 1,
        "biopython_pubmed_result2.txt": 4,
        "biopython_pubmed_result3.txt": 1,
        "pubmed-balloongui-set.nbib": 75,
    }
    for found in counts.values():
        assert all(isinstance(item, Document) and item.date and item.authors and item.journal for item in found)
