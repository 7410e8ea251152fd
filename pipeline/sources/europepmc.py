"""Results of Europe PMC's REST service in JSON: a page of a search, one result, an array of them, or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources.shared import fields, markup, objects
from pipeline.sources.shared.objects import Object
from pipeline.sources.shared.stream import Stream
from pipeline.types import Document, Failure

_PAGE = re.compile(r'"resultList"\s*:\s*\{')
_TELLING = re.compile(
    r'"(authorString|abstractText|firstPublicationDate|firstIndexDate|pubYear|isOpenAccess|inEPMC|inPMC|journalInfo|'
    r'hasTextMinedTerms|citedByCount)"\s*:'
)
_LINKS = {
    "retraction of": "retracts",
    "retraction in": "retracted_by",
    "partial retraction of": "partly_retracts",
    "partial retraction in": "partly_retracted_by",
    "erratum for": "corrects",
    "erratum in": "corrected_by",
    "corrected and republished from": "corrects",
    "corrected and republished in": "corrected_by",
    "expression of concern for": "questions",
    "expression of concern in": "questioned_by",
    "republished from": "republishes",
    "republished in": "republished_by",
    "update of": "updates",
    "update in": "updated_by",
}
_STATES = {
    "retracted publication": "retracted",
    "retraction of publication": "retraction",
    "retraction notice": "retraction",
    "published erratum": "erratum",
}


def sniff(head: str) -> bool:
    """A page of results, or an object with three keys that no other service uses together."""
    return objects.begins(head) and bool(_PAGE.search(head) or len(set(_TELLING.findall(head))) >= 3)


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return objects.read(stream, _document, name, inside=("resultList", "result"))


def _document(result: Object) -> Document:
    text = objects.text
    source, own = text(result.get("source")), text(result.get("id"))
    known = {
        "pmid": text(result.get("pmid")) or (own if source == "MED" else ""),
        "pmcid": text(result.get("pmcid")) or (own if source == "PMC" else ""),
        "doi": text(result.get("doi")),
    }
    links = list(_links(result))
    return fields.document(
        known
        | {
            "id": "" if any(known.values()) or not own else f"{source}:{own}",
            "title": markup.flat(text(result.get("title"))),
            "sections": markup.sections(text(result.get("abstractText"))),
            "date": _date(result),
            "revised": text(result.get("dateOfRevision")),
            "authors": _authors(result),
            "journal": text(objects.below(result, "journalInfo", "journal", "title"))
            or text(result.get("journalTitle")),
            "language": text(result.get("language")),
            "licence": text(result.get("license")),
            "status": _status(result, links),
            "links": links,
        }
    )


def _date(result: Object) -> str:
    """When the paper was first published, else when its issue was."""
    keys = (("firstPublicationDate",), ("electronicPublicationDate",), ("journalInfo", "printPublicationDate"))
    more = (("journalInfo", "dateOfPublication"), ("journalInfo", "yearOfPublication"), ("pubYear",))
    dates = (fields.iso_date(objects.text(objects.below(result, *key))) for key in (*keys, *more))
    return next((date for date in dates if date), "")


def _authors(result: Object) -> list[object]:
    """The list, else the string, whose names are "Family Initials" and end in a full stop."""
    if rows := objects.rows(objects.below(result, "authorList", "author")):
        return [_author(row) for row in rows]
    return [name for name in objects.text(result.get("authorString")).removesuffix(".").split(", ") if name]


def _author(row: Object) -> Object:
    family, given = objects.text(row.get("lastName")), objects.text(row.get("firstName") or row.get("initials"))
    name = objects.text(row.get("collectiveName")) or objects.text(row.get("fullName"))
    return {"family": family, "given": given} if family else {"name": name}


def _links(result: Object) -> Iterator[tuple[str, str]]:
    for row in objects.rows(objects.below(result, "commentCorrectionList", "commentCorrection")):
        word, target = _LINKS.get(objects.text(row.get("type")).lower(), ""), objects.text(row.get("id"))
        if word and target:
            yield word, target


def _status(result: Object, links: list[tuple[str, str]]) -> str:
    listed = objects.below(result, "pubTypeList", "pubType")
    kinds = listed if isinstance(listed, list) else objects.text(listed or result.get("pubType")).split(";")
    states = {_STATES.get(objects.text(kind).lower(), "") for kind in kinds}
    if any(word == "retracted_by" for word, _ in links):
        return "retracted"
    return next((state for state in _STATES.values() if state in states), "")
