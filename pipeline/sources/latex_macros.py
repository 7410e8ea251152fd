"""Macros of a paper's own, expanded where they are simple and as far as that stays in bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.sources.latex_text import argument
from pipeline.sources.shared.stream import Unreadable

ROUNDS = 8  # of macros in macros
GROWTH = 1 << 18  # characters by which a text may grow, beyond twice its length

_NEW = re.compile(
    r"\\(?:re|provide)?newcommand\*?|\\providecommand\*?|\\DeclareRobustCommand\*?|\\DeclareMathOperator\*?"
)
_NAME = re.compile(r"\s*(?:\{\s*\\([A-Za-z@]+)\s*\}|\\([A-Za-z@]+))\s*(?:\[(\d)\])?\s*(\[[^\[\]]*\])?")
_DEF = re.compile(r"\\def\s*\\([A-Za-z@]+)\s*((?:#\d)*)\s*(?=\{)")
_USE = re.compile(r"\\([A-Za-z@]+)")


@dataclass(frozen=True, slots=True)
class Macro:
    """What a command stands for, with ``#1`` and so on in place of its arguments."""

    body: str
    count: int = 0


def expand(text: str) -> str:
    """Take the definitions out and put what they stand for in place of their uses.

    >>> expand(r"\\newcommand{\\nf}[1]{NF-$\\kappa$#1}\\def\\oil{fish oil}\\nf{B} and \\oil.")
    'NF-$\\\\kappa$B and fish oil.'
    """
    text, macros = _definitions(text)
    bound = 2 * len(text) + GROWTH
    for _ in range(ROUNDS if macros else 0):
        expanded = _expanded(text, macros, bound)
        if expanded == text:
            break
        text = expanded
    return text


def _definitions(text: str) -> tuple[str, dict[str, Macro]]:
    kept, macros, at = list[str](), dict[str, Macro](), 0
    for mark in re.compile(f"{_NEW.pattern}|{_DEF.pattern}").finditer(text):
        if mark.start() < at:
            continue
        name, macro, end = _definition(text, mark)
        if end:
            kept.append(text[at : mark.start()])
            at = end
            if macro:
                macros[name] = macro
    return "".join(kept) + text[at:], macros


def _definition(text: str, mark: re.Match[str]) -> tuple[str, Macro | None, int]:
    """Name, macro (None where it is not simple) and end of a definition; end 0 where it is none."""
    if mark[1]:
        name, count, optional, at = mark[1], mark[2].count("#"), None, mark.end()
    else:
        head = _NAME.match(text, mark.end())
        if not head:
            return "", None, 0
        name, count, optional, at = head[1] or head[2], int(head[3] or 0), head[4], head.end()
    body, end = argument(text, at)
    if end == at:
        return "", None, 0
    simple = optional is None and rf"\{name}" not in body
    operator = "Operator" in mark[0]
    return name, Macro(rf"\mathrm{{{body}}}" if operator else body, count) if simple else None, end


def _expanded(text: str, macros: dict[str, Macro], bound: int) -> str:
    pieces, at, length = list[str](), 0, 0
    for use in _USE.finditer(text):
        macro = macros.get(use[1])
        if macro is None or use.start() < at:
            continue
        given, end = _given(text, use.end(), macro.count)
        pieces += [text[at : use.start()], given_in(macro.body, given)]
        length += len(pieces[-2]) + len(pieces[-1])
        at = end
        if length > bound:
            raise Unreadable(f"has macros that grow to more than {bound:,} characters")
    return "".join(pieces) + text[at:]


def _given(text: str, at: int, count: int) -> tuple[list[str], int]:
    """The arguments of a use; one that has no braces is the character that follows."""
    found = list[str]()
    for _ in range(count):
        inside, end = argument(text, at)
        if end == at:
            single = re.compile(r"\s*(\\[A-Za-z]+|\S)").match(text, at)
            inside, end = (single[1], single.end()) if single else ("", at)
        found.append(inside)
        at = end
    return found, at


def given_in(body: str, given: list[str]) -> str:
    """
    >>> given_in("#1 of #2", ["oil", "fish"])
    'oil of fish'
    """
    return re.sub(r"#([1-9])", lambda mark: given[int(mark[1]) - 1] if int(mark[1]) <= len(given) else "", body)
