"""The text of a JATS article below its front matter: sections, captions, notes, formulas, and the works it cites.

Superscript numbers that refer to works cited are left out, as are marks of footnotes, for they stick to words and are
none: "EGFR12". References in any other shape stay as they are printed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from lxml import etree

from pipeline.sources.shared import xml
from pipeline.sources.shared.fields import arxiv_curie, doi_curie, flat
from pipeline.sources.shared.prose import Markup, Part, inside, math, names, parts, prose

HREF = "{http://www.w3.org/1999/xlink}href"

_PARTS = ("book-part", "body", "book-body", "back", "book-back", "floats-group", "floats-wrap")
_CITATIONS = frozenset(("element-citation", "mixed-citation", "nlm-citation", "citation"))
_LESSER = {"tex-math": frozenset(("math",)), "textual-form": frozenset(("math", "tex-math"))}  # than these
_UNPRINTED = frozenset(("label", "object-id", "tex-math"))
_MARKS = frozenset(("fn", "table-fn", "aff", "corresp", "author-notes", "author-note"))
_NUMERAL = re.compile(r"[\s\d,;()\[\]–—-]*")
_SEPARATOR = re.compile(r"[\s,;–—-]+")
_TEX_FRAME = re.compile(r".*\\begin\{document\}|\\end\{document\}.*", re.DOTALL)


def body_parts(article: etree._Element) -> Iterator[Part]:
    """Body, back matter and floating captions; sub-articles (decision letters, translations) are papers apart."""
    for part in article.iterchildren(*_PARTS):
        yield from parts(part, MARKUP, "body")


def references(article: etree._Element) -> Iterator[str]:
    """The works cited, each by its best known identifier, else as it is printed."""
    for part in article.iterchildren(*_PARTS):
        for ref in part.iter("ref"):
            for citation in list(filter(_is_first, ref.iter(*_CITATIONS))) or [ref]:
                yield _curie(citation) or printed(citation)


def _is_first(citation: etree._Element) -> bool:
    """Whether it is neither a part of another citation nor another form of the one before it."""
    parent = citation.getparent().tag
    return parent not in _CITATIONS and (parent != "citation-alternatives" or citation.getprevious() is None)


def printed(element: etree._Element) -> str:
    """The text of a citation; where markup alone keeps its parts from each other, commas and blanks are put in.

    >>> citation = "<c><name><surname>Dyer</surname><given-names>A</given-names></name><year>1985</year></c>"
    >>> printed(etree.fromstring(citation))
    'Dyer A, 1985'
    """
    if element.tag is etree.Entity or not len(element):
        return xml.flat(element) if isinstance(element.tag, str) else html.unescape(element.text)
    if element.tag == "math":
        return math(element)
    spelled = ["" if child.tag in _UNPRINTED else printed(child) for child in element]
    tails = [child.tail or "" for child in element]
    if len(spelled) < 2 or "".join((element.text or "", *tails)).strip():
        return flat("".join((element.text or "", *chain.from_iterable(zip(spelled, tails, strict=True)))))
    separator = " " if element.tag in ("name", "string-name") else ", "
    return separator.join(filter(None, spelled))


def _curie(citation: etree._Element) -> str | None:
    """
    >>> citation = '<c><pub-id pub-id-type="doi">10.1000/A</pub-id><pub-id pub-id-type="pmid">7</pub-id></c>'
    >>> _curie(etree.fromstring(citation))
    'pmid:7'
    """
    found: dict[str, str] = {}
    for element in citation.iter("pub-id", "object-id", "ext-link", "article-id"):
        kind = (element.get("pub-id-type") or element.get("ext-link-type") or "").lower()
        value = xml.flat(element)
        if kind in ("pmid", "pubmed") and value.isdecimal():
            found.setdefault("pmid", f"pmid:{value}")
        elif kind in ("pmc", "pmcid") and (digits := re.sub(r"\D", "", value)):
            found.setdefault("pmcid", f"pmcid:PMC{digits}")
        elif kind == "arxiv" and (curie := arxiv_curie(value) or arxiv_curie(element.get(HREF, ""))):
            found.setdefault("arxiv", curie)
        elif curie := _doi(kind, value, element.get(HREF, "")):
            found.setdefault("doi", curie)
    return next((found[kind] for kind in ("pmid", "doi", "pmcid", "arxiv") if kind in found), None)


def _doi(kind: str, value: str, href: str) -> str | None:
    if kind == "doi":
        return doi_curie(value) or doi_curie(href)
    return doi_curie(href) if "doi.org/" in href else None


def _is_superscript_reference(element: etree._Element) -> bool:
    """A superscript of numbers that refer to works cited, or what stands between two of them."""
    text = "".join(element.itertext())
    if not _NUMERAL.fullmatch(text):
        return False
    if _is_reference(element.getparent()) or any(map(_is_reference, element.iterchildren("xref"))):
        return True
    before = element.getprevious()
    if before is None or before.tail or not _is_reference(before):
        return False
    return bool(_SEPARATOR.fullmatch(text))


def _is_reference(element: etree._Element) -> bool:
    return bool(element.tag == "xref" and element.get("ref-type") == "bibr")


def _spell_sup(element: etree._Element) -> str | None:
    return "" if _is_superscript_reference(element) or _is_mark_of_note(element) else None


def _is_mark_of_note(element: etree._Element) -> bool:
    """The letter that a footnote begins with: "aFor each" is no word."""
    parent = element.getparent()
    above = parent.getparent()
    begins = element.getprevious() is None and not (parent.text or "").strip()
    return begins and parent.tag == "p" and above is not None and above.tag in ("fn", "table-wrap-foot")


def _spell_definition(element: etree._Element) -> str:
    """On the line of its term."""
    return " " + prose(inside(element), MARKUP)[0].replace("\n\n", " ")


def _spell_xref(element: etree._Element) -> str | None:
    return "" if element.get("ref-type") in _MARKS else None


def _spell_tex(element: etree._Element) -> str:
    return _TEX_FRAME.sub("", xml.flat(element)).strip().strip("$").strip()


def _spell_formula(element: etree._Element) -> str:
    """One of its forms, MathML before TeX before words, and what stands around it."""
    forms = {child.tag for child in element}
    pieces = [element.text or ""]
    for child in element:
        if child.tag == "alternatives":
            pieces.append(_spell_formula(child))
        elif not (child.tag in _LESSER and forms & _LESSER[child.tag]):
            pieces.append(prose([child], MARKUP)[0])
        pieces.append(child.tail or "")
    return "".join(pieces)


def _spell_display(element: etree._Element) -> str:
    return f" {_spell_formula(element)} "


def _spell_alternatives(element: etree._Element) -> str | None:
    return _spell_formula(element) if element.find("math") is not None or element.find("tex-math") is not None else None


_SPELLED: Mapping[str, Callable[[etree._Element], str | None]] = {
    "math": math,
    "tex-math": _spell_tex,
    "inline-formula": _spell_formula,
    "disp-formula": _spell_display,
    "alternatives": _spell_alternatives,
    "sup": _spell_sup,
    "def": _spell_definition,
    "xref": _spell_xref,
    **dict.fromkeys(("element-citation", "nlm-citation"), printed),
}


def _spell(element: etree._Element) -> str | None:
    spell = _SPELLED.get(element.tag)
    return spell(element) if spell else None


MARKUP = Markup(
    sections={
        **dict.fromkeys(
            ("sec", "notes", "boxed-text", "app-group", "book-part", "named-book-part-body", "body", "back"), ""
        ),
        **{"ack": "acknowledgements", "app": "appendix", "glossary": "glossary", "fn-group": "footnote"},
    },
    titles=frozenset(("title",)),
    type="sec-type",
    apart={
        **dict.fromkeys(("fig", "fig-group", "table-wrap", "table-wrap-group", "media"), "caption"),
        **dict.fromkeys(("supplementary-material", "chem-struct-wrap", "chem-struct-wrapper"), "caption"),
        "fn": "footnote",
    },
    blocks=names(
        "p title subtitle list list-item disp-quote def-list def-item speech statement verse-group verse-line "
        "preformat code question answer attrib caption array tr"
    ),
    spaced=frozenset(("disp-formula-group", "break", "term", "term-head", "td", "th", "speaker")),
    left_out=names(
        "label table object-id alt-text long-desc permissions copyright-statement graphic inline-graphic ref-list ref "
        "sec-meta book-part-meta kwd-group sig-block bio index toc sub-article response front-stub"
    ),
    spell=_spell,
)
