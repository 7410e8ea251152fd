"""Training a tagger: windows, partial labels and the loss by hand; then runs over a toy language."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_readers import NER, QUICK, STUDIES, TYPES, tiny_encoder

from extractors.adapter import Adapter, read_adapter
from extractors.adapters import WEIGHTS
from extractors.calibration import logit, sigmoid
from extractors.classifier import TokenClassifier
from extractors.encoder import Encoder, load_encoder
from extractors.evaluate import mention_f1
from extractors.tagger import Tagger
from extractors.tags import Row, tag_names
from extractors.torch_model import TorchModel
from extractors.training.lessons import Lesson, partial_tags, tag_examples
from extractors.training.ner import TagTask, mention_line, tag_loss
from extractors.training.plan import TUNINGS, Plan
from extractors.training.run import CHECKPOINTS, fit
from pipeline.errors import InputError, UsageError
from pipeline.text import split
from pipeline.types import Document, Mention, Reading

NAMES = tag_names(TYPES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ner")
    tiny_encoder(folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(folder / "encoder")


class Remembering(TagTask):
    """Keeps the classifier, and what it scores at the end of training."""

    def score(self, classifier: TokenClassifier) -> dict[str, float]:
        found = super().score(classifier)
        self.last = dict(TorchModel(self.encoder, classifier.eval()).scores(ROWS))
        return found


ROWS = [Row(tuple(range(2000, 2000 + 5 * size)), tuple(range(2, 2 + 5 * size))) for size in (1, 3)]


def test_scores_of_mentions_are_scaled_to_the_share_that_is_right() -> None:
    def found(score: float, right: bool) -> Mention:
        return Mention(0 if right else 1, 7, "1", "aspirin", "Chemical", score, "tagger@1")

    gold = [replace(split(Document("1", "aspirin.")), mentions=(found(1.0, True),))] * 40
    guesses = [found(score, at < share) for score, share in ((0.9, 12), (0.5, 4)) for at in range(20)]
    read = [replace(one, mentions=(guess,)) for one, guess in zip(gold, guesses, strict=True)]
    slope, offset = mention_line([replace(NER, readings=tuple(gold))], [read])
    assert sigmoid(slope * logit([0.9, 0.5]) + offset) == pytest.approx([0.6, 0.2], abs=0.03)
    assert mention_line([replace(NER, readings=tuple(gold), names=frozenset({"Disease"}))], [read]) == (1.0, 0.0)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_a_tagger_learns_and_is_read_again_as_it_was(
    folder: Path, tuning: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(folder))
    out = folder / tuning
    task = Remembering(load_encoder(folder / "encoder"), [NER], [replace(NER, name="dev")], TYPES)
    scores = fit(task, replace(QUICK, tuning=tuning), out)
    assert scores["f1"] == scores["dev"] > 95
    for number, found in TorchModel.load(read_adapter(out, kind="tagger"), "cpu").scores(ROWS):
        assert found == pytest.approx(task.last[number], abs=0.25)  # by bf16, where the processor has it
    read = list(Tagger.load(out)(replace(one, mentions=()) for one in STUDIES))
    assert mention_f1(STUDIES, read, NER.names) > 95
    assert not (out / CHECKPOINTS).exists()


SETTINGS: dict[str, Any] = {
    "epochs": 1, "rank": 4, "batch_tokens": 128, "rate": 1e-2, "average": 0.9, "masked": 0.2, "dropout": 0.3,
    "replaced": 0.5, "recased": 0.2, "device": "cpu",
}  # fmt: skip


def weights(folder: Path, out: Path, **settings: Any) -> dict[str, torch.Tensor]:
    plan = Plan(**{**SETTINGS, **settings})
    fit(TagTask(load_encoder(folder / "encoder"), [replace(NER, readings=STUDIES[:16])], [], TYPES), plan, out)
    return load_file(out / WEIGHTS)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    one = weights(folder, tmp_path / "1")
    torch.rand(7)
    again, other = weights(folder, tmp_path / "2"), weights(folder, tmp_path / "3", seed=14)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_an_unfinished_run_does_not_go_on_with_other_settings(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / CHECKPOINTS / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text('{"global_step": 3}', "utf-8")
    (tmp_path / CHECKPOINTS / "plan.json").write_text("{}", "utf-8")
    with pytest.raises(UsageError, match="holds an unfinished run with other settings or data"):
        weights(folder, tmp_path)


def test_half_a_checkpoint_is_not_gone_on_from(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / CHECKPOINTS / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text('{"global', "utf-8")
    assert weights(folder, tmp_path)


def test_a_corpus_says_nothing_about_a_type_that_it_does_not_annotate() -> None:
    table = partial_tags(NAMES, [frozenset(TYPES), frozenset({"Chemical"})])
    meant = [[{NAMES[at] for at in row.nonzero().flatten()} for row in corpus] for corpus in table]
    assert meant[0] == [{name} for name in NAMES]
    assert meant[1][0] == {"O", "B-Disease", "I-Disease"}
    assert meant[1][1:3] == [{"B-Chemical"}, {"I-Chemical"}]


def test_the_loss_is_that_one_of_the_right_tags_holds() -> None:
    scores = torch.tensor([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0]]).log()  # chances of 1, 2 and 5 in 8; of a third each
    right = torch.tensor([[True, True, False], [False, False, True]])
    by_hand = [-log(3 / 8), -log(1 / 3)]
    assert tag_loss(scores, right).item() == pytest.approx(sum(by_hand) / 2)
    even = [-(log(1 / 8) + log(2 / 8) + log(5 / 8)) / 3, log(3)]
    smooth = sum(0.9 * one + 0.1 * other for one, other in zip(by_hand, even, strict=True)) / 2
    assert tag_loss(scores, right, 0.1).item() == pytest.approx(smooth)


def mentioned(text: str, *names: str) -> Reading:
    mentions = tuple(
        Mention(text.index(name), text.index(name) + len(name), "1", name, "Chemical", 1.0, "gold") for name in names
    )
    return replace(split(Document("1", text)), mentions=mentions)


def test_training_windows_hold_each_word_once_with_its_tag(encoder: Encoder) -> None:
    gold = mentioned("Pain. " + "acid " * 100 + "Aspirin.", "Pain", "Aspirin")
    found = list(tag_examples(encoder, [Lesson(gold)], NAMES, corpus=0, size=24, overlap=8))
    tags = [tag for example in found for tag in example.tags]
    assert len(found) > 4
    assert [NAMES[tag] for tag in (tags[0], tags[-2])] == ["B-Chemical", "B-Chemical"]
    assert tags.count(0) == len(tags) - 2
    assert len(tags) == 104


def test_of_nested_mentions_the_longer_is_learnt(encoder: Encoder) -> None:
    (found,) = tag_examples(
        encoder, [Lesson(mentioned("acid rain", "acid", "acid rain"))], NAMES, corpus=0, size=24, overlap=8
    )
    assert [NAMES[tag] for tag in found.tags] == ["B-Chemical", "I-Chemical"]


def test_a_window_without_a_word_is_not_learnt_from(encoder: Encoder) -> None:
    found = list(
        tag_examples(encoder, [Lesson(mentioned("acid " + "abcdefgh" * 12))], NAMES, corpus=0, size=8, overlap=4)
    )
    assert sum(len(example.tags) for example in found) == 2
    assert all(example.tags for example in found)


def test_a_head_begins_with_the_rows_of_another_that_knows_the_tags(encoder: Encoder, tmp_path: Path) -> None:
    task = TagTask(encoder, [NER], [], ("Gene", "Disease"))
    for scheme, learnt in [("BIO", [0, 3, 4, 4, 3]), ("BIOES", [0, 5, 6, 7, 8])]:
        count = len(tag_names(TYPES, scheme))
        other = {"head.weight": np.arange(16 * count).reshape(count, 16), "head.bias": np.arange(count)}
        model = TokenClassifier(encoder, task.outputs)
        before = model.head.weight.detach().clone()
        task.start(model, Adapter(tmp_path, {"types": TYPES, "scheme": scheme}, other))
        kept = [0, 5, 6, 7, 8]
        assert model.head.bias[kept].tolist() == learnt
        assert torch.equal(model.head.weight[kept], torch.tensor(other["head.weight"])[learnt].float())
        assert torch.equal(model.head.weight[1:5], before[1:5])


def test_nothing_to_learn_from_is_told(folder: Path, tmp_path: Path) -> None:
    empty = replace(NER, readings=(Reading(Document("1", " ")),))
    with pytest.raises(InputError, match="studies: nothing in it can be learnt from"):
        fit(TagTask(load_encoder(folder / "encoder"), [empty], [], TYPES), QUICK, tmp_path)


def test_a_temperature_is_fitted_to_development_papers_though_they_name_an_unknown_type(
    folder: Path, tmp_path: Path
) -> None:
    strange = replace(STUDIES[0], mentions=(replace(STUDIES[0].mentions[0], type="Planet"), *STUDIES[0].mentions[1:]))
    dev = replace(NER, name="dev", readings=(strange, *STUDIES[1:8]))
    plan = Plan(**{**SETTINGS, "epochs": 2})
    fit(TagTask(load_encoder(folder / "encoder"), [NER], [dev], TYPES), plan, tmp_path / "out")
    adapter = read_adapter(tmp_path / "out", kind="tagger")
    assert 0 < adapter.config["temperature"] != 1
    assert Tagger.load(adapter.folder, device="cpu").temperature == adapter.config["temperature"]
