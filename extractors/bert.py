"""BERT (Devlin et al., NAACL 2019) as reading needs it: from piece ids to a vector a piece, and nothing else.

Importing transformers' own model takes several times longer than importing torch, which every run of the command
line would pay; and on a CPU this one also trains faster. Parameters bear transformers' names, so that weights and
adapters fit both.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from extractors.encoders.packed import bert_name

POOL = 1 << 23
"""How many random bits the dropout on a CPU draws its masks from."""


class Bert(nn.Module):
    """The encoder of a BERT; ``config`` is the content of its ``config.json``.

    ``checkpointing`` computes each layer a second time in the backward pass, which saves the memory of its inside.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Layer(config) for _ in range(config["num_hidden_layers"]))
        self.checkpointing = False

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Vectors of shape batch x length x width, for ids and a mask of ones and zeros of shape batch x length."""
        return self.layers(self.embeddings(input_ids, token_type_ids), attention_mask)

    def layers(self, hidden: Tensor, attention_mask: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """Take vectors through some of the layers, by default through all."""
        seen = attention_mask[:, None, None, :].bool()
        for layer in self.encoder.layer[first:last]:  # type: ignore[index]
            if self.checkpointing and self.training:
                hidden = checkpoint(layer, hidden, seen, use_reentrant=False)
            else:
                hidden = layer(hidden, seen)
        return hidden

    def get_input_embeddings(self) -> nn.Module:
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        self.embeddings.word_embeddings = embeddings


def supports(config: Mapping[str, Any]) -> bool:
    """Whether :class:`Bert` computes what a ``config.json`` asks for."""
    plain = config.get("hidden_act") == "gelu" and config.get("position_embedding_type", "absolute") == "absolute"
    return config.get("model_type") == "bert" and plain and not config.get("is_decoder")


def bert_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's part of a checkpoint, by today's names; heads, pooler and position numbers are left out."""
    return {bert_name(name): tensor.float() for name, tensor in tensors.items() if bert_name(name)}


class Dropout(nn.Dropout):
    """Dropout that, on a CPU, takes its mask from a random place of one pool of random bits.

    Drawing a fresh bit for every value is a tenth of a training step there.
    """

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training or not self.p or hidden.device.type != "cpu" or hidden.numel() >= POOL:
            return super().forward(hidden)
        place = int(torch.randint(POOL - hidden.numel(), ()))
        kept: Tensor = _pool(self.p, hidden.dtype)[place : place + hidden.numel()].view_as(hidden)
        return hidden * kept


@cache
def _pool(share: float, dtype: torch.dtype) -> Tensor:
    """Ones and zeros, scaled so that the mean is one; the same in every run."""
    chance = torch.Generator().manual_seed(0)
    return ((torch.rand(POOL, generator=chance) >= share) / (1 - share)).to(dtype)


class _Embeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.word_embeddings: nn.Module = nn.Embedding(config["vocab_size"], width)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], width)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], width)
        self.LayerNorm = nn.LayerNorm(width, eps=config["layer_norm_eps"])
        self.dropout = Dropout(config["hidden_dropout_prob"])

    def forward(self, ids: Tensor, kinds: Tensor | None = None) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        kind = self.token_type_embeddings.weight[0] if kinds is None else self.token_type_embeddings(kinds)
        fixed = self.position_embeddings(places) + kind
        hidden: Tensor = self.dropout(self.LayerNorm(self.word_embeddings(ids) + fixed))
        return hidden


class _Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.width, inner = config["hidden_size"], config["intermediate_size"]
        self.heads = config["num_attention_heads"]
        self.prefix: nn.Parameter | None = None
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: nn.Linear(self.width, self.width) for name in ("query", "key", "value")}),
                "output": _Output(config, self.width),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(self.width, inner)})
        self.output = _Output(config, inner)

    def forward(self, hidden: Tensor, seen: Tensor) -> Tensor:
        parts = self.attention["self"]
        query, key, value = (parts[name](hidden) for name in ("query", "key", "value"))  # type: ignore[index]
        if self.prefix is not None:
            key, value = (_after(part, own) for part, own in zip(self.prefix, (key, value), strict=True))
            seen = functional.pad(seen, (self.prefix.shape[1], 0), value=True)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        context = _attention(query, key, value, seen, training=self.training)
        hidden = self.attention["output"](context.transpose(1, 2).flatten(2), hidden)
        wide = functional.gelu(self.intermediate["dense"](hidden))
        out: Tensor = self.output(wide, hidden)
        return out


class _Output(nn.Module):
    def __init__(self, config: Mapping[str, Any], width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, config["hidden_size"])
        self.LayerNorm = nn.LayerNorm(config["hidden_size"], eps=config["layer_norm_eps"])
        self.dropout = Dropout(config["hidden_dropout_prob"])

    def forward(self, new: Tensor, hidden: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(self.dropout(self.dense(new)) + hidden)
        return out


def _after(prefix: Tensor, own: Tensor) -> Tensor:
    """Vectors of a text (batch x length x width) behind those of a prefix (its length x width)."""
    return torch.cat([prefix.to(own.dtype).expand(len(own), -1, -1), own], dim=1)


def _attention(query: Tensor, key: Tensor, value: Tensor, seen: Tensor, *, training: bool) -> Tensor:
    """Attention over arrays of shape batch x heads x length x width, without dropout of its weights.

    On a CPU the backward pass of torch's fused attention is several times slower than that of two products.
    """
    if training and query.device.type == "cpu":
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        context: Tensor = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1) @ value
    else:
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    return context
