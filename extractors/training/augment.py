"""More text out of the same gold: mentions by other names, and letters in other cases, drawn anew in each epoch.

Every function takes a reading and gives another one, all of whose spans are exact. What people marked stays: the same
mentions with the same types and concepts, the same relations between them, in the same sentences and sections.
(Mention replacement and synonyms: Dai and Adel, COLING 2020.)
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeAlias

from extractors.training.plan import Plan
from pipeline.types import Mention, Reading, Section, Sentence, Span, content_id
from pipeline.vocabulary import Vocabulary

Names: TypeAlias = Mapping[str, Sequence[str]]

LONGEST = 60  # characters of a name to replace others by
TRIES = 5  # draws for a name that the document has not yet
_NO_PROSE = re.compile(r", |[()\[\]\r\n]")  # as in "Diabetes Mellitus, Type 2 (NIDDM)", which only lists have


def augmented(
    readings: Iterable[Reading],
    plan: Plan,
    epoch: int,
    *,
    names: Names | None = None,
    vocabulary: Vocabulary | None = None,
) -> Iterator[Reading]:
    """The readings as one epoch shows them, by the plan's rates ``synonyms``, ``replaced`` and ``recased``.

    ``names`` are those to replace mentions by (:func:`names_of`), ``vocabulary`` knows other names of concepts; without
    them neither is done. What becomes of a document hangs on the plan, the epoch and the document alone.
    """
    for reading in readings:
        chance = random.Random(content_id(plan.seed, epoch, reading.document.id))  # noqa: S311  nothing secret
        changed = reading
        if vocabulary and plan.synonyms:
            changed = with_synonyms(changed, vocabulary, chance, rate=plan.synonyms)
        if names and plan.replaced:
            changed = with_other_names(changed, names, chance, rate=plan.replaced)
        yield recased(changed, chance, rate=plan.recased) if plan.recased else changed


def names_of(readings: Iterable[Reading], vocabulary: Vocabulary | None = None) -> dict[str, tuple[str, ...]]:
    """Names by type to replace mentions by: those of all mentions, and for the same types those of a vocabulary."""
    found: dict[str, set[str]] = defaultdict(set)
    for mention in (mention for reading in readings for mention in reading.mentions):
        found[mention.type].add(mention.text)
    for name, _, type_, _ in vocabulary.names() if vocabulary else ():
        if type_ in found:
            found[type_].add(name)
    return {type_: tuple(sorted(filter(_is_prose, names))) for type_, names in sorted(found.items())}


def with_other_names(reading: Reading, names: Names, chance: random.Random, *, rate: float) -> Reading:
    """Replace each name, with a chance of ``rate`` and wherever it stands, by another one of its type.

    Concepts stay as they were, for they say which mentions are of one entity.
    """
    return _renamed(reading, lambda mention: names.get(mention.type, ()), chance, rate)


def with_synonyms(reading: Reading, vocabulary: Vocabulary, chance: random.Random, *, rate: float) -> Reading:
    """Replace each name, with a chance of ``rate`` and wherever it stands, by another one of its concept.

    Mentions of no concept, of several at once, and of one that the vocabulary does not know stay.
    """

    def synonyms(mention: Mention) -> Sequence[str]:
        concept = vocabulary.concept(mention.concept_id) if len(mention.groundings) == 1 else None
        return [name for name in (concept.name, *concept.synonyms) if _is_prose(name)] if concept else []

    return _renamed(reading, synonyms, chance, rate)


def recased(reading: Reading, chance: random.Random, *, rate: float) -> Reading:
    """Write the document, or some of its sentences, or some of its mentions, in capitals, small letters or as a title.

    Which of the three is drawn, then each of them is changed with a chance of ``rate``.
    """
    whole = Span(0, len(reading.document.text))
    letters = list(reading.document.text)
    for span in chance.choice([[whole], reading.sentences, reading.mentions]):
        if chance.random() < rate:
            letters[span.start : span.end] = chance.choice(CASES)("".join(letters[span.start : span.end]))
    return _moved(reading, "".join(letters), lambda at: at)


def upper(text: str) -> str:
    """The text in capitals, but for letters whose capital is no single letter, so that it keeps its length.

    >>> upper("Straße"), lower("OCT4"), title("type 2 DIABETES")
    ('STRAßE', 'oct4', 'Type 2 Diabetes')
    """
    return "".join(_or_same(letter, letter.upper()) for letter in text)


def lower(text: str) -> str:
    return "".join(_or_same(letter, letter.lower()) for letter in text)


def title(text: str) -> str:
    return re.sub(r"\w+", lambda word: upper(word[0][0]) + lower(word[0][1:]), text)


CASES = (upper, lower, title)


@dataclass(frozen=True, slots=True)
class _Edit(Span):
    """A stretch of text, and what it becomes."""

    text: str


def _renamed(
    reading: Reading, options: Callable[[Mention], Sequence[str]], chance: random.Random, rate: float
) -> Reading:
    """Give names of a document others, wherever they stand, but none that it has already: entities stay apart."""
    groups: dict[str, list[Mention]] = defaultdict(list)
    for mention in reading.mentions:
        groups[mention.text.lower()].append(mention)
    free, taken = _free(reading), set(groups)
    edits: set[_Edit] = set()
    for mentions in groups.values():
        alike = len({(m.type, m.concept_id) for m in mentions}) == 1
        if chance.random() >= rate or not alike or not all((m.start, m.end) in free for m in mentions):
            continue
        names = options(mentions[0])
        drawn = chance.sample(names, min(TRIES, len(names)))
        if name := next((name for name in drawn if name.lower() not in taken), ""):
            taken.add(name.lower())
            edits |= {_Edit(m.start, m.end, _capitalised_like(m.text, name)) for m in mentions}
    return _edited(reading, sorted(edits)) if edits else reading


def _free(reading: Reading) -> set[tuple[int, int]]:
    """Spans of mentions that may change: whole words that overlap no other mention and no border runs through."""
    text = reading.document.text
    ends = (end for r in reading.relations for end in (r.subject, r.object))
    marks = sorted({(mark.start, mark.end, mark.type) for mark in (*reading.mentions, *ends)})
    parts = (*reading.document.sections, *reading.sentences, *reading.relations)
    borders = sorted({at for part in parts for at in (part.start, part.end)})
    reached = accumulate((end for _, end, _ in marks), max, initial=0)
    following = (*(start for start, _, _ in marks[1:]), len(text))
    return {
        (start, end)
        for (start, end, _), before, after in zip(marks, reached, following, strict=False)
        if before <= start
        and end <= after
        and bisect_right(borders, start) == bisect_left(borders, end)
        and not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
    }


def _edited(reading: Reading, edits: Sequence[_Edit]) -> Reading:
    """Carry out edits that are sorted and apart; abbreviations that they touch are none any more."""
    pieces, at = [], 0
    for edit in edits:
        pieces += [reading.document.text[at : edit.start], edit.text]
        at = edit.end
    text = "".join([*pieces, reading.document.text[at:]])
    ends = [edit.end for edit in edits]
    shifts = [*accumulate((len(edit.text) - (edit.end - edit.start) for edit in edits), initial=0)]
    kept = tuple(
        pair
        for pair in reading.abbreviations
        if not any(e.overlaps(pair.short) or e.overlaps(pair.long) for e in edits)
    )
    return _moved(replace(reading, abbreviations=kept), text, lambda at: at + shifts[bisect_right(ends, at)])


def _moved(reading: Reading, text: str, to: Callable[[int], int]) -> Reading:
    """The reading of another text, in which each border lies elsewhere."""

    def mention(old: Mention) -> Mention:
        start, end = to(old.start), to(old.end)
        return replace(old, start=start, end=end, text=text[start:end])

    def span(old: Span) -> Span:
        return Span(to(old.start), to(old.end))

    sections = tuple(Section(to(old.start), to(old.end), old.kind) for old in reading.document.sections)
    return Reading(
        replace(reading.document, text=text, sections=sections),
        tuple(Sentence(to(old.start), to(old.end), old.section) for old in reading.sentences),
        tuple(replace(old, short=span(old.short), long=span(old.long)) for old in reading.abbreviations),
        tuple(map(mention, reading.mentions)),
        tuple(
            replace(old, start=to(old.start), end=to(old.end), subject=mention(old.subject), object=mention(old.object))
            for old in reading.relations
        ),
    )


def _is_prose(name: str) -> bool:
    return 1 < len(name) <= LONGEST and name == name.strip() and not _NO_PROSE.search(name)


def _capitalised_like(text: str, name: str) -> str:
    """
    >>> _capitalised_like("Aspirin", "fish oil"), _capitalised_like("EPA", "fish oil")
    ('Fish oil', 'fish oil')
    """
    begins = text[:1].isupper() and text[1:].islower() and name.islower()
    return upper(name[0]) + name[1:] if begins else name


def _or_same(letter: str, changed: str) -> str:
    return changed if len(changed) == 1 and changed.lower() == letter.lower() else letter
