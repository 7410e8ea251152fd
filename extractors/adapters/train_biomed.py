"""Train the two adapters for biomedicine that come with the project, from BC5CDR, NCBI-disease and BioRED.

::

    python -m extractors.adapters.train_biomed ner --data ../shared/data
    python -m extractors.adapters.train_biomed re --data ../shared/data
    python -m extractors.adapters.train_biomed score --data ../shared/data

``--data`` is a folder with the corpora in PubTator form (see :data:`TRAIN`). Every epoch ends with an adapter that
can be used, so that a run may be stopped early. Seeds are fixed; threads and processors still differ in the last bits.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

from extractors.adapter import Adapter, read_adapter
from extractors.adapters import CONFIG, HOME
from extractors.encoder import load_encoder
from extractors.evaluate import mention_f1, relation_f1
from extractors.relations import RelationTagger
from extractors.tagger import Tagger
from extractors.train import Annotated, Plan
from extractors.train_relations import scheme_of, train_relation_tagger
from extractors.train_tagger import train_tagger
from pipeline.domains import load_domain
from pipeline.sources import annotated
from pipeline.text import sentences
from pipeline.types import Failure, Mention, Reading

log = logging.getLogger("train_biomed")
BIOMED = load_domain("biomed")
NER_PLAN = Plan(epochs=4)
RE_PLAN = Plan(epochs=4, rate=5e-4, batch_tokens=2048, average=0.995)
SUBJECTS = ("Variant", "Chemical", "Gene", "Disease")  # of two types the earlier one is the subject
PEEK = 50  # papers of a development set are read after each epoch, for the log


@dataclass(frozen=True, slots=True)
class Corpus:
    """A training and a development file, and the types and relations that their makers annotated.

    ``share`` is that of its relation passes seen in an epoch: BioRED has twice as many as BC5CDR.
    """

    train: str
    development: str
    types: frozenset[str]
    relations: frozenset[str] = frozenset()
    share: float = 1.0


CORPORA = (
    Corpus(
        "bc5cdr/CDR_TrainingSet.PubTator.txt",
        "bc5cdr/CDR_DevelopmentSet.PubTator.txt",
        frozenset({"Chemical", "Disease"}),
        frozenset({"INDUCES"}),
    ),
    Corpus(
        "ncbi_disease/NCBItrainset_corpus.txt",
        "ncbi_disease/NCBIdevelopset_corpus.txt",
        frozenset({"Disease"}),
    ),
    Corpus(
        "biored/Train.PubTator",
        "biored/Dev.PubTator",
        BIOMED.types,
        frozenset(relation.name for relation in BIOMED.relations) - {"INDUCES"},
        share=0.35,
    ),
)


def read(path: Path) -> tuple[Reading, ...]:
    """Read a corpus with the project's own reader, types and relations renamed as the domain pack does."""
    return tuple(_renamed(reading) for reading in annotated(path) if not isinstance(reading, Failure))


def training_readings(data: Path) -> Iterator[tuple[Corpus, tuple[Reading, ...]]]:
    """The training corpora without the papers that a development set holds too, under another corpus' name."""
    held_out = {reading.document.id for corpus in CORPORA for reading in read(data / corpus.development)}
    for corpus in CORPORA:
        yield corpus, tuple(r for r in read(data / corpus.train) if r.document.id not in held_out)


def train_ner(data: Path, out: Path, plan: Plan, start: Adapter | None) -> None:
    corpora = [
        Annotated(readings, corpus.types, peek=read(data / corpus.development)[:PEEK])
        for corpus, readings in training_readings(data)
    ]
    types = [entity.name for entity in BIOMED.entities]
    train_tagger(load_encoder("minilm"), corpora, types, out, plan, start=start)


def train_re(data: Path, out: Path, plan: Plan, start: Adapter | None) -> None:
    related = [(corpus, readings) for corpus, readings in training_readings(data) if corpus.relations]
    encoder = load_encoder("minilm")
    scheme = scheme_of(
        (reading for _, readings in related for reading in readings), encoder, SUBJECTS, CORPORA[-1].relations
    )
    train_relation_tagger(
        encoder,
        [
            Annotated(readings, corpus.relations, corpus.share, read(data / corpus.development)[:PEEK])
            for corpus, readings in related
        ],
        scheme,
        BIOMED,
        out,
        plan,
        start=start,
    )


def score(data: Path, tagger: Path, relations: Path) -> None:
    """Score both adapters on the whole development sets and note it in their JSON."""
    find, relate = Tagger.load(tagger), RelationTagger.load(relations, BIOMED)
    scores: dict[Path, dict[str, float]] = {tagger: {}, relations: {}}
    for corpus in CORPORA:
        gold = read(data / corpus.development)
        found = list(find(replace(reading, mentions=(), relations=()) for reading in gold))
        name = corpus.development.partition("/")[0]
        for kinds in (corpus.types, *({kind} for kind in sorted(corpus.types) if len(corpus.types) > 1)):
            scores[tagger][_label(name, kinds)] = round(mention_f1(gold, found, kinds), 2)
        if corpus.relations:
            related = list(relate(replace(reading, relations=()) for reading in gold))
            scores[relations][name] = round(relation_f1(gold, related, corpus.relations), 2)
    for folder, found_scores in scores.items():
        path = folder / CONFIG
        config = json.loads(path.read_text("utf-8")) | {"development_f1": found_scores}
        path.write_text(json.dumps(config, indent=1) + "\n", "utf-8")
        log.info("%s: %s", folder.name, found_scores)


def _label(corpus: str, kinds: Set[str]) -> str:
    return corpus if len(kinds) != 1 else f"{corpus} {next(iter(kinds))}"


def _renamed(reading: Reading) -> Reading:
    def rename(mention: Mention) -> Mention:
        return replace(mention, type=BIOMED.type_of(mention.type) or "")

    mentions = tuple(mention for mention in map(rename, reading.mentions) if mention.type)
    relations = tuple(
        replace(relation, predicate=kind.name, subject=rename(relation.subject), object=rename(relation.object))
        for relation in reading.relations
        if (kind := BIOMED.relation(relation.predicate))
    )
    return replace(reading, sentences=sentences(reading.document), mentions=mentions, relations=relations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("ner", "re", "score"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder of the adapter (default: where it comes with the project)")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--start", help="adapter to train on from; for re its default is biomed-ner")
    parser.add_argument("--start-kind", choices=("tagger", "relations"), default="tagger")
    args = parser.parse_args()
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    if args.task == "score":
        score(args.data, HOME / "biomed-ner", HOME / "biomed-re")
        return
    train, plan, name, first = {
        "ner": (train_ner, NER_PLAN, "biomed-ner", None),
        "re": (train_re, RE_PLAN, "biomed-re", "biomed-ner"),
    }[args.task]
    plan = replace(plan, epochs=args.epochs or plan.epochs, rate=args.rate or plan.rate)
    start = args.start or first
    train(args.data, args.out or HOME / name, plan, read_adapter(start, kind=args.start_kind) if start else None)


if __name__ == "__main__":
    main()
