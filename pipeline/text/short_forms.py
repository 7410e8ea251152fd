"""Abbreviations: pairs of a short and a long form that the text itself gives.

The method grew from that of Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in
biomedical text" (Pac Symp Biocomput 2003): a long form is the run of words beside the short one out of which its
letters can be read at the least cost, where a letter that is no initial and a word that gives none cost something.
Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from pipeline.text.boundaries import brackets
from pipeline.types import Abbreviation, Sentence, Span

_Piece: TypeAlias = re.Match[str]  # a word, or a part of one


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Greek letters stand for their names: "TNF-α" is "tumor necrosis factor alpha".
_LATIN = str.maketrans("αβγδεζηθκλμµνξπρστφχψω", "abgdezetklmmnxprstpcpo")
_SHORT = re.compile(
    r"""(?:\d{1,2}-?(?=\w*[A-Z]))?                                          # 5-FU
        [^\W\d_](?:[\w'’./+-]{0,11}[\w+])?(?:[(\[][\w.+-]{1,4}[)\]]){0,2}    # EPA, GC-MS, FEV(1)
      | [A-Z][\w.]{0,5}(?:[ ]-[ ]\w{1,6}){1,2}                            # GC - MS, as tokenised text has it
      | (?:[^\W\d_]\.){2,6}                                                # M.O.I.
      | [A-Z]\.[ ][a-z]{3,20}                                              # H. pylori
      | [A-Z][\w-]{1,5}[ ](?:[A-Z]{1,4}|alpha|beta|gamma)                  # PC IOL, TNF alpha""",
    re.VERBOSE,
)
_SUBSCRIPT = re.compile(r"([A-Za-z])\(([A-Za-z])\)")  # V(T): tidal volume
_CUT = re.compile(r"[;,:=]|\s(?:or|and|see|in)\s")
_LOCANT = re.compile(r"(?<![^\s(\[])(?:[\d,'’′]+-|[NO]-)+\Z")  # the 7,12- of 7,12-dimethylbenz(a)anthracene
_HANGING = re.compile(r"(?<!\S)[^\s()]+\([^\s()]*\Z")  # the 4-( of 4-(9-acridinylamino)...
_PREFIX = re.compile(r"(?<!\S)(\w{1,4})[ ]?-[ ]?\Z")
_BRACKET = re.compile(r"[()\[\]]")
_NO_WORD = re.compile(r"[^\w-]+")
_PIECE = re.compile(r"[^\W_]+")
_LAST_TOKEN = re.compile(r"[^\s()\[\]]{2,12}\Z")
_LISTED = re.compile(r"[,;]\s(?:or\s)?(?P<short>[^\s,;()\[\]]{2,12})\s?[)\]]\Z")
_CAPITALS = re.compile(r"(?<![\w-])(?P<form>[A-Z]{3,8})s?(?![\w-])")
_NAMES = re.compile(  # what stands between a long form and the short one
    r"""(?:\s?,)?\s(?:(?:or|(?:also\s)?(?:known|denoted|abbreviated|called|termed|referred\sto)(?:\s(?:as|by|to))?)\s)?\Z""",
    re.VERBOSE,
)
_MEANS = re.compile(
    r"\s?[]:=–-]\s|\s(?:denotes|means|represents|stands\sfor|is\sshort\sfor|refers\sto)\s(?:the\s|an?\s)?"
)
_GENERAL = _words("activity algorithm algorithms criterion mechanism method methods model models module")
_SMALL = _words("a an and at by for from in of on or the to with de la le et")
_ARTICLES = _words("a an the for")
_VERBS = _words("am are be been can could did do does had has have is may might must shall should was were will would")
_WINDOW = 250  # characters in which a long form is looked for
_NEVER = float("inf")
# Costs: a word that gives no letter, the same of a small word, a letter inside a word that does not go on from the one
# before, a word whose first letter is not taken; and what may be spent for each letter of the short form.
_SKIPPED, _SMALL_SKIPPED, _INNER, _STRANGE, _LIMIT = 0.5, 0.1, 0.2, 0.6, 0.4


def abbreviations(text: str, sentences: tuple[Sentence, ...]) -> tuple[Abbreviation, ...]:
    """Pairs in the order of the text, the first of each where it is given more than once."""
    first: dict[tuple[str, str], Abbreviation] = {}
    for sentence in sentences:
        for pair in (*_in_brackets(text, sentence), *_spelled(text, sentence)):
            first.setdefault((pair.short.of(text), pair.long.of(text).lower()), pair)
    return tuple(first.values())


def _in_brackets(text: str, sentence: Span) -> Iterator[Abbreviation]:
    for start, end in sorted(brackets(text, sentence.start, sentence.end)):
        pair = _before(text, sentence, start, end) or _within(text, sentence, start, end) or _inside(text, start, end)
        if pair:
            yield pair


def _spelled(text: str, sentence: Span) -> Iterator[Abbreviation]:
    """``long form, or SHORT`` and ``SHORT: long form``, without brackets, where each word gives its initial."""
    for found in _CAPITALS.finditer(text, sentence.start, sentence.end):
        form = found["form"]
        reach = 20 * len(form)  # characters
        names = _NAMES.search(text, max(sentence.start, found.start() - 30), found.start())
        means = _MEANS.match(text, found.end(), sentence.end)
        before = _pieces(text, max(sentence.start, names.start() - reach), names.start())[-len(form) :] if names else []
        after = _pieces(text, means.end(), min(sentence.end, means.end() + reach))[: len(form)] if means else []
        for pieces in (before, after):
            if "".join(piece[0][0] for piece in pieces).upper() == form:
                pair = _pair(text, Span(*found.span()), Span(pieces[0].start(), pieces[-1].end()))
                if pair:
                    yield pair


def _before(text: str, sentence: Span, start: int, end: int) -> Abbreviation | None:
    """``long form (short)``."""
    return _ending(text, sentence.start, start, _chunk(text, start + 1, end - 1))


def _inside(text: str, start: int, end: int) -> Abbreviation | None:
    """``(long form, short)``."""
    found = _LISTED.search(text, max(start + 1, end - 20), end)
    return _ending(text, start + 1, found.start(), Span(*found.span("short"))) if found else None


def _within(text: str, sentence: Span, start: int, end: int) -> Abbreviation | None:
    """``short (long form)``."""
    found = _LAST_TOKEN.search(text[max(sentence.start, start - 20) : start].rstrip())
    if not found or not _is_short(found[0]):
        return None
    at = text.rindex(found[0], sentence.start, start)
    long = _chunk(text, start + 1, end - 1)
    pieces = _pieces(text, long.start, long.end)
    if len(pieces) > 2 * len(found[0]) + 5:
        return None
    costs = _fit(_letters(found[0]), [piece[0] for piece in pieces])
    begins = next((n for n, piece in enumerate(pieces) if piece[0].lower() not in _ARTICLES), 0)
    if not costs or costs[begins] > _limit(found[0]):
        return None
    return _pair(text, Span(at, at + len(found[0])), Span(pieces[begins].start(), long.end))


def _ending(text: str, low: int, high: int, short: Span) -> Abbreviation | None:
    """The short form with the best long form from ``low`` on that ends at ``high``."""
    form = short.of(text)
    if not _is_short(form):
        return None
    low = max(low, high - _WINDOW)
    pieces = _pieces(text, max(low, _unclosed(text, low, high)), high)
    verbs = [at for at, piece in enumerate(pieces) if piece[0] in _VERBS]
    pieces = pieces[verbs[-1] + 1 :] if verbs else pieces
    cost, start = min(_best(letters, pieces, extra) for letters, extra in _readings(form))
    if cost > _limit(form) or (len(form) == 1 and not text[start:high].strip().islower()):
        return None
    end = low + len(text[low:high].rstrip(" ,;\n\t"))
    last = pieces[-1].start()
    if text[last:end] in _GENERAL and _best(_letters(form), pieces[:-1], _SKIPPED)[0] <= cost + 0.01:
        end = low + len(text[low:last].rstrip())
    return _pair(text, short, Span(start, end))


def _best(letters: str, pieces: list[_Piece], cost: float) -> tuple[float, int]:
    """The least cost of the letters on top of ``cost``, and where the shortest long form at that cost begins."""
    pieces = pieces[-2 * len(letters) - 5 :]
    costs = _fit(letters, [piece[0] for piece in pieces])
    best = min(range(len(costs)), key=lambda at: (costs[at], -at), default=None)
    return (_NEVER, 0) if best is None else (cost + costs[best], pieces[best].start())


def _readings(form: str) -> Iterator[tuple[str, float]]:
    """Letters to look for, with what it costs to look for them."""
    yield _letters(form), 0.0
    if symbol := _SUBSCRIPT.fullmatch(form):
        yield _letters(symbol[2] + symbol[1]), 0.0
    bare = form.rstrip("0123456789().-")
    if 2 < len(bare) < len(form):
        yield _letters(bare), _SKIPPED


def _fit(letters: str, pieces: list[str]) -> list[float]:
    """What it costs to read the letters out of the words from each word on to the last; infinite where it fails.

    A letter that begins a word is free, and so are more letters that go on from it; letters further inside cost, and
    so do letters of a word whose first is not taken and words that give none, the more so where they are not small.
    """
    after = [_NEVER] * len(letters) + [0.0]  # cost of the letters from i on, in the words behind this one
    starts: list[float] = []
    for piece in reversed(pieces):
        word = piece.lower().translate(_LATIN)
        skip = _SMALL_SKIPPED if word in _SMALL or word.isdigit() else _SKIPPED
        here = [cost + skip for cost in after]
        begun = _NEVER
        for i in (i for i, letter in enumerate(letters) if letter in word):
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
    """The pair, unless the long form is no longer than the short one, holds it, or is made of capitals itself."""
    start = _widened(text, long)
    if start is None:
        return None
    form, name = short.of(text), text[start : long.end]
    if len(name) <= len(form):
        return None
    held = (name.startswith(form) and not name[len(form)].islower()) or form.lower() in _NO_WORD.split(name.lower())
    if held or not any(c.islower() for c in name):
        return None
    return Abbreviation(short, Span(start, long.end))


def _widened(text: str, long: Span) -> int | None:
    """Where a long form begins with what hangs on its first word: a bracket that it closes, locants, a prefix."""
    name, start = long.of(text), long.start
    before = text[max(0, start - 20) : start]
    if name.count(")") > name.count("("):
        hanging = _HANGING.search(before)
        return start - len(hanging[0]) if hanging else None
    if locant := _LOCANT.search(before):
        return start - len(locant[0])
    prefix = _PREFIX.search(before)
    if prefix and (len(prefix[1]) == 1 or prefix[1][0].lower() == name[0].lower()):
        return start - len(prefix[0])
    return start


def _is_short(form: str) -> bool:
    """Whether a string looks like an abbreviation: short, beginning with a letter, and no common word."""
    fits = 2 <= len(form.replace(" ", "")) <= 12 or (len(form) == 1 and form.isupper())
    return fits and bool(_SHORT.fullmatch(form))


def _limit(form: str) -> float:
    """The cost up to which a long form is believed; small letters alone must be initials."""
    if len(form) == 1:
        return 0.0
    marked = any(c.isupper() or c.isdigit() for c in form)
    return _LIMIT * len(_letters(form)) if marked else 0.0 if len(form) < 5 else -1.0


def _letters(form: str) -> str:
    return "".join(c for c in form.lower().translate(_LATIN) if c.isalnum())


def _pieces(text: str, start: int, end: int) -> list[_Piece]:
    return list(_PIECE.finditer(text, start, end))


def _chunk(text: str, start: int, end: int) -> Span:
    """What is said in a bracket, up to the first comma or the like, without outer blanks and quotes."""
    cut = _CUT.search(text, start, end)
    inner = text[start : cut.start() if cut else end]
    left = len(inner) - len(inner.lstrip(" \t\n\"'“‘"))
    return Span(start + left, start + max(left, len(inner.rstrip(" \t\n\"'”’"))))


def _unclosed(text: str, start: int, end: int) -> int:
    """Where the text after the last bracket that is still open begins."""
    depth = 0
    for found in reversed([*_BRACKET.finditer(text, start, end)]):
        depth += 1 if found[0] in ")]" else -1
        if depth < 0:
            return found.end()
    return start
