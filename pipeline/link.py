"""Linking: mentions get ranked groundings, concepts of the vocabularies or persistent ``NIL:`` ids.

In this order, the first that finds anything wins:

1. what the document itself defines a short form as: the long form is looked up as in 2 and 3 (``abbreviation``);
2. the name exactly as written (``exact``);
3. the name without regard to spelling (``normalised``);
4. nothing: ``NIL:`` and a hash of type and normalised name (``nil``), equal over documents, and for a short form
   equal to that of its long form.

Preferred names go before synonyms; but a name of several concepts is read as the one that the same document also
names unambiguously.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.types import Abbreviation, Grounding, Mention, Reading, content_id
from pipeline.vocabulary import Match, Vocabulary, normalise

MOST = 5
_VERSION = 1
_SCORES = {("exact", True): 1.0, ("exact", False): 0.95, ("normalised", True): 0.9, ("normalised", False): 0.85}


class Linker:
    """A stage that grounds the mentions of the given types; those that have groundings, or another type, are kept.

    >>> from pipeline.types import Document, Mention, Reading
    >>> document = Document("d:1", "Aspirin.")
    >>> reading = Reading(document, mentions=(Mention(0, 7, "d:1", "Aspirin", "Chemical", 1.0, "by hand"),))
    >>> [linked] = Linker((), ("Chemical",))([reading])
    >>> linked.mentions[0].groundings[0].method
    'nil'
    """

    def __init__(self, vocabularies: Sequence[Vocabulary], types: Iterable[str]) -> None:
        self._vocabularies = tuple(vocabularies)
        self._types = tuple(sorted(types))
        self._candidates = lru_cache(maxsize=1 << 16)(self._look_up)

    @property
    def fingerprint(self) -> str:
        sources = [vocabulary.fingerprint for vocabulary in self._vocabularies]
        return f"linker@{content_id(_VERSION, sorted(_SCORES.items()), sources, self._types, length=8)}"

    def __call__(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            linked = {mention: mention for mention in reading.mentions} | self._link(reading)
            yield replace(
                reading,
                mentions=tuple(linked[mention] for mention in reading.mentions),
                relations=tuple(
                    replace(r, subject=linked.get(r.subject, r.subject), object=linked.get(r.object, r.object))
                    for r in reading.relations
                ),
            )

    def _link(self, reading: Reading) -> dict[Mention, Mention]:
        expansions = long_forms(reading.document.text, reading.abbreviations)
        found = {
            mention: self._groundings(mention, expansions)
            for mention in reading.mentions
            if not mention.groundings and mention.type in self._types
        }
        named = unambiguous(found.values()) | {mention.concept_id for mention in reading.mentions if mention.groundings}
        return {
            mention: replace(mention, groundings=consistent(groundings, named)[:MOST])
            for mention, groundings in found.items()
        }

    def _groundings(self, mention: Mention, expansions: Mapping[str, str]) -> tuple[Grounding, ...]:
        long = expansions.get(mention.text) or expansions.get(mention.text.removesuffix("s"))
        if long:
            expanded = self._candidates(long, mention.type)
            if expanded:
                return tuple(replace(g, method="abbreviation", score=g.score * 0.95) for g in expanded)
        return self._candidates(mention.text, mention.type) or (nil(mention.type, long or mention.text),)

    def _look_up(self, text: str, type_: str) -> tuple[Grounding, ...]:
        """Candidates of the first method that has any, best first, each concept once."""
        methods = (("exact", Vocabulary.lookup), ("normalised", Vocabulary.lookup_normalised))
        for method, look_up in methods:
            matches = [match for v in self._vocabularies for match in look_up(v, text) if match.type in (type_, "")]
            if matches:
                return rank(matches, method)
        return ()


def rank(matches: Iterable[Match], method: str) -> tuple[Grounding, ...]:
    """Groundings of matches, preferred names first, otherwise in the order given; each concept once."""
    best: dict[str, Grounding] = {}
    for match in sorted(matches, key=lambda match: not match.preferred):
        score = _SCORES[method, match.preferred]
        best.setdefault(match.concept_id, Grounding(match.concept_id, match.name, score, method, match.matched))
    return tuple(best.values())


def nil(type_: str, text: str) -> Grounding:
    """The grounding of a name that no vocabulary has.

    >>> nil("Chemical", "Compound-7").concept_id == nil("Chemical", "compound 7").concept_id
    True
    """
    return Grounding(f"NIL:{content_id(type_, normalise(text) or text, length=12)}", text, 0.0, "nil")


def long_forms(text: str, abbreviations: Iterable[Abbreviation]) -> dict[str, str]:
    """What each short form stands for in a text; the first definition counts."""
    pairs = sorted(abbreviations, key=lambda pair: pair.short)
    return {pair.short.of(text): pair.long.of(text) for pair in reversed(pairs)}


def unambiguous(found: Iterable[Sequence[Grounding]]) -> set[str]:
    """Ids of the concepts that some mention can mean alone."""
    return {groundings[0].concept_id for groundings in found if len(groundings) == 1}


def consistent(groundings: tuple[Grounding, ...], named: Collection[str]) -> tuple[Grounding, ...]:
    """Concepts that the document names unambiguously come first, otherwise the order stays."""
    return tuple(sorted(groundings, key=lambda grounding: grounding.concept_id not in named))
