"""The text of a document, divided: sections at its headings, sentences, and the abbreviations that it explains.

Every span is one of exact characters of ``document.text``; nothing is changed, lost or read twice.
"""

from __future__ import annotations

from pipeline.text import short_forms
from pipeline.text.boundaries import sentences
from pipeline.text.headings import section_kind, sections_of
from pipeline.types import Abbreviation, Document, Reading

__all__ = ["abbreviations", "section_kind", "sections_of", "sentences", "split"]


def split(document: Document) -> Reading:
    """Cut a document into sentences and find its abbreviations."""
    found = sentences(document)
    return Reading(document, sentences=found, abbreviations=short_forms.abbreviations(document.text, found))


def abbreviations(document: Document) -> tuple[Abbreviation, ...]:
    """
    >>> text = "Eicosapentaenoic acid (EPA) and DHA (docosahexaenoic acid) thin blood."
    >>> [(pair.short.of(text), pair.long.of(text)) for pair in abbreviations(Document("1", text))]
    [('EPA', 'Eicosapentaenoic acid'), ('DHA', 'docosahexaenoic acid')]
    """
    return split(document).abbreviations
