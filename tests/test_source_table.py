"""Tables as Excel workbooks, as Parquet, and as lines without a header; CSV has its tests with the other formats."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from pipeline.sources import parquet, workbook
from pipeline.sources.shared.stream import Stream, Unreadable
from pipeline.sources.shared.unpack import BROKEN, streams
from pipeline.sources.table import Table
from pipeline.types import Document, Failure

HEADER = ["PMID", "Article Title", "Abstract", "Year", "Reviewer"]
ROWS: list[list[Any]] = [
    [7, "Fish oil", "It thins blood.", datetime(1985, 4, 2), "x"],
    [8.0, "Iron", None, 1990, None],
    ["9", "Tin", float("nan"), "1991", True],
]


def read(path: Path, columns: Mapping[str, str] | None = None) -> list[Document | Failure]:
    table = Table(columns or {})
    found: list[Document | Failure] = []
    for stream in streams(path):
        assert isinstance(stream, Stream)
        assert table.sniff(stream.head)
        found += table.read(stream, "x")
    return found


def papers(path: Path, columns: Mapping[str, str] | None = None) -> list[Document]:
    found = read(path, columns)
    assert all(isinstance(item, Document) for item in found), found
    return [item for item in found if isinstance(item, Document)]


def save(path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append([None if cell != cell else cell for cell in row])  # noqa: PLR0124
    book.save(path)
    return path


def repacked(path: Path, **changes: str) -> Path:
    """A workbook with parts changed: slashes and dots in their names are written as __ and _xml."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (parts | {k.replace("__", "/") + ".xml": v.encode() for k, v in changes.items()}).items():
            archive.writestr(name, content)
    return path


def check_papers(found: list[Document]) -> None:
    assert [(d.id, d.text, d.date) for d in found] == [
        ("7", "Fish oil\nIt thins blood.", "1985-04-02"),
        ("8", "Iron", "1990"),
        ("9", "Tin", "1991"),
    ]
    assert found[0].ids == ("pmid:7",)


def test_a_workbook(tmp_path: Path) -> None:
    check_papers(papers(save(tmp_path / "a.xlsx", {"Papers": [HEADER, *ROWS]})))


def test_the_first_sheet_with_a_known_header(tmp_path: Path) -> None:
    notes: list[list[Any]] = [["Our review"], ["by us", 3]]
    titled: list[list[Any]] = [["Search of 2020"], [], ["PubMed", None, "ours"], HEADER, ROWS[0], [None] * 5, *ROWS[1:]]
    path = save(tmp_path / "a.xlsx", {"Notes": notes, "Empty": [], "Found": titled, "Other": [["title"], ["Lead"]]})
    check_papers(papers(path))
    (missing,) = _failed(save(path, {"Notes": notes, "Data": [["Key", "Heading"], [1, "Oil"]]}))
    assert missing == "has no column for title, abstract or text: map one of its columns, 'by us', '3'"
    (mapped,) = papers(path, {"title": "heading"})
    assert mapped.text == "Oil"


def test_a_bad_row_costs_no_other(tmp_path: Path) -> None:
    rows = [HEADER, ROWS[0], [1, None, " "], ROWS[1]]
    first, failure, last = read(save(tmp_path / "a.xlsx", {"Papers": rows}))
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(failure, Failure)
    assert (failure.place, failure.reason[:30]) == ("sheet 'Papers', row 3", "has neither title nor text; wh")


def test_formulas_give_the_value_last_shown(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", {"Papers": [["title", "abstract"], ["Oil", "x"]]})
    cell = '<c r="B2" t="str"><f>A2&amp;" thins"</f><v>Oil thins</v></c>'
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    head, _, _ = sheet.partition('<c r="B2"')
    (found,) = papers(repacked(path, xl__worksheets__sheet1=f"{head}{cell}</row></sheetData></worksheet>"))
    assert found.text == "Oil\nOil thins"


def test_what_pandas_writes(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"title": ["Oil", "Iron"], "year": pd.to_datetime(["1985-04-02", "1990-01-01"]), "pmid": [7, 8]}
    )
    frame.to_excel(tmp_path / "a.xlsx")
    frame.to_parquet(tmp_path / "a.parquet")
    for name in ("a.xlsx", "a.parquet"):
        found = papers(tmp_path / name)
        assert [(d.id, d.text, d.date) for d in found] == [("7", "Oil", "1985-04-02"), ("8", "Iron", "1990-01-01")]


def test_old_and_encrypted_workbooks_are_refused(tmp_path: Path) -> None:
    mark = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
    for inside, reason in (
        ("EncryptedPackage", "is encrypted: save it without a password"),
        ("Workbook", "is an old Excel workbook (.xls): save it as .xlsx or CSV"),
        ("WordDocument", "is an old Office file (.doc, .ppt): save it in today's format or as text"),
    ):
        path = tmp_path / "a.xls"
        path.write_bytes(mark + inside.encode("utf-16-le") + bytes(64))
        assert _failed(path) == [reason]


def test_bombs_and_false_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.xlsx", {"Papers": [HEADER, *ROWS]})
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    huge = sheet.replace('<dimension ref="A1:E4"', '<dimension ref="A1:XFD1048576"')
    assert huge != sheet
    check_papers(papers(repacked(path, xl__worksheets__sheet1=huge)))
    far = sheet.replace('<row r="4"', '<row r="99999999"')
    reason = "has a sheet of more than 1,048,576 rows or 50,000,000 cells: save it as CSV"
    assert _failed(repacked(path, xl__worksheets__sheet1=far)) == [reason]
    entities = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    bomb = f"{entities}]>{sheet.replace('Fish oil', '&i;')}"
    assert bomb.count("&i;") == 1
    (reason,) = _failed(repacked(path, xl__worksheets__sheet1=bomb))
    assert reason.startswith("is no sound workbook: ")
    monkeypatch.setattr(workbook, "_MAX_SHEET", 10)
    assert _failed(path) == ["unpacks xl/worksheets/sheet1.xml to more than 10 bytes: save it as CSV"]


def test_other_office_documents_are_left_alone() -> None:
    assert not workbook.sniff("PK\3\4\x14\0[Content_Types].xml ... word/document.xml")
    assert workbook.sniff("PK\3\4\x14\0[Content_Types].xml ... xl/workbook.xml")


def test_parquet_of_every_type(tmp_path: Path) -> None:
    table = pa.table(
        {
            "PMID": pa.array([7, 8, None], pa.int64()),
            "Title": pa.array(["Fish oil", "Iron", ""]).dictionary_encode(),
            "Abstract": pa.array([b"It thins blood.", None, b""], pa.binary()),
            "Date": pa.array([datetime(1985, 4, 2), None, None], pa.timestamp("us")),
            "Year": pa.array([1985.0, 1990.0, float("nan")]),
            "Authors": pa.array([["Ann Dyer", "Bo Moss"], [], None]),
            "Journal": pa.array([Decimal("1.5"), None, None]),
            "Extra": pa.array([{"a": 1}, None, None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    first, second, failure = read(tmp_path / "a.parquet")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.id, first.text, first.date) == ("7", "Fish oil\nIt thins blood.", "1985-04-02")
    assert (first.authors, first.journal) == (("Ann Dyer", "Bo Moss"), "1.5")
    assert (second.id, second.text, second.date) == ("8", "Iron", "1990")
    assert isinstance(failure, Failure)
    assert (failure.place, failure.reason[:26]) == ("row 3", "has neither title nor text")


def test_parquet_from_a_packed_file_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"title": ["Oil"] * 2500, "id": [str(n) for n in range(2500)]}), path)
    plain = papers(path)
    assert [document.id for document in plain] == [str(n) for n in range(2500)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "a.parquet")
    assert papers(tmp_path / "a.zip") == plain


def test_parquet_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"heading": ["Oil"]}), path)
    assert _failed(path) == ["has no column for title, abstract or text: map one of its columns, 'heading'"]
    assert [d.text for d in papers(path, {"title": "Heading"})] == ["Oil"]
    monkeypatch.setattr(parquet, "MAX_GROUP", 10)
    (reason,) = _failed(path, {"title": "Heading"})
    assert reason.endswith("bytes: write it with smaller row groups")
    path.write_bytes(path.read_bytes()[:-8])
    (reason,) = _failed(path)
    assert reason.startswith("is no sound Parquet file: ")


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise(name: str, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / name
    if not (tmp_path / "sound").exists():
        if name == "a.xlsx":
            save(tmp_path / "sound", {"Papers": [HEADER, *ROWS]})
        else:
            pq.write_table(pa.table({"title": ["Oil", "Iron"], "id": [1, 2]}), tmp_path / "sound")
    noisy = bytearray((tmp_path / "sound").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, 5000)) % len(noisy)
        noisy[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path.write_bytes(bytes(noisy))
    with suppress(*BROKEN):
        for stream in streams(path):
            if isinstance(stream, Stream) and Table().sniff(stream.head):
                for item in Table().read(stream, "x"):
                    str(item).encode()


LONG = "Fish oil thins blood, and does so in most of those who take it daily."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"17651117\tOn fish oil\t{LONG}\n", ("17651117", ("pmid:17651117",))),
        (f"1\tOn fish oil\t{LONG}\n2\tOn iron\t{LONG}\n", ("1", ())),
    ],
)
def test_lines_without_a_header(content: str, expected: tuple[str, tuple[str, ...]], tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(content)
    found = papers(path)
    assert (found[0].id, found[0].ids) == expected
    assert found[0].text == f"On fish oil\n{LONG}"
    assert len(found) == content.count("\n")


@pytest.mark.parametrize(
    "content",
    [
        "17651117\tT1\tCHEMICAL\t1\t4\tOil\n",
        "17651117\tINHIBITOR\tArg1:T1\n17651118\tINHIBITOR\tArg1:T1\n17651118\tINHIBITOR\tArg1:T1\n",
        f"a\tOn fish oil\t{LONG}\nb\tOn fish oil\t{LONG}\nc\tOn fish oil\t{LONG}\n",
    ],
)
def test_other_lines_without_a_header_are_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(content * 3)
    assert _failed(path)[0].startswith("has no column for title, abstract or text")


def test_drugprot_abstracts(shared_data: Path) -> None:
    folder = shared_data / "drugprot"
    first = papers(folder / "drugprot_development_seen_abstracs.tsv")
    second = papers(folder / "drugprot_training_subset_abstracts.tsv")
    assert (len(first), len(second)) == (508, 1124)
    assert all(document.ids == (f"pmid:{document.id}",) for document in (*first, *second))
    texts = {document.id: document.text for document in (*first, *second)}
    checked = 0
    for name in ("development_seen", "training_subset"):
        for row in (folder / f"drugprot_{name}_entities.tsv").read_text("utf-8").splitlines():
            pmid, _, _, start, end, said = row.split("\t")
            assert texts[pmid][int(start) : int(end)] == said
            checked += 1
    assert checked == 28_584 + 12_735


def _failed(path: Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """The reason why a whole table cannot be read."""

    def reasons() -> Iterator[str]:
        try:
            yield from (item.reason for item in read(path, columns) if isinstance(item, Failure))
        except Unreadable as error:
            yield str(error)

    return list(reasons())


def test_values_keep_their_days() -> None:
    table = pa.table({"title": ["Oil"], "date": pa.array([date(1985, 4, 2)])})
    data = io.BytesIO()
    pq.write_table(table, data)
    stream = Stream("x", io.BufferedReader(io.BytesIO(data.getvalue())))
    (found,) = Table().read(stream, "x")
    assert isinstance(found, Document)
    assert found.date == "1985-04-02"
