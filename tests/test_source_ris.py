"""RIS in its dialects, and Web of Science's tagged export."""

from __future__ import annotations

from pathlib import Path

import pytest
from exports import failures, items, paper, papers

from pipeline.sources import ris, wos
from pipeline.sources.shared.manager import best_date, page_ids
from pipeline.types import Document, Failure


def record(*lines: str) -> str:
    return "\n".join(("TY  - JOUR", "TI  - Oil", *lines, "ER  - ", ""))


def test_record() -> None:
    found = paper(
        ris,
        record(
            "AU  - Dyer,Ann", "A1  - Moss, Bo", "AB  - One,", "  two", "three", "PY  - 1985/04/02/", "JA  - Bl.",
            "JF  - Blood", "LA  - en", "SP  -", "XX  - ?", "DO  - https://doi.org/10.1000/A", "KW  - x",
        ),
    )  # fmt: skip
    assert (found.id, found.ids) == ("10.1000/a", ("doi:10.1000/a",))
    assert found.text == "Oil\nOne, two three"
    assert (found.date, found.journal, found.language) == ("1985-04-02", "Blood", "en")
    assert found.authors == ("Dyer, Ann", "Moss, Bo")


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (["DO  - doi:10.1000/a"], ("doi:10.1000/a",)),
        (["M3  - doi: 10.1000/a", "UR  - http://x.y/10.1000/b"], ("doi:10.1000/a",)),
        (["M3  - Article", "UR  - http://x.y; http://dx.doi.org/10.1000%2Fa"], ("doi:10.1000/a",)),
        (["UR  - https://www.ncbi.nlm.nih.gov/pubmed/7"], ("pmid:7",)),
        (["L2  - https://www.ncbi.nlm.nih.gov/pmc/articles/PMC7/"], ("pmcid:PMC7",)),
        (["UR  - http://arxiv.org/abs/1711.04702v2"], ("arxiv:1711.04702",)),
        (["AN  - arXiv:1711.04702"], ("arxiv:1711.04702",)),
        (["AN  - 7", "DB  - PubMed", "C2  - PMC8"], ("pmid:7", "pmcid:PMC8")),
        (["AN  - 7", "DB  - Embase"], ()),
        (["N1  - read", "PMID: 7"], ("pmid:7",)),
        (["N1  - Comment in: Blood. 1999. PMID: 7"], ()),
        (["DO  - 10.48550/arXiv.1711.04702"], ("arxiv:1711.04702",)),
    ],
)
def test_identifiers(lines: list[str], ids: tuple[str, ...]) -> None:
    assert paper(ris, record(*lines)).ids == ids


def test_own_number_is_the_id_only_where_there_is_no_other() -> None:
    assert paper(ris, record("ID  - 12", "AN  - L600")).id == "L600"
    assert paper(ris, record("ID  - 12")).id == "12"
    assert paper(ris, record("ID  - 12", "DO  - 10.1000/a")).id == "10.1000/a"


@pytest.mark.parametrize(
    ("lines", "date"),
    [
        (["PY  - 1985", "DA  - Apr 2"], "1985-04-02"),
        (["PY  - 1985", "DA  - 1985/04/02"], "1985-04-02"),
        (["PY  - 1985", "DA  - 1984/12/24"], "1985"),
        (["Y1  - 1985/04//"], "1985-04"),
        (["DA  - 2 April 1985"], "1985-04-02"),
        (["Y2  - 2020/01/01"], ""),
    ],
)
def test_dates(lines: list[str], date: str) -> None:
    assert paper(ris, record(*lines)).date == date


@pytest.mark.parametrize("tag", ["TI", "T1", "CT", "BT", "ST"])
def test_title_alone_is_the_text(tag: str) -> None:
    assert paper(ris, f"TY  - BOOK\n{tag}  - Oil\nER  -").text == "Oil"


def test_one_blank_before_the_sign() -> None:
    assert paper(ris, "TY - JOUR\nTI - Oil\nAB - Light:\nER - ").text == "Oil\nLight:"
    assert paper(ris, record("AB  - Light:", "UV - visible")).text == "Oil\nLight: UV - visible"


def test_what_stands_between_records() -> None:
    content = (
        "\ufeffRecord 1 of 2\nProvider: X\n\n1.\n" + record() + "\nRecord 2 of 2\n2.\n\ufeff" + record("PY  - 1985")
    )
    assert [found.date for found in papers(ris, content)] == ["", "1985"]
    assert failures(ris, content) == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("TY  - JOUR\nDO  - 10.1000/a\nER  - \n", "has neither title nor text; what it has is 'doi'"),
        ("TY  - JOUR\nTI  - Cut\nAB  - off", "has no end tag (ER  -)"),
        ("TI  - No type\nER  - \n", "does not begin with a type (TY  -)"),
        ("TY  - JOUR\nTI  - \udce9\nER  - \n", "holds the byte 0xe9"),
        ("TY  - JOUR\nTI  - \0\nER  - \n", "holds NUL characters"),
    ],
)
def test_bad_record_costs_no_other(bad: str, reason: str) -> None:
    content = (record("PY  - 1") + bad + "\n" + record()).encode(errors="surrogateescape")
    first, failure, last = items(ris, content)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(failure, Failure)
    assert failure.place == "record at line 5"
    assert failure.reason.startswith(reason)


def test_head_of_blank_lines_is_no_trap() -> None:
    assert not ris.sniff("TY  - x\n" + "\n" * 60_000)  # takes for ever with a careless pattern


WOS = """\ufeffFN Clarivate Analytics Web of Science
VR 1.0
PT J
AU Dyer, A
   Moss, B
AF Dyer, Ann
   Moss, Bo
CA Oil Board
TI Fish oil in
   migraine
SO BLOOD
LA English
DT Article; Retracted Publication
AB It thins
   blood.
CR DYER A, 1980, BLOOD, V1, P1
   Moss B, 1981, BLOOD, V2, P2, DOI 10.1000/B
PD APR 2
PY 1985
DI 10.1000/A
UT WOS:000000000000001
PM 7
ER

PT J
TI Oil
UT WOS:2
ER

EF
"""


def test_web_of_science() -> None:
    found, other = papers(wos, WOS)
    assert (found.id, found.ids, other.id) == ("7", ("pmid:7", "doi:10.1000/a"), "WOS:2")
    assert found.text == "Fish oil in migraine\nIt thins blood."
    assert found.authors == ("Dyer, Ann", "Moss, Bo", "Oil Board")
    assert (found.date, found.journal, found.language, found.status) == ("1985-04-02", "BLOOD", "english", "retracted")
    assert found.references == ("DYER A, 1980, BLOOD, V1, P1", "doi:10.1000/b")


def test_broken_web_of_science() -> None:
    assert failures(wos, WOS.replace("PT J\nTI Oil", "TI Oil")) == ["record at line 25: " + NO_TYPE]
    assert failures(wos, WOS[: WOS.index("UT WOS:2")]) == ["record at line 25: " + NO_END]
    assert [found.id for found in papers(wos, WOS[: WOS.index("UT WOS:2")])] == ["7"]


NO_TYPE = "does not begin with a type (PT): that line is missing or broken"
NO_END = "has no end tag (ER): the file is cut off, or a line is missing"


def test_told_apart() -> None:
    assert wos.sniff(WOS)
    assert wos.sniff("PT J\nAU Dyer, A\n")
    assert not wos.sniff(record())
    assert not wos.sniff("PT J\n\nA text on types.")
    assert ris.sniff(record())
    assert not ris.sniff(WOS)


def test_manager_habits() -> None:
    assert page_ids("https://europepmc.org/article/MED/7", "https://pmc.ncbi.nlm.nih.gov/articles/PMC8/") == {
        "pmid": "7",
        "pmcid": "PMC8",
    }
    assert best_date("1985", "soon") == "1985"
    assert best_date("", "") == ""


def test_real_files(shared_data: Path) -> None:
    folder = shared_data / "raw_papers" / "ris"
    found = papers(wos, (folder / "example_wos.ris").read_bytes())
    assert [(p.id, p.date, len(p.references)) for p in found] == [
        ("15170338", "2004-06-08", 59),
        ("15170339", "2004-06-08", 86),
    ]
    (embase,) = papers(ris, (folder / "example_empty_tag.ris").read_bytes())
    assert (embase.id, embase.text[-8:]) == ("10.1177/2325967120950040", "sport...")
