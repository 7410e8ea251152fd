"""XML, read safely: no DTD is loaded, no entity expanded, nothing fetched.

An entity that only a DTD would explain stays a node of the tree, and :func:`flat` makes of it the character that HTML
knows by its name, or leaves it as it is written.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from lxml import etree

from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import MAX_RECORD, Stream, Unreadable, check, encoding_of

_PROLOG = re.compile(
    r"""(?>\ufeff|\s+|<\?(?:(?!\?>).)*+\?>|<!--(?:(?!-->).)*+-->
        |<!DOCTYPE(?:[^\[>"']|"[^"]*+"|'[^']*+')*+(?:\[(?:[^\]"']|"[^"]*+"|'[^']*+')*+\])?\s*+>)*+
        <(?:[\w.-]+:)?([\w.-]+)""",
    re.VERBOSE | re.DOTALL,
)
_DECLARATION = re.compile(rb"\s*(?:<\?xml[^>]*\?>)?")
# a document type without a DTD makes libxml2 keep unknown entities as nodes instead of refusing the document
_NO_DTD = b'<!DOCTYPE none SYSTEM "none">'
_MOST_ERROR = 200  # characters


def opens(head: str, *names: str) -> bool:
    """Whether the first element of a document has one of these names, whatever its prefix.

    >>> opens('<?xml version="1.0"?><!-- a set --><nlm:article xmlns:nlm="x">', "article"), opens("<p/>", "article")
    (True, False)
    """
    found = _PROLOG.match(head)
    return found is not None and found[1] in names


def parser(**options: object) -> etree.XMLParser:
    """A parser that neither loads nor expands nor fetches anything, and keeps no comments."""
    safe = {"resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False}
    return etree.XMLParser(**{**safe, "remove_comments": True, "remove_pis": True, **options})


def root(stream: Stream) -> etree._Element:
    """Parse all of a stream, which may have MAX_RECORD bytes."""
    data = stream.binary.read(MAX_RECORD + 1)
    if len(data) > MAX_RECORD:
        raise Unreadable(f"is longer than {MAX_RECORD:,} bytes: cut it into papers")
    return parse(data)


def parse(data: bytes) -> etree._Element:
    """Parse a document in the encoding that it declares.

    >>> flat(parse(b"<p>&beta;-blockers &amp;\\n <i>n</i>-3</p>"))
    'β-blockers & n-3'
    """
    encoding = encoding_of(data[:1024])
    try:
        if encoding != "utf-8":  # by Python, which knows more names of encodings than libxml2
            data = data.decode(encoding).encode()
        declaration = _DECLARATION.match(data)
        if declaration and b"<!DOCTYPE" not in data[:4096]:
            data = declaration[0].lstrip() + _NO_DTD + data[declaration.end() :]
        found = etree.fromstring(data, parser(encoding="utf-8"))
    except etree.XMLSyntaxError as error:
        check(data.decode("utf-8", "surrogateescape"))  # a byte that is not UTF-8 is told in plainer words
        raise Unreadable(f"is not well-formed: {str(error)[:_MOST_ERROR]}") from error
    except (LookupError, ValueError) as error:
        raise Unreadable(f"is no XML: {str(error)[:_MOST_ERROR]}") from error
    if found is None:
        raise Unreadable("is no XML: it holds no element")
    return found


def flat(element: etree._Element | None, skip: frozenset[str] = frozenset()) -> str:
    """All characters below an element but for those in elements named in ``skip``; white space is one blank."""
    return "" if element is None else fields.flat("".join(pieces(element, skip)))


def pieces(element: etree._Element, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """The strings of an element in order, its own tail left out, entities made characters."""
    yield element.text or ""
    for child in element:
        if child.tag is etree.Entity:
            yield html.unescape(child.text)
        elif isinstance(child.tag, str) and local(child) not in skip:
            yield from pieces(child, skip)
        yield child.tail or ""


def local(element: etree._Element) -> str:
    """The name of an element without its namespace; ``""`` for what is no element.

    >>> local(parse(b'<a:b xmlns:a="x"/>'))
    'b'
    """
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def bare(root: etree._Element) -> etree._Element:
    """Take the namespaces off all tags, in place, so that a path finds an element whatever its prefix."""
    for element in root.iter("{*}*"):
        if element.tag[0] == "{":
            element.tag = local(element)
    return root


def first(element: etree._Element, *paths: str) -> etree._Element:
    """The first element that there is, else an empty one."""
    found = (element.find(path) for path in paths)
    return next((child for child in found if child is not None), etree.Element("none"))


def text(element: etree._Element, *paths: str) -> str:
    """The flat text at the first path that leads to any."""
    return next((found for path in paths if (found := flat(element.find(path)))), "")
