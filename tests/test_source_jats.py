from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import jats
from pipeline.sources.shared import stream
from pipeline.types import Deleted, Document, Failure

NAMESPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"'
REF = '<xref ref-type="bibr" rid="r1">{}</xref>'


def article(front: str = "", body: str = "", back: str = "", attributes: str = "", title: str = "Oil") -> str:
    group = f"<title-group><article-title>{title}</article-title></title-group>" if title else ""
    return (
        f"<article {NAMESPACES} {attributes}><front><article-meta>{group}{front}</article-meta></front>"
        f"<body>{body}</body><back>{back}</back></article>"
    )


def items(content: str | bytes) -> list[Document | Deleted | Failure]:
    data = content.encode() if isinstance(content, str) else content
    opened = stream.Stream("f", io.BufferedReader(io.BytesIO(data), stream.HEAD))
    found = []
    try:
        found.extend(jats.read(opened, "f"))
    except stream.Unreadable as error:
        found.append(Failure("f", "", str(error)))
    return found


def one(content: str | bytes) -> Document:
    (item,) = items(content)
    assert isinstance(item, Document), item
    return item


def sections(content: str) -> list[tuple[str, str]]:
    paper = one(content)
    return [(section.kind, section.of(paper.text)) for section in paper.sections if section.kind != "title"]


def body(text: str) -> str:
    """The text of a body that is one section."""
    ((_, found),) = sections(article(body=text))
    return found


def test_a_whole_paper() -> None:
    paper = one(
        article(
            front="""
            <article-id pub-id-type="publisher-id">x-1</article-id><article-id pub-id-type="pmc">12</article-id>
            <article-id pub-id-type="pmid">7</article-id><article-id pub-id-type="doi">10.1000/ABC</article-id>
            <article-id pub-id-type="arxiv">2211.06629</article-id>
            <contrib-group><contrib contrib-type="author"><name><surname>Dyer</surname><given-names>Ann B</given-names>
            </name><xref ref-type="aff">1</xref></contrib>
            <contrib contrib-type="editor"><name><surname>Ed</surname></name></contrib></contrib-group>
            <pub-date pub-type="epub"><day>2</day><month>4</month><year>1985</year></pub-date>
            <permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"/></permissions>
            <abstract><sec><title>Background:</title><p>Fish.</p></sec><sec><title>Results</title><p>Thin.</p></sec>
            </abstract>""",
            body="<sec sec-type='intro'><title>1. Why oil</title><p>Fish <italic>oil</italic>.</p></sec>",
            back="<ack><p>Thanks.</p></ack><ref-list><ref><mixed-citation>Moss 1980.</mixed-citation></ref></ref-list>",
            attributes='xml:lang="en"',
        )
    )
    assert paper.text == "Oil\nFish.\nThin.\nFish oil.\nThanks."
    assert [s.kind for s in paper.sections] == ["title", "background", "results", "background", "acknowledgements"]
    assert (paper.id, paper.date, paper.language) == ("7", "1985-04-02", "en")
    assert paper.ids == ("pmid:7", "pmcid:PMC12", "doi:10.1000/abc", "arxiv:2211.06629")
    assert (paper.authors, paper.references) == (("Dyer, Ann B",), ("Moss 1980.",))
    assert paper.licence == "https://creativecommons.org/licenses/by/4.0/"


BLOCKS = {
    "a list": ("<p>We saw: <list><list-item><p>one.</p></list-item><list-item><p>Two</p></list-item></list>then.</p>"),
    "bare list items": "<p>We saw:<list><list-item>one.</list-item><list-item>Two</list-item></list>then.</p>",
}


@pytest.mark.parametrize("case", BLOCKS)
def test_blocks_in_a_paragraph_keep_words_apart(case: str) -> None:
    assert body(BLOCKS[case]) == "We saw:\n\none.\n\nTwo\n\nthen."


def test_more_blocks() -> None:
    assert body("<p>He said<disp-quote><p>No.</p></disp-quote>and left.</p><p>Next.</p>") == (
        "He said\n\nNo.\n\nand left.\n\nNext."
    )
    assert body("<p>end.</p><p>Next</p>") == "end.\n\nNext"
    assert body("<p>one<break/>two</p>") == "one two"
    assert body("<p>a<!-- note --><?page 3?>b &amp; c</p>") == "ab & c"
    assert body("<def-list><def-item><term>EPA</term><def><p>an acid</p></def></def-item></def-list>") == "EPA an acid"
    assert body("loose text<p>and more</p>at the end") == "loose text\n\nand more\n\nat the end"


def test_entities_of_a_dtd_become_characters() -> None:
    assert body("<p>TNF-&alpha; &nosuch; &#x3b2;</p>") == "TNF-α &nosuch; β"


REFERENCES = {
    f"shown [{REF.format(1)}].": "shown [1].",
    f"({REF.format('Dyer 1985')})": "(Dyer 1985)",
    f"shown<sup>{REF.format(12)}</sup> here": "shown here",
    f"shown{REF.format('<sup>12</sup>')} here": "shown here",
    f"shown<sup>{REF.format(1)},{REF.format(2)}–{REF.format(5)}</sup>.": "shown.",
    f"shown{REF.format('<sup>1</sup>')}<sup>,</sup>{REF.format('<sup>2</sup>')}.": "shown.",
    "10<sup>5</sup> Cl<sup>-</sup> cells": "105 Cl- cells",
    'see <xref ref-type="fig">Figure 1</xref><xref ref-type="fn">*</xref>': "see Figure 1",
}


@pytest.mark.parametrize("markup", REFERENCES)
def test_citations_keep_their_printed_text_but_for_superscript_numbers(markup: str) -> None:
    assert body(f"<p>{markup}</p>") == REFERENCES[markup]


FORMULAS = {
    "with <inline-formula><alternatives><tex-math>$x=2$</tex-math><mml:math><mml:mi>x</mml:mi><mml:mo>=</mml:mo>"
    "<mml:mn>2</mml:mn></mml:math></alternatives></inline-formula>.": "with x=2.",
    "with <inline-formula><mml:math><mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac></mml:math>"
    "<tex-math>y</tex-math></inline-formula>.": "with 1/2.",
    r"with <tex-math>\documentclass{x}\begin{document}$$y^2$$\end{document}</tex-math>.": "with y^2.",
    "is<disp-formula><label>(1)</label><mml:math><mml:semantics><mml:mi>z</mml:mi><mml:annotation>TeX</mml:annotation>"
    "</mml:semantics></mml:math></disp-formula>where": "is z where",
    "<mml:math><mml:mfenced><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfenced></mml:math>": "(a,b)",
}


@pytest.mark.parametrize("markup", FORMULAS)
def test_a_formula_is_told_once(markup: str) -> None:
    assert body(f"<p>{markup}</p>") == FORMULAS[markup]


def test_captions_and_notes_come_after_their_section() -> None:
    table = (
        "<table-wrap><label>Table 1</label><caption><title>Doses.</title><p>In mg.</p></caption>"
        "<table><tr><td>9</td></tr></table><table-wrap-foot><fn><p><sup>a</sup>Mean.</p></fn></table-wrap-foot></table-wrap>"
    )
    figure = "<fig><label>Fig 1</label><caption><p>A rat.</p></caption><alt-text>rat</alt-text></fig>"
    text = f"<sec><title>Results</title><p>It {figure}fell<fn><p>Twice.</p></fn>.</p>{table}<p>End.</p></sec>"
    assert sections(article(body=text)) == [
        ("results", "It fell.\n\nEnd."),
        ("caption", "A rat."),
        ("footnote", "Twice."),
        ("caption", "Doses.\n\nIn mg.\n\nMean."),
    ]


def test_a_group_of_figures_and_floats() -> None:
    group = "<fig-group><caption><p>All.</p></caption><fig><caption><p>One.</p></caption></fig></fig-group>"
    floats = "</back><floats-group><fig><caption><p>Last.</p></caption></fig></floats-group><back>"
    found = sections(article(body=f"<p>Text.</p>{group}", back=floats))
    assert found == [("body", "Text."), ("caption", "All."), ("caption", "One."), ("caption", "Last.")]


def section(title: str, content: str, kind: str = "") -> str:
    return f'<sec sec-type="{kind}"><title>{title}</title>{content}</sec>'


KINDS = {
    section("Rats", "<p>x</p>", kind="materials|methods"): ["methods"],
    section("Results", section("Patients", "<p>x</p>")): ["results"],
    section("Results", section("Patients", section("Age", "<p>x</p>"))): ["results"],
    section("Discussion", "<p>x</p>" + section("Conclusions", "<p>y</p>")): ["discussion", "conclusion"],
    section("On oil", section("Methods", "<p>x</p>") + section("Fish", "<p>y</p>")): ["methods", "fish"],
    section("5. Summary", "<p>x</p>"): ["conclusion"],
    section("Acknowledgment", "<p>x</p>"): ["acknowledgements"],
    "<boxed-text><caption><title>Box 1.</title></caption><p>x</p></boxed-text>": ["body"],
}


@pytest.mark.parametrize("markup", KINDS)
def test_kinds(markup: str) -> None:
    assert [kind for kind, _ in sections(article(body=markup))] == KINDS[markup]


def test_back_matter() -> None:
    back = (
        "<app-group><app><title>A. Proofs</title><sec><title>Lemma</title><p>a</p></sec></app></app-group>"
        "<fn-group><title>Notes</title><fn><label>1</label><p>b</p></fn></fn-group>"
        "<glossary><title>Abbreviations</title><p>c</p></glossary>" + section("Funding", "<p>d</p>")
    )
    assert sections(article(back=back)) == [("appendix", "a"), ("footnote", "b"), ("glossary", "c"), ("funding", "d")]


def test_other_papers_within_an_article_are_left_out() -> None:
    letter = "<sub-article><front-stub><title-group><article-title>Letter</article-title></title-group></front-stub>"
    letter += (
        "<body><p>Reject.</p></body><back><ref-list><ref><citation>X</citation></ref></ref-list></back></sub-article>"
    )
    paper = one(article(body="<p>Text.</p>").replace("</article>", f"{letter}</article>"))
    assert (paper.text, paper.references) == ("Oil\nText.", ())


# Front matter


def test_abstracts() -> None:
    main, teaser = (
        "<abstract><title>Abstract</title><p>Main.</p></abstract>",
        '<abstract abstract-type="{}"><p>T.</p></abstract>',
    )
    foreign = '<trans-abstract xml:lang="fr"><p>Huile.</p></trans-abstract>'
    spanish = '<abstract xml:lang="es"><p>Aceite.</p></abstract>'
    assert sections(article(main + teaser.format("graphical") + foreign)) == [("abstract", "Main.")]
    assert sections(article(main + teaser.format("executive-summary"))) == [
        ("abstract", "Main."),
        ("lay summary", "T."),
    ]
    assert sections(article(spanish + main, attributes='xml:lang="en"')) == [("abstract", "Main.")]
    assert sections(article(spanish, attributes='xml:lang="en"')) == [("abstract", "Aceite.")]
    assert sections(article(teaser.format("teaser"))) == [("abstract", "T.")]
    assert sections(article(foreign)) == [("abstract", "Huile.")]


def test_titles() -> None:
    assert one(article(title="Oil<xref ref-type='fn'>*</xref> <sup>4</sup>He")).title == "Oil 4He"
    with_subtitle = "<title-group><article-title>{}</article-title><subtitle>A trial</subtitle></title-group>"
    assert one(article(with_subtitle.format("Oil"), title="")).title == "Oil: A trial"
    assert one(article(with_subtitle.format("Oil?"), title="")).title == "Oil? A trial"


DATES = {
    '<pub-date pub-type="ppub"><month>3</month><year>2013</year></pub-date>'
    '<pub-date pub-type="epub"><day>12</day><month>11</month><year>2012</year></pub-date>': "2013-03",
    '<pub-date pub-type="ppub"><month>11</month><year>2010</year></pub-date>'
    '<pub-date pub-type="epub"><day>2</day><month>11</month><year>2010</year></pub-date>': "2010-11-02",
    '<pub-date pub-type="collection"><month>12</month><year>2020</year></pub-date>'
    '<pub-date pub-type="epub"><day>10</day><month>8</month><year>2020</year></pub-date>': "2020-08-10",
    '<pub-date pub-type="ppub"><season>Jan-Feb</season><year>2019</year></pub-date>': "2019-01",
    '<pub-date pub-type="ppub"><season>Spring</season><year>2019</year></pub-date>'
    '<pub-date pub-type="pmc-release"><day>1</day><month>2</month><year>2019</year></pub-date>': "2019",
    '<pub-date iso-8601-date="2022-05-06" publication-format="electronic"/>'
    '<pub-date iso-8601-date="2022-04" date-type="pub" publication-format="print"/>': "2022-04",
    '<pub-date pub-type="pmc-release"><year>2001</year></pub-date>': "2001",
    "<pub-date><day>4</day><year>1999</year></pub-date>": "1999",
    '<history><date date-type="received"><year>1998</year></date></history>': "",
}


@pytest.mark.parametrize("markup", DATES)
def test_dates(markup: str) -> None:
    assert one(article(markup)).date == DATES[markup]


AUTHORS = {
    "<contrib><collab>The Oil Group<contrib-group><contrib contrib-type='author'><name><surname>Moss</surname></name>"
    "</contrib></contrib-group></collab></contrib><contrib><name><surname>Moss</surname></name></contrib>": (
        "The Oil Group",
        "Moss",
    ),
    "<contrib contrib-type='author'><string-name>Ann <surname>Dyer</surname></string-name></contrib>": ("Dyer",),
    "<contrib><name-alternatives><name><surname>Wu</surname><given-names>Li</given-names></name><string-name>吴"
    "</string-name></name-alternatives></contrib><contrib><anonymous/></contrib>": ("Wu, Li",),
}


@pytest.mark.parametrize("markup", AUTHORS)
def test_authors(markup: str) -> None:
    assert one(article(f"<contrib-group>{markup}</contrib-group>")).authors == AUTHORS[markup]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("retraction", "retraction"), ("correction", "erratum"), ("addendum", "erratum"), ("review-article", "article")],
)
def test_status(kind: str, status: str) -> None:
    assert one(article(attributes=f'article-type="{kind}"')).status == status


def test_related_articles() -> None:
    related = '<related-article related-article-type="{}" ext-link-type="{}" xlink:href="{}"/>'
    links = related.format("corrected-article", "doi", "https://doi.org/10.1000/ABC")
    links += related.format("commentary", "doi", "10.1000/x") + related.format("retraction-forward", "pubmed", "77")
    paper = one(article(links))
    assert paper.links == (("corrects", "10.1000/abc"), ("retracted_by", "77"))
    assert paper.status == "retracted"


LICENCES = {
    '<license license-type="open"><license-p>Do as you like.</license-p></license>': "Do as you like.",
    '<license><ali:license_ref xmlns:ali="http://a">https://x.org/by</ali:license_ref></license>': "https://x.org/by",
    '<license><license-p>By <ext-link xlink:href="https://creativecommons.org/by/4.0">this</ext-link>.</license-p>'
    "</license>": "https://creativecommons.org/by/4.0",
}


@pytest.mark.parametrize("markup", LICENCES)
def test_licences(markup: str) -> None:
    assert one(article(f"<permissions>{markup}</permissions>")).licence == LICENCES[markup]


CITED = {
    '<citation><pub-id pub-id-type="doi">10.100/A</pub-id><pub-id pub-id-type="pmid">5</pub-id></citation>': "pmid:5",
    '<element-citation><pub-id pub-id-type="doi">https://doi.org/10.100/A</pub-id></element-citation>': "doi:10.100/a",
    '<mixed-citation><ext-link xlink:href="https://doi.org/10.100/B">x</ext-link></mixed-citation>': "doi:10.100/b",
    '<mixed-citation>x <ext-link ext-link-type="arxiv" xlink:href="1208.3662">link</ext-link></mixed-citation>': (
        "arxiv:1208.3662"
    ),
    "<element-citation><person-group><name><surname>Dyer</surname><given-names>A</given-names></name><name><surname>Moss"
    "</surname></name></person-group><year>1985</year><source>Blood</source></element-citation>": (
        "Dyer A, Moss, 1985, Blood"
    ),
    "<label>1</label><mixed-citation><name><surname>Dyer</surname><given-names>A</given-names></name>, "
    "<italic>Blood</italic> <year>1985</year>.</mixed-citation>": "Dyer A, Blood 1985.",
    "<citation-alternatives><element-citation><year>1985</year></element-citation><mixed-citation>no</mixed-citation>"
    "</citation-alternatives>": "1985",
    "<mixed-citation>Dyer, in <citation>Moss</citation> 1985</mixed-citation>": "Dyer, in Moss 1985",
    "<note><p>See there.</p></note>": "See there.",
}


@pytest.mark.parametrize("markup", CITED)
def test_references_are_no_text(markup: str) -> None:
    paper = one(article(back=f"<ref-list><title>References</title><ref>{markup}</ref></ref-list>"))
    assert paper.references == (CITED[markup],)
    assert paper.text == "Oil"


# Sets, versions, bad input


def test_sets_and_namespaces() -> None:
    plain = one(article(body="<p>Text.</p>"))
    assert one(article(body="<p>Text.</p>", attributes='xmlns="https://jats.nlm.nih.gov/ns/archiving/1.2/"')) == plain
    prefixed = re.sub(r"<(/?)(?=[a-z])", r"<\1j:", article(body="<p>Text.</p>", attributes='xmlns:j="urn:j"'))
    assert one(prefixed) == plain
    outside = f"<set {NAMESPACES}>{article(body='<p>Text.</p>').replace(NAMESPACES, '')}</set>"
    assert one(outside.replace("<p>", '<p xlink:href="x">')) == plain
    papers = [article(title=str(number)) for number in range(3)]
    assert [item.title for item in items(f"<pmc-articleset>{''.join(papers)}</pmc-articleset>")] == ["0", "1", "2"]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_cuts_fall_anywhere(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jats, "_CHUNK", chunk)
    papers = "".join(article(title=title, body="<p>x</p>") for title in "abc")
    assert [item.title for item in items(f"<pmc-articleset>{papers}</pmc-articleset>")] == ["a", "b", "c"]


def test_a_bad_article_costs_no_other() -> None:
    bad = article(front='<article-id pub-id-type="pmc">12</article-id>', body="<p>x < 3</p>")
    first, failure, last = items(f"<pmc-articleset>{article()}{bad}{article()}</pmc-articleset>")
    assert isinstance(first, Document)
    assert first == last
    assert isinstance(failure, Failure)
    assert failure.place == "article 2 (12)"
    assert "is not well-formed" in failure.reason


def test_oai_records() -> None:
    deleted = '<record><header status="deleted"><identifier>oai:pubmedcentral.nih.gov:99</identifier></header></record>'
    record = f"<record><header><identifier>oai:x:1</identifier></header><metadata>{article()}</metadata></record>"
    text = f"<OAI-PMH><ListRecords>{record}{deleted}{record}</ListRecords></OAI-PMH>"
    first, gone, last = items(text)
    assert first == last
    assert gone == Deleted("PMC99", ("pmcid:PMC99",))
    *_, cut = items(text[: text.rindex("</ListRecords>")])
    assert isinstance(cut, Failure)
    assert "cut off" in cut.reason


BAD = {
    "empty": (article(title=""), "has neither title nor text"),
    "cut off": (article(body="<p>Text.</p>")[:-40], "has no end tag"),
    "too deep": (article(body="<sec>" * 100_000 + "</sec>" * 100_000), "Excessive depth"),
    "an answer": ('<pmc-articleset><Reply Id="1" error="not available"/></pmc-articleset>', "'not available'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_a_failure(case: str) -> None:
    content, reason = BAD[case]
    failures = [item for item in items(content) if isinstance(item, Failure)]
    assert reason in failures[0].reason


def test_a_bomb_stays_small() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE article [<!ENTITY e0 "boom">{levels}]>{article(body="<p>&e9;</p>")}'
    assert all(isinstance(item, Failure) or len(item.text) < 100 for item in items(bomb))


def test_sniff() -> None:
    assert jats.sniff(f'<?xml version="1.0"?><!DOCTYPE article PUBLIC "x" "y.dtd"><!-- c -->{article()}')
    assert jats.sniff("<pmc-articleset></pmc-articleset>")
    assert not jats.sniff("<article><title>DocBook</title><section/></article>")
    assert not jats.sniff("<html><body><article>News</article></body></html>")
    assert not jats.sniff("An <article><body>")


# Characters that markup may hold, but not the white space that is squeezed.
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)
PLAIN = WORDS.map(lambda word: re.sub("[<>&]", "", word) or "x")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["p", "sec", "fig", "list", "italic", "fn"]), PLAIN), max_size=8))
def test_no_word_is_lost_and_offsets_hold(pieces: list[tuple[str, str]]) -> None:
    wrap: dict[str, Callable[[str], str]] = {
        "p": "<p>{}</p>".format,
        "sec": "<sec><p>{}</p></sec>".format,
        "fig": "<p><fig><caption><p>{}</p></caption></fig></p>".format,
        "list": "<p><list><list-item><p>{}</p></list-item></list></p>".format,
        "italic": "<p><italic>{}</italic></p>".format,
        "fn": "<p><fn><p>{}</p></fn></p>".format,
    }
    paper = one(article(body="".join(wrap[name](word) for name, word in pieces)))
    assert sorted(paper.text.split()[1:]) == sorted(word for _, word in pieces)
    assert all(section.of(paper.text).strip() for section in paper.sections)


def test_real_papers(shared_data: Path) -> None:
    """Every word of the bodies is there, and no two blocks run together."""
    paths = sorted(shared_data.glob("raw_papers/jats_*/*"))
    papers = {path.name: one(path.read_bytes()) for path in paths}
    assert len(papers) == 28
    for name, paper in papers.items():
        assert paper.title, name
        assert paper.date, name
        assert "\n" not in paper.title
        assert not re.search(r"[a-z][.?!][A-Z][a-z]", paper.text), name
        assert all(section.of(paper.text).strip() for section in paper.sections)
    assert papers["pntd.0002065.nxml"].ids == (
        "pmid:23469300",
        "pmcid:PMC3585041",
        "doi:10.1371/journal.pntd.0002065",
    )
    assert len(papers["jats_a+a_nested_collab.xml"].authors) == 243
    assert papers["jats_nature_41467_2023_Article_40261_nlm.xml"].status == "erratum"
    assert papers["copernicus_GeChr_gchron-5-323-2023.xml"].title.startswith("Technical note: In situ U–Th–He dating")
