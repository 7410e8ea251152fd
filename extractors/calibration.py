"""Scores that mean what they say: of the mentions with a score of 0.8, four in five should be right.

Temperature scaling (Guo et al., ICML 2017) divides all logits of a model by one number, which is found on development
data: no decision changes, only how sure they look. Platt scaling (Platt, 1999) adds an offset, for what is right or
wrong as a whole: mentions and relations. The expected calibration error (Naeini et al., AAAI 2015) measures what is
left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from extractors import tags

Array = npt.NDArray[np.float64]
COLDEST, HOTTEST = 0.05, 20.0
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores between two bounds: how many, their mean, and the share of them that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Trust:
    """How well some scores are calibrated: the expected error in per cent, and what Platt scaling would leave of it."""

    name: str
    count: int
    error: float
    fitted: float
    bins: tuple[Bin, ...]

    def row(self) -> dict[str, Any]:
        return {
            "scores": self.name,
            "count": self.count,
            "ece": round(self.error, 2),
            "ece_after_platt": round(self.fitted, 2),
        }


def trust(name: str, rows: Sequence[tuple[str, float, bool]]) -> Trust | None:
    """Judge scores, given as (document, score, right); None where nobody gave any: all of them are 1."""
    if all(score == 1 for _, score, _ in rows):
        return None
    documents, scores, right = zip(*rows, strict=True)
    fitted = expected_calibration_error(calibrated(scores, right, documents), right)
    error = expected_calibration_error(scores, right)
    return Trust(name, len(rows), 100 * error, 100 * fitted, tuple(reliability(scores, right)))


def log_softmax(scores: npt.ArrayLike, temperature: float = 1.0) -> Array:
    """Log-probabilities of shape n x tags, from logits or log-probabilities, which differ by a constant a row.

    >>> np.exp(log_softmax([[0.0, np.log(9)]], temperature=2)).round(2).tolist()
    [[0.25, 0.75]]
    """
    warm = np.asarray(scores, dtype=np.float64) / temperature
    return tags.log_softmax(warm)


def fit_temperature(scores: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """The temperature that makes gold tags likeliest; above 1 for a model that is too sure of itself.

    ``scores`` are logits or log-probabilities of shape n x tags. ``right`` holds n gold tags, or, where a corpus does
    not tag all types, n x tags booleans: the tags that its annotation allows. Calibrated log-probabilities are
    ``log_softmax(scores / temperature)``. Raises ValueError where there is nothing to fit.

    >>> sure = np.log([[0.9, 0.1]] * 4)  # right three times in four
    >>> fit_temperature(sure, [0, 0, 0, 1])
    2.0
    """
    logits, allowed = np.asarray(scores, dtype=np.float64), np.asarray(right)
    if not len(logits) or len(logits) != len(allowed):
        raise ValueError(f"{len(logits)} rows of scores and {len(allowed)} gold tags: give as many, and at least one")
    if allowed.ndim == 1:
        allowed = np.arange(logits.shape[1]) == allowed[:, None]
    if not allowed.any(axis=1).all():
        raise ValueError("a row of scores has no right tag: leave such rows out")

    def loss(logarithm: float) -> float:
        likely = np.where(allowed, np.exp(log_softmax(logits, math.exp(logarithm))), 0.0).sum(axis=1)
        return -float(np.log(np.maximum(likely, 1e-300)).mean())

    return round(math.exp(_minimum(loss, math.log(COLDEST), math.log(HOTTEST))), 4)


def fit_platt(logits: npt.ArrayLike, right: npt.ArrayLike, *, steps: int = 100) -> tuple[float, float]:
    """Slope and offset, so that ``sigmoid(slope * logit + offset)`` is the share that is right, by Newton's method.

    The targets are Platt's, a little inside of 0 and 1, so that separable data do not lead to infinity. Raises
    ValueError where there is nothing to fit.

    >>> slope, offset = fit_platt([-2.0, -1.0, 1.0, 2.0] * 50, [0, 0, 1, 1] * 50)
    >>> slope > 2, abs(offset) < 1e-6
    (True, True)
    """
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(right, dtype=bool)
    if not len(x) or x.shape != y.shape:
        raise ValueError(f"{len(x)} logits and {len(y)} answers: give as many, and at least one")
    yes, no = int(y.sum()), int((~y).sum())
    target = np.where(y, (yes + 1) / (yes + 2), 1 / (no + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.array([0.0, math.log((yes + 1) / (no + 1))])
    for _ in range(steps):
        share = sigmoid(design @ weights)
        bend = design.T @ (design * (share * (1 - share))[:, None]) + 1e-9 * np.eye(2)
        change = np.linalg.solve(bend, design.T @ (share - target))
        weights -= change / max(1.0, float(np.abs(change).max()))  # far from the end a full step may overshoot
        if np.abs(change).max() < 1e-9:
            break
    return round(float(weights[0]), 6), round(float(weights[1]), 6)


def platt_line(scores: npt.ArrayLike, right: npt.ArrayLike) -> tuple[float, float]:
    """Slope and offset for the logits of scores; where nothing is scored, or the order would turn round, 1 and 0.

    >>> platt_line([0.9, 0.6], [False, True])
    (1.0, 0.0)
    """
    slope, offset = fit_platt(logit(scores), right) if np.size(scores) else (1.0, 0.0)
    return (slope, offset) if slope > 0 else (1.0, 0.0)


def sigmoid(logits: npt.ArrayLike) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    half: Array = 0.5 * np.tanh(0.5 * np.asarray(logits, dtype=np.float64)) + 0.5
    return half


def logit(shares: npt.ArrayLike) -> Array:
    """The inverse of :func:`sigmoid`; 0 and 1 are taken for what is closest to them and finite."""
    inside = np.clip(np.asarray(shares, dtype=np.float64), 1e-6, 1 - 1e-6)
    odds: Array = np.log(inside / (1 - inside))
    return odds


def expected_calibration_error(confidence: npt.ArrayLike, right: npt.ArrayLike, bins: int = 15) -> float:
    """Mean distance between scores and the share that is right, over equal bins of [0, 1]; 0 is perfect.

    >>> expected_calibration_error([0.9, 0.9, 0.9, 0.9], [1, 1, 1, 0])
    0.15
    """
    parts = reliability(confidence, right, bins)
    total = sum(part.count for part in parts)
    return round(sum(part.count * abs(part.accuracy - part.confidence) for part in parts) / max(total, 1), 6)


def reliability(confidence: npt.ArrayLike, right: npt.ArrayLike, bins: int = 15) -> list[Bin]:
    """The bins of the calibration error that are not empty."""
    scores, answers = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if scores.shape != answers.shape:
        raise ValueError(f"{scores.size} scores and {answers.size} answers: give as many")
    place = np.clip(np.ceil(scores * bins).astype(int) - 1, 0, bins - 1)
    groups = ((at, place == at) for at in range(bins))
    return [
        Bin(at / bins, (at + 1) / bins, int(group.sum()), float(scores[group].mean()), float(answers[group].mean()))
        for at, group in groups
        if group.any()
    ]


def calibrated(confidence: npt.ArrayLike, right: npt.ArrayLike, groups: Sequence[Any]) -> Array:
    """Scores as they would be after Platt scaling, each half of the groups (documents) fitted on the other."""
    raw, answers = logit(confidence), np.asarray(right, dtype=bool)
    number = {group: at for at, group in enumerate(dict.fromkeys(groups))}
    half = np.array([number[group] % 2 for group in groups], dtype=bool)
    scores = np.asarray(confidence, dtype=np.float64).copy()
    for side in (half, ~half):
        if side.any() and (~side).any():
            slope, offset = fit_platt(raw[~side], answers[~side])
            scores[side] = sigmoid(slope * raw[side] + offset)
    return scores


def _minimum(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is least (golden section; Kiefer, 1953)."""
    one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_other = loss(one), loss(other)
    while high - low > 1e-5:
        if at_one < at_other:
            high, other, at_other = other, one, at_one
            one = high - _GOLDEN * (high - low)
            at_one = loss(one)
        else:
            low, one, at_one = one, other, at_other
            other = low + _GOLDEN * (high - low)
            at_other = loss(other)
    return (low + high) / 2
