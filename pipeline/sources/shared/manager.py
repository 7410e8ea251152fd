"""Habits that the exports of all reference managers share: where identifiers hide, and how dates are divided."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from pipeline.sources.shared.fields import iso_date

_PAGES = {
    "doi": re.compile(r"\bdoi\.org/(10\.\d{3,9}/[^\s?#]+)", re.IGNORECASE),
    "pmid": re.compile(
        r"\bpubmed\.ncbi\.nlm\.nih\.gov/(\d{1,8})\b|\bncbi\.nlm\.nih\.gov/(?:m/)?pubmed/(\d{1,8})\b"
        r"|\beuropepmc\.org/\w+/MED/(\d{1,8})\b",
        re.IGNORECASE,
    ),
    "pmcid": re.compile(r"\b(?:ncbi\.nlm\.nih\.gov|europepmc\.org)/(?:\w+/){0,2}(PMC\d+)\b", re.IGNORECASE),
    "arxiv": re.compile(r"\barxiv\.org(/(?:abs|pdf)/[^\s?#]+)", re.IGNORECASE),
}
_NOTED = re.compile(r"^(PMID|PMCID): ?(?:PMC)?(\d+)$", re.MULTILINE)
_PUBMED = re.compile(r"pubmed|medline|\bnlm\b", re.IGNORECASE)
_ARXIV = re.compile(r"arxiv: ?(\S+)", re.IGNORECASE)


def page_ids(*addresses: str) -> dict[str, str]:
    """The identifiers that the addresses of a paper's web pages tell.

    >>> page_ids("https://pubmed.ncbi.nlm.nih.gov/227508/", "http://dx.doi.org/10.1000%2Fa", "http://a.b/10.1000/c")
    {'doi': '10.1000/a', 'pmid': '227508'}
    """
    found = {name: page.search(unquote(" ".join(addresses))) for name, page in _PAGES.items()}
    return {name: next(filter(None, match.groups())) for name, match in found.items() if match}


def accession_ids(accession: str, databases: Iterable[str]) -> dict[str, str]:
    """What the number of a paper in a database is, if it is an identifier: a bare number only where PubMed gave it.

    >>> accession_ids("227508", ["PubMed"]), accession_ids("227508", ["Embase"]), accession_ids("arXiv:1711.04702", [])
    ({'pmid': '227508'}, {}, {'arxiv': '1711.04702'})
    """
    if accession.isdecimal() and any(map(_PUBMED.search, databases)):
        return {"pmid": accession}
    if found := _ARXIV.fullmatch(accession):
        return {"arxiv": found[1]}
    return {"pmcid": accession} if re.fullmatch(r"PMC\d+", accession) else {}


def noted_ids(*notes: str) -> dict[str, str]:
    """Identifiers that stand in a note, alone on a line: in a sentence they may be another paper's.

    >>> noted_ids("read twice\\nPMID: 227508\\nPMCID: PMC7", "Comment in: PMID: 1")
    {'pmid': '227508', 'pmcid': '7'}
    """
    return {kind.lower(): number for note in notes for kind, number in _NOTED.findall(note)}


def best_date(year: str, *others: str) -> str:
    """The most precise date of the year: another may be but a month and a day, or be of another year.

    >>> best_date("1985", "Apr 2"), best_date("1985", "1986/01/01"), best_date("", "2 May 1985")
    ('1985-04-02', '1985', '1985-05-02')
    """
    texts = (year, *others, *(f"{year[:4]} {other}" for other in others))
    dates = [date for text in texts if (date := iso_date(text))]
    return max((date for date in dates if date[:4] == dates[0][:4]), key=len, default="")
