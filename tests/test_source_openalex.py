"""OpenAlex works and their inverted abstracts."""

from __future__ import annotations

import json
from typing import Any

import answers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import openalex
from pipeline.types import Document, Failure

ABSTRACT = "Fish oil thins blood. Fish oil flows."
INDEX = {"thins": [2], "Fish": [0, 4], "blood.": [3], "flows.": [6], "oil": [1, 5]}
WORK: dict[str, Any] = {
    "id": "https://openalex.org/W2741809807",
    "doi": "https://doi.org/10.7717/PEERJ.4375",
    "title": "Fish <i>oil</i> &amp; blood",
    "display_name": "Fish oil & blood",
    "publication_year": 2018,
    "publication_date": "2018-02-13",
    "ids": {
        "openalex": "https://openalex.org/W2741809807",
        "doi": "https://doi.org/10.7717/PEERJ.4375",
        "mag": "2741809807",
        "pmid": "https://pubmed.ncbi.nlm.nih.gov/29456894",
        "pmcid": "https://www.ncbi.nlm.nih.gov/pmc/articles/5815332",
    },
    "language": "en",
    "primary_location": {
        "is_oa": True,
        "landing_page_url": "https://doi.org/10.7717/peerj.4375",
        "source": {"id": "https://openalex.org/S1983995261", "display_name": "PeerJ", "type": "journal"},
        "license": "cc-by",
    },
    "type": "article",
    "authorships": [
        {"author_position": "first", "author": {"display_name": "Ann Dyer"}, "raw_author_name": "A. Dyer"},
        {"author_position": "last", "author": {"id": None, "display_name": None}, "raw_author_name": "Moss, Bo"},
    ],
    "is_retracted": False,
    "referenced_works": ["https://openalex.org/W1560783210", "https://openalex.org/W1724212071"],
    "abstract_inverted_index": INDEX,
    "updated_date": "2024-07-30T09:10:11.123456",
}


def work(**changes: Any) -> Document:
    return answers.paper(openalex, json.dumps({**WORK, **changes}))


def reason(**changes: Any) -> str:
    return answers.reason(openalex, json.dumps({**WORK, **changes}))


def test_a_work() -> None:
    paper = work()
    assert answers.texts(paper) == [("title", "Fish oil & blood"), ("abstract", ABSTRACT)]
    assert paper.id == "29456894"
    assert paper.ids == ("pmid:29456894", "pmcid:PMC5815332", "doi:10.7717/peerj.4375", "openalex:W2741809807")
    assert (paper.date, paper.revised) == ("2018-02-13", "2024-07-30")
    assert paper.authors == ("Ann Dyer", "Moss, Bo")
    assert (paper.journal, paper.language, paper.licence) == ("PeerJ", "en", "cc-by")
    assert paper.references == ("openalex:W1560783210", "openalex:W1724212071")
    assert paper.status == "article"


@pytest.mark.parametrize("indent", [None, 2])
def test_every_shape_gives_the_same_works(indent: int | None) -> None:
    rows = [WORK, {**WORK, "id": "https://openalex.org/W2", "ids": {}, "doi": None}]
    page = {"meta": {"count": 2, "page": 1}, "results": rows, "group_by": []}
    for content in (
        json.dumps(page, indent=indent),
        json.dumps(rows, indent=indent),
        "\n".join(json.dumps(row, indent=indent) for row in rows),
    ):
        first, second = answers.items(openalex, content)
        assert first == work()
        assert isinstance(second, Document)
        assert (second.id, second.ids) == ("openalex:W2", ("openalex:W2",))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"is_retracted": True}, "retracted"),
        ({"is_retracted": True, "type": "erratum"}, "retracted"),
        ({"type": "retraction"}, "retraction"),
        ({"type": "erratum"}, "erratum"),
        ({"type": "preprint", "is_retracted": None}, "article"),
    ],
)
def test_states(changes: dict[str, Any], status: str) -> None:
    assert work(**changes).status == status


def test_a_preprint_of_arxiv() -> None:
    place = {"landing_page_url": "http://arxiv.org/abs/1706.03762v5", "source": None, "license": None}
    paper = work(primary_location=place, doi=None, ids={})
    assert (paper.id, paper.ids) == ("1706.03762", ("arxiv:1706.03762", "openalex:W2741809807"))
    assert (paper.journal, paper.licence) == ("", "")
    assert work(doi="https://doi.org/10.48550/arxiv.1706.03762", ids={}).id == "1706.03762"


def test_what_is_missing() -> None:
    gaps = dict.fromkeys(("primary_location", "authorships", "referenced_works", "language", "publication_date"))
    paper = work(title=None, display_name="Fish oil", abstract_inverted_index=None, **gaps)
    assert (paper.text, paper.date, paper.authors, paper.references) == ("Fish oil", "2018", (), ())
    assert reason(title=None, display_name=None, abstract_inverted_index=None).startswith("has neither title nor text")
    assert work(title=None, display_name=None).text == ABSTRACT


@pytest.mark.parametrize(
    ("index", "abstract"),
    [
        ({"Oil": [3], "thins": [9], "blood.": [10**9]}, "Oil thins blood."),
        ({"blood.": [10**30], "Oil": [0]}, "Oil blood."),
        ({"Oil": [0], "or": [0], "fat": [1]}, "Oil or fat"),
        ({"Oil": 0, "flows": [1]}, "Oil flows"),
        ({"Oil": [0], "lost": []}, "Oil"),
    ],
)
def test_odd_positions(index: dict[str, Any], abstract: str) -> None:
    assert answers.texts(work(abstract_inverted_index=index))[1:] == [("abstract", abstract)]


@pytest.mark.parametrize(
    "index", [{"Oil": [-1]}, {"Oil": ["0"]}, {"Oil": [True]}, {"Oil": None}, {"Oil": [0.5]}, "Oil"]
)
def test_no_positions(index: Any) -> None:
    assert reason(abstract_inverted_index=index).startswith("has an abstract_inverted_index ")


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1), st.randoms(use_true_random=False))
def test_an_inverted_text_is_found_again(words: list[str], random: Any) -> None:
    index: dict[str, list[int]] = {}
    for at in random.sample(range(len(words)), len(words)):
        index.setdefault(words[at], []).append(at)
    assert answers.texts(work(abstract_inverted_index=index))[1] == ("abstract", " ".join(words))


def test_a_bad_work_costs_no_other() -> None:
    rows = [json.dumps(WORK), json.dumps(WORK)[:-1] + ', "id": "W1"}', json.dumps({**WORK, "language": {"a": 1}})]
    first, twice, odd, last = answers.items(openalex, "\n".join([*rows, json.dumps(WORK)]))
    assert first == last == work()
    assert twice == Failure("answer", "line 2", "has the key 'id' twice in one object")
    assert odd == work(language=None)
