"""How well mentions and relations were read: micro F1 over documents, in per cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from pipeline.types import Reading

Claims = frozenset[tuple[str, str, str]]


def f1(pairs: Iterable[tuple[Set[object], Set[object]]]) -> float:
    """F1 of pairs of what is right and what was found.

    >>> f1([({1, 2}, {2, 3}), ({4}, {4})])
    66.66666666666667
    """
    right = total = 0
    for gold, found in pairs:
        right, total = right + len(gold & found), total + len(gold) + len(found)
    return 200 * right / max(total, 1)


def mention_f1(gold: Sequence[Reading], found: Sequence[Reading], types: Set[str]) -> float:
    """A mention is right when start, end and type agree; other types are left out on both sides."""

    def marks(reading: Reading) -> set[object]:
        return {(m.start, m.end, m.type) for m in reading.mentions if m.type in types}

    return f1((marks(one), marks(other)) for one, other in zip(gold, found, strict=True))


def relation_f1(gold: Sequence[Reading], found: Sequence[Reading], names: Set[str]) -> float:
    """A relation is right when document, name and the two concepts agree, whichever of them is the subject."""
    return f1((claims_of(one, names), claims_of(other, names)) for one, other in zip(gold, found, strict=True))


def claims_of(reading: Reading, names: Set[str]) -> Claims:
    """What a reading says of which concepts, without direction: (relation, one id, other id)."""
    return frozenset(
        unordered(relation.predicate, relation.subject.concept_id, relation.object.concept_id)
        for relation in reading.relations
        if relation.predicate in names
    )


def unordered(name: str, one: str, other: str) -> tuple[str, str, str]:
    """A claim with its two ids in alphabetical order."""
    first, second = sorted((one, other))
    return name, first, second
