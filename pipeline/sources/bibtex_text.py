"""From the value of a BibTeX field, which is LaTeX, to plain text and to names.

No command is carried out: accents and symbols become characters, all other commands are dropped and their arguments
kept, so that no words are lost, whatever a reference manager wrote into a field. A percent sign is no comment here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from pylatexenc.latex2text import get_default_latex_context_db

from pipeline.sources.shared.fields import flat

_MARKS = dict(zip("`'^~\"=.", "\u0300\u0301\u0302\u0303\u0308\u0304\u0307", strict=True)) | dict(
    zip("cdbvuHkrt", "\u0327\u0323\u0331\u030c\u0306\u030b\u0328\u030a\u0361", strict=True)
)
_MORE = {
    "TeX": "TeX", "LaTeX": "LaTeX", "hyphen": "-", "slash": "/", "textless": "<", "textgreater": ">", "ne": "≠",
    "newline": " ", "par": " ", "quad": " ", "qquad": " ", "euro": "€", "sqrt": "√", "space": " ", "textbar": "|",
}  # fmt: skip
_ESCAPED = {"\\": " ", "-": "", "/": "", "@": "", ",": " ", ";": " ", ":": " ", "!": "", " ": " "}
_LIGATURES = {"---": "—", "--": "–", "``": "“", "''": "”", "~": " ", "{": "", "}": ""}

# commands whose first argument is no text
_UNSEEN = re.compile(
    r"\\(?:href|textcolor|color|cite[a-z]*|(?:eq|auto|c|C)?ref|label|[vh]space|begin|end)\*? ?\{[^{}]*\}"
)
_MATH = re.compile(r"(?<!\\)\$(?! )((?:[^$\\]|\\.)++)(?<! )\$(?!\d)")
_FRACTION = re.compile(r"\\frac ?\{([^{}]*)\} ?\{([^{}]*)\}")
_TOKEN = re.compile(
    r"""\\(?P<mark>[`'^~"=.]|[cdbvuHkrt](?![A-Za-z]))[ ]?\{?[ ]?
        (?:\\(?P<dotless>[ij])(?![A-Za-z])[ ]?|(?P<letter>[^\W\d_]))
    |\\(?P<name>[A-Za-z]+)\*?[ ]?
    |\\(?P<escaped>.)
    |(?P<ligature>---?|``|''|[~{}])""",
    re.VERBOSE,
)
_AND = re.compile(" and ", re.IGNORECASE)
_COMMA = re.compile(",")
_BLANK = re.compile(" ")


def plain(value: str) -> str:
    r"""One line of text, in characters.

    >>> plain(r"{\'E}l{\'e}ments of {H$_2$O} \& \emph{$\alpha$-synuclein}, 5--10\%")
    'Éléments of H2O & α-synuclein, 5–10%'
    """
    value = flat(value)
    if "\\" in value or "$" in value:
        value = _MATH.sub(_formula, _UNSEEN.sub("", value))
    return flat(_TOKEN.sub(_character, value))


def address(value: str) -> str:
    r"""An identifier or the address of a page, character for character but for LaTeX's escapes.

    >>> address(r"{10.1000/a\_b--c~d}")
    '10.1000/a_b--c~d'
    """
    return re.sub(r"[{}\s]|\\(?=[_%&#$~{}^])", "", value)


def names(value: str) -> list[str]:
    r"""The names of a list joined by "and", as "Family, Given"; "others" is left out.

    >>> names("{The ATLAS Collaboration} and Ludwig van Beethoven and Dyer, Jr., Ann and others")
    ['The ATLAS Collaboration', 'van Beethoven, Ludwig', 'Dyer, Ann Jr.']
    """
    found = (_name(name) for name in _split(flat(value), _AND))
    return [name.strip() for name in found if name.lower() != "others" and any(map(str.isalpha, name))]


def _name(value: str) -> str:
    parts = [plain(part) for part in _split(value, _COMMA)]
    if len(parts) > 2:
        family, suffix, given = parts[0], parts[1], " ".join(parts[2:])
        return f"{family}, {given} {suffix}".rstrip()
    if len(parts) == 2:
        return ", ".join(filter(None, parts))
    words = [plain(word) for word in _split(value, _BLANK)]
    particle = next((at for at, word in enumerate(words[:-1]) if at and word[:1].islower()), len(words) - 1)
    return ", ".join(filter(None, (" ".join(words[particle:]), " ".join(words[:particle]))))


def _split(value: str, between: re.Pattern[str]) -> list[str]:
    """Split where a separator stands outside of all braces."""
    hidden = _hidden(value)
    parts, start = [], 0
    for found in between.finditer(hidden):
        parts.append(value[start : found.start()].strip())
        start = found.end()
    return [part for part in (*parts, value[start:].strip()) if part]


def _hidden(value: str) -> str:
    """The same length, with every character in braces made a sign that separates nothing."""

    def pieces() -> Iterator[str]:
        depth = 0
        for piece in re.split(r"([{}])", value):
            depth = max(0, depth + {"{": 1, "}": -1}.get(piece, 0))
            yield "x" * len(piece) if depth or piece == "}" else piece

    return "".join(pieces())


def _formula(found: re.Match[str]) -> str:
    """A formula without its sub- and superscript signs, as markup leaves one."""
    return re.sub(r"(?<!\\)[_^]", "", _FRACTION.sub(r"\1/\2", found[1]))


def _character(found: re.Match[str]) -> str:
    if found["mark"]:
        return unicodedata.normalize("NFC", (found["dotless"] or found["letter"]) + _MARKS[found["mark"]])
    if found["name"]:
        return _symbols().get(found["name"], "")
    return _LIGATURES[found["ligature"]] if found["ligature"] else _ESCAPED.get(found["escaped"], found["escaped"])


@cache
def _symbols() -> dict[str, str]:
    """Commands that stand for a character or for a function's name."""
    known = {spec.macroname: spec.simplify_repl for spec in get_default_latex_context_db().iter_macro_specs()}
    known = {name: text for name, text in known.items() if isinstance(text, str)}
    return {name: text for name, text in known.items() if len(text) == 1 or text == name} | _MORE
