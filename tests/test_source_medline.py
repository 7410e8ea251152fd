from __future__ import annotations

import ast
import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import sources
from pipeline.sources import medline, medline_record
from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import Unreadable
from pipeline.types import Deleted, Document, Failure

MATHML = 'xmlns:mml="http://www.w3.org/1998/Math/MathML"'
TITLE = "<ArticleTitle>Fish oil</ArticleTitle>"


def article(inside: str = TITLE, *, pmid: str = "7", citation: str = "", data: str = "") -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>{inside}</Article>{citation}'
        f"</MedlineCitation><PubmedData>{data}</PubmedData></PubmedArticle>\n"
    )


def a_set(*records: str, name: str = "PubmedArticleSet") -> str:
    return f'<?xml version="1.0"?>\n<{name}>\n{"".join(records)}</{name}>\n'


@pytest.fixture
def items(tmp_path: Path) -> Callable[..., list[sources.Item]]:
    def items(content: str | bytes) -> list[sources.Item]:
        path = tmp_path / "papers.xml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(sources.read(path))

    return items


@pytest.fixture
def one(items: Callable[..., list[sources.Item]]) -> Callable[..., Document]:
    def one(*given: str, **more: str) -> Document:
        (item,) = items(a_set(article(*given, **more)))
        assert isinstance(item, Document), item
        return item

    return one


def texts(paper: Document) -> list[tuple[str, str]]:
    return [(section.kind, section.of(paper.text)) for section in paper.sections]


# The text.


def test_labels_of_the_authors_own_take_the_category(one: Callable[..., Document]) -> None:
    paper = one(
        '<Abstract><AbstractText Label="WHAT WE DID" NlmCategory="METHODS">Fed.</AbstractText>'
        '<AbstractText Label="FINDINGS" NlmCategory="UNASSIGNED">Thin.</AbstractText>'
        '<AbstractText Label="" NlmCategory="CONCLUSIONS">So.</AbstractText>'
        '<AbstractText NlmCategory="UNASSIGNED">End.</AbstractText></Abstract>'
    )
    assert texts(paper) == [("methods", "Fed."), ("results", "Thin."), ("abstract", "So."), ("abstract", "End.")]


@pytest.mark.parametrize(
    ("inside", "other", "expected"),
    [
        ("<Abstract><AbstractText>Ours.</AbstractText></Abstract>", "Autre.", "Ours."),
        ("<Abstract><AbstractText/></Abstract>", "Autre.", "Autre."),
        ("", "Autre.", "Autre."),
    ],
)
def test_another_abstract_only_where_there_is_none(
    inside: str, other: str, expected: str, one: Callable[..., Document]
) -> None:
    citation = f'<OtherAbstract Language="fre"><AbstractText>{other}</AbstractText></OtherAbstract>'
    assert texts(one(inside, citation=citation)) == [("abstract", expected)]


def test_of_other_abstracts_the_english_one(one: Callable[..., Document]) -> None:
    others = "".join(
        f'<OtherAbstract Language="{language}"><AbstractText>{text}</AbstractText></OtherAbstract>'
        for language, text in (("fre", "Huile."), ("eng", "Oil."))
    )
    assert texts(one("", citation=others)) == [("abstract", "Oil.")]


def test_markup_and_formulas(one: Callable[..., Document]) -> None:
    formula = (
        f"<mml:math {MATHML}><mml:semantics>\n <mml:mrow>\n  <mml:mi>k</mml:mi><mml:mo>=</mml:mo>\n  <mml:mfrac>"
        "<mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac></mml:mrow>"
        '<mml:annotation encoding="TeX">k=\\frac12</mml:annotation></mml:semantics></mml:math>'
    )
    paper = one(
        f"<ArticleTitle>[CO<sub>2</sub> &amp; <i>caf&eacute;</i>\n  at 10<sup>-3</sup>].</ArticleTitle>"
        f"<Abstract><AbstractText>Where {formula} holds<!-- not so -->.<![CDATA[ p<0.05]]></AbstractText></Abstract>"
    )
    assert texts(paper) == [("title", "[CO2 & café at 10-3]."), ("abstract", "Where k=1/2 holds. p<0.05")]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("[Fish oil.]", "[Fish oil.]"),
        ("[Not Available].", "Huile de poisson."),
        ("", "Huile de poisson."),
    ],
)
def test_translated_titles(title: str, expected: str, one: Callable[..., Document]) -> None:
    inside = f"<ArticleTitle>{title}</ArticleTitle><VernacularTitle>Huile de poisson.</VernacularTitle>"
    assert one(inside).title == expected


# What is known about it.


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<PubDate><Year>1998</Year><Month>Apr</Month><Day>5</Day></PubDate>", "1998-04-05"),
        ("<PubDate><Year>1998</Year><Month>02</Month><Day>30</Day></PubDate>", "1998-02"),
        ("<PubDate><Year>1998</Year><Season>Winter</Season></PubDate>", "1998"),
        ("<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>", "1998-12"),
        ("<PubDate><MedlineDate>1998-1999</MedlineDate></PubDate>", "1998"),
        ("<PubDate><MedlineDate>Spring 1998</MedlineDate></PubDate>", "1998"),
        ("<PubDate><MedlineDate>1998 Aug 14-20</MedlineDate></PubDate>", "1998-08"),
        ("<PubDate><MedlineDate>undated</MedlineDate></PubDate>", "2001-02-03"),
        ("<PubDate/>", "2001-02-03"),
        ("", "2001-02-03"),
    ],
)
def test_dates(xml: str, expected: str, one: Callable[..., Document]) -> None:
    on_line = "<ArticleDate><Year>2001</Year><Month>02</Month><Day>03</Day></ArticleDate>"
    paper = one(f"<Journal><JournalIssue>{xml}</JournalIssue></Journal>{TITLE}{on_line}")
    assert paper.date == expected


def test_names(one: Callable[..., Document]) -> None:
    authors = (
        "<AuthorList><Author><LastName>King</LastName><ForeName>Martin L</ForeName><Initials>ML</Initials>"
        "<Suffix>Jr</Suffix><AffiliationInfo><Affiliation>Here</Affiliation></AffiliationInfo></Author>"
        '<Author ValidYN="N"><LastName>Kong</LastName></Author><Author><LastName>D&iacute;az</LastName>'
        "<Initials>A</Initials></Author><Author><CollectiveName>The  Oil\nGroup</CollectiveName></Author></AuthorList>"
    )
    assert one(TITLE + authors).authors == ("King, Martin L, Jr", "Díaz, A", "The Oil Group")


def test_identifiers(one: Callable[..., Document]) -> None:
    ids = '<ArticleIdList><ArticleId IdType="pmc">PMC12</ArticleId></ArticleIdList>'
    cited = '<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.9999/cited</ArticleId></ArticleIdList>'
    cited += "</Reference></ReferenceList>"
    locations = (
        '<ELocationID EIdType="doi" ValidYN="N">10.1000/wrong</ELocationID>'
        '<ELocationID EIdType="doi" ValidYN="Y">10.1000/RIGHT</ELocationID>'
    )
    assert one(TITLE, data=cited).ids == ("pmid:7",)
    assert one(TITLE + locations, data=ids + cited).ids == ("pmid:7", "pmcid:PMC12", "doi:10.1000/right")
    preprint = '<ELocationID EIdType="pii" ValidYN="Y">arXiv:2003.02320v1</ELocationID>'
    assert one(TITLE + preprint).ids == ("pmid:7", "arxiv:2003.02320")
    other = '<ELocationID EIdType="pii" ValidYN="Y">S0140-6736(20)30183-5</ELocationID>'
    assert one(TITLE + other).ids == ("pmid:7",)


def test_the_rest(one: Callable[..., Document]) -> None:
    paper = one(
        f"<Journal><ISOAbbreviation>Bl</ISOAbbreviation></Journal>{TITLE}<Abstract><AbstractText>Thin.</AbstractText>"
        "<CopyrightInformation>© 2020 The Authors. CC BY 4.0.</CopyrightInformation></Abstract><Language>ENG</Language>"
        "<Language>fre</Language>",
        citation="<DateRevised><Year>2019</Year><Month>06</Month><Day>09</Day></DateRevised>"
        "<DateCompleted><Year>1976</Year></DateCompleted>",
    )
    assert (paper.journal, paper.language, paper.licence) == ("Bl", "eng", "© 2020 The Authors. CC BY 4.0.")
    assert (paper.revised, paper.date) == ("2019-06-09", "")


@pytest.mark.parametrize(
    ("relation", "word", "status"),
    [
        ("ErratumFor", "corrects", "article"),
        ("ErratumIn", "corrected_by", "article"),
        ("CorrectedandRepublishedFrom", "corrects", "article"),
        ("RetractionOf", "retracts", "article"),
        ("RetractionIn", "retracted_by", "retracted"),
        ("RetractedandRepublishedIn", "retracted_by", "retracted"),
        ("PartialRetractionOf", "partly_retracts", "article"),
        ("PartialRetractionIn", "partly_retracted_by", "article"),
        ("ExpressionOfConcernFor", "questions", "article"),
        ("ExpressionOfConcernIn", "questioned_by", "article"),
        ("RepublishedFrom", "republishes", "article"),
        ("UpdateOf", "updates", "article"),
        ("UpdateIn", "updated_by", "article"),
        ("CommentIn", "", "article"),
    ],
)
def test_links(relation: str, word: str, status: str, one: Callable[..., Document]) -> None:
    link = f'<CommentsCorrections RefType="{relation}"><RefSource>J.</RefSource><PMID>9</PMID></CommentsCorrections>'
    paper = one(TITLE, citation=f"<CommentsCorrectionsList>{link * 2}</CommentsCorrectionsList>")
    assert paper.links == (((word, "9"),) if word else ())
    assert (paper.status, paper.ids, paper.references) == (status, ("pmid:7",), ())


@pytest.mark.parametrize(("kind", "status"), [("Retraction Notice", "retraction"), ("Published Erratum", "erratum")])
def test_states(kind: str, status: str, one: Callable[..., Document]) -> None:
    kinds = f"<PublicationType>Journal Article</PublicationType><PublicationType>{kind}</PublicationType>"
    assert one(f"{TITLE}<PublicationTypeList>{kinds}</PublicationTypeList>").status == status


def test_references(one: Callable[..., Document]) -> None:
    def reference(citation: str, **ids: str) -> str:
        listed = "".join(f'<ArticleId IdType="{kind}">{id_}</ArticleId>' for kind, id_ in ids.items())
        return f"<Reference><Citation>{citation}</Citation><ArticleIdList>{listed}</ArticleIdList></Reference>"

    cites = (
        '<CommentsCorrectionsList><CommentsCorrections RefType="Cites"><RefSource>Old.</RefSource><PMID>5</PMID>'
        '</CommentsCorrections><CommentsCorrections RefType="Cites"><RefSource>Older.</RefSource></CommentsCorrections>'
        "</CommentsCorrectionsList>"
    )
    listed = (
        reference("A.", doi="10.1000/A", pubmed="1"),
        reference("B.", pmc="PMC3", doi="10.1000/B"),
        reference("C.", pmc="PMC4"),
        reference("D &amp; <i>E</i>, 1990.", doi="none"),
        reference("A again.", pubmed="1"),
        "<Reference/><ReferenceList>" + reference("F.", pubmed="6") + "</ReferenceList>",
    )
    paper = one(TITLE, citation=cites, data=f"<ReferenceList><Title>Refs</Title>{''.join(listed)}</ReferenceList>")
    expected = ("pmid:5", "Older.", "pmid:1", "doi:10.1000/b", "pmcid:PMC4", "D & E, 1990.", "pmid:6")
    assert paper.references == expected
    assert (paper.text, paper.journal) == ("Fish oil", "")


# Other records than articles.

BOOK = """<PubmedBookArticle><BookDocument><PMID>20301295</PMID><ArticleIdList>
<ArticleId IdType="bookaccession">NBK1116</ArticleId></ArticleIdList><Book><BookTitle>Gene &amp; Reviews</BookTitle>
<PubDate><Year>1993</Year></PubDate><AuthorList Type="editors"><Author><LastName>Adam</LastName></Author></AuthorList>
</Book>{}<Language>eng</Language><PublicationType>Review</PublicationType>
<Abstract><AbstractText>Long.</AbstractText></Abstract></BookDocument><PubmedBookData><ArticleIdList>
<ArticleId IdType="doi">10.1000/b</ArticleId></ArticleIdList></PubmedBookData></PubmedBookArticle>"""
CHAPTER = """<ArticleTitle>A chapter</ArticleTitle><AuthorList><Author><LastName>Moss</LastName></Author></AuthorList>
<ContributionDate><Year>2004</Year><Month>2</Month><Day>27</Day></ContributionDate>"""


def test_books_and_chapters(items: Callable[..., list[sources.Item]]) -> None:
    chapter, book = items(a_set(BOOK.format(CHAPTER), BOOK.format("")))
    assert isinstance(chapter, Document)
    assert isinstance(book, Document)
    assert texts(chapter) == [("title", "A chapter"), ("abstract", "Long.")]
    assert (chapter.date, chapter.authors, chapter.journal) == ("2004-02-27", ("Moss",), "Gene & Reviews")
    assert (book.title, book.date, book.authors) == ("Gene & Reviews", "1993", ("Adam",))
    assert book.ids == ("pmid:20301295", "doi:10.1000/b")


def test_every_root(items: Callable[..., list[sources.Item]]) -> None:
    (paper,) = items(a_set(article()))
    citation = article().partition("<PubmedData>")[0].removeprefix("<PubmedArticle>")
    chapter = BOOK.format("").removeprefix("<PubmedBookArticle>").partition("<PubmedBookData>")[0]
    deleted = "<DeleteCitation><PMID>5</PMID></DeleteCitation>"
    assert items(article()) == items(citation) == [paper]
    assert items(a_set(citation, deleted, name="MedlineCitationSet")) == [paper, Deleted("5", ("pmid:5",))]
    deleted = "<DeleteDocument><PMID>6</PMID></DeleteDocument>"
    *books, last = items(a_set(chapter, chapter, deleted, name="BookDocumentSet"))
    assert ([book.id for book in books], last) == (["20301295"] * 2, Deleted("6", ("pmid:6",)))


def test_deleted_records(items: Callable[..., list[sources.Item]]) -> None:
    deleted = '<DeleteCitation>\n<PMID Version="1">5</PMID><PMID> 6 </PMID><PMID/></DeleteCitation>\n'
    paper, *gone, failure = items(a_set(article(), deleted))
    assert isinstance(paper, Document)
    assert gone == [Deleted("5", ("pmid:5",)), Deleted("6", ("pmid:6",))]
    assert isinstance(failure, Failure)
    assert failure.reason == "deletes a record without its PMID"
    assert items(a_set(deleted))[:2] == gone


def test_summaries_are_refused(items: Callable[..., list[sources.Item]]) -> None:
    (failure,) = items('<?xml version="1.0"?><eSummaryResult><DocSum><Id>1</Id></DocSum></eSummaryResult>')
    assert isinstance(failure, Failure)
    assert "fetch the records themselves" in failure.reason


# Damage costs the record that it is in, and says so.


def outcome(items: list[sources.Item]) -> list[str]:
    return [item.id if isinstance(item, Document) else f"{item.place}: {item.reason}" for item in items]


@pytest.mark.parametrize("damaged", range(3))
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<PubmedArticle>", "<PubmedArt1cle>", "has no start tag"),
        ("</PubmedArticle>", "", "has no end tag"),
        ("</Article>", "", "is not well-formed"),
        ("Fish", "F\0sh", "holds NUL"),
        ("Fish", "&", "is not well-formed"),
    ],
)
def test_damage(old: str, new: str, reason: str, damaged: int, items: Callable[..., list[sources.Item]]) -> None:
    records = [article(pmid=str(n)) for n in range(3)]
    records[damaged] = records[damaged].replace(old, new)
    found = outcome(items(a_set(*records)))
    failed = [line for line in found if len(line) > 1]
    assert [line for line in found if len(line) == 1] == [str(n) for n in range(3) if n != damaged]
    assert len(failed) == 1
    assert failed[0].startswith(f"PubmedArticle {damaged + 1} (PMID {damaged}): {reason}")


def test_two_records_in_one(items: Callable[..., list[sources.Item]]) -> None:
    merged = article(pmid="1") + article(pmid="2")
    for content in (
        merged.replace("</PubmedArticle>\n<PubmedArticle>", ""),
        f"<PubmedArticle>{merged}</PubmedArticle>",
    ):
        found = outcome(items(a_set(content, article(pmid="3"))))
        assert found[-1] == "3"
        assert any("PMID 1" in line for line in found[:-1]) or found[:2] == ["1", "2"]


def test_sets_one_behind_the_other(items: Callable[..., list[sources.Item]]) -> None:
    assert outcome(items(a_set(article(pmid="1")) + a_set(article(pmid="2"), article(pmid="3")))) == ["1", "2", "3"]


def test_nested_too_deeply(items: Callable[..., list[sources.Item]]) -> None:
    deep = f"<ArticleTitle>{'<i>' * 100_000}x{'</i>' * 100_000}</ArticleTitle>"
    found = outcome(items(a_set(article(), article(deep, pmid="8"), article(pmid="9"))))
    assert (found[0], found[2]) == ("7", "9")
    assert found[1].startswith("PubmedArticle 2 (PMID 8): is n")


def test_a_record_without_end_is_not_hoarded(
    items: Callable[..., list[sources.Item]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medline, "MAX_RECORD", 2000)
    monkeypatch.setattr(medline, "_CHUNK", 500)
    found = outcome(items(a_set(article(), article(f"<ArticleTitle>{'x' * 9000}</ArticleTitle>"), article())))
    assert found == ["7", "after record 1: has an article of more than 2,000 bytes"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(encoding: str, items: Callable[..., list[sources.Item]]) -> None:
    content = a_set(article("<ArticleTitle>Öl für Bären</ArticleTitle>"), article())
    declared = content.replace('"1.0"', f'"1.0" encoding="{encoding.removesuffix("-sig")}"')
    assert [paper.title for paper in items(declared.encode(encoding))] == ["Öl für Bären", "Fish oil"]


def test_groups_make_no_difference(items: Callable[..., list[sources.Item]], monkeypatch: pytest.MonkeyPatch) -> None:
    records = [article(pmid="1"), BOOK.format(""), article(pmid="2").replace("</Article>", ""), BOOK.format(CHAPTER)]
    content = a_set(*records, article(pmid="3"), "<DeleteCitation><PMID>4</PMID></DeleteCitation>")
    whole = items(content)
    assert len(whole) == 6
    for size in (1, 13, 14, 15, 16, 200, 777):
        monkeypatch.setattr(medline, "_CHUNK", size)
        assert items(content) == whole


# The short way to a Document is the long one.

headed = st.sampled_from(["AIM: To see. RESULTS: We saw.", "Thin.\n\nReferences\n\n1. Dyer, 1990.\n2. Moss, 1991."])
words = st.text(st.sampled_from("aé .,;/()10\u00a0\u2003-:"), max_size=12)
numbers = st.text(st.sampled_from("0123456789٣"), max_size=9) | words
loose_fields = st.fixed_dictionaries(
    {
        "title": words,
        "sections": st.lists(
            st.fixed_dictionaries(
                {"kind": st.sampled_from(["abstract", "results", "references", "what we did"]), "text": words | headed}
            ),
            max_size=3,
        ),
        "date": st.sampled_from(["", "1985", "1985-04", "1985-04-02"]),
        "authors": st.lists(words.map(str.strip).filter(bool), max_size=3),
        "journal": words,
        "language": words,
        "licence": words,
        "status": st.sampled_from(["", "retracted", "retraction", "erratum"]),
        "pmid": numbers,
        "pmcid": st.one_of(st.just(""), numbers.map("PMC{}".format), numbers),
        "doi": words | st.sampled_from(["10.1000/A", "https://doi.org/10.1000/x y", "10.48550/arXiv.2003.02320"]),
        "arxiv": st.sampled_from(["", "arXiv:2003.02320v1"]),
        "links": st.lists(st.tuples(st.sampled_from(["corrects", "updated_by"]), numbers), max_size=3),
        "references": st.lists(st.sampled_from(["pmid:1", "doi:10.1000/b", "Dyer, 1990."]), max_size=3),
        "revised": st.sampled_from(["", "2019-06-09"]),
    }
)


@given(loose_fields)
@settings(max_examples=500, deadline=None)
def test_built_as_by_the_common_way(loose: dict[str, object]) -> None:
    loose = {"id": loose["pmid"], **loose}
    assert result(medline_record.built, loose) == result(fields.document, loose)


def result(make: Callable[..., Document], loose: dict[str, object]) -> Document | str:
    try:
        return make(loose)
    except Unreadable as error:
        return str(error)


# Real files.


@pytest.fixture
def real(shared_data: Path) -> Path:
    return shared_data / "raw_papers" / "medline_xml"


def papers(path: Path) -> Iterator[Document]:
    return (item for item in sources.read(path) if isinstance(item, Document))


def test_real_records(real: Path) -> None:
    counts = {path.name: len(list(papers(path))) for path in sorted(real.glob("*pubmed*.xml"))}
    assert counts == {
        "biopython_pubmed1.xml": 2,
        "biopython_pubmed2.xml": 2,
        "biopython_pubmed4.xml": 1,
        "biopython_pubmed5.xml": 1,
        "biopython_pubmed6.xml": 1,
        "biopython_pubmed7.xml": 1,
        "pubmed-29768149.xml": 1,
        "pubmedpy_efetch.xml": 6,
        "pubmedpy_esummary.xml": 0,
    }
    (imaging,) = papers(real / "biopython_pubmed7.xml")
    assert "<" not in imaging.text
    assert "  " not in imaging.text
    assert "Canadian Respiratory Research Network" in imaging.authors
    assert len(imaging.references) == 49  # its own number is the 50th
    (cited,) = papers(real / "biopython_pubmed4.xml")
    assert len(cited.references) == 48
    assert cited.licence.startswith("Published by the BMJ")


def test_real_values(real: Path) -> None:
    with (real / "pubmedpy_efetch_expected.tsv").open(encoding="utf-8") as file:
        expected = {row["pmid"]: row for row in csv.DictReader(file, delimiter="\t")}
    found = {paper.id: paper for paper in papers(real / "pubmedpy_efetch.xml")}
    assert set(found) == set(expected)
    for paper, row in ((found[pmid], row) for pmid, row in expected.items()):
        ids = (f"pmid:{row['pmid']}", row["pmcid"] and f"pmcid:{row['pmcid']}", row["doi"] and f"doi:{row['doi']}")
        assert paper.ids == tuple(id_ for id_ in ids if id_)
        assert paper.title == row["title"]
        named = [", ".join(filter(None, (a["last_name"], a["fore_name"]))) for a in ast.literal_eval(row["authors"])]
        assert list(paper.authors) == named
        assert paper.year == int(row["publication_date"][:4])  # they prefer the day on line, we that of the issue


def test_real_records_are_built_as_by_the_common_way(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [list(papers(path)) for path in sorted(real.glob("*.xml"))]
    monkeypatch.setattr(medline_record, "built", fields.document)
    again = [list(papers(path)) for path in sorted(real.glob("*.xml"))]
    assert again == everything
    assert len(list(itertools.chain(*everything))) >= 15
