"""Training a tagger: from the windows that it will read, tagged as far as their corpus annotates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn

from extractors.adapter import Adapter
from extractors.calibration import fit_temperature, platt_line
from extractors.classifier import TokenClassifier, padded
from extractors.encoder import Encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger, sentence_windows
from extractors.tags import Row, cut, encode, scheme_of, sentence_ranges, tag_names
from extractors.torch_model import TorchModel
from extractors.training.corpora import Corpus
from extractors.training.plan import Plan
from extractors.training.teaching import Halves, soft_tags
from extractors.training.tuning import begin_head
from pipeline.errors import UsageError
from pipeline.types import Mention, Reading

WINDOW, OVERLAP = 192, 64
SCHEME = "BIOES"
CALIBRATED = 50
"""So many papers of each development corpus fit the temperature."""


@dataclass(frozen=True, slots=True)
class TagExample:
    """One window to learn from: its pieces, the places of the first pieces of its words, their tags, its corpus.

    ``taught`` is what teachers say: probabilities of shape words x tags.
    """

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
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
    readings: Iterable[Reading],
    names: Sequence[str],
    *,
    corpus: int,
    size: int,
    overlap: int,
    taught: Iterable[Halves | None] = repeat(None),
) -> Iterator[TagExample]:
    """Cut annotated readings into the windows that a tagger reads, one a sentence.

    ``taught`` is what :func:`extractors.training.teaching.soft_tags` says of each. Raises UsageError where teachers
    see other words than the encoder.
    """
    for reading, table in zip(readings, taught, strict=False):
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        if table is not None and len(table) != len(pieces.words):
            raise UsageError(
                f"teachers cut {reading.document.id} into {len(table)} words, encoder {encoder.name} into "
                f"{len(pieces.words)}: take teachers whose encoders split words alike"
            )
        spans = sorted(reading.mentions, key=lambda mention: mention.start - mention.end)
        tags = encode(pieces.words, ((m.start, m.end, m.type) for m in spans), names)
        ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
        for window in sentence_windows(pieces, ranges, size=size, overlap=overlap):
            words = range(bisect_left(pieces.heads, window.first), bisect_left(pieces.heads, window.last))
            if not words:  # in the midst of an endless one
                continue
            yield TagExample(
                pieces.ids[window.start : window.end],
                pieces.shapes[window.start : window.end],
                tuple(pieces.heads[word] - window.start for word in words),
                tuple(tags[word] for word in words),
                corpus,
                None if table is None else table[words.start : words.stop],
            )


def partial_tags(names: Sequence[str], annotated: Sequence[frozenset[str]]) -> Tensor:
    """What each gold tag of each corpus may stand for: booleans of shape corpora x tags x tags.

    A corpus that does not annotate a type says nothing about it: its ``O`` may be ``O`` or any tag of that type.
    """
    table = torch.eye(len(names), dtype=torch.bool).repeat(len(annotated), 1, 1)
    for number, types in enumerate(annotated):
        table[number, 0] |= torch.tensor([name != "O" and name[2:] not in types for name in names])
    return table


class TagModel(nn.Module):
    """A classifier with its loss: cross-entropy over the first pieces of words, with partial labels.

    ``allowed`` is what :func:`partial_tags` gives. Some pieces are hidden at random. What teachers say has its share in
    the loss, as a cross-entropy too.
    """

    def __init__(self, classifier: TokenClassifier, allowed: Tensor, plan: Plan, mask_id: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.allowed: Tensor
        self.register_buffer("allowed", allowed, persistent=False)
        self.masked, self.smoothing, self.mask_id = plan.masked, plan.smoothing, mask_id
        self.trust = plan.trust

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, words: Tensor, taught: Tensor | None = None
    ) -> dict[str, Tensor]:
        """``words`` has a column for each word: its row, the place of its first piece, its tag, its corpus;
        ``taught`` (words x tags) what teachers say of it."""
        hidden = (torch.rand(ids.shape, device=ids.device) < self.masked) & (mask == 1)
        rows, heads, tags, corpora = words
        scores = self.classifier(ids.masked_fill(hidden, self.mask_id), mask, shapes)[rows, heads].float()
        loss = tag_loss(scores, self.allowed[corpora, tags], self.smoothing)
        if taught is not None:
            loss = torch.lerp(loss, -(taught * scores.log_softmax(-1)).sum(-1).mean(), self.trust)
        return {"loss": loss}


def tag_loss(scores: Tensor, right: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean negative log-likelihood that one of the right tags holds; scores and booleans of shape words x tags.

    With label smoothing, so much of the target is shared out evenly among all tags.
    """
    total = scores.logsumexp(-1)
    loss = total - scores.masked_fill(~right, -torch.inf).logsumexp(-1)
    if smoothing:
        loss = (1 - smoothing) * loss + smoothing * (total - scores.mean(-1))
    mean: Tensor = loss.mean()
    return mean


class TagTask:
    """What :func:`extractors.training.run.fit` has to know of tagging.

    ``teachers`` are taggers of at least these types; with them a corpus may be one that nobody annotated.
    """

    kind = "tagger"

    def __init__(
        self,
        encoder: Encoder,
        corpora: Sequence[Corpus],
        development: Sequence[Corpus],
        types: Sequence[str],
        teachers: Sequence[Tagger] = (),
    ):
        self.encoder, self.corpora, self.development, self.types = encoder, corpora, development, tuple(types)
        self.names = tag_names(types, SCHEME)
        self.outputs = len(self.names)
        self.markers: tuple[int, ...] = ()
        self.temperature = 1.0
        self.line = (1.0, 0.0)
        self.teachers = teachers

    def classifier(self, plan: Plan) -> TokenClassifier:
        return TokenClassifier(self.encoder, self.outputs, dropout=plan.dropout)

    def items(self, corpora: Sequence[Corpus]) -> list[list[TagExample]]:
        return [list(self._examples(corpus.readings, at, self.teachers)) for at, corpus in enumerate(corpora)]

    def _examples(self, readings: Sequence[Reading], corpus: int, teachers: Sequence[Tagger]) -> Iterator[TagExample]:
        taught = soft_tags(teachers, readings, self.names) if teachers else repeat(None)
        return tag_examples(
            self.encoder, readings, self.names, corpus=corpus, size=WINDOW, overlap=OVERLAP, taught=taught
        )

    def length(self, item: TagExample) -> int:
        return len(item.ids) + 2

    def model(self, classifier: TokenClassifier, plan: Plan) -> TagModel:
        allowed = partial_tags(self.names, [corpus.names for corpus in self.corpora])
        return TagModel(classifier, allowed, plan, self.encoder.mask_id)

    def collate(self, items: Sequence[TagExample]) -> dict[str, Tensor]:
        length = max(map(self.length, items))
        ids, mask, shapes = padded([Row(item.ids, item.shapes) for item in items], self.encoder, length)
        words = [
            (row, head + 1, tag, example.corpus)
            for row, example in enumerate(items)
            for head, tag in zip(example.heads, example.tags, strict=True)
        ]
        batch = {"ids": ids, "mask": mask, "shapes": shapes, "words": torch.tensor(words).T}
        taught = [item.taught for item in items if item.taught is not None]
        return batch | ({"taught": torch.from_numpy(np.concatenate(taught)).float()} if taught else {})

    def score(self, classifier: TokenClassifier) -> dict[str, float]:
        """F1 on each development corpus, over the types that it annotates, and their mean; calibrates the scores."""
        model = TorchModel(self.encoder, classifier)
        self.temperature = self._fitted(model)
        tagger = Tagger(
            model,
            self.types,
            size=WINDOW,
            overlap=OVERLAP,
            fingerprint="training",
            scheme=SCHEME,
            temperature=self.temperature,
        )
        found = [list(tagger(map(_bare, corpus.readings))) for corpus in self.development]
        self.line = mention_line(self.development, found)
        scores = {
            corpus.name: mention_f1(corpus.readings, readings, corpus.names)
            for corpus, readings in zip(self.development, found, strict=True)
        }
        return scores | {"f1": sum(scores.values()) / max(1, len(scores))}

    def _fitted(self, model: TorchModel) -> float:
        """The temperature that makes the gold tags of some development papers likeliest; it changes no tag."""
        some = [
            replace(corpus, readings=tuple(self._known(reading) for reading in corpus.readings[:CALIBRATED]))
            for corpus in self.development
        ]
        groups = [self._examples(corpus.readings, at, ()) for at, corpus in enumerate(some)]
        examples = [example for group in groups for example in group if example.heads]
        allowed = partial_tags(self.names, [corpus.names for corpus in some]).numpy()
        found = dict(model.scores([Row(example.ids, example.shapes) for example in examples]))
        if not found:
            return 1.0
        scores = np.concatenate([found[at][list(example.heads)] for at, example in enumerate(examples)])
        right = np.concatenate([allowed[example.corpus][list(example.tags)] for example in examples])
        return fit_temperature(scores, right)

    def _known(self, reading: Reading) -> Reading:
        """The reading with the mentions that the tagger has a tag for."""
        return replace(reading, mentions=tuple(m for m in reading.mentions if m.type in self.types))

    def start(self, classifier: TokenClassifier, adapter: Adapter) -> None:
        """Begin with the head's rows of another tagger that knows some of these tags."""
        nearest = {"E": "I", "S": "B"} if scheme_of(adapter.tags) == "BIO" else {}
        names = [nearest.get(name[0], name[0]) + name[1:] for name in self.names]
        begin_head(classifier, adapter.tensors, names, adapter.tags)

    def config(self) -> dict[str, object]:
        windows = {"window": WINDOW, "overlap": OVERLAP, "scheme": SCHEME}
        taught = {"teachers": [teacher.fingerprint for teacher in self.teachers]} if self.teachers else {}
        return {"types": list(self.types), **windows, "temperature": self.temperature, "line": self.line, **taught}


def mention_line(corpora: Sequence[Corpus], found: Sequence[Sequence[Reading]]) -> tuple[float, float]:
    """How to scale the scores of the mentions that a tagger found in corpora, of the types that they annotate."""
    judged = [
        (mention.score, _place(mention) in gold)
        for corpus, readings in zip(corpora, found, strict=True)
        for told, reading in zip(corpus.readings, readings, strict=True)
        for gold in [{_place(mention) for mention in told.mentions}]
        for mention in reading.mentions
        if mention.type in corpus.names
    ]
    scores, right = zip(*judged, strict=True) if judged else ((), ())
    return platt_line(scores, right)


def _place(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.type


def _bare(reading: Reading) -> Reading:
    return replace(reading, mentions=())
