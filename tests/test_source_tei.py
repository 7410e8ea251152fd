from __future__ import annotations

import io
from pathlib import Path

import pytest

from pipeline.sources import tei
from pipeline.sources.shared import stream
from pipeline.types import Document, Failure

HEADER = """<teiHeader><fileDesc><titleStmt><title>{title}</title></titleStmt>
<publicationStmt>{published}</publicationStmt>
<sourceDesc>{source}</sourceDesc></fileDesc><profileDesc>{profile}</profileDesc></teiHeader>"""


def paper(
    body: str = "", back: str = "", title: str = "Oil", source: str = "", published: str = "", profile: str = ""
) -> str:
    header = HEADER.format(title=title, published=published, source=source, profile=profile)
    text = f'<text xml:lang="en"><body>{body}</body><back>{back}</back></text>'
    return f'<TEI xmlns="http://www.tei-c.org/ns/1.0">{header}{text}</TEI>'


def items(content: str | bytes) -> list[Document | Failure]:
    data = content.encode() if isinstance(content, str) else content
    return list(tei.read(stream.Stream("f", io.BufferedReader(io.BytesIO(data), stream.HEAD)), "f"))


def one(content: str | bytes) -> Document:
    (item,) = items(content)
    assert isinstance(item, Document), item
    return item


def sections(content: str) -> list[tuple[str, str]]:
    read = one(content)
    return [(section.kind, section.of(read.text)) for section in read.sections if section.kind != "title"]


SOURCE = """<biblStruct><analytic>
<author><persName><forename type="first">Ann</forename><forename type="middle">B</forename>
<surname>Dyer</surname></persName>
<affiliation><orgName>Oil House</orgName></affiliation></author>
<author><affiliation><orgName>Only a house</orgName></affiliation></author>
<idno type="DOI">10.1000/ABC</idno></analytic>
<monogr><title level="j" type="main">Blood</title><imprint>
<date type="published" when="1985-04-02">2 April</date></imprint>
</monogr><idno type="arXiv">arXiv:1711.04702v2</idno><idno type="MD5">77</idno></biblStruct>"""


def test_a_whole_paper() -> None:
    read = one(
        paper(
            body='<div><head n="1">Introduction</head><p><s>Fish <hi>oil</hi>.</s> <s>It thins.</s></p></div>',
            back='<div type="acknowledgement"><div><head>Thanks</head><p>To Moss.</p></div></div>',
            source=SOURCE,
            published='<availability><licence target="https://x.org/by">By</licence></availability>',
            profile="<abstract><div><p><s>Thin.</s></p></div></abstract>",
        )
    )
    assert read.text == "Oil\nThin.\nFish oil. It thins.\nTo Moss."
    assert [s.kind for s in read.sections] == ["title", "abstract", "background", "acknowledgements"]
    assert (read.id, read.date, read.language) == ("10.1000/abc", "1985-04-02", "en")
    assert read.ids == ("doi:10.1000/abc", "arxiv:1711.04702")
    assert (read.authors, read.journal, read.licence) == (("Dyer, Ann B",), "Blood", "https://x.org/by")


def test_numbered_sections_are_nested() -> None:
    heads = [("3", "Methods"), ("3.1", "Rats"), ("3.1.1", "Age"), ("", "Fish"), ("4", "Oil"), ("4.1", "More")]
    divs = "".join(f'<div><head n="{number}">{head}</head><p>{head}</p></div>' for number, head in heads)
    kinds = [kind for kind, _ in sections(paper(divs))]
    assert kinds == ["methods", "methods", "methods", "fish", "oil", "more"]


def test_formulas_captions_and_notes() -> None:
    body = (
        "<div><head>Results</head><p>We set</p><formula>x = 2<label>(1)</label></formula><p>where x"
        '<note place="foot" n="3">Or y.</note> is small.</p></div>'
        '<figure type="table"><head>Table 1 :</head><label>1</label><figDesc>Doses.</figDesc>'
        "<table><row><cell>9</cell></row></table><note>In mg.</note></figure>"
        "<figure><head>A rat</head><figDesc>It sleeps.</figDesc></figure>"
    )
    assert sections(paper(body)) == [
        ("results", "We set\n\nx = 2\n\nwhere x is small."),
        ("footnote", "Or y."),
        ("caption", "Doses.\n\nIn mg."),
        ("caption", "A rat\n\nIt sleeps."),
    ]


MARKUP = {
    "<p>one<list><item>two</item><item>three</item></list>four</p>": "one\n\ntwo\n\nthree\n\nfour",
    "<p>colo<lb break='no'/>nies <lb/>grew<pb/>fast</p>": "colonies grew fast",
    "<p>the <choice><sic>teh</sic><corr>right</corr></choice> word</p>": "the right word",
    "<p>a <choice><abbr>Dr</abbr><expan>Doctor</expan></choice></p>": "a Doctor",
    "<lg><l>first</l><l>second</l></lg>": "first\n\nsecond",
    "<p>see <ref type='bibr'>Moss, 1980</ref><gap/><del>no</del>.</p>": "see Moss, 1980.",
    "<p>set <formula><math xmlns='http://www.w3.org/1998/Math/MathML'><mi>y</mi></math></formula>.</p>": "set y .",
}


@pytest.mark.parametrize("markup", MARKUP)
def test_text(markup: str) -> None:
    assert sections(paper(markup)) == [("body", MARKUP[markup])]


CITED = {
    '<biblStruct><analytic><title>T</title><idno type="DOI">10.1000/A</idno></analytic></biblStruct>': "doi:10.1000/a",
    '<biblStruct><idno type="DOI">10.1000/A</idno><idno type="PMID">5</idno></biblStruct>': "pmid:5",
    '<biblStruct><monogr><idno type="arXiv">arXiv:1711.04702</idno></monogr></biblStruct>': "arxiv:1711.04702",
    '<biblStruct><idno type="PMCID">PMC12</idno></biblStruct>': "pmcid:PMC12",
    "<biblStruct><analytic><author><persName><forename>A</forename><surname>Dyer</surname></persName></author>"
    "<title>On oil</title></analytic><monogr><title>Blood</title><imprint><date when='1985-04'/></imprint></monogr>"
    "</biblStruct>": "Dyer A, On oil, Blood, 1985",
    "<biblStruct><analytic/><note type='raw_reference'>Moss 1980.</note></biblStruct>": "Moss 1980.",
    "<bibl>Dyer, <title>Oil</title>, 1985.</bibl>": "Dyer, Oil, 1985.",
}


@pytest.mark.parametrize("markup", CITED)
def test_references_are_no_text(markup: str) -> None:
    read = one(paper(back=f'<div type="references"><listBibl>{markup}</listBibl></div>'))
    assert (read.references, read.text) == ((CITED[markup],), "Oil")


def test_titles_and_authors_of_hand_made_files() -> None:
    header = "Oil</title><title type='sub'>A trial</title><title type='desc'>x</title><author>Ann Dyer</author><title>"
    read = one(paper(title=header))
    assert (read.title, read.authors) == ("Oil: A trial", ("Ann Dyer",))
    assert one(paper(title="</title><title type='sub'>A trial</title><title type='main'>Oil")).title == "Oil: A trial"
    source = "<biblStruct><analytic><title>From the source</title></analytic></biblStruct>"
    assert one(paper(title="", source=source)).title == "From the source"


def test_abstracts_in_several_languages() -> None:
    profile = '<abstract xml:lang="fr"><p>Huile.</p></abstract><abstract xml:lang="en"><p>Oil.</p></abstract>'
    assert sections(paper(profile=profile)) == [("abstract", "Oil.")]
    assert sections(paper(profile=profile.replace('"en"', '"de"'))) == [("abstract", "Huile.")]


def test_a_corpus() -> None:
    first, empty, last = items(f"<teiCorpus>{paper(title='A')}{paper(title='')}{paper(title='C')}</teiCorpus>")
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert (first.title, last.title) == ("A", "C")
    assert isinstance(empty, Failure)
    assert empty.place == "paper 2"


@pytest.mark.parametrize(
    "content", [paper()[:-30], paper("<div>" * 100_000 + "</div>" * 100_000), paper("<p>x < 3</p>")]
)
def test_bad_input_is_unreadable(content: str) -> None:
    with pytest.raises(stream.Unreadable, match="is not well-formed"):
        items(content)


def test_sniff() -> None:
    assert tei.sniff(f'<?xml version="1.0"?>{paper()}')
    assert not tei.sniff("<article><TEI/></article>")


def test_real_papers(shared_data: Path) -> None:
    paths = sorted(shared_data.glob("raw_papers/pdf/*.tei.xml"))
    specter, graph = (one(path.read_bytes()) for path in paths)
    assert specter.title.startswith("SPECTER: Document-level Representation")
    assert specter.authors[0] == "Cohan, Arman"
    assert (len(specter.references), len(graph.references)) == (57, 27)
    assert "doi:10.18653/v1/d17-1070" in specter.references
    assert len(graph.authors) == 23
    assert [section.kind for section in graph.sections][-3:] == ["conclusion", "footnote", "footnote"]
    assert sum(section.kind == "caption" for section in specter.sections) == 5
