"""Sentences and abbreviations, by rules of our own over the exact characters of a document.

Sentences never cross a section and hold every character that is not blank exactly once. Abbreviations are pairs of a
short and a long form that the text itself gives, after Schwartz and Hearst, "A simple algorithm for identifying
abbreviation definitions in biomedical text" (Pac Symp Biocomput 2003), with stricter matching. Both take time linear
in the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from pipeline.types import Abbreviation, Document, Reading, Section, Sentence, Span

BRACKET = 400  # characters; a sentence may end inside a longer bracket


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words whose full stop ends no sentence: ever; before a number; before anything but a usual first word.
_NEVER = _words("e.g i.e eg ie cf vs viz dr drs mr mrs prof st approx resp fig figs eq eqs eqn ref refs subsp ssp")
_BEFORE_NUMBER = _words(
    "no nos nr vol vols p pp ch chap sect sec tab ca op jan feb mar apr jun jul aug sep sept oct nov dec"
)
_SELDOM = _words("al sp spp etc inc ltd corp co dept univ jr sr var ed eds")
_FIRST_WORDS = _words(
    "a an the this that these those it its we our they their there here he she his her i in on at by for from with "
    "within to of as if when while where whereas although though however moreover furthermore therefore thus hence "
    "since because after before during despite using based both all some most many several few no not each such "
    "another other one two three first second third finally then also additionally consequently interestingly "
    "importantly overall recently similarly subsequently among between under until unlike what which who how"
)

_OPEN = "\"'“‘«‹([{"
_END = re.compile(
    r"""
    (?<![.!?…])(?P<mark>[.!?…]++)(?P<close>["'”’»›)\]}]*+)
    (?:\[\d{1,3}(?:[,;–-][ ]?\d{1,3}){0,20}\]                                # shown.[12] The
      |(?<=[^\W\d_][^\W\d_]\.)\d{1,3}(?:[,–-]\d{1,3}){0,20})?+(?=\s|$)       # shown.12,13 The
    | [。！？｡؟۔।]++["'”’»›」』）)]*+
    | \n[ \t]*+\n                                                           # a paragraph
    """,
    re.VERBOSE,
)
_BLANKS = re.compile(r"\s*+")
_NEXT = re.compile(rf"\s*+[{re.escape(_OPEN)}]*+(\S{{0,40}})")
_SYMBOL = re.compile(r"[^\W\d_A-Z]{1,3}-?[A-Z0-9]")  # p53, mRNA, n-3: begin sentences in lower case
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_CONTINUES = frozenset(",;:.)]}=+/%&–—-")


def split(document: Document) -> Reading:
    """Cut a document into sentences and find its abbreviations."""
    found = sentences(document)
    return Reading(document, sentences=found, abbreviations=_abbreviations(document.text, found))


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


def abbreviations(document: Document) -> tuple[Abbreviation, ...]:
    """
    >>> text = "Eicosapentaenoic acid (EPA) and DHA (docosahexaenoic acid) thin blood."
    >>> [(pair.short.of(text), pair.long.of(text)) for pair in abbreviations(Document("1", text))]
    [('EPA', 'Eicosapentaenoic acid'), ('DHA', 'docosahexaenoic acid')]
    """
    return _abbreviations(document.text, sentences(document))


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
    brackets = _outermost(_brackets(text, first, last))
    at = _skip(text, first)
    for found in _END.finditer(text, first, last):
        end = found.end()
        if end < last and at < end and not _inside(brackets, found.start(), end) and _is_end(text, at, found):
            yield at, end - len(text[at:end]) + len(text[at:end].rstrip())
            at = _skip(text, end)
    if text[at:last].strip():
        yield at, at + len(text[at:last].rstrip())


def _is_end(text: str, at: int, found: re.Match[str]) -> bool:
    """Whether a sentence that begins at ``at`` ends with the mark that was found."""
    mark = found["mark"]
    if mark is None:
        return True
    following = _NEXT.match(text, found.end())
    word = following[1] if following else ""
    if mark != ".":
        return word[:1].isupper() if mark[0] in ".…" else not word[:1].islower()
    if word[:1] in _CONTINUES:
        return False
    *_, token = text[max(at, found.start() - 40) : found.start()].rsplit(maxsplit=1) or [""]
    token = token.lstrip(_OPEN)
    if not found["close"] and _is_abbreviated(text, at, found.start(), token, word):
        return False
    return not word[:1].islower() or (len(token) > 1 and bool(_SYMBOL.match(word)))


def _is_abbreviated(text: str, at: int, dot: int, token: str, word: str) -> bool:
    """Whether the full stop at ``dot`` belongs to the token before it, and ``word`` goes on with the sentence."""
    lower = token.lower()
    begins = word[:1].isupper() and re.split(r"\W", word.lower(), maxsplit=1)[0] in _FIRST_WORDS
    if lower in _NEVER:
        return True
    if lower in _BEFORE_NUMBER:
        return word[:1].isdigit()
    if lower in _SELDOM or (_DOTTED.fullmatch(token) and not token.islower()):
        return not begins
    if dot - len(token) == at:  # "1. Aspirin", "A. Methods": a number that begins an item
        return len(token) < 3 and token.isalnum()
    if len(token) == 1 and token.isupper():  # "by J. Smith", but "of vitamin C. Deficiency", "in 5 M. Salt"
        before = text[max(at, dot - 40) : dot - 1].split()
        named = bool(before) and (before[-1].isdecimal() or (before[-1].islower() and len(before[-1]) > 4))
        return not begins and not (named and word[:1].isupper())
    return token in ("0", "-0")  # "was 0. 05", as scanned text has it


def _brackets(text: str, first: int, last: int) -> list[tuple[int, int]]:
    """Matched brackets of up to BRACKET characters, in the order in which they close."""
    pairs = []
    opened: dict[str, list[int]] = {")": [], "]": []}
    for found in re.compile(r"[()\[\]]").finditer(text, first, last):
        bracket, at = found[0], found.start()
        if bracket in "([":
            opened[")" if bracket == "(" else "]"].append(at)
        elif opened[bracket] and at + 1 - (start := opened[bracket].pop()) <= BRACKET:
            pairs.append((start, at + 1))
    return pairs


def _outermost(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    outer: list[tuple[int, int]] = []
    for start, end in sorted(pairs):
        if not outer or start >= outer[-1][1]:
            outer.append((start, end))
    return outer


def _inside(brackets: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(brackets, start, key=lambda pair: pair[0]) - 1
    return at >= 0 and end < brackets[at][1]


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


# Greek letters stand for their names: "TNF-α" is "tumor necrosis factor alpha".
_LATIN = str.maketrans("αβγδεζηθκλμµνξπρστφχψω", "abgdezetklmmnxprstpcpo")
_SHORT = re.compile(
    r"""[^\W_](?:[\w'’./+-]{0,11}[\w+])?(?:[(\[][\w.+-]{1,4}[)\]]){0,2}    # EPA, GC-MS, FEV(1)
      |(?:[^\W\d_]\.){2,6}                                                # M.O.I.
      |[A-Z]\.[ ][a-z]{3,20}                                              # H. pylori
      |[A-Z][\w-]{1,5}[ ](?:[A-Z]{1,4}|alpha|beta|gamma)                  # PC IOL, TNF alpha""",
    re.VERBOSE,
)
_CUT = re.compile(r"[;,:=]|\s(?:or|and|see|in)\s")
_LOCANT = re.compile(r"(?<![^\s(\[])(?:[\d,'’′]+-|[NO]-)+\Z")  # the 7,12- of 7,12-dimethylbenz(a)anthracene
_PIECE = re.compile(r"[^\W_]+")
_LAST_TOKEN = re.compile(r"[^\s()\[\]]{2,12}\Z")
_SMALL = _words("a an and at by for from in of on or the to with de la le et")
_WINDOW = 250  # characters in which a long form is looked for
_SKIPPED, _SMALL_SKIPPED, _INNER, _STRANGE = 0.5, 0.1, 0.2, 0.6  # costs, see _fit
_LIMIT = 0.4  # cost a letter of the short form


def _abbreviations(text: str, found: tuple[Sentence, ...]) -> tuple[Abbreviation, ...]:
    """Pairs in the order of the text, the first of each where it is given more than once."""
    first: dict[tuple[str, str], Abbreviation] = {}
    for sentence in found:
        for start, end in sorted(_brackets(text, sentence.start, sentence.end)):
            pair = _before(text, sentence, start, end) or _within(text, sentence, start, end)
            if pair:
                first.setdefault((pair.short.of(text), pair.long.of(text).lower()), pair)
    return tuple(first.values())


def _before(text: str, sentence: Span, start: int, end: int) -> Abbreviation | None:
    """``long form (short)``."""
    short = _chunk(text, start + 1, end - 1)
    if not _is_short(short.of(text)):
        return None
    low = max(sentence.start, start - _WINDOW)
    pieces = _pieces(text, max(low, _unclosed(text, low, start)), start)
    letters = _letters(short.of(text))
    costs = _fit(letters, [text[p.start : p.end] for p in pieces[-2 * len(letters) - 5 :]])
    pieces = pieces[len(pieces) - len(costs) :]
    best = min(range(len(costs)), key=lambda at: (costs[at], -at), default=None)
    if best is None or costs[best] > _limit(short.of(text)):
        return None
    return _pair(text, short, Span(pieces[best].start, low + len(text[low:start].rstrip())))


def _within(text: str, sentence: Span, start: int, end: int) -> Abbreviation | None:
    """``short (long form)``."""
    found = _LAST_TOKEN.search(text[max(sentence.start, start - 20) : start].rstrip())
    if not found or not _is_short(found[0]):
        return None
    at = text.rindex(found[0], sentence.start, start)
    long = _chunk(text, start + 1, end - 1)
    pieces = _pieces(text, long.start, long.end)
    costs = _fit(_letters(found[0]), [text[p.start : p.end] for p in pieces])
    if not costs or costs[0] > _limit(found[0]):
        return None
    return _pair(text, Span(at, at + len(found[0])), Span(pieces[0].start, long.end))


def _fit(letters: str, pieces: list[str]) -> list[float]:
    """What it costs to read the letters out of the words from each word on to the last; infinite where it fails.

    A letter that begins a word is free, and so are more letters that go on from it; letters further inside cost, and
    so do letters of a word whose first is not taken and words that give none, the more so where they are not small.
    """
    never = float("inf")
    after = [never] * len(letters) + [0.0]  # cost of the letters from i on, in the words behind this one
    starts: list[float] = []
    for piece in reversed(pieces):
        word = piece.lower().translate(_LATIN)
        skip = _SMALL_SKIPPED if word in _SMALL or word.isdigit() else _SKIPPED
        here = [cost + skip for cost in after]
        begun = never
        for i in range(len(letters)):
            for taken, cost, initial in _taken(letters, i, word):
                total = cost + after[i + taken]
                here[i] = min(here[i], total)
                begun = min(begun, total) if i == 0 and initial else begun
        after = here
        starts.append(begun)
    return starts[::-1]


def _taken(letters: str, i: int, word: str) -> Iterator[tuple[int, float, bool]]:
    """How many letters from ``i`` on the word can give, at which cost, and whether the first begins the word."""
    initial = word.startswith(letters[i])
    at, cost = -1, 0.0 if initial else _STRANGE
    for taken in range(1, len(letters) - i + 1):
        following = word.find(letters[i + taken - 1], at + 1)
        if following < 0:
            return
        cost += _INNER if following > at + 1 else 0.0
        at = following
        yield taken, cost, initial


def _pair(text: str, short: Span, long: Span) -> Abbreviation | None:
    """The pair, unless the long form is no longer than the short one or holds it."""
    locant = _LOCANT.search(text[max(0, long.start - 20) : long.start])
    long = Span(long.start - (len(locant[0]) if locant else 0), long.end)
    form, name = short.of(text), long.of(text)
    if len(name) <= len(form) or form.lower() in re.split(r"[^\w-]+", name.lower()):
        return None
    return Abbreviation(short, long)


def _is_short(form: str) -> bool:
    """Whether a string looks like an abbreviation: short, beginning with a letter, and no common word."""
    return bool(_SHORT.fullmatch(form)) and 2 <= len(form) <= 12 and form[0].isalpha()


def _limit(form: str) -> float:
    """The cost up to which a long form is believed; small letters alone must be initials."""
    marked = any(c.isupper() or c.isdigit() for c in form)
    return _LIMIT * len(_letters(form)) if marked else 0.0 if len(form) < 5 else -1.0


def _letters(form: str) -> str:
    return "".join(c for c in form.lower().translate(_LATIN) if c.isalnum())


def _pieces(text: str, start: int, end: int) -> list[Span]:
    return [Span(*found.span()) for found in _PIECE.finditer(text, start, end)]


def _chunk(text: str, start: int, end: int) -> Span:
    """What is said in a bracket, up to the first comma or the like, without outer blanks and quotes."""
    cut = _CUT.search(text, start, end)
    inner = text[start : cut.start() if cut else end]
    left = len(inner) - len(inner.lstrip(" \t\n\"'“‘"))
    return Span(start + left, start + max(left, len(inner.rstrip(" \t\n\"'”’"))))


def _unclosed(text: str, start: int, end: int) -> int:
    """Where the text after the last bracket that is still open begins."""
    depth = 0
    for at in range(end - 1, start - 1, -1):
        depth += (text[at] in ")]") - (text[at] in "([")
        if depth < 0:
            return at + 1
    return start
