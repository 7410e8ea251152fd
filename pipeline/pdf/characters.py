"""The characters of a PDF page with their places and fonts, as runs on one baseline."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from ctypes import c_double, c_int, create_string_buffer
from dataclasses import dataclass

import pypdfium2 as pdfium
from pypdfium2 import raw

from pipeline.pdf.words import clean

_BOLD = re.compile(r"bold|heavy|black|medi(?!um)|demi|cmbx|sfbx|-b$", re.IGNORECASE)
_HYPHEN = "\x02"  # what pdfium gives for a hyphen at the end of a line
_WORD_GAP, _RUN_GAP = 0.17, 1.0  # of the font size: a wider gap begins a new word, a new run


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that follow each other on one baseline, in points; ``y`` is the baseline's and grows downwards.

    ``size`` is that of most of its letters, and ``bold`` whether nearly all of them are.
    """

    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    text: str


@dataclass(frozen=True, slots=True)
class _Char:
    char: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    quarters: int  # by which it is turned; -1 where it stands askew


def runs(page: pdfium.PdfPage) -> tuple[list[Run], str]:
    """The runs of a page in the order of the file, and apart the text that is turned otherwise than most of the page
    (such as a note along the margin)."""
    textpage = page.get_textpage()  # held, for it is closed when nothing refers to it
    chars = list(_chars(textpage.raw))
    turned = Counter(char.quarters for char in chars if not char.char.isspace()).most_common(1)
    upright = turned[0][0] if turned else 0
    aside = "".join(char.char for char in chars if char.quarters != upright)
    return list(_joined(char for char in chars if char.quarters == upright)), aside


def _chars(page: raw.FPDF_TEXTPAGE) -> Iterator[_Char]:
    """Every character with its place; of what pdfium adds of its own, the blanks are taken, and the line ends not."""
    x, y, box, matrix = c_double(), c_double(), raw.FS_RECTF(), raw.FS_MATRIX()
    bold: dict[bytes, bool] = {}
    name, flags = create_string_buffer(128), c_int()
    for at in range(raw.FPDFText_CountChars(page)):
        code = raw.FPDFText_GetUnicode(page, at)
        if code in (10, 13):
            continue
        raw.FPDFText_GetCharOrigin(page, at, x, y)
        raw.FPDFText_GetLooseCharBox(page, at, box)
        raw.FPDFText_GetMatrix(page, at, matrix)
        raw.FPDFText_GetFontInfo(page, at, name, len(name), flags)
        if name.value not in bold:
            bold[name.value] = bool(_BOLD.search(name.value.decode("latin-1"))) or (
                raw.FPDFText_GetFontWeight(page, at) >= 600
            )
        size = raw.FPDFText_GetFontSize(page, at) * math.hypot(matrix.c, matrix.d)
        quarters = _quarters(matrix)
        left, right, baseline = _upright(quarters, box, x.value, y.value)
        yield _Char(_character(page, at, code), left, right, baseline, size, bold[name.value], quarters)


def _character(page: raw.FPDF_TEXTPAGE, at: int, code: int) -> str:
    """The character, or the replacement character where the font does not say which it is."""
    if chr(code) == _HYPHEN:
        return "-"
    private = code < 32 or 0xD800 <= code < 0xF900 or code >= 0xF0000
    unknown = (private and code != 9) or (code > 126 and raw.FPDFText_HasUnicodeMapError(page, at) == 1)
    return "\N{REPLACEMENT CHARACTER}" if unknown else chr(code)


def _quarters(matrix: raw.FS_MATRIX) -> int:
    angle = math.atan2(matrix.b, matrix.a) / (math.pi / 2)
    return round(angle) % 4 if abs(angle - round(angle)) < 0.05 else -1


def _upright(quarters: int, box: raw.FS_RECTF, x: float, y: float) -> tuple[float, float, float]:
    """Left, right and baseline (downwards) of a character as if the page were turned so that it stands upright."""
    if quarters == 1:
        return box.bottom, box.top, x
    if quarters == 2:
        return -box.right, -box.left, y
    if quarters == 3:
        return -box.top, -box.bottom, -x
    return box.left, box.right, -y


def _joined(chars: Iterator[_Char]) -> Iterator[Run]:
    run: list[_Char] = []
    for char in chars:
        if run and not _follows(run, char):
            yield from _run(run)
            run = []
        run.append(char)
    yield from _run(run)


def _follows(run: list[_Char], char: _Char) -> bool:
    last = run[-1]
    size = max(last.size, char.size, 1)
    main = max(run[-8:], key=lambda other: other.size).y
    return abs(char.y - main) < 0.55 * size and -size < char.x0 - last.x1 < _RUN_GAP * size


def _run(chars: list[_Char]) -> Iterator[Run]:
    """Put blanks where there are gaps too; nothing comes of a run of blanks."""
    letters = [char for char in chars if not char.char.isspace()]
    if not letters:
        return
    text, end = "", letters[0].x0
    for char in chars:
        if char.char.isspace():
            text += " "
            continue
        text += " " * (char.x0 - end > _WORD_GAP * char.size) + char.char
        end = char.x1
    size = _most(round(char.size, 1) for char in letters)
    yield Run(
        x0=min(char.x0 for char in letters),
        x1=max(char.x1 for char in letters),
        y=_most(round(char.y, 1) for char in letters if round(char.size, 1) == size),
        size=size,
        bold=sum(char.bold for char in letters) > 0.9 * len(letters),
        text=clean(text),
    )


def _most(values: Iterator[float]) -> float:
    return Counter(values).most_common(1)[0][0]
