"""Make again a model that comes with the project, from public corpora, with one command.

::

    python -m extractors.adapters.rebuild biomed-ner --data ../shared/data
    python -m extractors.adapters.rebuild biomed-re --data ../shared/data --seed 14 --out models/seed-14

``--data`` is a folder with the corpora (:data:`CORPORA`). A run that was killed goes on from its last epoch. Papers
that a development set holds too, under whatever corpus' name, are left out of training.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from extractors.adapter import read_adapter
from extractors.adapters import HOME
from extractors.encoder import load_encoder
from extractors.training.card import card_of, write_card
from extractors.training.checks import Task
from extractors.training.corpora import Data, hold_out, paper_of, read_corpus, read_data
from extractors.training.ner import TagTask
from extractors.training.plan import Plan
from extractors.training.re import RelationTask, scheme_of
from extractors.training.run import fit
from pipeline.domains import Domain, load_domain

log = logging.getLogger("rebuild")
SUBJECTS = ("Variant", "Chemical", "Gene", "Disease")
"""Of two types of entities the earlier one is the subject."""
BIORED = (
    *("Association", "Bind", "Comparison", "Conversion", "Cotreatment"),
    *("Drug_Interaction", "Negative_Correlation", "Positive_Correlation"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus: its files below the data folder, what its makers annotated, and on which terms it may be used."""

    train: str
    development: str
    types: tuple[str, ...]
    relations: tuple[str, ...] = ()
    terms: str = "none stated"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is made; ``shares`` are how often an epoch sees a corpus (1 where it is not named).

    ``start`` is a tagger whose factors a model begins with.
    """

    domain: str
    task: Task
    encoder: str
    corpora: tuple[str, ...]
    plan: Plan
    shares: Mapping[str, float] = field(default_factory=dict)
    start: str = ""
    layer: int = 0


CORPORA: Mapping[str, Source] = {
    "bc5cdr": Source(
        "bc5cdr/CDR_TrainingSet.PubTator.txt",
        "bc5cdr/CDR_DevelopmentSet.PubTator.txt",
        ("Chemical", "Disease"),
        ("INDUCES",),
        "released for research by BioCreative and NCBI",
    ),
    "ncbi": Source(
        "ncbi_disease/NCBItrainset_corpus.txt",
        "ncbi_disease/NCBIdevelopset_corpus.txt",
        ("Disease",),
        terms="public domain (US government work)",
    ),
    "biored": Source(
        "biored/Train.PubTator",
        "biored/Dev.PubTator",
        ("Chemical", "Disease", "Gene", "Species", "Variant", "CellLine"),
        BIORED,
        "NCBI data, none stated",
    ),
}
RECIPES: Mapping[str, Recipe] = {
    "biomed-ner": Recipe("biomed", "ner", "minilm", ("bc5cdr", "ncbi", "biored"), Plan(rate=1e-3, average=0.998)),
    "biomed-re": Recipe(
        "biomed",
        "re",
        "minilm",
        ("bc5cdr", "biored"),
        Plan(epochs=3, rate=5e-4, average=0.99, batch_tokens=2048),
        shares={"biored": 0.3},
        start="biomed-ner",
    ),
}


def rebuild(name: str, data: Path, out: Path, plan: Plan) -> dict[str, float]:
    """Train a model by its recipe; gives its development scores."""
    recipe = RECIPES[name]
    domain = load_domain(recipe.domain)
    found = read(recipe, data, domain)
    task = _task(recipe, found, domain)
    began = time.monotonic()
    start = read_adapter(recipe.start, kind="tagger") if recipe.start else None
    scores = fit(task, plan, out, start=start)
    command = f"python -m extractors.adapters.rebuild {name} --data FOLDER"
    card = card_of(out, found, command, seconds=time.monotonic() - began)
    terms = {CORPORA[key].train: CORPORA[key].terms for key in recipe.corpora}
    rows = [(*row[:3], next((t for path, t in terms.items() if row[0].endswith(path)), "")) for row in card.data]
    write_card(replace(card, data=rows), out)
    return scores


def read(recipe: Recipe, data: Path, domain: Domain) -> Data:
    """The corpora of a recipe, without the papers that a development set holds too."""
    sources = [CORPORA[key] for key in recipe.corpora]
    names = [source.relations if recipe.task == "re" else source.types for source in sources]
    dev = [read_corpus(data / s.development, domain, task=recipe.task, problems=[]) for s in sources]
    held = frozenset(paper_of(reading.document) for corpus in dev for reading in corpus.readings)
    found = read_data(
        [(data / source.train, told) for source, told in zip(sources, names, strict=True)],
        [(data / source.development, told) for source, told in zip(sources, names, strict=True)],
        domain,
        task=recipe.task,
        exclude=held,
    )
    shares = [recipe.shares.get(key, 1.0) for key in recipe.corpora]
    return replace(found, train=tuple(replace(c, share=s) for c, s in zip(found.train, shares, strict=True)))


def _task(recipe: Recipe, data: Data, domain: Domain) -> TagTask | RelationTask:
    encoder = load_encoder(recipe.encoder)
    if recipe.task == "ner":
        return TagTask(encoder, data.train, data.development, [entity.name for entity in domain.entities])
    parts = [hold_out(corpus, share=0.1, seed=0) for corpus in data.train]
    readings = [reading for corpus in data.train for reading in corpus.readings]
    return RelationTask(
        encoder,
        [kept for kept, _ in parts],
        data.development,
        scheme_of(readings, encoder, domain, subjects=SUBJECTS, groups=[BIORED]),
        domain,
        layer=recipe.layer,
        held=[held for _, held in parts],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, help="folder of the model (default: where it comes with the project)")
    parser.add_argument("--seed", type=int, default=13)
    args = parser.parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    plan = replace(RECIPES[args.name].plan, seed=args.seed)
    log.info("%s: %s", args.name, rebuild(args.name, args.data, args.out or HOME / args.name, plan))


if __name__ == "__main__":
    main()
