"""The card of a model: what it is, what it was made of and how, how good and how fast it is, what it cannot do."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from extractors.adapter import WHOLE
from extractors.adapters import CONFIG
from extractors.training.corpora import Data
from extractors.training.trainer import SCORE

CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Card:
    """What a card tells.

    ``scores`` holds for each measure its values in per cent, one a seed; ``data`` rows of (corpus, papers, what it
    annotates, licence); ``seconds`` is how long training took, ``machine`` on what.
    """

    name: str
    title: str
    config: Mapping[str, Any]
    data: Sequence[tuple[str, int, str, str]]
    command: str
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    speed: str = "not measured"
    seconds: float = 0.0
    machine: str = ""
    limits: Sequence[str] = ()
    other: str = ""


def card_of(folder: Path, data: Data, command: str, *, seconds: float) -> Card:
    """The card of one run, from what lies in its folder and the data that it learnt from."""
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    kinds = {"tagger": "finds entities", "relations": "tells relations"}
    return Card(
        name=folder.resolve().name,
        title=kinds[config["kind"]],
        config=config,
        data=[
            *((c.name, len(c.readings), ", ".join(sorted(c.names)), "see its source") for c in data.train),
            *((f"{c.name} (development)", len(c.readings), "", "") for c in data.development),
        ],
        command=command,
        scores={name: [score] for name, score in by_corpus(config["development"]).items()},
        seconds=seconds,
        machine=f"{platform.machine()}, {torch.get_num_threads()} threads",
    )


def by_corpus(development: Mapping[str, float]) -> dict[str, float]:
    """The development scores of a model without their mean, which stands beside them in its adapter.json."""
    return {name: score for name, score in development.items() if name != SCORE}


def write_card(card: Card, folder: Path) -> None:
    (folder / CARD).write_text("\n".join(_lines(card)) + "\n", "utf-8")


def spread(values: Sequence[float]) -> str:
    """The mean of some seeds and how far they lie apart.

    >>> spread([88.1, 88.4, 88.6]), spread([87.0])
    ('88.4 ± 0.3 (3 seeds)', '87.0 (1 seed)')
    """
    if len(values) > 1:
        return f"{mean(values):.1f} ± {stdev(values):.1f} ({len(values)} seeds)"
    return f"{values[0]:.1f} (1 seed)"


def _lines(card: Card) -> Iterable[str]:
    config = card.config
    yield f"# {card.name}: {card.title}"
    yield ""
    yield _base(config)
    if card.other:
        yield card.other
    yield from _table("Data", ("corpus", "papers", "annotates", "licence"), card.data)
    if card.scores:
        rows = [(name, spread(values)) for name, values in card.scores.items()]
        yield from _table("Scores on development data (F1, %)", ("measure", "mean and spread"), rows)
    yield from ("", "## Speed", "", card.speed)
    yield from ("", "## Made by", "", "```sh", card.command, "```", "")
    yield f"in {card.seconds / 60:.0f} minutes{' on ' + card.machine if card.machine else ''}, with:"
    yield ""
    yield ", ".join(f"{name} {value}" for name, value in config["plan"].items())
    if card.limits:
        yield from ("", "## Limits", "", *(f"- {limit}" for limit in card.limits))


def _base(config: Mapping[str, Any]) -> str:
    """What it is over which encoder."""
    what, encoder = {"tagger": "A tagger"}.get(config["kind"], "A tagger of relations"), config["encoder"]
    if encoder == WHOLE:
        return f"{what} with an encoder of its own, in this folder, tuned as a whole."
    if config["method"] == "full":
        return f"{what}: a head over the encoder `{encoder}`, which was tuned together with it."
    return f"{what} over the encoder `{encoder}`, tuned by {config['method']} of rank {config['plan']['rank']}."


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    yield from ("", f"## {title}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}")
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)
