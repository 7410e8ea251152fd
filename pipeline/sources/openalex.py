"""OpenAlex works: one, a page of an answer, or JSON lines. Abstracts come as an index of words and their positions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter

from pipeline.sources.shared import fields, markup, objects
from pipeline.sources.shared.objects import Object
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Document, Failure

_WORK = re.compile(r'"abstract_inverted_index"\s*:|"id"\s*:\s*"https?://(?:\w+\.)?openalex\.org/W\d')
_IDENTIFIER = re.compile(r"\bW\d+\b")
_STATES = {"retraction": "retraction", "erratum": "erratum"}


def sniff(head: str) -> bool:
    return objects.begins(head) and bool(_WORK.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return objects.read(stream, _document, name, inside=("results",))


def _document(work: Object) -> Document:
    text, below = objects.text, objects.below
    curie, place = _curie(text(work.get("id"))), work.get("primary_location")
    page = text(below(place, "landing_page_url"))
    kind = "retracted" if work.get("is_retracted") is True else _STATES.get(text(work.get("type")), "")
    known = {
        "pmid": text(below(work, "ids", "pmid")),
        "pmcid": text(below(work, "ids", "pmcid")),
        "doi": text(work.get("doi")) or text(below(work, "ids", "doi")),
        "arxiv": page if "arxiv.org/abs/" in page.lower() else "",
    }
    cited = work.get("referenced_works")
    paper = fields.document(
        known
        | {
            "id": "" if any(known.values()) else curie,
            "title": markup.flat(text(work.get("title")) or text(work.get("display_name"))),
            "sections": markup.sections(_abstract(work.get("abstract_inverted_index"))),
            "date": text(work.get("publication_date")),
            "year": text(work.get("publication_year")),
            "revised": text(work.get("updated_date")),
            "authors": [_author(row) for row in objects.rows(work.get("authorships"))],
            "journal": text(below(place, "source", "display_name")),
            "language": text(work.get("language")),
            "licence": text(below(place, "license")),
            "status": kind,
            "references": [
                found for item in (cited if isinstance(cited, list) else ()) if (found := _curie(text(item)))
            ],
        }
    )
    return replace(paper, ids=(*paper.ids, curie)) if curie else paper


def _curie(url: str) -> str:
    """
    >>> _curie("https://openalex.org/W2741809807")
    'openalex:W2741809807'
    """
    found = _IDENTIFIER.search(url)
    return f"openalex:{found[0]}" if found else ""


def _author(row: Object) -> str:
    return objects.text(objects.below(row, "author", "display_name")) or objects.text(row.get("raw_author_name"))


def _abstract(index: object) -> str:
    """Put the words in the order of their positions, which may have gaps.

    >>> _abstract({"blood.": [3, 9], "Oil": [0], "thins": [1], "Old": [7]})
    'Oil thins blood. Old blood.'
    """
    if index is None:
        return ""
    if not isinstance(index, dict):
        raise Unreadable(f"has an abstract_inverted_index that is no object: {index!r:.80}")
    words = [(at, word) for word, places in index.items() for at in (places if isinstance(places, list) else [places])]
    for at, word in words:
        if type(at) is not int or at < 0:  # a bool is an int, but no position
            raise Unreadable(
                f"has an abstract_inverted_index whose word {word[:40]!r} stands at {at!r:.40}, no position"
            )
    return " ".join(word for _, word in sorted(words, key=itemgetter(0)))
