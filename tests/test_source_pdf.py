"""PDFs: small ones drawn here, hostile ones, and two real papers against what GROBID read in them."""

from __future__ import annotations

import re
import subprocess
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from pipeline.pdf.words import clean, join, vocabulary
from pipeline.sources import pdf
from pipeline.sources.shared.stream import Stream
from pipeline.sources.shared.unpack import streams
from pipeline.text import sentences
from pipeline.types import Document, Failure

Write = Callable[[bytes], Path]
Mark = tuple[float, float, float, str, str]  # x, y from below, font size, font (R or B), text


def drawn(*pages: Sequence[Mark], info: str = "", content: bytes | None = None) -> bytes:
    """A PDF of these marks on pages of 600 by 800 points, in Helvetica (R) and its bold (B)."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    objects += [b"<< /Type /Font /Subtype /Type1 /BaseFont /%s >>" % font for font in (b"Helvetica", b"Helvetica-Bold")]
    kids = []
    for page in pages:
        text = "".join(f"BT /{font} {size} Tf {x} {y} Td ({text}) Tj ET\n" for x, y, size, font, text in page)
        stream = zlib.compress(text.encode("cp1252") if content is None else content)
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
            b"/Resources << /Font << /R 3 0 R /B 4 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    objects.append(f"<< {info} >>".encode())
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(places) + 1, table)
    out += b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(places) + 1, len(places))
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % out.rindex(b"xref\n0"))


def column(x: float, y: float, *lines: str, size: float = 10, font: str = "R", step: float = 12) -> list[Mark]:
    return [(x, y - step * at, size, font, line) for at, line in enumerate(lines)]


LINE = "Fish oil thins the blood of all mice and of most of the"  # fills a column of 270 points
PAPER = drawn(
    [
        (150, 785, 8, "R", "Journal of Oil 7"),
        (120, 740, 18, "B", "Fish oil thins the blood of mice"),
        (250, 715, 11, "R", "Ann Dyer and Bo Moss"),
        (50, 690, 12, "B", "Abstract"),
        *column(50, 670, LINE, "patients. It works in a state-of-the-", "art transfor-", "mation of blood."),
        (50, 610, 12, "B", "1 Introduction"),
        *column(50, 590, *[LINE] * 25, "patients, as the trans-"),
        (50, 120, 8, "R", "1 This is a footnote about oil."),
        *column(320, 690, "formation of blood goes on in this column here.", *[LINE] * 20, "rats."),
        *column(320, 405, "Figure 1: Blood of mice with and without fish oil.", size=9),
        *column(320, 370, *[LINE] * 12, "cats in a state-of-the-art model that we"),
        (300, 30, 9, "R", "7"),
    ],
    [
        (150, 785, 8, "R", "Journal of Oil 8"),
        *column(50, 740, "built. The transformation ends here, and so it does.", *[LINE] * 12, "dogs."),
        (50, 570, 12, "B", "2 Methods"),
        *column(50, 550, *[LINE] * 12, "pigs."),
        *column(320, 740, *[LINE] * 12, "hens."),
        (320, 570, 12, "B", "References"),
        *column(320, 550, "Moss B. Oil in the blood. Journal of Oil, 1980,"),
        *column(332, 538, "volume seven."),
        *column(320, 526, "Dyer A. Fish. 1981."),
        (300, 30, 9, "R", "8"),
    ],
    info="/Title (Fish oil thins the blood of mice) /Author (Ann Dyer; Bo Moss) /CreationDate (D:20200101)",
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: bytes) -> Path:
        path = tmp_path / "paper.pdf"
        path.write_bytes(data)
        return path

    return write


def item(path: Path) -> Document | Failure:
    (found,) = [found for stream in streams(path) for found in _read(stream)]
    return found


def _read(stream: Stream | Failure) -> Iterator[Document | Failure]:
    assert isinstance(stream, Stream)
    assert pdf.sniff(stream.head)
    return pdf.read(stream, "paper.pdf")


def paper(path: Path) -> Document:
    found = item(path)
    assert isinstance(found, Document), found
    return found


def reason(path: Path) -> str:
    found = item(path)
    assert isinstance(found, Failure), found
    return found.reason


def parts(document: Document, kind: str) -> list[str]:
    return [section.of(document.text) for section in document.sections if section.kind == kind]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    path = tmp_path_factory.mktemp("pdf") / "paper.pdf"
    path.write_bytes(PAPER)
    return paper(path)


class TestAPaper:
    def test_title_authors_and_no_date_of_the_file(self, document: Document) -> None:
        assert document.title == "Fish oil thins the blood of mice"
        assert document.authors == ("Ann Dyer", "Bo Moss")
        assert document.date == ""
        assert "Ann Dyer" not in document.text

    def test_sections(self, document: Document) -> None:
        kinds = [section.kind for section in document.sections]
        assert kinds == ["title", "abstract", "background", "footnote", "caption", "methods"]

    def test_a_hyphen_stays_where_it_is_the_words_own(self, document: Document) -> None:
        (abstract,) = parts(document, "abstract")
        assert abstract.endswith("It works in a state-of-the-art transformation of blood.")

    def test_text_runs_on_past_columns_pages_captions_and_notes(self, document: Document) -> None:
        (body,) = parts(document, "background")
        assert "patients, as the transformation of blood goes on in this column here." in body
        assert "cats in a state-of-the-art model that we built. The transformation ends here" in body

    def test_floats_stand_apart(self, document: Document) -> None:
        assert parts(document, "caption") == ["Figure 1: Blood of mice with and without fish oil."]
        assert parts(document, "footnote") == ["1 This is a footnote about oil."]

    def test_running_heads_and_page_numbers_are_gone(self, document: Document) -> None:
        assert "Journal of Oil" not in document.text
        assert not re.search(r"\b[78]\b", document.text)

    def test_references_are_no_text(self, document: Document) -> None:
        assert document.references == (
            "Moss B. Oil in the blood. Journal of Oil, 1980, volume seven.",
            "Dyer A. Fish. 1981.",
        )
        assert "Moss" not in document.text


def test_a_page_that_is_turned_reads_alike(write: Write) -> None:
    def text(matrix: str) -> bytes:
        return f"BT /R 12 Tf {matrix} 300 300 Tm (Fish oil thins blood.) Tj ET".encode()

    for matrix in ("1 0 0 1", "0 1 -1 0", "-1 0 0 -1", "0 -1 1 0"):
        assert paper(write(drawn([], content=text(matrix)))).text == "Fish oil thins blood."


def test_a_note_along_the_margin_names_the_paper(write: Write) -> None:
    text = "".join(f"BT /R 10 Tf 1 0 0 1 50 {700 - 12 * at} Tm ({LINE}) Tj ET\n" for at in range(20))
    note = "BT /R 14 Tf 0 1 -1 0 20 200 Tm (arXiv:1711.04702v1  [cs.CL]  13 Nov 2017) Tj ET"
    found = paper(write(drawn([], content=(text + note).encode())))
    assert (found.id, found.ids, found.date) == ("1711.04702", ("arxiv:1711.04702",), "2017-11-13")
    assert "arXiv" not in found.text
    later = paper(write(drawn([], content=(text + note.replace("v1", "v2")).encode())))
    assert later.date == ""  # that of a revision


class TestRefused:
    def test_pictures_only(self, write: Write) -> None:
        assert reason(write(drawn([], content=b"0 0 m 100 100 l S"))) == "holds no text, only pictures: run OCR first"

    def test_empty_pages_and_no_pages(self, write: Write) -> None:
        assert reason(write(drawn([]))) == "holds no text: its pages are empty"
        assert reason(write(drawn())) == "has no pages that can be found"

    def test_damage(self, write: Write) -> None:
        assert reason(write(b"%PDF-1.4\n" + b"noise" * 1000)) == "is a damaged PDF"
        assert reason(write(PAPER[:300])) == "is a damaged PDF"

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [
            ({"pages": 1}, "has 2 pages: split it into papers"),
            ({"characters": 1000}, "holds more than 1,000 characters"),
            ({"bytes": 1000}, "has more than 1,000 bytes"),
            ({"seconds": 0.01}, "takes more than 0.01 seconds"),
            ({"memory": 1 << 20}, "needs more than 1 MB of memory"),
        ],
    )
    def test_limits(
        self, limit: dict[str, float], expected: str, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pdf, "LIMITS", replace(pdf.LIMITS, **limit))
        assert expected in reason(write(PAPER))

    def test_a_bomb_ends_with_its_processor_time(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf, "LIMITS", replace(pdf.LIMITS, cpu=1, seconds=30))
        bomb = b"BT /R 1 Tf " + b"(aaaaaaaaaaaaaaaaaaaa) Tj " * 3_000_000 + b"ET"
        assert re.search("processor time|memory|characters|crashes", reason(write(drawn([], content=bomb))))

    def test_nothing_is_left_behind(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        packed = subprocess.run(["gzip", "-c", write(PAPER)], capture_output=True, check=True).stdout
        assert paper(write(packed)) == paper(write(PAPER))
        assert not list((tmp_path / "temporary").iterdir())


def test_words() -> None:
    words = vocabulary(
        ["the task-specific model and a trans-", "formation of well known fine tuning", "A SciBERT model"]
    )
    assert join(["task-", "specific"], words) == "task-specific"
    assert join(["trans-", "formation"], words) == "transformation"
    assert join(["well-", "known"], words) == "well-known"  # both are words, and together they were never seen
    assert join(["SciB-", "ERT"], words) == "SciBERT"
    assert join(["vitamin-", "D3"], words) == "vitamin-D3"
    assert join(["re\u00ad", "port"], words) == "report"
    assert clean("Reh˚uˇrek and M¨uller, ﬁne \ud800") == "Rehůřek and Müller, fine \ufffd"


# Two real papers against what GROBID 0.6.1 read in them.

TEI = {"t": "http://www.tei-c.org/ns/1.0"}


def share_in_order(expected: list[str], text: str) -> float:
    """The share of sentences that occur in a text in their order.

    Of sentences and text only letters and digits count, without case. A sentence is found where these occur in the
    text as one run; counted is the longest series of found sentences whose places increase, as a sentence may occur
    more than once.

    >>> share_in_order(["A b.", "C d!", "E f", "g"], "e F a B - c d; g")
    0.75
    """
    ours = _bare(text)
    wanted = [bare for sentence in expected if (bare := _bare(sentence))]
    ends: list[int] = []  # ends[n]: the least place at which a series of n + 1 sentences may end
    for sentence in wanted:
        for found in reversed(list(re.finditer(f"(?={re.escape(sentence)})", ours))):
            at = bisect_left(ends, found.start())
            ends[at : at + 1] = [found.start()]
    return len(ends) / len(wanted)


def _bare(text: str) -> str:
    return "".join(character for character in clean(text).casefold() if character.isalnum())


def grobid_sentences(path: Path) -> list[str]:
    """Title, and the sentences of abstract and body; formulas, figures, headings and notes stand apart in TEI."""
    root = etree.parse(path)
    found = [root.xpath("string(//t:titleStmt/t:title)", namespaces=TEI)]
    for paragraph in root.xpath("//t:abstract//t:p | //t:body/t:div/t:p", namespaces=TEI):
        text = " ".join("".join(paragraph.itertext()).split())
        found += [sentence.of(text) for sentence in sentences(Document("tei", text))]
    return found


@pytest.mark.parametrize("name", ["N18-3011", "2020.acl-main.207"])
def test_sentences_of_real_papers_are_found_in_order(name: str, shared_data: Path) -> None:
    folder = shared_data / "raw_papers" / "pdf"
    document = paper(folder / f"{name}.pdf")
    expected = grobid_sentences(folder / f"{name}.tei.xml")
    assert len(expected) > 200
    assert share_in_order(expected, document.text) >= 0.9
    assert share_in_order(expected[::-1], document.text) < 0.1
    assert "\ufffd" not in document.title
    assert len(re.findall(r"\w-\s", document.text)) < 5  # no words cut at the ends of lines


def test_odd_files(shared_data: Path) -> None:
    folder = shared_data / "raw_papers" / "pdf_edge"
    assert reason(folder / "libreoffice-writer-password.pdf") == "is encrypted: save it without a password"
    assert paper(folder / "multicolumn.pdf").title == "Two-Column Document with Lorem Ipsum"
    assert paper(folder / "crazyones-pdfa.pdf").text.endswith("change the world, are the ones who do.")
    for name in ("minimal-document", "with-attachment", "pdflatex-4-pages", "habibi-rotated"):
        assert paper(folder / f"{name}.pdf").text
