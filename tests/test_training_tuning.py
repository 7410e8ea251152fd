"""What is trained by each way of tuning, and that the model begins as the encoder was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_readers import tiny_encoder, tuned
from torch import nn
from transformers import DistilBertConfig, DistilBertModel

from extractors.bert import Dropout
from extractors.classifier import RelationClassifier, TokenClassifier
from extractors.encoder import Encoder, load_encoder
from extractors.training.plan import TUNINGS, Plan
from extractors.training.tuning import tune, whole
from pipeline.errors import UsageError

IDS, MASK = torch.arange(1000, 1012).reshape(2, 6), torch.ones(2, 6, dtype=torch.long)
SHAPES = torch.arange(12).reshape(2, 6)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("tiny"))


def fresh(tiny: Encoder, plan: Plan, **more: list[int]) -> TokenClassifier:
    torch.manual_seed(0)
    model = TokenClassifier(load_encoder(tiny.name), 3)
    model.see_shapes()
    tune(model, plan, steps=10, precision=torch.float32, **more)
    return model.eval()


@pytest.mark.parametrize("tuning", ["full", "lora", "adalora", "bottleneck"])
def test_a_model_begins_as_the_encoder_was(tiny: Encoder, tuning: str) -> None:
    torch.manual_seed(0)
    before = TokenClassifier(load_encoder(tiny.name), 3).eval()(IDS, MASK)
    model = fresh(tiny, Plan(tuning=tuning, rank=2), markers=[1001, 1005])
    assert torch.allclose(model(IDS, MASK, SHAPES), before, atol=1e-6)


@pytest.mark.parametrize(
    ("tuning", "parts"),
    [
        ("full", {"embeddings.position_embeddings", "embeddings.LayerNorm", "encoder.layer"}),
        ("lora", {"lora_A", "lora_B"}),
        ("adalora", {"lora_A", "lora_B", "lora_E"}),
        ("prefix", {".prefix"}),
        ("bottleneck", {".down.", ".up."}),
    ],
)
def test_a_plan_says_what_is_trained(tiny: Encoder, tuning: str, parts: set[str]) -> None:
    model = fresh(tiny, Plan(tuning=tuning, rank=2), markers=[1001])
    names = {name for name, weight in model.named_parameters() if weight.requires_grad}
    always = {"head.weight", "head.bias", "encoder.embeddings.token_type_embeddings.weight"}
    always |= {"encoder.embeddings.word_embeddings.delta"}
    assert always <= names
    assert all(any(part in name for part in parts) for name in names - always)
    assert all(any(part in name for name in names) for part in parts)


def test_word_embeddings_are_trained_where_it_is_asked_for(tiny: Encoder) -> None:
    def words(plan: Plan) -> bool:
        return fresh(tiny, plan).encoder.get_input_embeddings().weight.requires_grad

    assert [words(Plan(tuning="full", embeddings=yes)) for yes in (True, False)] == [True, False]


def test_frozen_weights_are_held_in_the_precision_they_are_used_in(tiny: Encoder) -> None:
    model = TokenClassifier(load_encoder(tiny.name), 3)
    model.see_shapes()
    tune(model, Plan(rank=2), steps=10, precision=torch.bfloat16)
    kinds = {
        weight.dtype: weight.requires_grad for module in model.modules() if isinstance(module, nn.Linear | nn.Embedding)
        for weight in [module.weight]
    }  # fmt: skip
    assert kinds == {torch.bfloat16: False, torch.float32: True}


def test_the_encoder_of_a_fully_tuned_model_bears_its_own_names(tiny: Encoder) -> None:
    model = fresh(tiny, Plan(tuning="full"), markers=[1001])
    assert set(whole(model)) == set(tiny.model.state_dict())


def test_an_encoder_without_the_layers_is_refused(tmp_path: Path, tiny: Encoder) -> None:
    config = DistilBertConfig(dim=16, hidden_dim=32, n_layers=1, n_heads=2)
    model = TokenClassifier(tiny, 3)
    model.encoder = DistilBertModel(config)
    for tuning in ("prefix", "bottleneck"):
        with pytest.raises(UsageError, match="use lora"):
            tune(model, Plan(tuning=tuning), steps=1, precision=torch.float32)


@pytest.mark.parametrize("tuning", TUNINGS)
def test_gradient_checkpointing_gives_the_same_gradients(tiny: Encoder, tuning: str) -> None:
    found = []
    for checkpointing in (False, True):
        model = fresh(tiny, Plan(tuning=tuning, rank=2)).train()
        model.encoder.checkpointing = checkpointing
        torch.manual_seed(3)  # dropout draws from here
        model(IDS, MASK, SHAPES).square().sum().backward()
        found.append({name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None})
    plain, checkpointed = found
    assert plain.keys() == checkpointed.keys()
    assert len(plain) > 3
    assert all(torch.allclose(plain[name], checkpointed[name], atol=1e-6) for name in plain)


def test_each_slot_adds_its_mark_and_has_scores_of_its_own(tiny: Encoder) -> None:
    model = tuned(tiny, 3, "lora", slots=2)
    assert isinstance(model, RelationClassifier)
    marks = torch.tensor([[0, 1, 0, 2, 2, 0], [0, 0, 0, 0, 1, 0]])
    bert = model.encoder
    with torch.no_grad():
        hidden = bert.embeddings(IDS, SHAPES)
        hidden[marks == 1] += model.mark[0]
        hidden[marks == 2] += model.mark[1]
        wanted = model.head(bert.layers(hidden, MASK))
        found = model(IDS, MASK, SHAPES, marks)
    assert found.shape == (2, 6, 2, 3)
    assert torch.allclose(found[:, :, 0], wanted[..., :3], atol=1e-5)
    assert torch.allclose(found[:, :, 1], wanted[..., 3:], atol=1e-5)


def test_a_mark_begins_a_little_larger_than_what_it_is_added_to(tiny: Encoder) -> None:
    torch.manual_seed(0)
    bert = RelationClassifier(tiny, 3, slots=64)
    other = DistilBertModel(DistilBertConfig(dim=tiny.width, hidden_dim=32, n_layers=1, n_heads=2))
    distilled = RelationClassifier(replace(tiny, model=other), 3, slots=64)
    assert bert.mark is not None
    assert distilled.mark is not None
    with torch.no_grad():
        assert bert.mark.std() / tiny.model.embeddings(IDS).std() == pytest.approx(1.15, rel=0.1)
        assert distilled.mark.std() / other.get_input_embeddings().weight.std() == pytest.approx(1.15, rel=0.1)


def test_dropout_from_the_pool_keeps_the_mean_and_the_share() -> None:
    torch.manual_seed(0)
    drop, ones = Dropout(0.3), torch.ones(200, 1000)
    out = drop(ones)
    assert sorted(set(out.flatten().tolist())) == pytest.approx([0, 1 / 0.7])
    assert float((out == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert float(out.mean()) == pytest.approx(1, abs=0.01)
    assert not torch.equal(drop(ones), out)
    assert torch.equal(drop.eval()(ones), ones)
    assert torch.equal(Dropout(0.0)(ones), ones)


def test_dropout_scales_the_gradient_by_the_same_mask() -> None:
    torch.manual_seed(0)
    values = torch.randn(40, 50, requires_grad=True)
    out = Dropout(0.5)(values)
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(out, values * values.grad)
    assert set(values.grad.flatten().tolist()) == {0.0, 2.0}
