from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import sources
from pipeline.errors import UsageError
from pipeline.sources.pubtator import concept_ids
from pipeline.sources.shared import fields, stream, unpack
from pipeline.sources.shared.stream import Unreadable
from pipeline.types import Document, Failure, Mention, Reading

TITLE, ABSTRACT = "Fish oil and blood", "Fish oil thins blood. The effect is small."

MEDLINE = """<?xml version="1.0"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.example.org/pubmed.dtd">
<PubmedArticleSet>
{articles}
</PubmedArticleSet>
"""
ARTICLE = """<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>
<Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue><Title>Blood</Title></Journal>
<ArticleTitle>{title}</ArticleTitle><Abstract>{abstract}</Abstract>
<AuthorList><Author><LastName>Dyer</LastName><ForeName>Ann B</ForeName></Author>
<Author><CollectiveName>The Oil Group</CollectiveName></Author></AuthorList><Language>eng</Language>
<PublicationTypeList><PublicationType>{kind}</PublicationType></PublicationTypeList></Article>{more}</MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pmc">PMC12</ArticleId><ArticleId IdType="doi">10.1000/ABC</ArticleId>
</ArticleIdList></PubmedData></PubmedArticle>"""


def article(
    pmid: str = "7",
    title: str = TITLE,
    abstract: str = f"<AbstractText>{ABSTRACT}</AbstractText>",
    date: str = "<Year>1985</Year>",
    kind: str = "Journal Article",
    more: str = "",
) -> str:
    return ARTICLE.format(pmid=pmid, title=title, abstract=abstract, date=date, kind=kind, more=more)


# One paper with the same title, abstract and year in every format, and the same id where the format has one.
SAMPLES = {
    "medline": MEDLINE.format(articles=article()),
    "jats": (
        '<article xmlns:xlink="x"><front><journal-meta><journal-title>Blood</journal-title></journal-meta>'
        "<article-meta>"
        '<article-id pub-id-type="pmid">7</article-id><title-group><article-title>Fish oil and blood</article-title>'
        "</title-group><pub-date><year>1985</year></pub-date><abstract>"
        "<p>Fish oil thins blood. The effect is small.</p></abstract></article-meta></front></article>"
    ),
    "tei": (
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>Fish oil and blood</title>'
        '</titleStmt><publicationStmt><date when="1985">1985</date></publicationStmt><sourceDesc><biblStruct>'
        '<idno type="PMID">7</idno></biblStruct></sourceDesc></fileDesc><profileDesc>'
        "<abstract><p>Fish oil thins blood. The effect is small.</p></abstract></profileDesc></teiHeader>"
        "<text><body/></text></TEI>"
    ),
    "endnote": (
        "<xml><records><record><database>x</database><rec-number>1</rec-number>"
        "<accession-num>7</accession-num><titles><title><style>Fish oil and blood</style></title>"
        "</titles><dates><year>1985</year></dates><abstract>Fish oil thins blood. The effect is small.</abstract>"
        "</record></records></xml>"
    ),
    "bioc": (
        "<collection><source>x</source><document><id>7</id><passage><infon key='type'>title</infon><infon key='year'>"
        "1985</infon><offset>0</offset><text>Fish oil and blood</text></passage><passage>"
        "<infon key='type'>abstract</infon>"
        "<offset>19</offset><text>Fish oil thins blood. The effect is small.</text></passage></document></collection>"
    ),
    "crossref": json.dumps(
        {"DOI": "10.1000/7", "title": [TITLE], "abstract": ABSTRACT, "type": "journal-article"}
        | {"issued": {"date-parts": [[1985]]}, "prefix": "10.1000", "member": "1", "source": "Crossref", "URL": "u"}
    ),
    "datacite": (
        '<resource xmlns="http://datacite.org/schema/kernel-4"><identifier identifierType="DOI">10.1000/7</identifier>'
        "<titles><title>Fish oil and blood</title></titles><publicationYear>1985</publicationYear><descriptions>"
        '<description descriptionType="Abstract">'
        "Fish oil thins blood. The effect is small.</description></descriptions>"
        '<resourceType resourceTypeGeneral="JournalArticle">Article</resourceType></resource>'
    ),
    "openalex": json.dumps(
        {"id": "https://openalex.org/W7", "doi": None, "title": TITLE, "publication_year": 1985, "type": "article"}
        | {"ids": {"pmid": "https://pubmed.ncbi.nlm.nih.gov/7"}}
        | {"abstract_inverted_index": {word: [at] for at, word in enumerate(ABSTRACT.split())}}
    ),
    "europepmc": json.dumps(
        {
            "resultList": {
                "result": [
                    {"id": "7", "source": "MED", "pmid": "7", "title": TITLE, "pubYear": "1985"}
                    | {"abstractText": ABSTRACT}
                ]
            }
        }
    ),
    "arxiv": (
        '<feed xmlns="http://www.w3.org/2005/Atom"><id>http://arxiv.org/api/x</id><entry><id>http://arxiv.org/abs/'
        "hep-th/8501007v1</id><title>Fish oil\n and blood</title><summary>Fish oil thins blood. The effect is small."
        "</summary><published>1985</published></entry></feed>"
    ),
    "jsonl": json.dumps({"id": 7, "title": TITLE, "abstract": ABSTRACT, "year": 1985}) + "\n",
    "latex": (
        "\\documentclass{article}\\title{Fish oil and blood}\\date{1985}\\begin{document}\\maketitle\n"
        "\\begin{abstract}\nFish oil thins blood. The effect is small.\n\\end{abstract}\\end{document}\n"
    ),
    "pubtator": f"7|t|{TITLE}\n7|a|{ABSTRACT}\n7\t0\t8\tFish oil\tChemical\tD005395\n",
    "nbib": f"\nPMID- 7\nSTAT- MEDLINE\nDP  - 1985\nTI  - {TITLE}\nAB  - {ABSTRACT}\nSO  - Blood. 1985.\n",
    "ris": f"TY  - JOUR\nID  - 7\nTI  - {TITLE}\nAB  - {ABSTRACT}\nPY  - 1985//\nER  - \n",
    "wos": f"FN Clarivate\nVR 1.0\nPT J\nTI {TITLE}\nAB {ABSTRACT}\nPY 1985\nPM 7\nER\n\nEF\n",
    "bibtex": f"@article{{x,\n title = {{{TITLE}}},\n abstract = {{{ABSTRACT}}},\n year = 1985,\n pmid = {{7}}\n}}\n",
    "markdown": f"---\nid: 7\ndate: 1985\n---\n# {TITLE}\n\n{ABSTRACT}\n",
    "table": f'PMID,Title,Abstract,Year\n7,{TITLE},"{ABSTRACT}",1985\n',
    "plain": f"Id: 7\nYear: 1985\n\n{TITLE}\n\n{ABSTRACT}\n",
}
IDS = {"crossref": "10.1000/7", "datacite": "10.1000/7", "arxiv": "hep-th/8501007"}
# bytes, tokens, several files, or the main text of a page: each has tests of its own
ELSEWHERE = {"pdf", "extracted", "scierc", "html", "brat", "drugprot", "conll"}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "paper.dat") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def one(path: Path, **options: dict[str, str]) -> Document:
    (item,) = sources.read(path, **options)
    assert isinstance(item, Document), item
    return item


def reasons(path: Path) -> list[str]:
    return [f"{item.place}: {item.reason}" for item in sources.read(path) if isinstance(item, Failure)]


def ids(path: Path) -> list[str]:
    return [item.id for item in sources.read(path) if isinstance(item, Document)]


# The battery: what holds for every format.


def test_every_source_has_a_sample() -> None:
    assert list(SAMPLES) == [name for name in sources.SOURCES if name not in ELSEWHERE]


@pytest.mark.parametrize("name", SAMPLES)
class TestEverySource:
    def test_reads_its_sample(self, name: str, write: Callable[..., Path]) -> None:
        paper = one(write(SAMPLES[name]))
        identity = "" if name == "latex" else IDS.get(name, "7")
        assert (paper.id if identity else "", paper.text) == (identity, f"{TITLE}\n{ABSTRACT}")
        assert [(s.kind, s.of(paper.text)) for s in paper.sections] == [("title", TITLE), ("abstract", ABSTRACT)]
        assert paper.date == ("" if name == "pubtator" else "1985")

    def test_is_told_by_content_alone(self, name: str, write: Callable[..., Path]) -> None:
        for ending in ("txt", "xml", "csv", "json", "gz"):
            assert sources.format_of(write(SAMPLES[name], f"paper.{ending}")) == name
        others = [other for other, source in sources.SOURCES.items() if source.sniff(SAMPLES[name])]
        assert others[0] == name

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_byte_order_marks(self, name: str, encoding: str, write: Callable[..., Path]) -> None:
        plain = one(write(SAMPLES[name]))
        assert one(write(SAMPLES[name].encode(encoding))) == plain

    def test_gzip_and_line_ends(self, name: str, write: Callable[..., Path]) -> None:
        plain = one(write(SAMPLES[name]))
        assert one(write(gzip.compress(SAMPLES[name].encode()))) == plain
        assert one(write(SAMPLES[name].replace("\n", "\r\n"))) == plain
        assert one(write(SAMPLES[name].rstrip("\n"))) == plain

    def test_cut_gzip_is_a_failure(self, name: str, write: Callable[..., Path]) -> None:
        packed = gzip.compress(SAMPLES[name].encode() * 3)
        path = write(packed[: len(packed) // 2])
        *_, last = sources.read(path)
        assert isinstance(last, Failure)
        assert last.source == str(path)

    def test_damage_is_a_failure_and_no_crash(self, name: str, write: Callable[..., Path]) -> None:
        sample = SAMPLES[name].encode().replace(b"small", b"sm\xe4ll")
        assert any("0xe4, which is not UTF-8" in reason for reason in reasons(write(sample)))
        assert reasons(write(SAMPLES[name].replace("small", "sm\0ll")))

    def test_limits(self, name: str, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unpack, "UNPACKED", 20)
        monkeypatch.setattr(unpack, "MAX_RATIO", 0)
        assert "unpacks to more than 20 bytes" in reasons(write(gzip.compress(SAMPLES[name].encode())))[0]
        assert not reasons(write(SAMPLES[name]))

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_noise(self, name: str, write: Callable[..., Path], data: st.DataObject) -> None:
        sample = bytearray(SAMPLES[name].encode())
        for _ in range(data.draw(st.integers(1, 5))):
            at = data.draw(st.integers(0, len(sample)))
            sample[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
        items = list(sources.read(write(bytes(sample))))
        assert items
        for item in items:
            assert isinstance(item, Document | Failure)
            str(item).encode()  # nothing that a store or a terminal could not hold
            if isinstance(item, Document):
                assert all(0 <= s.start < s.end <= len(item.text) for s in item.sections)


@given(st.binary(max_size=300))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_something(write: Callable[..., Path], data: bytes) -> None:
    assert list(sources.read(write(data)))


def test_records_are_streamed(write: Callable[..., Path]) -> None:
    for name in ("medline", "jsonl", "pubtator", "ris", "table"):
        papers = sources.read(write(endless(name)))
        assert [paper.id for paper in islice(papers, 3) if isinstance(paper, Document)] == ["0", "1", "2"]
        papers.close()  # type: ignore[attr-defined]
        assert ids(write(endless(name, 2500))) == [str(n) for n in range(2500)]


def endless(name: str, count: int = 50) -> str:
    if name == "medline":
        return MEDLINE.format(articles="\n".join(article(pmid=str(n)) for n in range(count)))
    records = {
        "jsonl": '{{"id": "{n}", "text": "Oil."}}\n',
        "pubtator": "{n}|t|Oil\n{n}|a|Blood.\n",
        "ris": "TY  - JOUR\nID  - {n}\nTI  - Oil\nER  - \n\n",
        "table": "{n},Oil\n",
    }
    head = "id,title\n" if name == "table" else ""
    return head + "".join(records[name].format(n=n) for n in range(count))


# A bad record costs no other.

BAD_RECORDS = {
    "jsonl": (
        '{"id": "a", "title": "A"}\n{"id": "b", "title": \n\n[1]\n{"id": "c", "text": "C"}\n',
        "line 2: is no JSON",
    ),
    "jsonl empty": ('{"id": "a", "title": "A"}\n{"id": "b"}\n{"id": "c", "text": "C"}', "line 2: has neither title"),
    "jsonl deep": (
        '{"id": "a", "text": "A"}\n{"x": %s\n{"id": "c", "text": "C"}' % ("[" * 100_000),
        "line 2: is nested too deeply",
    ),
    "jsonl number": (
        '{"id": "a", "text": "A"}\n{"id": %s}\n{"id": "c", "text": "C"}' % ("1" * 5000),
        "line 2: is no JSON",
    ),
    "pubtator": ("a|t|A\n\nb|t|\nb|a| \n\nc|t|C\n", "line 3 (b): has neither title"),
    "pubtator line": ("a|t|A\na|a|First\nsecond line\nc|t|C\n", "line 3 (a): is neither text nor annotation"),
    "ris": (
        "TY  - JOUR\nID  - a\nTI  - A\nER  - \nTY  - JOUR\nID  - b\nTI  - B\nTY  - JOUR\nID  - c\nTI  - C\nER  - ",
        "record at line 5: has no end tag",
    ),
    "table": ("id,title\na,A\nb,B,B\nc,C\n", "row 3: has more cells"),
    "table empty": ("id,title\na,A\nb,\nc,C\n", "row 3: has neither title"),
    "medline": (
        MEDLINE.format(articles=article("a") + article("2", "x < 3 & y") + article("c")),
        "PubmedArticle 2 (PMID 2): is not well-formed",
    ),
    "medline tag": (
        MEDLINE.format(articles=article("a") + article("2").removesuffix("</PubmedArticle>") + article("c")),
        "PubmedArticle 2 (PMID 2): has no end tag",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_bad_record_costs_no_other(case: str, write: Callable[..., Path]) -> None:
    content, reason = BAD_RECORDS[case]
    path = write(content)
    assert ids(path) == ["a", "c"]
    assert reasons(path)[0].startswith(reason)


def test_long_line_costs_no_other(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_RECORD", 60)
    path = write('{"id": "a", "text": "A"}\n{"id": "b", "text": "%s"}\n{"id": "c", "text": "C"}\n' % ("B" * 500))
    assert ids(path) == ["a", "c"]
    assert reasons(path) == ["line 2: is longer than 60 characters: cut it into papers"]


# Which format it is.

CONFUSIONS = {
    "a list of JSON": ('[{"id": 1, "title": "A"}]', "jsonl"),
    "JSON over several lines": ('{\n  "id": 1,\n  "title": "A"\n}', "jsonl"),
    "a brace in prose": ("{1,3}-Diols and their salts\n\nThey dissolve.", "plain"),
    "a bracket in prose": ("[The use of echo in cholecystitis]\n\nData are given.", "plain"),
    "broken JSON Lines": ('{"id": 1, "title": "A"\n{"id": 2, "title": "B"}', "jsonl"),
    "Markdown that begins like RIS": ("TY  - a note on tags\n\n# Oil\n\n## Results\n\nThin.", "markdown"),
    "prose that begins like RIS": ("TY  - a note on tags\n\nIt is about RIS.", "plain"),
    "RIS behind a banner": ("Record 1 of 1\n\n1.\nTY  - JOUR\nTI  - Oil\nER  -\n", "ris"),
    "one column": ("abstract\nOil thins blood.\n", "plain"),
    "prose with commas": ("Oil, blood, and time,\nall of them, he said, flow,\nas rivers, or not, do\n", "plain"),
    "unknown columns": ("a;b;c\n1;2;3\n4;5;6\n", "table"),
    "tabs without a header": (
        "1\tOil, blood, and more\tThey flow.\n2\tIron\tIt rusts, slowly.\n3\tTin\tSo.\n",
        "table",
    ),
    "a heading in prose": ("Oil\n\n# of patients: 3\n", "plain"),
    "a rule in Markdown": ("---\n\n# Oil\n\nThin.", "plain"),
    "a bar in prose": ("Oil|t and blood\n\nThin.", "plain"),
    "HTML": ("<html><body>Oil</body></html>", "html"),
    "other XML": ('<?xml version="1.0"?><eSummaryResult><Id>1</Id></eSummaryResult>', None),
    "BibTeX": ("% mine\n@article{a, title={Oil}}", "bibtex"),
    "MEDLINE tags": ("PMID- 1\nTI  - Oil\n", "nbib"),
    "Web of Science": ("FN Clarivate\nVR 1.0\nPT J\n", "wos"),
    "PDF": ("%PDF-1.5\n%äüö", "pdf"),
    "PostScript": ("%!PS-Adobe-3.0\n", None),
}


@pytest.mark.parametrize("case", CONFUSIONS)
def test_formats_are_not_confused(case: str, write: Callable[..., Path]) -> None:
    content, expected = CONFUSIONS[case]
    path = write(content)
    if expected:
        assert sources.format_of(path) == expected
    else:
        assert "is of no known format" in reasons(path)[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (gzip.compress(b""), "is empty"),
        (b"PK\x03\x04\x00\x00\x00", "is damaged or cut off: File is not a zip file"),
        (b"\x1f\x8b\x08garbage that is no gzip", "cut off"),
        ("Öl".encode("latin-1"), "0xd6, which is not UTF-8"),
        ("Oil\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b"id,title\n", "holds no papers"),
        (b"<PubmedArticleSet></PubmedArticleSet>", "holds no papers"),
        (b'<?xml version="1.0" encoding="bogus"?><PubmedArticleSet/>', "unknown: bogus"),
        (b"\xff\xfeO\x00i\x00\x00\xd8A\x00", "not in the encoding"),
    ],
)
def test_unreadable_files(content: bytes, reason: str, write: Callable[..., Path]) -> None:
    path = write(content)
    (failure,) = sources.read(path)
    assert isinstance(failure, Failure)
    assert failure.source == str(path)
    assert reason in failure.reason


# Files, folders, globs.


def test_find_expands_and_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.txt", "in/a/z.txt", "in/.hidden", "other[1].txt", "empty/.keep"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")
    found = list(sources.find(["in", "in/*.txt", "in/**/z.txt", "other[1].txt", "no.txt", "no*.txt", "empty"]))
    names = [str(item) for item in found if isinstance(item, Path)]
    assert names == ["in/a/z.txt", "in/b.txt", "in/b.txt", "in/a/z.txt", "other[1].txt"]
    assert [(f.source, f.reason) for f in found if isinstance(f, Failure)] == [
        ("no.txt", "does not exist"),
        ("no*.txt", "does not exist"),
        ("empty", "is an empty folder"),
    ]


def test_loops_pipes_and_broken_links(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "paper.txt").write_text(SAMPLES["plain"])
    items = list(sources.read_all([tmp_path]))
    assert [item.id for item in items if isinstance(item, Document)] == ["7"]
    failed = {Path(item.source).name: item.reason for item in items if isinstance(item, Failure)}
    assert failed == {
        "loop": "links to a folder above it",
        "gone": "does not exist",
        "pipe": "is no regular file (a pipe, a socket or a device)",
    }
    assert reasons(tmp_path) == [": is a folder"]
    assert reasons(Path("/dev/zero")) == [": is no regular file (a pipe, a socket or a device)"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    Path(path).touch()
    (failure,) = sources.read_all([tmp_path])
    assert isinstance(failure, Failure)
    assert failure.source.endswith("/\N{REPLACEMENT CHARACTER}.txt")


# What each format says.


def test_medline_in_full(write: Callable[..., Path]) -> None:
    abstract = (
        '<AbstractText Label="BACKGROUND AND AIMS" NlmCategory="OBJECTIVE">'
        "H<sub>2</sub>O &amp; caf&eacute; &lt; 3.</AbstractText>"
        '<AbstractText Label="WHAT WE DID" NlmCategory="METHODS">\n  <i>In\n vitro</i> <!-- no --> work.</AbstractText>'
        '<AbstractText Label="RESULTS"/><AbstractText Label="OUTLOOK">Good.</AbstractText>'
        "<AbstractText>End.</AbstractText>"
    )
    more = (
        '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><PMID>9</PMID></CommentsCorrections>'
        '<CommentsCorrections RefType="ErratumFor"><PMID>8</PMID></CommentsCorrections><CommentsCorrections RefType='
        '"Cites"><PMID>5</PMID></CommentsCorrections></CommentsCorrectionsList>'
    )
    paper = one(
        write(MEDLINE.format(articles=article(abstract=abstract, more=more, title="n<sup>-3</sup>\u2009acids")))
    )
    assert [(s.kind, s.of(paper.text)) for s in paper.sections] == [
        ("title", "n-3\u2009acids"),
        ("objective", "H2O & café < 3."),
        ("methods", "In vitro work."),
        ("outlook", "Good."),
        ("abstract", "End."),
    ]
    assert paper.ids == ("pmid:7", "pmcid:PMC12", "doi:10.1000/abc")
    assert paper.authors == ("Dyer, Ann B", "The Oil Group")
    assert (paper.journal, paper.language, paper.status) == ("Blood", "eng", "retracted")
    assert paper.links == (("retracted_by", "9"), ("corrects", "8"))


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ("<Year>1998</Year><Month>Apr</Month><Day>5</Day>", "1998-04-05"),
        ("<Year>1998</Year><Month>12</Month>", "1998-12"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998-12"),
        ("<Year>1998</Year><Season>Winter</Season>", "1998"),
        ("", ""),
    ],
)
def test_medline_dates(xml: str, expected: str, write: Callable[..., Path]) -> None:
    assert one(write(MEDLINE.format(articles=article(date=xml)))).date == expected


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("Retracted Publication", "retracted"),
        ("Retraction of Publication", "retraction"),
        ("Published Erratum", "erratum"),
    ],
)
def test_medline_states(kind: str, status: str, write: Callable[..., Path]) -> None:
    assert one(write(MEDLINE.format(articles=article(kind=kind)))).status == status


def test_hostile_xml_does_not_grow(write: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    bomb = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(20))
    outside = f'<!ENTITY file SYSTEM "file://{tmp_path}/secret">'
    content = "<PubmedArticleSet>" + article(title="A &e0; &file; z") + "</PubmedArticleSet>"
    assert one(write(f'<!DOCTYPE x [<!ENTITY e0 "x">{outside}]>{content}')).title == "A &e0; &file; z"
    assert reasons(write(f'<!DOCTYPE x [<!ENTITY e0 "x">{bomb}]>{content}'))[0].endswith("it looks like a bomb")


def test_cut_medline_says_so(write: Callable[..., Path]) -> None:
    content = MEDLINE.format(articles=article("1") + article("2"))
    path = write(content.removesuffix("</PubmedArticleSet>\n"))
    assert ids(path) == ["1", "2"]
    assert reasons(path) == ["after record 2: ends before </PubmedArticleSet>: the file is cut off"]


def test_medline_in_a_declared_encoding(write: Callable[..., Path]) -> None:
    content = MEDLINE.format(articles=article(title="Öl")).replace(
        'version="1.0"', 'version="1.0" encoding="ISO-8859-1"'
    )
    assert one(write(content.encode("latin-1"))).title == "Öl"


def test_medline_chunk_borders(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(MEDLINE.format(articles="".join(article(pmid=str(n)) for n in range(5))))
    whole = list(sources.read(path))
    for size in (7, 64, 1001):
        monkeypatch.setattr(sources.medline, "_CHUNK", size)
        assert list(sources.read(path)) == whole


def test_pubtator_keeps_every_blank(write: Callable[..., Path]) -> None:
    content = "\n1|t| Oil  and | bars \n1|a|  Thin\u2028 blood \t.\n2|t|\n2|a|Abstract alone\n3|t|Title alone\n3|a|\n"
    papers = [item for item in sources.read(write(content)) if isinstance(item, Document)]
    assert [paper.text for paper in papers] == [
        " Oil  and | bars \n  Thin\u2028 blood \t.",
        "\nAbstract alone",
        "Title alone",
    ]
    assert [[s.kind for s in paper.sections] for paper in papers] == [["title", "abstract"], ["abstract"], ["title"]]


def test_pubtator_annotations(write: Callable[..., Path]) -> None:
    content = (
        "7|t|Oil and iron\n7|a|Oil rusts iron.\n7\t0\t3\tOil\tChemical\tD005395|C01\n"
        "7\t13\t16\tOil\tChemical\tD005395\n"
        "7\t23\t27\tiron\tMetal\t-1\n7\t8\t12\tiron\tMetal\tOMIM:5\n7\t0\t4\tOil\tChemical\tD1\n7\tx\n"
        "7\tRUSTS\tC01\tOMIM:5\tNovel\n7\tRUSTS\tD005395\tD9\n"
    )
    reading, *failures = sources.annotated(write(content))
    assert isinstance(reading, Reading)
    document = reading.document
    assert document == one(write(content))
    assert [(m.start, m.text, m.type, [g.concept_id for g in m.groundings]) for m in reading.mentions] == [
        (0, "Oil", "Chemical", ["MESH:D005395", "MESH:C01"]),
        (8, "iron", "Metal", ["OMIM:5"]),
        (13, "Oil", "Chemical", ["MESH:D005395"]),
        (23, "iron", "Metal", []),
    ]
    (relation,) = reading.relations
    assert (relation.predicate, relation.subject.start, relation.object.start) == ("RUSTS", 0, 8)
    assert (relation.start, relation.end, relation.extractor, relation.score) == (0, 12, "gold", 1.0)
    assert [(f.place, f.reason) for f in failures if isinstance(f, Failure)] == [
        ("line 7 (7)", "says 'Oil' where the text at 0 to 4 is 'Oil '"),
        ("line 8 (7)", "is neither text nor annotation of 7: ['7', 'x']"),
        ("line 10 (7)", "relates 'D9', which no mention has"),
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("D003865+D016584", ("MESH:D003865", "MESH:D016584")),
        ("MESH:D1", ("MESH:D1",)),
        ("p|SUB|R|140|Q", ("p|SUB|R|140|Q",)),
        ("c|DEL||32", ("c|DEL||32",)),
        ("14062,14063", ("14062", "14063")),
        ("OMIM:400044", ("OMIM:400044",)),
        (" D008661", ("MESH:D008661",)),
        ("-", ()),
        ("", ()),
    ],
)
def test_concept_ids(column: str, expected: tuple[str, ...]) -> None:
    assert concept_ids(column) == expected


def test_annotated_refuses_other_formats(write: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="carries no annotations"):
        list(sources.annotated(write(SAMPLES["jsonl"])))
    (failure,) = sources.annotated(write(""))
    assert isinstance(failure, Failure)


def test_jsonl_keys(write: Callable[..., Path]) -> None:
    record = {
        "uid": "sample:1",
        "Title": "Oil\nof fish",
        "sections": [{"label": "AIM:", "text": "To know."}, {"kind": "results", "text": " Thin. "}, {"text": "Rest."}],
        "date": "1985-04-31",
        "authors": [{"family": "Dyer", "given": "Ann"}, {"name": "Bo Moss"}, "C. Fox"],
        "status": "Corrigendum",
        "corrects": ["sample:0"],
        "links": [["retracts", "sample:9"]],
        "doi": "https://doi.org/10.1000/X",
        "pmid": 12,
        "license": "CC-BY-4.0",
        "unknown": {"a": 1},
    }
    paper = one(write(json.dumps(record)))
    assert paper.id == "sample:1"
    assert paper.text == "Oil of fish\nTo know.\n Thin. \nRest."
    assert [s.kind for s in paper.sections] == ["title", "objective", "results", "body"]
    assert (paper.date, paper.status, paper.licence) == ("1985-04", "erratum", "CC-BY-4.0")
    assert paper.authors == ("Dyer, Ann", "Bo Moss", "C. Fox")
    assert paper.links == (("retracts", "sample:9"), ("corrects", "sample:0"))
    assert paper.ids == ("pmid:12", "doi:10.1000/x")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"id": "1", "text": " Kept  as it is.\n"}, " Kept  as it is.\n"),
        ({"title": "Oil", "text": "Oil\nThin."}, "Oil\nThin."),
        ({"title": "Oil", "text": "Oil thins."}, "Oil\nOil thins."),
        ({"title": "Oil", "abstract": ["One.", "Two."]}, "Oil\nOne. Two."),
        ({"title": "Oil", "abstract": "One.", "text": "All of it."}, "Oil\nOne.\nAll of it."),
        ({"title": "Oil", "abstract": "One.", "text": "Oil\nOne."}, "Oil\nOne."),
        ({"text": "Oil.", "sections": [{"kind": "body", "start": 0, "end": 4}]}, "Oil."),
        ({"text": "half \ud800 and nul \0."}, "half \ufffd and nul \ufffd."),
    ],
)
def test_jsonl_texts(record: dict[str, object], text: str, write: Callable[..., Path]) -> None:
    paper = one(write(json.dumps(record)))
    assert paper.text == text
    assert paper.id == record.get("id", paper.id)
    assert record.get("id") or paper.id.startswith("text:")
    assert "".join(s.of(text) for s in paper.sections) == text.replace("\n", "") or len(paper.sections) == 1


@pytest.mark.parametrize("bad", [{"title": {"a": 1}}, {"text": "A", "sections": "B"}, {"text": "A", "links": [1]}])
def test_jsonl_values_of_the_wrong_kind(bad: dict[str, object], write: Callable[..., Path]) -> None:
    assert reasons(write(json.dumps(bad)))[0].startswith("line 1: has ")


@given(
    st.dictionaries(
        st.sampled_from(fields.known_fields()),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
@settings(max_examples=40, deadline=None)
def test_loose_fields_make_a_document_or_a_reason(given: dict[str, object]) -> None:
    with suppress(Unreadable):
        paper = fields.document(given)
        assert paper.id
        assert paper.text.strip()
        assert paper.year is None or 1000 <= paper.year <= 2999
        assert fields.document(given).digest == paper.digest


def test_ris_of_many_dialects(write: Callable[..., Path]) -> None:
    content = (
        "TY  - JOUR\nAN  - x1\nT1  - Oil\nN2  - BACKGROUND: one,\n  two\nAU  - Dyer, A\nAU  - Moss, B\n"
        "DA  - 1985/04/02\nPY  - 1985\nJF  - Blood\nUR  - http://a\nUR  - http://b\nXX  - ?\n"
        "DO  - doi:10.1000/A\nER  -\n"
    )
    paper = one(write(content))
    assert paper.id == "10.1000/a"
    assert paper.text == "Oil\nBACKGROUND: one, two"
    assert (paper.date, paper.journal, paper.authors) == ("1985-04-02", "Blood", ("Dyer, A", "Moss, B"))
    assert paper.ids == ("doi:10.1000/a",)


def test_table_columns(write: Callable[..., Path]) -> None:
    path = write('Key;Article Title;Summary;Title\n007;Oil;"Thin;\nblood, and ""more""";Short\n')
    paper = one(path, columns={"title": "article title", "abstract": "Summary", "id": "Key"})
    assert (paper.id, paper.text) == ("007", 'Oil\nThin;\nblood, and "more"')
    missing = list(sources.read(path, columns={"abstract": "Missing", "title": "None"}))
    assert isinstance(missing[0], Failure)
    assert "map one of its columns, 'Key', 'Article Title', 'Summary', 'Title'" in missing[0].reason
    with pytest.raises(UsageError, match="no field 'heading'"):
        list(sources.read(path, columns={"heading": "Title"}))
    assert one(write("Text\nOil.\n"), columns={"text": "text"}).text == "Oil."


def test_table_keeps_cells_as_they_are(write: Callable[..., Path]) -> None:
    content = "id\ttitle\tabstract\n1e5\tNA\tnull\n01\tnan\t\n3\tOil\n"
    papers = [item for item in sources.read(write(content)) if isinstance(item, Document)]
    assert [(paper.id, paper.text) for paper in papers] == [("1e5", "NA\nnull"), ("01", "nan"), ("3", "Oil")]
    assert len(one(write(f'id,title\n1,"{"x" * 200_000}"\n')).text) == 200_000


def test_markdown(write: Callable[..., Path]) -> None:
    content = (
        '---\nid: sample:2\ntitle: "Oil: a *review*"\nauthors: [Ann Dyer, Bo Moss]\n'
        "corrects:\n  - sample:0\n  - sample:1\n---\n"
        "Before.\n\n## Methods\n\nWe *fed* **_E. coli_**, see [it](http://x.y).\n\n```\n# no heading\n```\n"
        "## 3. Results and discussion ##\n\n<!-- hidden -->p* < 0.05, a_b_c\n"
    )
    paper = one(write(content))
    assert (paper.id, paper.title, paper.authors) == ("sample:2", "Oil: a *review*", ("Ann Dyer", "Bo Moss"))
    assert paper.links == (("corrects", "sample:0"), ("corrects", "sample:1"))
    assert [(s.kind, s.of(paper.text)) for s in paper.sections[1:]] == [
        ("abstract", "Before."),
        ("methods", "We fed E. coli, see it.\n\n```\n# no heading\n```"),
        ("results", "p* < 0.05, a_b_c"),
    ]


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        ("Oil\n\nThin.\n\nMore.", "Oil", "Oil\nThin.\n\nMore."),
        ("Only one paragraph,\nin two lines.", "Only one paragraph,", "Only one paragraph,\nin two lines."),
        ("A title\nin two lines\n\nThin.", "A title in two lines", "A title in two lines\nThin."),
        ("x " * 200 + "\n\nThin.", "x " * 199 + "x", "x " * 199 + "x\n\nThin."),
        ("Title: Oil\nStatus: retraction\nRetracts: a; b\n\nThin.", "Oil", "Oil\nThin."),
        ("Note: this is no key.\n\nThin.", "Note: this is no key.", "Note: this is no key.\nThin."),
    ],
)
def test_plain(content: str, title: str, text: str, write: Callable[..., Path]) -> None:
    paper = one(write(content))
    assert (paper.title, paper.text) == (title, text)
    if paper.status == "retraction":
        assert paper.links == (("retracts", "a"), ("retracts", "b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985-04-02T10:00:00Z", "1985-04-02"),
        ("19850402", "1985-04-02"),
        ("1985-02-30", "1985-02"),
        ("1985-13", "1985"),
        ("1985-1986", "1985"),
        ("April 2, 1985", "1985-04-02"),
        ("1998 Dec 15-31", "1998-12"),
        ("1977-1978 Fall-Winter", "1977"),
        ("0000", ""),
        ("12", ""),
    ],
)
def test_dates(text: str, expected: str) -> None:
    assert fields.iso_date(text) == expected


# Real corpora.


@pytest.mark.parametrize(
    ("name", "documents", "mentions", "relations", "failures"),
    [
        ("bc5cdr/CDR_TrainingSet.PubTator.txt", 500, 9385, 1038, 0),
        ("bc5cdr/CDR_DevelopmentSet.PubTator.txt", 500, 9591, 1012, 0),
        ("ncbi_disease/NCBItrainset_corpus.txt", 593, 5144, 0, 1),
        ("ncbi_disease/NCBIdevelopset_corpus.txt", 100, 787, 0, 0),
        ("biored/Dev.PubTator", 100, 3533, 1162, 0),
    ],
)
def test_real_corpora(
    shared_data: Path, name: str, documents: int, mentions: int, relations: int, failures: int
) -> None:
    items = list(sources.annotated(shared_data / name))
    readings = [item for item in items if isinstance(item, Reading)]
    assert (len(readings), len(items) - len(readings)) == (documents, failures)
    assert sum(len(reading.mentions) for reading in readings) == mentions
    assert sum(len(reading.relations) for reading in readings) == relations
    for mention, reading in _mentions(readings):
        assert reading.document.text[mention.start : mention.end] == mention.text


def _mentions(readings: list[Reading]) -> Iterator[tuple[Mention, Reading]]:
    return ((mention, reading) for reading in readings for mention in reading.mentions)


def test_real_files(shared_data: Path) -> None:
    corpus = list(sources.read(shared_data / "scifact" / "corpus.jsonl.gz"))
    assert sum(isinstance(item, Document) for item in corpus) == len(corpus) == 5183
