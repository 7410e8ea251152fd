"""Markdown: one paper a file; optional front matter, the first heading is the title, the others name sections.

Headings become section kinds and emphasis, links and inline code lose their marks, so that the text is prose;
everything else stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources.plain import pairs
from pipeline.sources.shared import fields
from pipeline.sources.shared.stream import Stream, whole
from pipeline.types import Document, Failure

_FRONT = re.compile(r"---[ \t]*\n(.*?\n)?(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_STARTS = re.compile(r"\s*#{1,6}[ \t]+\S")
_HEADINGS = re.compile(r"^#{1,6}[ \t]+\S.*\n(?:.*\n)*?#{1,6}[ \t]+\S", re.MULTILINE)
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,2000}\)")
_CODE = re.compile(r"`([^`\n]{1,500})`")
_STRONG = re.compile(r"(?<![\w*_])(\*\*|__)(?=\S)((?:(?!\1).){1,500})(?<=\S)\1(?![\w*_])")
_EMPHASIS = re.compile(r"(?<![\w*_])([*_])(?=\S)([^*_\n]{1,500})(?<=\S)\1(?![\w*_])")


def sniff(head: str) -> bool:
    """Front matter, or a heading at the start, or two headings anywhere."""
    front = _FRONT.match(head)
    return bool((front and pairs((front[1] or "").strip("\n"))) or _STARTS.match(head) or _HEADINGS.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each([("", stream)], _parse, name)


def _parse(stream: Stream) -> Document:
    text = whole(stream.text)
    front = _FRONT.match(text)
    given: dict[str, object] = dict(pairs((front[1] or "").strip("\n"))) if front else {}
    if front and given:
        text = text[front.end() :]
    blocks = list(_blocks(_COMMENT.sub("", text)))
    title = next((str(given[name]) for name in given if fields.field_name(name) == "title"), "")
    at = next((at for at, (level, _, _) in enumerate(blocks) if level), None)
    if at is not None and blocks[at][1] == (title or blocks[at][1]):
        _, heading, body = blocks[at]
        given["title"] = title or heading
        blocks[at] = (0, "", body)
    given["sections"] = [{"kind": heading or "abstract", "text": body} for _, heading, body in blocks]
    return fields.document(given)


def _blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Cut at the headings: level (0 before the first), heading, and the text below it."""
    level, heading, body = 0, "", list[str]()
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        found = None if fence else _HEADING.fullmatch(line)
        if not found:
            body.append(line)
            continue
        yield level, heading, _prose("\n".join(body))
        level, heading, body = len(found[1]), _prose(found[2].rstrip("# \t")), []
    yield level, heading, _prose("\n".join(body))


def _prose(text: str) -> str:
    """
    >>> _prose("the *n*-3 **fish oils** of [Dyer](https://example.org), p* and q*")
    'the n-3 fish oils of Dyer, p* and q*'
    """
    for marks, kept in ((_LINK, r"\1"), (_CODE, r"\1"), (_STRONG, r"\2"), (_EMPHASIS, r"\2")):
        text = marks.sub(kept, text)
    return text.strip()
