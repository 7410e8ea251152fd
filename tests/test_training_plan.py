"""Settings: what is refused, and with which words."""

from __future__ import annotations

import pytest

from extractors.training.plan import Plan, changed
from pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tuning": "lorra"}, "tuning 'lorra': use one of full, lora"),
        ({"epochs": "0"}, "epochs 0: must be more than 0"),
        ({"epochs": "two"}, "epochs=two: is no int"),
        ({"rate": "-1e-3"}, "rate -0.001: must be more than 0"),
        ({"rate": "nan"}, "rate nan: must be more than 0"),
        ({"rate": "inf"}, "rate inf: must be more than 0"),
        ({"dropout": "1"}, "dropout 1.0: must be at least 0 and less than 1"),
        ({"adversarial": "-1"}, "adversarial -1.0: must be at least 0"),
        ({"patience": "-1"}, "patience -1: must be at least 0"),
        ({"decay": "-0.1"}, "decay -0.1: must be at least 0"),
        ({"precision": "int8"}, "precision 'int8': use one of auto, fp32, bf16, fp16"),
        ({"device": "gpu"}, "device 'gpu': use auto, cpu, mps, cuda"),
        ({"compiled": "perhaps"}, "compiled=perhaps: say yes or no"),
        ({"tuning": "adalora", "rank": "1"}, "rank 1: adalora halves it"),
        ({"epoch": "3", "lr": "1"}, "no setting epoch, lr: use epochs, tuning"),
    ],
)
def test_a_bad_setting_is_named_with_what_it_may_be(settings: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as error:
        changed(Plan(), settings)
    assert str(error.value).startswith(told)


def test_settings_are_read_as_what_they_are() -> None:
    plan = changed(Plan(), {"rate": "1e-4", "accumulate": "2", "checkpointing": "Yes", "tuning": "full"})
    assert (plan.rate, plan.accumulate, plan.checkpointing, plan.tuning) == (1e-4, 2, True, "full")
    assert changed(plan, {}) == plan
