"""What of a model is trained: all of it, or a few numbers beside frozen weights.

Every way but ``full`` leaves tensors that an adapter keeps (:func:`trained`). Low-rank factors are merged into the
weights when they are read and then cost nothing; prefixes and bottlenecks stay parts of the model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from extractors.adapter import Array
from extractors.bert import Bert
from extractors.classifier import TokenClassifier
from extractors.training.plan import Plan
from extractors.tuned import PARTS, Bottleneck, replaced
from pipeline.errors import UsageError

logging.getLogger("torch.distributed.elastic.multiprocessing.redirects").setLevel(logging.ERROR)  # peft wakes it


def tune(model: TokenClassifier, plan: Plan, *, steps: int, precision: torch.dtype, markers: Sequence[int] = ()) -> Any:
    """Make trainable what the plan says; head, word shapes and marker embeddings always are.

    AdaLoRA shares out its ranks over ``steps``, for which its model is given back; else None.
    """
    allocating = None
    model.encoder.requires_grad_(plan.tuning == "full")
    words = model.encoder.get_input_embeddings()
    words.requires_grad_(plan.tuning == "full" and plan.embeddings)
    if plan.tuning in {"lora", "adalora"}:
        allocating = _inject(model.encoder, plan, steps)
    elif plan.tuning == "prefix":
        _prefix(model.encoder, plan.rank)
    elif plan.tuning == "bottleneck":
        for name in _outputs(model.encoder):
            replaced(model.encoder, name, plan.rank)
    if model.shaped:
        model.kinds.requires_grad_(True)  # after peft, which freezes all that is not its own
    if markers:
        model.encoder.set_input_embeddings(Markers(words, list(markers)))
    _narrow(model.encoder, precision)
    return allocating


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


@torch.no_grad()
def begin_with(model: TokenClassifier, tensors: Mapping[str, Array]) -> None:
    """Begin with the low-rank factors and word shapes of another adapter over the same encoder, of the same rank.

    Raises KeyError or RuntimeError where they do not fit.
    """
    for name, module in model.encoder.named_modules():
        if isinstance(getattr(module, "lora_A", None), nn.ModuleDict):
            (own,) = module.lora_A
            module.lora_A[own].weight.copy_(torch.from_numpy(tensors[f"{name}.down"]))
            module.lora_B[own].weight.copy_(torch.from_numpy(tensors[f"{name}.up"]) / module.scaling[own])
    if model.shaped and "shapes" in tensors:
        model.kinds.weight.copy_(torch.from_numpy(tensors["shapes"]))


@torch.no_grad()
def begin_head(
    model: TokenClassifier, tensors: Mapping[str, Array], names: Sequence[object], known: Sequence[object]
) -> None:
    """Begin with another head's rows for what both score; ``names`` are the model's, ``known`` the other's."""
    for at, name in enumerate(names):
        if name in known:
            old = known.index(name)
            model.head.weight[at] = torch.from_numpy(tensors["head.weight"][old])
            model.head.bias[at] = float(tensors["head.bias"][old])


@torch.no_grad()
def begin_marks(
    model: TokenClassifier, tensors: Mapping[str, Array], names: Sequence[object], known: Sequence[object]
) -> None:
    """Begin with another model's marks for what both mark; ``names`` are the model's, ``known`` the other's."""
    for at, name in enumerate(names):
        if name in known and model.mark is not None:
            model.mark[at] = torch.from_numpy(tensors["mark"][known.index(name)])


@torch.no_grad()
def trained(model: TokenClassifier, plan: Plan) -> dict[str, Tensor]:
    """The tensors that an adapter keeps of a tuned model, by the names that :mod:`extractors.adapter` reads."""
    tensors = {f"head.{name}": weight for name, weight in model.head.state_dict().items()}
    tensors |= {name: weight for name, weight in model.named_parameters() if "." not in name}  # the marks
    embedding = model.encoder.get_input_embeddings()
    if isinstance(embedding, Markers):
        tensors["markers"] = embedding.delta
    if plan.tuning != "full" and model.shaped:
        tensors["shapes"] = model.kinds.weight
    for name, module in model.encoder.named_modules():
        if hasattr(module, "lora_A"):
            tensors |= {f"{name}.{factor}": weight for factor, weight in _factors(module).items()}
        elif isinstance(module, Bottleneck):
            tensors |= {f"{name}.{part}": module.get_parameter(part) for part in PARTS}
        elif isinstance(getattr(module, "prefix", None), Tensor):
            tensors[f"{name}.prefix"] = module.prefix
    return {name: weight.detach().float().cpu().clone() for name, weight in tensors.items()}


@torch.no_grad()
def whole(model: TokenClassifier) -> dict[str, Tensor]:
    """All weights of a fully tuned encoder, by their names in its checkpoint."""
    names = {name: name.replace(".word_embeddings.base.", ".word_embeddings.") for name in model.encoder.state_dict()}
    state = {names[name]: weight for name, weight in model.encoder.state_dict().items() if not name.endswith(".delta")}
    return {name: weight.detach().float().clone().contiguous() for name, weight in state.items()}


def _inject(encoder: nn.Module, plan: Plan, steps: int) -> Any:
    from peft import AdaLoraConfig, AdaLoraModel, LoraConfig, inject_adapter_in_model  # noqa: PLC0415  slow

    layers = [
        name for name, module in encoder.named_modules() if isinstance(module, nn.Linear) and "pooler" not in name
    ]
    shared: dict[str, Any] = {"lora_alpha": plan.rank, "lora_dropout": 0.0, "target_modules": layers}
    if plan.tuning == "lora":
        inject_adapter_in_model(LoraConfig(r=plan.rank, **shared), encoder)
        return None
    pace: dict[str, Any] = {
        "total_step": steps,
        "tinit": steps // 10,
        "tfinal": steps // 3,
        "deltaT": max(1, steps // 100),
    }
    config = AdaLoraConfig(init_r=plan.rank, target_r=max(1, plan.rank // 2), **pace, **shared)
    return AdaLoraModel(encoder, config, "default")


def _narrow(encoder: nn.Module, precision: torch.dtype) -> None:
    """Hold frozen weights in the precision that they are multiplied in; and let peft not widen what goes into them.

    Both would else be converted in each step, at half of the speed on a CPU.
    """
    for module in encoder.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # type: ignore[assignment]
        if isinstance(module, nn.Linear | nn.Embedding) and not module.weight.requires_grad:
            module.to(precision)


def _factors(layer: Any) -> dict[str, Tensor]:
    """The product of ``up`` and ``down`` is what the factors of a peft layer add to its weight."""
    (name,) = layer.lora_A
    up, down, scale = layer.lora_B[name], layer.lora_A[name], layer.scaling[name]
    if isinstance(down, nn.Linear):
        return {"up": up.weight * scale, "down": down.weight}
    number = layer.ranknum[name] + 1e-5  # AdaLoRA: singular values between the factors, over how many of them
    return {"up": up * scale / number, "down": down * layer.lora_E[name]}


def _prefix(encoder: nn.Module, length: int) -> None:
    if not isinstance(encoder, Bert):
        raise UsageError("prefix tuning works with BERT encoders alone: use lora")
    for layer in encoder.encoder.layer:  # type: ignore[union-attr]
        layer.prefix = nn.Parameter(torch.randn(2, length, layer.width) * 0.02)


def _outputs(encoder: nn.Module) -> list[str]:
    """The last linear layer of each attention and of each feed-forward block."""
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    found = [name for name in linear if name.endswith("output.dense")]
    if not found:
        raise UsageError("bottlenecks need layers that are named as in BERT, which this encoder has not: use lora")
    return found
