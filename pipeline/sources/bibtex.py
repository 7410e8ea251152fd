"""BibTeX and BibLaTeX.

The key of an entry is no identifier of the paper, for two libraries use one key for two papers; a paper without
DOI, PMID, PMCID and arXiv number is known by its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from pipeline.sources.bibtex_entries import Block, blocks, define
from pipeline.sources.bibtex_entries import fields as entry_fields
from pipeline.sources.bibtex_text import address, names, plain
from pipeline.sources.shared import fields, manager
from pipeline.sources.shared.stream import Stream, Unreadable, check, lines
from pipeline.types import Document, Failure

Entry: TypeAlias = Mapping[str, str]

_SNIFF = re.compile(
    r"""^[^\S\n]*@[^\S\n]*(?:(?:string|preamble|comment)[^\S\n]*[{(]|[a-z]+[^\S\n]*[{(][^\S\n]*[^\s{}(),="]*\s*[,=])""",
    re.IGNORECASE | re.MULTILINE,
)
_OTHER = re.compile(r"^\s*(?:#|```|\\|<|\{|\[)", re.MULTILINE)  # what no BibTeX has before its first entry
_MOST_BEFORE = 5  # lines of a program's own words before the first entry

_SILENT = ("comment", "preamble")
_DATES = ("date", "year", "month", "day")
_VENUES = ("journal", "journaltitle", "booktitle")
_INHERITED = (*_DATES, *_VENUES, "title", "crossref")  # what is kept of each entry for those that refer to it
_MOST_ANCESTORS = 20
_ADDRESSES = ("doi", "pmid", "pmcid", "pmc", "arxiv", "eprint", "eprinttype", "archiveprefix", "url", "link", "ee")
_NOTES = ("journal", "journaltitle", "howpublished", "note")
_ARXIV = re.compile(r"\barxiv:", re.IGNORECASE)


def sniff(head: str) -> bool:
    """An entry at the beginning of a line, with little before it, or several: text on papers may quote one."""
    found = list(islice(_SNIFF.finditer(head), 3))
    if not found or len(found) == 3:
        return bool(found)
    before = head[: found[0].start()]
    said = [line for line in before.splitlines() if line.strip(" \t\ufeff") and not line.lstrip().startswith("%")]
    return len(said) <= _MOST_BEFORE and not _OTHER.search(before)


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    """Entries in their order, but for those that another one completes: they come last."""
    return fields.each(_complete(_entries(stream)), _document, name)


def _entries(stream: Stream) -> Iterator[tuple[str, Entry | Unreadable]]:
    """Each entry with its place, or what is wrong with it; its key and kind go by ID and ENTRYTYPE."""
    strings: dict[str, str] = {}
    for block in blocks(lines(stream.text)):
        try:
            entry = _entry(block, strings)
        except Unreadable as error:
            yield block.place, error
        else:
            if entry:
                yield block.place, entry


def _entry(block: Block, strings: dict[str, str]) -> Entry | None:
    if block.fault:
        raise Unreadable(block.fault)
    if block.kind in _SILENT:
        return None
    if block.kind == "string":
        define(check(block.body), strings)
        return None
    return {**entry_fields(check(block.body), strings), "ID": block.key, "ENTRYTYPE": block.kind}


def _complete(entries: Iterator[tuple[str, Entry | Unreadable]]) -> Iterator[tuple[str, Entry | Unreadable]]:
    """Give the entries that name a parent (crossref), which may follow them, what they lack of it."""
    known: dict[str, Entry] = {}
    waiting: list[tuple[str, Entry]] = []
    for place, entry in entries:
        if isinstance(entry, Unreadable):
            yield place, entry
            continue
        kept = {name: entry[name] for name in _INHERITED if name in entry}
        for key in (entry["ID"], *entry.get("ids", "").split(",")):
            known.setdefault(key.strip().lower(), kept)
        if "crossref" in entry and not (_has(entry, _DATES[:2]) and _has(entry, _VENUES)):
            waiting.append((place, entry))
        else:
            yield place, entry
    for place, entry in waiting:
        yield place, _inherited(entry, known)


def _inherited(entry: Entry, known: Mapping[str, Entry]) -> Entry:
    """An entry with the date and the venue of its parent, or of that one's parent; a circle ends where it began."""
    result, parent, seen = dict(entry), entry, set[str]()
    while (key := parent.get("crossref", "").strip().lower()) in known and key not in seen:
        seen.add(key)
        parent = known[key]
        if not _has(result, _DATES[:2]):
            result |= {name: parent[name] for name in _DATES if name in parent}
        if not _has(result, _VENUES) and entry["ENTRYTYPE"].startswith("in"):
            result["booktitle"] = parent.get("booktitle", parent.get("title", ""))
        if len(seen) > _MOST_ANCESTORS:
            break
    return result


def _has(entry: Entry, names: tuple[str, ...]) -> bool:
    return any(entry.get(name, "").strip() for name in names)


def _document(entry: Entry | Unreadable) -> Document:
    if isinstance(entry, Unreadable):
        raise entry
    return fields.document(
        {
            **_ids(entry),
            "title": _title(entry),
            "abstract": plain(entry.get("abstract", "")),
            "date": _date(entry),
            "authors": names(entry.get("author", entry.get("authors", ""))),
            "journal": _plain(entry, *_VENUES),
            "language": _plain(entry, "langid", "language"),
            "licence": _plain(entry, "license", "licence", "copyright"),
        }
    )


def _title(entry: Entry) -> str:
    title, subtitle = plain(entry.get("title", "")), plain(entry.get("subtitle", ""))
    between = " " if title.endswith((".", "?", "!", ":")) else ": "
    return between.join(filter(None, (title, subtitle)))


def _date(entry: Entry) -> str:
    """BibLaTeX's date, which may be a range, else year, month and day, the month a number or a name."""
    date, year, month, day = (plain(entry.get(name, "")) for name in _DATES)
    if date:
        return date.partition("/")[0]
    return f"{year}-{month}-{day}".rstrip("-") if month.isdecimal() else f"{day} {month} {year}".strip()


def _ids(entry: Entry) -> dict[str, str]:
    """Identifiers from their own fields, else from the archive, the address, or a preprint's "journal"."""
    given = {name: address(text) for name, text in entry.items() if name in _ADDRESSES}
    archive = (given.get("eprinttype") or given.get("archiveprefix") or "").lower()
    eprint = given.get("eprint", "")
    named = {
        "doi": given.get("doi", ""),
        "pmid": given.get("pmid", "") or (eprint if archive in ("pubmed", "pmid") else ""),
        "pmcid": given.get("pmcid", "") or given.get("pmc", ""),
        "arxiv": given.get("arxiv", "") or (eprint if archive in ("", "arxiv") else ""),
    }
    preprint = next((text for name in _NOTES if (text := plain(entry.get(name, ""))) and _ARXIV.search(text)), "")
    found = {"arxiv": preprint} | manager.page_ids(*(given.get(name, "") for name in ("doi", "url", "link", "ee")))
    return found | {name: text for name, text in named.items() if text}


def _plain(entry: Entry, *names_: str) -> str:
    return next((text for name in names_ if (text := plain(entry.get(name, "")))), "")
