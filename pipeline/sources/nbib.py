"""PubMed's and PubMed Central's tagged text, called MEDLINE, NBIB or MEDLARS.

The document is that of the same record in MEDLINE XML, as far as the text tells: a structured abstract is one
paragraph here, its labels within.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources.shared import fields, tagged
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

_TAG = re.compile(r"(?=.{4}-)([A-Z][A-Z0-9]{1,3}) {0,2}- ?")
_FIRST = re.compile(r"PMID- *\d|PMC *- *PMC\d|UI  - *\d")
_SNIFF = re.compile(rf"(?:\A\s*|\n[ \t]*\n)(?:{_FIRST.pattern})[^\n]*\n[A-Z][A-Z0-9]{{1,3}} {{0,2}}- ")
_PMID = re.compile(r"^PMID- *(\d+)", re.MULTILINE)

_LINKS = {
    "EFR": "corrects",
    "EIN": "corrected_by",
    "CRF": "corrects",
    "CRI": "corrected_by",
    "ROF": "retracts",
    "RIN": "retracted_by",
    "RRF": "retracts",
    "RRI": "retracted_by",
    "PROF": "partly_retracts",
    "PRIN": "partly_retracted_by",
    "ECF": "questions",
    "ECI": "questioned_by",
    "RPF": "republishes",
    "RPI": "republished_by",
    "UOF": "updates",
    "UIN": "updated_by",
}
_LINKED = re.compile(r"\bPMID: *(\d+)")
_STATES = ("Retracted Publication", "Retraction of Publication", "Retraction Notice", "Published Erratum")
_NO_TITLE = re.compile(r"\[Not Available\]\.?")
_NO_ABSTRACT = re.compile(r"Abstract available from the publisher\.?")
_ORIGIN = re.compile(r"(?:AAMC|AIDS|KIE|NASA|PIP|Publisher|plain-language-summary): ")


def sniff(head: str) -> bool:
    """The number of a record at its beginning, with another tag below."""
    return bool(_SNIFF.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each(map(_placed, tagged.records(lines(stream.text), _begins, ends=lambda _: False)), _parse, name)


def _begins(line: str, record: list[str]) -> bool:
    """A number behind a blank line, or a PMID where that line is missing, but for one right below its PMCID.

    The beginning of the file is a record as well, whatever it is: a file may begin in the middle of one.
    """
    if not record:
        return bool(line.strip())
    if not _FIRST.match(line):
        return False
    if line.startswith("PMID"):
        return not record[0].startswith(("PMC", "UI")) or any(other.startswith("PMID") for other in record[1:4])
    return not record[-1].strip()


def _placed(found: tuple[str, str]) -> tuple[str, str]:
    place, record = found
    pmid = _PMID.search(record)
    return (f"{place} (PMID {pmid[1]})" if pmid else place), record


def _parse(record: str) -> Document:
    pairs = tagged.pairs(check(record), _TAG)
    tags = tagged.grouped(pairs)
    if len(tags.get("TI", ())) > 1:
        raise Unreadable("has two titles (TI): the number that begins the second record is missing or broken")
    if "STAT" in tags and not {"SO", "BTI"} & tags.keys():  # PubMed ends all but books with SO
        raise Unreadable("has no source (SO), with which a record ends: the file is cut off")
    linked = ((word, text) for tag, word in _LINKS.items() for text in tags.get(tag, ()))
    links = [(word, pmid) for word, text in linked for pmid in _LINKED.findall(text)]
    states = [kind for kind in map(fields.flat, tags.get("PT", ())) if kind in _STATES]
    if any(word == "retracted_by" for word, _ in links):
        states.insert(0, "Retracted Publication")
    return fields.document(
        {
            "pmid": tagged.first(tags, "PMID"),
            "pmcid": tagged.first(tags, "PMC"),
            "doi": _doi(tags),
            "title": _title(tags),
            "abstract": _abstract(tags),
            "date": next(filter(None, map(fields.iso_date, (tagged.first(tags, tag) for tag in ("DP", "DEP")))), ""),
            "authors": _authors(pairs),
            "journal": tagged.first(tags, "JT", "TA", "BTI"),
            "language": tagged.first(tags, "LA"),
            "licence": tagged.first(tags, "CI"),
            "status": states[0] if states else "",
            "links": links,
            "revised": tagged.first(tags, "LR"),
        }
    )


def _title(tags: tagged.Tags) -> str:
    """The title, else that in the language of the paper, else that of the book."""
    titles = (tagged.first(tags, tag) for tag in ("TI", "BTI", "TT"))
    return next((title for title in titles if title and not _NO_TITLE.fullmatch(title)), "")


def _abstract(tags: tagged.Tags) -> str:
    """The abstract, else the other abstract without the word that tells where it is from."""
    if abstract := tagged.first(tags, "AB"):
        return abstract
    other = _ORIGIN.sub("", tagged.first(tags, "OAB"), count=1)
    return "" if _NO_ABSTRACT.fullmatch(other) else other


def _doi(tags: tagged.Tags) -> str:
    found = (*tags.get("AID", ()), *tags.get("LID", ()))
    return next((fields.flat(text).removesuffix("[doi]") for text in found if text.endswith("[doi]")), "")


def _authors(pairs: list[tuple[str, str]]) -> list[str]:
    """Full names and groups in the order of the record; short names, without their comma, where there are no full."""
    full = any(tag == "FAU" for tag, _ in pairs)
    names = [(tag, fields.flat(text)) for tag, text in pairs if tag in ("FAU" if full else "AU", "CN")]
    return [re.sub(r" (?=[A-Z]{1,4}$)", ", ", name) if tag == "AU" else name for tag, name in names]
