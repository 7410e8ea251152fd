"""Marking a subject and its possible objects in a text: one pass a subject, as :mod:`extractors.relations` reads it.

The pure part of reading relations. A marker is one piece of its own; that of an object carries what the model says
of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extractors.tags import Pieces, sentence_ranges, windows
from pipeline.sources.shared.gold import GOLD
from pipeline.types import Mention, Reading


@dataclass(frozen=True, slots=True)
class Entity:
    """What one or more mentions of a document name; ``mentions`` are in reading order."""

    id: str
    type: str
    mentions: tuple[Mention, ...]

    @property
    def start(self) -> int:
        return self.mentions[0].start


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a relation model can tell.

    ``pairs`` holds for each relation the types of subject and object that it was trained on. A relation that is not
    in ``ordered`` has no direction between two entities of one type, and is read from the one that is named first.
    Of those in ``exclusive`` at most one holds between two entities. ``markers`` are the piece ids of the opening
    and closing markers of subjects and of the markers of objects, each in the order of ``types``.
    """

    types: tuple[str, ...]
    relations: tuple[str, ...]
    pairs: Mapping[str, frozenset[tuple[str, str]]]
    ordered: frozenset[str]
    exclusive: frozenset[str]
    markers: tuple[int, ...]
    window: int
    overlap: int

    def as_json(self) -> dict[str, Any]:
        """What :func:`extractors.relations.read_scheme` reads."""
        return {
            "types": self.types,
            "pairs": {name: sorted(pairs) for name, pairs in self.pairs.items()},
            "ordered": sorted(self.ordered),
            "exclusive": sorted(self.exclusive),
            "markers": self.markers,
            "window": self.window,
            "overlap": self.overlap,
        }

    def holds(self, subject: Entity, object_: Entity) -> list[bool]:
        """For each relation, whether a pass for ``subject`` tells it of ``object_``."""
        first = subject.start < object_.start or subject.type != object_.type
        pair = (subject.type, object_.type)
        return [pair in self.pairs[name] and (first or name in self.ordered) for name in self.relations]

    def joins(self, subject: str, object_: str) -> bool:
        return any((subject, object_) in pairs for pairs in self.pairs.values())


@dataclass(frozen=True, slots=True)
class Marked:
    """One window of one pass: piece ids, and for each object in it the places of its markers."""

    ids: tuple[int, ...]
    subject: Entity
    objects: tuple[Entity, ...]
    places: tuple[tuple[int, ...], ...]


def entities(reading: Reading) -> list[Entity]:
    """Group the mentions of a reading by concept and type, in the order of first mention.

    A mention that is linked to nothing goes by its text in lower case; a gold mention that an annotator gave several
    concepts ("breast and ovarian cancer") belongs to each of them.
    """
    groups: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    for mention in sorted(reading.mentions):
        for uid in _ids(mention):
            groups[uid, mention.type].append(mention)
    return [Entity(uid, kind, tuple(mentions)) for (uid, kind), mentions in groups.items()]


def passes(reading: Reading, pieces: Pieces, scheme: Scheme) -> Iterator[Marked]:
    """All windows that a model has to see of a reading: for each subject those that show it and an object."""
    known = [entity for entity in entities(reading) if entity.type in scheme.types]
    ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
    for subject in known:
        objects = [other for other in known if other.id != subject.id and any(scheme.holds(subject, other))]
        if objects:
            yield from _marked(reading, pieces, ranges, scheme, subject, objects)


def _marked(
    reading: Reading,
    pieces: Pieces,
    sentences: Sequence[tuple[int, int]],
    scheme: Scheme,
    subject: Entity,
    objects: Sequence[Entity],
) -> Iterator[Marked]:
    ids, places = _spelled(pieces, sentences, *_markers(reading, pieces, scheme, subject))
    own = frozenset(subject.mentions)
    shown = [places[mention] for mention in own if mention in places]
    for window in windows(0, len(ids), size=scheme.window, overlap=scheme.overlap):
        if any(window.start <= place < window.end for place in shown):
            scored = {
                entity: tuple(
                    places[mention] - window.start
                    for mention in entity.mentions
                    if window.first <= places.get(mention, -1) < window.last and mention not in own
                )
                for entity in objects
            }
            scored = {entity: found for entity, found in scored.items() if found}
            if scored:
                yield Marked(tuple(ids[window.start : window.end]), subject, tuple(scored), tuple(scored.values()))


def _markers(
    reading: Reading, pieces: Pieces, scheme: Scheme, subject: Entity
) -> tuple[dict[int, list[tuple[int, Mention]]], dict[int, int]]:
    """Marker ids to insert before pieces, with the mentions that they open, and after pieces."""
    opening, closing, possible = (dict(zip(scheme.types, scheme.markers[n::3], strict=True)) for n in range(3))
    edges = (*pieces.heads, len(pieces.ids))
    begins, ends = [word.start for word in pieces.words], [word.end for word in pieces.words]
    before: dict[int, list[tuple[int, Mention]]] = defaultdict(list)
    after: dict[int, int] = {}
    own = frozenset(subject.mentions)
    for mention in sorted(reading.mentions):
        first, last = bisect_right(ends, mention.start), bisect_left(begins, mention.end)
        if first >= last or mention.type not in scheme.types:
            continue
        if mention in own:
            before[edges[first]].append((opening[mention.type], mention))
            after[edges[last] - 1] = closing[mention.type]
        elif scheme.joins(subject.type, mention.type):
            before[edges[first]].append((possible[mention.type], mention))
    return before, after


def _spelled(
    pieces: Pieces,
    sentences: Sequence[tuple[int, int]],
    before: Mapping[int, Sequence[tuple[int, Mention]]],
    after: Mapping[int, int],
) -> tuple[list[int], dict[Mention, int]]:
    """The marked text as piece ids, and where each marked mention's opening marker stands in it.

    A sentence without any marker says nothing of these entities and is left out, which saves a quarter of the text.
    """
    ids: list[int] = []
    places: dict[Mention, int] = {}
    edges = (*pieces.heads, len(pieces.ids))
    for begin, end in sentences:
        numbers = range(edges[begin], edges[end])
        if not any(number in before or number in after for number in numbers):
            continue
        for number in numbers:
            for marker, mention in before.get(number, ()):
                places[mention] = len(ids)
                ids.append(marker)
            ids.append(pieces.ids[number])
            if number in after:
                ids.append(after[number])
    return ids, places


def _ids(mention: Mention) -> tuple[str, ...]:
    gold = tuple(grounding.concept_id for grounding in mention.groundings if grounding.method == GOLD)
    return gold or (mention.concept_id or mention.text.lower(),)
