"""BERT (Devlin et al., NAACL 2019) as reading needs it: from piece ids to a vector a piece, and nothing else.

Importing transformers' own model takes several times longer than importing torch, which every run of the command
line would pay; and on a CPU this one also trains faster. Parameters bear transformers' names, so that weights and
adapters fit both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Bert(nn.Module):
    """The encoder of a BERT; ``config`` is the content of its ``config.json``."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(_Layer(config) for _ in range(config["num_hidden_layers"]))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Vectors of shape batch x length x width, for ids and a mask of ones and zeros of shape batch x length."""
        hidden: Tensor = self.embeddings(input_ids)
        seen = attention_mask[:, None, None, :].bool()
        for layer in self.encoder.layer:  # type: ignore[union-attr]
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
    renamed = {
        name.removeprefix("bert.")
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias"): tensor
        for name, tensor in tensors.items()
    }
    return {
        name: tensor.float()
        for name, tensor in renamed.items()
        if name.startswith(("embeddings.", "encoder.")) and not name.endswith("position_ids")
    }


class _Embeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.word_embeddings: nn.Module = nn.Embedding(config["vocab_size"], width)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], width)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], width)
        self.LayerNorm = nn.LayerNorm(width, eps=config["layer_norm_eps"])
        self.dropout = nn.Dropout(config["hidden_dropout_prob"])

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        fixed = self.position_embeddings(places) + self.token_type_embeddings.weight[0]
        hidden: Tensor = self.dropout(self.LayerNorm(self.word_embeddings(ids) + fixed))
        return hidden


class _Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, inner = config["hidden_size"], config["intermediate_size"]
        self.heads = config["num_attention_heads"]
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value")}),
                "output": _Output(config, width),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = _Output(config, inner)

    def forward(self, hidden: Tensor, seen: Tensor) -> Tensor:
        parts = self.attention["self"]
        query, key, value = (
            parts[name](hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # type: ignore[index]
            for name in ("query", "key", "value")
        )
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
        self.dropout = nn.Dropout(config["hidden_dropout_prob"])

    def forward(self, new: Tensor, hidden: Tensor) -> Tensor:
        out: Tensor = self.LayerNorm(self.dropout(self.dense(new)) + hidden)
        return out


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
