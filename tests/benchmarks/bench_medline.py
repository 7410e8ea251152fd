"""MEDLINE XML, against bare lxml that takes the same fields and checks nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from lxml import etree
from measure import Figure, generated_text, race

from pipeline import sources
from pipeline.types import Document

RECORDS = 2_000
RECORD = """<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><Journal><JournalIssue><PubDate>
<Year>{year}</Year><Month>Apr</Month></PubDate></JournalIssue><Title>Journal of Samples</Title></Journal>
<ArticleTitle>{title}</ArticleTitle><Abstract>
<AbstractText Label="METHODS" NlmCategory="METHODS">{methods}</AbstractText>
<AbstractText Label="RESULTS" NlmCategory="RESULTS">{results}</AbstractText></Abstract><AuthorList><Author>
<LastName>Sample</LastName><ForeName>Ann</ForeName></Author></AuthorList><Language>eng</Language></Article>
</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="doi">10.1000/{pmid}</ArticleId></ArticleIdList>
</PubmedData></PubmedArticle>
"""


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "medline.xml"
        write(path)
        assert [(d.id, d.title) for d in ours(path)] == [(d["pmid"], d["title"]) for d in peer(path)]
        yield race("medline: reader vs bare lxml", lambda: ours(path), lambda: peer(path), n=RECORDS, unit="records")


def ours(path: Path) -> list[Document]:
    return [item for item in sources.read(path) if isinstance(item, Document)]


def peer(path: Path) -> list[dict[str, object]]:
    found = []
    for _, article in etree.iterparse(str(path), tag="PubmedArticle"):
        found.append(
            {
                "pmid": article.findtext(".//PMID"),
                "title": article.findtext(".//ArticleTitle"),
                "abstract": [(part.get("Label"), part.text) for part in article.iterfind(".//AbstractText")],
                "date": (article.findtext(".//PubDate/Year"), article.findtext(".//PubDate/Month")),
                "doi": article.findtext(".//ArticleId[@IdType='doi']"),
                "authors": [(a.findtext("LastName"), a.findtext("ForeName")) for a in article.iterfind(".//Author")],
                "journal": article.findtext(".//Journal/Title"),
                "language": article.findtext(".//Language"),
            }
        )
        article.clear()
        while article.getprevious() is not None:
            del article.getparent()[0]
    return found


def write(path: Path) -> None:
    random_ = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("<PubmedArticleSet>\n")
        for number in range(RECORDS):
            title, methods, results = (generated_text(random_, count) for count in (1, 4, 5))
            year = 1960 + number % 60
            file.write(RECORD.format(pmid=10_000 + number, year=year, title=title, methods=methods, results=results))
        file.write("</PubmedArticleSet>\n")
