"""Training a tagger: from the windows that it will read, tagged as far as their corpus annotates."""

from __future__ import annotations

import functools
import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from extractors.adapter import Adapter, TokenClassifier, factors, padded, write_adapter
from extractors.encoder import Encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger, sentence_windows
from extractors.tags import cut, encode, sentence_ranges, tag_names
from extractors.train import Annotated, Plan, batches, chance_of, drawn, fit, prepare
from pipeline.types import Reading

log = logging.getLogger(__name__)
WINDOW, OVERLAP = 192, 64


@dataclass(frozen=True, slots=True)
class TagExample:
    """One window to learn from: its pieces, the places of the first pieces of its words, their tags, its corpus."""

    ids: tuple[int, ...]
    heads: tuple[int, ...]
    tags: tuple[int, ...]
    corpus: int


def tag_examples(
    encoder: Encoder, readings: Iterable[Reading], names: Sequence[str], *, corpus: int, size: int, overlap: int
) -> Iterator[TagExample]:
    """Cut annotated readings into the windows that a tagger reads, one a sentence."""
    for reading in readings:
        (pieces,) = cut(encoder.tokenizer, [reading.document.text])
        spans = sorted(reading.mentions, key=lambda mention: mention.start - mention.end)
        tags = encode(pieces.words, ((m.start, m.end, m.type) for m in spans), names)
        ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
        for window in sentence_windows(pieces, ranges, size=size, overlap=overlap):
            words = range(bisect_left(pieces.heads, window.first), bisect_left(pieces.heads, window.last))
            yield TagExample(
                pieces.ids[window.start : window.end],
                tuple(pieces.heads[word] - window.start for word in words),
                tuple(tags[word] for word in words),
                corpus,
            )


def partial_tags(names: Sequence[str], annotated: Sequence[frozenset[str]]) -> Tensor:
    """What each gold tag of each corpus may stand for: booleans of shape corpora x tags x tags.

    A corpus that does not annotate a type says nothing about it: its ``O`` may be ``O`` or any tag of that type.
    """
    table = torch.eye(len(names), dtype=torch.bool).repeat(len(annotated), 1, 1)
    for number, types in enumerate(annotated):
        table[number, 0] |= torch.tensor([name != "O" and name[2:] not in types for name in names])
    return table


class TagLoss:
    """Cross-entropy over the first pieces of words, with partial labels; some pieces are masked at random."""

    def __init__(self, model: TokenClassifier, encoder: Encoder, allowed: Tensor, plan: Plan) -> None:
        self.model = model
        self.encoder = encoder
        self.device = model.head.weight.device
        self.allowed = allowed.to(self.device)
        self.masked = plan.masked
        self.chance = torch.Generator().manual_seed(plan.seed)

    def __call__(self, examples: Sequence[TagExample]) -> Tensor:
        length = max(len(example.ids) for example in examples) + 2
        ids, mask = padded([example.ids for example in examples], self.encoder, length)
        hidden = (torch.rand(ids.shape, generator=self.chance) < self.masked) & (mask == 1)
        ids[hidden] = self.encoder.mask_id
        rows = torch.tensor([row for row, example in enumerate(examples) for _ in example.heads])
        heads = torch.tensor([head + 1 for example in examples for head in example.heads])
        tags = torch.tensor([tag for example in examples for tag in example.tags])
        corpora = torch.tensor([example.corpus for example in examples])[rows]
        logits = self.model(ids.to(self.device), mask.to(self.device))[rows, heads].float()
        right = self.allowed[corpora, tags]
        losses: Tensor = logits.logsumexp(-1) - logits.masked_fill(~right, -torch.inf).logsumexp(-1)
        return losses.mean()


def train_tagger(
    encoder: Encoder,
    corpora: Sequence[Annotated],
    types: Sequence[str],
    out: Path,
    plan: Plan,
    *,
    start: Adapter | None = None,
) -> None:
    """Train an adapter that tags the given types and write it to ``out`` after every epoch."""
    names = tag_names(types)
    model = prepare(encoder, len(names), plan, start=start)
    examples = [
        list(tag_examples(encoder, corpus.readings, names, corpus=number, size=WINDOW, overlap=OVERLAP))
        for number, corpus in enumerate(corpora)
    ]
    log.info("windows: %s", [len(group) for group in examples])
    loss = TagLoss(model, encoder, partial_tags(names, [corpus.names for corpus in corpora]), plan)

    @functools.lru_cache(maxsize=1)
    def epoch(number: int) -> list[list[TagExample]]:
        chance = chance_of(plan.seed + number)
        seen = drawn(examples, corpora, chance)
        return batches(seen, lambda e: len(e.ids) + 2, tokens=plan.batch_tokens, chance=chance)

    def after(number: int) -> None:
        tagger = Tagger(encoder, model, types, size=WINDOW, overlap=OVERLAP, fingerprint="training")
        config = {
            "kind": "tagger",
            "encoder": encoder.name,
            "encoder_sha256": encoder.sha256,
            "types": list(types),
            "window": WINDOW,
            "overlap": OVERLAP,
            "plan": asdict(plan),
            "epochs_done": number + 1,
        }
        write_adapter(out, config, factors(model))
        for corpus in corpora:
            found = list(tagger(replace(reading, mentions=()) for reading in corpus.peek))
            score = mention_f1(corpus.peek, found, corpus.names)
            log.info("epoch %d: %.2f F1 on %d papers", number + 1, score, len(found))

    fit(model, epoch, loss, plan, after)
