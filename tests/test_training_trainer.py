"""The training loop: mean weights, rates, early stopping and the adversary, by hand-computed numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_readers import QUICK, tiny_encoder
from torch import Tensor, nn

from extractors.classifier import TokenClassifier
from extractors.encoder import Encoder, load_encoder
from extractors.training.callbacks import Mean
from extractors.training.lessons import partial_tags
from extractors.training.ner import TagModel
from extractors.training.plan import Plan
from extractors.training.trainer import Adversary, Epochs, Fitting, rates
from extractors.training.tuning import tune

NAMES = ("O", "B-X", "I-X")
IDS, MASK = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
BATCH = {
    "ids": IDS,
    "mask": MASK,
    "shapes": torch.zeros_like(IDS),
    "marks": torch.zeros_like(IDS),
    "words": torch.tensor([[0, 1, 1, 0], [1, 2, 2, 0]]).T,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


class Line(nn.Module):
    """One weight that goes to 10."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, goal: Tensor) -> dict[str, Tensor]:
        return {"loss": (self.weight - goal).square().sum()}


def at(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step)


def test_the_mean_follows_the_weights_as_computed_by_hand(tmp_path: Path) -> None:
    model = Line()
    mean = Mean(model, 0.2)
    mean.on_train_begin(SimpleNamespace(output_dir=tmp_path), at(0), None)
    expected = 0.0
    for step, (value, inertia) in enumerate([(1.0, 1 / 11), (2.0, 2 / 12), (4.0, 0.2)], start=1):
        model.weight.data.fill_(value)
        mean.on_step_end(None, at(step), None)
        expected = inertia * expected + (1 - inertia) * value
    assert mean.values[0].item() == pytest.approx(expected)
    with mean.in_place():
        assert model.weight.item() == pytest.approx(expected)
    assert model.weight.item() == 4
    with pytest.raises(ZeroDivisionError), mean.in_place():
        _ = 1 / 0
    assert model.weight.item() == 4


def test_without_inertia_the_mean_is_the_last_weights(tmp_path: Path) -> None:
    model = Line()
    mean = Mean(model, 0.0)
    mean.on_train_begin(SimpleNamespace(output_dir=tmp_path), at(0), None)
    model.weight.data.fill_(3.0)
    mean.on_step_end(None, at(1), None)
    assert mean.values[0].item() == 3


class Watched:
    """A run of :class:`Line` whose scores are given."""

    def __init__(self, folder: Path, scores: list[float], plan: Plan) -> None:
        self.model = Line()
        self.scores: Iterator[float] = iter(scores)
        self.kept: list[tuple[float, float]] = []
        self.fitting = Fitting(
            self.model,
            plan,
            folder,
            epochs=Epochs(lambda _: [[10.0], [10.0]]),
            collate=lambda items: {"goal": torch.tensor(items)},
            score=lambda: {"f1": next(self.scores)},
            keep=self._keep,
        )

    def _keep(self, scores: Mapping[str, float]) -> None:
        self.kept.append((scores["f1"], self.model.weight.item()))


PATIENT = replace(QUICK, epochs=9, patience=2, average=0.5)


def test_it_stops_in_time_and_keeps_the_best_not_the_last(tmp_path: Path) -> None:
    run = Watched(tmp_path, [10, 30, 20, 30, 99], PATIENT)
    run.fitting.train()
    assert [score for score, _ in run.kept] == [10, 30]
    assert run.fitting.state.epoch == 4
    assert 0 < run.kept[0][1] < run.kept[1][1] < run.model.weight.item()


def test_what_was_best_is_known_to_a_run_that_goes_on(tmp_path: Path) -> None:
    first = Watched(tmp_path, [10, 30], PATIENT)
    with pytest.raises(StopIteration):
        first.fitting.train()
    second = Watched(tmp_path, [20, 25, 99], PATIENT)
    (last,) = tmp_path.glob("checkpoint-*")
    second.fitting.train(resume_from_checkpoint=str(last))
    assert second.kept == []
    assert second.fitting.state.epoch == 4


def test_without_patience_every_epoch_is_kept(tmp_path: Path) -> None:
    run = Watched(tmp_path, [10, 30, 20], replace(PATIENT, epochs=3, patience=0))
    run.fitting.train()
    assert [score for score, _ in run.kept] == [10, 30, 20]


@pytest.mark.filterwarnings("ignore:Detected call of")  # a schedule is made without a step
def test_rates_warm_up_and_fall_to_zero(tmp_path: Path) -> None:
    run = Watched(tmp_path, [0.0] * 9, replace(PATIENT, patience=0, warmup=0.5, rate=1.0, head_rate=1.0))
    run.fitting.create_optimizer()
    schedule = run.fitting.create_scheduler(num_training_steps=8)
    seen = []
    for _ in range(9):
        seen.append(schedule.get_last_lr()[0])
        schedule.step()
    assert seen == pytest.approx([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0])


def tagging(tiny: Encoder, plan: Plan) -> TagModel:
    torch.manual_seed(0)
    classifier = TokenClassifier(load_encoder(tiny.name), len(NAMES), dropout=0.0)
    classifier.see_shapes()
    tune(classifier, plan, steps=1, precision=torch.float32)
    return TagModel(classifier, partial_tags(NAMES, [frozenset({"X"})]), plan, tiny.mask_id)


def test_each_layer_learns_slower_than_the_one_above(tiny: Encoder) -> None:
    plan = Plan(tuning="full", embeddings=True, rate=0.1, head_rate=0.7, layer_decay=0.5)
    model = tagging(tiny, plan)
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {names[id(w)]: group["lr"] for group in rates(model, plan) for w in group["params"]}
    assert len(found) == len(list(model.parameters()))
    encoder = "classifier.encoder."
    assert found["classifier.head.weight"] == 0.7
    assert found[f"{encoder}encoder.layer.1.output.dense.weight"] == pytest.approx(0.1)
    assert found[f"{encoder}encoder.layer.0.attention.self.query.bias"] == pytest.approx(0.05)
    assert found[f"{encoder}embeddings.word_embeddings.weight"] == pytest.approx(0.025)
    assert found[f"{encoder}embeddings.token_type_embeddings.weight"] == pytest.approx(0.025)


def fitting(tiny: Encoder, folder: Path, plan: Plan) -> Fitting:
    return Fitting(
        tagging(tiny, plan),
        plan,
        folder,
        epochs=Epochs(lambda _: [[0]]),
        collate=lambda _: BATCH,
        score=lambda: {"f1": 0.0},
        keep=lambda _: None,
    )


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_the_adversary_looks_again_where_it_hurts(tiny: Encoder, tmp_path: Path, tuning: str) -> None:
    plan = replace(QUICK, tuning=tuning, embeddings=True, adversarial=0.3)
    model = tagging(tiny, plan).eval()
    words = model.classifier.encoder.get_input_embeddings()
    plain, seen = words(IDS).detach(), []
    adversary = Adversary(model, plan.adversarial)
    loss = model(**BATCH)["loss"]
    loss.backward()
    words.register_forward_hook(lambda *told: seen.append(told[2]))
    with adversary:
        worse = model(**BATCH)["loss"]
        worse.backward()
    assert (seen[0].detach() - plain).norm().item() == pytest.approx(0.3, rel=1e-4)
    assert worse.item() > loss.item()
    assert model(**BATCH)["loss"].item() == pytest.approx(loss.item())
    assert torch.equal(seen[1].detach(), plain)


def test_the_adversary_adds_to_the_gradient_and_is_off_by_default(tiny: Encoder, tmp_path: Path) -> None:
    found = []
    for plan in (QUICK, replace(QUICK, adversarial=1.0)):
        run = fitting(tiny, tmp_path, plan)
        run.current_gradient_accumulation_steps = 1
        run.training_step(run.model, dict(BATCH))
        found.append(run.model.classifier.head.weight.grad)
        assert (run.adversary is None) == (plan is QUICK)
    plain, more = found
    assert not torch.allclose(more, plain, rtol=0.05)
    assert not torch.allclose(more, 2 * plain, rtol=1e-4)  # nor is it the same look twice


def test_every_epoch_has_as_many_batches_as_were_counted() -> None:
    made = {0: [[1, 2, 3]] * 60, 1: [[1, 2]] * 55, 2: [[1]] * 61}
    epochs = Epochs(lambda epoch: made[epoch])
    numbers, items = [], []
    for epoch in range(3):
        epochs.set_epoch(epoch)
        numbers.append(len(epochs))
        items.append(sum(len(epochs[at]) for at in range(len(epochs))))
    assert numbers == [62, 62, 62]
    assert items == [180, 110, 62]
