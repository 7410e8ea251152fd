"""Negation and speculation: a hand-written table, subject and object in brackets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.assertion import Assertions, assert_claim
from pipeline.types import Document, Mention, Polarity, Reading, Relation, Sentence, Span

AFFIRMED = """
[Aspirin] reduces [pain].
[Fish oil] lowered [blood viscosity] in all patients.
[Magnesium] not only prevents [migraine] but also calms muscle.
[Nifedipine] no doubt relieves [Raynaud phenomenon].
[Aspirin] did not fail to reduce [pain].
[Aspirin] reduced [pain] but not fever.
[Aspirin] reduced [pain], whereas placebo did not.
[Aspirin] reduced [pain]; ibuprofen had no effect.
Although ibuprofen did not reduce fever, [aspirin] reduced [pain].
Ibuprofen did not reduce fever, but [aspirin] reduced [pain].
[Aspirin] did not reduce fever but reduced [pain].
[Aspirin], which does not affect the liver, reduced [pain].
[Aspirin] (not ibuprofen) reduced [pain].
[Aspirin] reduced [pain] in patients without diabetes.
In patients not receiving heparin, [aspirin] reduced [pain].
[Aspirin] reduced [pain], and no side effects were seen.
[Cocaine]-induced [seizures] were recorded in four cases.
[Enceladus] feeds the [E ring].
[Cassini] resolved [plumes] that Voyager had not seen.
The [E ring] is fed by [Enceladus].
While no plume was seen by Voyager, [Cassini] imaged [jets].
[BERT] outperforms [the baseline] on every task.
[CRF] improves [tagging], but not parsing.
No fewer than nine of ten [lithium] users developed [tremor].
[Aspirin] reduced [pain] in mice but not in rats.
[Magnesium] prevented [migraine] whether or not aura was present.
The effect of [aspirin] on [pain] was strong.
Without doubt [smoking] causes [cancer].
Ibuprofen, but not paracetamol, and [aspirin] reduced [pain].
[Aspirin] reduced [pain], suggesting that prostaglandins matter.
We studied ten patients in whom [aspirin] caused [ulcers].
[Dropout] was evaluated on [MNIST].
We studied whether zinc lowers [cisplatin]-induced [ototoxicity].
[Cortisol]-induced [hypertension] is not associated with arginine.
We found no interaction of attention with [capsaicin]-induced [hyperalgesia].
[Clozapine] caused [myocarditis], which has not been reported previously.
"""

DENIED = """
[Aspirin] did not reduce [pain].
[Aspirin] does not significantly lower [blood pressure].
[Aspirin] failed to reduce [pain].
[Aspirin] was unable to prevent [stroke].
[Aspirin] had no effect on [pain].
[Aspirin] didn't reduce [pain].
[Aspirin] never causes [tremor].
[Aspirin] cannot prevent [migraine].
There was no effect of [aspirin] on [pain].
We found no evidence that [aspirin] reduces [pain].
We did not find that [aspirin] reduced [pain].
No association between [coffee] and [cancer] was found.
No significant correlation of [serum lithium] with [tremor] was seen.
There is a lack of evidence that [vitamin C] prevents [colds].
Absence of an association, and no link between [zinc] and [colds], was reported.
Neither [aspirin] nor ibuprofen reduced [pain].
Neither ibuprofen nor [aspirin] reduced [pain].
[Aspirin] reduced neither fever nor [pain].
[Pain] was not reduced by [aspirin].
[Pain] was unaffected by [aspirin].
[Pain] was relieved without [aspirin].
An association between [coffee] and [cancer] was not found.
The effect of [aspirin] on [pain] was not significant.
[Coffee] and [cancer] were not associated.
[Aspirin] reduced fever but not [pain].
Not [ibuprofen] but aspirin reduced [pain].
[Aspirin] is not associated with [bleeding].
Although ibuprofen reduced pain, [aspirin] did not reduce [fever].
[Enceladus] does not feed the [G ring].
[Titan] was not observed with [ALMA].
[Voyager] did not detect [plumes] although Cassini did.
[Dropout] does not improve [parsing] here.
[BERT] failed to outperform [the baseline].
The study failed to show that [magnesium] prevents [migraine].
No [statin] reduced [dementia].
No [lithium]-induced [tremor] was seen.
There was no evidence of [lithium]-induced [tremor].
[Lithium]-induced [tremor] was not observed.
"""

SUPPOSED = """
[Aspirin] may reduce [pain].
[Aspirin] might lower [fever].
[Aspirin] could prevent [stroke].
These results suggest that [aspirin] reduces [pain].
We hypothesized that [magnesium] prevents [migraine].
It is conceivable that [fish oil] relieves [Raynaud disease].
It is possible that [plumes] feed [the ring].
[Fish oil] possibly lowers [blood viscosity].
[Aspirin] appears to reduce [pain].
We tested whether [aspirin] reduces [pain].
It remains to be shown that [aspirin] reduces [pain].
We investigated the effect of [aspirin] on [pain].
To test whether [dropout] improves [parsing], we ran trials.
[Enceladus] is thought to feed the [E ring].
[Enceladus] has been proposed as the source of the [E ring].
It is unknown whether [coffee] causes [cancer].
An effect of [coffee] on [cancer] cannot be excluded.
[Smoking] does not necessarily cause [cancer].
Does [aspirin] reduce [pain]?
A link between [coffee] and [cancer] has been suggested.
There may be a link between [coffee] and [cancer].
[Magnesium] is a potential remedy for [migraine].
The effect of [aspirin] on [pain] was studied.
The aim was to examine the possible role of [zinc] in [colds].
If [aspirin] reduces [pain], doses should fall.
[Attention] seems to help [translation].
A case of suspected [lithium]-induced [tremor] is described.
"""

BOTH = """
These data suggest that [aspirin] does not reduce [pain].
[Aspirin] may not reduce [pain].
[Coffee] is unlikely to cause [cancer].
It is possible that [dropout] has no effect on [parsing].
"""

# The doubt or denial belongs to another clause.
OTHER = """
[Aspirin] reduced [pain] and may reduce fever.
Ibuprofen may cause ulcers; [aspirin] reduced [pain].
Although it has been suggested that coffee causes cancer, [aspirin] reduced [pain].
It was unclear why, but [aspirin] reduced [pain].
"""


def cases() -> list[tuple[str, str, str]]:
    tables = [
        (AFFIRMED, "positive", "certain"),
        (DENIED, "negative", "certain"),
        (SUPPOSED, "positive", "speculative"),
        (BOTH, "negative", "speculative"),
        (OTHER, "positive", "certain"),
    ]
    return [(line, polarity, certainty) for table, polarity, certainty in tables for line in table.strip().splitlines()]


def unmark(marked: str) -> tuple[str, Span, Span]:
    """A text without its brackets, and the two spans that they marked."""
    pieces = re.split(r"[\[\]]", marked)
    ends = [len("".join(pieces[: n + 1])) for n in range(len(pieces))]
    return "".join(pieces), Span(ends[0], ends[1]), Span(ends[2], ends[3])


@pytest.mark.parametrize(("marked", "polarity", "certainty"), cases())
def test_the_claim_in_brackets_is_marked(marked: str, polarity: str, certainty: str) -> None:
    text, left, right = unmark(marked)
    assert assert_claim(text, left, right) == (polarity, certainty)
    assert assert_claim(text, right, left) == (polarity, certainty), "the order of the arguments must not matter"


@given(st.text(max_size=80), st.integers(0, 80), st.integers(0, 80), st.integers(0, 80), st.integers(0, 80))
def test_any_text_and_any_spans_are_answered(text: str, a: int, b: int, c: int, d: int) -> None:
    polarity, certainty = assert_claim(text, Span(min(a, b), max(a, b)), Span(min(c, d), max(c, d)))
    assert polarity in ("positive", "negative")
    assert certainty in ("certain", "speculative")


def reading(text: str, sentences: tuple[Sentence, ...], polarity: Polarity = "positive") -> Reading:
    def mention(name: str) -> Mention:
        start = text.index(name)
        return Mention(start, start + len(name), "d:1", name, "Chemical", 1.0, "by hand")

    subject, object_ = mention("Aspirin"), mention("pain")
    relation = Relation(0, len(text), "d:1", "INDUCES", subject, object_, 0.8, "by hand", polarity)
    return Reading(Document("d:1", text), sentences, (), (relation.subject, relation.object), (relation,))


def test_only_the_sentence_of_both_arguments_counts() -> None:
    text = "It may rain. Aspirin did not cause pain. It may snow."
    marked = next(
        Assertions()([reading(text, (Sentence(0, 12, "body"), Sentence(13, 40, "body"), Sentence(41, 53, "body")))])
    )
    assert (marked.relations[0].polarity, marked.relations[0].certainty) == ("negative", "certain")


def test_a_claim_across_sentences_and_a_mark_already_there_are_kept() -> None:
    across = reading(
        "Aspirin was not given. Then pain came.", (Sentence(0, 22, "body"), Sentence(23, 38, "body")), "negative"
    )
    assert next(Assertions()([across])) == across
    known = reading("Aspirin caused pain.", (Sentence(0, 20, "body"),), "negative")
    assert next(Assertions()([known])).relations[0].polarity == "negative"


def test_the_fingerprint_is_stable() -> None:
    assert Assertions().fingerprint == Assertions().fingerprint
    assert re.fullmatch(r"assertions@[0-9a-f]{8}", Assertions().fingerprint)
