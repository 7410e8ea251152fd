"""brat standoff: the text beside the annotations, character for character."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import sources
from pipeline.errors import UsageError
from pipeline.sources import brat
from pipeline.sources.shared.stream import Stream
from pipeline.sources.shared.unpack import streams
from pipeline.types import Document, Failure, Reading

TEXT = "Öl und Blut\n\nFish oil thins  blood.\nIt may not help.\n"
ANN = (
    "T1\tDrug 13 21\tFish oil\n"
    "T2\tFluid 29 34\tblood\n"
    "T3\tDrug 18 21\toil\n"
    "T4\tTitle 0 2;3 6\tÖl und\n"
    "R1\tTHINS Arg1:T1 Arg2:T2\t\n"
    "R2\tHELPS Arg1:T3 Arg2:T2\n"
    "N1\tReference T1 MESH:D005395\tFish Oils\n"
    "N2\tReference T1 OMIM:5\n"
    "A1\tNegation R2\n"
    "A2\tSpeculation R2\n"
    "M1\tFrequency T1 often\n"
    "#1\tAnnotatorNotes T1\tsure?\n"
    "*\tEquiv T1 T3\n"
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(ann: str | bytes = ANN, text: str | bytes | None = TEXT, name: str = "paper.v1") -> Path:
        for ending, content in ((".ann", ann), (".txt", text)):
            if content is not None:
                (tmp_path / f"{name}{ending}").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / f"{name}.ann"

    return write


def read(path: Path) -> list[Reading | Failure]:
    found: list[Reading | Failure] = []
    for stream in streams(path):
        assert isinstance(stream, Stream)
        assert brat.sniff(stream.head)
        found += brat.read_annotated(stream, "x")
    return found


def documents(path: Path) -> list[Document | Failure]:
    found: list[Document | Failure] = []
    for stream in streams(path):
        assert isinstance(stream, Stream)
        found += brat.read(stream, "x")
    return found


def one(path: Path) -> Reading:
    (found,) = read(path)
    assert isinstance(found, Reading), found
    return found


def test_all_that_is_read(write: Write) -> None:
    found = one(write())
    document = found.document
    assert (document.id, document.text) == ("paper.v1", TEXT)
    assert [(s.kind, s.of(TEXT)[:8]) for s in document.sections] == [("title", "Öl und B"), ("abstract", "\nFish oi")]
    assert [(m.start, m.text, m.type, [g.concept_id for g in m.groundings]) for m in found.mentions] == [
        (0, "Öl und", "Title", []),
        (13, "Fish oil", "Drug", ["MESH:D005395", "OMIM:5"]),
        (18, "oil", "Drug", []),
        (29, "blood", "Fluid", []),
    ]
    first, second = found.relations
    assert (first.predicate, first.subject.text, first.object.text) == ("THINS", "Fish oil", "blood")
    assert (first.start, first.end, first.polarity, first.certainty) == (13, 34, "positive", "certain")
    assert (second.predicate, second.polarity, second.certainty) == ("HELPS", "negative", "speculative")


def test_both_ways_of_reading_give_the_same_document(write: Write) -> None:
    assert documents(write()) == [one(write()).document]


def test_line_breaks_of_windows_however_they_were_counted(write: Write) -> None:
    windows = TEXT.replace("\n", "\r\n")
    later = one(write(ANN.replace("\n", "\r\n"), windows))
    assert later.document.text == TEXT
    counted = ANN.replace("13 21", "15 23").replace("29 34", "31 36").replace("18 21", "20 23")
    before = one(write(counted, windows))
    assert before.document.text == windows.replace("\r\n", " \n")
    assert [m.text for m in before.mentions] == [m.text for m in later.mentions]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("T9\tDrug 13 21\tFish eel", "says 'Fish eel' where the text at 13 to 21 is 'Fish oil'"),
        ("T9\tDrug 99 104\tblood", "says 'blood' where the text at 99 to 104 is ''"),
        ("T9\tDrug 21 13\tFish oil", "says 'Fish oil' where the text at 21 to 13 is ''"),
        (
            "T9\tDrug 13 17;29 34\tFish blood",
            "lies in parts, which no mention can, and says 'Fish blood' where the text at 13 to 34 is 'Fish",
        ),
        ("T9\tDrug x 21\tFish", "is no entity with a type, two offsets and its text: ['T9', 'Drug x 21', 'Fish']"),
        ("T9\tDrug 13 21", "is no entity with a type, two offsets and its text: ['T9', 'Drug 13 21']"),
        ("T1\tDrug 18 21\toil", "has the id T1, which an entity above it has"),
        ("R9\tTHINS Arg1:T1 Arg2:T9", "relates T9, which is no entity that could be read"),
        ("R9\tTHINS T1 T2", "is no relation with a name and two arguments: ['R9', 'THINS T1 T2']"),
        ("E1\tBinding:T1 Theme:T2", "is an event, which is no relation of two entities"),
        ("X1\tDrug 1 2", "is no line of brat standoff: 'X1\\tDrug 1 2'"),
        ("prose", "is no line of brat standoff: 'prose'"),
    ],
)
def test_a_bad_line_costs_no_other(line: str, reason: str, write: Write) -> None:
    found, failure = read(write(f"{ANN}{line}\n"))
    assert found == one(write())
    assert isinstance(failure, Failure)
    assert failure.place == "line 14"
    assert failure.reason.startswith(reason)


def test_the_text_must_be_there(write: Write, tmp_path: Path) -> None:
    (failure,) = read(write(text=None))
    assert isinstance(failure, Failure)
    assert failure.reason == "is brat standoff without its text: expected paper.v1.txt beside it"
    (blank,) = read(write(text=" \n"))
    assert isinstance(blank, Failure)
    assert blank.reason.startswith("has neither title nor text")
    (damaged,) = documents(write(text=b"\xf6l"))
    assert isinstance(damaged, Failure)
    assert "0xf6, which is not UTF-8" in damaged.reason
    packed = tmp_path / "packed.ann.gz"
    packed.write_bytes(gzip.compress(ANN.encode()))
    (failure,) = read(packed)
    assert isinstance(failure, Failure)
    assert "unpack it" in failure.reason


def test_byte_order_marks(write: Write) -> None:
    plain = one(write())
    assert one(write(ANN.encode("utf-8-sig"), TEXT.encode("utf-8-sig"))) == plain
    assert one(write(ANN, TEXT.encode("utf-16"))) == plain


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (ANN, True),
        ("#1\tAnnotatorNotes T1\tsure?\n", True),
        ("T1\tDrug 0 4\tFish\nT2\tDr", True),  # cut by the end of the head
        ("T1\tDrug 0 4\tFish\nprose\nT2\tDrug 0 4\tFish\n", False),
        ("T1\tFish oil\tThins blood.\n", False),
        ("7\t0\t8\tFish oil\tChemical\tD005395\n", False),
        ("# Oil\n\nThin.\n", False),
        ("", False),
    ],
)
def test_told_by_content(head: str, expected: bool) -> None:
    assert brat.sniff(head) is expected


@given(st.text(max_size=60), st.binary(max_size=20), st.integers(0, len(ANN)))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise(write: Write, text: str, noise: bytes, at: int) -> None:
    sample = ANN.encode()
    path = write(sample[:at] + noise + sample[at:], (TEXT[:20] + text + TEXT[20:]).encode("utf-8", "replace"))
    with suppress(UsageError):  # the noise may make another format of it
        for item in sources.annotated(path):
            str(item).encode()
            for mention in item.mentions if isinstance(item, Reading) else ():
                assert item.document.text[mention.start : mention.end] == mention.text  # type: ignore[union-attr]
