"""What goes along with a run: the mean of the weights, AdaLoRA's sharing out of ranks, stopping early, the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import EarlyStoppingCallback, TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

log = logging.getLogger(__name__)
MEASURES = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class Kept(TrainerCallback):
    """A callback with numbers of its own, which a run that goes on has to have again."""

    file: str

    def tensors(self) -> Mapping[str, Tensor]:
        raise NotImplementedError

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        raise NotImplementedError

    def save(self, checkpoint: Path) -> None:
        save_file({name: tensor.contiguous() for name, tensor in self.tensors().items()}, checkpoint / self.file)

    def on_train_begin(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        if state.global_step:
            self.load(load_file(Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}" / self.file))


class Mean(Kept):
    """The running mean of the trained weights; it follows the faster the younger it is."""

    file = "mean.safetensors"

    def __init__(self, model: nn.Module, inertia: float) -> None:
        self.weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.inertia = inertia
        self.values: list[Tensor] = []

    def tensors(self) -> Mapping[str, Tensor]:
        return {str(at): value for at, value in enumerate(self.values)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        _copy([tensors[str(at)] for at in range(len(self.values))], self.values)

    def on_train_begin(self, args: Any, state: Any, _control: Any, **more: Any) -> None:
        self.values = [weight.detach().clone() for weight in self.weights]
        super().on_train_begin(args, state, _control, **more)

    @torch.no_grad()
    def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        step = state.global_step
        torch._foreach_lerp_(self.values, list(self.weights), 1 - min(self.inertia, step / (step + 10)))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean into the model for a while."""
        with torch.no_grad():
            kept = [weight.detach().clone() for weight in self.weights]
            _copy(self.values, self.weights)
            try:
                yield
            finally:
                _copy(kept, self.weights)


class Ranks(Kept):
    """AdaLoRA's sharing out of ranks, by what it has seen of the gradients so far; ``model`` is peft's AdaLoraModel."""

    file = "ranks.safetensors"

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.peft_config[model.trainable_adapter_name]

    def on_optimizer_step(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        self.model.update_and_allocate(state.global_step)

    def tensors(self) -> Mapping[str, Tensor]:
        seen = self.model.rankallocator
        measured = {f"{kind} {name}": t for kind in MEASURES for name, t in getattr(seen, kind).items()}
        pattern = self.config.rank_pattern or {}
        return measured | {f"pattern {name}": torch.tensor(row) for name, row in pattern.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        device = next(self.model.parameters()).device
        found: dict[str, dict[str, Tensor]] = {kind: {} for kind in (*MEASURES, "pattern")}
        for key, tensor in tensors.items():
            kind, _, name = key.partition(" ")
            found[kind][name] = tensor.to(device)
        for kind in MEASURES:
            setattr(self.model.rankallocator, kind, found[kind])
        self.config.rank_pattern = {name: row.tolist() for name, row in found["pattern"].items()}


class Patience(EarlyStoppingCallback):
    """Stops when some epochs were no better; what was best is kept by the run itself, so that none has to be loaded."""

    def on_train_begin(self, *_: Any, **__: Any) -> None: ...


class Told(TrainerCallback):
    """Losses and scores go to the log, not to stdout."""

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Mapping[str, float], **_: Any) -> None:
        told = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        log.info("step %d of %d: %s", state.global_step, state.max_steps, told)


def _copy(values: Sequence[Tensor], into: Sequence[Tensor]) -> None:
    for weight, value in zip(into, values, strict=True):
        weight.copy_(value)
