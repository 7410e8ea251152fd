"""MEDLINE XML: against bare lxml that takes the same fields, against ``pubmed_parser``, and two processes against one.

Each side runs in a process of its own, in turn, so that its memory is its own too. The file has 500 MB, or as many as
the environment variable HYPOGRAPH_BENCH_MB says, and lies in a temporary folder, with a packed copy for
``pubmed_parser``, which reads no other; there both sides read the packed one.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import medline_sample
from lxml import etree
from measure import Figure, Missing, race_processes, tell

from pipeline import sources
from pipeline.sources.parallel import read_many
from pipeline.types import Document

SIZE = int(os.environ.get("HYPOGRAPH_BENCH_MB", "500")) << 20
FILES = 4


def figures() -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "medline.xml"
        n = medline_sample.write(path, size=SIZE)
        agree(path)
        yield race_processes(
            "medline: reader vs bare lxml", _side("ours", path), _side("bare", path), n=n, unit="records"
        )
        if not find_spec("pubmed_parser"):
            raise Missing("uv pip install pubmed_parser")
        packed = _packed(path)
        sides = _side("ours", packed), _side("pubmed_parser", packed)
        yield race_processes("medline: reader vs pubmed_parser", *sides, n=n, unit="records", rounds=2)
    with TemporaryDirectory() as folder:
        parts = [Path(folder) / f"{number}.xml" for number in range(1, FILES + 1)]
        n = sum(medline_sample.write(part, size=SIZE // FILES, seed=int(part.stem)) for part in parts)
        sides = _side("two", *parts), _side("one", *parts)
        yield race_processes("medline: two processes vs one, 4 files", *sides, n=n, unit="records")


def agree(path: Path) -> None:
    """Both sides take the same from the first records."""
    for ours, theirs in islice(zip(sources.read(path), bare(path), strict=False), 500):
        assert isinstance(ours, Document)
        assert ours.text == "\n".join((theirs["title"], *(text.strip() for _, _, text in theirs["abstract"])))
        assert ours.ids == (f"pmid:{theirs['pmid']}", f"pmcid:{theirs['ids']['pmc']}", f"doi:{theirs['ids']['doi']}")
        assert ours.authors == tuple(f"{family}, {given}" for family, given, _, _ in theirs["authors"])
        assert ours.references == tuple(f"pmid:{ids['pubmed']}" for _, ids in theirs["references"])
        assert (ours.journal, ours.language) == (theirs["journal"], theirs["language"])
        assert ours.year == int(theirs["date"][0])


def bare(path: Path) -> Iterator[dict[str, Any]]:
    """The same fields by the shortest way, which trusts that every record is as it should be."""
    for _, record in etree.iterparse(str(path), tag="PubmedArticle"):
        citation, data = record.find("MedlineCitation"), record.find("PubmedData")
        article = citation.find("Article")
        published, revised = article.find("Journal/JournalIssue/PubDate"), citation.find("DateRevised")
        yield {
            "pmid": citation.findtext("PMID"),
            "title": _all_text(article.find("ArticleTitle")),
            "abstract": [
                (part.get("Label"), part.get("NlmCategory"), _all_text(part))
                for part in article.iterfind("Abstract/AbstractText")
            ],
            "licence": article.findtext("Abstract/CopyrightInformation"),
            "date": [published.findtext(part) for part in ("Year", "Month", "Day", "MedlineDate")],
            "revised": [revised.findtext(part) for part in ("Year", "Month", "Day")],
            "ids": _ids(data),
            "authors": [
                tuple(author.findtext(part) for part in ("LastName", "ForeName", "Suffix", "CollectiveName"))
                for author in article.iterfind("AuthorList/Author")
            ],
            "journal": article.findtext("Journal/Title"),
            "language": article.findtext("Language"),
            "kinds": [kind.text for kind in article.iterfind("PublicationTypeList/PublicationType")],
            "links": [
                (link.get("RefType"), link.findtext("PMID"))
                for link in citation.iterfind("CommentsCorrectionsList/CommentsCorrections")
            ],
            "references": [
                (reference.findtext("Citation"), _ids(reference))
                for reference in data.iterfind("ReferenceList/Reference")
            ],
        }
        record.clear()
        while record.getprevious() is not None:
            del record.getparent()[0]


def _all_text(element: Any) -> str:
    return "".join(element.itertext())


def _ids(element: Any) -> dict[str, str]:
    return {id_.get("IdType"): id_.text for id_ in element.iterfind("ArticleIdList/ArticleId")}


def _with_pubmed_parser(path: Path) -> Iterator[object]:
    from pubmed_parser import parse_medline_xml

    found: Iterator[object] = parse_medline_xml(str(path), year_info_only=False, author_list=True, reference_list=True)
    return found


def _many(paths: Sequence[Path], processes: int) -> Iterator[object]:
    return (item for _, items in read_many(paths, processes=processes) for item in items)


SIDES: dict[str, Callable[[Sequence[Path]], Iterator[object]]] = {
    "ours": lambda paths: sources.read(*paths),
    "bare": lambda paths: bare(*paths),
    "pubmed_parser": lambda paths: _with_pubmed_parser(*paths),
    "one": lambda paths: _many(paths, 1),
    "two": lambda paths: _many(paths, 2),
}


def _side(name: str, *paths: Path) -> list[str]:
    return [__file__, name, *map(str, paths)]


def _packed(path: Path) -> Path:
    packed = path.with_suffix(".xml.gz")
    with path.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as file:
        shutil.copyfileobj(plain, file, 1 << 20)
    return packed


if __name__ == "__main__":
    side, *given = sys.argv[1:]
    tell(lambda: deque(SIDES[side](list(map(Path, given))), maxlen=0))
