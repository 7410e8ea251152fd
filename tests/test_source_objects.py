"""JSON objects out of files of every shape, and our own fields in them."""

from __future__ import annotations

import json
import tracemalloc
from itertools import islice
from typing import Any

import answers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import jsonl
from pipeline.sources.shared import objects, stream
from pipeline.sources.shared.stream import Unreadable
from pipeline.types import Document, Failure

ROWS = [{"id": "a", "n": 1}, {"id": "b", "text": 'brackets } ] " \\ in a string'}, {"id": "c", "list": [{"id": "d"}]}]
SHAPES = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "lines, the last one ended": "\n".join(map(json.dumps, ROWS)) + "\n\n",
    "windows lines": "\r\n".join(map(json.dumps, ROWS)),
    "indented objects": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "one line": "".join(map(json.dumps, ROWS)),
    "array": json.dumps(ROWS),
    "indented array": json.dumps(ROWS, indent=1),
    "array of lines": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
}
PAGE = {"status": "ok", "page": {"id": "no record"}, "message": {"total": 3, "items": ROWS, "query": {"id": "none"}}}


def found(content: str | bytes, inside: tuple[str, ...] = ()) -> list[Any]:
    return [record for _, record in objects.records(answers.open_stream(content), inside)]


def places(content: str, inside: tuple[str, ...] = ()) -> list[str]:
    return [place for place, _ in objects.records(answers.open_stream(content), inside)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 16])
def test_every_shape_gives_the_same_objects(shape: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_CHUNK", chunk)
    assert found(SHAPES[shape]) == ROWS
    assert found(SHAPES[shape], ("message", "items")) == ROWS


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_records_inside_an_answer(indent: int | None, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_CHUNK", chunk)
    assert found(json.dumps(PAGE, indent=indent), ("message", "items")) == ROWS
    assert found(json.dumps({"message": ROWS[0], "status": "ok"}, indent=indent), ("message", "items")) == [ROWS[0]]
    assert found(json.dumps({"message": "none", "items": 3}), ("message", "items")) == [{"message": "none", "items": 3}]
    assert found('{"items": []}', ("items",)) == []


def test_places() -> None:
    assert places(SHAPES["lines"]) == ["line 1", "line 2", "line 3"]
    assert places(SHAPES["indented objects"]) == ["line 1", "line 5", "line 9"]
    assert places(SHAPES["indented array"]) == ["item 1", "item 2", "item 3"]
    assert places(json.dumps(PAGE), ("message", "items")) == ["item 1", "item 2", "item 3"]
    assert places("\n\n" + SHAPES["lines"].replace("\n", "\n\n"))[-1] == "line 7"


VALUES = st.none() | st.text(max_size=9) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
OBJECTS = st.dictionaries(st.text(max_size=9), VALUES | st.lists(VALUES, max_size=3), max_size=4)


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.sampled_from([None, 0, 3]), st.integers(1, 40), st.booleans())
@settings(deadline=None, max_examples=50)
def test_any_objects_survive(rows: list[dict[str, Any]], indent: int | None, chunk: int, ascii_only: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "_CHUNK", chunk)
        written = [json.dumps(row, indent=indent, ensure_ascii=ascii_only) for row in rows]
        expected = [json.loads(row) for row in written]
        sound = [row.encode("utf-8", "replace").decode() for row in written]
        if sound == written:
            assert found("\n".join(written)) == expected
            assert found(f"[{','.join(written)}]") == expected


BAD = {
    "a key twice": ('{"id": 1, "id": 2}', "has the key 'id' twice in one object"),
    "a key twice, deep inside": ('{"a": [{"x": {"k": 1, "k": 1}}]}', "has the key 'k' twice"),
    "NaN": ('{"id": NaN}', "it holds NaN, which is no number"),
    "Infinity": ('{"id": [-Infinity]}', "it holds -Infinity"),
    "a bad byte": (b'{"id": "caf\xe9"}', "holds the byte 0xe9, which is not UTF-8"),
    "no object": ("[1, 2]", "is no JSON object but '1"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_object_costs_no_other(case: str) -> None:
    bad, reason = BAD[case]
    data = bad if isinstance(bad, bytes) else bad.encode()
    if case != "no object":
        for content in (b'{"id": "x"}\n%s\n{"id": "y"}', b'[{"id": "x"},\n%s,\n{"id": "y"}]'):
            first, middle, last = found(content % data)
            assert (first, last) == ({"id": "x"}, {"id": "y"})
            assert isinstance(middle, Unreadable)
            assert reason in str(middle)
        (alone,) = found(data, ("message", "items"))
        assert reason in str(alone)
    else:
        assert all(reason[:20] in str(item) for item in found(data))


BROKEN_LINES = {
    "cut in the middle": '{"id": "b", "title":',
    "a string without an end": '{"id": "b',
    "no comma": '{"id": "b" "c": 1}',
    "deep": '{"a": ' + "[" * 100_000,
    "many digits": '{"a": ' + "1" * 5000 + "}",
    "a constant": '{"a": nul}',
    "words behind it": '{"a": b} and more',
}


@pytest.mark.parametrize("case", BROKEN_LINES)
@pytest.mark.parametrize("chunk", [50, 1 << 16])
def test_a_broken_line_costs_no_other(case: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_CHUNK", chunk)
    content = f'{{"id": "a"}}\n{BROKEN_LINES[case]}\n{{"id": "c"}}\n{{"id": "d"}}'
    first, middle, *rest = objects.records(answers.open_stream(content))
    assert first == ("line 1", {"id": "a"})
    assert middle[0] == "line 2"
    assert isinstance(middle[1], Unreadable)
    assert rest == [("line 3", {"id": "c"}), ("line 4", {"id": "d"})]


def test_lines_that_swallow_each_other_take_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_WASTE", 5000)
    content = '{"a": [{"b": 1}, {"b": 2},\n' * 100
    *broken, last = answers.items(jsonl, content)
    assert 1 <= len(broken) < 10
    assert all(isinstance(item, Failure) and "cut off" in item.reason for item in broken)
    assert last == Failure("answer", "", "is broken in too many places: the rest is not read")


def test_what_stands_behind_an_object_is_told() -> None:
    first, behind, last = objects.records(answers.open_stream('{"id": "a"} and more\n{"id": "b"}'))
    assert (first[1], last[1]) == ({"id": "a"}, {"id": "b"})
    assert str(behind[1]) == "is no JSON object but 'and more'"


@pytest.mark.parametrize("inside", [(), ("message", "items")])
@pytest.mark.parametrize("shape", ["array", "indented array", "page"])
def test_a_cut_end_keeps_what_came_before(shape: str, inside: tuple[str, ...]) -> None:
    content = json.dumps(PAGE) if shape == "page" else SHAPES[shape]
    if shape == "page" and not inside:
        ((place, error),) = objects.records(answers.open_stream(content[:-30]))
        assert (place, str(error)) == ("line 1", "is no JSON: it is cut off at line 1")
        return
    cut = content[: content.index('"id": "c"')]
    reader = objects.records(answers.open_stream(cut), inside)
    assert [record for _, record in islice(reader, 2)] == ROWS[:2]
    with pytest.raises(Unreadable, match="cut off at line"):
        next(reader)


def test_where_an_array_breaks_is_told() -> None:
    broken = '[\n{"id": "a"},\n{"id": "b" "c": 1},\n{"id": "d"}\n]'
    reader = objects.records(answers.open_stream(broken))
    assert next(reader) == ("item 1", {"id": "a"})
    with pytest.raises(Unreadable, match=r"no JSON: Expecting ',' delimiter at line 3, before '\"c\": 1"):
        next(reader)


def test_a_long_record_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_RECORD", 200)
    monkeypatch.setattr(objects, "_CHUNK", 50)
    for long in ('{"id": "%s"}' % ("b" * 5000), '{"id": "%s' % ("b" * 5000)):
        first, middle, last = found(f'{{"id": "a"}}\n{long}\n{{"id": "c"}}')
        assert (first, last) == ({"id": "a"}, {"id": "c"})
        assert "is longer than 200 characters" in str(middle)


def test_an_array_takes_the_memory_of_a_record() -> None:
    row = json.dumps({"id": "a", "text": "oil " * 250})
    content = f"[{','.join([row] * 20_000)}]".encode()
    source = answers.open_stream(content)
    tracemalloc.start()
    try:
        assert sum(1 for _ in objects.records(source)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("wrap", ["%s", "[%s]", "  [\n  %s\n]"])
@pytest.mark.parametrize("indent", [None, 2])
def test_our_own_fields_in_every_shape(wrap: str, indent: int | None) -> None:
    record = {"id": 7, "title": "Fish oil", "abstract": "It thins blood.", "year": 1985}
    paper = answers.paper(jsonl, wrap % json.dumps(record, indent=indent))
    assert (paper.id, paper.text, paper.date) == ("7", "Fish oil\nIt thins blood.", "1985")


def test_tokens_that_no_text_goes_with_are_joined() -> None:
    tokens = ["Fish", "oil", "(", "EPA", ")", "."]
    assert answers.paper(jsonl, json.dumps([{"id": "1", "tokens": tokens}])).text == "Fish oil ( EPA ) ."
    assert answers.paper(jsonl, json.dumps([{"text": "Fish oil (EPA).", "tokens": tokens}])).text == "Fish oil (EPA)."
    assert answers.paper(jsonl, json.dumps([{"title": "Fish oil", "tokens": 512}])).text == "Fish oil"
    failures = answers.items(jsonl, '[{"tokens": []}, {"tokens": 7}]')
    assert len(failures) == 2
    for failure in failures:
        assert isinstance(failure, Failure)
        assert "neither title nor text" in failure.reason


def test_a_bad_record_of_an_array_of_our_own() -> None:
    first, bad, last = answers.items(jsonl, '[{"id": 1, "title": "A"}, {"id": 2}, {"id": 3, "title": "C"}]')
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert bad == Failure("answer", "item 2", "has neither title nor text; what it has is 'id'")


@pytest.mark.parametrize(
    "head", ["{1,3}-Diols and their salts", "[The use of echo]", "[1, 2]", "[[1]]", "id,title", ""]
)
def test_what_is_no_json(head: str) -> None:
    assert not jsonl.sniff(head)
