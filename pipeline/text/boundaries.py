"""Sentences with exact offsets, by rules: a full stop ends one unless an abbreviation, a name or a number owns it.

Sentences never cross a section, hold every character that is not blank exactly once, and are found in time linear in
the length of the text, whatever it holds. A heading on a line of its own is a sentence of its own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from pipeline.text.headings import heading_lines
from pipeline.types import Document, Section, Sentence

BRACKET = 400  # characters; a sentence may end inside a longer bracket


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words whose full stop ends no sentence: ever; before a number; before anything but a usual first word.
_NEVER = _words(
    "e.g i.e eg ie cf vs viz dr drs mr mrs prof st approx resp fig figs eq eqs eqn ref refs supp suppl subsp ssp"
)
_BEFORE_NUMBER = _words(
    "no nos nr vol vols p pp ch chap sect sec tab thm prop ver app ca op "
    "jan feb mar apr jun jul aug sep sept oct nov dec"
)
_BEFORE_LETTER = _words("app chap sect sec tab")
_SMALL_BEFORE_NUMBER = _words("c v")  # c. 1900, but not vitamin C. 12 patients
_SELDOM = _words("al sp spp etc inc ltd corp co dept univ jr sr var ed eds")
_SELDOM_AS_WRITTEN = _words(
    "v Acad Am Ann Astron Astrophys Biol Chem Clin Eur Exp Ft Int J Lett Mt Natl Phys Proc Rev Sci Soc "
    "Adm Capt Col Gen Gov Lt Rep Sen Sgt"
)
_FIRST_WORDS = _words(
    "a an the this that these those it its we our they their there here he she his her i in on at by for from with "
    "within to of as if when while where whereas although though however moreover furthermore therefore thus hence "
    "since because after before during despite using based both all some most many several few no not each such "
    "another other one two three first second third finally then also additionally consequently interestingly "
    "importantly overall recently similarly subsequently among between under until unlike what which who how"
)
# Words that a capital letter names a kind of, so that it is no initial: Appendix A. The ...
_NAMED = _words("appendix case class factor figure group hepatitis panel part phase section table type vitamin")

_OPEN = "\"'“‘«‹([{"
_END = re.compile(
    r"""
    (?<![.!?…])(?P<mark>[.!?…]++)(?P<close>(?:["'”’»›)\]}]|[ ]'')*+)             # also as tokenised text has it
    (?:\[\d{1,3}(?:[,;–-][ ]?\d{1,3}){0,20}\]                                # shown.[12] The
      |(?<=[^\W\d_][^\W\d_]\.)\d{1,3}(?:[,–-]\d{1,3}){0,20})?+(?=\s|$)       # shown.12,13 The
    | [。！？｡؟۔।]++["'”’»›」』）)]*+
    | \n[ \t\r]*+\n                                                         # a paragraph
    | (?P<line>\n)(?=[ \t]*+(?:[-–•*·▪‣]|\(?\w{1,4}[.)])[ \t])                # perhaps an item of a list
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"[.!?…。！？｡؟۔।\n]")  # what an end begins with; this search is much the faster
_BLANKS = re.compile(r"\s*+")
_NEXT = re.compile(rf"\s*+(?:[{re.escape(_OPEN)}]|-L[RS]B-\s*+|``\s*+)*+(\S{{0,40}})")
_ITEM = re.compile(r"\s*+(?:[-–•*·▪‣]|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)])\s")
_FIRST_ITEM = _words("1 a i")
_NUMERAL = re.compile(r"\d{1,2}|[^\W\d_]{1,2}|[ivxIVX]{3,4}")
_SYMBOL = re.compile(r"[^\W\d_A-Z]{1,3}-?[A-Z0-9]")  # p53, mRNA, n-3: begin sentences in lower case
_LETTER = re.compile(r"[A-Z](?:[\d.,;)]|\Z)")  # App. B.
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_CONTINUES = frozenset(",;:.)]}=+/%&–—-")
_BRACKET = re.compile(r"[()\[\]]")
_BRACKETS = re.compile(r"[()\[\]]|-[LR][RS]B-")  # as tokenised text has them
_CLOSES = {"(": ")", "[": "]", "-LRB-": "-RRB-", "-LSB-": "-RSB-"}


def sentences(document: Document) -> tuple[Sentence, ...]:
    """
    >>> text = "Levels of p53 rose (see Fig. 2). mRNA of E. coli did not."
    >>> [sentence.of(text) for sentence in sentences(Document("1", text))]
    ['Levels of p53 rose (see Fig. 2).', 'mRNA of E. coli did not.']
    """
    return tuple(
        Sentence(start, end, kind)
        for first, last, kind in _segments(document)
        for start, end in _sentences(document.text, first, last)
    )


def brackets(text: str, first: int, last: int) -> list[tuple[int, int]]:
    """Matched brackets of up to BRACKET characters, in the order in which they close.

    >>> brackets("(a [b] c) d)", 0, 12)
    [(3, 6), (0, 9)]
    """
    pairs = []
    opened: dict[str, list[int]] = {closing: [] for closing in _CLOSES.values()}
    tokenised = text.find("-LRB-", first, last) >= 0
    for found in (_BRACKETS if tokenised else _BRACKET).finditer(text, first, last):
        bracket = found[0]
        if bracket in _CLOSES:
            opened[_CLOSES[bracket]].append(found.start())
        elif opened[bracket] and found.end() - (start := opened[bracket].pop()) <= BRACKET:
            pairs.append((start, found.end()))
    return pairs


def _segments(document: Document) -> Iterator[tuple[int, int, str]]:
    """The sections, and what lies between them, in the order of the text; an inner section cuts an outer one."""
    cuts = sorted({0, len(document.text), *(at for s in document.sections for at in (s.start, s.end))})
    waiting = sorted(document.sections, key=lambda s: (s.start, -s.end), reverse=True)
    opened: list[Section] = []
    for start, end in pairwise(cuts):
        while waiting and waiting[-1].start <= start:
            opened.append(waiting.pop())
        while opened and opened[-1].end <= start:
            opened.pop()
        yield start, end, opened[-1].kind if opened else "body"


def _sentences(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """The sentences of a segment, between its headings."""
    at = first
    if text.find("\n", first, last) < 0:
        yield from _between(text, first, last)
        return
    for heading in heading_lines(text, first, last):
        yield from _between(text, at, heading.start)
        yield heading.start, heading.end
        at = heading.end
    yield from _between(text, at, last)


def _between(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    outer = _outermost(brackets(text, first, last))
    at = _skip(text, first)
    for found in _ends(text, first, last):
        end = found.end()
        if end < last and at < end and not _inside(outer, found.start(), end) and _is_end(text, at, found):
            yield at, end - len(text[at:end]) + len(text[at:end].rstrip())
            at = _skip(text, end)
    if text[at:last].strip():
        yield at, at + len(text[at:last].rstrip())


def _ends(text: str, first: int, last: int) -> Iterator[re.Match[str]]:
    """Where a sentence may end."""
    behind = first
    for mark in _MARK.finditer(text, first, last):
        found = _END.match(text, mark.start(), last) if mark.start() >= behind else None
        if found:
            yield found
            behind = found.end()


def _is_end(text: str, at: int, found: re.Match[str]) -> bool:
    """Whether a sentence that begins at ``at`` ends with the mark that was found."""
    mark = found["mark"]
    if mark is None:
        return not found["line"] or _begins_item(text, at, found)
    following = _NEXT.match(text, found.end())
    word = following[1] if following else ""
    if mark != ".":
        return word[:1].isupper() if mark[0] in ".…" else not word[:1].islower() or bool(_SYMBOL.match(word))
    *_, token = text[max(at, found.start() - 40) : found.start()].rsplit(maxsplit=1) or [""]
    token = token.lstrip(_OPEN)
    if not found["close"] and _is_abbreviated(text, at, found.start(), token, word):
        return False
    if _is_item(text, found.end()) and _is_item(text, at):
        return True
    if word[:1] in _CONTINUES:
        return False
    return not word[:1].islower() or (len(token) > 1 and bool(_SYMBOL.match(word)))


def _begins_item(text: str, at: int, found: re.Match[str]) -> bool:
    """Whether the line after a line break is an item of the list that the sentence belongs to or announces."""
    return _is_item(text, found.end()) and (_is_item(text, at) or text[found.start() - 1] in ":;")


def _is_item(text: str, at: int) -> bool:
    return bool(_ITEM.match(text, at))


def _is_abbreviated(text: str, at: int, dot: int, token: str, word: str) -> bool:
    """Whether the full stop at ``dot`` belongs to the token before it, and ``word`` goes on with the sentence."""
    lower = token.lower()
    begins = word[:1].isupper() and re.split(r"\W", word.lower(), maxsplit=1)[0] in _FIRST_WORDS
    if lower in _NEVER:
        return True
    if lower in _BEFORE_NUMBER or (token in _SMALL_BEFORE_NUMBER and word[:1].isdigit()):
        return word[:1].isdigit() or (lower in _BEFORE_LETTER and bool(_LETTER.match(word)))
    if lower in _SELDOM or token in _SELDOM_AS_WRITTEN or (_DOTTED.fullmatch(token) and not token.islower()):
        return not begins
    before = text[max(at, dot - 40) : dot].split()[:-1]
    if not before or (before[-1][-1] in ":;" and token in _FIRST_ITEM):  # "1. Aspirin", "A. Methods": begins an item
        return bool(_NUMERAL.fullmatch(token))
    if len(token) == 1 and token.isupper():  # "by J. Smith", but "of vitamin C. Deficiency", "in 5 M. Salt"
        last = before[-1]
        named = last.isdecimal() or (last.islower() and len(last) > 4) or last.lower() in _NAMED
        return not begins and not (named and word[:1].isupper())
    return token in ("0", "-0") and word[:1].isdigit()  # "was 0. 05", as scanned text has it


def _outermost(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    outer: list[tuple[int, int]] = []
    for start, end in sorted(pairs):
        if not outer or start >= outer[-1][1]:
            outer.append((start, end))
    return outer


def _inside(outer: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(outer, start, key=lambda pair: pair[0]) - 1
    return at >= 0 and end < outer[at][1]


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at
