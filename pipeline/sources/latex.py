"""LaTeX source: one paper a file; the text as it is read on the page, without cells of tables, drawings and listings.

Simple macros are expanded, formulas become Unicode once and in place, citations and cross-references their keys in
brackets. Files that are put in by ``\\input`` are not followed: the parts of a paper that comes in several files are
papers of their own, and one that only puts others together is a Failure that names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.sources import latex_macros
from pipeline.sources.latex_text import commands, cut, plain, uncommented
from pipeline.sources.shared import fields
from pipeline.sources.shared.outline import sections
from pipeline.sources.shared.stream import Stream, Unreadable, whole
from pipeline.types import Document, Failure

MAX_SOURCE = 2 << 20  # characters, which take up to half a minute

_COMMAND = re.compile(r"(?:\s|%[^\n]*\n)*+\\(?:[A-Za-z@]{2,}[\s*\[{\\]|[A-Za-z@]\{)")
_CLASS = re.compile(r"^[^%\n]{0,200}\\document(?:class|style)\b", re.MULTILINE)
_DOCUMENT = re.compile(r"\\begin\s*\{document\}(.*?)(?:\\end\s*\{document\}|\Z)", re.DOTALL)
_LEFT_OUT = (
    *("tikzpicture", "pgfpicture", "picture", "tabular", "tabular*", "tabularx", "longtable", "algorithmic"),
    *("CCSXML", "keywords", "IEEEkeywords"),
)
_FLOATS = (
    *("figure", "figure*", "table", "table*", "wrapfigure", "wraptable", "sidewaysfigure", "sidewaystable"),
    *("algorithm", "deluxetable"),
)
_LEVELS = {
    name: level
    for level, name in enumerate(
        ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
    )
}
_ITEM = re.compile(r"\\bibitem\s*(?:\[(?:[^\[\]{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\])?\s*\{[^{}]*\}")
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}\n]{1,200})\}")
_NAMES = re.compile(r"\\(?:and|AND|And)\b|,\s+(?:and\s+)?|\s+and\s+")
_NOTES = "footnote|thanks|footnotetext|tnotetext|inst|email|affiliation|orcid|IEEEauthorblockA|textsuperscript"


def sniff(head: str) -> bool:
    """A command behind nothing but comments, or a document class at the beginning of a line."""
    return bool(_COMMAND.match(head) or _CLASS.search(head))


def read(stream: Stream, name: str) -> Iterator[Document | Failure]:
    return fields.each([("", stream)], _parse, name)


def _parse(stream: Stream) -> Document:
    source = whole(stream.text)
    if len(source) > MAX_SOURCE:
        raise Unreadable(f"has more than {MAX_SOURCE:,} characters: too many for one paper")
    source, _ = cut(uncommented(source), _LEFT_OUT)
    source = latex_macros.expand(source)
    document = _DOCUMENT.search(source)
    body = document[1] if document else source
    body, references = cut(body, ("thebibliography",))
    body, abstracts = cut(body, ("abstract", "abstract*"))
    title, authors, date = (_said(source, name) for name in ("title", "author", "date"))
    body = _without(body, r"title|author|date|affiliation|address|email|thanks|keywords|abstract")
    abstract = [*(inside for _, inside in abstracts), *_said(source, "abstract")]
    parts = [*((2, "abstract", text) for text in abstract), *_sections(body, "" if abstract else "abstract")]
    read = [part for section in parts for part in _told(*section)]
    others = _INPUT.findall(source)
    if others and not any(text for _, _, text in read):
        raise Unreadable(
            f"holds no text, but puts in other files, which are read by themselves: {', '.join(others)[:200]}"
        )
    return fields.document(
        {
            "title": plain(_without(title[0], _NOTES)) if title else "",
            "authors": [name for author in authors for name in _people(author)],
            "date": plain(date[0]) if date else "",
            "sections": [part for part in sections(read) if part["text"]],
            "references": [entry for _, text in references for entry in map(plain, _ITEM.split(text)[1:])],
        }
    )


def _said(source: str, name: str) -> list[str]:
    return [inside for _, _, inside in commands(source, name) if inside.strip()]


def _without(text: str, names: str) -> str:
    """The text without these commands and their arguments."""
    kept, at = list[str](), 0
    for start, end, _ in commands(text, names):
        kept.append(text[at:start])
        at = end
    return "".join(kept) + text[at:]


def _sections(body: str, first: str) -> Iterator[tuple[int, str, str]]:
    """Level, heading and source of each section; what stands before the first heading goes by ``first``."""
    level, heading, at = 2, first, 0
    for start, end, title in commands(body, "|".join(_LEVELS)):
        yield level, heading, body[at:start]
        found = re.match(r"\\([a-z]+)", body[start:end])
        level, heading, at = _LEVELS[found[1]] if found else 2, title, end
    yield level, heading, body[at:]


def _told(level: int, heading: str, source: str) -> Iterator[tuple[int, str, str]]:
    """A section as text, and behind it the captions and footnotes that stand in it."""
    source, floats = cut(source, _FLOATS)
    notes = _said(source, "footnote|footnotetext")
    yield level, plain(heading), plain(_without(source, _NOTES))
    for _, inside in floats:
        for caption in _said(inside, "caption|captionof"):
            yield level, "caption", plain(_without(caption, _NOTES))
    for note in notes:
        yield level, "footnote", plain(note)


def _people(author: str) -> Iterator[str]:
    """The names in an argument of ``\\author``, without addresses and marks."""
    for name in _NAMES.split(_without(author, _NOTES).replace("~", " ")):
        text = plain(re.split(r"\\\\|\\inst\b|\$", name, maxsplit=1)[0])
        if 1 < len(text.split()) < 6 and not re.search(r"\d|@|Universit|Institut|Department", text):
            yield text
