"""Claims by rule: two mentions in one sentence, with a trigger of the domain pack between them.

Lists are taken as a whole (``A and B lower C, D and E`` makes six claims), the subject of a verb is kept for the next
(``A lowers B and prevents C``), and the head of a phrase is preferred to what hangs on it (``A for B prevents C`` is a
claim about A). Nothing is claimed across a mention or a clause that a trigger does not cover.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from extractors.triggers import Trigger, compile_triggers
from pipeline.domains import Domain, RelationType
from pipeline.types import Mention, Reading, Relation, Sentence, content_id

_VERSION = 1
_SCORE = 0.8
_LONGEST_GAP = 150

_MODIFIER = (
    r"(?:the|a|an|its|their|both|also|other|\w+ly|increased|decreased|elevated|reduced|high|low|higher|lower|total|serum|"
    r"plasma|chronic|acute|severe|mild)"
)
_LIST = re.compile(
    r"(?:\s+(?:levels?|concentrations?|activity|risk|synthesis|production|release))?"
    r"\s*(?:,?\s*(?:and/or|and|or|as well as|plus|&)\s+(?:(?:by|with|of|for|in|on|to)\s+)?|,\s*)"
    rf"(?:{_MODIFIER}\s+){{0,3}}$",
    re.IGNORECASE,
)
_NEW_CLAUSE = re.compile(r"\s*,\s*(?:and|but|while|whereas)\s")
_HANGS_ON = re.compile(r"(?:\s+[\w-]+){0,2}\s+(?:in|for|of|among|during|from)\s+(?:[\w-]+\s+){0,3}$")
# Nouns that turn a claim about the thing before them into its opposite, or into one about something else.
_TURNING = (
    "deficiency deficit deficient depletion loss lack absence withdrawal resistance inhibition inhibitor inhibitors "
    "blockade blocker blockers antagonist antagonists agonist agonists receptor receptors synthase transporter "
    "transporters antibody antibodies discontinuation removal"
)
_TURNS = re.compile(rf"\b(?:{'|'.join(_TURNING.split())})\b", re.IGNORECASE)
_TURNED = re.compile(rf"[\s-]+(?:{'|'.join(_TURNING.split())})\b", re.IGNORECASE)
_TURNED_BEFORE = re.compile(
    r"(?:\b(?:deficiency|depletion|loss|lack|absence|withdrawal|inhibition|blockade|discontinuation|removal|omission|"
    r"omitting|stopping|withholding|without|low|lower|less)|(?:^|\b(?:the|that|of|by|to|with|in)\s+)(?:reduced|decreased))"
    r"\s+(?:(?:of|the|serum|plasma|dietary)\s+){0,3}$",
    re.IGNORECASE,
)
_TIED = r"-(?:induced|related|associated|treated|evoked)\b"
_MODIFIES = re.compile(rf"(?:{_TIED}(?:\s+[\w-]+){{0,3}})?\s*$")
_TIES = re.compile(_TIED)
_ASIDE = re.compile(r"\([^()]*\)|^[^()]*\)(?=\s)")


@dataclass(frozen=True, slots=True)
class _Hit:
    """A trigger that stands in a gap; ``joins`` says that it goes on from the claim before (``and prevents``)."""

    relation: RelationType
    trigger: Trigger
    length: int
    joins: bool


class Patterns:
    """An extractor of the claims of a domain pack's triggers, within sentences."""

    def __init__(self, domain: Domain) -> None:
        self._triggers = [(r, trigger) for r in domain.relations for trigger in compile_triggers(r.triggers)]
        self.fingerprint = f"patterns@{content_id(_VERSION, domain.fingerprint, length=8)}"

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            known = {(r.predicate, r.subject.uid, r.object.uid) for r in reading.relations}
            found = {
                (relation.predicate, relation.subject.uid, relation.object.uid): relation
                for sentence, mentions in by_sentence(reading)
                for relation in self._read(reading, sentence, mentions)
            }
            new = tuple(relation for key, relation in found.items() if key not in known)
            yield replace(reading, relations=reading.relations + new)

    def _read(self, reading: Reading, sentence: Sentence, mentions: Sequence[Mention]) -> Iterator[Relation]:
        if len(mentions) < 2:
            return
        text = reading.document.text
        gaps = [_ASIDE.sub("", text[a.end : b.start]) for a, b in pairwise(mentions)]
        line = _Line(sentence.of(text), sentence.start, mentions, gaps, [self._hits(gap) for gap in gaps])
        before: list[Mention] = []
        for at, hits in enumerate(line.hits):
            for hit in hits:
                left, claims = line.claims(at, hit, before)
                if claims:
                    before = before if hit.trigger.adjacent else left
                    for subject, object_ in claims:
                        yield self._relation(reading, sentence, hit.relation.name, subject, object_)
                    break

    def _hits(self, gap: str) -> list[_Hit]:
        """Triggers in the text between two neighbours, longest first, then in the order of the pack."""
        if len(gap) > _LONGEST_GAP:
            return []
        turned = _TURNS.search(gap) is not None
        found = ((r, trigger, trigger.between.match(gap)) for r, trigger in self._triggers if r.symmetric or not turned)
        hits = [
            _Hit(relation, trigger, len(match["words"]), bool(match.groupdict().get("join")))
            for relation, trigger, match in found
            if match
        ]
        return sorted(hits, key=lambda hit: -hit.length)

    def _relation(
        self, reading: Reading, sentence: Sentence, predicate: str, subject: Mention, object_: Mention
    ) -> Relation:
        return Relation(
            sentence.start, sentence.end, reading.document.id, predicate, subject, object_, _SCORE, self.fingerprint
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence as its mentions, the gaps between neighbours, and the triggers in each gap."""

    text: str
    start: int
    mentions: Sequence[Mention]
    gaps: Sequence[str]
    hits: Sequence[Sequence[_Hit]]

    def claims(self, at: int, hit: _Hit, before: list[Mention]) -> tuple[list[Mention], list[tuple[Mention, Mention]]]:
        """Mentions left of a gap's trigger, and the claims they make with those right of it; empty where none fit."""
        first = self._head(at + 1)
        alone = hit.trigger.adjacent and hit.relation.symmetric
        right = self.mentions[first : (first if alone else self._reach(first - 1)) + 1]
        for left in self._lefts(at, hit, before):
            if hit.trigger.fits(self.text[: left[0].start - self.start], self.text[right[-1].end - self.start :]):
                pairs = [pair for a in left for b in right if (pair := arguments(hit, a, b))]
                claims = [pair for pair in pairs if hit.relation.symmetric or self._stands(*pair)]
                if claims:
                    return left, claims
        return [], []

    def _lefts(self, at: int, hit: _Hit, before: list[Mention]) -> Iterator[list[Mention]]:
        """Who may be meant left of a trigger, best guess first: the head of the phrase, then what is nearest."""
        if hit.trigger.adjacent:
            yield [self.mentions[at]]
        elif hit.joins:
            if before:
                yield before
        else:
            floor = self._floor(at)
            first = head = self._list_start(at, floor)
            while head > floor and _HANGS_ON.match(self.gaps[head - 1]):
                head = self._list_start(head - 1, floor)
            if head < first:
                yield list(self.mentions[head : self._list_end(head) + 1])
            yield list(self.mentions[first : at + 1])

    def _list_start(self, at: int, floor: int) -> int:
        """Back over a list; ", and" between two alone starts a clause, not a list."""
        first = at
        while first > floor and _LIST.match(self.gaps[first - 1]):
            first -= 1
        return at if first == at - 1 and _NEW_CLAUSE.match(self.gaps[first]) else first

    def _list_end(self, at: int) -> int:
        while at < len(self.gaps) and _LIST.match(self.gaps[at]):
            at += 1
        return at

    def _floor(self, at: int) -> int:
        """The first mention that the claims further left leave free."""
        verbs = [gap for gap in range(at) if self._starts_claim(gap)]
        return min(self._reach(verbs[-1]) + 1, at) if verbs else 0

    def _reach(self, at: int) -> int:
        """The last mention of the list right of a gap, short of the subjects of the next claim."""
        last = self._list_end(at + 1)
        if last == at + 1 or last == len(self.gaps) or not self._starts_claim(last):
            return last
        fresh = (gap for gap in range(at + 1, last) if _NEW_CLAUSE.match(self.gaps[gap]))
        return next(fresh, last - 1)

    def _starts_claim(self, gap: int) -> bool:
        return any(not hit.joins and not hit.trigger.adjacent for hit in self.hits[gap])

    def _head(self, at: int) -> int:
        """The mention that this one only modifies (``lithium-induced tremor``), else itself."""
        while at < len(self.gaps) and _MODIFIES.match(self.gaps[at]):
            at += 1
        return at

    def _stands(self, subject: Mention, object_: Mention) -> bool:
        """Whether no word beside them makes the arguments something else (``aspirin withdrawal``, ``low zinc``)."""
        ends = (mention.end - self.start for mention in (subject, object_))
        turned = any(_TURNED.match(self.text, end) for end in ends)
        second = max(subject, object_, key=lambda mention: mention.start)
        tied = _TIES.match(self.text, second.end - self.start)
        return not turned and not tied and not _TURNED_BEFORE.search(self.text[: subject.start - self.start])


def arguments(hit: _Hit, left: Mention, right: Mention) -> tuple[Mention, Mention] | None:
    """Subject and object among two mentions in text order, or None where the relation cannot join them."""
    if left.text.casefold() == right.text.casefold() or (left.concept_id and left.concept_id == right.concept_id):
        return None
    forward = hit.relation.symmetric or not hit.trigger.swapped
    subject, object_ = (left, right) if forward else (right, left)
    return (subject, object_) if hit.relation.joins(subject.type, object_.type) else None


def by_sentence(reading: Reading) -> Iterator[tuple[Sentence, list[Mention]]]:
    """Each sentence with the mentions that lie in it, in reading order."""
    starts = [sentence.start for sentence in reading.sentences]
    within: dict[int, list[Mention]] = {}
    for mention in sorted(reading.mentions, key=lambda m: (m.start, m.end)):
        number = bisect_right(starts, mention.start) - 1
        if number >= 0 and mention.end <= reading.sentences[number].end:
            within.setdefault(number, []).append(mention)
    for number, mentions in sorted(within.items()):
        yield reading.sentences[number], mentions
