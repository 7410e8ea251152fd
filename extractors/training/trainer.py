"""The training loop: transformers' Trainer with batches by length, a mean of the weights, and scores of our own.

What a Trainer does well is left to it: steps, accumulation, precision, checkpoints and resuming, several GPUs,
TensorBoard. Added are the few things that it does otherwise or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import Trainer, TrainingArguments

from extractors.batches import evened
from extractors.encoder import choose_device, choose_dtype
from extractors.training.callbacks import Kept, Mean, Patience
from extractors.training.plan import Plan

log = logging.getLogger(__name__)
Item = TypeVar("Item")
Batch = Mapping[str, Tensor]
SCORE = "f1"


class Epochs(Dataset[Any]):
    """The batches of an epoch as a data set: its items are whole batches, made anew for each epoch.

    A Trainer counts its steps once, so that every epoch has to have as many batches as the first; that has some more
    than it needs, for others may need them.
    """

    def __init__(self, make: Callable[[int], Sequence[Sequence[Item]]]) -> None:
        self.make = make
        self.epoch = 0
        first = make(0)
        self.batches = evened(first, len(first) - (-len(first) // 50))

    def set_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.batches = epoch, evened(self.make(epoch), len(self.batches))

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Sequence[Any]:
        return self.batches[number]


class Fitting(Trainer):
    """A Trainer of a model whose forward pass gives the loss.

    ``score`` is called after each epoch with the averaged weights in the model and gives figures by name, of which
    ``f1`` decides when to stop early; ``keep`` is called when that was the best epoch so far (without early
    stopping: after each).
    """

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        folder: Path,
        *,
        epochs: Epochs,
        collate: Callable[[Sequence[Any]], Batch],
        score: Callable[[], Mapping[str, float]],
        keep: Callable[[Mapping[str, float]], None],
    ) -> None:
        super().__init__(
            model=model,
            args=arguments(plan, folder),
            train_dataset=epochs,
            eval_dataset=epochs,  # never read: `evaluate` is our own
            data_collator=lambda items: collate(items[0]),
            callbacks=[Patience(plan.patience)] if plan.patience else None,
        )
        self.optimizer: torch.optim.Optimizer | None
        self.control: Any
        self.plan = plan
        self.score, self.keep = score, keep
        self.mean = Mean(model, plan.average)
        self.adversary = Adversary(model, plan.adversarial) if plan.adversarial else None
        self.add_callback(self.mean)

    def get_train_dataloader(self) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(self.train_dataset, batch_size=1, collate_fn=self.data_collator)
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, *_: Any) -> torch.optim.Optimizer:
        if self.optimizer is None:
            device = next(self.model.parameters()).device.type
            self.optimizer = torch.optim.AdamW(
                rates(self.model, self.plan), weight_decay=self.plan.decay, fused=device in {"cpu", "cuda"}
            )
        return self.optimizer

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if self.adversary:
            with self.adversary:
                super().training_step(model, inputs, num_items_in_batch)
        return loss

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Add to a checkpoint what goes along, before the file that makes it complete."""
        super().save_model(output_dir, _internal_call)
        if output_dir and self.args.should_save:
            for callback in self.callback_handler.callbacks:
                if isinstance(callback, Kept):
                    callback.save(Path(output_dir))

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Score the averaged weights, and keep them where they are the best so far."""
        self.model.eval()
        with self.mean.in_place():
            scores = dict(self.score())
            best = self.state.best_metric  # of the epochs before; None where nothing is to stop early
            if (best is None or scores[SCORE] > best) and self.is_world_process_zero():
                self.keep(scores)
        told = {f"{metric_key_prefix}_{name}": value for name, value in scores.items()}
        self.log(told)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, told)
        return told


class Adversary:
    """A second look at each batch, its embeddings moved by a step of fixed length that makes the loss larger (FGM)."""

    def __init__(self, model: Any, length: float) -> None:
        self.length = length
        self.vectors: Tensor | None = None
        self.step: Tensor | None = None
        model.classifier.encoder.get_input_embeddings().register_forward_hook(self._seen)

    def _seen(self, _: nn.Module, __: object, vectors: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return vectors
        if self.step is not None:
            return vectors + self.step
        self.vectors = vectors if vectors.requires_grad else vectors.requires_grad_()
        self.vectors.retain_grad()
        return self.vectors

    def __enter__(self) -> None:
        if self.vectors is not None and self.vectors.grad is not None:
            gradient = self.vectors.grad
            self.step = self.length * gradient / (gradient.norm() + 1e-12)

    def __exit__(self, *_: object) -> None:
        self.vectors = self.step = None


def arguments(plan: Plan, folder: Path) -> TrainingArguments:
    """A plan in the Trainer's words."""
    device, precision = choose_device(plan.device), precision_of(plan)
    log.info("training on %s in %s", device, str(precision).removeprefix("torch."))
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=1,  # one ready batch
        gradient_accumulation_steps=plan.accumulate,
        learning_rate=plan.rate,
        lr_scheduler_type="linear",
        warmup_steps=plan.warmup,  # a share, where it is less than one
        max_grad_norm=plan.clip,
        bf16=precision == torch.bfloat16,
        fp16=precision == torch.float16,
        use_cpu=device.type == "cpu",
        torch_compile=plan.compiled,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        metric_for_best_model=SCORE if plan.patience else None,
        greater_is_better=True if plan.patience else None,
        logging_steps=20,
        report_to="none",  # the run adds TensorBoard with a folder of its own
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
        seed=plan.seed,
        data_seed=plan.seed,
    )


def precision_of(plan: Plan) -> torch.dtype:
    """What matrix products are computed in."""
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return named[plan.precision] if plan.precision != "auto" else choose_dtype(choose_device(plan.device))


def rates(model: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Trained weights in groups of one learning rate each: the head, and the encoder by depth."""
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    depths = {depth for name, _ in trained if (depth := _depth(name)) is not None}
    top = max(depths, default=0) + 1
    groups: dict[float, list[nn.Parameter]] = {}
    for name, weight in trained:
        depth = _depth(name)
        below = top - 1 - depth if depth is not None else top
        rate = plan.head_rate if ".encoder." not in f".{name}" else plan.rate * plan.layer_decay**below
        groups.setdefault(rate, []).append(weight)
    return [{"params": weights, "lr": rate} for rate, weights in groups.items()]


def _depth(name: str) -> int | None:
    """The number of the layer that a weight lies in, None for those below all layers."""
    parts = name.split(".")
    return next((int(part) for before, part in pairwise(parts) if before == "layer"), None)
