"""Make again a model that comes with the project, from public corpora, with one command.

::

    python -m extractors.adapters.rebuild biomed-ner --data ../shared/data
    python -m extractors.adapters.rebuild biomed-re --data ../shared/data --seed 14 --out models/seed-14

``--data`` is a folder with the corpora, :mod:`extractors.adapters.recipes` says which. A run that was killed goes on
from its last epoch. Papers that a development set holds too, under whatever corpus' name, are left out of training.
What a model needs and does not come with the project, its teachers say, is made first and kept in ``--work``.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from extractors.adapter import WHOLE, read_adapter, write_adapter
from extractors.adapters import CONFIG, HOME
from extractors.adapters.recipes import BIORED, CORPORA, RECIPES, SUBJECTS, VOCABULARIES, Recipe
from extractors.dictionary import Dictionary
from extractors.encoder import Encoder, load_encoder
from extractors.encoders import SHIPPED, weights_sha256
from extractors.encoders.packed import pack_folder
from extractors.processor import processor
from extractors.relations import RelationTagger
from extractors.tagger import Tagger
from extractors.training.card import Card, by_corpus, card_of, write_card
from extractors.training.corpora import Corpus, Data, hold_out, paper_of, read_corpus, read_data
from extractors.training.ner import TagTask
from extractors.training.plan import Plan
from extractors.training.re import RelationTask, scheme_for, scheme_of
from extractors.training.run import CHECKPOINTS, CURVES, average, fit
from pipeline.domains import Domain, known_domains, load_domain
from pipeline.types import Reading, content_id
from pipeline.vocabulary import Vocabulary, build

log = logging.getLogger("rebuild")
TIMED = 100
"""So many papers of each development corpus are read to tell the speed."""


def rebuild(name: str, data: Path, out: Path, work: Path, plan: Plan, ships: bool = False) -> dict[str, float]:
    """Train a model by its recipe, and first what it needs; gives its development scores.

    With another seed than the recipe's, the stages before it have others too, but its teachers and bases do not. Where
    it ``ships`` its factors are packed; one that is the base of others is parted in two.
    """
    recipe = RECIPES[name]
    domain = load_domain(recipe.domain)
    shift = plan.seed - recipe.plan.seed
    teachers = [made(teacher, data, work) for teacher in recipe.teachers]
    needed = {need: made(need, data, work, shift) for need in (recipe.start, *recipe.averaged) if need}
    found = read(recipe, data, domain)
    start = read_adapter(needed[recipe.start]) if recipe.start else None
    encoder = load_encoder(start.encoder if start and start.config["encoder"] == WHOLE else recipe.encoder)
    task = _task(recipe, encoder, found, domain, teachers, _dictionary(recipe, data, work, domain))
    began = time.monotonic()
    if recipe.averaged:
        scores = average(task, plan, [read_adapter(needed[part]) for part in recipe.averaged], out)
    else:
        scores = fit(task, plan, out, start=start)
    seconds = time.monotonic() - began
    if ships and recipe.base:
        out = ship(name, out)
    elif ships:
        adapter = read_adapter(out)
        write_adapter(out, adapter.config, adapter.tensors, packed=True)
    write_card(card(name, found, out, seconds), out)
    return scores


def made(name: str, data: Path, work: Path, shift: int = 0) -> Path:
    """The folder of a model that another needs: as it comes with the project, else made in ``work``.

    ``shift`` is added to the seed of its recipe; a base, which other adapters lie over, stays as it is.
    """
    plan, base = RECIPES[name].plan, RECIPES[name].base
    shift = 0 if base else shift
    if not shift and (HOME / name / CONFIG).is_file():
        return HOME / name
    plan = replace(plan, seed=plan.seed + shift)
    folder = work / (f"{name}-seed-{plan.seed}" if shift else name)
    if not (folder / CONFIG).is_file() or (folder / CHECKPOINTS).exists():
        log.info("%s is needed first", folder.name)
        rebuild(name, data, folder, work, plan)
    return folder


def card(name: str, found: Data, out: Path, seconds: float) -> Card:
    """The card of a model in its folder, with the terms of the corpora."""
    command = f"python -m extractors.adapters.rebuild {name} --data FOLDER"
    told = card_of(out, found, command, seconds=seconds)
    terms = {key: CORPORA[key].terms for key in RECIPES[name].corpora}
    return replace(
        told,
        data=[(*row[:3], terms.get(row[0], "")) for row in told.data],
        speed=speed(out, found.development, load_domain(RECIPES[name].domain)),
        limits=RECIPES[name].limits,
        other=other(name, load_domain(RECIPES[name].domain)),
    )


def speed(out: Path, development: Sequence[Corpus], domain: Domain) -> str:
    """How many of the development papers are read in a second on this machine, once the model is open."""
    kind = read_adapter(out).config["kind"]
    reader = Tagger.load(out, device="cpu") if kind == "tagger" else RelationTagger.load(out, domain)
    some = [replace(reading, relations=()) for corpus in development for reading in corpus.readings[:TIMED]]
    given = [replace(reading, mentions=()) for reading in some] if kind == "tagger" else some
    list(reader(given[:1]))
    began = time.monotonic()
    list(reader(given))
    rate = len(given) / (time.monotonic() - began)
    what = "" if kind == "tagger" else ", entities given"
    return f"{rate:.1f} development papers a second by {processor().name}, int8{what}."


def other(name: str, domain: Domain) -> str:
    """What the same pack's other reader scores, where that has another model."""
    role = next((role for _, role, adapter in domain.adapters if adapter == name), "")
    for reader, same, adapter in domain.adapters:
        if same == role and adapter != name and (HOME / adapter / CONFIG).is_file():
            scores = by_corpus(read_adapter(adapter).config["development"])
            told = ", ".join(f"{corpus} {score:.1f}" for corpus, score in scores.items())
            return f"The reader `{reader}` has [{adapter}](../{adapter}/README.md) instead: {told}."
    return ""


def ship(name: str, out: Path) -> Path:
    """Part a tuned model into a packed base, for other adapters too, and its head; gives the folder of the latter."""
    recipe = RECIPES[name]
    adapter = read_adapter(out, kind="tagger")
    base, home = SHIPPED / recipe.base, HOME / name
    shutil.rmtree(base, ignore_errors=True)
    pack_folder(out, base, licence=recipe.licence, origin=f"{recipe.encoder}, tuned as {name}")
    config = {**adapter.config, "encoder": recipe.base, "encoder_sha256": weights_sha256(base)}
    write_adapter(home, config, adapter.tensors)
    shutil.copyfile(out / CURVES, home / CURVES)
    return home


def read(recipe: Recipe, data: Path, domain: Domain) -> Data:
    """The corpora of a recipe, without the papers that a development set holds too."""
    sources = [CORPORA[key] for key in recipe.corpora if not CORPORA[key].plain]
    names = [(source.relations if recipe.task == "re" else source.types) or None for source in sources]
    dev = [(data / s.development, told) for s, told in zip(sources, names, strict=True) if s.development]
    scored = [read_corpus(path, domain, task=recipe.task, problems=[]) for path, _ in dev]
    held = frozenset(paper_of(reading.document) for corpus in scored for reading in corpus.readings)
    found = read_data(
        [(data / source.train, told) for source, told in zip(sources, names, strict=True)],
        dev,
        domain,
        task=recipe.task,
        exclude=held,
        plain=[data / CORPORA[key].train for key in recipe.corpora if CORPORA[key].plain],
    )
    titles = frozenset(_title(reading) for corpus in scored for reading in corpus.readings)
    parts = [
        _parted(replace(corpus, name=key, share=recipe.shares.get(key, 1.0)), titles)
        for corpus, key in zip(found.train, recipe.corpora, strict=True)
    ]
    keys = [key for key in recipe.corpora if CORPORA[key].development]
    told = [replace(corpus, name=key) for corpus, key in zip(found.development, keys, strict=True)]
    return replace(found, train=tuple(learnt for learnt, _ in parts), development=(*told, *(p for _, p in parts if p)))


def _parted(corpus: Corpus, titles: Collection[str]) -> tuple[Corpus, Corpus | None]:
    """What of a corpus is learnt from, and what is held out: by paper, or, of plain papers, by their titles."""
    source = CORPORA[corpus.name]
    if source.held:
        return hold_out(corpus, share=source.held, seed=0)
    if not source.plain:
        return corpus, None
    kept = [reading for reading in corpus.readings if _title(reading) not in titles]
    return replace(corpus, readings=tuple(sorted(kept, key=_lot)[: source.plain])), None


def _title(reading: Reading) -> str:
    """The beginning of a paper without all but letters and digits: the same one has other ids in other corpora."""
    return "".join(filter(str.isalnum, reading.document.text.lower()))[:60]


def _lot(reading: Reading) -> str:
    return content_id(reading.document.id)


def _dictionary(recipe: Recipe, data: Path, work: Path, domain: Domain) -> Dictionary | None:
    """Of the vocabularies of a recipe, each built where it is not yet."""
    for name in recipe.vocabularies:
        if not (work / f"{name}.vocab").is_file():
            work.mkdir(parents=True, exist_ok=True)
            build(name, [data / path for path in VOCABULARIES[name]], work)
    indexes = [Vocabulary.open(work / f"{name}.vocab") for name in recipe.vocabularies]
    return Dictionary(indexes, domain.types) if indexes else None


def _task(
    recipe: Recipe,
    encoder: Encoder,
    data: Data,
    domain: Domain,
    teachers: Sequence[Path] = (),
    dictionary: Dictionary | None = None,
) -> TagTask | RelationTask:
    if recipe.task == "ner":
        known = {name for corpus in data.train for name in corpus.names}
        types = [entity.name for entity in domain.entities if entity.name in known]
        told = [Tagger.load(folder) for folder in teachers]
        return TagTask(encoder, data.train, data.development, types, told, dictionary)
    parts = [hold_out(corpus, share=0.1, seed=0) for corpus in data.train]
    if domain.name == "biomed":
        readings = [reading for corpus in data.train for reading in corpus.readings]
        scheme = scheme_of(readings, encoder, domain, subjects=SUBJECTS, groups=[BIORED])
    else:
        scheme = scheme_for(data.train, encoder, domain, [[kind.name for kind in domain.relations]])
    if recipe.window:
        scheme = replace(scheme, window=recipe.window, overlap=recipe.window // 4)
    scheme = replace(scheme, slots=recipe.slots)
    learnt, held = [kept for kept, _ in parts], [part for _, part in parts]
    return RelationTask(encoder, learnt, data.development, scheme, domain, held=held)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, help="folder of the model (default: where it comes with the project)")
    parser.add_argument("--work", type=Path, default=Path("runs/models"), help="folder of what it needs first")
    parser.add_argument(
        "--seed", type=int, default=0, help="default: that of the recipe; stages before it change with it"
    )
    args = parser.parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    recipe = RECIPES[args.name]
    plan = replace(recipe.plan, seed=args.seed or recipe.plan.seed)
    named = {adapter for pack in known_domains() for *_, adapter in load_domain(pack).adapters}
    out = args.out or (HOME if args.name in named and not recipe.base else args.work) / args.name
    log.info("%s: %s", args.name, rebuild(args.name, args.data, out, args.work, plan, ships=not args.out))


if __name__ == "__main__":
    main()
