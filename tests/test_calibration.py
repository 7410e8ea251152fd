"""Calibration: hand-solved cases, then what holds of any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.calibration import (
    calibrated,
    expected_calibration_error,
    fit_platt,
    fit_temperature,
    log_softmax,
    logit,
    reliability,
    sigmoid,
    trust,
)

LOGITS = np.random.default_rng(5).normal(size=(4000, 5)) * 2
# tags drawn from the distributions themselves: at temperature 1 nothing is to be gained
TAGS = np.array([np.random.default_rng(at).choice(5, p=np.exp(row)) for at, row in enumerate(log_softmax(LOGITS))])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_spoilt_the_scores_is_found(temperature: float) -> None:
    assert fit_temperature(LOGITS * temperature, TAGS) == pytest.approx(temperature, rel=0.05)


def test_log_probabilities_serve_as_well_as_logits() -> None:
    assert fit_temperature(log_softmax(LOGITS * 2), TAGS) == pytest.approx(fit_temperature(LOGITS * 2, TAGS), abs=1e-3)


def test_a_row_may_allow_several_tags() -> None:
    # half the rows cannot tell tag 0 from tag 4, as where a corpus does not annotate a type
    allowed = np.arange(5) == TAGS[:, None]
    vague = np.isin(TAGS, (0, 4)) & (np.arange(len(TAGS)) % 2 == 0)
    allowed[vague] = [True, False, False, False, True]
    assert fit_temperature(LOGITS * 2, allowed) == pytest.approx(2, rel=0.07)


def test_a_temperature_never_changes_which_tag_is_best() -> None:
    assert (log_softmax(LOGITS, 3.7).argmax(1) == LOGITS.argmax(1)).all()


def test_platt_finds_slope_and_offset() -> None:
    draw = np.random.default_rng(1)
    logits = draw.normal(size=20_000) * 3
    right = draw.random(20_000) < sigmoid(0.4 * logits - 1)
    slope, offset = fit_platt(logits, right)
    assert slope == pytest.approx(0.4, abs=0.02)
    assert offset == pytest.approx(-1, abs=0.06)


@pytest.mark.parametrize("right", [[1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1]])
def test_platt_stays_finite_where_the_answers_are_all_alike_or_separable(right: list[int]) -> None:
    scaled = sigmoid(np.polyval(fit_platt([-40.0, -30.0, 30.0, 40.0], right), [-40.0, -30.0, 30.0, 40.0]))
    assert np.isfinite(scaled).all()
    assert np.abs(scaled - right).max() < 0.35


def test_the_error_of_two_bins_by_hand() -> None:
    # bin (0.4, 0.6]: mean score 0.5, one of two right; bin (0.8, 1]: mean 0.95, one of two right
    scores, right = [0.45, 0.55, 0.9, 1.0], [1, 0, 1, 0]
    assert expected_calibration_error(scores, right, bins=5) == pytest.approx(0.5 * 0 + 0.5 * 0.45)
    assert [(part.count, part.accuracy) for part in reliability(scores, right, bins=5)] == [(2, 0.5), (2, 0.5)]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60), st.integers(1, 20))
def test_each_score_is_in_one_bin_and_the_error_is_a_share(rows: list[tuple[float, bool]], bins: int) -> None:
    scores, right = [score for score, _ in rows], [answer for _, answer in rows]
    parts = reliability(scores, right, bins)
    assert sum(part.count for part in parts) == len(rows)
    assert all(part.low - 1e-9 <= part.confidence <= part.high + 1e-9 for part in parts)
    assert 0 <= expected_calibration_error(scores, right, bins) <= 1


def test_scaling_on_the_other_half_mends_scores_that_are_too_sure() -> None:
    draw = np.random.default_rng(2)
    truth = draw.random(6000)
    right = draw.random(6000) < truth
    sure = sigmoid(2.5 * logit(truth))
    mended = calibrated(sure, right, [str(at // 10) for at in range(6000)])
    assert expected_calibration_error(sure, right) > 0.1
    assert expected_calibration_error(mended, right) < 0.04


def test_scores_that_nobody_gave_are_not_judged() -> None:
    assert trust("mentions", [("1", 1.0, True), ("2", 1.0, False)]) is None
    assert trust("mentions", []) is None
    judged = trust("mentions", [("1", 0.9, True), ("2", 0.9, False)])
    assert judged is not None
    row = judged.row()
    assert (row["scores"], row["count"], row["ece"]) == ("mentions", 2, 40.0)


def test_what_cannot_be_fitted_is_told() -> None:
    with pytest.raises(ValueError, match="as many"):
        fit_temperature(LOGITS, TAGS[:5])
    with pytest.raises(ValueError, match="no right tag"):
        fit_temperature(LOGITS, np.zeros_like(LOGITS, dtype=bool))
    with pytest.raises(ValueError, match="as many"):
        fit_platt([], [])
    with pytest.raises(ValueError, match="2 scores and 1 answers"):
        expected_calibration_error([0.1, 0.2], [1])
