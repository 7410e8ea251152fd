"""Cards: what a reader of one is told, from what a run left behind."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from tiny_readers import NER

from extractors.adapter import read_adapter, write_adapter
from extractors.adapters import HOME
from extractors.adapters.rebuild import other
from extractors.training.card import CARD, Card, by_corpus, card_of, spread, write_card
from extractors.training.corpora import Data
from extractors.training.curves import draw
from extractors.training.plan import Plan
from pipeline.domains import known_domains, load_domain

CONFIG = {
    "kind": "tagger",
    "method": "lora",
    "encoder": "minilm",
    "plan": asdict(Plan()),
    "development": {"dev.txt": 88.123, "f1": 88.123},
}


def test_the_card_of_a_run_tells_data_scores_and_command(tmp_path: Path) -> None:
    write_adapter(tmp_path, CONFIG, {"x": np.zeros(1)})
    write_card(card_of(tmp_path, Data((NER,), (NER,), ()), "hypograph train ner --data x", seconds=90), tmp_path)
    lines = (tmp_path / CARD).read_text("utf-8").splitlines()
    assert lines[0] == f"# {tmp_path.name}: finds entities"
    assert "A tagger over the encoder `minilm`, tuned by lora of rank 64." in lines
    assert "| studies | 48 | Chemical, Disease | see its source |" in lines
    assert "| dev.txt | 88.1 (1 seed) |" in lines
    assert not any(line.startswith("| f1") for line in lines)
    assert lines[lines.index("```sh") + 1] == "hypograph train ner --data x"
    assert any(line.startswith("in 2 minutes on ") for line in lines)
    assert "epochs 4, tuning lora, rank 64" in "\n".join(lines)


def test_a_card_may_tell_the_spread_the_limits_and_the_other_model(tmp_path: Path) -> None:
    card = Card(
        name="best", title="finds entities", config=CONFIG | {"encoder": "."},
        data=[("BC5CDR", 500, "Disease", "free")], command="make it",
        scores={"BC5CDR": [88.0, 89.0]}, speed="7 abstracts/s", limits=["English alone"],
        other="`fast` is twice as fast.",
    )  # fmt: skip
    write_card(card, tmp_path)
    text = (tmp_path / CARD).read_text("utf-8")
    for said in (
        "with an encoder of its own, in this folder", "| BC5CDR | 500 | Disease | free |", "88.5 ± 0.7 (2 seeds)",
        "7 abstracts/s", "- English alone", "`fast` is twice as fast.",
    ):  # fmt: skip
        assert said in text


def test_spread_is_that_of_a_sample() -> None:
    assert spread([80.0, 82.0, 84.0]) == "82.0 ± 2.0 (3 seeds)"


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{"step": 20, "loss": 0.9}, {"step": 40, "loss": 0.5}],
        [{"step": 9, "loss": 0.9}, {"step": 10, "eval_f1": 50.0, "eval_a": 60.0, "eval_b": 40.0}],
        [{"step": 10, "eval_f1": 0.0}],
    ],
)
def test_curves_are_drawn_of_any_history(tmp_path: Path, history: list[dict[str, float]]) -> None:
    draw(history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("pack", known_domains())
def test_the_cards_of_what_ships_tell_the_scores_of_what_ships(pack: str) -> None:
    domain = load_domain(pack)
    for adapter in {adapter for *_, adapter in domain.adapters}:
        card = (HOME / adapter / CARD).read_text("utf-8")
        assert other(adapter, domain) in card
        for corpus, score in by_corpus(read_adapter(adapter).config["development"]).items():
            (row,) = (line for line in card.splitlines() if line.startswith(f"| {corpus} |") and "seed" in line)
            assert f" {score:.1f}" in row, f"{adapter}: {row}"
