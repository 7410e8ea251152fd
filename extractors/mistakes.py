"""What was read wrongly, sorted: each gold mention is set against what was found in its place.

The pure part of :mod:`extractors.error_page`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from extractors.evaluate import EVERYTHING, Rules, Score
from pipeline.text import split
from pipeline.types import Mention, Reading, Relation, Span

NOTHING = ""
SHIFTS = ("too long", "too short", "shifted")


@dataclass(frozen=True, slots=True)
class Pair:
    """A gold mention and what was found there; None where there is nothing."""

    gold: Mention | None
    found: Mention | None

    @property
    def cell(self) -> tuple[str, str]:
        """Gold type and found type; ``""`` stands for nothing."""
        return self.gold.type if self.gold else NOTHING, self.found.type if self.found else NOTHING

    @property
    def right(self) -> bool:
        return self.same_span and self.cell[0] == self.cell[1]

    @property
    def same_span(self) -> bool:
        one, other = self.gold, self.found
        return one is not None and other is not None and (one.start, one.end) == (other.start, other.end)

    @property
    def shift(self) -> str:
        """How the borders of a mention of the right type are wrong; ``""`` where they are not."""
        if self.gold is None or self.found is None or self.cell[0] != self.cell[1] or self.same_span:
            return ""
        if self.found.covers(self.gold):
            return "too long"
        return "too short" if self.gold.covers(self.found) else "shifted"


@dataclass(frozen=True, slots=True)
class Compared:
    """A document, its pairs in reading order, and its relations that are wrong."""

    gold: Reading
    found: Reading
    pairs: tuple[Pair, ...]
    relations: tuple[WrongRelation, ...] = ()

    @property
    def errors(self) -> int:
        return sum(not pair.right for pair in self.pairs)

    @property
    def score(self) -> Score:
        marks = [pair for pair in self.pairs if pair.right]
        return Score(
            len(marks), sum(p.found is not None for p in self.pairs), sum(p.gold is not None for p in self.pairs)
        )


@dataclass(frozen=True, slots=True)
class WrongRelation:
    """A relation that was missed, invented, or told by another name, and where the two are named closest."""

    document: str
    kind: str
    gold: str
    found: str
    subject: Mention
    object: Mention
    sentences: tuple[Span, ...]
    text: str = field(repr=False)


def compare(gold: Reading, found: Reading, rules: Rules = EVERYTHING) -> Compared:
    """Set two readings of one document against each other."""
    sides = rules.mentions(gold), rules.mentions(found)
    return Compared(gold, found, tuple(pairs(*sides)), tuple(wrong_relations(gold, found, rules)))


def pairs(gold: Iterable[Mention], found: Iterable[Mention]) -> list[Pair]:
    """Pair mentions that overlap, one to one: those in one place first, then those of one type, then by overlap."""
    ours, theirs = sorted({_key(m): m for m in gold}.values()), sorted({_key(m): m for m in found}.values())
    free, taken = set(range(len(ours))), set(range(len(theirs)))
    made: list[Pair] = []
    for *_, one, other in sorted(_overlaps(ours, theirs)):
        if one in free and other in taken:
            free.remove(one)
            taken.remove(other)
            made.append(Pair(ours[one], theirs[other]))
    made += [Pair(ours[one], None) for one in free] + [Pair(None, theirs[other]) for other in taken]
    return sorted(made, key=_place)


def confusion(compared: Iterable[Compared]) -> Counter[tuple[str, str]]:
    """How often each gold type was found as which type; ``""`` stands for nothing (missed, or invented)."""
    return Counter(pair.cell for document in compared for pair in document.pairs)


def shifts(compared: Iterable[Compared]) -> dict[tuple[str, str], list[tuple[Compared, Pair]]]:
    """The mentions of the right type and other borders, by type and by how they are wrong."""
    rows: dict[tuple[str, str], list[tuple[Compared, Pair]]] = {}
    for document in compared:
        for pair in document.pairs:
            if pair.shift:
                rows.setdefault((pair.cell[0], pair.shift), []).append((document, pair))
    return rows


def strings(compared: Iterable[Compared], *, missed: bool) -> list[tuple[str, str, int, int]]:
    """What was missed, or invented, most often: text in lower case, type, how often, and how often it was right."""
    wrong: Counter[tuple[str, str]] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    for pair in (pair for document in compared for pair in document.pairs):
        mention, other = (pair.gold, pair.found) if missed else (pair.found, pair.gold)
        if mention and pair.right:
            right[mention.text.lower(), mention.type] += 1
        elif mention and other is None:
            wrong[mention.text.lower(), mention.type] += 1
    rows = [(*key, count, right[key]) for key, count in wrong.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))


def mention_scores(compared: Iterable[Compared]) -> list[tuple[str, float, bool]]:
    """Of each found mention its document, its score, and whether it is right."""
    return [
        (document.gold.document.id, pair.found.score, pair.right)
        for document in compared
        for pair in document.pairs
        if pair.found
    ]


def relation_scores(compared: Iterable[Compared], rules: Rules = EVERYTHING) -> list[tuple[str, float, bool]]:
    """The same of each claim."""
    return [
        (document.gold.document.id, relation.score, key in gold)
        for document in compared
        for gold in [_claims(document.gold, rules)]
        for key, relation in _claims(document.found, rules).items()
    ]


def wrong_relations(gold: Reading, found: Reading, rules: Rules = EVERYTHING) -> Iterator[WrongRelation]:
    """The claims of one side that the other lacks; two about the same pair are one error."""
    theirs, ours = _claims(gold, rules), _claims(found, rules)
    missed = [key for key in theirs if key not in ours]
    invented = [key for key in ours if key not in theirs]
    for key in missed:
        name, *ends = key
        twin = next((other for other in invented if set(other[1:]) == set(ends)), None)
        if twin:
            invented.remove(twin)
            kind = "other name" if twin[0] != name else "turned round"
            yield _wrong(gold, theirs[key], kind, name, twin[0], rules)
        else:
            yield _wrong(gold, theirs[key], "missed", name, "", rules)
    for key in invented:
        yield _wrong(found, ours[key], "invented", "", key[0], rules)


def _claims(reading: Reading, rules: Rules) -> dict[tuple[str, Any, Any], Relation]:
    claims: dict[tuple[str, Any, Any], Relation] = {}
    for relation in reading.relations:
        if ends := rules.ends(relation):
            claims.setdefault((relation.predicate, *ends), relation)
    return claims


def _wrong(reading: Reading, relation: Relation, kind: str, gold: str, found: str, rules: Rules) -> WrongRelation:
    """The error at the place where the two concepts are named closest to each other."""
    document = reading.document

    def named(end: Mention) -> list[Mention]:
        same = [m for m in reading.mentions if any(g.concept_id == end.concept_id for g in m.groundings)]
        return same if same and not rules.spans else [end]

    def distance(ends: tuple[Mention, Mention]) -> tuple[int, int]:
        first, last = sorted(ends)
        return last.start - first.end, first.start

    ends = min(product(named(relation.subject), named(relation.object)), key=distance)
    around = [s for s in split(document).sentences if any(s.overlaps(end) for end in ends)]
    sentences = tuple(Span(s.start, s.end) for s in around) or (Span(min(ends).start, max(m.end for m in ends)),)
    return WrongRelation(document.id, kind, gold, found, *ends, sentences, document.text)


def _overlaps(gold: Sequence[Mention], found: Sequence[Mention]) -> Iterator[tuple[bool, bool, int, int, int]]:
    """Pairs that overlap as (not one place, not one type, -overlap, number, number)."""
    starts = [mention.start for mention in found]
    longest = max((mention.end - mention.start for mention in found), default=0)
    for at, one in enumerate(gold):
        for number in range(bisect_left(starts, one.start - longest), bisect_left(starts, one.end)):
            other = found[number]
            overlap = min(one.end, other.end) - max(one.start, other.start)
            if overlap > 0:
                apart = (one.start, one.end) != (other.start, other.end)
                yield apart, one.type != other.type, -overlap, at, number


def _key(mention: Mention) -> tuple[int, int, str]:
    return mention.start, mention.end, mention.type


def _place(pair: Pair) -> tuple[int, int, str]:
    first = min((mention for mention in (pair.gold, pair.found) if mention), key=_key)
    return _key(first)
