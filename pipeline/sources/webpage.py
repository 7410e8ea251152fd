"""HTML: one paper a page, its main text without menus, and what its head says about it.

The main text is found by trafilatura, set to rather leave out than take in; pages too short for it are taken as they
are written. Headings give the kinds of the sections. Nothing is ever fetched.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator

from lxml import etree
from lxml import html as lxml_html

from pipeline.sources import webpage_head
from pipeline.sources.shared import fields
from pipeline.sources.shared.outline import sections
from pipeline.sources.shared.stream import Stream, Unreadable, check
from pipeline.types import Document, Failure

MAX_PAGE = 8 << 20  # bytes
MAX_ELEMENTS = 100_000  # trafilatura takes up to 3 seconds for so many

_OPENS = re.compile(
    r"\s*(?:\ufeff|<\?xml[^>]{0,200}\?>|<!--.{0,5000}?-->|\s)*(?:<!doctype\s+html|<(?:html|head|body|meta|title)[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_SKIPPED = ("nav", "header", "footer", "aside", "form", "script", "style", "template", "figure", "table", "button")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = ("p", "li", "blockquote", "pre", "dd", "dt")

Part = tuple[int, str, str]  # the level of a heading, the heading, the text below it


def sniff(head: str) -> bool:
    """A document type or an element that opens a page, behind comments."""
    return bool(_OPENS.match(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each([("", stream)], _parse, name)


def _parse(stream: Stream) -> Document:
    page = _page(_decoded(stream))
    given = webpage_head.known(page)
    title = fields.flat(str(given.get("title", "")))
    captions = [(1, "caption", text) for caption in page.iter("figcaption") if (text := _text(caption))]
    main = [(level, heading or "abstract", text) for level, heading, text in _main(page) if text]
    text = "\n".join(text for _, _, text in main)
    abstract = str(given.pop("abstract", ""))
    first = [(1, "abstract", abstract)] if abstract and _bare(abstract) not in _bare(text) else []
    parts = [*first, *main, *captions]
    if not parts:
        raise Unreadable("is a page without a main text")
    return fields.document(given | {"title": title, "sections": list(sections(parts))})


def _decoded(stream: Stream) -> str:
    """All characters of a page, in the encoding of its byte order mark, its XML declaration or its ``meta charset``."""
    data = stream.binary.read(MAX_PAGE + 1)
    if len(data) > MAX_PAGE:
        raise Unreadable(f"has more than {MAX_PAGE:,} bytes: too much for one page")
    declared = _CHARSET.search(data[:4096])
    encoding = stream.encoding
    if encoding == "utf-8" and declared:
        encoding = _known(declared[1].decode("ascii"))
    text = io.TextIOWrapper(io.BytesIO(data), encoding, "surrogateescape" if "utf-8" in encoding else "strict").read()
    return check(text)


def _known(encoding: str) -> str:
    """The codec that browsers take for a name: Latin-1 and ASCII are windows-1252 to them."""
    try:
        found = codecs.lookup(encoding)
    except LookupError as error:
        raise Unreadable(f"names an encoding that is unknown: {encoding}") from error
    if not found._is_text_encoding or found.name.startswith(("utf-16", "utf-32")):  # a page we could read is neither
        return "utf-8"
    return "cp1252" if found.name in ("iso8859-1", "ascii") else found.name


def _page(text: str) -> etree._Element:
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        page = lxml_html.document_fromstring(text.encode(), parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise Unreadable(f"is no HTML: {error}") from error
    if sum(1 for _ in page.iter()) > MAX_ELEMENTS:
        raise Unreadable(f"has more than {MAX_ELEMENTS:,} elements: too many for one page")
    return page


def _main(page: etree._Element) -> list[Part]:
    """The sections of the main text, or of all that is marked as text where no main text is found."""
    import trafilatura  # noqa: PLC0415  as long to import as all other readers together

    found = trafilatura.bare_extraction(
        lxml_html.tostring(page, encoding="unicode"),
        favor_precision=True,
        include_comments=False,
        include_tables=False,
        include_formatting=False,
        with_metadata=False,
        fast=True,
    )
    body = getattr(found, "body", None)
    parts = list(_cut(body.iter("head", "p", "list", "quote", "code"))) if body is not None else []
    return parts if any(text for _, _, text in parts) else list(_cut(_marked(page)))


def _marked(page: etree._Element) -> Iterator[etree._Element]:
    """Headings and blocks of the article, without what surrounds it."""
    root = next(page.iter("article", "main"), page)
    for element in root.iter(*_HEADINGS, *_BLOCKS):
        around = {ancestor.tag for ancestor in element.iterancestors()}
        if around.isdisjoint((*_SKIPPED, *_BLOCKS)):
            yield element


def _cut(blocks: Iterator[etree._Element]) -> Iterator[Part]:
    """Put the blocks below their headings; a block inside another is part of it."""
    level, heading, texts = 1, "", list[str]()
    for block in blocks:
        if any(ancestor.tag in ("p", "list", "quote") for ancestor in block.iterancestors()):
            continue
        if block.tag == "head" or block.tag in _HEADINGS:
            yield level, heading, "\n\n".join(texts)
            level, heading, texts = int((block.get("rend") or block.tag)[-1:]), _text(block), []
        elif text := "\n\n".join(filter(None, map(_text, block))) if block.tag == "list" else _text(block):
            texts.append(text)
    yield level, heading, "\n\n".join(texts)


def _text(element: etree._Element) -> str:
    return fields.flat("".join(element.itertext()).replace("\xa0", " "))


def _bare(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())
