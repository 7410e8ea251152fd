"""Results of Europe PMC."""

from __future__ import annotations

import json
from typing import Any

import answers
import pytest

from pipeline.sources import europepmc
from pipeline.types import Document, Failure

RESULT: dict[str, Any] = {
    "id": "32678530",
    "source": "MED",
    "pmid": "32678530",
    "pmcid": "PMC7383595",
    "doi": "10.1056/NEJMoa2021436",
    "title": "Fish &lt;i&gt;oil&lt;/i&gt; and <i>blood</i>.",
    "authorString": "Dyer AB, The Oil Group, Moss C.",
    "authorList": {
        "author": [
            {"fullName": "Dyer AB", "firstName": "Ann B", "lastName": "Dyer", "initials": "AB"},
            {"collectiveName": "The Oil Group"},
            {"fullName": "Moss C", "lastName": "Moss", "initials": "C"},
        ]
    },
    "journalInfo": {
        "dateOfPublication": "2021 Feb",
        "yearOfPublication": 2021,
        "journal": {"title": "The Journal of blood", "medlineAbbreviation": "J Blood"},
        "printPublicationDate": "2021-02-01",
    },
    "pubYear": "2021",
    "abstractText": "<h4>Background</h4>Oil &amp; blood, p<0.05.<h4>Results</h4><p>It <i>thins</i>.</p><p>Oil.</p>",
    "language": "eng",
    "pubTypeList": {"pubType": ["Journal Article", "Randomized Controlled Trial"]},
    "isOpenAccess": "Y",
    "inEPMC": "Y",
    "license": "cc by",
    "commentCorrectionList": {
        "commentCorrection": [
            {"id": "100", "source": "MED", "type": "Comment in", "reference": "Blood. 2021", "orderIn": 1},
            {"id": "101", "source": "MED", "type": "Erratum in", "orderIn": 2},
            {"type": "Update of"},
        ]
    },
    "dateOfRevision": "2022-12-03",
    "firstPublicationDate": "2020-07-17",
}


def result(**changes: Any) -> Document:
    return answers.paper(europepmc, json.dumps({**RESULT, **changes}))


def page(*rows: dict[str, Any], indent: int | None = None) -> str:
    whole = {"version": "6.9", "hitCount": len(rows), "request": {"queryString": "oil"}, "resultList": {"result": rows}}
    return json.dumps(whole, indent=indent)


def test_a_result() -> None:
    paper = result()
    assert answers.texts(paper) == [
        ("title", "Fish oil and blood."),
        ("background", "Oil & blood, p<0.05."),
        ("results", "It thins.\nOil."),
    ]
    assert (paper.id, paper.ids) == (
        "32678530",
        ("pmid:32678530", "pmcid:PMC7383595", "doi:10.1056/nejmoa2021436"),
    )
    assert (paper.date, paper.revised) == ("2020-07-17", "2022-12-03")
    assert paper.authors == ("Dyer, Ann B", "The Oil Group", "Moss, C")
    assert (paper.journal, paper.language, paper.licence) == ("The Journal of blood", "eng", "cc by")
    assert (paper.status, paper.links) == ("article", (("corrected_by", "101"),))


@pytest.mark.parametrize("indent", [None, 2])
def test_every_shape_gives_the_same_results(indent: int | None) -> None:
    rows = [RESULT, {**RESULT, "pmid": "7"}]
    for content in (
        page(*rows, indent=indent),
        json.dumps(rows, indent=indent),
        "\n".join(json.dumps(row, indent=indent) for row in rows),
    ):
        first, second = answers.items(europepmc, content)
        assert first == result()
        assert isinstance(second, Document)
        assert second.id == "7"
    detail = json.dumps({"version": "6.9", "request": {"id": "1"}, "result": RESULT}, indent=indent)
    assert answers.paper(europepmc, detail) == result()
    assert answers.items(europepmc, page()) == []


def test_a_short_result() -> None:
    kept = ("id", "source", "doi", "title", "authorString", "pubYear", "isOpenAccess", "inEPMC")
    short = {key: RESULT[key] for key in kept} | {
        "journalTitle": "J Blood",
        "pubType": "retraction of publication; letter",
    }
    paper = answers.paper(europepmc, page(short))
    assert paper.ids == ("pmid:32678530", "doi:10.1056/nejmoa2021436")
    assert (paper.text, paper.date, paper.journal) == ("Fish oil and blood.", "2021", "J Blood")
    assert paper.authors == ("Dyer AB", "The Oil Group", "Moss C")
    assert paper.status == "retraction"


def test_preprints_and_other_sources() -> None:
    nothing = {"pmid": None, "pmcid": None}
    preprint = result(**nothing, id="PPR190522", source="PPR", doi="10.1101/2020.06.22", abstractText="<p>Oil</p>")
    assert (preprint.id, preprint.ids) == ("10.1101/2020.06.22", ("doi:10.1101/2020.06.22",))
    assert result(**nothing, id="PPR190522", source="PPR", doi=None).id == "PPR:PPR190522"
    assert result(**nothing, id="PMC55", source="PMC", doi=None).ids == ("pmcid:PMC55",)


@pytest.mark.parametrize(
    ("kind", "word", "status"),
    [
        ("Retraction in", "retracted_by", "retracted"),
        ("Retraction of", "retracts", "article"),
        ("Partial retraction in", "partly_retracted_by", "article"),
        ("Expression of concern in", "questioned_by", "article"),
        ("Erratum for", "corrects", "article"),
        ("Update of", "updates", "article"),
    ],
)
def test_links(kind: str, word: str, status: str) -> None:
    row = {"id": "9", "source": "MED", "type": kind}
    paper = result(commentCorrectionList={"commentCorrection": [row]})
    assert (paper.links, paper.status) == (((word, "9"),), status)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("Retracted Publication", "retracted"),
        ("Retraction of Publication", "retraction"),
        ("Published Erratum", "erratum"),
        ("Letter", "article"),
    ],
)
def test_states(kind: str, status: str) -> None:
    assert result(pubTypeList={"pubType": ["Journal Article", kind]}, commentCorrectionList=None).status == status


@pytest.mark.parametrize(
    ("changes", "date"),
    [
        ({"firstPublicationDate": None}, "2021-02-01"),
        ({"firstPublicationDate": None, "journalInfo": {"dateOfPublication": "2021 Feb-Mar"}}, "2021-02"),
        ({"firstPublicationDate": "soon", "journalInfo": None}, "2021"),
    ],
)
def test_dates(changes: dict[str, Any], date: str) -> None:
    assert result(**changes).date == date


def test_a_bad_result_costs_no_other() -> None:
    first, failure, last = answers.items(europepmc, page(RESULT, {"id": "8", "source": "MED"}, RESULT))
    assert first == last == result()
    assert failure == Failure("answer", "item 2", "has neither title nor text; what it has is 'pmid'")


def test_a_cut_page_keeps_what_came_before() -> None:
    content = page(RESULT, RESULT)
    first, failure = answers.items(europepmc, content[:-60])
    assert first == result()
    assert isinstance(failure, Failure)
    assert "cut off" in failure.reason
