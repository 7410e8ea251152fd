"""Making a model that ships by its recipe: what it needs comes first, its encoder becomes a base for other adapters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_readers import QUICK, STUDIES, tiny_encoder, write_pubtator

from extractors.adapter import read_adapter
from extractors.adapters import rebuild
from extractors.adapters.recipes import CORPORA, RECIPES, Recipe, Source
from extractors.encoders import find
from extractors.encoders.packed import read_weights
from extractors.evaluate import mention_f1
from extractors.relations import RelationTagger
from extractors.tagger import Tagger
from pipeline.domains import load_domain
from pipeline.text import split
from pipeline.types import Document

TRAIN, DEV = STUDIES[:36], STUDIES[36:]
LONG = "The same paper is told in two corpora with an abstract that was changed a little at its end."
PLAN = replace(QUICK, epochs=2, tuning="full")
LORA = replace(PLAN, tuning="lora")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of corpora, with recipes over a tiny encoder, and nothing that ships."""
    write_pubtator(tmp_path / "train.txt", [*TRAIN, DEV[0]])
    write_pubtator(tmp_path / "dev.txt", [*DEV, split(Document("99", LONG))])
    texts = [f"{LONG} Or so.", *(reading.document.text for reading in TRAIN)]
    plain = [{"id": f"p{number}", "title": text, "abstract": ""} for number, text in enumerate(texts)]
    (tmp_path / "plain.jsonl").write_text("\n".join(json.dumps(row) for row in plain), "utf-8")
    encoder = tiny_encoder(tmp_path / "encoder").name
    corpora = {
        "gold": Source("train.txt", "dev.txt", ("Chemical", "Disease"), ("INDUCES",), terms="ours"),
        "plain": Source("plain.jsonl", plain=36),
        "alone": Source("train.txt", held=0.25),
    }
    recipes = {
        "teacher": Recipe("biomed", "ner", encoder, ("gold",), replace(PLAN, epochs=24)),
        "tagger": Recipe(
            "biomed", "ner", encoder, ("gold", "plain"), PLAN, start="teacher", teachers=("teacher",), base="base"
        ),
        "relations": Recipe("biomed", "re", "base", ("gold",), LORA),
        "first": Recipe("biomed", "re", encoder, ("gold",), LORA),
        "second": Recipe("biomed", "re", encoder, ("gold",), replace(LORA, seed=14), start="first"),
        "mean": Recipe("biomed", "re", encoder, ("gold",), LORA, averaged=("first", "second")),
    }
    (tmp_path / "drugs.tsv").write_text("id\tname\ttype\nC:1\taspirin\tChemical\n", "utf-8")
    recipes["told"] = Recipe("biomed", "ner", encoder, ("gold",), LORA, vocabularies=("drugs",))
    vocabularies = {"drugs": ("drugs.tsv",)}
    for name, value in (("CORPORA", corpora), ("RECIPES", recipes), ("VOCABULARIES", vocabularies)):
        monkeypatch.setattr(rebuild, name, value)
    for place in ("HOME", "SHIPPED"):
        monkeypatch.setattr(rebuild, place, tmp_path / place)
    monkeypatch.setattr("extractors.adapters.HOME", tmp_path / "HOME")
    monkeypatch.setattr("extractors.encoders.SHIPPED", tmp_path / "SHIPPED")
    return tmp_path


def test_a_tagger_may_be_told_of_the_names_of_vocabularies(data: Path) -> None:
    rebuild.main(["told", "--data", str(data), "--work", str(data / "work"), "--out", str(data / "told")])
    adapter = read_adapter(data / "told", kind="tagger")
    assert adapter.known == ("Chemical",)
    assert adapter.config["dictionary"].startswith("dictionary@")
    assert "| gold without vocabularies |" in (data / "told" / "README.md").read_text("utf-8")
    Tagger.load(data / "told", device="cpu")


def test_a_base_ships_packed_with_its_head_apart_and_carries_other_adapters(data: Path) -> None:
    rebuild.main(["tagger", "--data", str(data), "--work", str(data / "work")])
    assert (data / "work" / "teacher" / "README.md").is_file()
    adapter = read_adapter("tagger", kind="tagger")
    assert sorted(adapter.tensors) == ["head.bias", "head.weight"]
    assert adapter.encoder == "base"
    card = (data / "HOME" / "tagger" / "README.md").read_text("utf-8")
    assert "over the encoder `base`" in card
    assert "| gold | 36 | Chemical, Disease | ours |" in card
    assert "| plain | 36 |" in card
    whole = Tagger.load(data / "work" / "tagger", device="cpu")
    parted = Tagger.load("tagger", device="cpu")
    bare = [replace(reading, mentions=(), relations=()) for reading in DEV]
    scores = [mention_f1(DEV, list(tagger(bare)), frozenset({"Chemical", "Disease"})) for tagger in (whole, parted)]
    assert min(scores) > 80
    assert abs(scores[0] - scores[1]) < 5

    rebuild.main(["relations", "--data", str(data), "--work", str(data / "work"), "--seed", "3"])
    relations = read_adapter(data / "work" / "relations", kind="relations")
    assert relations.config["encoder"] == "base"
    assert relations.config["plan"]["seed"] == 3


def test_a_model_is_the_mean_of_two_with_thresholds_of_its_own(data: Path) -> None:
    scores = rebuild.rebuild("mean", data, data / "mean", data / "work", LORA, ships=True)
    parts = [read_adapter(data / "work" / name).tensors for name in ("first", "second")]
    mean = read_adapter(data / "mean", kind="relations")
    assert set(mean.tensors) == set(parts[0])
    for name, weights in mean.tensors.items():
        assert np.abs(weights - (parts[0][name] + parts[1][name]) / 2).max() < 0.01, name
        assert "head" not in name or np.abs(parts[0][name] - parts[1][name]).max() > 0, name
    assert mean.config["development"] == scores
    assert set(mean.config["thresholds"]) == {"INDUCES"}
    assert RelationTagger.load(data / "mean", load_domain("biomed"), device="cpu").calibration


def test_another_seed_is_one_of_all_stages(data: Path) -> None:
    rebuild.rebuild("mean", data, data / "mean", data / "work", replace(LORA, seed=LORA.seed + 5))
    seeds = {folder.name: read_adapter(folder).config["plan"]["seed"] for folder in (data / "work").iterdir()}
    assert seeds == {f"first-seed-{LORA.seed + 5}": LORA.seed + 5, "second-seed-19": 19}


def test_papers_of_development_parts_are_in_no_other_part(data: Path) -> None:
    found = rebuild.read(rebuild.RECIPES["tagger"], data, load_domain("biomed"))
    gold, plain = found.train
    assert DEV[0].document.text not in {reading.document.text for reading in gold.readings}
    assert len(plain.readings) == 36
    assert all(LONG not in reading.document.text for reading in plain.readings)


def test_a_corpus_without_a_development_part_is_parted_by_paper(data: Path) -> None:
    found = rebuild.read(replace(rebuild.RECIPES["teacher"], corpora=("alone",)), data, load_domain("biomed"))
    (learnt,), (held,) = found.train, found.development
    assert len(learnt.readings) + len(held.readings) == 37
    assert len(held.readings) == 9


def test_recipes_name_what_there_is() -> None:
    for name, recipe in RECIPES.items():
        assert set(recipe.corpora) <= set(CORPORA), name
        assert {recipe.start, *recipe.teachers, *recipe.averaged} - {""} <= set(RECIPES), name
        assert set(recipe.shares) <= set(recipe.corpora), name
        assert load_domain(recipe.domain)
    bases = {recipe.base: recipe.encoder for recipe in RECIPES.values() if recipe.base}
    for base in bases:
        found = find(base)
        assert found is not None
        assert found.licence
        assert read_weights(found.folder)
