"""Training a tagger: the task, and the loss with partial labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np
import torch
from torch import Tensor, nn

from extractors.adapter import Adapter
from extractors.calibration import fit_temperature, platt_line
from extractors.classifier import TokenClassifier, padded
from extractors.dictionary import Dictionary, dictionary_names
from extractors.encoder import Encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger
from extractors.tags import Row, scheme_of, tag_names
from extractors.torch_model import TorchModel
from extractors.training.corpora import Corpus
from extractors.training.lessons import Lesson, TagExample, partial_tags, tag_examples
from extractors.training.plan import Plan
from extractors.training.teaching import soft_tags
from extractors.training.tuning import begin_head, begin_marks
from pipeline.types import Mention, Reading

WINDOW, OVERLAP = 192, 64
SCHEME = "BIOES"
UNTOLD = " without vocabularies"
CALIBRATED = 50
"""So many papers of each development corpus fit the temperature."""


class TagModel(nn.Module):
    """A classifier with its loss: cross-entropy over the first pieces of words, with partial labels.

    ``allowed`` is what :func:`partial_tags` gives. Some pieces are hidden at random, and some windows do not see which
    names are known. What teachers say has its share in the loss, as a cross-entropy too.
    """

    def __init__(self, classifier: TokenClassifier, allowed: Tensor, plan: Plan, mask_id: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.allowed: Tensor
        self.register_buffer("allowed", allowed, persistent=False)
        self.masked, self.smoothing, self.mask_id = plan.masked, plan.smoothing, mask_id
        self.trust, self.blind = plan.trust, plan.blind

    def forward(
        self, ids: Tensor, mask: Tensor, shapes: Tensor, marks: Tensor, words: Tensor, taught: Tensor | None = None
    ) -> dict[str, Tensor]:
        """``words`` has a column for each word: its row, the place of its first piece, its tag, its corpus;
        ``taught`` (words x tags) what teachers say of it."""
        hidden = (torch.rand(ids.shape, device=ids.device) < self.masked) & (mask == 1)
        rows, heads, tags, corpora = words
        if self.classifier.mark is not None:
            marks = marks * (torch.rand((len(marks), 1), device=marks.device) >= self.blind)
        scores = self.classifier(ids.masked_fill(hidden, self.mask_id), mask, shapes, marks)[rows, heads].float()
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

    ``teachers`` are taggers of at least these types; with them a corpus may be one that nobody annotated. The tagger is
    told of the names that a ``dictionary`` finds of the types that both know.
    """

    kind = "tagger"

    def __init__(
        self,
        encoder: Encoder,
        corpora: Sequence[Corpus],
        development: Sequence[Corpus],
        types: Sequence[str],
        teachers: Sequence[Tagger] = (),
        dictionary: Dictionary | None = None,
    ):
        self.encoder, self.corpora, self.development, self.types = encoder, corpora, development, tuple(types)
        self.names = tag_names(types, SCHEME)
        self.outputs = len(self.names)
        self.markers: tuple[int, ...] = ()
        self.temperature = 1.0
        self.line = (1.0, 0.0)
        self.teachers = teachers
        self.dictionary = dictionary
        self.known = tuple(kind for kind in types if dictionary and kind in dictionary.types)

    def classifier(self, plan: Plan) -> TokenClassifier:
        return TokenClassifier(self.encoder, self.outputs, marks=len(self.known), dropout=plan.dropout)

    def items(self, corpora: Sequence[Corpus]) -> list[list[TagExample]]:
        return [list(self._examples(corpus.readings, at, self.teachers)) for at, corpus in enumerate(corpora)]

    def _examples(self, readings: Sequence[Reading], corpus: int, teachers: Sequence[Tagger]) -> Iterator[TagExample]:
        taught = soft_tags(teachers, readings, self.names) if teachers else repeat(None)
        spans = map(dictionary_names, self._looked_up(readings))
        lessons = map(Lesson, readings, spans, taught)
        yield from tag_examples(
            self.encoder, lessons, self.names, known=self.known, corpus=corpus, size=WINDOW, overlap=OVERLAP
        )

    def _looked_up(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Readings with nothing but the names that the dictionary knows."""
        bare = map(_bare, readings)
        return self.dictionary(bare) if self.dictionary else bare

    def length(self, item: TagExample) -> int:
        return len(item.ids) + 2

    def model(self, classifier: TokenClassifier, plan: Plan) -> TagModel:
        allowed = partial_tags(self.names, [corpus.names for corpus in self.corpora])
        return TagModel(classifier, allowed, plan, self.encoder.mask_id)

    def collate(self, items: Sequence[TagExample]) -> dict[str, Tensor]:
        length = max(map(self.length, items))
        rows = [Row(item.ids, item.shapes, item.marks) for item in items]
        ids, mask, shapes, marks = padded(rows, self.encoder, length)
        words = [
            (row, head + 1, tag, example.corpus)
            for row, example in enumerate(items)
            for head, tag in zip(example.heads, example.tags, strict=True)
        ]
        batch = {"ids": ids, "mask": mask, "shapes": shapes, "marks": marks, "words": torch.tensor(words).T}
        taught = [item.taught for item in items if item.taught is not None]
        return batch | ({"taught": torch.from_numpy(np.concatenate(taught)).float()} if taught else {})

    def score(self, classifier: TokenClassifier) -> dict[str, float]:
        """F1 on each development corpus, over the types that it annotates, and their mean; calibrates the scores.

        A tagger that is told of known names is scored with and without them.
        """
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
            known=self.known,
        )
        found = [list(tagger(self._looked_up(corpus.readings))) for corpus in self.development]
        self.line = mention_line(self.development, found)
        scores = {
            corpus.name: mention_f1(corpus.readings, readings, corpus.names)
            for corpus, readings in zip(self.development, found, strict=True)
        }
        if self.known:
            scores |= {
                f"{corpus.name}{UNTOLD}": mention_f1(
                    corpus.readings, list(tagger(map(_bare, corpus.readings))), corpus.names
                )
                for corpus in self.development
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
        found = dict(model.scores([Row(example.ids, example.shapes, example.marks) for example in examples]))
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
        begin_marks(classifier, adapter.tensors, self.known, adapter.known)

    def config(self) -> dict[str, object]:
        windows = {"window": WINDOW, "overlap": OVERLAP, "scheme": SCHEME}
        taught = {"teachers": [teacher.fingerprint for teacher in self.teachers]} if self.teachers else {}
        known = {"known": list(self.known), "dictionary": self.dictionary.fingerprint} if self.dictionary else {}
        return {
            "types": list(self.types),
            **known,
            **windows,
            "temperature": self.temperature,
            "line": self.line,
            **taught,
        }


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
