"""What a tagger learns from: the windows that it will read, tagged as far as their corpus annotates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from extractors.encoder import Encoder
from extractors.tagger import sentence_windows
from extractors.tags import cut, encode, named, sentence_ranges
from extractors.training.teaching import Halves
from pipeline.errors import UsageError
from pipeline.types import Reading


@dataclass(frozen=True, slots=True)
class Lesson:
    """An annotated paper, where known names stand in it, and what teachers say of it: of shape words x tags."""

    reading: Reading
    spans: Sequence[tuple[int, int, str]] = ()
    taught: Halves | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TagExample:
    """One window to learn from: its pieces, the places of the first pieces of its words, their tags, its corpus.

    ``marks`` tell of each piece the type, counted from one, of a known name around it, or zero. ``taught`` is what
    teachers say: probabilities of shape words x tags.
    """

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    marks: tuple[int, ...]
    heads: tuple[int, ...]
    tags: tuple[int, ...]
    corpus: int
    taught: Halves | None = field(default=None, compare=False)

    @property
    def silent(self) -> bool:
        """Whether it holds no mention, and no teacher says anything of it."""
        return self.taught is None and not any(self.tags)


def tag_examples(
    encoder: Encoder,
    lessons: Iterable[Lesson],
    names: Sequence[str],
    *,
    known: Sequence[str] = (),
    corpus: int,
    size: int,
    overlap: int,
) -> Iterator[TagExample]:
    """Cut annotated papers into the windows that a tagger reads, one a sentence.

    Of the known names those of ``known`` types are told. Raises UsageError where teachers see other words than the
    encoder.
    """
    for lesson in lessons:
        reading, taught = lesson.reading, lesson.taught
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        if taught is not None and len(taught) != len(pieces.words):
            raise UsageError(
                f"teachers cut {reading.document.id} into {len(taught)} words, encoder {encoder.name} into "
                f"{len(pieces.words)}: take teachers whose encoders split words alike"
            )
        gold = sorted(reading.mentions, key=lambda mention: mention.start - mention.end)
        tags = encode(pieces.words, ((m.start, m.end, m.type) for m in gold), names)
        marks = named(pieces, lesson.spans, known)
        ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
        for window in sentence_windows(pieces, ranges, size=size, overlap=overlap):
            words = range(bisect_left(pieces.heads, window.first), bisect_left(pieces.heads, window.last))
            if not words:  # in the midst of an endless one
                continue
            yield TagExample(
                pieces.ids[window.start : window.end],
                pieces.shapes[window.start : window.end],
                tuple(marks[window.start : window.end]),
                tuple(pieces.heads[word] - window.start for word in words),
                tuple(tags[word] for word in words),
                corpus,
                None if taught is None else taught[words.start : words.stop],
            )


def partial_tags(names: Sequence[str], annotated: Sequence[frozenset[str]]) -> Tensor:
    """What each gold tag of each corpus may stand for: booleans of shape corpora x tags x tags.

    A corpus that does not annotate a type says nothing about it: its ``O`` may be ``O`` or any tag of that type.
    """
    table = torch.eye(len(names), dtype=torch.bool).repeat(len(annotated), 1, 1)
    for number, types in enumerate(annotated):
        table[number, 0] |= torch.tensor([name != "O" and name[2:] not in types for name in names])
    return table
