"""The relation tagger: marking by hand-solved texts, the rest by a model of random weights and by the shipped one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_readers import random_adapter, tiny_encoder

from extractors import torch_model
from extractors.adapter import read_adapter
from extractors.classifier import passes_of
from extractors.encoder import Encoder
from extractors.evaluate import relation_f1
from extractors.marking import Entity, Level, Look, Marked, Scheme, entities, marked, passes
from extractors.model import open_pass_model
from extractors.relations import (
    RelationTagger,
    calibrated,
    chosen,
    directed,
    joined,
    nearest,
    probabilities,
    read_scheme,
)
from extractors.tags import Pieces, cut
from extractors.torch_model import PIECES, TorchPassModel
from extractors.training.corpora import read_corpus
from extractors.training.re import marker_ids
from pipeline.domains import load_domain
from pipeline.errors import AdapterError
from pipeline.sources.shared.gold import GOLD
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation, Sentence, Span, merge_mentions

BIOMED = load_domain("biomed")
TYPES = ("Chemical", "Disease")
PAIRS = {"INDUCES": [["Chemical", "Disease"]], "Association": [["Chemical", "Chemical"], ["Chemical", "Disease"]]}


def config(markers: Sequence[int], **given: object) -> dict[str, object]:
    return {
        "kind": "relations",
        "types": TYPES,
        "pairs": PAIRS,
        "ordered": [],
        "groups": [["INDUCES"], ["Association"]],
        "markers": markers,
        "thresholds": {"INDUCES": 0.5, "Association": 0.5},
        "window": 64,
        "overlap": 16,
        "level": "document",
        "slots": 2,
        **given,
    }


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[RelationTagger]:
    folder = tmp_path_factory.mktemp("relations")
    adapter = random_adapter(folder / "adapter", encoder, 2, config(marker_ids(encoder, TYPES)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPOGRAPH_CACHE", str(folder))
        yield RelationTagger.load(adapter, BIOMED)


@pytest.fixture(scope="module")
def biomed() -> RelationTagger:
    return RelationTagger.load("biomed-re-fast", BIOMED)


def reading(text: str, *names: tuple[str, str, str]) -> Reading:
    """A text in which each (name, type, concept) is a mention wherever the name stands."""
    layers = [
        [
            Mention(
                at, at + len(name), "1", name, kind, 1.0, "test@1", (Grounding(uid, name, 1.0, "exact"),) if uid else ()
            )
            for at in range(len(text))
            if text.startswith(name, at)
        ]
        for name, kind, uid in names
    ]
    return replace(split(Document("1", text)), mentions=merge_mentions(*layers))


HALOPERIDOL = ("haloperidol", "Chemical", "MESH:D006220")
CATALEPSY = ("catalepsy", "Disease", "MESH:D002375")
PAIN = ("Pain", "Disease", "")
LITHIUM = ("Lithium", "Chemical", "MESH:D008094")


def shown(encoder: Encoder, text: Reading, **scheme: object) -> list[str]:
    """Passes as text; C and D are markers, a star stands before all of the subject, > behind markers of objects."""
    wanted = scheme_of(marker_ids(encoder, TYPES), **scheme)
    names = dict(zip(wanted.markers, "CD", strict=True))
    (pieces,) = cut(encoder.tokenizer, [text.document.text])
    found = []
    for window in marked(text, pieces, wanted):
        plain = [names.get(one) or encoder.tokenizer.id_to_token(one) for one in window.ids]
        assert len(window.shapes) == len(plain)
        for look in window.looks:
            row = list(plain)
            for place in (place for places in look.places for place in places):
                row[place] += ">"
            for place in look.marked:
                row[place] = "*" + row[place]
            found.append(" ".join(row).replace(" *##", "").replace(" ##", ""))
    return found


def scheme_of(markers: Sequence[int], **given: object) -> Scheme:
    told = config(markers, **given)
    pairs = {name: frozenset((one, other) for one, other in pairs) for name, pairs in PAIRS.items()}
    return Scheme(
        types=TYPES,
        relations=tuple(PAIRS),
        pairs=pairs,
        groups=(("INDUCES",), ("Association",)),
        markers=tuple(markers),
        **{name: told[name] for name in ("window", "overlap", "level")},  # type: ignore[arg-type]
        ordered=frozenset(told["ordered"]),  # type: ignore[call-overload]
    )


def test_a_pass_marks_one_subject_and_its_possible_objects(encoder: Encoder) -> None:
    text = reading("Lithium and haloperidol. Not here. So catalepsy, by haloperidol.", HALOPERIDOL, CATALEPSY, LITHIUM)
    assert shown(encoder, text) == [
        "*C *lithium and C> haloperidol . so D> catalepsy , by C> haloperidol .",
        "C lithium and *C *haloperidol . so D> catalepsy , by *C *haloperidol .",
    ]


def test_a_sentence_is_seen_with_what_fits_around_it(encoder: Encoder) -> None:
    names = ("aspirin", "Chemical", ""), ("pain", "Disease", "")
    text = reading("We saw pain. So aspirin cured pain. It was good. The pain left.", *names)
    assert shown(encoder, text, level="sentence", window=13, overlap=4) == [
        "pain . so *C *aspirin cured D> pain . it was"
    ]
    assert shown(encoder, text, level="sentence", window=64) == [
        "we saw D pain . so *C *aspirin cured D> pain . it was good . the D pain left ."
    ]


def test_in_a_sentence_each_mention_is_an_entity_of_its_own(encoder: Encoder) -> None:
    names = ("aspirin", "Chemical", "MESH:D1"), ("pain", "Disease", "MESH:D2")
    assert shown(encoder, reading("aspirin, pain, aspirin.", *names), level="sentence") == [
        "*C *aspirin , D> pain , C> aspirin .",
        "C aspirin , D> pain , *C *aspirin .",
    ]


def test_an_ordered_relation_is_asked_for_both_ways(encoder: Encoder) -> None:
    text = reading("Lithium after haloperidol.", HALOPERIDOL, LITHIUM)
    assert shown(encoder, text, ordered=["Association"]) == [
        "*C *lithium after C> haloperidol .",
        "C> lithium after *C *haloperidol .",
    ]


def test_a_disease_is_no_subject_and_a_chemical_alone_has_no_pass(encoder: Encoder) -> None:
    assert shown(encoder, reading("Pain and catalepsy.", PAIN, CATALEPSY)) == []
    assert shown(encoder, reading("haloperidol, haloperidol.", HALOPERIDOL)) == []


def test_of_two_that_begin_at_one_place_one_is_told_of_the_other(encoder: Encoder) -> None:
    both = tuple(Grounding(uid, uid, 1.0, GOLD) for uid in ("MESH:D1", "MESH:D2"))
    second = (Grounding("MESH:D2", "MESH:D2", 1.0, GOLD),)
    mentions = (
        Mention(0, 5, "1", "acids", "Chemical", 1.0, GOLD, both),
        Mention(10, 14, "1", "salt", "Chemical", 1.0, GOLD, second),
    )
    text = Reading(Document("1", "acids and salt"), (Sentence(0, 14, "abstract"),), mentions=mentions)
    assert shown(encoder, text) == ["*C *acids and C> salt"]


def test_a_mention_that_ends_inside_a_word_has_the_whole_word(encoder: Encoder) -> None:
    text = reading("aspirins for Painful days.", ("aspirin", "Chemical", ""), PAIN)
    assert shown(encoder, text) == ["*C *aspirins for D> painful days ."]


@st.composite
def papers(draw: st.DrawFn) -> tuple[Reading, Pieces]:
    """Words of one letter, each a piece of its own, some of them mentions of a few concepts."""
    number = draw(st.integers(1, 120))
    pieces = Pieces(
        tuple(range(1000, 1000 + number)), tuple(Span(2 * n, 2 * n + 1) for n in range(number)),
        tuple(range(number)), (3,) * number,
    )  # fmt: skip
    named = draw(st.dictionaries(st.integers(0, number - 1), st.integers(0, 5), max_size=25))
    mentions = tuple(
        Mention(2 * at, 2 * at + 1, "1", "w", TYPES[uid % 2], 1.0, "x", (Grounding(f"M:{uid}", "w", 1.0, "x"),))
        for at, uid in sorted(named.items())
    )
    starts = sorted({0, *draw(st.lists(st.integers(0, number - 1), max_size=8))})
    bounds = [*starts, number]
    sentences = tuple(Sentence(2 * one, 2 * other, "abstract") for one, other in zip(starts, bounds[1:], strict=True))
    return Reading(Document("1", "w " * number), sentences, mentions=mentions), pieces


@given(papers(), st.sampled_from(["document", "sentence"]), st.integers(3, 40), st.data())
@settings(deadline=None, max_examples=150)
def test_each_pair_within_reach_is_scored_exactly_once(
    paper: tuple[Reading, Pieces], level: Level, size: int, data: st.DataObject
) -> None:
    text, pieces = paper
    overlap = data.draw(st.integers(0, size - 1))
    scheme = scheme_of([1, 2], level=level, window=size, overlap=overlap)
    windows = list(marked(text, pieces, scheme))
    assert all(len(window.ids) <= size for window in windows)
    scored = Counter(
        (look.subject.id, window.ids[place + 1] if place + 1 < len(window.ids) else None, place)[:2]
        for window in windows
        for look in window.looks
        for places in look.places
        for place in places
    )
    where = positions(text, level)
    for subject in entities(text, level):
        for other in entities(text, level):
            for mention in other.mentions if any(scheme.holds(subject, other)) else ():
                away = min(abs(where[one] - where[mention]) for one in subject.mentions)
                together = level == "document" or sentence(text, mention) == sentence(text, subject.mentions[0])
                if other is not subject and together and away < overlap // 2 - 1:
                    assert scored[subject.id, 1000 + mention.start // 2] == 1
    assert all(count == 1 for (_, piece), count in scored.items() if piece)


def sentence(text: Reading, mention: Mention) -> int:
    return next(at for at, one in enumerate(text.sentences) if one.covers(mention))


def positions(text: Reading, level: Level) -> dict[Mention, int]:
    """Where the markers are in what is seen of a text."""
    shown: list[Mention | None] = []
    for one in text.sentences:
        inside = [mention for mention in text.mentions if one.covers(mention)]
        if inside or level == "sentence":
            for at in range(one.start, one.end, 2):
                shown.extend(mention for mention in inside if mention.start == at)
                shown.append(None)
    return {mention: at for at, mention in enumerate(shown) if mention}


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_scores_are_what_the_model_says_at_the_markers(encoder: Encoder, tmp_path: Path, slots: int) -> None:
    markers = marker_ids(encoder, TYPES)
    told = config(markers, slots=slots, groups=[["INDUCES", "Association"]])
    adapter = read_adapter(random_adapter(tmp_path, encoder, 2, told), kind="relations")
    model = TorchPassModel.load(adapter, "cpu")
    tagger = RelationTagger(
        model, read_scheme(adapter), BIOMED, thresholds=adapter.config["thresholds"], fingerprint="x@1"
    )
    text = reading(
        "Lithium and haloperidol: catalepsy. Then catalepsy and Pain.", HALOPERIDOL, CATALEPSY, LITHIUM, PAIN
    )
    (pieces,) = cut(encoder.tokenizer, [text.document.text])
    (window,) = marked(text, pieces, tagger.scheme)
    with torch.no_grad():
        shared = passes(window.looks, slots)
        logits = model.classifier(*passes_of([(window, looks) for looks in shared], encoder))
    expected = {
        (look.subject.id, entity.id): logits[at, [place + 1 for place in places], slot].logsumexp(0)
        for at, looks in enumerate(shared)
        for slot, look in enumerate(window.looks[number] for number in looks)
        for entity, places in zip(look.objects, look.places, strict=True)
    }
    ((*found,),) = tagger.scores([text])
    assert {(one.id, other.id) for one, other, _ in found} == expected.keys()
    assert len(expected) == 5
    for one, other, row in found:
        scores = expected[one.id, other.id].exp().numpy()
        if other.type == "Chemical":
            scores[0] = 0  # a drug induces no drug
        assert row == pytest.approx(scores / (1 + scores.sum()), abs=0.02)


def crowded(length: int, subjects: int) -> Marked:
    """A window of so many pieces with so many subjects, each of two of them."""
    entity = Entity("x", "Chemical", ())
    places = [tuple({number % length, number * 7 // length % length}) for number in range(subjects)]
    looks = tuple(Look(entity, marked, (), ()) for marked in places)
    return Marked(tuple(range(2000, 2000 + length)), (1,) * length, looks)


CROWDED = (crowded(400, 2), crowded(100, 300), crowded(10, 60), crowded(5, 0))


@pytest.mark.parametrize("slots", [1, 4])
def test_no_run_of_torch_takes_more_than_its_pieces_however_many_subjects(
    encoder: Encoder, tmp_path: Path, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_model, "choose_dtype", lambda _: torch.float32)
    adapter = random_adapter(tmp_path, encoder, 2, config(marker_ids(encoder, TYPES), slots=slots))
    model = TorchPassModel.load(read_adapter(adapter, kind="relations"), "cpu")
    expected = {}
    for at, window in enumerate(CROWDED):
        for looks in passes(window.looks, slots):
            with torch.no_grad():
                (alone,) = model.classifier(*passes_of([(window, looks)], encoder)).numpy()
            expected |= {(at, look): alone[1:-1, slot] for slot, look in enumerate(looks)}
    sizes = []
    model.classifier.head.register_forward_hook(lambda _, given, __: sizes.append(given[0][..., 0].numel()))
    found = {(at, number): scores for at, number, scores in model.scores(CROWDED)}
    assert found.keys() == expected.keys()
    assert len(found) == 362
    assert max(sizes) <= PIECES
    assert len(sizes) < 14 / slots + 1, "passes share a run, and looks a pass"
    for look, scores in found.items():
        np.testing.assert_allclose(scores, expected[look], atol=1e-5)


class Counting:
    """An onnxruntime session that keeps how many pieces each run took."""

    def __init__(self, session: Any) -> None:
        self.session, self.sizes = session, [0]

    def run(self, names: None, inputs: Mapping[str, np.ndarray]) -> Any:
        self.sizes.append(inputs["marks"].size)
        return self.session.run(names, inputs)


@pytest.mark.parametrize("slots", [1, 4])
def test_no_run_of_onnxruntime_takes_more_than_its_pieces_however_many_subjects(
    encoder: Encoder, tmp_path: Path, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPOGRAPH_CACHE", str(tmp_path))
    adapter = random_adapter(tmp_path / "a", encoder, 2, config(marker_ids(encoder, TYPES), slots=slots))
    model = open_pass_model(read_adapter(adapter, kind="relations"), device="cpu")
    model.engine.session = counting = Counting(model.engine.session)
    found = {(at, number): scores for at, number, scores in model.scores(CROWDED)}
    assert max(counting.sizes) <= 512
    assert len(found) == 362
    assert sum(counting.sizes) < 36_000 / slots * 1.3, "looks share a pass"
    for looks in passes(CROWDED[1].looks, slots)[::20]:
        alone = replace(CROWDED[1], looks=tuple(CROWDED[1].looks[number] for number in looks))
        for _, at, scores in model.scores([alone]):
            np.testing.assert_allclose(found[1, looks[at]], scores, atol=1e-5)


@given(st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=4), max_size=40), st.integers(1, 5))
def test_looks_share_a_pass_where_they_mark_no_piece_twice(places: list[set[int]], slots: int) -> None:
    looks = [Look(Entity("x", "Chemical", ()), tuple(sorted(place)), (), ()) for place in places]
    shared = passes(looks, slots)
    assert sorted(number for numbers in shared for number in numbers) == list(range(len(looks)))
    for numbers in shared:
        assert 1 <= len(numbers) <= slots
        assert sum(len(places[number]) for number in numbers) == len(set().union(*(places[n] for n in numbers)))
    assert len(passes(looks, 1)) == len(looks)
    assert passes([look for look in looks if not look.marked], slots) == []


def test_probabilities_of_a_group_and_none_of_it_sum_to_one() -> None:
    scheme = Scheme((), ("A", "B", "C"), {}, frozenset(), (("A", "B"), ("C",)), (), 8, 0)
    logits = np.array([0, log(2), log(3)], dtype=np.float32)
    assert probabilities(logits, np.array([True, True, True]), scheme) == pytest.approx([0.25, 0.5, 0.75])
    assert probabilities(logits, np.array([True, False, True]), scheme) == pytest.approx([0.5, 0, 0.75])
    assert probabilities(logits * 0 + 900, np.array([True, True, False]), scheme) == pytest.approx([0.5, 0.5, 0])
    assert probabilities(logits * 0 - 900, np.array([True, True, True]), scheme) == pytest.approx([0, 0, 0])


@given(st.lists(st.floats(-6, 6), min_size=3, max_size=3), st.floats(0.1, 3), st.floats(-3, 3))
def test_calibration_scales_a_group_and_keeps_its_shares(logits: list[float], slope: float, offset: float) -> None:
    apart = Scheme((), ("A", "B", "C"), {}, frozenset(), (("A", "B"), ("C",)), (), 8, 2)
    row = probabilities(np.array(logits, dtype=np.float32), np.array([True] * 3), apart)
    assert calibrated(row, apart, {}) == pytest.approx(row, abs=1e-6)
    sure = calibrated(row, apart, {"A": (slope, offset), "B": (slope, offset)})
    before, after = row[:2].sum(), sure[:2].sum()
    scaled = slope * np.log(before / (1 - before)) + offset
    assert after == pytest.approx(1 / (1 + np.exp(-scaled)), abs=1e-4)
    assert sure[0] / after == pytest.approx(row[0] / before, abs=1e-4)
    assert sure[2] == pytest.approx(row[2], abs=1e-6)


def test_what_both_ends_say_is_one_answer() -> None:
    pairs = {"A": frozenset({("X", "Y"), ("Y", "X")}), "C": frozenset({("X", "Y")})}
    scheme = Scheme(("X", "Y"), ("A", "C"), pairs, frozenset({"A"}), (("A", "C"),), (), 8, 0, "sentence", mutual=True)
    assert scheme.outputs == (("A", False), ("C", False), ("A", True))
    one, other = (
        Entity(name, name, (Mention(at, at + 1, "1", name, name, 1.0, "gold"),)) for at, name in enumerate("XY")
    )
    assert scheme.holds(one, other) == [True, True, True]
    assert scheme.holds(other, one) == [True, False, True]
    from_one, from_other = np.array([2.0, 1.0, -4.0]), np.array([0.0, 3.0, 4.0])
    for found in (
        {(one, other): from_one, (other, one): from_other},
        {(other, one): from_other, (one, other): from_one},
    ):
        assert {pair: row.tolist() for pair, row in joined(found, scheme).items()} == {(one, other): [3.0, 2.0, -2.0]}
    assert joined({(other, one): from_other}, scheme)[one, other].tolist() == [4.0, 3.0, 0.0]
    straight, back = directed(one, other, np.array([0.5, 0.2, 0.1]), scheme)
    assert (straight[:2], straight[2].tolist()) == ((one, other), [0.5, 0.2])
    assert (back[:2], back[2].tolist()) == ((other, one), [0.1, 0.0])


def test_a_relation_is_told_where_its_group_is_sure_enough() -> None:
    scheme = Scheme((), ("A", "B", "C"), {}, frozenset(), (("A", "B"), ("C",)), (), 8, 0)
    limits = {"A": 0.7, "B": 0.6, "C": 0.5}

    def found(*row: float) -> list[int]:
        return chosen(np.array(row, dtype=np.float32), scheme, limits)

    assert found(0.3, 0.31, 0.6) == [1, 2]  # together they reach what the likelier one asks for
    assert found(0.31, 0.3, 0.4) == []
    assert found(0.0, 0.0, 0.0) == []
    assert chosen(np.zeros(3, dtype=np.float32), scheme, dict.fromkeys("ABC", 0.0)) == []


def test_entities_are_concepts_or_else_texts() -> None:
    text = reading("Pain, haloperidol, Pain, haloperidol.", HALOPERIDOL, PAIN)
    assert [(entity.id, entity.type, len(entity.mentions)) for entity in entities(text)] == [
        ("pain", "Disease", 2),
        ("MESH:D006220", "Chemical", 2),
    ]


def test_a_gold_mention_of_two_concepts_belongs_to_both() -> None:
    both = tuple(Grounding(uid, uid, 1.0, GOLD) for uid in ("MESH:D1", "MESH:D2"))
    guess = tuple(Grounding(uid, uid, 1.0, "exact") for uid in ("MESH:D3", "MESH:D4"))
    mentions = (
        Mention(0, 2, "1", "ab", "Disease", 1.0, GOLD, both),
        Mention(3, 5, "1", "cd", "Disease", 1.0, "x@1", guess),
    )
    found = entities(Reading(Document("1", "ab cd"), mentions=mentions))
    assert [entity.id for entity in found] == ["MESH:D1", "MESH:D2", "MESH:D3"]


def test_the_evidence_is_the_sentence_that_holds_both_before_a_shorter_way_between_two() -> None:
    first = "Here haloperidol is one of many long known drugs that now and then lead to catalepsy."
    text = reading(f"We saw catalepsy. {first} Then haloperidol.", HALOPERIDOL, CATALEPSY)
    drug, ill = sorted(entities(text), key=lambda entity: entity.type)
    one, other, start, end = nearest(text, drug, ill)
    assert text.document.text[start:end] == first
    assert (one.text, other.text) == ("haloperidol", "catalepsy")
    assert start <= one.start < other.end <= end


def test_the_evidence_of_a_claim_across_sentences_runs_from_one_to_the_other() -> None:
    text = reading("First. We gave haloperidol. Some days went by. Then came catalepsy. Last.", HALOPERIDOL, CATALEPSY)
    drug, ill = sorted(entities(text), key=lambda entity: entity.type)
    _, _, start, end = nearest(text, drug, ill)
    assert text.document.text[start:end] == "We gave haloperidol. Some days went by. Then came catalepsy."


def test_relations_obey_the_types_and_keep_what_was_there(tagger: RelationTagger) -> None:
    text = reading("Lithium, haloperidol: catalepsy. Pain.", HALOPERIDOL, CATALEPSY, LITHIUM, PAIN)
    earlier = Relation(0, 5, "1", "INDUCES", text.mentions[0], text.mentions[2], 1.0, "other@1")
    tagger.thresholds = {"INDUCES": 0.0, "Association": 0.0}
    try:
        (found,) = tagger([replace(text, relations=(earlier,))])
    finally:
        tagger.thresholds = {"INDUCES": 0.5, "Association": 0.5}
    assert found.relations[0] == earlier
    assert found.mentions == text.mentions
    new = found.relations[1:]
    assert {(r.subject.text, r.object.text) for r in new if r.predicate == "INDUCES"} == {
        (drug, ill) for drug in ("Lithium", "haloperidol") for ill in ("catalepsy", "Pain")
    }
    associated = [(r.subject.text, r.object.text) for r in new if r.predicate == "Association"]
    assert ("Lithium", "haloperidol") in associated
    assert len(associated) == len({frozenset(pair) for pair in associated}) == 5
    assert all(r.subject.start < r.object.start for r in new if r.predicate == "Association")
    assert all(r.start <= min(r.subject.start, r.object.start) for r in new)
    assert all(r.extractor == tagger.fingerprint and 0 <= r.score <= 1 for r in new)


def test_a_claim_is_no_surer_than_its_ends(biomed: RelationTagger) -> None:
    text = reading(
        "Haloperidol causes catalepsy. So catalepsy is known.", ("Haloperidol", "Chemical", "M:1"), CATALEPSY
    )
    drug, *effects = text.mentions

    def score(*doubts: float) -> float:
        scores = (1.0, *doubts)
        unsure = tuple(replace(old, score=new) for old, new in zip((drug, *effects), scores, strict=True))
        return next(r.score for r in next(biomed([replace(text, mentions=unsure)])).relations)

    assert score(0.5, 0.25) == pytest.approx(score(1.0, 1.0) / 2, abs=1e-4)
    assert score(0.25, 1.0) == score(1.0, 1.0)  # one sure mention is enough


def test_readings_without_mentions_pass_through_in_order(tagger: RelationTagger) -> None:
    given = [Reading(Document(str(at), text)) for at, text in enumerate(["", "Nothing here.", "\ud800"] * 10)]
    assert list(tagger(given)) == given


def test_a_pack_without_the_relations_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a", encoder, 2, config(marker_ids(encoder, TYPES)))
    with pytest.raises(AdapterError, match="tells INDUCES, Association, which the domain pack astronomy"):
        RelationTagger.load(adapter, load_domain("astronomy"))


def test_an_adapter_that_lacks_a_setting_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a", encoder, 2, config(marker_ids(encoder, TYPES)))
    broken = json.loads((adapter / "adapter.json").read_text("utf-8"))
    del broken["pairs"]
    (adapter / "adapter.json").write_text(json.dumps(broken), "utf-8")
    with pytest.raises(AdapterError, match="lacks pairs"):
        RelationTagger.load(adapter, BIOMED)


def test_an_adapter_without_a_threshold_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    told = config(marker_ids(encoder, TYPES), thresholds={"INDUCES": 0.5})
    adapter = random_adapter(tmp_path / "a", encoder, 2, told)
    with pytest.raises(AdapterError, match="no threshold for Association"):
        RelationTagger.load(adapter, BIOMED)


def test_the_shipped_adapter_reads_a_plain_claim(biomed: RelationTagger) -> None:
    text = reading(
        "Haloperidol-induced catalepsy in rats.\nIn all rats haloperidol caused severe catalepsy.",
        HALOPERIDOL,
        ("Haloperidol", "Chemical", "MESH:D006220"),
        CATALEPSY,
    )
    (found,) = biomed([text])
    claims = {(r.predicate, r.subject.concept_id, r.object.concept_id) for r in found.relations}
    assert ("INDUCES", "MESH:D006220", "MESH:D002375") in claims


def test_the_shipped_adapter_still_reads_real_abstracts(biomed: RelationTagger, shared_data: Path) -> None:
    path = shared_data / "bc5cdr/CDR_DevelopmentSet.PubTator.txt"
    gold = read_corpus(path, BIOMED, task="re", problems=[]).readings[:40]
    found = list(biomed(replace(one, relations=()) for one in gold))
    assert relation_f1(gold, found, {"INDUCES"}) > 45


def test_an_entity_is_where_it_is_first_named() -> None:
    (entity,) = entities(reading("So haloperidol.", HALOPERIDOL))
    assert (entity, entity.start) == (Entity("MESH:D006220", "Chemical", entity.mentions), 3)
