"""Mentions by token classification: an encoder with an adapter tags the words of each sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from extractors.adapter import TokenClassifier, load_model, predict, read_adapter
from extractors.adapters import fingerprint
from extractors.encoder import Encoder
from extractors.tags import (
    Floats,
    Pieces,
    Window,
    best_path,
    cut,
    decode,
    sentence_ranges,
    tag_names,
    transitions,
    windows,
)
from pipeline.types import Mention, Reading, merge_mentions

log = logging.getLogger(__name__)


class Tagger:
    """An :class:`extractors.base.Extractor` that adds mentions.

    ``batch_tokens`` bounds the pieces in one pass of the encoder, padding counted; ``ahead`` how many readings are
    read before the first is given back, so that their sentences can be sorted by length.
    """

    batch_tokens = 4096
    ahead = 64

    def __init__(
        self,
        encoder: Encoder,
        model: TokenClassifier,
        types: Sequence[str],
        *,
        size: int,
        overlap: int,
        fingerprint: str,
    ) -> None:
        self.encoder = encoder
        self.model = model
        self.names = tag_names(types)
        self.size = size
        self.overlap = overlap
        self.fingerprint = fingerprint
        self._allowed = transitions(self.names)

    @classmethod
    def load(cls, name: str | Path, *, encoder: Encoder | None = None, device: str = "auto") -> Tagger:
        """Load an adapter by name or folder, over the encoder that it names (or a copy of it that is at hand).

        Raises AdapterError where the adapter is missing, broken, or made for other weights.
        """
        adapter = read_adapter(name, kind="tagger")
        config = adapter.config
        encoder, model = load_model(adapter, len(config["types"]) * 2 + 1, encoder=encoder, device=device)
        return cls(
            encoder,
            model,
            config["types"],
            size=config["window"],
            overlap=config["overlap"],
            fingerprint=fingerprint("tagger", name),
        )

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        stream = iter(readings)
        while chunk := list(islice(stream, self.ahead)):
            yield from self._read(chunk)

    def _read(self, readings: Sequence[Reading]) -> Iterator[Reading]:
        texts = cut(self.encoder.tokenizer, [reading.document.text for reading in readings])
        sentences = [
            sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
            for pieces, reading in zip(texts, readings, strict=True)
        ]
        scores = self._scores(texts, sentences)
        for reading, pieces, ranges, table in zip(readings, texts, sentences, scores, strict=True):
            found = list(self._mentions(reading, pieces, ranges, table))
            yield replace(reading, mentions=joined(found, reading.mentions))

    def _scores(self, texts: Sequence[Pieces], sentences: Sequence[Sequence[tuple[int, int]]]) -> list[Floats]:
        """Log-probabilities of shape words x tags for each text."""
        tables = [np.zeros((len(pieces.words), len(self.names)), dtype=np.float32) for pieces in texts]
        jobs = [
            (at, window)
            for at, (pieces, ranges) in enumerate(zip(texts, sentences, strict=True))
            for window in sentence_windows(pieces, ranges, size=self.size, overlap=self.overlap)
        ]
        rows = [texts[at].ids[window.start : window.end] for at, window in jobs]
        for number, logits in predict(self.model, self.encoder, rows, tokens=self.batch_tokens):
            at, window = jobs[number]
            heads = np.asarray(texts[at].heads)
            words = slice(*np.searchsorted(heads, [window.first, window.last]))
            tables[at][words] = torch.log_softmax(logits[heads[words] - window.start], dim=-1).numpy()
        return tables

    def _mentions(
        self, reading: Reading, pieces: Pieces, sentences: Sequence[tuple[int, int]], table: Floats
    ) -> Iterator[Mention]:
        text = reading.document.text
        for begin, end in sentences:
            path = best_path(table[begin:end], self._allowed)
            for first, last, kind in decode(path, self.names):
                start, stop = pieces.words[begin + first].start, pieces.words[begin + last - 1].end
                sure = np.exp(table[range(begin + first, begin + last), path[first:last]])
                yield Mention(
                    start,
                    stop,
                    document_id=reading.document.id,
                    text=text[start:stop],
                    type=kind,
                    score=round(float(sure.mean()), 4),
                    extractor=self.fingerprint,
                )


def sentence_windows(
    pieces: Pieces, sentences: Iterable[tuple[int, int]], *, size: int, overlap: int
) -> Iterator[Window]:
    """One window a sentence, several that overlap for one of more than ``size`` pieces."""
    edges = (*pieces.heads, len(pieces.ids))
    for begin, end in sentences:
        yield from windows(edges[begin], edges[end], size=size, overlap=overlap)


def joined(found: Sequence[Mention], earlier: Sequence[Mention]) -> tuple[Mention, ...]:
    """Join what the tagger found with the mentions that a reading had.

    What was found wins over an earlier mention that it overlaps, unless that one is already linked to a concept
    and covers it: a name that a vocabulary knows whole beats a guess within it.
    """
    linked = [old for old in earlier if old.concept_id and any(old.covers(new) for new in found)]
    return merge_mentions(linked, found, earlier)
