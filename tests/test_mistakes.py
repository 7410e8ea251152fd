"""Errors sorted: which gold mention stands against which found one, and what is wrong with a relation."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.evaluate import Rules
from extractors.mistakes import (
    Compared,
    compare,
    confusion,
    mention_scores,
    pairs,
    relation_scores,
    shifts,
    strings,
    wrong_relations,
)
from pipeline.sources.shared import gold as marks
from pipeline.types import Document, Mention, Reading

TEXT = "Aspirin gives ulcers. Fever is severe gastric pain, unlike aspirin and ulcers."
PAPER = Document("1", TEXT)


def mention(start: int, end: int, type_: str = "Disease", *ids: str) -> Mention:
    return marks.mention(PAPER, start, end, type_, ids)


def compared(gold: list[Mention], found: list[Mention]) -> Compared:
    return compare(Reading(PAPER, mentions=tuple(gold)), Reading(PAPER, mentions=tuple(found)))


SEVERE_GASTRIC_PAIN, GASTRIC_PAIN, SEVERE_GASTRIC = mention(31, 50), mention(38, 50), mention(31, 45)


@pytest.mark.parametrize(
    ("gold", "found", "shift"),
    [
        (GASTRIC_PAIN, SEVERE_GASTRIC_PAIN, "too long"),
        (SEVERE_GASTRIC_PAIN, GASTRIC_PAIN, "too short"),
        (GASTRIC_PAIN, SEVERE_GASTRIC, "shifted"),
        (GASTRIC_PAIN, GASTRIC_PAIN, ""),
        (GASTRIC_PAIN, mention(31, 50, "Chemical"), ""),
    ],
)
def test_borders_are_too_long_too_short_or_shifted(gold: Mention, found: Mention, shift: str) -> None:
    (pair,) = pairs([gold], [found])
    assert pair.shift == shift
    assert [key[1] for key in shifts([compared([gold], [found])])] == ([shift] if shift else [])


def test_a_mention_in_its_very_place_wins_then_one_of_its_type() -> None:
    exact, drug = mention(38, 50, "Chemical"), mention(31, 50, "Chemical")
    assert {(p.gold, p.found) for p in pairs([GASTRIC_PAIN], [SEVERE_GASTRIC_PAIN, exact])} == {
        (GASTRIC_PAIN, exact),
        (None, SEVERE_GASTRIC_PAIN),
    }
    assert {(p.gold, p.found) for p in pairs([GASTRIC_PAIN], [SEVERE_GASTRIC, drug])} == {
        (GASTRIC_PAIN, SEVERE_GASTRIC),
        (None, drug),
    }


def test_the_matrix_counts_confused_missed_and_invented() -> None:
    drug, ulcers, fever = mention(0, 7, "Chemical"), mention(14, 20), mention(22, 27)
    document = compared([drug, ulcers], [mention(0, 7, "Disease"), fever])
    assert confusion([document]) == {("Chemical", "Disease"): 1, ("Disease", ""): 1, ("", "Disease"): 1}
    assert document.errors == 3
    assert (document.score.right, document.score.predicted, document.score.gold) == (0, 2, 2)
    assert strings([document], missed=True) == [("ulcers", "Disease", 1, 0)]
    assert strings([document], missed=False) == [("fever", "Disease", 1, 0)]


def test_strings_are_counted_without_case_and_beside_how_often_they_were_right() -> None:
    one, two = mention(0, 7, "Chemical"), mention(59, 66, "Chemical")
    assert strings([compared([one, two], [one])], missed=True) == [("aspirin", "Chemical", 1, 1)]


SPANS = st.lists(
    st.builds(
        lambda start, length, kind: mention(start, start + length, kind),
        st.integers(0, 60),
        st.integers(1, 15),
        st.sampled_from(["Chemical", "Disease"]),
    ),
    max_size=8,
)


@given(SPANS, SPANS)
def test_each_mention_is_in_one_pair_and_pairs_overlap(gold: list[Mention], found: list[Mention]) -> None:
    made = pairs(gold, found)
    assert Counter(p.gold for p in made if p.gold) == Counter(set(gold))
    assert Counter(p.found for p in made if p.found) == Counter(set(found))
    assert all(p.gold.overlaps(p.found) for p in made if p.gold and p.found)
    assert sum(p.right for p in made) == len(set(gold) & set(found))
    assert not [
        (one, other)
        for one in (p.gold for p in made if p.gold and not p.found)
        for other in (p.found for p in made if p.found and not p.gold)
        if one.overlaps(other)
    ]


DRUG, DRUG_AGAIN = mention(0, 7, "Chemical", "D1"), mention(59, 66, "Chemical", "D1")
ULCERS, PAIN = mention(14, 20, "Disease", "D2"), mention(38, 50, "Disease", "D3")


def related(*claims: tuple[str, Mention, Mention]) -> Reading:
    relations = tuple(marks.relation(*claim) for claim in claims)
    return Reading(PAPER, mentions=(DRUG, ULCERS, PAIN, DRUG_AGAIN), relations=relations)


def test_relations_are_missed_invented_renamed_and_turned_round() -> None:
    gold = related(("CID", DRUG, ULCERS), ("TREATS", DRUG, PAIN), ("CAUSES", ULCERS, PAIN), ("BIND", PAIN, ULCERS))
    found = related(("TREATS", PAIN, DRUG), ("CAUSES", ULCERS, PAIN), ("CID", ULCERS, PAIN))
    wrong = [(each.kind, each.gold, each.found) for each in wrong_relations(gold, found)]
    assert wrong == [("missed", "CID", ""), ("turned round", "TREATS", "TREATS"), ("other name", "BIND", "CID")]
    (invented,) = wrong_relations(related(), related(("CID", DRUG, ULCERS)))
    assert (invented.kind, invented.gold, invented.found) == ("invented", "", "CID")
    assert not list(wrong_relations(gold, gold))


def test_a_relation_error_shows_the_nearest_mentions_and_their_sentence() -> None:
    (near,) = wrong_relations(related(("CID", DRUG, PAIN)), related())
    assert (near.subject.start, near.object.start) == (DRUG_AGAIN.start, PAIN.start)
    assert [span.of(TEXT) for span in near.sentences] == [TEXT[22:]]
    (placed,) = wrong_relations(related(("CID", DRUG, PAIN)), related(), Rules(spans=True))
    assert placed.subject == DRUG
    assert len(placed.sentences) == 2


def test_scores_come_with_whether_they_are_right() -> None:
    rules = Rules()
    document = compare(related(("CID", DRUG, PAIN)), related(("CID", DRUG, PAIN), ("CID", DRUG, ULCERS)), rules)
    assert relation_scores([document], rules) == [("1", 1.0, True), ("1", 1.0, False)]
    assert mention_scores([document]) == [("1", 1.0, True)] * 4
