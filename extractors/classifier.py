"""The one kind of model that reads: an encoder and a linear head over each of its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from extractors.bert import Bert
from extractors.encoder import Encoder
from extractors.marking import Marked
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
    """Scores each piece for a marked subject.

    A text goes through the layers below ``layer`` once; there a learnt vector is added to the pieces of a subject, and
    the layers above are run for each subject. At layer 0 each subject has the whole encoder to itself; an encoder
    that is no BERT has no other choice.
    """

    def __init__(self, encoder: Encoder, outputs: int, *, layer: int = 0, dropout: float = 0.1) -> None:
        super().__init__(encoder, outputs, dropout=dropout)
        self.layer = layer if isinstance(self.encoder, Bert) else 0
        self.mark = nn.Parameter(torch.randn(encoder.width) * 0.2)

    def forward(  # type: ignore[override]
        self, ids: Tensor, mask: Tensor, shapes: Tensor, rows: Tensor, marks: Tensor
    ) -> Tensor:
        """Scores of shape passes x length x outputs: ``rows`` says which text a pass is over (passes), ``marks`` is
        one where its subject stands (passes x length)."""
        return self.above(self.below(ids, mask, shapes)[rows], mask[rows], marks)

    def below(self, ids: Tensor, mask: Tensor, shapes: Tensor) -> Tensor:
        if not isinstance(self.encoder, Bert):
            vectors: Tensor = self.encoder.get_input_embeddings()(ids)
            return vectors
        hidden = self.encoder.embeddings(ids, shapes if self.shaped else None)
        return self.encoder.layers(hidden, mask, 0, self.layer)

    def above(self, hidden: Tensor, mask: Tensor, marks: Tensor) -> Tensor:
        hidden = hidden + marks[..., None].to(hidden.dtype) * self.mark.to(hidden.dtype)
        if isinstance(self.encoder, Bert):
            return self.scored(self.encoder.layers(hidden, mask, self.layer))
        return self.scored(self.encoder(inputs_embeds=hidden, attention_mask=mask).last_hidden_state)


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


def passes_of(windows: Sequence[Marked], tokens: Tokens) -> tuple[Tensor, ...]:
    """What :class:`RelationClassifier` takes: ids, mask and shapes of the windows; text and marks of each pass."""
    length = max(len(window.ids) for window in windows) + 2
    ids, mask, shapes = padded([Row(window.ids, window.shapes) for window in windows], tokens, length)
    looks = [(row, look) for row, window in enumerate(windows) for look in window.passes]
    marks = torch.zeros((len(looks), length))
    for at, (_, look) in enumerate(looks):
        marks[at, [place + 1 for place in look.marked]] = 1
    return ids, mask, shapes, torch.tensor([row for row, _ in looks]), marks
