"""Read one PDF in a process of its own: ``python -m pipeline.pdf.worker < paper.pdf``, one JSON object on stdout.

A PDF is a program for a big library in C; a hostile or broken one may crash it, keep it busy for ever or make it take
all memory. So it gets a process with limits, and whatever happens there is a reason in words. The object is either
``{"failure": reason}`` or what :class:`pipeline.pdf.structure.Paper` holds, with ``pages``, ``imprint``, ``aside``
(what stands along the margin of the first page) and ``authors`` (as the file's own data name them).
"""

from __future__ import annotations

import json
import re
import resource
import sys
from dataclasses import asdict

import pypdfium2 as pdfium
from pypdfium2 import raw

from pipeline.pdf.characters import runs
from pipeline.pdf.layout import Page, lines, without_furniture
from pipeline.pdf.limits import Limits
from pipeline.pdf.structure import paper
from pipeline.pdf.words import clean

BROKEN = 0.5  # share of letters without a name above which the text is worth nothing

_FAILURES = {
    raw.FPDF_ERR_SUCCESS: "has no pages that can be found",
    raw.FPDF_ERR_PASSWORD: "is encrypted: save it without a password",
    raw.FPDF_ERR_SECURITY: "is encrypted in a way that is not known: save it without a password",
    raw.FPDF_ERR_FORMAT: "is a damaged PDF",
}


class Refused(Exception):
    """The PDF cannot be read, for this reason."""


def main() -> None:
    limits = Limits(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else Limits()
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.stdin.buffer.read(limits.bytes + 1), limits)
    except Refused as error:
        answer = {"failure": str(error)}
    except MemoryError:
        answer = {"failure": f"needs more than {limits.memory >> 20:,} MB of memory"}
    json.dump(answer, sys.stdout)


def read(data: bytes, limits: Limits) -> dict[str, object]:
    """All that is found in a PDF; raises Refused with the reason where it cannot be read."""
    if len(data) > limits.bytes:
        raise Refused(f"has more than {limits.bytes:,} bytes")
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Refused(_FAILURES.get(error.err_code, f"cannot be opened as a PDF: {error}")) from error
    if len(document) > limits.pages:
        raise Refused(f"has {len(document):,} pages: split it into papers")
    pages, aside = _pages(document, limits)
    bare, imprint = without_furniture(pages)
    given = {key: clean(value) for key, value in document.get_metadata_dict().items()}
    found = paper(lines(bare), given.get("Title", ""))
    return asdict(found) | {
        "pages": len(pages),
        "imprint": imprint,
        "aside": aside,
        "authors": [name for name in re.split(r"\s*[;\n]\s*|\s*,\s+|\s+and\s+", given.get("Author", "")) if name],
    }


def _pages(document: pdfium.PdfDocument, limits: Limits) -> tuple[list[Page], str]:
    """The text of all pages, and what stands along the margin of the first."""
    pages, first, pictures = list[Page](), "", False
    letters = unknown = 0
    for number in range(1, len(document) + 1):
        page = _opened(document, number)
        if page.get_textpage().count_chars() > limits.characters - letters:
            raise Refused(f"holds more than {limits.characters:,} characters: split it into papers")
        found, aside = runs(page)
        first = clean(aside) if number == 1 else first
        letters += sum(len(run.text) for run in found)
        unknown += sum(run.text.count("\N{REPLACEMENT CHARACTER}") for run in found)
        pictures = pictures or (not letters and any(True for _ in page.get_objects(max_depth=3)))
        pages.append(Page(number, page.get_height(), tuple(found)))
        page.close()
    if not letters:
        raise Refused(
            "holds no text, only pictures: run OCR first" if pictures else "holds no text: its pages are empty"
        )
    if unknown > BROKEN * letters:
        raise Refused("has fonts that do not say which letters they draw: run OCR first")
    return pages, first


def _opened(document: pdfium.PdfDocument, number: int) -> pdfium.PdfPage:
    try:
        return document[number - 1]
    except pdfium.PdfiumError as error:
        raise Refused(f"is a damaged PDF: its page {number} cannot be opened") from error


if __name__ == "__main__":
    main()
