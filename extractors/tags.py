"""Tags, words and windows: the pure part of reading a text piece by piece.

A *piece* is a sub-word of the encoder's vocabulary, a *word* what its tokenizer splits first (at spaces and
punctuation), a *window* the pieces that the encoder sees at once. Tags are given to words, by their first piece.
Every piece is scored by exactly one window, so that no character is ever cut off.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.types import Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
FORBIDDEN = np.float32(-1e9)
SHAPES = 18
"""How many numbers :func:`shape_of` may give; 0 and 1 are left to special pieces and markers."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text cut into pieces and words.

    ``ids`` holds the vocabulary id of each piece, ``words`` the characters of each word, ``heads`` the number of
    each word's first piece, ``shapes`` what :func:`shape_of` says of the word that each piece belongs to.
    """

    ids: tuple[int, ...]
    words: tuple[Span, ...]
    heads: tuple[int, ...]
    shapes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What the encoder sees at once: one number a piece of each kind, the special pieces at both ends left out.

    ``shapes`` are those of the words, ``marks`` tell the pieces of subjects, or of known names.
    """

    ids: Sequence[int] = ()
    shapes: Sequence[int] = ()
    marks: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Window:
    """The encoder sees the pieces from ``start`` to ``end``; those from ``first`` to ``last`` it scores."""

    start: int
    end: int
    first: int
    last: int


def cut(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Pieces]:
    """Cut texts into pieces; lone surrogates, which tokenizers refuse, are read as unknown characters."""
    clean = [LONE_SURROGATE.sub("\ufffd", text) for text in texts]
    encodings = tokenizer.encode_batch(clean, add_special_tokens=False)
    return [_pieces(text, e.ids, e.offsets, e.word_ids) for text, e in zip(clean, encodings, strict=True)]


def shape_of(text: str, word: Span) -> int:
    """How a word is written, which an encoder that reads lower case alone does not see: one of :data:`SHAPES`, not 0.

    Odd numbers are words after a blank (or at the start), even ones those that touch the word before.

    >>> [shape_of("Mn and mRNA-1", Span(*span)) for span in [(0, 2), (3, 6), (7, 11), (11, 12), (12, 13)]]
    [5, 3, 9, 14, 12]
    """
    form = word.of(text)
    if form.isalpha():
        kind = 1 if form.islower() else 2 if form.istitle() and len(form) > 1 else 3 if form.isupper() else 4
        kind = 5 if kind == 3 and len(form) == 1 else kind
    else:
        kind = 6 if form.isdigit() else 7 if not form.isalnum() else 8
    glued = word.start > 0 and not text[word.start - 1].isspace()
    return 2 * kind + (0 if glued else 1)


def sentence_ranges(pieces: Pieces, starts: Iterable[int]) -> list[tuple[int, int]]:
    """Share out all words among sentences, by the characters where these start.

    Returns half-open ranges of words that cover them all: what stands before the first sentence joins it, what
    stands between two joins the earlier one, and a word that a border runs through is not divided.
    """
    begins = [word.start for word in pieces.words]
    cuts = sorted({bisect_left(begins, start) for start in starts} - {0, len(begins)})
    return [pair for pair in zip([0, *cuts], [*cuts, len(begins)], strict=True) if pair[0] < pair[1]]


def windows(start: int, end: int, *, size: int, overlap: int) -> Iterator[Window]:
    """Cover a range of pieces by windows of at most ``size`` that overlap by ``overlap``.

    The border between two windows' scored parts is the middle of what both see.

    >>> [(w.start, w.end, w.first, w.last) for w in windows(0, 10, size=6, overlap=2)]
    [(0, 6, 0, 5), (4, 10, 5, 10)]
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap {overlap} must lie between 0 and the window size {size}")
    first = start
    while end - start > size:
        border = start + size - overlap // 2
        yield Window(start, start + size, first, border)
        start, first = start + size - overlap, border
    yield Window(start, end, first, end)


def tag_names(types: Iterable[str], scheme: str = "BIO") -> tuple[str, ...]:
    """The tags of some types, ``O`` first; in ``BIOES`` the last word of a mention, and one alone, have their own.

    >>> tag_names(["Drug"], "BIOES")
    ('O', 'B-Drug', 'I-Drug', 'E-Drug', 'S-Drug')
    """
    return ("O", *(f"{prefix}-{kind}" for kind in types for prefix in scheme if prefix != "O"))


def scheme_of(names: Iterable[str]) -> str:
    """Of which scheme tags are, by whether the last word of a mention has its own."""
    return "BIOES" if any(name.startswith("E-") for name in names) else "BIO"


def encode(words: Sequence[Span], spans: Iterable[tuple[int, int, str]], names: Sequence[str]) -> list[int]:
    """Tag words by typed character spans; a word that a span only cuts belongs to it whole.

    Where spans overlap, the earlier one in the given order keeps its words.

    >>> encode([Span(0, 4), Span(5, 9), Span(10, 12)], [(5, 12, "Drug")], tag_names(["Drug"], "BIOES"))
    [0, 1, 3]
    """
    tags = [0] * len(words)
    begins, ends = [word.start for word in words], [word.end for word in words]
    for start, end, kind in spans:
        first, last = np.searchsorted(ends, start, side="right"), np.searchsorted(begins, end, side="left")
        if first < last and not any(tags[first:last]):
            tags[first:last] = [names.index(f"{prefix}-{kind}") for prefix in _prefixes(int(last - first), names)]
    return tags


def _prefixes(length: int, names: Sequence[str]) -> str:
    """How the tags of a mention of so many words begin."""
    if scheme_of(names) == "BIO":
        return "B" + "I" * (length - 1)
    return "S" if length == 1 else "B" + "I" * (length - 2) + "E"


def decode(tags: Sequence[int], names: Sequence[str]) -> list[tuple[int, int, str]]:
    """Read typed, half-open ranges of words off tags; an ``I`` or ``E`` that continues nothing begins anew.

    >>> decode([0, 1, 2, 1], tag_names(["Drug"]))
    [(1, 3, 'Drug'), (3, 4, 'Drug')]
    """
    found: list[tuple[int, int, str]] = []
    for at, tag in enumerate(tags):
        if not tag:
            continue
        prefix, _, kind = names[tag].partition("-")
        if prefix in "IE" and found and found[-1][1:] == (at, kind) and names[tags[at - 1]][0] in "BI":
            found[-1] = (found[-1][0], at + 1, kind)
        else:
            found.append((at, at + 1, kind))
    return found


def transitions(names: Sequence[str]) -> Floats:
    """Which tag may follow which, as scores to add: 0, or :data:`FORBIDDEN`.

    ``I-X`` and ``E-X`` follow only ``B-X`` and ``I-X``; where there are ``E-X``, those are followed by nothing else.
    """
    closed = scheme_of(names) == "BIOES"

    def legal(before: str, after: str) -> bool:
        within, goes_on = before[0] in "BI", after[0] in "IE"
        return within and before[2:] == after[2:] if goes_on else not (closed and within)

    table = [[0.0 if legal(before, after) else FORBIDDEN for after in names] for before in names]
    return np.array(table, dtype=np.float32)


def best_path(scores: Floats, allowed: Floats) -> list[int]:
    """The likeliest legal tags of one sentence (Viterbi), from log-probabilities of shape words x tags."""
    if not len(scores):
        return []
    best = scores[0] + allowed[0]  # what may start a sentence is what may follow O
    back = np.zeros(scores.shape, dtype=np.intp)
    for at in range(1, len(scores)):
        reached = best[:, None] + allowed
        back[at] = reached.argmax(axis=0)
        best = reached.max(axis=0) + scores[at]
    path = [int((best + allowed[:, 0]).argmax())]  # what may end a sentence is what O may follow
    for at in range(len(scores) - 1, 0, -1):
        path.append(int(back[at, path[-1]]))
    return path[::-1]


def legal_path(scores: Floats, sentences: Sequence[tuple[int, int]], allowed: Floats) -> list[int]:
    """The likeliest legal tags of a text's words, each sentence on its own; the sentences cover all words, in order.

    Most often the likeliest tags of all are legal; only where they are not has a path to be searched.
    """
    tags = scores.argmax(axis=-1)
    begins = [begin for begin, _ in sentences]
    before, after = np.roll(tags, 1), np.roll(tags, -1)
    before[begins] = after[[end - 1 for _, end in sentences]] = 0
    wrong = np.flatnonzero((allowed[before, tags] < 0) | (allowed[tags, after] < 0))
    path: list[int] = tags.tolist()
    for number in set((np.searchsorted(begins, wrong, side="right") - 1).tolist()):
        begin, end = sentences[number]
        path[begin:end] = best_path(scores[begin:end], allowed)
    return path


def named(pieces: Pieces, spans: Iterable[tuple[int, int, str]], types: Sequence[str]) -> list[int]:
    """For each piece the type, counted from one, of a span of characters that its word touches, or zero.

    >>> named(Pieces((7, 8, 9), (Span(0, 4), Span(5, 9)), (0, 2), (1, 1, 1)), [(5, 9, "Drug")], ["Gene", "Drug"])
    [0, 0, 2]
    """
    found = [0] * len(pieces.ids)
    edges = (*pieces.heads, len(pieces.ids))
    begins, ends = [word.start for word in pieces.words], [word.end for word in pieces.words]
    for start, end, kind in spans:
        first, last = edges[bisect_right(ends, start)], edges[bisect_left(begins, end)]
        if kind in types and first < last:
            found[first:last] = [types.index(kind) + 1] * (last - first)
    return found


def log_softmax(scores: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Log-probabilities of scores of shape words x tags."""
    least = scores - scores.max(axis=-1, keepdims=True)
    sure: npt.NDArray[Real] = least - np.log(np.exp(least).sum(axis=-1, keepdims=True))
    return sure


def _pieces(
    text: str, ids: Sequence[int], offsets: Sequence[tuple[int, int]], word_ids: Sequence[int | None]
) -> Pieces:
    heads: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    before: int | None = None
    for at, ((start, end), word) in enumerate(zip(offsets, word_ids, strict=True)):
        if heads and word is not None and word == before:
            ends[-1] = max(ends[-1], end)
        else:
            heads.append(at)
            starts.append(start)
            ends.append(end)
            if text[start : start + 1].isspace():  # byte-level pieces begin with a space
                starts[-1] = end - len(text[start:end].lstrip())
        before = word
    words = tuple(map(Span, starts, ends))
    lengths = np.diff([*heads, len(ids)])
    shapes = np.repeat(np.array([shape_of(text, word) for word in words], dtype=int), lengths)
    return Pieces(tuple(ids), words, tuple(heads), tuple(shapes.tolist()))
