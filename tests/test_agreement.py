"""Names of a document agree: by hand, then what holds of any words, names and scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.agreement import agreed
from extractors.tags import log_softmax


def chances(*sure: float) -> np.ndarray:
    """Log-probabilities of O and of a mention."""
    return np.log(np.array([[1 - one, one] for one in sure], dtype=np.float32))


def mention(table: np.ndarray) -> list[float]:
    found: list[float] = np.exp(table)[:, 1].round(3).tolist()
    return found


def test_a_name_found_once_is_told_by_all_its_places() -> None:
    table = agreed(["gout", ".", "Gout", "or", "pain"], [(0, 1)], chances(0.9, 0.1, 0.4, 0.1, 0.3))
    assert mention(table) == pytest.approx([0.65, 0.1, 0.65, 0.1, 0.3])


def test_words_of_a_longer_mention_are_no_place_of_a_shorter_name() -> None:
    words = ["renal", "pain", ",", "pain", ",", "pain"]
    table = agreed(words, [(0, 2), (3, 4)], chances(0.9, 0.8, 0.1, 0.6, 0.1, 0.2))
    assert mention(table) == pytest.approx([0.9, 0.8, 0.1, 0.4, 0.1, 0.4])


def test_a_name_of_several_words_agrees_word_by_word() -> None:
    words = ["Kidney", "failure", "and", "kidney", "failure"]
    table = agreed(words, [(0, 2)], chances(0.9, 0.7, 0.1, 0.5, 0.1))
    assert mention(table) == pytest.approx([0.7, 0.4, 0.1, 0.7, 0.4])


def test_a_name_is_no_part_of_a_word() -> None:
    table = chances(0.9, 0.1)
    assert (agreed(["gout", "gouty"], [(0, 1)], table) == table).all()


def test_nothing_found_changes_nothing() -> None:
    table = chances(0.1, 0.1)
    assert (agreed(["gout", "gout"], [], table) == table).all()
    assert agreed([], [], table[:0]).shape == (0, 2)


@given(st.data())
def test_rows_stay_probabilities_and_same_names_end_alike(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(["a", "A", "b", "ß", "SS"]), min_size=1, max_size=12))
    edges = sorted(data.draw(st.sets(st.integers(0, len(words)))))
    names = list(zip(edges[::2], edges[1::2], strict=False))
    scores = np.array(data.draw(st.lists(st.floats(-8, 8), min_size=3 * len(words), max_size=3 * len(words))))
    table = log_softmax(scores.reshape(-1, 3).astype(np.float32))
    done = agreed(words, names, table)
    assert np.exp(done).sum(-1) == pytest.approx(1, abs=1e-4)
    found = [" ".join(words[first:last]).lower() for first, last in names]
    for (first, last), name in zip(names, found, strict=True):
        for (other, end), same in zip(names, found, strict=True):
            if name == same and not any(f" {name} " in f" {longer} " and name != longer for longer in found):
                assert (done[first:last] == done[other:end]).all()
