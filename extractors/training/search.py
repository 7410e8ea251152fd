"""Searching for better settings: a small space, tried by Optuna's TPE (Bergstra et al. 2011), each try a whole run.

======================  =====================================================
setting                 tried
======================  =====================================================
``rate``                1e-4 to 1e-3, evenly in its logarithm
``head_rate``           1 to 5 times ``rate``
``dropout``             0.05 to 0.2
``masked``              0 to 0.15
``layer_decay``         0.8 to 1
``average``             0.99, 0.995 or 0.998
``rank``                16, 32 or 64 (not where all is tuned)
======================  =====================================================

The development score that a search maximises is no longer an honest estimate: report another set's, or other seeds'.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from extractors.adapter import Adapter
from extractors.training.plan import Plan
from extractors.training.run import Task, fit
from extractors.training.trainer import SCORE
from pipeline.errors import UsageError
from pipeline.types import content_id
from pipeline.vocabulary import Vocabulary

log = logging.getLogger(__name__)
STUDY = "study.db"


def search(
    make: Callable[[], Task],
    plan: Plan,
    folder: Path,
    *,
    trials: int,
    start: Adapter | None = None,
    vocabulary: Vocabulary | None = None,
) -> tuple[Plan, list[dict[str, Any]]]:
    """Run ``trials`` plans and give the best with a row for each; one that was killed goes on where it was.

    ``make`` gives a fresh task, for a run changes its encoder. A trial is drawn by its number and the trials before
    it alone, so that a search that goes on tries what it would have tried.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("a search runs in one process: start it without torchrun, and train with what it finds")
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / STUDY}",
        study_name=content_id(repr(plan)),  # what was found for other settings says nothing of these
        direction="maximize",
        load_if_exists=True,
    )

    def done() -> int:
        return len(study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]))

    def run(trial: optuna.Trial) -> float:
        out = folder / f"trial-{done()}"
        scores = fit(make(), proposed(trial, plan), out, start=start, vocabulary=vocabulary)
        shutil.rmtree(out)
        log.info("trial %d: %.2f F1 with %s", trial.number, scores[SCORE], trial.params)
        return scores[SCORE]

    while done() < trials:
        study.sampler = optuna.samplers.TPESampler(seed=plan.seed + done(), n_startup_trials=5)
        study.optimize(run, n_trials=1)
    rows = [{"trial": t.number, SCORE: t.value, **t.params} for t in study.trials if t.value is not None]
    return proposed(study.best_trial, plan), sorted(rows, key=lambda row: -row[SCORE])


def proposed(trial: Any, plan: Plan) -> Plan:
    """The plan of a trial; what is not searched stays as it was."""
    rate = trial.suggest_float("rate", 1e-4, 1e-3, log=True)
    found = {
        "rate": rate,
        "head_rate": rate * trial.suggest_float("head_factor", 1, 5),
        "dropout": trial.suggest_float("dropout", 0.05, 0.2),
        "masked": trial.suggest_float("masked", 0, 0.15),
        "layer_decay": trial.suggest_float("layer_decay", 0.8, 1),
        "average": trial.suggest_categorical("average", [0.99, 0.995, 0.998]),
    }
    if plan.tuning != "full":
        found["rank"] = trial.suggest_categorical("rank", [16, 32, 64])
    return replace(plan, **{name: value for name, value in found.items() if name in asdict(plan)})
