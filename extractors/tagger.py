"""Mentions by token classification: an encoder with an adapter tags the words of each sentence."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from extractors.adapter import Adapter, read_adapter
from extractors.adapters import fingerprint
from extractors.agreement import agreed
from extractors.calibration import logit, sigmoid
from extractors.dictionary import FINGERPRINT, dictionary_names
from extractors.model import Model, open_model
from extractors.tags import (
    Floats,
    Pieces,
    Row,
    Window,
    cut,
    decode,
    legal_path,
    log_softmax,
    named,
    scheme_of,
    sentence_ranges,
    tag_names,
    transitions,
    windows,
)
from pipeline.errors import AdapterError
from pipeline.settings import VOCABULARY_THRESHOLD
from pipeline.types import Mention, Reading, merge_mentions

log = logging.getLogger(__name__)


class Tagger:
    """An :class:`extractors.base.Extractor` that adds mentions.

    A mention's score is the probability of all its tags together, after Platt scaling: ``line`` has slope and offset of
    its logit. ``temperature`` is what the model's scores are divided by, so that the probabilities of tags come true as
    often as they say (Guo et al., ICML 2017).

    A name that a dictionary found stays a mention where the tagger gives its type a probability of ``threshold`` or
    more: large vocabularies name much that nobody calls an entity. Of types that it does not know it says nothing.
    Of those that are ``known`` its model is told where the dictionary found their names.

    ``ahead`` is how many readings are read before the first is given back, so that their sentences can be sorted by
    length.
    """

    ahead = 64

    def __init__(  # noqa: PLR0913  a tagger has that many settings
        self,
        model: Model,
        types: Sequence[str],
        *,
        size: int,
        overlap: int,
        fingerprint: str,
        scheme: str = "BIO",
        temperature: float = 1.0,
        line: tuple[float, float] = (1.0, 0.0),
        threshold: float = VOCABULARY_THRESHOLD,
        known: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.names = tag_names(types, scheme)
        self.size = size
        self.overlap = overlap
        self.temperature = temperature
        self.line = line
        self.threshold = threshold
        self.known = known
        self.fingerprint = fingerprint
        self._allowed = transitions(self.names)

    @classmethod
    def load(cls, name: str | Path, *, device: str = "auto", threshold: float = VOCABULARY_THRESHOLD) -> Tagger:
        """Load an adapter by name or folder, over the encoder that it names.

        Raises AdapterError where the adapter is missing, broken, or made for other weights.
        """
        adapter = read_adapter(name, kind="tagger")
        return cls.of(adapter, open_model(adapter, device=device), threshold=threshold)

    @classmethod
    def of(cls, adapter: Adapter, model: Model, *, threshold: float = VOCABULARY_THRESHOLD) -> Tagger:
        """The tagger of an adapter whose model is open."""
        config = adapter.config
        if adapter.outputs != len(adapter.tags):
            raise AdapterError(
                f"adapter {adapter.name} has {len(config['types'])} types, but its head scores {adapter.outputs} tags: "
                "fetch or train it again"
            )
        return cls(
            model,
            config["types"],
            size=config["window"],
            overlap=config["overlap"],
            fingerprint=fingerprint("tagger", adapter.folder, threshold),
            scheme=scheme_of(adapter.tags),
            temperature=config.get("temperature", 1.0),
            line=tuple(config.get("line", (1.0, 0.0))),
            threshold=threshold,
            known=adapter.known,
        )

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        stream = iter(readings)
        while chunk := list(islice(stream, self.ahead)):
            yield from self._read(chunk)

    def _read(self, readings: Sequence[Reading]) -> Iterator[Reading]:
        for reading, (pieces, ranges, table) in zip(readings, self.scores(readings), strict=True):
            found = list(self._mentions(reading, pieces, ranges, table))
            earlier = [old for old in reading.mentions if self._believes(old, pieces, table)]
            yield replace(reading, mentions=joined(found, earlier, unquestioned=not self.threshold))

    def scores(self, readings: Sequence[Reading]) -> Iterator[tuple[Pieces, Sequence[tuple[int, int]], Floats]]:
        """The words of each reading, their ranges that are sentences, and log-probabilities (words x tags).

        These are averaged over the places of a name (:mod:`extractors.agreement`).
        """
        texts = cut(self.model.tokens.tokenizer, [reading.document.text for reading in readings])
        sentences = [
            sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
            for pieces, reading in zip(texts, readings, strict=True)
        ]
        marks = [self.marks(reading, pieces) for reading, pieces in zip(readings, texts, strict=True)]
        tables = self._scores(texts, sentences, marks)
        for reading, pieces, ranges, table in zip(readings, texts, sentences, tables, strict=True):
            words = [word.of(reading.document.text) for word in pieces.words]
            names = [(first, last) for first, last, _ in decode(self._path(table, ranges), self.names)]
            yield pieces, ranges, agreed(words, names, table)

    def marks(self, reading: Reading, pieces: Pieces) -> Sequence[int]:
        """What the model is told of each piece: the type of the known name around it, counted from one, or zero."""
        return named(pieces, dictionary_names(reading), self.known) if self.known else ()

    def _scores(
        self,
        texts: Sequence[Pieces],
        sentences: Sequence[Sequence[tuple[int, int]]],
        marks: Sequence[Sequence[int]],
    ) -> list[Floats]:
        """Log-probabilities of shape words x tags for each text."""
        tables = [np.zeros((len(pieces.words), len(self.names)), dtype=np.float32) for pieces in texts]
        jobs = [
            (at, window)
            for at, (pieces, ranges) in enumerate(zip(texts, sentences, strict=True))
            for window in sentence_windows(pieces, ranges, size=self.size, overlap=self.overlap)
        ]
        rows = [
            Row(*(numbers[window.start : window.end] for numbers in (texts[at].ids, texts[at].shapes, marks[at])))
            for at, window in jobs
        ]
        for number, logits in self.model.scores(rows):
            at, window = jobs[number]
            heads = texts[at].heads
            words = slice(bisect_left(heads, window.first), bisect_left(heads, window.last))
            tables[at][words] = logits[[head - window.start for head in heads[words]]]
        return [log_softmax(table / self.temperature) for table in tables]

    def _mentions(
        self, reading: Reading, pieces: Pieces, sentences: Sequence[tuple[int, int]], table: Floats
    ) -> Iterator[Mention]:
        text = reading.document.text
        path = self._path(table, sentences)
        sure = table[range(len(path)), path]
        slope, offset = self.line
        for first, last, kind in decode(path, self.names):
            likely = logit(np.exp(sure[first:last].sum()))
            start, stop = pieces.words[first].start, pieces.words[last - 1].end
            yield Mention(
                start,
                stop,
                document_id=reading.document.id,
                text=text[start:stop],
                type=kind,
                score=round(float(sigmoid(slope * likely + offset)), 4),
                extractor=self.fingerprint,
            )

    def _believes(self, mention: Mention, pieces: Pieces, table: Floats) -> bool:
        """Whether the words of a mention by the dictionary have its type, with the probability that is asked."""
        own = [at for at, name in enumerate(self.names) if name[2:] == mention.type]
        if not own or not mention.extractor.startswith(FINGERPRINT):
            return True
        first = bisect_right(pieces.words, mention.start, key=lambda word: word.end)
        last = bisect_left(pieces.words, mention.end, key=lambda word: word.start)
        return first < last and float(np.exp(table[first:last, own]).sum(axis=1).mean()) >= self.threshold

    def _path(self, table: Floats, sentences: Sequence[tuple[int, int]]) -> list[int]:
        """The tag of each word; no mention goes on into the next sentence."""
        return legal_path(table, sentences, self._allowed)


def sentence_windows(
    pieces: Pieces, sentences: Iterable[tuple[int, int]], *, size: int, overlap: int
) -> Iterator[Window]:
    """One window a sentence, several that overlap for one of more than ``size`` pieces."""
    edges = (*pieces.heads, len(pieces.ids))
    for begin, end in sentences:
        yield from windows(edges[begin], edges[end], size=size, overlap=overlap)


def joined(found: Sequence[Mention], earlier: Sequence[Mention], *, unquestioned: bool = False) -> tuple[Mention, ...]:
    """Join what the tagger found with the mentions that a reading had.

    What was found wins over an earlier mention that it overlaps, unless that one is already linked to a concept
    and covers it: a name that a vocabulary knows whole beats a guess within it. Where vocabularies are not to be
    questioned all that is linked wins.
    """
    linked = [old for old in earlier if old.concept_id and (unquestioned or any(old.covers(new) for new in found))]
    return merge_mentions(linked, found, earlier)
