"""From headings and their levels to the kinds of sections, for formats in which sections do not enclose each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.sources.shared.prose import usual_kind
from pipeline.text.headings import section_kind

_ENDING = frozenset(("discussion", "conclusion"))  # often stand at the end of a section of another kind
_OWN = ("acknowledg", "appendix", "funding", "references", "bibliography")  # are part of no other section
_APART = frozenset(("abstract", "caption", "footnote"))  # stand in a section, but are no part of its matter


def sections(parts: Iterable[tuple[int, str, str]]) -> Iterator[dict[str, str]]:
    """Give each part (the level of its heading, the heading, its text) its kind; a usual kind above holds below it.

    >>> [part["kind"] for part in sections([(1, "Methods", ""), (2, "Mice", ""), (1, "Mice", "")])]
    ['methods', 'methods', 'mice']
    """
    above: list[tuple[int, str]] = []
    for level, heading, text in parts:
        if heading in _APART:
            yield {"kind": heading, "text": text}
            continue
        while above and above[-1][0] >= level:
            above.pop()
        above.append((level, _kind(heading, above[-1][1] if above else "")))
        yield {"kind": above[-1][1], "text": text}


def _kind(heading: str, outer: str) -> str:
    own = usual_kind(heading)
    if heading.lower().startswith("acknowledg"):
        return "acknowledgements"
    if usual_kind(outer) and not heading.lower().startswith(_OWN):
        return own if own in _ENDING else outer
    return own or section_kind(heading, outer or "body")
