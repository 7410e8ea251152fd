"""Marking mentions in a text, and which of them may be related: what :mod:`extractors.relations` reads, as plain data.

Before each mention stands one piece that tells its type, its marker. A document (or a sentence with what is around
it) is spelled out once, as one or more windows. Over each window there is one *look* a subject: the pieces of the
subject's mentions are marked, and the markers of its possible objects carry what the model says of them. Several looks
share a *pass* through the model, each with a kind of mark of its own (:func:`passes`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from extractors.tags import Pieces, sentence_ranges, windows
from pipeline.sources.shared.gold import GOLD
from pipeline.types import Mention, Reading

Level = Literal["document", "sentence"]


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
    Of the relations of one of the ``groups`` at most one holds between two entities. ``markers`` are the piece ids
    of the markers, in the order of ``types``.

    Where ``mutual``, each relation is told from both of its ends: a look for its object tells of its subject too, and
    what has a direction has an output of its own for that (:attr:`outputs`). A pass has marks for ``slots`` subjects.

    At the level of a ``document`` entities are concepts with all their mentions; at that of a ``sentence`` each
    mention is one, its objects are in the same sentence, and so much of the text around is seen as fits ``window``.
    """

    types: tuple[str, ...]
    relations: tuple[str, ...]
    pairs: Mapping[str, frozenset[tuple[str, str]]]
    ordered: frozenset[str]
    groups: tuple[tuple[str, ...], ...]
    markers: tuple[int, ...]
    window: int
    overlap: int
    level: Level = "document"
    mutual: bool = False
    slots: int = 1

    @property
    def outputs(self) -> tuple[tuple[str, bool], ...]:
        """What a model scores of an object: a relation, and whether it is the inverse, of which that is the subject."""
        inverse = [name for name in self.relations if self.mutual and name in self.ordered]
        return (*((name, False) for name in self.relations), *((name, True) for name in inverse))

    def as_json(self) -> dict[str, Any]:
        """What :func:`extractors.relations.read_scheme` reads."""
        return {
            "types": self.types,
            "pairs": {name: sorted(self.pairs[name]) for name in self.relations},
            "ordered": sorted(self.ordered),
            "groups": self.groups,
            "markers": self.markers,
            "window": self.window,
            "overlap": self.overlap,
            "level": self.level,
            "mutual": self.mutual,
            "slots": self.slots,
        }

    def holds(self, subject: Entity, object_: Entity) -> list[bool]:
        """For each output, whether a look for ``subject`` tells it of ``object_``."""
        first = (subject.start, subject.id) < (object_.start, object_.id) or subject.type != object_.type
        both = first or self.mutual
        pair = (subject.type, object_.type)
        return [
            (pair[::-1] if inverse else pair) in self.pairs[name] and (both or name in self.ordered)
            for name, inverse in self.outputs
        ]


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked of a window for one subject: where its pieces are, and the markers of each possible object."""

    subject: Entity
    marked: tuple[int, ...]
    objects: tuple[Entity, ...]
    places: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Marked:
    """A window of a text with its markers: piece ids, the shapes of their words, and the looks at it."""

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    looks: tuple[Look, ...]


def entities(reading: Reading, level: Level = "document") -> list[Entity]:
    """Group the mentions of a reading by concept and type, in the order of first mention; in sentences each alone.

    A mention that is linked to nothing goes by its text in lower case; a gold mention that an annotator gave several
    concepts ("breast and ovarian cancer") belongs to each of them.
    """
    groups: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    for mention in sorted(reading.mentions):
        for uid in _ids(mention) if level == "document" else (mention.uid,):
            groups[uid, mention.type].append(mention)
    return [Entity(uid, kind, tuple(mentions)) for (uid, kind), mentions in groups.items()]


def marked(reading: Reading, pieces: Pieces, scheme: Scheme) -> Iterator[Marked]:
    """The windows of a reading that have to be seen, with their looks."""
    known = [entity for entity in entities(reading, scheme.level) if entity.type in scheme.types]
    ranges = sentence_ranges(pieces, (sentence.start for sentence in reading.sentences))
    text = _spelled(reading, pieces, scheme)
    if scheme.level == "document":
        yield from _whole(known, ranges, text, scheme)
    else:
        yield from _by_sentence(known, ranges, text, scheme)


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A whole text with its markers.

    ``edges`` tells where the n-th word of the text begins in it (markers before it included), ``places`` where the
    marker and the pieces of each mention are.
    """

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    edges: tuple[int, ...]
    places: Mapping[Mention, range]


def _spelled(reading: Reading, pieces: Pieces, scheme: Scheme) -> _Spelled:
    markers = dict(zip(scheme.types, scheme.markers, strict=True))
    begins, ends = [word.start for word in pieces.words], [word.end for word in pieces.words]
    opened: dict[int, list[Mention]] = defaultdict(list)
    last: dict[Mention, int] = {}
    for mention in sorted(set(reading.mentions)):
        first, last[mention] = bisect_right(ends, mention.start), bisect_left(begins, mention.end)
        if first < last[mention] and mention.type in markers:
            opened[first].append(mention)
    ids: list[int] = []
    shapes: list[int] = []
    edges: list[int] = []
    at: dict[Mention, int] = {}
    heads = (*pieces.heads, len(pieces.ids))
    for word in range(len(pieces.words)):
        edges.append(len(ids))
        for mention in opened.get(word, ()):
            at[mention] = len(ids)
            ids.append(markers[mention.type])
            shapes.append(0)
        ids.extend(pieces.ids[heads[word] : heads[word + 1]])
        shapes.extend(pieces.shapes[heads[word] : heads[word + 1]])
    edges.append(len(ids))
    places = {mention: range(start, edges[last[mention]]) for mention, start in at.items()}
    return _Spelled(tuple(ids), tuple(shapes), tuple(edges), places)


def _whole(
    known: Sequence[Entity], sentences: Sequence[tuple[int, int]], text: _Spelled, scheme: Scheme
) -> Iterator[Marked]:
    """Windows over the whole document; a sentence without a mention says nothing of these entities and is left out."""
    shown = {place.start for place in text.places.values()}
    kept = [
        number
        for begin, end in sentences
        if any(number in shown for number in range(text.edges[begin], text.edges[end]))
        for number in range(text.edges[begin], text.edges[end])
    ]
    for window in windows(0, len(kept), size=scheme.window, overlap=scheme.overlap):
        numbers = kept[window.start : window.end]
        scored = set(kept[window.first : window.last])
        yield from _window(known, numbers, scored, text, scheme)


def _by_sentence(
    known: Sequence[Entity], sentences: Sequence[tuple[int, int]], text: _Spelled, scheme: Scheme
) -> Iterator[Marked]:
    """A window for each sentence that has two mentions, with as much text around it as fits."""
    starts = sorted(
        text.places[mention].start for entity in known for mention in entity.mentions if mention in text.places
    )
    for begin, end in sentences:
        first, last = text.edges[begin], text.edges[end]
        if bisect_left(starts, last) - bisect_left(starts, first) < 2:
            continue
        own = [
            entity
            for entity in known
            if text.places.get(entity.mentions[0], range(0)) and first <= text.places[entity.mentions[0]].start < last
        ]
        for window in windows(first, last, size=scheme.window, overlap=scheme.overlap):
            room = max(0, scheme.window - (window.end - window.start)) // 2
            numbers = range(max(0, window.start - room), min(len(text.ids), window.end + room))
            yield from _window(own, numbers, set(range(window.first, window.last)), text, scheme)


def _window(
    known: Sequence[Entity], numbers: Sequence[int], scored: set[int], text: _Spelled, scheme: Scheme
) -> Iterator[Marked]:
    where = {number: place for place, number in enumerate(numbers)}
    found = tuple(_looks(known, where, scored, text, scheme))
    if found:
        yield Marked(tuple(text.ids[n] for n in numbers), tuple(text.shapes[n] for n in numbers), found)


def _looks(
    known: Sequence[Entity], where: Mapping[int, int], scored: set[int], text: _Spelled, scheme: Scheme
) -> Iterator[Look]:
    for subject in known:
        own = [text.places[mention] for mention in subject.mentions if mention in text.places]
        seen = tuple(sorted({where[number] for place in own for number in place if number in where}))
        if not seen:
            continue
        ours = {place.start for place in own}
        objects = {
            other: tuple(
                where[start]
                for mention in other.mentions
                if mention in text.places and (start := text.places[mention].start) in scored and start not in ours
            )
            for other in known
            if other.id != subject.id and any(scheme.holds(subject, other))
        }
        objects = {other: places for other, places in objects.items() if places}
        if objects:
            yield Look(subject, seen, tuple(objects), tuple(objects.values()))


def passes(looks: Sequence[Look], slots: int, order: Iterable[int] | None = None) -> list[tuple[int, ...]]:
    """The numbers of the looks that share a pass: up to so many, taken in order, that mark no piece twice.

    >>> places = [(0, 1), (1, 2), (5,), (7,)]
    >>> passes([Look(Entity("", "", ()), place, (), ()) for place in places], slots=2)
    [(0, 2), (1, 3)]
    """
    found: list[tuple[list[int], set[int]]] = []
    for number in range(len(looks)) if order is None else order:
        places = looks[number].marked
        room = (one for one in found if len(one[0]) < slots and one[1].isdisjoint(places))
        shared, taken = next(room, ([], set()))
        if not shared:
            found.append((shared, taken))
        shared.append(number)
        taken.update(places)
    return [tuple(shared) for shared, _ in found]


def marks_of(window: Marked, looks: Iterable[int]) -> list[int]:
    """For each piece which of the looks that share a pass marks it, counted from one, or zero."""
    marks = [0] * len(window.ids)
    for slot, number in enumerate(looks, 1):
        for place in window.looks[number].marked:
            marks[place] = slot
    return marks


def _ids(mention: Mention) -> tuple[str, ...]:
    gold = tuple(grounding.concept_id for grounding in mention.groundings if grounding.method == GOLD)
    return gold or (mention.concept_id or mention.text.lower(),)
