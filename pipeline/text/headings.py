"""Headings: what kind of section a label opens, and where running text without markup has its headings.

Two shapes are known. A heading on a line of its own is a usual name of a section ("Abstract", "2. Methods", "III.
RESULTS") or a numbered title. An inline label stands where a sentence may begin and is a usual name before a colon,
full stop or dash ("Methods: We ..."), or anything in capitals before a colon ("CASE REPORT: A man ..."). Prose that
only uses these words is left alone: better one heading missed than a section cut in two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

from pipeline.types import Section, Span


def _set(words: str, separator: str | None = None) -> frozenset[str]:
    return frozenset(words.split(separator))


_KINDS = {
    "background": "background introduction context importance rationale motivation",
    "objective": "objective objectives aim aims purpose purposes goal goals hypothesis question questions",
    "methods": "methods method methodology design setting settings participants participant patients patient subjects "
    "materials material procedures interventions intervention measurements measures measure sources selection "
    "extraction",
    "results": "results result findings observations",
    "discussion": "discussion comment",
    "conclusion": "conclusion conclusions interpretation implications significance",
    "abstract": "abstract summary unlabelled unassigned",
    "references": "references bibliography",
    "acknowledgements": "acknowledgements acknowledgement acknowledgments acknowledgment",
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words.split()}
# Where a label names several kinds ("Results and conclusions"), the first of these holds.
_RANK = ("results", "methods", "conclusion", "objective", "discussion", "background")
# Words that stand beside those above in a label, and make none by themselves.
_BESIDE = _set(
    "and main major primary secondary study research clinical experimental statistical data search strategy outcome "
    "outcomes analysis review author's authors' future work concluding final remarks"
)
# Words that begin sentences too, so that only a colon makes a label of them.
_PROSAIC = _set(
    "comment extraction measure participant participants patient patients question questions selection sources subjects"
)
# Other titles; each is a kind of its own.
_TITLES = _set(
    "abbreviations|appendices|appendix|author contributions|authors' contributions|case presentation|case report|"
    "competing interests|conflict of interest|conflicts of interest|data availability|data availability statement|"
    "declaration of competing interest|declaration of interests|ethics statement|evaluation|experimental setup|"
    "experiments|funding|funding statement|index terms|key words|keywords|limitations|literature cited|"
    "related work|supplementary information|supplementary material|supplementary materials|supporting information|"
    "works cited",
    "|",
)
_SAME = {
    "appendices": "appendix",
    "key words": "keywords",
    "literature cited": "references",
    "works cited": "references",
}
_BEHIND_REFERENCES = {_SAME.get(title, title) for title in _TITLES} | {"acknowledgements"}

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?")
_NUMBER = r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,4}|[A-H](?=[.)]))[.)]?[ \t]+"
_LINE = re.compile(r"\S[^\n\r\f]*")
_HEADING = re.compile(rf"(?:{_NUMBER})?(?P<label>[^\W\d_][\w &/,'’()–-]{{2,79}}?)[ \t]*(?P<mark>[.:]?)")
_ITEM = re.compile(r"\d{1,2}[.)]?[ \t]")  # a list goes on
_LONGEST = 90  # characters of a line that is a heading
_UNFINISHED = re.compile(r"(?:[,;(–-]|\b(?:a|and|as|by|for|from|in|of|or|our|see|the|their|these|to|with))\Z", re.I)

# Where an inline label may stand: at the beginning of a line, behind the end of a sentence, the plainest ones anywhere.
_BEGIN = re.compile(
    r"""(?:[.!?…]["'”’)\]]{0,2}(?:\[?\d{1,3}\]?)?|[\n\r\f])\s{0,9}(?<=\s)(?=[A-Z])
      | \s(?=(?:BACKGROUND|OBJECTIVE|METHOD|RESULT|DISCUSSION|CONCLUSION)S?:\s)""",
    re.VERBOSE,
)
_LABEL = re.compile(
    r"""(?P<bare>[A-Z]{4,20}(?:[ ](?:AND|&|[A-Z]{4,20})){0,3})(?=[ ](?:[A-Z][a-z ]|\d))
      | (?P<label>[A-Z][A-Za-z &/,'’()-]{2,60}?)
        (?:(?P<colon>[ ]?:)(?=\s|[A-Z]) | (?:\.(?=\s)|[ ]?[–—-](?=\s)|—)(?=\s*[A-Z\d(]))""",
    re.VERBOSE,
)
# Most abstracts hold nothing that a heading could begin with, and need not be looked at again.
_FIRST = sorted({name.split()[0].capitalize() for name in {*_KIND_OF, *_BESIDE, *_TITLES}})
# Grouped by their letter, for then a search jumps from one capital to the next, which is 20 times as fast.
_BY_LETTER = [
    f"(?<={letter})(?:{'|'.join(re.escape(word[1:]) for word in words)})"
    for letter, words in groupby(_FIRST, key=lambda word: word[0])
]
_HINT = re.compile(rf"[\n\r\fA-Z](?:(?<=[\n\r\f])|(?<=[A-Z])[A-Z]{{3}}|{'|'.join(_BY_LETTER)})")


@dataclass(frozen=True, slots=True, order=True)
class _Heading(Span):
    kind: str  # "" where it only divides the section it stands in
    line: bool  # whether it has a line of its own
    number: str = ""


def section_kind(label: str, default: str = "body") -> str:
    """Name a section by its label: one of the usual kinds, else the label itself in lower case.

    >>> section_kind("2. PATIENTS AND METHODS:"), section_kind("Results & Discussion"), section_kind("Fish oil")
    ('methods', 'results', 'fish oil')
    """
    words = _words(label)
    kinds = {_KIND_OF[word] for word in words if word in _KIND_OF}
    if len(words) == 1 and kinds:
        return kinds.pop()
    if len(words) <= 4 or _are_usual(words):  # a longer heading is about its own matter, whatever words it uses
        for kind in _RANK:
            if kind in kinds:
                return kind
    name = " ".join(words)[:60].strip()
    return _SAME.get(name, name) or default


def sections_of(text: str, start: int, end: int, kind: str) -> tuple[Section, ...]:
    """Divide a stretch of running text at its headings; what stands before the first is of the kind ``kind``.

    A heading belongs to the section that it opens, so that the sections hold every character but blanks between them.

    >>> text = "METHODS: Mice were fed. RESULTS: They grew."
    >>> [(section.kind, section.of(text)) for section in sections_of(text, 0, len(text), "abstract")]
    [('methods', 'METHODS: Mice were fed.'), ('results', 'RESULTS: They grew.')]
    """
    if not _HINT.search(text, start, end):
        return (Section(start, end, kind),)
    found = sorted([*_lines(text, start, end), *_labels(text, start, end)])
    cuts = [(start, kind), *((heading.start, heading.kind) for heading in _outside_references(found)), (end, "")]
    if len(cuts) == 2:
        return (Section(start, end, kind),)
    return tuple(
        Section(at, at + len(text[at:following].rstrip()), name)
        for (at, name), (following, _) in pairwise(cuts)
        if text[at:following].strip()
    )


def heading_lines(text: str, start: int, end: int) -> Iterator[Span]:
    """Lines that are headings and no sentences.

    >>> text = "2. Methods\\nMice were fed.\\n2.1 Growth in mice\\nThey grew."
    >>> [line.of(text) for line in heading_lines(text, 0, len(text))]
    ['2. Methods', '2.1 Growth in mice']
    """
    return iter(_lines(text, start, end))


def _outside_references(headings: Iterable[_Heading]) -> Iterator[_Heading]:
    """The headings that open a section; in a list of references, whose titles may look like any, only a few do."""
    inside = False
    for heading in headings:
        leaves = heading.line and heading.kind in _BEHIND_REFERENCES and not heading.number[:1].isdigit()
        if heading.kind and (leaves or not inside):
            inside = heading.kind == "references"
            yield heading


def _lines(text: str, start: int, end: int) -> Iterator[_Heading]:
    """Headings that have a line of their own, with more text behind them."""
    before, heading = Span(start, start), None
    for line, after in pairwise(Span(*found.span()) for found in _LINE.finditer(text, start, end)):
        ended = heading is not None or _is_gap(text, before, line) or text[before.end - 1] in ".!?:"
        heading = _line(text, before, line, after, ended) if line.end - line.start <= _LONGEST else None
        if heading:
            yield heading
        before = line


def _line(text: str, before: Span, line: Span, after: Span, ended: bool) -> _Heading | None:
    """The heading that a line is; ``ended`` says whether the line before it ends a sentence."""
    found = _HEADING.fullmatch(line.of(text).rstrip())
    if not found or not found["label"][0].isupper() or text[after.start].islower():
        return None
    number = found["number"] or ""
    kind = _usual_kind(found["label"])
    if kind is None and number and not found["mark"]:
        if "." in number:
            kind = "" if ended else None
        elif _is_gap(text, before, line) and not _ITEM.match(text, after.start):
            kind = section_kind(found["label"])
    broken = not ended and _UNFINISHED.search(text, max(before.start, before.end - 9), before.end)
    return None if kind is None or broken else _Heading(line.start, line.start + found.end(), kind, True, number)


def _is_gap(text: str, before: Span, line: Span) -> bool:
    """Whether a blank line, or nothing at all, stands before a line."""
    return before.start == before.end or text.count("\n", before.end, line.start) > 1


def _labels(text: str, start: int, end: int) -> Iterator[_Heading]:
    """Headings that text follows on the same line."""
    places = (start, *(begin.end() for begin in _BEGIN.finditer(text, start, end)))
    found = [label for at in places if (label := _LABEL.match(text, at, end))]
    kinds = [_label_kind(label) for label in found]
    structured, behind = any(kinds), start
    for label, kind in zip(found, kinds, strict=True):
        name = kind or (_loud_kind(label["label"], structured) if label["colon"] else "")
        if name and label.start() >= behind:  # else it is the end of another label
            yield _Heading(label.start(), label.end(), name, False)
            behind = label.end()


def _label_kind(label: re.Match[str]) -> str:
    name = label["label"] or label["bare"]
    kind = _usual_kind(name) or ""
    prosaic = name.lower() in _TITLES or _PROSAIC.issuperset(word for word in _words(name) if word in _KIND_OF)
    return "" if kind == "references" or (prosaic and not label["colon"]) else kind


def _loud_kind(label: str, structured: bool) -> str:
    """The kind of a label in capitals, which is believed where there are usual ones beside it, or by its length."""
    words = _words(label)
    loud = label.isupper() and any(len(word) > 4 for word in words)
    return section_kind(label) if loud and (structured or len(words) > 1) else ""


def _usual_kind(label: str) -> str | None:
    """The kind of a label that is all usual words, else None."""
    words = _words(label)
    name = " ".join(words[:-1] if len(words) > 1 and len(words[-1]) == 1 else words)  # Appendix A
    if name in _TITLES:
        return section_kind(name)
    return section_kind(label) if _are_usual(words) else None


def _are_usual(words: list[str]) -> bool:
    return any(word in _KIND_OF for word in words) and all(word in _KIND_OF or word in _BESIDE for word in words)


def _words(label: str) -> list[str]:
    return _WORD.findall(label.lower().replace("(s)", "s").replace("’", "'"))
