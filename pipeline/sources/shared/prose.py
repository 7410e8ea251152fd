"""Running text and sections from marked-up full texts; what an element means is told by a table of its format.

Trees are taken without namespaces (:func:`pipeline.sources.shared.xml.bare`) and walked once. Where markup ends a
line on the page, a paragraph ends in the text, so that words of neighbouring blocks never run together.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lxml import etree

from pipeline.sources.shared import xml
from pipeline.sources.shared.fields import flat
from pipeline.text.headings import section_kind

Part: TypeAlias = tuple[str, str]  # the kind of a section, its text
Piece: TypeAlias = "str | etree._Element"

_USUAL = frozenset(("background", "objective", "methods", "results", "discussion", "conclusion"))
_KEPT = ("acknowledgements", "appendix", "footnote", "glossary", "lay summary")  # hold for all that is inside
_ENDING = frozenset(("discussion", "conclusion"))  # often stand at the end of a section of another kind
_INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064"))  # MathML's operators that are not printed


@dataclass(frozen=True, slots=True)
class Markup:
    """What the elements of a format mean for its text; those that are not named are inline.

    ``sections`` gives the kind of a section that neither its type nor its title tells, ``titles`` name the children
    of a section that are its heading. What stands ``apart`` (a figure, a footnote) comes after the section it is in,
    under the kind given. ``blocks`` have lines of their own, ``spaced`` elements blanks around them. ``spell`` returns
    the text of an element that is more than the text below it, or None.
    """

    sections: Mapping[str, str]
    titles: frozenset[str]
    type: str
    apart: Mapping[str, str]
    blocks: frozenset[str]
    spaced: frozenset[str]
    left_out: frozenset[str]
    spell: Callable[[etree._Element], str | None]


def names(text: str) -> frozenset[str]:
    """The names of elements in a list that is easy to read."""
    return frozenset(text.split())


def parts(element: etree._Element, markup: Markup, kind: str) -> Iterator[Part]:
    """The sections of an element that is of ``kind`` itself, in reading order."""
    run: list[Piece] = [element.text or ""]
    for child in element:
        if child.tag in markup.sections:
            yield from _written(run, markup, kind)
            run = []
            yield from parts(child, markup, _kind(child, markup, kind))
        elif child.tag not in markup.titles:
            run.append(child)
        run.append(child.tail or "")
    yield from _written(run, markup, kind)


def prose(pieces: Iterable[Piece], markup: Markup) -> tuple[str, list[etree._Element]]:
    """A paragraph a block, blank lines between them, and the elements that stand apart from them."""
    lines: list[list[str]] = [[]]
    apart: list[etree._Element] = []
    for piece in pieces:
        if isinstance(piece, str):
            lines[-1].append(piece)
        else:
            _add(piece, markup, lines, apart)
    texts = (flat("".join(line)) for line in lines)
    return "\n\n".join(text for text in texts if text), apart


def inside(element: etree._Element) -> Iterator[Piece]:
    """All that an element holds, for :func:`prose`."""
    yield element.text or ""
    for child in element:
        yield child
        yield child.tail or ""


def math(element: etree._Element) -> str:
    """MathML as a line of characters: fractions with a slash, cells with blanks, all else as it follows.

    >>> math(etree.fromstring("<math><mi>x</mi> <mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"))
    'x=1/2'
    """
    if not isinstance(element.tag, str) or element.tag in ("annotation", "annotation-xml"):
        return xml.flat(element) if element.tag is etree.Entity else ""
    if element.tag == "mspace":
        return " "
    if not len(element):
        return flat(element.text or "").translate(_INVISIBLE)
    inner = [text for text in map(math, element) if text]
    if element.tag == "mfenced":
        inner = [element.get("open", "("), element.get("separators", ",")[:1].join(inner), element.get("close", ")")]
    separator = {"mfrac": "/", "mtr": " ", "mtable": " "}.get(element.tag, "")
    return ("√" if element.tag == "msqrt" else "") + separator.join(inner)


def usual_kind(*labels: str) -> str:
    """The first usual kind that a label names, else ``""``.

    >>> usual_kind("intro"), usual_kind("sec", "Materials and Methods"), usual_kind("Fish oil")
    ('background', 'methods', '')
    """
    kinds = ("background" if label == "intro" else section_kind(label) for label in labels)
    return next((kind for kind in kinds if kind in _USUAL), "")


def _kind(section: etree._Element, markup: Markup, above: str) -> str:
    """A usual kind above holds below it too: "Patients" within the results are results."""
    title = next((xml.flat(child) for child in section if child.tag in markup.titles), "")
    labels = (section.get(markup.type, ""), title)
    own = usual_kind(*labels)
    if above in _USUAL:
        return own if own in _ENDING else above
    if above in _KEPT:
        return own or above
    begun = (kind for kind in _KEPT for label in labels if label.lower().startswith(kind[:8]))
    known = own or markup.sections[section.tag] or next(begun, "")
    named = section_kind(title) if title else above
    return known or ("conclusion" if named == "abstract" != above else named)  # a body's summary ends it


def _written(run: list[Piece], markup: Markup, kind: str) -> Iterator[Part]:
    text, apart = prose(run, markup)
    if text:
        yield kind, text
    for element in apart:
        if element.tag in markup.sections:
            yield from parts(element, markup, _kind(element, markup, kind))
        else:
            yield from _aside(element, markup, markup.apart[element.tag])


def _aside(element: etree._Element, markup: Markup, kind: str) -> Iterator[Part]:
    """What stands apart, with its own notes; what else is apart within it (the figures of a group) has its kind."""
    text, apart = prose(inside(element), markup)
    notes = (inner for inner in apart if markup.apart.get(inner.tag) == "footnote")
    noted = (text for note in notes for _, text in _aside(note, markup, kind))
    if lines := "\n\n".join(filter(None, (text, *noted))):
        yield kind, lines
    for inner in apart:
        if markup.apart.get(inner.tag) != "footnote":
            yield from _aside(inner, markup, kind)


def _add(element: etree._Element, markup: Markup, lines: list[list[str]], apart: list[etree._Element]) -> None:
    name = element.tag
    if name is etree.Entity:
        lines[-1].append(html.unescape(element.text))
    elif not isinstance(name, str) or name in markup.left_out:
        return
    elif name in markup.apart or name in markup.sections:
        apart.append(element)
    elif (spelled := markup.spell(element)) is not None:
        lines[-1].append(spelled)
    else:
        _add_inside(element, markup, lines, apart)


def _add_inside(element: etree._Element, markup: Markup, lines: list[list[str]], apart: list[etree._Element]) -> None:
    if element.tag in markup.blocks:
        lines.append([])
    elif element.tag in markup.spaced:
        lines[-1].append(" ")
    lines[-1].append(element.text or "")
    for child in element:
        _add(child, markup, lines, apart)
        lines[-1].append(child.tail or "")
    if element.tag in markup.blocks:
        lines.append([])
    elif element.tag in markup.spaced:
        lines[-1].append(" ")
