"""One run of fine-tuning: from a task and a plan to a folder that can be read with.

The folder holds the adapter (``adapter.json``, ``adapter.safetensors``), for full tuning the whole encoder with its
tokenizer too, the card, and the curves. A run that was killed goes on from its last epoch and ends with the same
weights.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from transformers import PrinterCallback
from transformers.integrations import TensorBoardCallback
from transformers.trainer import TRAINER_STATE_NAME

from extractors.adapter import Adapter, write_adapter
from extractors.adapters import CONFIG
from extractors.batches import batches, chance_of, drawn
from extractors.bert import Bert, Dropout
from extractors.classifier import TokenClassifier
from extractors.encoder import Encoder, encoder_folder
from extractors.training.augment import augmented, names_of
from extractors.training.callbacks import Ranks, Told
from extractors.training.corpora import Corpus
from extractors.training.curves import draw
from extractors.training.plan import Plan
from extractors.training.trainer import Epochs, Fitting, precision_of
from extractors.training.tuning import begin_with, trained, tune, whole
from pipeline.errors import InputError, UsageError
from pipeline.vocabulary import Vocabulary

log = logging.getLogger(__name__)
CHECKPOINTS, BOARD, CURVES, PLAN = "checkpoints", "tensorboard", "curves.png", "plan.json"


class Task(Protocol):
    """What a run has to know of what is learnt; ``outputs`` scores a piece, ``markers`` piece ids that are tuned."""

    kind: str
    encoder: Encoder
    corpora: Sequence[Corpus]
    outputs: int
    markers: tuple[int, ...]

    def classifier(self, plan: Plan) -> TokenClassifier: ...

    def items(self, corpora: Sequence[Corpus]) -> Sequence[Sequence[Any]]: ...

    def length(self, item: Any) -> int: ...

    def model(self, classifier: Any, plan: Plan) -> nn.Module: ...

    def collate(self, items: Sequence[Any]) -> Mapping[str, Tensor]: ...

    def score(self, classifier: Any) -> Mapping[str, float]: ...

    def start(self, classifier: Any, adapter: Adapter) -> None: ...

    def config(self) -> Mapping[str, object]: ...


def fit(
    task: Task, plan: Plan, out: Path, *, start: Adapter | None = None, vocabulary: Vocabulary | None = None
) -> dict[str, float]:
    """Train, and give the development scores of what was kept.

    ``start`` is a model whose head is begun with, and its low-rank factors where both lie over the same encoder;
    ``vocabulary`` knows other names for mentions and concepts.
    """
    began = time.monotonic()
    last = _start(out, task, plan)
    torch.manual_seed(plan.seed)
    classifier = _classifier(task, plan)
    epochs = Epochs(_maker(task, plan, vocabulary))
    if not len(epochs):
        raise InputError(f"{', '.join(corpus.name for corpus in task.corpora)}: nothing in it can be learnt from")
    at_once = plan.accumulate * int(os.environ.get("WORLD_SIZE", "1"))
    steps = plan.epochs * -(-len(epochs) // at_once)
    allocating = tune(classifier, plan, steps=steps, precision=precision_of(plan), markers=task.markers)
    if start:
        task.start(classifier, start)
    if start and "lora" == plan.tuning == start.method and start.config["encoder_sha256"] == task.encoder.sha256:
        begin_with(classifier, start.tensors)
    fitting = Fitting(
        task.model(classifier, plan),
        plan,
        out / CHECKPOINTS,
        epochs=epochs,
        collate=task.collate,
        score=lambda: task.score(classifier),
        keep=lambda scores: write(task, plan, classifier, out, scores),
    )
    fitting.remove_callback(PrinterCallback)
    fitting.add_callback(Told())
    if allocating:
        fitting.add_callback(Ranks(allocating))
    if fitting.is_world_process_zero():
        fitting.add_callback(TensorBoardCallback(SummaryWriter(str(out / BOARD))))
    if last:
        log.info("goes on from %s", last)
    fitting.train(resume_from_checkpoint=last)
    if fitting.is_world_process_zero():
        draw(fitting.state.log_history, out / CURVES)
        shutil.rmtree(out / CHECKPOINTS)
    fitting.accelerator.wait_for_everyone()
    scores: dict[str, float] = json.loads((out / CONFIG).read_text("utf-8"))["development"]
    log.info("trained %d steps in %.0f s: %s", fitting.state.global_step, time.monotonic() - began, scores)
    return scores


def average(task: Task, plan: Plan, models: Sequence[Adapter], out: Path) -> dict[str, float]:
    """Write the mean of the weights of models of one task, low-rank factors one by one, and give its scores.

    Models that began with the same weights lie near enough to each other for that (a soup, Wortsman et al. 2022).
    """
    tensors = {name: np.mean([model.tensors[name] for model in models], axis=0) for name in models[0].tensors}
    classifier = _classifier(task, plan)
    tune(classifier, plan, steps=0, precision=precision_of(plan), markers=task.markers)
    task.start(classifier, replace(models[0], tensors=tensors))
    begin_with(classifier, tensors)
    scores = dict(task.score(classifier))
    out.mkdir(parents=True, exist_ok=True)
    write(task, plan, classifier, out, scores)
    return scores


def _classifier(task: Task, plan: Plan) -> TokenClassifier:
    classifier = task.classifier(plan)
    classifier.see_shapes()
    for module in classifier.encoder.modules():
        if isinstance(module, Dropout):
            module.p = plan.dropout
    if plan.checkpointing and isinstance(classifier.encoder, Bert):
        classifier.encoder.checkpointing = True
    elif plan.checkpointing:
        classifier.encoder.gradient_checkpointing_enable()
    return classifier


def write(task: Task, plan: Plan, classifier: TokenClassifier, out: Path, scores: Mapping[str, float]) -> None:
    """Write what :mod:`extractors.adapter` reads; a fully tuned encoder lies beside its head in the same folder."""
    full = plan.tuning == "full"
    if full:
        source = encoder_folder(task.encoder.name)
        config = json.loads((source / "config.json").read_text("utf-8"))
        config |= {"type_vocab_size": classifier.kinds.num_embeddings} if classifier.shaped else {}
        (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", "utf-8")
        for path in source.glob("tokenizer*.json"):
            shutil.copyfile(path, out / path.name)
        save_file(whole(classifier), out / "model.safetensors")
    config = {
        "kind": task.kind,
        "method": plan.tuning,
        "encoder": "." if full else task.encoder.name,
        "encoder_sha256": "" if full else task.encoder.sha256,
        "shaped": classifier.shaped,
        **task.config(),
        "plan": asdict(plan),
        "development": dict(scores),
    }
    write_adapter(out, config, {name: weight.numpy() for name, weight in trained(classifier, plan).items()})


def _start(out: Path, task: Task, plan: Plan) -> str | None:
    """The last whole checkpoint of a run that was killed; raises UsageError where that learnt something else."""
    folder = out / CHECKPOINTS
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    last = next((path for path in reversed(found) if _is_whole(path)), None)
    corpora = [[corpus.name, len(corpus.readings), sorted(corpus.names), corpus.share] for corpus in task.corpora]
    told = json.dumps({"settings": asdict(plan), "corpora": corpora, "task": task.config()}, indent=1)
    if not last:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PLAN).write_text(told, "utf-8")
    elif (folder / PLAN).read_text("utf-8") != told:
        raise UsageError(
            f"{out} holds an unfinished run with other settings or data ({folder / PLAN}): "
            f"go on with those, or remove {folder} to begin anew"
        )
    return str(last) if last else None


def _is_whole(checkpoint: Path) -> bool:
    """Its state is written last."""
    try:
        return bool(json.loads((checkpoint / TRAINER_STATE_NAME).read_text("utf-8")))
    except (OSError, ValueError):
        return False


def _maker(task: Task, plan: Plan, vocabulary: Vocabulary | None) -> Callable[[int], list[list[Any]]]:
    """The batches of an epoch, by its number; items are made once where nothing changes the texts."""
    changing = plan.replaced or plan.synonyms or plan.recased
    names = names_of((r for c in task.corpora for r in c.readings), vocabulary) if plan.replaced else None
    shares = [corpus.share for corpus in task.corpora]

    @cache
    def constant() -> Sequence[Sequence[Any]]:
        return task.items(task.corpora)

    def items(epoch: int) -> Sequence[Sequence[Any]]:
        texts = [
            tuple(augmented(corpus.readings, plan, epoch, names=names, vocabulary=vocabulary))
            for corpus in task.corpora
        ]
        return task.items([replace(c, readings=new) for c, new in zip(task.corpora, texts, strict=True)])

    def make(epoch: int) -> list[list[Any]]:
        chance = chance_of(plan.seed + epoch)
        seen = drawn(items(epoch) if changing else constant(), shares, chance)
        if plan.silent < 1:
            seen = [item for item in seen if not item.silent or chance.random() < plan.silent]
        return batches(seen, task.length, tokens=plan.batch_tokens, chance=chance)

    return make
