"""From what a format says about a paper, in its own words, to a Document.

Every reader hands over a mapping of field names to loose values; the names, dates, identifiers, labels and states
are made one here, for all formats alike. Texts are kept character for character, so that a source's own offsets hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import TypeAlias, TypeVar

from pipeline.sources.shared.stream import Unreadable
from pipeline.text.headings import section_kind, sections_of
from pipeline.types import Document, Failure, Section, Status, content_id

Fields: TypeAlias = Mapping[str, object]
Part: TypeAlias = tuple[str, str]  # the kind of a section, its text
Record = TypeVar("Record")
Result = TypeVar("Result")

_SYNONYMS = {
    "id": "uid identifier paper_id document_id doc_id docid",
    "title": "article_title document_title paper_title",
    "abstract": "abstract_text abstracttext",
    "text": "full_text fulltext body content",
    "sections": "",
    "date": "publication_date pub_date published",
    "year": "publication_year pub_year",
    "authors": "author author_full_names author_names",
    "journal": "journal_title source_title publication_name journal/book venue",
    "language": "lang",
    "licence": "license",
    "status": "",
    "pmid": "pubmed_id pubmedid",
    "pmcid": "pmc_id",
    "doi": "",
    "arxiv": "arxiv_id eprint",
    "references": "",
    "revised": "date_revised last_updated",
    "links": "",
    "corrects": "erratum_for",
    "corrected_by": "erratum_in",
    "retracts": "retraction_of",
    "retracted_by": "retraction_in",
    "updates": "update_of",
}
LINKS = ("corrects", "corrected_by", "retracts", "retracted_by", "updates")
_NAMES = {name: field for field, names in _SYNONYMS.items() for name in (field, *names.split())}

_STATES: dict[str, Status] = {
    "retracted": "retracted",
    "retracted publication": "retracted",
    "withdrawn": "retracted",
    "retraction": "retraction",
    "retraction of publication": "retraction",
    "retraction notice": "retraction",
    "erratum": "erratum",
    "published erratum": "erratum",
    "corrigendum": "erratum",
    "correction": "erratum",
}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMERIC = re.compile(r"(\d{4})(?!\d)(?:[-/. ](\d\d?)(?!\d)(?:[-/. ](\d\d?)(?!\d))?)?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?!\d)")
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})[a-z]*\b\.?", re.IGNORECASE)
_DAY_AFTER = re.compile(r"\s*(\d\d?)(?![\d:-])")
_DAY_BEFORE = re.compile(r"(?<![\d-])(\d\d?)\s*$")

_PMID = re.compile(
    r"(?:pmid|pubmed|https?://(?:www\.)?(?:pubmed\.)?ncbi\.nlm\.nih\.gov(?:/pubmed)?/)?:?\s*(\d{1,9})/?", re.IGNORECASE
)
_PMCID = re.compile(r"(?:pmcid:?\s*|https?://\S+/articles/)?(?:PMC)?(\d{1,9})(?:\.\d+)?/?", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{3,9}/\S+")
_ARXIV = re.compile(
    r"(?:^|arxiv[.:/]|/abs/|/pdf/)\s*(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?(?![\d.]*\d)", re.I
)
_ENTRY = re.compile(r"\n\s*\n|\n(?=\s*(?:\[?\d+[.\])]|[-*])\s)")  # between two entries of a bibliography
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@lru_cache(1024)
def field_name(name: str) -> str | None:
    """Our name of a field that a file calls ``name``, or None.

    >>> field_name("Article Title"), field_name("License"), field_name("Reviewer 2")
    ('title', 'licence', None)
    """
    return _NAMES.get(re.sub(r"[\s_-]+", "_", name.strip().lower()))


def known_fields() -> list[str]:
    """The names that a column map may use."""
    return list(_SYNONYMS)


def each(
    records: Iterable[tuple[str, Record]], parse: Callable[[Record], Result], name: str
) -> Iterator[Result | Failure]:
    """Parse records one by one; one that cannot be read is a Failure at its place, and the next one follows."""
    for place, record in records:
        try:
            yield parse(record)
        except Unreadable as error:
            yield Failure(name, place, str(error))
        except RecursionError:
            yield Failure(name, place, "is nested too deeply")


def document(given: Fields, *, exact: bool = False) -> Document:
    """Make a Document of loose fields, which may go by any of their usual names; unknown ones are left out.

    With ``exact`` a bibliography at the end of a text stays in it, for annotations may count its characters.

    >>> paper = document({"Article Title": "Fish oil", "abstract": "It thins blood.", "Year": 1984, "PMID": "227508"})
    >>> paper.id, paper.text, paper.date, paper.ids
    ('227508', 'Fish oil\\nIt thins blood.', '1984', ('pmid:227508',))
    """
    fields = _renamed(given)
    parts = _parts(fields)
    text, sections = layout(part for part in parts if part[0] != "references")
    sections, bibliography = divided(text, sections), ""
    if not exact:
        text, sections, bibliography = _without_bibliography(text, sections)
    if not text:
        filled = ", ".join(repr(name) for name, value in given.items() if value)
        raise Unreadable(f"has neither title nor text; what it has is {filled or 'nothing'}")
    date_ = iso_date(_string(fields, "date")) or iso_date(_string(fields, "year"))
    authors, ids = tuple(_authors(fields.get("authors"))), _curies(fields)
    return Document(
        id=_string(fields, "id") or _local(ids) or _content_id(text, sections, date_, authors),
        text=text,
        sections=sections,
        date=date_,
        ids=ids,
        authors=authors,
        journal=_string(fields, "journal"),
        language=_string(fields, "language").lower(),
        licence=_string(fields, "licence"),
        status=_STATES.get(_string(fields, "status").lower(), "article"),
        links=tuple(dict.fromkeys(_links(fields))),
        references=tuple(dict.fromkeys((*_references(fields, parts), *_entries(bibliography)))),
        revised=iso_date(_string(fields, "revised")),
    )


def layout(parts: Iterable[Part]) -> tuple[str, tuple[Section, ...]]:
    """Join the parts with one newline each, and say where each lies; empty parts are left out.

    >>> layout([("title", "Fish oil"), ("abstract", ""), ("results", "Blood thins.")])
    ('Fish oil\\nBlood thins.', (Section(start=0, end=8, kind='title'), Section(start=9, end=21, kind='results')))
    """
    texts: list[str] = []
    sections: list[Section] = []
    at = 0
    for kind, text in parts:
        if text.strip():
            texts.append(text)
            sections.append(Section(at, at + len(text), kind))
            at += len(text) + 1
    return "\n".join(texts), tuple(sections)


def divided(text: str, sections: Iterable[Section]) -> tuple[Section, ...]:
    """Sections whose kind says little, divided at the headings that their text has.

    >>> [section.kind for section in divided("AIM: To see. RESULTS: We saw.", [Section(0, 29, "abstract")])]
    ['objective', 'results']
    """
    return tuple(
        part
        for section in sections
        for part in (
            sections_of(text, section.start, section.end, section.kind)
            if section.kind in ("abstract", "body")
            else (section,)
        )
    )


def iso_date(text: str) -> str:
    """Read a date as papers write it, in the precision that is certain; ``""`` where there is no year.

    >>> [iso_date(d) for d in ("1985/4/2", "2014//", "1998 Dec-1999 Jan", "2 April 1985", "2000 Spring", "soon")]
    ['1985-04-02', '2014', '1998-12', '1985-04-02', '2000', '']
    """
    text = text.strip()
    numeric = _COMPACT.match(text) or _NUMERIC.match(text)
    if numeric and numeric[2]:
        return _precise(*(int(part) if part else 0 for part in numeric.groups()))
    year = _YEAR.search(text)
    if not year:
        return ""
    rest = text[: year.start()] + " " + text[year.end() :]
    month = _MONTH.search(rest)
    if not month:
        return _precise(int(year[0]))
    day = _DAY_AFTER.match(rest, month.end()) or _DAY_BEFORE.search(rest[: month.start()])
    return _precise(int(year[0]), _MONTHS.index(month[1].lower()) + 1, int(day[1]) if day else 0)


def doi_curie(text: str) -> str | None:
    """
    >>> doi_curie("https://doi.org/10.1000/XYZ.1")
    'doi:10.1000/xyz.1'
    """
    found = _DOI.search(text)
    return f"doi:{found[0].lower()}" if found else None


def arxiv_curie(text: str) -> str | None:
    """The identifier without its version.

    >>> arxiv_curie("http://arxiv.org/abs/astro-ph/0601001v2"), arxiv_curie("10.48550/arXiv.1711.04702")
    ('arxiv:astro-ph/0601001', 'arxiv:1711.04702')
    """
    found = _ARXIV.search(text.strip())
    return f"arxiv:{found[1].lower()}" if found else None


def flat(text: str) -> str:
    """Unwrap text that was broken into lines only to fit a page.

    >>> flat("  first line,\\n      second line ")
    'first line, second line'
    """
    return re.sub(r"[ \t\r\n\f]+", " ", text).strip(" ")


def storable(text: str) -> str:
    """Replace what no store can hold (NUL, half a surrogate pair), character for character."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _renamed(given: Fields) -> dict[str, object]:
    """Fields under our names; where two names mean the same, the first that says something holds."""
    fields: dict[str, object] = {}
    for name, value in given.items():
        field = field_name(name)
        if field and value not in (None, "", [], {}) and field not in fields:
            fields[field] = value
    return fields


def _string(fields: Fields, field: str) -> str:
    """A field as one string; only the fields that make up the text keep their outer blanks."""
    value = fields.get(field, "")
    if value == "":
        return ""
    if isinstance(value, list | tuple):
        value = " ".join(str(item) for item in value)
    if isinstance(value, Mapping | bool):
        raise Unreadable(f"has a {field} that is no text: {value!r:.80}")
    text = storable(str(value))
    return text if field in ("title", "abstract", "text") else text.strip()


def _parts(fields: Fields) -> list[Part]:
    title = re.sub(r"[\r\n]", " ", _string(fields, "title"))
    abstract, text = _string(fields, "abstract"), _string(fields, "text")
    sections = _sections(fields.get("sections"))
    if title and text.startswith(f"{title}\n"):
        text = text[len(title) + 1 :]
    if sections or (abstract and abstract in text):
        abstract = ""
    if sections:
        text = ""
    return [
        ("title", title),
        ("abstract", abstract),
        *sections,
        ("body" if abstract or not title else "abstract", text),
    ]


def _sections(value: object) -> list[Part]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Unreadable(f"has sections that are no list: {value!r:.80}")
    parts = []
    for item in value:
        if not isinstance(item, Mapping):
            raise Unreadable(f"has a section that is no object with kind and text: {item!r:.80}")
        label = item.get("kind") or item.get("label") or item.get("heading") or ""
        parts.append((section_kind(str(label)), _string(item, "text")))
    return [part for part in parts if part[1]]  # spans into the text, as our own output has them, are no texts


def _local(curies: tuple[str, ...]) -> str:
    """What to call a paper that its source does not name: its best known identifier, so that all formats agree."""
    return curies[0].partition(":")[2] if curies else ""


def _curies(fields: Fields) -> tuple[str, ...]:
    """Identifiers as CURIEs, the best known first; a DOI that arXiv gave is an arXiv identifier."""
    pmid, pmcid = _PMID.fullmatch(_string(fields, "pmid")), _PMCID.fullmatch(_string(fields, "pmcid"))
    doi, arxiv = doi_curie(_string(fields, "doi")), arxiv_curie(_string(fields, "arxiv"))
    if doi and doi.startswith("doi:10.48550/arxiv."):
        arxiv, doi = arxiv or arxiv_curie(doi), None
    found = (pmid and f"pmid:{pmid[1]}", pmcid and f"pmcid:PMC{pmcid[1]}", doi, arxiv)
    return tuple(curie for curie in found if curie)


def _references(fields: Fields, parts: Iterable[Part]) -> Iterator[str]:
    """The works cited: those listed, and the entries of sections that are nothing but a bibliography."""
    listed = fields.get("references", ())
    for item in listed if isinstance(listed, list | tuple) else [listed]:
        if text := flat(storable(str(item))):
            yield text
    for kind, text in parts:
        if kind == "references":
            yield from _entries(text)


def _entries(bibliography: str) -> Iterator[str]:
    """The entries of a printed bibliography, without the heading above them."""
    for entry in _ENTRY.split(bibliography):
        if (text := flat(entry)) and section_kind(text, "") != "references":
            yield text


def _without_bibliography(text: str, sections: tuple[Section, ...]) -> tuple[str, tuple[Section, ...], str]:
    """Part the list of references that ends a text from it: what others found is no claim of this paper."""
    if len(sections) < 2 or sections[-1].kind != "references":
        return text, sections, ""
    return text[: sections[-2].end], sections[:-1], sections[-1].of(text)


def _content_id(text: str, sections: tuple[Section, ...], date_: str, authors: tuple[str, ...]) -> str:
    """What a paper without any identifier is called; a title alone may be that of several papers."""
    if len(sections) > 1:
        return f"text:{content_id(text)}"
    return f"text:{content_id(text, date_[:4], authors[:1])}"


def _authors(value: object) -> Iterator[str]:
    if isinstance(value, str):
        value = re.split(r";|\n", value) if re.search(r"[;\n]", value) else _comma_separated(value)
    for author in value if isinstance(value, list | tuple) else ():
        named = author if isinstance(author, Mapping) else {"name": author}
        parts = (str(named.get(key) or "") for key in ("family", "given"))
        if name := storable(str(named.get("name") or ", ".join(part for part in parts if part))).strip():
            yield name


def _comma_separated(text: str) -> list[str]:
    """Split "A. Dyer, B. Moss", but not "Dyer, Ann"."""
    names = [name.strip() for name in text.split(",")]
    return names if all(" " in name for name in names) else [text]


def _links(fields: Fields) -> Iterator[tuple[str, str]]:
    links = fields.get("links", ())
    pairs = links.items() if isinstance(links, Mapping) else links
    if not isinstance(pairs, Iterable) or isinstance(pairs, str):
        raise Unreadable(f"has links that are no pairs of a word and an id: {links!r:.80}")
    for pair in (*pairs, *((word, fields[word]) for word in LINKS if word in fields)):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Unreadable(f"has a link that is no pair of a word and an id: {pair!r:.80}")
        word, targets = pair
        for target in targets if isinstance(targets, list | tuple) else re.split(r"[;,]\s*|\s+", str(targets)):
            if target := _string({"links": target}, "links"):
                yield _string({"links": word}, "links"), target


def _precise(year: int, month: int = 0, day: int = 0) -> str:
    """ISO 8601 down to the last part that a calendar knows."""
    if not 1000 <= year <= 2999:
        return ""
    if not 1 <= month <= 12:
        return f"{year}"
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return f"{year}-{month:02}"
