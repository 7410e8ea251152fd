"""EndNote's XML."""

from __future__ import annotations

from exports import failures, paper, papers

from pipeline.sources import endnote

RECORD = """<record><database name="My.enl" path="/x">My.enl</database>
<source-app name="EndNote" version="16.0">EndNote</source-app><rec-number>12</rec-number>
<ref-type name="Journal Article">17</ref-type><contributors><authors>
<author><style face="normal" font="default" size="100%">Dyer, Ann</style></author><author>Oil Board,</author></authors>
<secondary-authors><author>Ed, Itor</author></secondary-authors></contributors>
<titles><title><style face="normal">Oil in </style><style face="italic">E. coli</style><style
>&#xD; &amp; CO</style><style face="subscript">2</style></title><secondary-title>Blood</secondary-title></titles>
<dates><year>1985</year><pub-dates><date>Apr 2</date></pub-dates></dates><accession-num>7</accession-num>
<abstract><style>It thins&#xD;blood &beta;.</style></abstract><notes>read&#xD;</notes>
<urls><related-urls><url>http://www.ncbi.nlm.nih.gov/pubmed/7</url></related-urls></urls><custom2>PMC8</custom2>
<electronic-resource-num>doi:10.1000/A</electronic-resource-num><language>eng</language></record>"""


def library(*records: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8" ?><xml><records>{"".join(records)}</records></xml>'


def test_record() -> None:
    found = paper(endnote, library(RECORD))
    assert (found.id, found.ids) == ("7", ("pmid:7", "pmcid:PMC8", "doi:10.1000/a"))
    assert found.text == "Oil in E. coli & CO2\nIt thins blood β."
    assert found.authors == ("Dyer, Ann", "Oil Board")
    assert (found.date, found.journal, found.language) == ("1985-04-02", "Blood", "eng")


def test_number_in_a_database() -> None:
    bare = "<record><titles><title>Oil</title></titles><accession-num>7</accession-num>{}</record>"
    pubmed = bare.format("<remote-database-provider>NLM</remote-database-provider>")
    assert paper(endnote, library(pubmed)).ids == ("pmid:7",)
    other = paper(endnote, library(bare.format("<remote-database-name>Embase</remote-database-name>")))
    assert (other.id, other.ids) == ("7", ())


def test_bad_record_costs_no_other() -> None:
    good = "<record><titles><title>{}</title></titles></record>"
    content = library(good.format("A"), good.format("x < 3 & y"), "<record><dates/></record>", good.format("D"))
    assert [found.text for found in papers(endnote, content)] == ["A", "D"]
    broken, empty = failures(endnote, content)
    assert broken.startswith("record 2: is not well-formed")
    assert empty.startswith("record 3: has neither title nor text")


def test_told_by_its_elements() -> None:
    assert endnote.sniff(library(RECORD))
    assert endnote.sniff("<records>\n<record>\n<rec-number>1")
    assert not endnote.sniff("<xml><records><record><header/></record></records></xml>")
    assert not endnote.sniff("<records><record><metadata/></record></records>")
