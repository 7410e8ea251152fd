"""Titles and abstracts that come as strings with markup in them: JATS in Crossref's JSON, HTML in Europe PMC's.

Such strings are seldom well-formed: tags are known by their names, and a "<" that begins none is a character.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from pipeline.sources.shared import fields
from pipeline.text.headings import section_kind

_NAMES = {
    "heading": "title h1 h2 h3 h4 h5 h6",
    "block": "abstract article body p sec div section br break hr list list-item ul ol li disp-formula",
    "inline": "i b u s em strong small big span font a sub sup tt code strike q cite abbr label italic bold sc scp "
    "roman sans-serif monospace underline overline styled-content named-content xref ext-link uri email inline-formula "
    "inline-graphic alternatives graphic related-article tex-math",
    "formula": "math semantics annotation annotation-xml mi mo mn ms mtext mspace mrow mfrac msqrt mroot mstyle merror "
    "mpadded mphantom mfenced menclose msub msup msubsup munder mover munderover mmultiscripts mprescripts none mtable "
    "mtr mtd maction",
}
_KIND = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_TAG = re.compile(
    r"""<!--(?:(?!<!--).)*?-->|<(?P<close>/?)(?P<prefix>[\w-]+:)?(?P<name>[A-Za-z][\w-]*)
        (?:\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'))*+\s*(?P<empty>/?)>""",
    re.VERBOSE | re.DOTALL,
)
_MARKS = re.compile("[<&]")
_MATH = re.compile(r"<(?:[\w-]+:)?math[\s>]")
_SOURCE = re.compile(r"<((?:[\w-]+:)?(?:tex-math|annotation(?:-xml)?))(?:\s[^<>]*)?>(?:(?!<\1).)*?</\1\s*>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def flat(text: str) -> str:
    """The text alone, on one line.

    >>> flat("Effects of <i>n</i>-3 &amp;amp; <jats:sub>2</jats:sub>, &lt;i&gt;p&lt;/i&gt; < 0.05")
    'Effects of n-3 & 2, p < 0.05'
    """
    if not _MARKS.search(text):
        return fields.flat(text)
    return fields.flat("".join(" " if _KIND.get(name) == "block" else piece for _, name, piece in _pieces(text)))


def sections(text: str) -> list[dict[str, str]]:
    """Cut at the headings, which give the kinds and are left out; paragraphs are lines.

    >>> sections("<h4>Aim</h4>To know.<h4>Results</h4><p>One.</p><p>Two.</p>")
    [{'kind': 'Aim', 'text': 'To know.'}, {'kind': 'Results', 'text': 'One.\\nTwo.'}]
    """
    found: list[tuple[str, list[str]]] = [("abstract", [])]
    outer: list[str] = []  # the label in force before each section that is open
    heading: list[str] | None = None
    for mark, name, piece in _pieces(text):
        if _KIND.get(name) == "heading":
            if mark == "close" and heading:
                own = len(outer) < 2 or section_kind(outer[-1]) == "abstract"
                found.append((flat(" ".join(heading)) if own else outer[-1], []))
            heading = [] if mark == "open" else None
        elif heading is not None:
            heading.append(piece)
        elif name == "sec":
            label = found[-1][0] if mark == "open" or not outer else outer[-1]
            outer = [*outer, label] if mark == "open" else outer[:-1]
            found.append((label, []))
        else:
            found[-1][1].append("\n" if _KIND.get(name) == "block" else piece.replace("\n", " "))
    found[-1][1].extend(heading or ())  # one that is never closed
    parts = [{"kind": label, "text": _paragraphs("".join(pieces))} for label, pieces in found]
    return [part for part in parts if part["text"]]


def _paragraphs(text: str) -> str:
    return "\n".join(line for line in map(fields.flat, text.split("\n")) if line)


def _pieces(text: str) -> Iterator[tuple[str, str, str]]:
    """Tags as ``("open" or "close", name, "")``, characters as ``("", "", characters)``; TeX beside MathML left out."""
    text = _SOURCE.sub("", text) if _MATH.search(text) else text
    at = 0
    for tag in _TAG.finditer(text):
        name = (tag["name"] or "").lower()
        if name and not tag["prefix"] and name not in _KIND:
            continue
        yield "", "", _characters(text[at : tag.start()])
        at = tag.end()
        if name and (not tag["empty"] or _KIND.get(name) == "block"):
            yield "close" if tag["close"] else "open", name, ""
    yield "", "", _characters(text[at:])


def _characters(text: str) -> str:
    """Entities made characters; they and tags are often escaped twice."""
    for _ in range(2):
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _TAG.sub(lambda tag: "" if (tag["name"] or "").lower() in _KIND else tag[0], text)
