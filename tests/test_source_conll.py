"""Columns of tokens and tags: documents, sentences and mentions in every scheme of tags."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import conll
from pipeline.sources.shared import gold
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.types import Document, Failure, Reading

CONLL = """-DOCSTART- -X- -X- O

Fish NN I-NP B-Drug
oil NN I-NP I-Drug
thins VB I-VP O
blood NN I-NP I-Fluid
. . O O

It PRP I-NP O
helps VB I-VP O

-DOCSTART- -X- -X- O

Oil NN I-NP B-Drug
"""
IDS = "# id = a1\n# text = Oil\nOil\tB-Drug\n\n# id = a2\n#\tO\n1\tO\nblood\tB-Fluid\n"


def read(text: str | bytes) -> list[Reading | Failure]:
    data = text if isinstance(text, bytes) else text.encode()
    return list(conll.read_annotated(Stream("x", io.BufferedReader(io.BytesIO(data))), "x"))


def readings(text: str) -> list[Reading]:
    assert conll.sniff(text)
    found = read(text)
    assert all(isinstance(item, Reading) for item in found), found
    return [item for item in found if isinstance(item, Reading)]


def test_documents_sentences_and_mentions() -> None:
    first, second = readings(CONLL)
    text = first.document.text
    assert (text, second.document.text) == ("Fish oil thins blood . It helps", "Oil")
    assert [s.of(text) for s in first.sentences] == ["Fish oil thins blood .", "It helps"]
    assert [(m.start, m.text, m.type) for m in first.mentions] == [(0, "Fish oil", "Drug"), (15, "blood", "Fluid")]
    assert all(m.document_id == first.document.id for m in first.mentions)
    assert first.document.id.startswith("text:")
    stream = Stream("x", io.BufferedReader(io.BytesIO(CONLL.encode())))
    assert list(conll.read(stream, "x")) == [first.document, second.document]


def test_documents_by_their_ids() -> None:
    first, second = readings(IDS)
    assert [(r.document.id, r.document.text) for r in (first, second)] == [("a1", "Oil"), ("a2", "# 1 blood")]
    (named,) = readings("-DOCSTART-\t(10194428)\tO\n\nOil\tB-Drug\nis\tO\nthin\tO\n")
    assert named.document.id == "10194428"


def test_without_any_mark_the_file_is_one_document() -> None:
    (found,) = readings("Oil B-Drug\nthins O\n\n\n\nblood B-Fluid")
    assert (found.document.text, len(found.sentences)) == ("Oil thins blood", 2)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-A I-A B-A O", [(0, 1, "A"), (2, 2, "A")]),  # IOB1
        ("B-A I-A B-A I-B", [(0, 1, "A"), (2, 2, "A"), (3, 3, "B")]),
        ("B-A E-A S-A E-A", [(0, 1, "A"), (2, 2, "A"), (3, 3, "A")]),  # IOBES
        ("U-A B-A I-A L-A", [(0, 0, "A"), (1, 3, "A")]),  # BILOU
        ("B-A O I-A O", [(0, 0, "A"), (2, 2, "A")]),
        ("B-x-y I-x-y O O", [(0, 1, "x-y")]),
        ("O O O O", []),
    ],
)
def test_every_scheme(tags: str, expected: list[tuple[int, int, str]]) -> None:
    assert list(gold.tagged(tags.split())) == expected


def test_mentions_end_with_their_sentence() -> None:
    (found,) = readings("Fish B-Drug\noil I-Drug\n\noil I-Drug\nthins O\n")
    assert [m.text for m in found.mentions] == ["Fish oil", "oil"]


def test_a_bad_line_costs_no_other() -> None:
    text = "Oil B-Drug\nthins O\nfast O\nbroken\nand bad\nblood B-Fluid\n"
    found, first, second = read(text)
    assert isinstance(found, Reading)
    assert found.document.text == "Oil thins fast broken and blood"
    assert [m.text for m in found.mentions] == ["Oil", "blood"]
    assert [(f.place, f.reason) for f in (first, second) if isinstance(f, Failure)] == [
        ("line 4", "has no tag such as O or B-Gene at its end: 'broken'"),
        ("line 5", "has no tag such as O or B-Gene at its end: 'and bad'"),
    ]
    damaged = read(b"# id = a\nOil B-Drug\nth\xfcns O\nfast O\n# id = b\nblood O\n")
    assert [item.document.text for item in damaged if isinstance(item, Reading)] == ["Oil fast", "blood"]
    assert [item.place for item in damaged if isinstance(item, Failure)] == ["line 3"]


def test_marks_and_line_breaks() -> None:
    plain = read(IDS)
    assert read(IDS.encode("utf-8-sig")) == plain
    assert read(IDS.encode("utf-16")) == plain
    assert read(IDS.replace("\n", "\r\n")) == plain
    assert read("") == read("\n\n") == []


@pytest.mark.parametrize(
    "head",
    [
        "Oil\nBlood\nThin\n",
        "Vitamins A and O\nare many O\n",
        "token\ttag\nOil\tB-Drug\nthins\tO\n",
        "Oil B-Drug\nthins fast O\nblood O\n",
        "# Oil\n\n## Results\n\nThin.",
        "1\tOil\toil\tNOUN\t_\t_\t0\troot\t_\t_\n" * 4,  # CoNLL-U
        "",
    ],
)
def test_other_formats_are_left_alone(head: str) -> None:
    assert not conll.sniff(head)


def test_a_long_file_is_known_by_its_beginning() -> None:
    assert conll.sniff(("Oil NN B-Drug\n" * 10_000)[:65_536])


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5),
                st.sampled_from(["O", "B-A", "I-A", "B-B", "S-B"]),
            ),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=80, deadline=None)
def test_every_token_is_in_its_place(sentences: list[list[tuple[str, str]]]) -> None:
    text = "\n\n".join("\n".join(f"{token}\t{tag}" for token, tag in sentence) for sentence in sentences)
    (found,) = read(text)
    assert isinstance(found, Reading)
    document = found.document
    assert document.text == " ".join(token for sentence in sentences for token, _ in sentence)
    assert [s.of(document.text) for s in found.sentences] == [" ".join(t for t, _ in row) for row in sentences]
    assert all(document.text[m.start : m.end] == m.text for m in found.mentions)
    tagged = sum(tag != "O" for sentence in sentences for _, tag in sentence)
    assert sum(len(m.text.split(" ")) for m in found.mentions) == tagged


@given(st.binary(max_size=40), st.integers(0, len(IDS)))
@settings(max_examples=80, deadline=None)
def test_noise(noise: bytes, at: int) -> None:
    sample = IDS.encode()
    try:
        items = read(sample[:at] + noise + sample[at:])
    except (Unreadable, UnicodeError):
        return
    for item in items:
        str(item).encode()
        assert isinstance(item, Reading | Failure)
        assert not isinstance(item, Document)
