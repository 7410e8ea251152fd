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


class TokenClassifier(nn.Module):
    """Scores each piece; ``outputs`` is how many scores a piece gets.

    A BERT may be told how the words are written (``shaped``), by as many token types as there are word shapes.
    """

    def __init__(self, encoder: Encoder, outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder: Any = encoder.model  # torch's stubs know no method of a Module
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.width, outputs)

    @property
    def shaped(self) -> bool:
        return isinstance(self.encoder, Bert) and self.kinds.num_embeddings == SHAPES

    @property
    def kinds(self) -> nn.Embedding:
        """The embedding of token types."""
        table: nn.Embedding = self.encoder.embeddings.token_type_embeddings
        return table

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor | None = None) -> Tensor:
        """Scores of shape batch x length x outputs, for integers of shape batch x length."""
        more = {"token_type_ids": shapes} if self.shaped else {}
        hidden = self.encoder(input_ids=ids, attention_mask=mask, **more)
        return self.scored(getattr(hidden, "last_hidden_state", hidden))  # transformers' models wrap it

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
    """Scores each piece for up to ``slots`` marked subjects at once.

    What the embedding of a piece gets added tells whose it is: ``mark`` has a learnt vector for each slot. The head
    scores each piece once a slot.
    """

    def __init__(self, encoder: Encoder, outputs: int, *, slots: int = 1, dropout: float = 0.1) -> None:
        super().__init__(encoder, slots * outputs, dropout=dropout)
        self.slots = slots
        self.mark = nn.Parameter(torch.randn(slots, encoder.width) * 0.2)

    def forward(  # type: ignore[override]
        self, ids: Tensor, mask: Tensor, shapes: Tensor, marks: Tensor
    ) -> Tensor:
        """Scores of shape passes x length x slots x outputs; ``marks`` (passes x length) has the number of the slot,
        counted from one, where a subject stands, else zero."""
        rows = functional.embedding(marks, functional.pad(self.mark, (0, 0, 1, 0)))
        scores = self.scored(self._encoded(ids, mask, shapes, rows))
        return scores.view(*marks.shape, self.slots, -1)

    def _encoded(self, ids: Tensor, mask: Tensor, shapes: Tensor, marks: Tensor) -> Tensor:
        if isinstance(self.encoder, Bert):
            hidden = self.encoder.embeddings(ids, shapes if self.shaped else None)
            return self.encoder.layers(hidden + marks.to(hidden.dtype), mask)
        vectors = self.encoder.get_input_embeddings()(ids)
        found: Tensor = self.encoder(
            inputs_embeds=vectors + marks.to(vectors.dtype), attention_mask=mask
        ).last_hidden_state
        return found


def padded(rows: Sequence[Row], tokens: Tokens, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and word shapes of shape rows x length, with the special pieces around each row."""
    ids = torch.full((len(rows), length), tokens.pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    shapes = torch.zeros((len(rows), length), dtype=torch.long)
    for at, row in enumerate(rows):
        ids[at, : len(row) + 2] = torch.tensor([tokens.cls_id, *row.ids, tokens.sep_id])
        mask[at, : len(row) + 2] = 1
        shapes[at, 1 : len(row) + 1] = torch.tensor(row.shapes)
    return ids, mask, shapes


def passes_of(shared: Sequence[tuple[Marked, Sequence[int]]], tokens: Tokens) -> tuple[Tensor, ...]:
    """What :class:`RelationClassifier` takes of passes, each a window and which of its looks share it."""
    length = max(len(window.ids) for window, _ in shared) + 2
    rows = [Row(window.ids, window.shapes) for window, _ in shared]
    marks = torch.zeros((len(rows), length), dtype=torch.long)
    for at, (window, looks) in enumerate(shared):
        marks[at, 1 : len(window.ids) + 1] = torch.tensor(marks_of(window, looks))
    return *padded(rows, tokens, length), marks
