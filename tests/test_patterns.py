"""Claims by rule: hand-marked sentences, ``[text|Type]`` for a mention, and the claims they must give."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.patterns import Patterns, by_sentence
from extractors.triggers import compile_triggers
from pipeline.domains import load_domain
from pipeline.types import Document, Grounding, Mention, Reading, Relation, Sentence

SHORT = {
    "C": "Chemical",
    "D": "Disease",
    "G": "Gene",
    "O": "CelestialObject",
    "M": "Method",
    "T": "Task",
    "X": "Material",
}
MARK = re.compile(r"\[([^\]|]+)\|(\w+)\]")


def reading(marked: str) -> Reading:
    text, mentions, last = "", [], 0
    for match in MARK.finditer(marked):
        text += marked[last : match.start()]
        type_ = SHORT.get(match[2], match[2])
        mentions.append(Mention(len(text), len(text) + len(match[1]), "d:1", match[1], type_, 1.0, "by hand"))
        text += match[1]
        last = match.end()
    text += marked[last:]
    return Reading(Document("d:1", text), (Sentence(0, len(text), "abstract"),), mentions=tuple(mentions))


def claims(domain: str, marked: str) -> list[tuple[str, str, str]]:
    [found] = Patterns(load_domain(domain))([reading(marked)])
    return [(relation.subject.text, relation.predicate, relation.object.text) for relation in found.relations]


LESS, MORE, WITH = "Negative_Correlation", "Positive_Correlation", "Association"
BIOMED = [
    ("[Fish oil|C] lowers [pain|D].", [("Fish oil", LESS, "pain")]),
    (
        "[Fish oil|C] lowers [triglycerides|C], [blood viscosity|D] and [platelet aggregation|D].",
        [
            ("Fish oil", LESS, "triglycerides"),
            ("Fish oil", LESS, "blood viscosity"),
            ("Fish oil", LESS, "platelet aggregation"),
        ],
    ),
    ("[Aspirin|C] and [zinc|C] reduce [pain|D].", [("Aspirin", LESS, "pain"), ("zinc", LESS, "pain")]),
    ("[Aspirin|C] has been shown to significantly reduce the risk of [stroke|D].", [("Aspirin", LESS, "stroke")]),
    ("[Pain|D] was markedly reduced by treatment with [aspirin|C].", [("aspirin", LESS, "Pain")]),
    ("[Nifedipine|C] for [hypertension|D] reduces [stroke|D].", [("Nifedipine", LESS, "stroke")]),
    (
        "[Blood viscosity|D] in [Raynaud disease|D] was reduced by [fish oil|C].",
        [("fish oil", LESS, "Blood viscosity")],
    ),
    ("[Aspirin|C], which inhibits [COX|G], reduces [pain|D].", [("Aspirin", LESS, "COX"), ("Aspirin", LESS, "pain")]),
    ("[Fish oil|C] lowers [fat|C] and prevents [stroke|D].", [("Fish oil", LESS, "fat"), ("Fish oil", LESS, "stroke")]),
    (
        "[Fish oil|C] lowers [fat|C] and [zinc|C] prevents [colds|D].",
        [("Fish oil", LESS, "fat"), ("zinc", LESS, "colds")],
    ),
    (
        "[Pain|D] was caused by [zinc|C] and relieved by [gold|C].",
        [("zinc", "INDUCES", "Pain"), ("gold", LESS, "Pain")],
    ),
    ("[Lithium|C]-induced nephrogenic [diabetes insipidus|D].", [("Lithium", "INDUCES", "diabetes insipidus")]),
    (
        "[Aspirin|C] reduced [lithium|C]-induced [tremor|D].",
        [("Aspirin", LESS, "tremor"), ("lithium", "INDUCES", "tremor")],
    ),
    ("[Hypotension|D] after the administration of [clonidine|C].", [("clonidine", "INDUCES", "Hypotension")]),
    ("Inhibition of [COX|G] by [aspirin|C] is known.", [("aspirin", LESS, "COX")]),
    ("[Blood viscosity|D] is raised in [Raynaud disease|D].", [("Blood viscosity", WITH, "Raynaud disease")]),
    ("[Prostacyclin|C] was reduced in [Raynaud disease|D].", [("Prostacyclin", WITH, "Raynaud disease")]),
    ("The association between [smoking|C] and [cancer|D] was strong.", [("smoking", WITH, "cancer")]),
    ("[Fatigue|D] strongly associated with [zinc|C].", [("Fatigue", WITH, "zinc")]),
    ("[Hypertension|D] causes [stroke|D].", [("Hypertension", MORE, "stroke")]),
    ("[Aspirin|C] did not reduce [pain|D].", [("Aspirin", LESS, "pain")]),
    ("Low [magnesium|C] in the brain was associated with [migraine|D].", [("magnesium", WITH, "migraine")]),
    ("[Magnesium|C] deficiency is linked to [migraine|D].", [("Magnesium", WITH, "migraine")]),
    (
        "[Pain|D] in the fingers was relieved by [zinc|C] and by [gold|C].",
        [("zinc", LESS, "Pain"), ("gold", LESS, "Pain")],
    ),
    (
        "[Zinc|C] is used for [colds|D], and [gold|C] lowers [pain|D].",
        [("Zinc", LESS, "colds"), ("gold", LESS, "pain")],
    ),
    ("[Zinc|C] had no effect on [colds|D].", [("Zinc", LESS, "colds")]),
    ("[Fish oil|C] helps patients with [Raynaud disease|D].", [("Fish oil", LESS, "Raynaud disease")]),
    ("[Fish oil|C] (given daily) reduced [pain|D].", [("Fish oil", LESS, "pain")]),
]
NOTHING = [
    "[Magnesium|C] deficiency causes [migraine|D].",
    "Low [magnesium|C] causes [migraine|D].",
    "Reduced [magnesium|C] causes [migraine|D].",
    "[Aspirin|C] withdrawal caused [stroke|D].",
    "[Aspirin|C] was given to patients with [pain|D].",
    "[Aspirin|C] was used, and doctors reduced [pain|D].",
    "[Aspirin|C] is old. Nurses lowered [pain|D].",
    "[Aspirin|C] prevents loss of [zinc|C].",
    "[Stroke|D] reduces [stroke|D].",
    "[Aspirin|C] and [pain|D].",
    "[Aspirin|C] inhibits [lithium|C]-induced changes.",
]
ASTRONOMY = [
    (
        "[Enceladus|O] was imaged by [Cassini|Mission] and [Hubble|Telescope].",
        [("Enceladus", "OBSERVED_WITH", "Cassini"), ("Enceladus", "OBSERVED_WITH", "Hubble")],
    ),
    ("[Cassini|Mission] discovered [plumes|O].", [("plumes", "OBSERVED_WITH", "Cassini")]),
    ("The [E ring|O] is fed by [Enceladus|O].", [("Enceladus", "SOURCE_OF", "E ring")]),
    ("[Enceladus|O] supplies the [E ring|O].", [("Enceladus", "SOURCE_OF", "E ring")]),
    ("[Saturn|O]'s moon [Enceladus|O] is bright.", [("Enceladus", "PART_OF", "Saturn")]),
]
AI = [
    ("[CRF|M] for [tagging|T]", [("CRF", "USED-FOR", "tagging")]),
    ("[CRF|M] was liked for its speed in [tagging|T]", []),
    ("[tagging|T] with a [CRF|M]", []),  # as often a part of it as a use: right in a quarter of SciERC's cases
    ("[BERT|M] and [CRF|M]", [("BERT", "CONJUNCTION", "CRF")]),
    ("[BERT|M] outperforms [CRF|M].", [("BERT", "COMPARE", "CRF")]),
    ("[BERT|M] was evaluated on [GLUE|X].", [("GLUE", "EVALUATE-FOR", "BERT")]),
    (
        "[methods|Generic] such as [SVM|M] and [CRF|M]",
        [("SVM", "HYPONYM-OF", "methods"), ("CRF", "HYPONYM-OF", "methods"), ("SVM", "CONJUNCTION", "CRF")],
    ),
]


@pytest.mark.parametrize(("marked", "expected"), BIOMED)
def test_biomedical_claims(marked: str, expected: list[tuple[str, str, str]]) -> None:
    assert claims("biomed", marked) == expected


@pytest.mark.parametrize("marked", NOTHING)
def test_no_claim_where_the_words_do_not_make_one(marked: str) -> None:
    assert claims("biomed", marked) == []


@pytest.mark.parametrize(("marked", "expected"), ASTRONOMY)
def test_astronomical_claims(marked: str, expected: list[tuple[str, str, str]]) -> None:
    assert claims("astronomy", marked) == expected


@pytest.mark.parametrize(("marked", "expected"), AI)
def test_claims_about_methods(marked: str, expected: list[tuple[str, str, str]]) -> None:
    assert claims("ai", marked) == expected


def test_the_span_is_the_sentence_and_what_was_known_stays() -> None:
    text = "Old. Zinc reduces pain."
    zinc, pain = (Mention(a, b, "d:1", text[a:b], t, 1.0, "x") for a, b, t in ((5, 9, "Chemical"), (18, 22, "Disease")))
    sentences = (Sentence(0, 4, "title"), Sentence(5, 23, "abstract"))
    known = Relation(5, 23, "d:1", LESS, zinc, pain, 0.99, "tagger@1")
    patterns = Patterns(load_domain("biomed"))
    base = Reading(Document("d:1", text), sentences, mentions=(zinc, pain))
    [found] = patterns([base])
    assert [(r.start, r.end, r.score, r.extractor) for r in found.relations] == [(5, 23, 0.8, patterns.fingerprint)]
    [again] = patterns([replace(base, relations=(known,))])
    assert again.relations == (known,)


def test_two_names_of_one_concept_make_no_claim() -> None:
    base = reading("[Aspirin|C] inhibits [ASA|C].")
    same = (Grounding("MESH:D001241", "Aspirin", 1.0, "exact"),)
    linked = replace(base, mentions=tuple(replace(mention, groundings=same) for mention in base.mentions))
    patterns = Patterns(load_domain("biomed"))
    assert next(patterns([base])).relations
    assert not next(patterns([linked])).relations


def test_mentions_across_a_sentence_end_belong_to_none() -> None:
    text = "One two. Three"
    mention = Mention(4, 14, "d:1", text[4:], "Chemical", 1.0, "x")
    cut = Reading(Document("d:1", text), (Sentence(0, 8, "body"), Sentence(9, 14, "body")), mentions=(mention,))
    assert list(by_sentence(cut)) == []


def test_no_trigger_of_a_pack_is_broken() -> None:
    for name in ("biomed", "astronomy", "ai"):
        for relation in load_domain(name).relations:
            assert list(compile_triggers(relation.triggers)), relation.name


@given(
    st.lists(
        st.sampled_from(
            ["[a|C]", "[b|D]", "[c|G]", "reduces", "and", ",", "by", "is reduced", "which", "of", "-induced"]
        )
    )
)
def test_any_order_of_words_is_read(words: list[str]) -> None:
    base = reading(" ".join(words))
    [found] = Patterns(load_domain("biomed"))([base])
    domain = load_domain("biomed")
    for relation in found.relations:
        kind = domain.relation(relation.predicate)
        assert kind is not None
        assert kind.joins(relation.subject.type, relation.object.type)
        assert {relation.subject, relation.object} <= set(base.mentions)
    keys = [(r.predicate, r.subject, r.object) for r in found.relations]
    assert len(keys) == len(set(keys))
