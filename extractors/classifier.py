"""The one kind of model that reads: an encoder and a linear head over each of its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from extractors.bert import Bert
from extractors.encoder import Encoder
from extractors.marking import Marked, marks_of
from extractors.tags import SHAPES, Row
from extractors.tokens import Tokens

LOUD = 1.15


class TokenClassifier(nn.Module):
    """Scores each piece; ``outputs`` is how many scores a piece gets.

    A BERT may be told how the words are written (``shaped``), by as many token types as there are word shapes. Any
    encoder may be told one of so many ``marks`` of a piece, each a learnt vector that its embedding gets added;
    these begin at random with a deviation of ``spread``.
    """

    def __init__(
        self, encoder: Encoder, outputs: int, *, marks: int = 0, spread: float = 0.2, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder: Any = encoder.model  # torch's stubs know no method of a Module
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.width, outputs)
        self.mark: nn.Parameter | None
        self.register_parameter("mark", nn.Parameter(torch.randn(marks, encoder.width) * spread) if marks else None)

    @property
    def shaped(self) -> bool:
        return isinstance(self.encoder, Bert) and self.kinds.num_embeddings == SHAPES

    @property
    def kinds(self) -> nn.Embedding:
        """The embedding of token types."""
        table: nn.Embedding = self.encoder.embeddings.token_type_embeddings
        return table

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor | None = None, marks: Tensor | None = None) -> Tensor:
        """Scores of shape batch x length x outputs, for integers of shape batch x length; a mark of zero is none."""
        return self.scored(self._encoded(ids, mask, shapes if self.shaped else None, marks))

    def _encoded(self, ids: Tensor, mask: Tensor, shapes: Tensor | None, marks: Tensor | None) -> Tensor:
        more = {} if shapes is None else {"token_type_ids": shapes}
        if self.mark is None or marks is None:
            hidden = self.encoder(input_ids=ids, attention_mask=mask, **more)
        else:
            added = functional.embedding(marks, functional.pad(self.mark, (0, 0, 1, 0)))
            hidden = self._marked(ids, mask, shapes, added)
        found: Tensor = getattr(hidden, "last_hidden_state", hidden)  # transformers' models wrap it
        return found

    def _marked(self, ids: Tensor, mask: Tensor, shapes: Tensor | None, added: Tensor) -> Any:
        vectors = embedded(self.encoder, ids, shapes)
        vectors = vectors + added.to(vectors.dtype)
        if isinstance(self.encoder, Bert):
            return self.encoder.layers(vectors, mask)
        return self.encoder(inputs_embeds=vectors, attention_mask=mask)

    def scored(self, hidden: Tensor) -> Tensor:
        scores: Tensor = self.head(self.dropout(hidden.to(self.head.weight.dtype)))
        return scores

    @torch.no_grad()
    def see_shapes(self) -> None:
        """Give a BERT an embedding a word shape, each of which starts as that of the only token type it knew."""
        if isinstance(self.encoder, Bert) and not self.shaped:
            table = nn.Embedding(SHAPES, self.kinds.embedding_dim)
            table.weight.copy_(self.kinds.weight[:1].expand(SHAPES, -1))
            self.encoder.embeddings.token_type_embeddings = table.to(self.kinds.weight)


class RelationClassifier(TokenClassifier):
    """Scores each piece for up to ``slots`` marked subjects at once: the mark of a piece tells whose it is.

    Marks hardly change in training, so they begin ``LOUD`` times as large as what they are added to: with fainter ones
    (0.4) a seed was ten points of average precision worse.
    """

    def __init__(self, encoder: Encoder, outputs: int, *, slots: int = 1, dropout: float = 0.1) -> None:
        super().__init__(encoder, slots * outputs, marks=slots, spread=LOUD * deviation(encoder.model), dropout=dropout)
        self.slots = slots

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor | None = None, marks: Tensor | None = None) -> Tensor:
        """Scores of shape passes x length x slots x outputs; ``marks`` has the number of the slot of each subject."""
        return super().forward(ids, mask, shapes, marks).view(*ids.shape, self.slots, -1)


def embedded(encoder: Any, ids: Tensor, shapes: Tensor | None = None) -> Tensor:
    """What marks are added to: of a BERT what its first layer gets, of others the words alone."""
    found: Tensor = (
        encoder.embeddings(ids, shapes) if isinstance(encoder, Bert) else encoder.get_input_embeddings()(ids)
    )
    return found


@torch.no_grad()
def deviation(encoder: Any) -> float:
    """The standard deviation of what marks are added to, over words from the whole vocabulary."""
    words = encoder.get_input_embeddings().weight
    ids = torch.linspace(0, len(words) - 1, 256, device=words.device).long().view(32, 8)
    return float(embedded(encoder, ids).std())


def padded(rows: Sequence[Row], tokens: Tokens, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Ids, mask, word shapes and marks of shape rows x length, with the special pieces around each row."""
    ids = torch.full((len(rows), length), tokens.pad_id, dtype=torch.long)
    mask, shapes, marks = (torch.zeros((len(rows), length), dtype=torch.long) for _ in range(3))
    for at, row in enumerate(rows):
        ids[at, : len(row) + 2] = torch.tensor([tokens.cls_id, *row.ids, tokens.sep_id])
        mask[at, : len(row) + 2] = 1
        shapes[at, 1 : len(row) + 1] = torch.tensor(row.shapes)
        if row.marks:
            marks[at, 1 : len(row) + 1] = torch.tensor(row.marks)
    return ids, mask, shapes, marks


def passes_of(shared: Sequence[tuple[Marked, Sequence[int]]], tokens: Tokens) -> tuple[Tensor, ...]:
    """What :class:`RelationClassifier` takes of passes, each a window and which of its looks share it."""
    rows = [Row(window.ids, window.shapes, marks_of(window, looks)) for window, looks in shared]
    return padded(rows, tokens, max(map(len, rows)) + 2)
