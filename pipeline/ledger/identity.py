"""Who is who: which tellings of several sources are of one paper, what it is called, and what is known of it.

Pure functions over :class:`Telling` s; nothing here knows a database. Tellings that share an identifier are of one
paper; those that share a title and year are too, as long as nothing that is known of them speaks against it. All is a
function of the set of tellings and not of the order in which they came, but for one thing: of two texts that are
equally deep, of which no date says which is newer, the one that was told last holds.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeAlias

from pipeline.types import Document, Status, content_id

Key: TypeAlias = tuple[str, str]  # the source, and the id under which it tells the paper

SCHEMES = ("pmid", "pmcid", "doi", "arxiv")  # the first that is known names the paper
TITLE = "title:"
_TEXT = "text:"  # the id of a paper that has none: it tells one text from another, not one paper from another
_GRAVITY: tuple[Status, ...] = ("retracted", "retraction", "erratum", "article")
_FULL_TEXT = 6_000  # characters beyond the title: longer than abstracts are
_FULL_KINDS = {"body", "caption"}
_FORMS = {
    "pmid": re.compile(r"(?:pmid:\s*0*)?([1-9][0-9]{0,7})", re.IGNORECASE),
    "pmcid": re.compile(r"(?:pmcid:|pmc:)?\s*(PMC[0-9]+)", re.IGNORECASE),
    "arxiv": re.compile(
        r"(?:arxiv:|(?:doi:)?10\.48550/arxiv\.|(?=\d{4}\.\d))(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?",
        re.IGNORECASE | re.ASCII,
    ),
    "doi": re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?\s*(10\.[0-9.]{1,15}/\S+)", re.IGNORECASE),
}


def curie(text: str) -> str:
    """An identifier in one form: a CURIE of a usual scheme, or the text itself where it is none.

    >>> [curie(text) for text in ("227508", "PMC12", "10.1000/XYZ", "1711.04702v2", "sample:raynaud-001")]
    ['pmid:227508', 'pmcid:PMC12', 'doi:10.1000/xyz', 'arxiv:1711.04702', 'sample:raynaud-001']
    """
    for scheme, form in _FORMS.items():
        if found := form.fullmatch(text):
            return f"{scheme}:{found[1].upper() if scheme == 'pmcid' else found[1].lower()}"
    return text


def scheme_of(curie_: str) -> str:
    """Of what kind an identifier is, where two of one kind mean two papers; ``""`` where they need not.

    >>> [scheme_of(id_) for id_ in ("doi:10.1000/xyz", "sample:raynaud-001", "smith1999", "text:0a1b", "pmid:?")]
    ['doi', 'sample', '', '', '']
    """
    scheme, colon, rest = curie_.partition(":")
    if scheme in _FORMS:
        return scheme if _FORMS[scheme].fullmatch(curie_) else ""
    return scheme if colon and scheme != "text" and not rest.startswith("//") else ""


def title_key(document: Document) -> str:
    """A pseudo-CURIE of title and year, ``""`` where the title is too short to tell papers apart or the year unknown.

    >>> one = Document("a", "Fish oil and Raynaud's: a trial, twice", date="1989-03")
    >>> title_key(one) == title_key(Document("b", "FISH OIL and Raynaud’s – a trial, twice.", date="1989"))
    True
    >>> title_key(Document("c", "Editorial", date="1989"))
    ''
    """
    if not document.date:
        return ""
    title = document.title
    if not title.isascii():
        title = unicodedata.normalize("NFKD", title)
    folded = "".join(filter(str.isalnum, title.casefold()))
    if len(folded) < 25 and len(title.split()) < 5:
        return ""
    return f"{TITLE}{content_id(folded, document.year)}" if folded else ""


def depth(document: Document) -> int:
    """How much of the paper a text has: 0 the title, 1 an abstract, 2 the full text.

    A text is full if it has a body or captions beside an abstract, or more characters than abstracts have; a letter
    told without sections counts as an abstract.
    """
    beyond = len(document.text) - len(document.title)
    if beyond <= 1:
        return 0
    kinds = {section.kind for section in document.sections}
    return 2 if beyond > _FULL_TEXT or ("abstract" in kinds and kinds & _FULL_KINDS) else 1


@dataclass(frozen=True, slots=True)
class Telling:
    """A paper as one source tells it under one id; ``turn`` grows with each telling that a ledger takes in.

    ``curies`` are what it is known by, ``schemes`` the same by kind, ``title`` its :func:`title_key`.
    """

    source: str
    document: Document
    digest: str
    turn: int
    curies: frozenset[str] = field(init=False, repr=False, compare=False)
    schemes: dict[str, set[str]] = field(init=False, repr=False, compare=False)
    title: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = curie(self.document.id)
        told = {found for id_ in self.document.ids if not id_.isdigit() and scheme_of(found := curie(id_)) in SCHEMES}
        if own not in told and own.startswith("pmid:") and any(other.startswith("pmid:") for other in told):
            own = self.document.id  # a number that only this source uses
        curies = frozenset((own, *told))
        schemes: dict[str, set[str]] = {}
        for known in curies:
            if scheme := scheme_of(known):
                schemes.setdefault(scheme, set()).add(known)
        for name, value in (("curies", curies), ("schemes", schemes), ("title", title_key(self.document))):
            object.__setattr__(self, name, value)

    @property
    def key(self) -> Key:
        return self.source, self.document.id

    @property
    def keys(self) -> frozenset[str]:
        """All that it may be found by."""
        return self.curies | {self.title} if self.title else self.curies


def contradict(one: Telling, other: Telling) -> tuple[str, str] | None:
    """Two identifiers of one kind that keep the tellings from being of one paper, or None."""
    for scheme, values in one.schemes.items():
        others = other.schemes.get(scheme)
        if others and values.isdisjoint(others):
            return min(values), min(others)
    return None


def component(seed: Telling, tellings: Iterable[Telling]) -> list[Telling]:
    """The tellings that hang together with the seed by identifiers, the seed left out."""
    return _components([seed, *tellings])[0][1:]


def partition(tellings: Sequence[Telling], common: Collection[str] = ()) -> list[list[Telling]]:
    """Sort tellings into papers: by identifiers, then by titles, those in ``common`` left out.

    By title, a paper joins the first one, in the order of their names, that nothing known of it contradicts; a source
    that tells two papers of one title means two.
    """
    papers: list[list[Telling]] = []
    by_title: dict[str, list[list[Telling]]] = defaultdict(list)
    for part in sorted(_components(tellings), key=_standing):
        titles = {telling.title for telling in part} - {"", *common}
        found = next((paper for title in sorted(titles) for paper in by_title[title] if _may_join(part, paper)), None)
        if found is None:
            papers.append(found := part)
        else:
            found += part
        for title in titles:
            if not any(paper is found for paper in by_title[title]):
                by_title[title].append(found)
    return papers


def name(tellings: Iterable[Telling]) -> str:
    """What a paper is called: by its PMID, else PMCID, DOI, arXiv id, else the first of the sources' own ids.

    >>> name([Telling("a.nbib", Document("PMC12", "", ids=("doi:10.1000/xyz", "pmid:227508")), "", 0)])
    '227508'
    """
    best = min(_curies(tellings), key=_rank)
    return best.partition(":")[2] if scheme_of(best) in SCHEMES else best


def merge(tellings: Sequence[Telling]) -> Document:
    """One document of all tellings of a paper.

    Text, sections and date are those of one telling, the holder: the deepest; of those the newest by ``revised``,
    as far as they say; of those the one told last. What the holder does not say is filled from the others;
    identifiers, links and references are those of all, the status is the gravest.
    """
    held = holder(tellings).document
    id_ = name(tellings)
    if len(tellings) == 1 and held.id == id_:
        return held
    others = sorted(tellings, key=lambda t: (-depth(t.document), _descending(t.document.revised), t.key))
    documents = [held, *(t.document for t in others if t.document is not held)]

    def first(field_: str) -> Any:
        return next((value for document in documents if (value := getattr(document, field_))), getattr(held, field_))

    def union(field_: str) -> Any:
        return tuple(dict.fromkeys(chain.from_iterable(getattr(document, field_) for document in documents)))

    return replace(
        held,
        id=id_,
        ids=_identifiers(documents, id_),
        date=first("date"),
        authors=first("authors"),
        journal=first("journal"),
        language=first("language"),
        licence=first("licence"),
        revised=first("revised"),
        status=min((document.status for document in documents), key=_GRAVITY.index),
        links=union("links"),
        references=union("references"),
    )


def holder(tellings: Sequence[Telling]) -> Telling:
    """The telling whose text holds."""
    if len(tellings) == 1:
        return tellings[0]
    most = max(depth(telling.document) for telling in tellings)
    deepest = [telling for telling in tellings if depth(telling.document) == most]
    newest = max(telling.document.revised for telling in deepest)
    valid = (t for t in deepest if not t.document.revised or t.document.revised == newest)
    return max(valid, key=lambda telling: (telling.turn, telling.key))


def _components(tellings: Iterable[Telling]) -> list[list[Telling]]:
    """The sets of tellings that share identifiers, each in the order given, and in the order of their firsts."""
    parent: dict[str, str] = {}

    def root(known: str) -> str:
        while parent.setdefault(known, known) != known:
            parent[known] = known = parent[parent[known]]
        return known

    tellings = list(tellings)
    for telling in tellings:
        first, *rest = telling.curies
        for known in rest:
            parent[root(known)] = root(first)
    parts: dict[str, list[Telling]] = {}
    for telling in tellings:
        parts.setdefault(root(next(iter(telling.curies))), []).append(telling)
    return list(parts.values())


def _may_join(part: Iterable[Telling], paper: Iterable[Telling]) -> bool:
    if not {telling.source for telling in part}.isdisjoint(telling.source for telling in paper):
        return False
    ones, others = ({telling.curies: telling for telling in side}.values() for side in (part, paper))
    return not any(contradict(one, other) for one in ones for other in others)


def _curies(tellings: Iterable[Telling]) -> set[str]:
    return set(chain.from_iterable(telling.curies for telling in tellings))


def _standing(part: Sequence[Telling]) -> tuple[int, int, str]:
    return min(map(_rank, _curies(part)))


def _rank(curie_: str) -> tuple[int, int, str]:
    """Usual schemes first, then own ids, then hashes of a text; numbers by their value."""
    scheme, _, value = curie_.partition(":")
    if scheme in SCHEMES:
        return SCHEMES.index(scheme), len(value) if scheme in ("pmid", "pmcid") else 0, value
    return len(SCHEMES) + curie_.startswith(_TEXT), 0, curie_


def _identifiers(documents: Iterable[Document], name_: str) -> tuple[str, ...]:
    """All that the sources say, each once, then the ids under which they tell the paper, if it is called otherwise."""
    found: dict[str, str] = {}
    for id_ in chain.from_iterable(document.ids for document in documents):
        found.setdefault(curie(id_), id_)
    for own in (curie(d.id) for d in documents if d.id != name_ and not d.id.startswith(_TEXT)):
        found.setdefault(own, own)
    return tuple(found.values())


def _descending(iso: str) -> tuple[int, ...]:
    return tuple(-ord(character) for character in iso) or (0,)
