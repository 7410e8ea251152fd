"""The relation tagger: marking by hand-solved texts, the rest by a model of random weights and by the shipped one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_readers import random_adapter, tiny_encoder

from extractors.adapters.train_biomed import read
from extractors.evaluate import relation_f1
from extractors.marking import Entity, Scheme, entities, passes
from extractors.relations import RelationTagger, chosen, nearest
from extractors.tags import cut
from extractors.train import Plan
from extractors.train_relations import RelationLoss, marker_ids, relation_examples
from pipeline.domains import load_domain
from pipeline.errors import AdapterError
from pipeline.sources.shared.gold import GOLD
from pipeline.text import split
from pipeline.types import Document, Grounding, Mention, Reading, Relation, merge_mentions

BIOMED = load_domain("biomed")
TYPES = ("Chemical", "Disease")
PAIRS = {"INDUCES": [["Chemical", "Disease"]], "Association": [["Chemical", "Chemical"], ["Chemical", "Disease"]]}


def config(markers: Sequence[int], **given: object) -> dict[str, object]:
    return {
        "kind": "relations",
        "types": TYPES,
        "pairs": PAIRS,
        "ordered": [],
        "exclusive": [],
        "markers": markers,
        "thresholds": {"INDUCES": 0.5, "Association": 0.5},
        "window": 64,
        "overlap": 16,
        **given,
    }


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> RelationTagger:
    folder = tmp_path_factory.mktemp("relations")
    encoder = tiny_encoder(folder / "encoder")
    adapter = random_adapter(folder / "adapter", encoder, 2, config(marker_ids(encoder, TYPES)))
    return RelationTagger.load(adapter, BIOMED)


@pytest.fixture(scope="module")
def biomed() -> RelationTagger:
    return RelationTagger.load("biomed-re", BIOMED)


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


def shown(tagger: RelationTagger, text: Reading) -> list[str]:
    """Passes as text; S and /S mark the subject, O objects."""
    names = dict(
        zip(tagger.scheme.markers, [f"{mark}{kind[0]}" for kind in TYPES for mark in ("S", "/S", "O")], strict=True)
    )
    (pieces,) = cut(tagger.encoder.tokenizer, [text.document.text])
    token = tagger.encoder.tokenizer.id_to_token
    return [
        " ".join(names.get(one, token(one)) for one in marked.ids).replace(" ##", "")
        for marked in passes(text, pieces, tagger.scheme)
    ]


def test_a_pass_marks_one_subject_and_its_possible_objects(tagger: RelationTagger) -> None:
    text = reading("Lithium and haloperidol. Not here. So catalepsy, by haloperidol.", HALOPERIDOL, CATALEPSY, LITHIUM)
    assert shown(tagger, text) == [
        "SC lithium /SC and OC haloperidol . so OD catalepsy , by OC haloperidol .",
        "OC lithium and SC haloperidol /SC . so OD catalepsy , by SC haloperidol /SC .",
    ]


def test_a_disease_is_no_subject_and_a_chemical_alone_has_no_pass(tagger: RelationTagger) -> None:
    assert shown(tagger, reading("Pain and catalepsy.", PAIN, CATALEPSY)) == []
    assert shown(tagger, reading("haloperidol, haloperidol.", HALOPERIDOL)) == []


def test_of_two_chemicals_the_first_named_tells_of_the_other(tagger: RelationTagger) -> None:
    text = reading("Lithium after haloperidol.", HALOPERIDOL, LITHIUM)
    (pieces,) = cut(tagger.encoder.tokenizer, [text.document.text])
    told = [(m.subject.id, [entity.id for entity in m.objects]) for m in passes(text, pieces, tagger.scheme)]
    assert told == [("MESH:D008094", ["MESH:D006220"])]


def test_places_point_at_the_markers_of_objects(tagger: RelationTagger) -> None:
    filler = "It was so. " * 3
    text = reading(
        f"haloperidol {filler * 4} catalepsy. {'Pain haloperidol catalepsy. ' * 9}", HALOPERIDOL, CATALEPSY, PAIN
    )
    (pieces,) = cut(tagger.encoder.tokenizer, [text.document.text])
    found = list(passes(text, pieces, tagger.scheme))
    assert len(found) > 1
    disease = tagger.scheme.markers[5]
    seen = [
        (marked.ids[place], entity.id)
        for marked in found
        for entity, places in zip(marked.objects, marked.places, strict=True)
        for place in places
    ]
    assert {marker for marker, _ in seen} == {disease}
    assert len([uid for _, uid in seen if uid == "MESH:D002375"]) == 10
    assert all(len(marked.ids) <= tagger.scheme.window for marked in found)


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


def test_of_exclusive_relations_only_the_likeliest_is_chosen() -> None:
    scheme = Scheme((), ("A", "B", "C"), {}, frozenset(), frozenset({"A", "B"}), (), 8, 0)
    limits = {"A": 0.3, "B": 0.3, "C": 0.5}
    assert chosen(np.array([0.4, 0.45, 0.6], dtype=np.float32), scheme, limits) == [1, 2]
    assert chosen(np.array([0.4, 0.2, 0.4], dtype=np.float32), scheme, limits) == [0]


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


def test_readings_without_mentions_pass_through_in_order(tagger: RelationTagger) -> None:
    given = [Reading(Document(str(at), text)) for at, text in enumerate(["", "Nothing here.", "\ud800"] * 10)]
    assert list(tagger(given)) == given


def test_a_pack_without_the_relations_is_refused(tagger: RelationTagger, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a", tagger.encoder, 2, config(tagger.scheme.markers))
    with pytest.raises(AdapterError, match="tells INDUCES, Association, which the domain pack astronomy"):
        RelationTagger.load(adapter, load_domain("astronomy"))


def test_an_adapter_that_lacks_a_setting_is_refused(tagger: RelationTagger, tmp_path: Path) -> None:
    adapter = random_adapter(tmp_path / "a", tagger.encoder, 2, config(tagger.scheme.markers))
    broken = json.loads((adapter / "adapter.json").read_text("utf-8"))
    del broken["pairs"]
    (adapter / "adapter.json").write_text(json.dumps(broken), "utf-8")
    with pytest.raises(AdapterError, match="lacks pairs"):
        RelationTagger.load(adapter, BIOMED)


def test_an_adapter_without_a_threshold_is_refused(tagger: RelationTagger, tmp_path: Path) -> None:
    given = config(tagger.scheme.markers, thresholds={"INDUCES": 0.5})
    adapter = random_adapter(tmp_path / "a", tagger.encoder, 2, given)
    with pytest.raises(AdapterError, match="no threshold for Association"):
        RelationTagger.load(adapter, BIOMED)


def test_examples_tell_only_what_a_corpus_annotates(tagger: RelationTagger) -> None:
    text = reading("haloperidol, catalepsy, Pain.", HALOPERIDOL, CATALEPSY, PAIN)
    drug, ill, _ = text.mentions
    gold = replace(text, relations=(Relation(0, 5, "1", "INDUCES", drug, ill, 1.0, GOLD),))
    (example,) = relation_examples(tagger.encoder, [gold], tagger.scheme, frozenset({"INDUCES"}))
    column = tagger.scheme.relations.index("INDUCES")
    assert example.told[:, column].all()
    assert int(example.told.sum()) == 2
    assert example.gold[:, column].tolist() == [entity.id == "MESH:D002375" for entity in example.marked.objects]


def test_the_loss_is_small_where_the_model_is_right(tagger: RelationTagger) -> None:
    text = reading("haloperidol, catalepsy, Pain.", HALOPERIDOL, CATALEPSY, PAIN)
    (example,) = relation_examples(tagger.encoder, [text], tagger.scheme, frozenset({"INDUCES"}))
    loss = RelationLoss(tagger.model, tagger.encoder, Plan(masked=0.0))
    scores = tagger.scores([text])[0]
    column = tagger.scheme.relations.index("INDUCES")
    by_hand = -np.mean([np.log(1 - row[column]) for _, _, row in scores])
    assert float(loss([example]).detach()) == pytest.approx(float(by_hand), rel=0.05)
    opposite = replace(example, gold=torch.ones_like(example.gold))
    assert float(loss([opposite]).detach()) != pytest.approx(float(loss([example]).detach()))


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
    gold = read(shared_data / "bc5cdr/CDR_DevelopmentSet.PubTator.txt")[:40]
    found = list(biomed(replace(one, relations=()) for one in gold))
    assert relation_f1(gold, found, {"INDUCES"}) > 45


def test_an_entity_is_where_it_is_first_named() -> None:
    (entity,) = entities(reading("So haloperidol.", HALOPERIDOL))
    assert (entity, entity.start) == (Entity("MESH:D006220", "Chemical", entity.mentions), 3)
