"""Crossref's JSON and XML, and DataCite's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import answers
import pytest

from pipeline.sources import arxiv, crossref, datacite, europepmc, jsonl, openalex
from pipeline.types import Deleted, Document, Failure

WORK: dict[str, Any] = {
    "indexed": {"date-parts": [[2024, 5, 6]], "date-time": "2024-05-06T01:02:03Z", "timestamp": 1},
    "reference-count": 4,
    "publisher": "Oil Press",
    "license": [
        {"start": {"date-parts": [[2020, 1, 1]]}, "content-version": "tdm", "URL": "https://oil.example/tdm"},
        {"content-version": "vor", "URL": "https://oil.example/vor"},
        {"content-version": "am", "URL": "https://creativecommons.org/licenses/by/4.0/"},
    ],
    "DOI": "10.1234/OIL.7",
    "type": "journal-article",
    "deposited": {"date-parts": [[2023, 2, 1]], "date-time": "2023-02-01T10:00:00Z", "timestamp": 2},
    "published-print": {"date-parts": [[2020, 4]]},
    "published-online": {"date-parts": [[2020, 3, 9]]},
    "issued": {"date-parts": [[2020, 3]]},
    "title": ["Fish <i>oil</i> &amp; blood"],
    "subtitle": ["A trial"],
    "container-title": ["Blood &amp; Oil", "BO"],
    "author": [
        {"given": "Ann", "family": "Dyer", "sequence": "first", "affiliation": []},
        {"name": "The Oil Group", "sequence": "additional"},
        {"family": "Moss"},
    ],
    "language": "en",
    "abstract": "<jats:title>Abstract</jats:title><jats:sec><jats:title>Background</jats:title><jats:p>Fish  oil\n"
    "&amp; <jats:italic>n</jats:italic>-3, p &lt; 0.05.</jats:p></jats:sec><jats:sec><jats:title>Results</jats:title>"
    "<jats:p>Blood thins.</jats:p><jats:p>It flows.</jats:p></jats:sec>",
    "reference": [
        {"key": "1", "doi-asserted-by": "crossref", "DOI": "10.1000/ABC", "unstructured": "Not this"},
        {"key": "2", "unstructured": "Moss B.\n<i>On oil</i>. 1984."},
        {"key": "3", "author": "Fox", "year": "1983", "journal-title": "Blood", "volume": "1", "first-page": "2"},
        {"key": "4", "year": "1983"},
    ],
    "relation": {"is-preprint-of": [{"id-type": "doi", "id": "10.1234/other", "asserted-by": "subject"}]},
}
ANSWER = {"status": "ok", "message-type": "work", "message-version": "1.0.0", "message": WORK}
LIST = {
    "status": "ok",
    "message-type": "work-list",
    "message": {"facets": {}, "total-results": 2, "items": [WORK, {**WORK, "DOI": "10.1234/b"}], "query": {}},
}


def work(**changes: Any) -> Document:
    return answers.paper(crossref, json.dumps({**WORK, **{key.replace("_", "-"): row for key, row in changes.items()}}))


def test_a_work() -> None:
    paper = answers.paper(crossref, json.dumps(ANSWER))
    assert answers.texts(paper) == [
        ("title", "Fish oil & blood: A trial"),
        ("background", "Fish oil & n-3, p < 0.05."),
        ("results", "Blood thins.\nIt flows."),
    ]
    assert (paper.id, paper.ids) == ("10.1234/oil.7", ("doi:10.1234/oil.7",))
    assert (paper.date, paper.revised) == ("2020-03-09", "2023-02-01")
    assert paper.authors == ("Dyer, Ann", "The Oil Group", "Moss")
    assert (paper.journal, paper.language) == ("Blood & Oil", "en")
    assert paper.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert paper.references == ("doi:10.1000/abc", "Moss B. On oil. 1984.", "Fox, 1983, Blood, 1, 2")
    assert (paper.status, paper.links) == ("article", ())


@pytest.mark.parametrize("indent", [None, 2])
def test_every_shape_gives_the_same_works(indent: int | None) -> None:
    alone = answers.paper(crossref, json.dumps(WORK, indent=indent))
    assert alone == answers.paper(crossref, json.dumps(ANSWER, indent=indent))
    for content in (
        json.dumps(LIST, indent=indent),
        json.dumps({"items": LIST["message"]["items"]}, indent=indent),
        json.dumps(LIST["message"]["items"], indent=indent),
        "\n".join(json.dumps(row, indent=indent) for row in LIST["message"]["items"]),
    ):
        first, second = answers.items(crossref, content)
        assert first == alone
        assert isinstance(second, Document)
        assert second.id == "10.1234/b"


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"issued": {"date-parts": [[None]]}, "published-online": None, "published-print": None}, ""),
        ({"issued": {"date-parts": [[2020]]}, "published-online": None, "published-print": None}, "2020"),
        ({"issued": {"date-parts": []}, "published-print": {"date-parts": [[1999, 12, 31]]}}, "1999-12-31"),
        ({"issued": {"date-parts": [["2020", "2", "30"]]}, "published-online": {"date-parts": None}}, "2020-02"),
        ({"issued": "2020", "published-online": [], "published-print": {}}, ""),
    ],
)
def test_dates_with_parts_missing(dates: dict[str, Any], expected: str) -> None:
    assert work(**dates).date == expected


def test_oddities() -> None:
    bare = work(title=[], subtitle=[], author=None, reference=None, license=None, container_title=[])
    assert answers.texts(bare)[0][0] == "background"
    assert (bare.authors, bare.journal, bare.licence, bare.references) == ((), "", "", ())
    csl = work(title="Fish oil", subtitle=None, container_title="Blood", author=[{"literal": "The Oil Group"}])
    assert (csl.title, csl.journal, csl.authors) == ("Fish oil", "Blood", ("The Oil Group",))
    preprint = work(container_title=[], type="posted-content", institution=[{"name": "bioRxiv"}])
    assert preprint.journal == "bioRxiv"
    plain = work(abstract="Oil thins blood, 3<4 & p<.05.")
    assert answers.texts(plain)[1] == ("abstract", "Oil thins blood, 3<4 & p<.05.")


@pytest.mark.parametrize(
    ("kind", "status", "own", "other"),
    [
        ("retraction", "retraction", "retracts", "retracted_by"),
        ("Withdrawal", "retraction", "retracts", "retracted_by"),
        ("partial-retraction", "article", "partly_retracts", "partly_retracted_by"),
        ("correction", "erratum", "corrects", "corrected_by"),
        ("corrigendum", "erratum", "corrects", "corrected_by"),
        ("expression_of_concern", "article", "questions", "questioned_by"),
        ("new_version", "article", "updates", "updated_by"),
    ],
)
def test_updates(kind: str, status: str, own: str, other: str) -> None:
    row = {"DOI": "10.1234/Old", "type": kind, "label": "A label", "updated": {"date-parts": [[2021, 1, 1]]}}
    notice = work(update_to=[row])
    assert (notice.status, notice.links) == (status, ((own, "10.1234/old"),))
    updated = work(updated_by=[row])
    assert (updated.status, updated.links) == (
        "retracted" if other == "retracted_by" else "article",
        ((other, "10.1234/old"),),
    )


def test_a_paper_that_takes_back_itself() -> None:
    paper = work(update_to=[{"DOI": "10.1234/oil.7", "type": "withdrawal"}])
    assert (paper.status, paper.links) == ("retracted", ())


def test_what_is_no_paper() -> None:
    content = json.dumps([{**WORK, "type": "journal"}, {**WORK, "title": [], "subtitle": [], "abstract": None}, WORK])
    journal, empty, paper = answers.items(crossref, content)
    assert journal == Failure("answer", "item 1", "is a journal, no paper: 10.1234/OIL.7")
    assert isinstance(empty, Failure)
    assert empty.reason.startswith("has neither title nor text")
    assert isinstance(paper, Document)


UNIXREF = """<?xml version="1.0" encoding="UTF-8"?>
<doi_records>{records}</doi_records>"""
RECORD = """<doi_record owner="10.1234" timestamp="2024-04-09 08:14:24"><crossref>{content}</crossref></doi_record>"""
ARTICLE = """<journal><journal_metadata language="en"><full_title>Blood &amp; Oil</full_title></journal_metadata>
<journal_issue><publication_date media_type="print"><month>12</month><year>2022</year>
</publication_date></journal_issue>
<journal_article publication_type="full_text">
<titles><title>Fish <i>oil</i></title><subtitle>A trial</subtitle></titles>
<contributors><person_name sequence="first" contributor_role="author"><given_name>Ann</given_name>
<surname>Dyer</surname><suffix>Jr</suffix><affiliations><institution><institution_name>Rome</institution_name>
</institution></affiliations></person_name>
<organization sequence="additional" contributor_role="author">The Oil Group</organization>
<person_name sequence="additional" contributor_role="editor"><surname>Fox</surname></person_name></contributors>
<jats:abstract><jats:title>ABSTRACT</jats:title><jats:sec><jats:title>Results</jats:title><jats:p>Blood &lt;
thins.</jats:p></jats:sec></jats:abstract>
<jats:abstract xml:lang="fr"><jats:p>Le sang.</jats:p></jats:abstract>
<publication_date media_type="print"><month>11</month><day>10</day><year>2022</year></publication_date>
<publication_date media_type="online"><month>09</month><day>20</day><year>2022</year></publication_date>
{update}
<program name="AccessIndicators"><license_ref applies_to="vor">http://creativecommons.org/licenses/by/4.0/</license_ref>
</program>
<doi_data><doi>10.1234/OIL.7</doi><resource>https://oil.example/7</resource></doi_data>
<citation_list><citation key="1"><doi provider="crossref">10.1000/ABC</doi><author>No</author></citation>
<citation key="2"><unstructured_citation>Moss B. On oil.</unstructured_citation></citation>
<citation key="3"><journal_title>Blood</journal_title><author>Fox</author><cYear>1983</cYear></citation></citation_list>
</journal_article></journal>"""
OTHERS = {
    "preprint": (
        """<posted_content type="preprint"><group_title>Computing</group_title><contributors>
<person_name contributor_role="author" sequence="first"><surname>Dyer</surname><affiliations><institution>
<institution_name>Rome</institution_name></institution></affiliations></person_name></contributors>
<titles><title>Fish oil</title></titles><posted_date><month>8</month><day>6</day><year>2021</year></posted_date>
<institution><institution_name>EarthArXiv</institution_name></institution>
<abstract><p>Blood thins.</p></abstract><doi_data><doi>10.1234/p</doi></doi_data></posted_content>""",
        ("10.1234/p", "2021-08-06", "EarthArXiv", ("Dyer",)),
    ),
    "dissertation": (
        """<dissertation language="en"><person_name sequence="first" contributor_role="author">
<given_name>Ann</given_name><surname>Dyer</surname></person_name><titles><title>Fish oil</title></titles>
<approval_date><year>1999</year></approval_date><institution><institution_name>Rome</institution_name></institution>
<doi_data><doi>10.1234/d</doi></doi_data></dissertation>""",
        ("10.1234/d", "1999", "Rome", ("Dyer, Ann",)),
    ),
    "book": (
        """<book book_type="monograph"><book_metadata><contributors><person_name contributor_role="author">
<surname>Dyer</surname></person_name></contributors><titles><title>Fish oil</title></titles>
<publication_date><year>1998</year></publication_date><doi_data><doi>10.1234/b</doi></doi_data></book_metadata></book>""",
        ("10.1234/b", "1998", "", ("Dyer",)),
    ),
    "chapter": (
        """<book><book_metadata><titles><title>All oils</title></titles><publication_date><year>1998</year>
</publication_date><doi_data><doi>10.1234/b</doi></doi_data></book_metadata><content_item component_type="chapter">
<titles><title>Fish oil</title></titles><publication_date><year>1999</year></publication_date>
<doi_data><doi>10.1234/b.2</doi></doi_data></content_item></book>""",
        ("10.1234/b.2", "1999", "All oils", ()),
    ),
    "conference paper": (
        """<conference><proceedings_metadata><proceedings_title>Oil 99</proceedings_title></proceedings_metadata>
<conference_paper><titles><title>Fish oil</title></titles><publication_date><year>1999</year></publication_date>
<doi_data><doi>10.1234/c</doi></doi_data></conference_paper></conference>""",
        ("10.1234/c", "1999", "Oil 99", ()),
    ),
}


def unixref(*contents: str) -> str:
    return UNIXREF.format(records="\n".join(RECORD.format(content=content) for content in contents))


def test_an_article_in_xml() -> None:
    paper = answers.paper(crossref, unixref(ARTICLE.format(update="")))
    assert answers.texts(paper) == [("title", "Fish oil: A trial"), ("results", "Blood < thins.")]
    assert (paper.id, paper.date, paper.revised) == ("10.1234/oil.7", "2022-09-20", "2024-04-09")
    assert paper.authors == ("Dyer, Ann Jr", "The Oil Group")
    assert (paper.journal, paper.language) == ("Blood & Oil", "en")
    assert paper.licence == "http://creativecommons.org/licenses/by/4.0/"
    assert paper.references == ("doi:10.1000/abc", "Moss B. On oil.", "Fox, 1983, Blood")


def test_an_update_in_xml() -> None:
    update = (
        "<crossmark><updates><update type='retraction' date='2021-01-01'>10.1234/OLD</update></updates></crossmark>"
    )
    paper = answers.paper(crossref, unixref(ARTICLE.format(update=update)))
    assert (paper.status, paper.links) == ("retraction", (("retracts", "10.1234/old"),))


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_in_xml(kind: str) -> None:
    content, expected = OTHERS[kind]
    paper = answers.paper(crossref, unixref(content))
    assert paper.title == "Fish oil"
    assert (paper.id, paper.date, paper.journal, paper.authors) == expected


def test_several_records_and_an_error_in_xml() -> None:
    kinds = [content for content, _ in OTHERS.values()]
    error = "<error>doi 10.1/none not found</error>"
    first, failure, empty, *rest = answers.items(crossref, unixref(kinds[0], error, "<journal/>", *kinds[1:]))
    assert isinstance(first, Document)
    assert isinstance(failure, Failure)
    assert failure.reason == "is an error that Crossref gave: doi 10.1/none not found"
    assert isinstance(empty, Failure)
    assert empty.reason == "holds no paper"
    ids = [item.id for item in rest if isinstance(item, Document)]
    assert ids == ["10.1234/d", "10.1234/b", "10.1234/b.2", "10.1234/c"]


def test_wrappings_of_xml() -> None:
    article = ARTICLE.format(update="")
    alone = answers.paper(crossref, unixref(article))
    result = (
        '<crossref_result xmlns="http://www.crossref.org/qrschema/3.0"><query_result><body><query status="resolved">'
        f"{RECORD.format(content=article)}</query></body></query_result></crossref_result>"
    )
    assert answers.paper(crossref, result) == alone
    harvested = (
        "<record><header><identifier>info:doi/10.1234%2Foil</identifier><datestamp>2024-04-09</datestamp></header>"
        '<metadata><crossref xmlns="http://www.crossref.org/xschema/1.1" xsi:schemaLocation="a b">'
        f"{article}</crossref></metadata></record>"
    )
    assert answers.paper(crossref, harvested) == alone
    assert answers.paper(crossref, f"<crossref>{article}</crossref>").revised == ""


def test_deleted_records() -> None:
    gone = "<record><header status='deleted'><identifier>%s</identifier></header></record>"
    page = "<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><ListRecords>%s</ListRecords></OAI-PMH>"
    kept = "<record><header/><metadata>%s</metadata></record>"
    article = kept % f"<crossref>{ARTICLE.format(update='')}</crossref>"
    first, paper = answers.items(crossref, page % (gone % "info:doi/10.1234%2FOil" + article))
    assert first == Deleted("10.1234/oil", ("doi:10.1234/oil",))
    assert isinstance(paper, Document)
    paper, last = answers.items(datacite, page % (kept % RESOURCE + gone % "oai:zenodo.org:1"))
    assert isinstance(paper, Document)
    assert last == Deleted("oai:zenodo.org:1")


DATASET: dict[str, Any] = {
    "id": "10.5438/oil",
    "type": "dois",
    "attributes": {
        "doi": "10.5438/OIL",
        "identifiers": [],
        "alternateIdentifiers": [{"alternateIdentifierType": "arXiv", "alternateIdentifier": "1711.04702"}],
        "creators": [
            {"name": "Dyer, Ann", "givenName": "Ann", "familyName": "Dyer", "nameType": "Personal"},
            {"name": "The Oil Group", "nameType": "Organizational", "affiliation": []},
        ],
        "titles": [
            {"title": "L'huile", "titleType": "TranslatedTitle"},
            {"title": "Fish oil", "lang": "en"},
            {"title": "A trial", "titleType": "Subtitle"},
        ],
        "publisher": {"name": "Dryad"},
        "container": {},
        "publicationYear": 2020,
        "dates": [{"date": "2020-03-19", "dateType": "Issued"}, {"date": "2019", "dateType": "Created"}],
        "language": "en",
        "rightsList": [{"rights": "CC BY", "rightsUri": "https://creativecommons.org/licenses/by/4.0/legalcode"}],
        "descriptions": [
            {"description": "Oil <p>thins</p> blood.", "descriptionType": "Abstract"},
            {"description": "How it was measured.", "descriptionType": "Methods"},
            {"description": "Vol. 7", "descriptionType": "SeriesInformation"},
        ],
        "relatedIdentifiers": [
            {"relationType": "References", "relatedIdentifier": "10.1000/ABC", "relatedIdentifierType": "DOI"},
            {"relationType": "Cites", "relatedIdentifier": "arXiv:0706.0001", "relatedIdentifierType": "arXiv"},
            {"relationType": "IsObsoletedBy", "relatedIdentifier": "10.5438/new", "relatedIdentifierType": "DOI"},
            {"relationType": "IsSupplementTo", "relatedIdentifier": "10.1/x", "relatedIdentifierType": "DOI"},
            {"relationType": "References", "relatedIdentifier": "", "relatedIdentifierType": "DOI"},
        ],
        "updated": "2021-02-03T04:05:06Z",
    },
}
RESOURCE = """<resource xmlns="http://datacite.org/schema/kernel-4" xsi:schemaLocation="a b">
<identifier identifierType="DOI">10.5438/OIL</identifier>
<creators><creator><creatorName nameType="Personal">Dyer, Ann</creatorName><givenName>Ann</givenName>
<familyName>Dyer</familyName><affiliation>Rome</affiliation></creator><creator><creatorName>The Oil
Group</creatorName></creator></creators>
<titles><title titleType="TranslatedTitle">L'huile</title><title xml:lang="en">Fish oil</title>
<title titleType="Subtitle">A trial</title></titles>
<publisher>Dryad</publisher><publicationYear>2020</publicationYear>
<dates><date dateType="Issued">2020-03-19</date><date dateType="Updated">2021-02-03</date></dates>
<language>en</language>
<alternateIdentifiers><alternateIdentifier alternateIdentifierType="arXiv">1711.04702</alternateIdentifier>
</alternateIdentifiers>
<relatedIdentifiers>
<relatedIdentifier relatedIdentifierType="DOI" relationType="References">10.1000/ABC</relatedIdentifier>
<relatedIdentifier relatedIdentifierType="arXiv" relationType="Cites">arXiv:0706.0001</relatedIdentifier>
<relatedIdentifier relatedIdentifierType="DOI" relationType="IsObsoletedBy">10.5438/new</relatedIdentifier>
<relatedIdentifier relatedIdentifierType="DOI" relationType="References"/></relatedIdentifiers>
<rightsList><rights rightsURI="https://creativecommons.org/licenses/by/4.0/legalcode">CC BY</rights></rightsList>
<descriptions><description descriptionType="Abstract">Oil<br/>thins<br/>blood.</description>
<description descriptionType="Methods">How it was
measured.</description><description descriptionType="SeriesInformation">Vol. 7</description></descriptions>
</resource>"""
HARVESTED = """<record><header><identifier>doi:10.5438/oil</identifier><datestamp>2021-02-03T04:05:06Z</datestamp>
</header><metadata><oai_datacite xmlns="http://schema.datacite.org/oai/oai-1.1/"><payload>%s</payload></oai_datacite></metadata>
</record>"""
DESCRIBED = {
    "json": json.dumps({"data": DATASET}),
    "json, a list": json.dumps({"data": [DATASET], "meta": {"total": 1}}, indent=1),
    "json lines": json.dumps(DATASET) + "\n",
    "attributes alone": json.dumps({"schemaVersion": "http://datacite.org/schema/kernel-4", **DATASET["attributes"]}),
    "xml": f'<?xml version="1.0"?>\n{RESOURCE}',
    "xml, harvested": HARVESTED % RESOURCE,
}


@pytest.mark.parametrize("shape", DESCRIBED)
def test_datacite(shape: str) -> None:
    paper = answers.paper(datacite, DESCRIBED[shape])
    title, abstract, methods = answers.texts(paper)
    assert title == ("title", "Fish oil: A trial")
    assert (abstract[0], abstract[1].split()) == ("abstract", ["Oil", "thins", "blood."])
    assert methods == ("methods", "How it was measured.")
    assert (paper.id, paper.ids) == ("10.5438/oil", ("doi:10.5438/oil", "arxiv:1711.04702"))
    assert (paper.date, paper.revised) == ("2020-03-19", "2021-02-03")
    assert paper.authors == ("Dyer, Ann", "The Oil Group")
    assert (paper.journal, paper.language) == ("Dryad", "en")
    assert paper.licence == "https://creativecommons.org/licenses/by/4.0/legalcode"
    assert paper.links == (("updated_by", "10.5438/new"),)
    assert paper.references == ("doi:10.1000/abc", "arxiv:0706.0001")


def test_a_date_of_another_year_is_not_that_of_publication() -> None:
    about = {**DATASET["attributes"], "publicationYear": 1999, "descriptions": [{"description": "Only this."}]}
    paper = answers.paper(datacite, json.dumps({**DATASET, "attributes": about}))
    assert paper.date == "1999"
    assert answers.texts(paper)[1] == ("abstract", "Only this.")


SOURCES = {"arxiv": arxiv, "crossref": crossref, "datacite": datacite, "openalex": openalex, "europepmc": europepmc}
HEADS = {
    "crossref": [json.dumps(ANSWER), json.dumps(WORK), json.dumps(LIST), unixref(ARTICLE), "<crossref/>"],
    "datacite": list(DESCRIBED.values()),
    "openalex": [
        '{"id": "https://openalex.org/W1", "doi": null',
        '{"meta": {}, "results": [{"id":"https://openalex.org/W1"',
    ],
    "europepmc": [
        '{"version": "6.9", "resultList": {"result": [',
        '{"id": "1", "pubYear": "1", "inEPMC": "Y", "inPMC": "N"',
    ],
    "none": [
        '{"id": 7, "title": "Fish oil", "doi": "10.1/x", "DOI": "10.1/x", "results": [], "message": "openalex.org/W1"}',
        '{"meta": {}, "results": []}',
        '{"documents": [{"id": "1", "passages": []}]}',
        "DOI of the work",
        "<article><resource/></article>",
        "<record><header/></record>",
    ],
}


@pytest.mark.parametrize("owner", HEADS)
def test_no_format_takes_the_files_of_another(owner: str) -> None:
    for head in HEADS[owner]:
        claimed = [name for name, source in SOURCES.items() if source.sniff(head)]
        assert claimed == ([] if owner == "none" else [owner]), head[:80]
        assert jsonl.sniff(head) == head.startswith(("{", "["))


def test_real_files(shared_data: Path) -> None:
    files = sorted((shared_data / "raw_papers" / "crossref_datacite").iterdir())
    papers = {
        path.name: answers.paper(crossref if path.name.startswith("crossref") else datacite, path.read_bytes())
        for path in files
    }
    assert len(papers) == 8
    assert all(paper.date and paper.revised and paper.ids for paper in papers.values())
    article = papers["crossref_cn_10.1093=mnras=stac2975.xml"]
    assert (article.date, len(article.authors), len(article.references)) == ("2022-09-20", 8, 112)
    assert [kind for kind, _ in answers.texts(article)] == ["title", "abstract"]
