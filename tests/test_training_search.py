"""The search for settings: small runs of the real kind, and one that fails in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_readers import NER, QUICK, STUDIES, TYPES, tiny_encoder

from extractors.encoder import load_encoder
from extractors.training.ner import TagTask
from extractors.training.search import search
from pipeline.errors import UsageError

PLAN = replace(QUICK, epochs=3, batch_tokens=128)
SMALL = replace(NER, readings=STUDIES[:16])


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], TagTask]:
    folder = tmp_path_factory.mktemp("search")
    tiny_encoder(folder)
    return lambda: TagTask(load_encoder(folder), [SMALL], [SMALL], TYPES)


@pytest.mark.slow
def test_a_search_that_failed_goes_on_and_finds_what_it_would_have_found(
    make: Callable[[], TagTask], tmp_path: Path
) -> None:
    made = 0

    def failing() -> TagTask:
        nonlocal made
        made += 1
        if made == 2:
            raise MemoryError
        return make()

    with pytest.raises(MemoryError):
        search(failing, PLAN, tmp_path / "broken", trials=3)
    best, rows = search(make, PLAN, tmp_path / "broken", trials=3)
    whole, expected = search(make, PLAN, tmp_path / "whole", trials=3)
    plain = [{name: value for name, value in row.items() if name != "trial"} for row in rows]
    assert plain == [{name: value for name, value in row.items() if name != "trial"} for row in expected]
    assert best == whole
    top = rows[0]
    assert top["f1"] == max(row["f1"] for row in rows)
    assert (best.rate, best.rank, best.average) == (top["rate"], top["rank"], top["average"])
    assert best.head_rate == pytest.approx(top["rate"] * top["head_factor"])
    assert (best.epochs, best.device) == (3, "cpu")
    assert len({row["rate"] for row in rows}) == 3
    assert {path.name for path in (tmp_path / "whole").iterdir()} == {"study.db"}
    assert search(make, PLAN, tmp_path / "whole", trials=2)[0] == whole  # enough was tried


def test_a_search_is_not_for_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="start it without torchrun"):
        search(lambda: None, PLAN, tmp_path, trials=1)  # type: ignore[arg-type, return-value]
