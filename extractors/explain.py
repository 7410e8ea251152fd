"""Why the tagger marked a mention: what each word of its window adds to the score, by integrated gradients.

The score of a mention is the probability of all its tags together. Its gradient with respect to the word embeddings is
integrated on the straight way from a window of masks to the real one (Sundararajan et al., ICML 2017): what the
words get adds up to the difference between the two scores, but for the error of the sum over ``steps`` points, which
is told as the convergence delta.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from extractors.adapter import read_adapter
from extractors.base import Extractor
from extractors.classifier import padded
from extractors.pages import render as fill
from extractors.tagger import Tagger, sentence_windows
from extractors.tags import Pieces, Row, Window, cut, encode, sentence_ranges
from extractors.torch_model import TorchModel
from pipeline.errors import UsageError
from pipeline.types import Document, Mention, Reading, Span

SHADES = 5
AT_ONCE = 16  # points of the way that go through the encoder together


@dataclass(frozen=True, slots=True)
class Word:
    """A word, or the text between two, and what it adds to the score; ``target`` is part of the mention."""

    text: str
    value: float | None
    target: bool = False
    shade: str = ""


@dataclass(frozen=True, slots=True)
class Attribution:
    """A mention with the words of its window; ``score`` is of the window, ``baseline`` of as many masks.

    ``delta`` is the sum of all values less the difference of the two: how far the sum over points is off.
    """

    mention: Mention
    score: float
    baseline: float
    delta: float
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """A document's attributions in reading order, and of how many mentions they are the least sure."""

    document: Document
    attributions: tuple[Attribution, ...]
    mentions: int


class Explainer:
    """Explains what a tagger found: of each document the ``most`` mentions that it was least sure of.

    The ``dictionary`` is the one whose names the tagger was told of.
    """

    def __init__(self, tagger: Tagger, *, dictionary: Extractor | None = None, steps: int = 32, most: int = 10) -> None:
        if find_spec("captum") is None:
            raise UsageError("explaining needs the package captum: pip install 'hypograph[train]'")
        if steps < 1 or most < 1:
            raise UsageError(f"explaining in {steps} steps at most {most} mentions a document: both must be at least 1")
        if not isinstance(tagger.model, TorchModel):
            raise TypeError("only a model that torch runs has gradients: use Explainer.load")
        self.tagger = tagger
        self.model = tagger.model
        self.dictionary = dictionary
        self.steps = steps
        self.most = most

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        dictionary: Extractor | None = None,
        steps: int = 32,
        most: int = 10,
        device: str = "auto",
    ) -> Explainer:
        """Load the tagger of an adapter; raises UsageError where captum is missing."""
        adapter = read_adapter(name, kind="tagger")
        model = TorchModel.load(adapter, device)
        return cls(Tagger.of(adapter, model), dictionary=dictionary, steps=steps, most=most)

    def __call__(self, reading: Reading) -> Explained:
        mine = [mention for mention in reading.mentions if mention.extractor.startswith("tagger:")]
        chosen = sorted(sorted(mine, key=lambda mention: (mention.score, mention.start))[: self.most])
        (pieces,) = cut(self.model.tokens.tokenizer, [reading.document.text])
        ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
        cover = list(sentence_windows(pieces, ranges, size=self.tagger.size, overlap=self.tagger.overlap))
        marks = self._marks(reading, pieces)
        found = tuple(self._explained(reading.document.text, pieces, marks, cover, mention) for mention in chosen)
        return Explained(reading.document, found, len(mine))

    def _marks(self, reading: Reading, pieces: Pieces) -> Sequence[int]:
        """What the tagger was told when it read the text."""
        if self.dictionary is None:
            return ()
        (told,) = self.dictionary([replace(reading, mentions=())])
        return self.tagger.marks(told, pieces)

    def _explained(
        self, text: str, pieces: Pieces, marks: Sequence[int], cover: Sequence[Window], mention: Mention
    ) -> Attribution:
        begins, ends = [word.start for word in pieces.words], [word.end for word in pieces.words]
        first, last = bisect_right(ends, mention.start), bisect_left(begins, mention.end)
        window = next(w for w in cover if w.first <= pieces.heads[first] < w.last)
        words = range(bisect_left(pieces.heads, window.start), bisect_left(pieces.heads, window.end))
        target = range(first, min(last, words.stop))
        span = (mention.start, mention.end, mention.type)
        tags = encode([pieces.words[number] for number in target], [span], self.tagger.names)
        places = [pieces.heads[number] - window.start + 1 for number in target]
        values, score, baseline = self._attribute(_row(pieces, marks, window), places, tags)
        edges = [pieces.heads[number] - window.start for number in words]
        sums = np.add.reduceat(values, edges) if edges else values
        return Attribution(
            mention,
            score,
            baseline,
            float(values.sum()) - (score - baseline),
            tuple(_words(text, [pieces.words[number] for number in words], sums.tolist(), mention)),
        )

    def _attribute(
        self, row: Row, places: Sequence[int], tags: Sequence[int]
    ) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], float, float]:
        """What each piece of a window adds, the score, and that of a window of masks."""
        from captum.attr import LayerIntegratedGradients  # noqa: PLC0415  an optional dependency

        tokens, model, heat = self.model.tokens, self.model.classifier, self.tagger.temperature
        ids, mask, shapes, marks = (part.to(model.head.weight.device) for part in padded([row], tokens, len(row) + 2))
        blank = ids.clone()
        blank[:, 1:-1] = tokens.mask_id

        def score_of(ids: Tensor, mask: Tensor, shapes: Tensor, marks: Tensor) -> Tensor:
            sure: Tensor = (model(ids, mask, shapes, marks)[:, list(places)] / heat).log_softmax(-1)
            return sure[:, range(len(tags)), list(tags)].sum(-1).exp()

        gradients = LayerIntegratedGradients(score_of, model.encoder.get_input_embeddings())
        found = gradients.attribute(
            ids,
            baselines=blank,
            additional_forward_args=(mask, shapes, marks),
            n_steps=self.steps,
            internal_batch_size=AT_ONCE,
        )
        with torch.no_grad():
            score, baseline = (float(score_of(given, mask, shapes, marks)) for given in (ids, blank))
        values = found.detach().double().sum(-1)[0, 1:-1].cpu().numpy()
        return values, score, baseline


def _row(pieces: Pieces, marks: Sequence[int], window: Window) -> Row:
    return Row(*(numbers[window.start : window.end] for numbers in (pieces.ids, pieces.shapes, marks)))


def render(explained: Iterable[Explained], colours: Mapping[str, str], *, title: str, steps: int) -> str:
    """A page of attributions as text; all that comes from papers is escaped. ``colours`` are by type."""
    documents = list(explained)
    types = sorted({each.mention.type for document in documents for each in document.attributions})
    return fill(
        "explain",
        {kind: colours.get(kind, "") for kind in types},
        documents=documents,
        title=title,
        steps=steps,
        shades=SHADES,
        worst=max((abs(each.delta) for document in documents for each in document.attributions), default=0.0),
    )


def _words(text: str, words: Sequence[Span], values: Sequence[float], mention: Mention) -> Iterator[Word]:
    """The words of a window with their values, and the text between them."""
    top = max(map(abs, values), default=0.0) or 1.0
    at = words[0].start if words else 0
    for word, value in zip(words, values, strict=True):
        if at < word.start:
            yield Word(text[at : word.start], None)
        depth = round(SHADES * abs(value) / top)
        shade = f"{'plus' if value > 0 else 'minus'} {'plus' if value > 0 else 'minus'}{depth}" if depth else ""
        yield Word(word.of(text), value, word.overlaps(mention), shade)
        at = word.end
