"""How sure a tagger of relations has to be: its scores calibrated, then a threshold chosen, on papers held out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence, Set
from math import exp

from extractors.calibration import platt_line
from extractors.evaluate import f1, unordered
from extractors.marking import Entity, Scheme
from extractors.relations import RelationTagger, calibrated, chosen
from extractors.tags import Floats
from extractors.training.corpora import Corpus
from extractors.training.passes import ends
from pipeline.types import Reading

log = logging.getLogger(__name__)
Claim = tuple[str, str, str]
Scored = tuple[Entity, Entity, Floats]


def fitted(tagger: RelationTagger, held: Corpus) -> tuple[tuple[float, float], float]:
    """How to scale what a tagger says of the relations of a corpus, and from which probability on they are told.

    ``tagger`` is not calibrated for them yet. Slope and offset are Platt's for the logit of any of a group.
    """
    scored = tagger.scores(held.readings)
    gold = [told(reading, held.names, tagger.scheme) for reading in held.readings]
    line = _line(scored, gold, held.names, tagger.scheme)
    lines = dict.fromkeys(held.names, line)
    sure = [[(one, other, calibrated(row, tagger.scheme, lines)) for one, other, row in rows] for rows in scored]
    return line, best_threshold(sure, gold, held.names, tagger.scheme)


def _line(
    scored: Sequence[Sequence[Scored]], gold: Sequence[Set[Claim]], names: Set[str], scheme: Scheme
) -> tuple[float, float]:
    """Slope and offset of the logit."""
    totals: list[float] = []
    right: list[bool] = []
    for rows, claims in zip(scored, gold, strict=True):
        for one, other, row in rows:
            for group in scheme.groups:
                at = [n for n, name in enumerate(scheme.relations) if name in group and name in names]
                if total := float(row[at].sum()):
                    totals.append(total)
                    right.append(any(_claim(scheme.relations[n], one.id, other.id, scheme) in claims for n in at))
    return platt_line(totals, right)


def best_threshold(
    scored: Sequence[Sequence[Scored]], gold: Sequence[Set[Claim]], names: Set[str], scheme: Scheme
) -> float:
    """From which probability on relations of a corpus are told.

    Half-way between the :func:`middle` of those that are best on the papers that are held out, and half of the best F1,
    which is the best threshold of calibrated scores of yes or no (Lipton, Elkan and Naryanaswamy, ECML 2014) but too
    low where the name of the relation may be wrong too.
    """

    def trial(threshold: float) -> float:
        limits = {name: threshold if name in names else 2.0 for name in scheme.relations}
        return f1(zip(gold, (_found(rows, scheme, limits) for rows in scored), strict=True))

    trials = {step / 20: trial(step / 20) for step in range(2, 17)}
    best, top = middle(trials), max(trials.values())
    threshold = round((best + top / 200) / 2, 3)
    log.info("threshold %.2f: F1 up to %.2f, around %.2f, on %d held-out papers", threshold, top, best, len(gold))
    return threshold


def middle(trials: Mapping[float, float]) -> float:
    """The mean of thresholds, of which one that is a point of F1 below the best weighs 1/e.

    Which of those on a plateau is best on a few papers is left to chance; the middle of the plateau is not.

    >>> round(middle({0.2: 40.0, 0.3: 60.0, 0.4: 59.8, 0.5: 59.9, 0.6: 40.0}), 2)
    0.4
    """
    top = max(trials.values())
    weights = {threshold: exp(score - top) for threshold, score in trials.items()}
    return sum(threshold * weight for threshold, weight in weights.items()) / sum(weights.values())


def told(reading: Reading, names: Set[str], scheme: Scheme) -> Set[Claim]:
    """What a reading says of which entities: name and two ids, in alphabetical order where it has no direction."""
    return {
        _claim(relation.predicate, one, other, scheme)
        for relation in reading.relations
        if relation.predicate in names
        for one, other in [ends(relation, scheme)]
    }


def _found(rows: Sequence[Scored], scheme: Scheme, thresholds: Mapping[str, float]) -> Set[Claim]:
    return {
        _claim(scheme.relations[at], one.id, other.id, scheme)
        for one, other, row in rows
        for at in chosen(row, scheme, thresholds)
    }


def _claim(name: str, one: str, other: str, scheme: Scheme) -> Claim:
    return (name, one, other) if name in scheme.ordered else unordered(name, one, other)
