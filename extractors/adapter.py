"""Adapters: what fine-tuning adds to a base encoder, small enough to lie in the repository.

An adapter is a folder with ``adapter.json`` (what it is, and the sha256 of its encoder), ``adapter.safetensors``
and a card, ``README.md``. The weights are low-rank (LoRA, Hu et al. 2021): for a linear layer with the weight W of
shape out x in, the factors ``up`` (out x rank) and ``down`` (rank x in), so that the tuned weight is W + up @ down;
beside them a head and, where the text is marked, a correction for the embeddings of the markers. Merged at load
they cost nothing at inference.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from extractors.adapters import CONFIG, WEIGHTS, folder_of
from extractors.encoder import Encoder, choose_device, choose_precision, inference, load_encoder
from pipeline.errors import AdapterError

log = logging.getLogger(__name__)
KEYS = {
    "tagger": ("encoder", "encoder_sha256", "types", "window", "overlap"),
    "relations": (
        *("encoder", "encoder_sha256", "types", "window", "overlap"),
        *("pairs", "ordered", "exclusive", "markers", "thresholds"),
    ),
}


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter as it was read: ``config`` from its JSON."""

    name: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


class TokenClassifier(nn.Module):
    """An encoder and a linear head over each of its pieces; ``outputs`` is how many scores a piece gets."""

    def __init__(self, encoder: Encoder, outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder: Any = encoder.model  # torch's stubs know no method of a Module
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.width, outputs)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Scores of shape batch x length x outputs, for ids and mask of shape batch x length."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask)
        hidden = getattr(hidden, "last_hidden_state", hidden)  # transformers' models wrap it
        scores: Tensor = self.head(self.dropout(hidden.to(self.head.weight.dtype)))
        return scores


class LowRank(nn.Module):
    """A frozen linear layer with trainable factors beside it; it starts as the layer was."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)

    def forward(self, hidden: Tensor) -> Tensor:
        low = nn.functional.linear(hidden, self.down.to(hidden.dtype))
        tuned: Tensor = self.base(hidden) + nn.functional.linear(low, self.up.to(hidden.dtype))
        return tuned


class Markers(nn.Module):
    """An embedding some rows of which are corrected: ``rows`` are their ids, ``delta`` (rows x width) is trained."""

    def __init__(self, base: nn.Embedding, rows: list[int]) -> None:
        super().__init__()
        self.base = base
        self.index: Tensor
        self.register_buffer("index", torch.zeros(base.num_embeddings, dtype=torch.long), persistent=False)
        self.index[torch.tensor(rows)] = torch.arange(1, len(rows) + 1)
        self.delta = nn.Parameter(torch.zeros(len(rows), base.embedding_dim))

    def forward(self, ids: Tensor) -> Tensor:
        corrections = torch.cat([self.delta.new_zeros(1, self.delta.shape[1]), self.delta])
        vectors: Tensor = self.base(ids) + corrections[self.index[ids]].to(self.base.weight.dtype)
        return vectors


def attach(model: TokenClassifier, *, rank: int, precision: torch.dtype, markers: Sequence[int] = ()) -> None:
    """Freeze the encoder in the given precision, and add trainable float32 factors and marker corrections."""
    model.encoder.requires_grad_(requires_grad=False).to(precision)
    for name, layer in _linears(model.encoder).items():
        parent, _, own = name.rpartition(".")
        setattr(model.encoder.get_submodule(parent), own, LowRank(layer, rank))
    if markers:
        model.encoder.set_input_embeddings(Markers(model.encoder.get_input_embeddings(), list(markers)))


def factors(model: TokenClassifier) -> dict[str, Tensor]:
    """The trained tensors of a model with an attached adapter, by the names that :func:`merge` reads."""
    tensors = {f"head.{key}": value for key, value in model.head.state_dict().items()}
    for name, layer in _low_ranks(model.encoder).items():
        tensors |= {f"{name}.up": layer.up, f"{name}.down": layer.down}
    embedding = model.encoder.get_input_embeddings()
    if isinstance(embedding, Markers):
        tensors["markers"] = embedding.delta
    return {key: value.detach().clone() for key, value in tensors.items()}


@torch.no_grad()
def restore(model: TokenClassifier, tensors: Mapping[str, Tensor]) -> None:
    """Train on from an adapter's tensors, on a model with an attached one of the same rank.

    The head and the markers are taken where both have them in the same shape.
    """
    for name, layer in _low_ranks(model.encoder).items():
        layer.up.copy_(tensors[f"{name}.up"])
        layer.down.copy_(tensors[f"{name}.down"])
    if tensors["head.weight"].shape == model.head.weight.shape:
        model.head.weight.copy_(tensors["head.weight"])
        model.head.bias.copy_(tensors["head.bias"])
    embedding = model.encoder.get_input_embeddings()
    if isinstance(embedding, Markers) and "markers" in tensors:
        embedding.delta.copy_(tensors["markers"])


@torch.no_grad()
def merge(model: TokenClassifier, tensors: Mapping[str, Tensor], markers: list[int] | None = None) -> None:
    """Add an adapter's factors into the weights of a plain model; raises KeyError or RuntimeError on a misfit."""
    for name, layer in _linears(model.encoder).items():
        up, down = tensors[f"{name}.up"].float(), tensors[f"{name}.down"].float()
        layer.weight += up @ down
    if markers:
        model.encoder.get_input_embeddings().weight[markers] += tensors["markers"].float()
    model.head.weight.copy_(tensors["head.weight"])
    model.head.bias.copy_(tensors["head.bias"])


def write_adapter(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write an adapter as fp16 weights and JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(save({key: value.half().contiguous() for key, value in tensors.items()}))
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")


def read_adapter(name: str | Path, *, kind: str) -> Adapter:
    """Read an adapter by the name of one that comes with the project, or by its folder.

    Raises AdapterError where the folder is missing or broken, or holds another kind of adapter.
    """
    folder = folder_of(name)
    try:
        raw = (folder / CONFIG).read_bytes()
        config = json.loads(raw)
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise AdapterError(f"adapter {folder}: {error}: its files are broken, fetch or train it again") from error
    if config.get("kind") != kind:
        raise AdapterError(f"adapter {folder}: its kind is {config.get('kind')!r}, wanted {kind!r}")
    lacking = [key for key in KEYS[kind] if key not in config]
    if lacking:
        raise AdapterError(f"adapter {folder}: {CONFIG} lacks {', '.join(lacking)}: fetch or train it again")
    return Adapter(folder.name, config, tensors)


def _linears(module: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of the encoder's blocks; a pooler, which tagging does not use, is left out."""
    found = {name: layer for name, layer in module.named_modules() if isinstance(layer, nn.Linear)}
    return {name: layer for name, layer in found.items() if "pooler" not in name}


def _low_ranks(module: nn.Module) -> dict[str, LowRank]:
    return {name: layer for name, layer in module.named_modules() if isinstance(layer, LowRank)}


def load_model(
    adapter: Adapter, outputs: int, *, encoder: Encoder | None, device: str = "auto"
) -> tuple[Encoder, TokenClassifier]:
    """Put an adapter on its encoder, ready for :func:`predict`.

    An ``encoder`` that is given is not changed; raises AdapterError where its weights, or the adapter's shapes,
    are not the ones that belong together.
    """
    wanted = adapter.config["encoder_sha256"]
    base = encoder or load_encoder(adapter.config["encoder"])
    if base.sha256 != wanted:
        raise AdapterError(
            f"adapter {adapter.name} was trained on encoder weights {wanted}, but {base.name} has {base.sha256}: "
            "use the encoder that it names, or train the adapter again"
        )
    if encoder:
        base = replace(base, model=copy.deepcopy(base.model))
    model = TokenClassifier(base, outputs)
    try:
        merge(model, adapter.tensors, adapter.config.get("markers"))
    except (KeyError, RuntimeError) as error:
        raise AdapterError(f"adapter {adapter.name}: its weights do not fit its labels or encoder: {error}") from error
    place = choose_device(device)
    log.info("adapter %s on %s, %s", adapter.name, place, str(choose_precision(place)).removeprefix("torch."))
    return base, model.to(place).eval()


def predict(
    model: TokenClassifier, encoder: Encoder, rows: Sequence[Sequence[int]], *, tokens: int
) -> Iterator[tuple[int, Tensor]]:
    """Score rows of piece ids; yields the row's number and its scores (pieces x outputs, float32, on the CPU).

    Rows come shortest first, in batches of at most ``tokens`` pieces. A row is padded to a multiple of eight
    whatever its neighbours are, so that its scores do not depend on them.
    """
    device = model.head.weight.device
    precision = choose_precision(device)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for length, group in groupby(order, key=lambda number: min(-8 * (-(len(rows[number]) + 2) // 8), encoder.size + 2)):
        for numbers in _batched(group, max(1, tokens // length)):
            ids, mask = padded([rows[number] for number in numbers], encoder, length)
            with inference(device, precision):
                scores = model(ids.to(device), mask.to(device)).float().cpu()
            for number, row in zip(numbers, scores, strict=True):
                yield number, row[1 : len(rows[number]) + 1]


def padded(rows: Sequence[Sequence[int]], encoder: Encoder, length: int) -> tuple[Tensor, Tensor]:
    """Ids and mask of shape rows x length, with the encoder's special pieces around each row."""
    ids = torch.full((len(rows), length), encoder.pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for at, row in enumerate(rows):
        ids[at, : len(row) + 2] = torch.tensor([encoder.cls_id, *row, encoder.sep_id])
        mask[at, : len(row) + 2] = 1
    return ids, mask


def _batched(items: Iterable[int], size: int) -> Iterator[list[int]]:
    stream = iter(items)
    while run := list(islice(stream, size)):
        yield run
