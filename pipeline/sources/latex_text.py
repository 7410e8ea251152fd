"""Pieces of LaTeX source: arguments in braces, environments, and the characters that a reader sees."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache, lru_cache

from pylatexenc import latex2text

_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_OPTION = re.compile(r"\s*+\[(?:[^\[\]{}\\]|\\.|\{[^{}]{0,300}\}){0,500}\]", re.DOTALL)
_COMMENT = re.compile(
    r"""(?<!\\)((?:\\\\)*)%[^\n]*(?:\n[ \t]*(?!\s*\n))?
    |\\begin\{(verbatim\*?|lstlisting|minted|comment|filecontents\*?)\}""",
    re.VERBOSE,
)
_BLANK = re.compile(r"\s*")
_BEGIN = re.compile(r"\\(begin|end)\s*\{([^{}\n]{1,60})\}")
_FORMULA = re.compile(r"(?<!\\)\$(?!\$)(?:[^$\\]|\\.){0,1000}+\$|\\\((?:[^\\]|\\[^()]){0,1000}+\\\)", re.DOTALL)
_SHIFTED = re.compile(r"(?<!\\)[_^]")
_KEYED = re.compile(
    r"(?:(?<!\s)\s+)?~?\\(?:[A-Za-z]*cite[A-Za-z]*|ref|eqref|autoref|cref|Cref|pageref|nameref)\*?"
    r"(?:\s*\[[^\[\]]*\]){0,2}\s*\{([^{}]*)\}"
)
_SILENT = re.compile(
    r"\\(?:label|index|vspace|hspace|bibliographystyle|bibliography|input|include|thispagestyle)\*?\s*\{[^{}]*\}"
)
_BARE = re.compile(r"\\(?:maketitle|today|and|tableofcontents|appendix)(?![A-Za-z@])")
_LIST_ITEM = re.compile(r"\\item(?![A-Za-z@])\s*(?:\[([^\[\]]{0,200})\])?")
_MATHS = "equation eqnarray align alignat aligned gather gathered multline flalign displaymath math array cases split"
_MATH = frozenset(name + star for name in (*_MATHS.split(), "matrix", "pmatrix", "bmatrix") for star in ("", "*"))
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*|\\par(?![A-Za-z@])\s*")


def argument(text: str, at: int) -> tuple[str, int]:
    """The argument in braces at ``at``, options before it passed over, and where it ends; ``""`` where there is none.

    >>> argument(r"[short]{A {nested} title} and", 0)
    ('A {nested} title', 25)
    """
    start = at
    while option := _OPTION.match(text, at):
        at = option.end()
    at = _end_of_blank(text, at)
    if text[at : at + 1] != "{":
        return "", start
    end = _groups(text).get(at, 0)
    return (text[at + 1 : end - 1], end) if end else ("", start)


def _end_of_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


@lru_cache(8)
def _groups(text: str) -> dict[int, int]:
    """Where each group begins and ends; those that never end are left out."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            found[opened.pop()] = brace.end()
    return found


def uncommented(text: str) -> str:
    """The source without comments and without what is printed letter by letter (listings).

    >>> uncommented("50\\\\% % more\\nof \\\\begin{verbatim}%\\\\end{verbatim} it")
    '50\\\\% of  it'
    """
    kept, at = list[str](), 0
    while found := _COMMENT.search(text, at):
        kept += [text[at : found.start()], found[1] or ""]
        at = found.end()
        if found[2]:
            end = text.find(mark := rf"\end{{{found[2]}}}", at)
            at = len(text) if end < 0 else end + len(mark)
    return "".join(kept) + text[at:]


def commands(text: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Where each use of a command stands, where it ends, and its argument in braces."""
    at = 0
    pattern = re.compile(rf"\\(?:{name})(?![A-Za-z@])\*?")
    while found := pattern.search(text, at):
        inside, end = argument(text, found.end())
        at = max(end, found.end())
        if end > found.end():
            yield found.start(), end, inside


def cut(text: str, names: Collection[str]) -> tuple[str, list[tuple[str, str]]]:
    """Take the environments of these names out: the text without them, and the name and inside of each.

    What stands in one that is not closed stays.

    >>> cut(r"a \\begin{table}x\\end{table} b", ["table"])
    ('a  b', [('table', 'x')])
    """
    kept: list[str] = []
    inside: list[tuple[str, str]] = []
    at, depth, opened = 0, 0, ""
    for mark in _BEGIN.finditer(text):
        if depth == 0:
            if mark[1] == "begin" and mark[2] in names:
                kept.append(text[at : mark.start()])
                at, depth, opened = mark.end(), 1, mark[2]
        elif mark[2] == opened:
            depth += 1 if mark[1] == "begin" else -1
            if depth == 0:
                inside.append((opened, text[at : mark.start()]))
                at = mark.end()
    return "".join(kept) + text[at:], inside


def plain(text: str) -> str:
    """What a reader sees, paragraphs apart by an empty line, citations and references as their keys in brackets.

    >>> plain(r"H$_2$O and \\emph{n}-3 oil~\\cite{dyer} of M\\\"uller, $\\alpha \\leq 5$\\,\\%")
    'H2O and n-3 oil [dyer] of Müller, α≤ 5 %'
    """
    text = _FORMULA.sub(lambda found: _SHIFTED.sub("", found[0]), text)
    text = _KEYED.sub(lambda found: f" [{', '.join(key.strip() for key in found[1].split(','))}]", text)
    text = _BARE.sub("", _SILENT.sub("", text))
    text = _LIST_ITEM.sub(lambda found: f"\n\n{found[1] or ''} ", text)
    text = _BEGIN.sub(lambda found: found[0] if found[2] in _MATH else "", text)
    paragraphs = (_squeezed(_spoken(paragraph)) for paragraph in _PARAGRAPH.split(text))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _spoken(text: str) -> str:
    return str(_converter().latex_to_text(text, tolerant_parsing=True))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


@cache
def _converter() -> latex2text.LatexNodes2Text:
    return latex2text.LatexNodes2Text(math_mode="text", keep_comments=False, strict_latex_spaces=False)
