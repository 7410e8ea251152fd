"""Plain text: one paper a file, with an optional block of ``Key: value`` lines before the text.

Without a block, a short first paragraph is the title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import Stream, whole
from pipeline.types import Document, Failure

TITLE = 250  # characters; a longer first paragraph is text

# The beginnings of what is no prose.
_FOREIGN = re.compile(
    r"""\s*(?:
    <[?!/a-zA-Z] | [{]\s*["}] | \[\s*[{["\]]         # XML and HTML, JSON
    | %PDF | %!PS | [{]\\rtf | (?:%.*\s+)*@\w+\s*[{]   # PDF, PostScript, RTF, BibTeX
    | (?:[A-Z][A-Z0-9]{1,3}[ ]*-[ ].*\s+){2} | FN[ ].*\nVR[ ]  # tagged exports: MEDLINE, Web of Science
    )""",
    re.VERBOSE,
)
_PAIR = re.compile(r"([A-Za-z][\w /-]{0,30}):[ \t]*(.*)")
_ITEM = re.compile(r"\s*- +(.*)")
_BLANK = re.compile(r"\n[ \t]*\n")


def sniff(head: str) -> bool:
    return not _FOREIGN.match(head) and "\0" not in head


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each([("", stream)], _parse, name)


def _parse(stream: Stream) -> Document:
    first, text = _first_paragraph(whole(stream.text))
    given: dict[str, object] = dict(pairs(first))
    if not given:
        if text and len(first) < TITLE:
            given["title"] = fields.flat(first)
        else:
            text = f"{first}\n\n{text}".strip()
    elif "title" not in map(fields.field_name, given):
        title, rest = _first_paragraph(text)
        if rest and len(title) < TITLE:
            given["title"], text = fields.flat(title), rest
    return fields.document(given | {"text": text})


def pairs(block: str) -> dict[str, str]:
    """Read a block of ``Key: value`` lines, whose first key must be known; empty if it is anything else.

    An indented line continues a value, and so do list items, which are joined with a semicolon.

    >>> pairs("Id: sample:1\\nAuthors:\\n  - Ann Dyer\\n  - Bo Moss"), pairs("Note: this is prose.")
    ({'Id': 'sample:1', 'Authors': 'Ann Dyer; Bo Moss'}, {})
    """
    found: dict[str, str] = {}
    key = ""
    for line in block.split("\n"):
        pair = _PAIR.fullmatch(line)
        if pair:
            key = pair[1].strip()
            found[key] = _value(pair[2].strip())
        elif key and (item := _ITEM.fullmatch(line)):
            found[key] = f"{found[key]}; {_value(item[1])}".removeprefix("; ")
        elif key and line[:1] in (" ", "\t"):
            found[key] = f"{found[key]} {line.strip()}".strip()
        else:
            return {}
    return found if found and fields.field_name(next(iter(found))) else {}


def _value(text: str) -> str:
    """A value without the quotes, list brackets or block marks that front matter may put around it."""
    if text in ("|", ">", "|-", ">-"):
        return ""
    if text[:1] == "[" and text[-1:] == "]" and "," in text:
        return "; ".join(_value(item.strip()) for item in text[1:-1].split(","))
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _first_paragraph(text: str) -> tuple[str, str]:
    first, *rest = _BLANK.split(text.strip(), maxsplit=1)
    return first.strip(), "".join(rest).strip()
