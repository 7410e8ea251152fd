"""Words, windows and tags: hand-solved cases, then any text at all."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.encoder import load_encoder
from extractors.tags import (
    FORBIDDEN,
    best_path,
    cut,
    decode,
    encode,
    legal_path,
    sentence_ranges,
    tag_names,
    transitions,
    windows,
)
from pipeline.types import Span

TOKENIZER = load_encoder("minilm").tokenizer
NAMES = tag_names(["Drug", "Ill"])
CLOSED = tag_names(["Drug", "Ill"], "BIOES")
ANY_TEXT = st.text(st.characters(), max_size=3000)  # lone surrogates too


def words_of(text: str) -> list[str]:
    return [word.of(text) for word in cut(TOKENIZER, [text])[0].words]


def test_words_are_cut_at_spaces_and_punctuation() -> None:
    assert words_of("Aspirin-induced\tasthma (NSAID).") == ["Aspirin", "-", "induced", "asthma", "(", "NSAID", ")", "."]


def test_a_long_text_is_not_truncated_nor_a_short_one_padded() -> None:
    long, short = cut(TOKENIZER, ["acid " * 2000, "acid"])
    assert (len(long.words), len(short.ids)) == (2000, 1)


def test_a_special_token_in_a_paper_is_plain_text() -> None:
    (pieces,) = cut(TOKENIZER, ["[SEP] [MASK]"])
    special = {TOKENIZER.token_to_id(name) for name in ("[SEP]", "[MASK]", "[CLS]")}
    assert special.isdisjoint(pieces.ids)


@given(ANY_TEXT)
@settings(max_examples=60, deadline=None)
def test_words_have_exact_offsets_and_miss_no_letter(text: str) -> None:
    (pieces,) = cut(TOKENIZER, [text])
    ends = [0, *(word.end for word in pieces.words)]
    assert all(before <= word.start < word.end for before, word in zip(ends, pieces.words, strict=False))
    covered = {at for word in pieces.words for at in range(word.start, word.end)}
    ascii_letters = {at for at, character in enumerate(text) if character.isascii() and character.isalnum()}
    assert ascii_letters <= covered
    assert list(pieces.heads) == sorted(set(pieces.heads))


@given(ANY_TEXT, st.lists(st.integers(0, 3000)))
@settings(max_examples=60, deadline=None)
def test_sentences_share_out_all_words(text: str, starts: list[int]) -> None:
    (pieces,) = cut(TOKENIZER, [text])
    ranges = sentence_ranges(pieces, starts)
    assert [word for begin, end in ranges for word in range(begin, end)] == list(range(len(pieces.words)))


def test_a_sentence_border_inside_a_word_does_not_divide_it() -> None:
    text = "One two. Three four."
    (pieces,) = cut(TOKENIZER, [text])
    assert sentence_ranges(pieces, [0, 9]) == [(0, 3), (3, 6)]
    assert sentence_ranges(pieces, [5, 11]) == [(0, 2), (2, 4), (4, 6)]
    assert sentence_ranges(pieces, []) == [(0, 6)]


@given(st.integers(0, 500), st.integers(0, 3000), st.integers(1, 200), st.data())
def test_each_piece_is_scored_once_and_seen_where_it_is_scored(
    start: int, length: int, size: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, size - 1))
    found = list(windows(start, start + length, size=size, overlap=overlap))
    assert [at for w in found for at in range(w.first, w.last)] == list(range(start, start + length))
    assert all(w.start <= w.first <= w.last <= w.end <= w.start + size for w in found)


def test_a_border_between_windows_has_context_on_both_sides() -> None:
    first, second = windows(0, 100, size=60, overlap=20)
    assert (first.last, first.end - first.last, second.first - second.start) == (50, 10, 10)


def test_an_overlap_as_large_as_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap 8"):
        list(windows(0, 100, size=8, overlap=8))


@pytest.mark.parametrize("names", [NAMES, CLOSED])
@given(gaps=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(["Drug", "Ill"])), max_size=20))
def test_tags_keep_what_spans_say(names: tuple[str, ...], gaps: list[tuple[int, int, str]]) -> None:
    spans, at = [], 0
    for gap, length, kind in gaps:
        spans.append((at + gap, at + gap + length, kind))
        at += gap + length
    words = [Span(3 * n, 3 * n + 2) for n in range(at)]
    characters = [(3 * first, 3 * last - 1, kind) for first, last, kind in spans]
    tags = encode(words, characters, names)
    assert decode(tags, names) == spans
    steps = transitions(names)[[0, *tags], [*tags, 0]]
    assert not steps.any()


def test_of_overlapping_spans_the_earlier_in_order_keeps_its_words() -> None:
    words = [Span(0, 4), Span(5, 9), Span(10, 14)]
    assert decode(encode(words, [(0, 9, "Drug"), (5, 14, "Ill")], NAMES), NAMES) == [(0, 2, "Drug")]


def test_an_inside_tag_follows_only_its_own_type() -> None:
    table = transitions(NAMES)
    legal = {(NAMES[row], NAMES[column]) for row, column in np.argwhere(table == 0)}
    assert ("B-Drug", "I-Drug") in legal
    assert ("I-Drug", "I-Drug") in legal
    assert {before for before, after in legal if after == "I-Ill"} == {"B-Ill", "I-Ill"}
    assert {after for before, after in legal if before == "O"} == {"O", "B-Drug", "B-Ill"}


def test_where_ends_have_tags_a_mention_begun_goes_on_until_its_end() -> None:
    table = transitions(CLOSED)
    legal = {(CLOSED[row], CLOSED[column]) for row, column in np.argwhere(table == 0)}
    assert {after for before, after in legal if before in ("B-Ill", "I-Ill")} == {"I-Ill", "E-Ill"}
    assert {after[0] for before, after in legal if before in ("O", "E-Ill", "S-Ill")} == {"O", "B", "S"}


@pytest.mark.parametrize("names", [NAMES, CLOSED])
@given(length=st.integers(0, 4), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_best_path_is_the_best_of_all_legal_ones(names: tuple[str, ...], length: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(length, len(names))).astype(np.float32)
    allowed = transitions(names)

    def total(path: tuple[int, ...]) -> float:
        steps = sum(float(allowed[pair]) for pair in pairwise((0, *path, 0)))
        return steps + sum(float(scores[at, tag]) for at, tag in enumerate(path))

    best = max(product(range(len(names)), repeat=length), key=total)
    found = best_path(scores, allowed)
    assert total(tuple(found)) == pytest.approx(total(best))
    assert total(tuple(found)) > FORBIDDEN / 2


@pytest.mark.parametrize("names", [NAMES, CLOSED])
@given(lengths=st.lists(st.integers(1, 6), max_size=8), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_each_sentence_has_the_best_path_of_its_own(names: tuple[str, ...], lengths: list[int], seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(sum(lengths), len(names))).astype(np.float32)
    ends = np.cumsum(lengths).tolist()
    sentences = list(pairwise([0, *ends]))
    allowed = transitions(names)
    alone = [tag for begin, end in sentences for tag in best_path(scores[begin:end], allowed)]
    assert legal_path(scores, sentences, allowed) == alone
