"""arXiv's feed and its harvested records."""

from __future__ import annotations

from pathlib import Path

import answers
import pytest

from pipeline.sources import arxiv
from pipeline.types import Deleted, Document, Failure

FEED = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"
 xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/abc</id>
  <title>arXiv Query: search_query=all:oil</title>
  <updated>2026-04-12T22:09:26Z</updated>
  <opensearch:totalResults>1</opensearch:totalResults>
  {entries}
</feed>
"""
ENTRY = """<entry>
    <id>http://arxiv.org/abs/{id}</id>
    <title>Fish oil
  and <b>stars</b></title>
    <updated>2006-03-04T14:57:58Z</updated>
    <link href="https://arxiv.org/abs/{id}" rel="alternate" type="text/html"/>
    <summary>  It thins
blood by 4&lt;x&lt;5 &amp; more.
</summary>
    <category term="astro-ph" scheme="http://arxiv.org/schemas/atom"/>
    <published>2006-01-02T14:57:58Z</published>
    <arxiv:comment>{comment}</arxiv:comment>
    <arxiv:journal_ref>ActaAstron.56:1-50,2006</arxiv:journal_ref>
    <author><name>Peter H. N. de With</name><arxiv:affiliation>Ohio State</arxiv:affiliation></author>
    <author><name>Ann Dyer</name></author>
    {more}
  </entry>"""

OAI = """<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<responseDate>2023-01-25T18:45:11Z</responseDate>
<request verb="ListRecords" metadataPrefix="arXiv">http://export.arxiv.org/oai2</request>
<ListRecords>
{records}
<resumptionToken cursor="0" completeListSize="1090">6460044|1001</resumptionToken>
</ListRecords>
</OAI-PMH>"""
RECORD = """<record><header{status}><identifier>oai:arXiv.org:{id}</identifier>
<datestamp>2024-02-03</datestamp></header>
{metadata}</record>"""
PLAIN = """<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/" xsi:schemaLocation="http://arxiv.org/OAI/arXiv/ a.xsd">
<id>0704.0999</id><created>2007-04-07</created><updated>2007-06-21</updated>
<authors><author><keyname>Dyer</keyname><forenames>Ann B.</forenames></author>
<author><keyname>CMS Collaboration</keyname></author>
<author><keyname>Moss</keyname><forenames>Bo</forenames><suffix>Jr</suffix></author></authors>
<title>Fish oil</title><categories>math.RT</categories><comments>12 pages</comments>
<journal-ref>Blood 1, 2</journal-ref><doi>10.1103/ABC 10.1103/later</doi>
<license>http://creativecommons.org/licenses/by/4.0/</license><abstract>  It thins
blood.
</abstract></arXiv></metadata>"""
RAW = """<metadata><arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>1706.03762</id><submitter>Ann Dyer</submitter>
<version version="v1"><date>Mon, 12 Jun 2017 17:57:34 GMT</date><size>1102kb</size></version>
<version version="v3"><date>Sun, 6 Aug 2023 00:41:18 GMT</date><size>1124kb</size></version>
<title>Fish oil</title><authors>A. Dyer (1), B. Moss, Jr (1 and 2) and C. Fox ((1) Rome, (2) Bonn, Italy)</authors>
<license>http://arxiv.org/licenses/nonexclusive-distrib/1.0/</license><abstract>It thins blood.</abstract>
</arXivRaw></metadata>"""
DUBLIN = """<metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Fish
  oil</dc:title><dc:creator>Dyer, Ann</dc:creator><dc:creator>Moss, Bo</dc:creator><dc:subject>05C80</dc:subject>
<dc:description>  It thins
blood.</dc:description><dc:description>Comment: 7 pages</dc:description>
<dc:date>2003-06-18</dc:date><dc:date>2017-11-17</dc:date>
<dc:identifier>http://arxiv.org/abs/math/0306266</dc:identifier>
<dc:identifier>Phys.Rev.D60:093006,1999</dc:identifier><dc:identifier>doi:10.1017/S0963</dc:identifier>
</oai_dc:dc></metadata>"""


def entry(identifier: str = "astro-ph/0601001v2", comment: str = "62 pages", more: str = "") -> str:
    return ENTRY.format(id=identifier, comment=comment, more=more)


def feed(*entries: str) -> str:
    return FEED.format(entries="\n".join(entries))


def record(metadata: str, identifier: str = "0704.0999", status: str = "") -> str:
    return RECORD.format(id=identifier, metadata=metadata, status=status)


def harvest(*records: str) -> str:
    return OAI.format(records="\n".join(records))


def test_an_entry_of_the_feed() -> None:
    paper = answers.paper(arxiv, feed(entry(more="<arxiv:doi>10.1000/OIL</arxiv:doi>")))
    assert answers.texts(paper) == [
        ("title", "Fish oil and stars"),
        ("abstract", "It thins blood by 4<x<5 & more."),
    ]
    assert paper.id == "10.1000/oil"
    assert paper.ids == ("doi:10.1000/oil", "arxiv:astro-ph/0601001")
    assert (paper.date, paper.revised) == ("2006-01-02", "2006-03-04")
    assert paper.authors == ("Peter H. N. de With", "Ann Dyer")
    assert paper.journal == "ActaAstron.56:1-50,2006"
    assert paper.status == "article"


def test_a_version_is_no_part_of_the_id() -> None:
    old, new = (answers.paper(arxiv, feed(entry(f"2101.12345v{version}"))) for version in (1, 12))
    assert old.id == new.id == "2101.12345"
    assert new.ids == ("arxiv:2101.12345",)


@pytest.mark.parametrize(
    ("note", "status"),
    [
        ("This paper has been withdrawn by the author due to an error", "retracted"),
        ("The submission was withdrawn", "retracted"),
        ("We study funds that were withdrawn", "article"),
        ("10 pages", "article"),
    ],
)
def test_withdrawn_papers(note: str, status: str) -> None:
    assert answers.paper(arxiv, feed(entry(comment=note))).status == status


def test_answers_without_papers() -> None:
    assert "the query found nothing" in answers.reason(arxiv, feed())
    error = entry().replace("http://arxiv.org/abs/astro-ph/0601001v2", "https://arxiv.org/api/errors#incorrect_id")
    assert "is an error that arXiv's API gave: It thins" in answers.reason(arxiv, feed(error))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>My cat</title></entry></feed>',
            "is an Atom feed, but",
        ),
        ('<!-- a --><rss version="2.0"><channel><item/></channel></rss>', "is an RSS feed, but not of papers"),
        (
            '<rdf:RDF xmlns:rdf="r" xmlns="http://purl.org/rss/1.0/"><item/></rdf:RDF>',
            "is an RSS feed, but not of papers",
        ),
        (b"<feed><title>caf\xe9</title></feed>", "holds the byte 0xe9, which is not UTF-8"),
    ],
)
def test_other_feeds(content: str | bytes, reason: str) -> None:
    assert reason in answers.reason(arxiv, content)


def test_a_foreign_entry_costs_no_other() -> None:
    first, foreign, last = answers.items(
        arxiv,
        feed(entry("2101.00001v1"), "<entry><id>urn:cat</id><title>My cat</title></entry>", entry("2101.00002v1")),
    )
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert foreign == Failure(
        "answer", "entry 2 (urn:cat)", "is an entry of a feed, but no paper of arXiv: its id is 'urn:cat'"
    )


def test_a_broken_entry_costs_no_other() -> None:
    broken = entry("2101.00002v1").replace("</title>", "</titel>")
    first, failure, last = answers.items(arxiv, feed(entry("2101.00001v1"), broken, entry("2101.00003v1")))
    assert isinstance(first, Document)
    assert isinstance(failure, Failure)
    assert failure.place == "entry 2 (http://arxiv.org/abs/2101.00002v1)"
    assert failure.reason.startswith("is not well-formed: ")
    assert isinstance(last, Document)
    assert last.id == "2101.00003"


def test_a_cut_feed_says_so() -> None:
    content = feed(entry("2101.00001v1"), entry("2101.00002v1"))
    whole, cut, end = answers.items(arxiv, content[: content.rindex("</summary>")])
    assert isinstance(whole, Document)
    assert isinstance(cut, Failure)
    assert cut.reason.startswith("has no end tag")
    assert end == Failure("answer", "", "ends before </feed>: the file is cut off")


def test_a_prefix_for_everything() -> None:
    content = """<a:feed xmlns:a="http://www.w3.org/2005/Atom">
<a:entry><a:id>http://arxiv.org/abs/2101.12345</a:id></a:entry>
<a:entry><a:id>http://arxiv.org/abs/2101.00001</a:id><a:title>Oil</a:title></a:entry></a:feed>"""
    *_, paper = answers.items(arxiv, content)
    assert isinstance(paper, Document)
    assert (paper.id, paper.text) == ("2101.00001", "Oil")


def test_entities_do_not_grow() -> None:
    bomb = '<!DOCTYPE f [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    content = feed(entry(comment="1").replace("Fish", "&beta; &b; Fish")).replace("?>\n", f"?>\n{bomb}", 1)
    assert answers.paper(arxiv, content).title == "β &b; Fish oil and stars"


def test_the_plain_harvest_format() -> None:
    paper = answers.paper(arxiv, harvest(record(PLAIN)))
    assert answers.texts(paper) == [("title", "Fish oil"), ("abstract", "It thins blood.")]
    assert paper.ids == ("doi:10.1103/abc", "arxiv:0704.0999")
    assert (paper.date, paper.revised) == ("2007-04-07", "2007-06-21")
    assert paper.authors == ("Dyer, Ann B.", "CMS Collaboration", "Moss, Bo, Jr")
    assert (paper.journal, paper.licence) == ("Blood 1, 2", "http://creativecommons.org/licenses/by/4.0/")
    once = PLAIN.replace("<updated>2007-06-21</updated>", "")
    assert answers.paper(arxiv, harvest(record(once))).revised == "2007-04-07"


def test_the_raw_harvest_format() -> None:
    paper = answers.paper(arxiv, harvest(record(RAW, "1706.03762")))
    assert (paper.id, paper.date, paper.revised) == ("1706.03762", "2017-06-12", "2023-08-06")
    assert paper.authors == ("A. Dyer", "B. Moss, Jr", "C. Fox")


def test_dublin_core() -> None:
    paper = answers.paper(arxiv, harvest(record(DUBLIN, "math/0306266")))
    assert answers.texts(paper) == [("title", "Fish oil"), ("abstract", "It thins blood.")]
    assert paper.ids == ("doi:10.1017/s0963", "arxiv:math/0306266")
    assert (paper.date, paper.revised) == ("2003-06-18", "2017-11-17")
    assert paper.authors == ("Dyer, Ann", "Moss, Bo")
    assert paper.journal == "Phys.Rev.D60:093006,1999"


def test_dublin_core_of_another_archive() -> None:
    foreign = DUBLIN.replace("http://arxiv.org/abs/math/0306266", "https://zenodo.org/record/34650").replace(
        "doi:", "no:"
    )
    foreign = record(foreign.replace("10.1017/S0963", "1")).replace("oai:arXiv.org:0704.0999", "oai:zenodo.org:34650")
    paper = answers.paper(arxiv, harvest(foreign))
    assert (paper.id, paper.ids, paper.revised) == ("oai:zenodo.org:34650", (), "2024-02-03")


def test_a_record_alone() -> None:
    assert answers.paper(arxiv, record(DUBLIN)).date == "2003-06-18"


def test_deleted_records() -> None:
    gone = record("", "2101.00001", ' status="deleted"')
    other = gone.replace("oai:arXiv.org:2101.00001", "oai:zenodo.org:12")
    assert answers.items(arxiv, harvest(gone, other)) == [
        Deleted("2101.00001", ("arxiv:2101.00001",)),
        Deleted("oai:zenodo.org:12"),
    ]


def test_harvests_without_papers() -> None:
    error = OAI.format(records="").replace("<ListRecords>", '<error code="noRecordsMatch">Nothing  new</error>')
    assert answers.reason(arxiv, error) == "is an error that the archive gave: noRecordsMatch, 'Nothing new'"
    empty = record("<metadata/>")
    other = record("<metadata><marc/></metadata>")
    first, _, last = answers.items(arxiv, harvest(empty, record(PLAIN), other))
    assert isinstance(first, Failure)
    assert first.reason == "has metadata in a format that is not read here: nothing"
    assert isinstance(last, Failure)
    assert last.reason.endswith("marc")


@pytest.mark.parametrize(
    "head",
    [
        "<article/>",
        '<rdf:RDF xmlns:rdf="r" xmlns:skos="http://www.w3.org/2004/02/skos/core#"/>',
        "<record><metadata><crossref/></metadata></record>",
        "<OAI-PMH><Identify/></OAI-PMH>",
        "feed",
        '{"feed": 1}',
        "<html><body><feed/></body></html>",
    ],
)
def test_what_is_not_claimed(head: str) -> None:
    assert not arxiv.sniff(head)


def read_folder(folder: Path) -> dict[str, list[answers.Item]]:
    return {path.name: answers.items(arxiv, path.read_bytes()) for path in sorted(folder.iterdir())}


def test_real_answers(shared_data: Path) -> None:
    found = read_folder(shared_data / "raw_papers" / "arxiv_atom")
    papers = {name: [item for item in row if isinstance(item, Document)] for name, row in found.items()}
    assert [len(row) for row in papers.values()] == [0, 1, 0, 1, 100]
    assert all(len(row) == (len(papers[name]) or 1) for name, row in found.items())
    assert all(paper.date and paper.authors and len(paper.sections) >= 2 for row in papers.values() for paper in row)


def test_real_harvests(shared_data: Path) -> None:
    found = read_folder(shared_data / "raw_papers" / "arxiv_oai")
    assert [len(row) for row in found.values()] == [1, 1, 1, 1, 3]
    assert all(isinstance(item, Document) and item.authors for row in found.values() for item in row)
