"""The words of the project: identity, spans, and the merging of mentions."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline import errors
from pipeline.types import Document, Mention, Section, Span, content_id, merge_mentions


def mention(start: int, end: int, by: str = "x") -> Mention:
    return Mention(start, end, "d", "t" * (end - start), "T", 1.0, by)


def test_ids_depend_on_how_parts_are_divided_and_on_nothing_else() -> None:
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("a") == content_id("a")
    assert content_id("\ud800") != content_id("\ud801")


def test_a_digest_tells_content_not_domain() -> None:
    paper = Document("d", "Title\nText", (Section(0, 5, "title"),), "1985-04")
    assert replace(paper, domain="ai").digest == paper.digest
    for change in ({"text": "Title\nTexts"}, {"date": "1985"}, {"status": "retracted"}, {"journal": "J"}):
        assert replace(paper, **change).digest != paper.digest


def test_title_and_year() -> None:
    paper = Document("d", "Title\nText", (Section(0, 5, "title"),), "1985-04")
    assert (paper.title, paper.year) == ("Title", 1985)
    assert (replace(paper, sections=()).title, replace(paper, date="").year) == ("Title", None)


def test_spans() -> None:
    assert Span(0, 2).overlaps(Span(1, 3))
    assert not Span(0, 2).overlaps(Span(2, 3))
    assert Span(0, 3).covers(Span(1, 3))
    assert not Span(1, 3).covers(Span(0, 3))


def test_the_longer_mention_wins_within_a_layer_and_the_earlier_layer_over_a_later() -> None:
    short, long, later = mention(0, 4), mention(0, 9), mention(3, 20, "later")
    assert merge_mentions([short, long], [later]) == (long,)
    assert merge_mentions([short], [later]) == (short,)
    assert merge_mentions([later], [mention(20, 22)]) == (later, mention(20, 22))


spans = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda pair: mention(pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=20), st.lists(spans, max_size=20))
def test_merged_mentions_are_ordered_apart_and_leave_no_room(first: list[Mention], second: list[Mention]) -> None:
    merged = merge_mentions(first, second)
    assert all(a.end <= b.start for a, b in itertools.pairwise(merged))
    assert all(any(m.overlaps(kept) for kept in merged) for m in (*first, *second))
    assert all(any(m.overlaps(kept) for kept in merged if kept in first) for m in first)


def test_every_error_is_in_the_tree_that_its_file_draws() -> None:
    def walk(error: type[errors.HypographError]) -> list[type[errors.HypographError]]:
        return [error, *(below for child in error.__subclasses__() for below in walk(child))]

    drawn = errors.__doc__ or ""
    for error in walk(errors.HypographError):
        line = next(line for line in drawn.splitlines() if f"{error.__name__} " in line + " ")
        assert error.__doc__
        if "exit" in line:
            assert f"exit {error.exit_code}" in line
