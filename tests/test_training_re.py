"""Training a relation tagger: what is told, pooled and lost by hand; then runs over a toy language."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_readers import QUICK, RE, STUDIES, TYPES, tiny_encoder
from torch import Tensor

from extractors.adapter import read_adapter
from extractors.classifier import RelationClassifier
from extractors.encoder import Encoder, load_encoder
from extractors.evaluate import relation_f1
from extractors.marking import Scheme, entities, marked
from extractors.relations import RelationTagger, calibrated, read_scheme
from extractors.tags import cut
from extractors.torch_model import TorchPassModel
from extractors.training.corpora import Corpus
from extractors.training.passes import RelationModel, relation_examples
from extractors.training.plan import TUNINGS, Plan
from extractors.training.re import RelationTask, marker_ids, scheme_for, scheme_of
from extractors.training.run import fit
from extractors.training.thresholds import fitted, told
from pipeline.domains import load_domain
from pipeline.errors import InputError
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation

BIOMED = load_domain("biomed")
BOTH = frozenset({"INDUCES", "RELIEVES"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("re")
    tiny_encoder(folder / "encoder")
    return folder


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(folder / "encoder")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path))


class Remembering(RelationTask):
    """Keeps what the model says of one text at the end of training."""

    def score(self, classifier: RelationClassifier) -> dict[str, float]:
        found = super().score(classifier)
        self.last = says(TorchPassModel(self.encoder, classifier.eval()), self.scheme)
        return found


def says(model: TorchPassModel, scheme: Scheme) -> list[np.ndarray]:
    (pieces,) = cut(model.tokens.tokenizer, [STUDIES[0].document.text])
    return [scores for _, _, scores in model.scores(list(marked(STUDIES[0], pieces, scheme)))]


@pytest.mark.parametrize(("tuning", "slots"), [*((tuning, 1) for tuning in TUNINGS), ("lora", 3)])
def test_a_relation_tagger_learns_and_is_read_again_as_it_was(folder: Path, tuning: str, slots: int) -> None:
    encoder, out = load_encoder(folder / "encoder"), folder / f"{tuning}{slots}"
    scheme = replace(scheme_of(STUDIES, encoder, BIOMED, subjects=TYPES), slots=slots)
    task = Remembering(encoder, [RE], [replace(RE, name="dev")], scheme, BIOMED, held=[RE])
    scores = fit(task, replace(QUICK, tuning=tuning, batch_tokens=256), out)
    assert scores["dev"] > 90  # to tell of all is 80
    adapter = read_adapter(out, kind="relations")
    for one, other in zip(says(TorchPassModel.load(adapter, "cpu"), scheme), task.last, strict=True):
        assert one == pytest.approx(other, abs=0.25)  # by bf16, where the processor has it
    tagger = RelationTagger.load(out, BIOMED)
    assert tagger.scheme == scheme
    assert tagger.thresholds == task.thresholds
    found = list(tagger(replace(one, relations=()) for one in STUDIES))
    assert relation_f1(STUDIES, found, RE.names) == pytest.approx(scores["dev"], abs=4)


def entity(at: int, name: str, kind: str) -> Mention:
    return Mention(at, at + len(name), "1", name, kind, 1.0, "gold", (Grounding(name, name, 1.0, "gold"),))


def paper(*relations: tuple[str, int, int]) -> Reading:
    """A text on aspirin, pain and rash; relations are a name and the numbers of two of them."""
    text = "aspirin, pain, rash."
    mentions = (entity(0, "aspirin", "Chemical"), entity(9, "pain", "Disease"), entity(15, "rash", "Disease"))
    made = (Relation(0, 20, "1", name, mentions[one], mentions[other], 1.0, "gold") for name, one, other in relations)
    return replace(split(Document("1", text)), mentions=mentions, relations=tuple(made))


def scheme(encoder: Encoder, *groups: tuple[str, ...]) -> Scheme:
    pairs = {name: frozenset({("Chemical", "Disease")}) for name in sorted(BOTH)}
    return Scheme(TYPES, tuple(pairs), pairs, frozenset(), groups, marker_ids(encoder, TYPES), 64, 16)


def test_training_goes_on_from_another_tagger_of_relations(folder: Path, tmp_path: Path) -> None:
    def task(types: tuple[str, ...]) -> RelationTask:
        encoder = load_encoder(folder / "encoder")
        scheme = replace(scheme_of(STUDIES, encoder, BIOMED, subjects=TYPES), types=types)
        return RelationTask(encoder, [RE], [RE], scheme, BIOMED, held=[RE])

    learnt = fit(task(TYPES), replace(QUICK, batch_tokens=256), tmp_path / "one")
    still = replace(QUICK, epochs=1, rate=1e-12, head_rate=1e-12, batch_tokens=256)
    again = fit(task(TYPES), still, tmp_path / "two", start=read_adapter(tmp_path / "one"))
    assert again["f1"] == pytest.approx(learnt["f1"], abs=2)
    fit(task(TYPES[::-1]), still, tmp_path / "three", start=read_adapter(tmp_path / "one"))
    one, three = (read_adapter(tmp_path / name).tensors for name in ("one", "three"))
    for name in ("mark", "head.weight", "head.bias"):
        assert three[name] == pytest.approx(one[name], abs=1e-3)
    assert three["markers"] == pytest.approx(one["markers"][::-1], abs=1e-3)


def test_the_mark_of_an_older_adapter_is_begun_with_whole() -> None:
    adapter = read_adapter("biomed-re", kind="relations")
    assert adapter.tensors["mark"].shape == (1, 384)
    base = load_encoder(adapter.encoder)
    task = RelationTask(base, [RE], [], replace(read_scheme(adapter), slots=2), BIOMED)
    model = task.classifier(QUICK)
    task.start(model, adapter)
    assert model.mark is not None
    assert model.mark[0].tolist() == pytest.approx(adapter.tensors["mark"][0].tolist())
    assert not torch.equal(model.mark[0], model.mark[1])


def test_examples_tell_only_what_a_corpus_annotates(encoder: Encoder) -> None:
    wanted = scheme(encoder, ("INDUCES", "RELIEVES"))
    gold = paper(("INDUCES", 0, 2))
    (example,) = relation_examples(encoder, [gold], wanted, frozenset({"INDUCES"}))
    assert example.told.tolist() == [[True, False], [True, False]]
    assert example.gold.tolist() == [[False, False], [True, False]]
    (other,) = relation_examples(encoder, [gold], wanted, BOTH)
    assert other.told.all()
    assert list(relation_examples(encoder, [gold], wanted, frozenset({"Bind"}))) == []


def test_a_window_with_many_subjects_is_several_examples(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    both = replace(scheme(encoder), pairs={name: frozenset({(a, b) for a in TYPES for b in TYPES}) for name in BOTH})
    claims = paper(("INDUCES", 0, 1), ("INDUCES", 2, 0))
    (whole,) = relation_examples(encoder, [claims], both, BOTH)
    assert len(whole.marked.looks) == 3
    monkeypatch.setattr("extractors.training.passes.LARGEST", len(whole.marked.ids) + 2)
    parts = list(relation_examples(encoder, [claims], both, BOTH))
    assert [len(part.marked.looks) for part in parts] == [1, 1, 1]
    assert [look for part in parts for look in part.marked.looks] == list(whole.marked.looks)
    assert torch.cat([part.gold for part in parts]).equal(whole.gold)
    parts = list(relation_examples(encoder, [claims], replace(both, slots=2), BOTH))
    assert [len(part.marked.looks) for part in parts] == [2, 1]


def test_windows_that_tell_nothing_may_be_left_out(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(folder / "encoder")
    corpus = replace(RE, readings=(paper(("INDUCES", 0, 1)), paper()))
    told = scheme_of(STUDIES, encoder, BIOMED, subjects=TYPES)
    task = RelationTask(encoder, [corpus], [RE], told, BIOMED)
    ((telling, silent),) = task.items([corpus])
    assert (telling.silent, silent.silent) == (False, True)
    seen = []
    collate = task.collate
    monkeypatch.setattr(task, "collate", lambda items: seen.extend(items) or collate(items))
    fit(task, replace(QUICK, silent=0), tmp_path / "out")
    assert seen
    assert not any(item.silent for item in seen)


def test_the_subjects_of_a_pass_change_and_their_objects_stay_theirs(encoder: Encoder) -> None:
    every = {name: frozenset((one, other) for one in TYPES for other in TYPES) for name in BOTH}
    wanted = replace(scheme(encoder), pairs=every, slots=2)
    claims = paper(("INDUCES", 0, 1), ("RELIEVES", 0, 2))
    task = RelationTask(encoder, [RE], [], wanted, BIOMED)
    examples = list(relation_examples(encoder, [claims, claims], wanted, BOTH))
    assert [task.length(example) for example in examples] == [2 * (len(examples[0].marked.ids) + 2)] * 2
    marks = set()
    for _ in range(20):
        batch = task.collate(examples)
        assert batch["marks"].shape == batch["ids"].shape == (4, len(examples[0].marked.ids) + 2)
        marks.add(tuple(batch["marks"].flatten().tolist()))
        objects = [object_ for example in examples for look in example.marked.looks for object_ in look.places]
        looks = [look for example in examples for look in example.marked.looks for _ in look.places]
        assert len(batch["gold"]) == len(objects)
        for at, place, slot, number in batch["places"].T.tolist():
            assert place - 1 in objects[number]
            seen = batch["marks"][at].eq(slot + 1).nonzero().flatten() - 1
            assert seen.tolist() == list(looks[number].marked)
    assert len(marks) > 3


def test_a_claim_without_direction_is_gold_either_way_round(encoder: Encoder) -> None:
    wanted = scheme(encoder, ("INDUCES", "RELIEVES"))
    for given, found in ((wanted, True), (replace(wanted, ordered=frozenset({"INDUCES"})), False)):
        (example,) = relation_examples(encoder, [paper(("INDUCES", 1, 0))], given, BOTH)
        assert example.gold[0, 0].item() == found


class Said(torch.nn.Module):
    """A classifier that gives scores by hand: of each pass, for each place, a row for each slot."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(scores)

    def forward(self, *_: Tensor) -> Tensor:
        return self.scores


def loss(encoder: Encoder, groups: tuple[tuple[str, ...], ...], plan: Plan, *, told: list[list[bool]]) -> float:
    """Of two objects, one with two mentions, the second of which holds the first relation."""
    scores = torch.zeros(1, 5, 2, 2)
    scores[0, 1, 0] = torch.tensor([0.5, -1.0])
    scores[0, 2, 0] = torch.tensor([1.0, 0.0])
    scores[0, 4, 1] = torch.tensor([2.0, 1.0])
    model = RelationModel(Said(scores), scheme(encoder, *groups), plan, encoder.mask_id)  # type: ignore[arg-type]
    ids = torch.ones(1, 5, dtype=torch.long)
    places = torch.tensor([[0, 1, 0, 0], [0, 2, 0, 0], [0, 4, 1, 1]]).T
    gold = torch.tensor([[False, False], [True, False]])
    found: float = model(ids, ids, ids, 0 * ids, places, gold, torch.tensor(told))["loss"].item()
    return found


FIRST = [exp(0.5) + exp(1.0), exp(-1.0) + exp(0.0)]  # the pooled odds of two mentions
SECOND = [exp(2.0), exp(1.0)]
ALL = [[True, True], [True, True]]


def test_the_loss_of_relations_that_exclude_each_other(encoder: Encoder) -> None:
    by_hand = [log(1 + sum(FIRST)), log(1 + sum(SECOND)) - 2]
    found = loss(encoder, (("INDUCES", "RELIEVES"),), Plan(masked=0.0), told=ALL)
    assert found == pytest.approx(sum(by_hand) / 2)
    even = [log(1 + sum(FIRST)) - (log(FIRST[0]) + log(FIRST[1])) / 3, log(1 + sum(SECOND)) - 1]
    smooth = [0.8 * one + 0.2 * other for one, other in zip(by_hand, even, strict=True)]
    found = loss(encoder, (("INDUCES", "RELIEVES"),), Plan(masked=0.0, smoothing=0.2), told=ALL)
    assert found == pytest.approx(sum(smooth) / 2)


def test_the_loss_of_relations_that_do_not(encoder: Encoder) -> None:
    by_hand = [log(1 + FIRST[0]), log(1 + SECOND[0]) - 2, log(1 + FIRST[1]), log(1 + SECOND[1])]
    found = loss(encoder, (("INDUCES",), ("RELIEVES",)), Plan(masked=0.0), told=ALL)
    assert found == pytest.approx(sum(by_hand) / 4)


def test_what_is_not_told_counts_for_nothing(encoder: Encoder) -> None:
    only = [[False, False], [True, False]]
    for groups in ((("INDUCES", "RELIEVES"),), (("INDUCES",), ("RELIEVES",))):
        found = loss(encoder, groups, Plan(masked=0.0), told=only)
        assert found == pytest.approx(log(1 + SECOND[0]) - 2)


def test_a_scheme_holds_what_is_claimed_more_than_now_and_then(encoder: Encoder) -> None:
    often = [paper(("INDUCES", 0, 1), ("RELIEVES", 2, 0))] * 3
    once = [paper(("Association", 0, 1))]
    found = scheme_of([*often, *once], encoder, BIOMED, subjects=["Chemical", "Gene", "Disease"])
    assert found.pairs == {
        "Association": frozenset(),
        "INDUCES": {("Chemical", "Disease")},
        "RELIEVES": {("Chemical", "Disease")},
    }
    assert (found.types, found.window) == (TYPES, 510)
    ordered = scheme_of(often, encoder, BIOMED, ordered=BOTH, level="sentence", window=128)
    assert ordered.pairs["RELIEVES"] == {("Disease", "Chemical")}
    assert (ordered.window, ordered.overlap) == (128, 32)


def test_a_relation_is_in_one_group_alone(encoder: Encoder) -> None:
    often = [paper(("INDUCES", 0, 1), ("RELIEVES", 0, 2), ("Association", 0, 1))] * 3

    def groups(*given: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return scheme_of(often, encoder, BIOMED, subjects=TYPES, groups=given).groups

    assert groups() == (("Association",), ("INDUCES",), ("RELIEVES",))
    assert groups(("INDUCES", "Bind"), ("RELIEVES", "INDUCES")) == (("INDUCES",), ("RELIEVES",), ("Association",))
    assert groups(("INDUCES", "RELIEVES"), ("INDUCES", "RELIEVES")) == (("INDUCES", "RELIEVES"), ("Association",))


def test_mentions_without_concepts_are_related_within_sentences(encoder: Encoder) -> None:
    linked = Corpus("x", (paper(("INDUCES", 0, 1)),) * 3, BOTH)
    ends = tuple(replace(mention, groundings=()) for mention in linked.readings[0].mentions)
    claim = replace(linked.readings[0].relations[0], subject=ends[0], object=ends[1])
    loose = replace(linked, readings=(replace(linked.readings[0], mentions=ends, relations=(claim,)),) * 3)
    assert scheme_for([linked], encoder, BIOMED, []).level == "document"
    found = scheme_for([loose], encoder, BIOMED, [])
    assert (found.level, found.window, "INDUCES" in found.ordered) == ("sentence", 128, True)
    assert told(loose.readings[0], BOTH, found) == {("INDUCES", ends[0].uid, ends[1].uid)}
    examples = list(relation_examples(encoder, loose.readings[:1], found, BOTH))
    gold = [tuple(row) for example in examples for row in example.gold.tolist()]
    assert found.outputs == (("INDUCES", False), ("INDUCES", True))
    assert sorted(set(gold)) == [(False, False), (False, True), (True, False)]
    assert np.sum(gold, axis=0).tolist() == [1, 1]  # from the chemical, and from the disease


class Sure:
    """A tagger that finds each pair with a given probability."""

    def __init__(self, scheme: Scheme, chances: list[float]) -> None:
        self.scheme, self.chances = scheme, chances

    def scores(self, readings: list[Reading]) -> list[list[tuple[object, object, np.ndarray]]]:
        return [
            [(*entities(reading)[:2], np.array([chance, 0], dtype=np.float32))]
            for reading, chance in zip(readings, self.chances, strict=True)
        ]


def test_the_threshold_is_between_the_middle_of_the_best_ones_and_half_of_their_f1(encoder: Encoder) -> None:
    held = Corpus("held", (paper(("INDUCES", 0, 1)), paper(("INDUCES", 0, 1)), paper()), frozenset({"INDUCES"}))
    told_apart = Sure(scheme(encoder, ("INDUCES",), ("RELIEVES",)), [0.9, 0.43, 0.31])
    _, threshold = fitted(told_apart, held)  # type: ignore[arg-type]
    assert threshold == pytest.approx(0.55, abs=0.1)  # at 0.5 to 0.6 these are told apart, with an F1 of 1
    turned = Sure(told_apart.scheme, [0.31, 0.9, 0.9])
    assert fitted(turned, held) == ((1.0, 0.0), 0.3)  # type: ignore[arg-type]  # 0.1 to 0.3 have an F1 of 0.8


def test_what_is_too_sure_is_calibrated_on_held_out_papers(encoder: Encoder) -> None:
    papers = [paper(("INDUCES", 0, 1)), paper()] * 20
    held = Corpus("held", tuple(papers), frozenset({"INDUCES"}))
    sure = Sure(scheme(encoder, ("INDUCES",), ("RELIEVES",)), [0.99, 0.9] * 19 + [0.9, 0.99])
    (slope, offset), _ = fitted(sure, held)  # type: ignore[arg-type]
    rows = [np.array([chance, 0], dtype=np.float32) for chance in (0.99, 0.9)]
    high, low = (calibrated(row, sure.scheme, {"INDUCES": (slope, offset)})[0] for row in rows)
    assert high == pytest.approx(0.95, abs=0.06)  # as Platt, who moves targets a little inside
    assert low == pytest.approx(0.05, abs=0.06)


def test_types_need_unused_pieces_as_markers(encoder: Encoder, tmp_path: Path) -> None:
    assert len(set(marker_ids(encoder, ["x"] * 9))) == 9
    with pytest.raises(InputError, match="has no 2000 unused pieces"):
        marker_ids(encoder, ["x"] * 2000)


def test_papers_without_a_relation_to_learn_are_told(folder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(folder / "encoder")
    rare = Corpus("rare", (paper(("INDUCES", 0, 1)),), frozenset({"INDUCES"}))
    task = RelationTask(encoder, [rare], [], scheme_for([rare], encoder, BIOMED, []), BIOMED)
    with pytest.raises(InputError, match="rare: nothing in it can be learnt from"):
        fit(task, QUICK, tmp_path)
