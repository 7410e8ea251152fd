"""Words that the end of a line cuts in two, ligatures, and what broken fonts leave behind."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_BROKEN = dict.fromkeys((0, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}")
_CONTROLS = dict.fromkeys((*range(1, 0x20), *range(0x7F, 0xA0)), " ")
_CLEAN = _LIGATURES | _BROKEN | _CONTROLS
_SPACING = "`´ˆ˜¯˘˙¨˚˝ˇ¸˛"  # accents as characters of their own, and the combining ones in the same order
_COMBINING = "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328"
_ACCENTS = dict(zip(_SPACING, _COMBINING, strict=True))
_ACCENTED = re.compile(rf"([{_SPACING}]) ?([^\W\d_])")
_TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CUT = re.compile(r"([^\W_]+(?:[-‐][^\W_]+)*)[-‐\u00ad]$")
_NEXT = re.compile(r"[^\W_]+(?:[-‐][^\W_]+)*")

Words = Mapping[str, int]


def clean(text: str) -> str:
    """Put letters for ligatures and for letters whose accent is drawn before them; drop what is no character.

    >>> clean("an e\N{LATIN SMALL LIGATURE FFI}cient Erd\N{DOUBLE ACUTE ACCENT}os\x0c")
    'an efficient Erdős'
    """
    return " ".join(_ACCENTED.sub(_accented, text.translate(_CLEAN)).split())


def _accented(found: re.Match[str]) -> str:
    letter = {"ı": "i", "ȷ": "j"}.get(found[2], found[2])
    whole = unicodedata.normalize("NFC", letter + _ACCENTS[found[1]])
    return whole if len(whole) == 1 else found[0]


def vocabulary(lines: Iterable[str]) -> Words:
    """Count the words that stand whole inside lines, with and without hyphens."""
    found: Counter[str] = Counter()
    for line in lines:
        found.update(_TOKEN.findall(_CUT.sub("", line).casefold()))
    return found


def join(lines: Sequence[str], words: Words) -> str:
    """Join lines; of a word that is cut at a hyphen, the hyphen is kept where it is the word's own.

    >>> words = vocabulary(["the transformation of", "a state-of-the-art model"])
    >>> join(["a state-of-the-", "art transfor-", "mation"], words)
    'a state-of-the-art transformation'
    """
    text = ""
    for line in lines:
        cut, following = _CUT.search(text), _NEXT.match(line)
        if cut and following:
            text = text[:-1] + ("-" if _keeps_hyphen(cut[1], following[0], text[-1], words) else "") + line
        else:
            text = f"{text} {line}" if text else line
    return text.replace("\u00ad", "")


def _keeps_hyphen(left: str, right: str, hyphen: str, words: Words) -> bool:
    if hyphen == "\u00ad":
        return False
    left, first = left.casefold(), right.casefold()
    whole, parted = words.get(left + first, 0), words.get(f"{left}-{first}", 0)
    if whole or parted:
        return parted > whole
    if right[0].isupper() or right[0].isdigit() or left[-1].isdigit() or "-" in left:
        return True
    return len(left) > 3 and len(first) > 3 and left in words and first in words
