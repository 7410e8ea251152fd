"""What tuning may leave beside an encoder's weights and no merging takes away: bottlenecks and prefixes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

PARTS = ("down.weight", "down.bias", "up.weight", "up.bias")


class Bottleneck(nn.Module):
    """A small network behind a frozen layer, beside a straight way through; it starts by adding nothing."""

    def __init__(self, base: nn.Linear, width: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.out_features, width)
        self.up = nn.Linear(width, base.out_features)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        out = self.base(hidden)
        changed: Tensor = out + self.up(nn.functional.gelu(self.down(out.to(self.down.weight.dtype)))).to(out.dtype)
        return changed


def replaced(encoder: nn.Module, name: str, width: int) -> Bottleneck:
    """Put a bottleneck in the place of a linear layer; raises AttributeError where there is no such layer."""
    parent, _, own = name.rpartition(".")
    layer = encoder.get_submodule(name)
    if not isinstance(layer, nn.Linear):
        raise AttributeError(f"{name} is no linear layer")
    bottleneck = Bottleneck(layer, width)
    setattr(encoder.get_submodule(parent), own, bottleneck)
    return bottleneck


@torch.no_grad()
def rebuild(encoder: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put the bottlenecks and prefixes of an adapter into its encoder, by the names that the adapter has for them.

    Raises AttributeError, KeyError or RuntimeError on a misfit.
    """
    for name in (key.removesuffix(".down.weight") for key in tensors if key.endswith(".down.weight")):
        bottleneck = replaced(encoder, name, len(tensors[f"{name}.down.weight"]))
        bottleneck.load_state_dict({part: tensors[f"{name}.{part}"] for part in PARTS}, strict=False)
    for key in (key for key in tensors if key.endswith(".prefix")):
        layer = encoder.get_submodule(key.removesuffix(".prefix"))
        if tensors[key].shape[0] != 2 or tensors[key].shape[-1] != getattr(layer, "width", None):
            raise RuntimeError(f"{key}: a prefix of shape {tuple(tensors[key].shape)} does not fit its layer")
        layer.prefix = nn.Parameter(tensors[key])
