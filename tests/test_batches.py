"""Batches: nothing is lost, no budget is exceeded, and the draws are the same on every machine."""

from __future__ import annotations

import logging
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.batches import batches, chance_of, drawn, evened, packed

LENGTHS = st.lists(st.integers(1, 50))


@given(LENGTHS, st.integers(1, 100))
def test_batches_hold_each_item_once_and_keep_the_limit(lengths: list[int], tokens: int) -> None:
    items = list(enumerate(lengths))
    found = batches(items, lambda item: item[1], tokens=tokens, chance=chance_of(0))
    assert sorted(item for batch in found for item in batch) == items
    assert all(len(batch) == 1 or max(length for _, length in batch) * len(batch) <= tokens for batch in found)


def test_packing_keeps_the_order() -> None:
    assert list(packed([1, 2, 3, 9, 1], lambda item: item, 6)) == [[1, 2], [3], [9], [1]]


def test_a_share_of_a_corpus_is_drawn_anew() -> None:
    seen = drawn([[1, 2], [3, 4, 5, 6], [7]], [1.0, 0.5, 2.0], chance_of(0))
    assert (seen[:2], len(set(seen[2:4])), set(seen[2:4]) <= {3, 4, 5, 6}, seen[4:]) == ([1, 2], 2, True, [7, 7])
    assert len({tuple(drawn([range(9)], [0.5], chance_of(seed))) for seed in range(9)}) > 1


def test_draws_are_the_same_everywhere() -> None:
    assert batches(range(1, 9), lambda item: item, tokens=12, chance=chance_of(7)) == [[4, 5], [7], [6], [1, 2, 3], [8]]


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(0, 9))
def test_more_batches_are_had_by_dividing_some(found: list[list[int]], more: int) -> None:
    done = evened(found, len(found) + more)
    assert len(done) == len(found) + more
    assert all(done)
    items = list(chain.from_iterable(found))
    seen = list(chain.from_iterable(done))
    assert seen[: len(items)] == items
    assert len(seen) == len(items) or all(len(batch) == 1 for batch in done)
    assert max(map(len, done)) <= max(map(len, found))


def test_what_is_too_much_for_an_epoch_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert evened([[1], [2], [3]], 2) == [[1], [2]]
    assert "1 of 3 batches are left out of this epoch" in caplog.text
