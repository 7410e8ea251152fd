"""`hypograph train ner|re`: fine-tuning from the command line; under torchrun or accelerate on several GPUs."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.options import Commands, Domain, pairs
from flows.printing import Format, print_object
from flows.progress import say
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from extractors.training.corpora import Data
    from extractors.training.plan import Plan
    from pipeline.domains import Domain as Pack

train = typer.Typer(
    cls=Commands, no_args_is_help=True, rich_markup_mode=None, help="Fine-tune a reader on annotated papers."
)

Train = Annotated[
    list[str],
    typer.Option("--data", help="Annotated papers: a file, folder or glob; PATH=Type,Type says what they annotate."),
]
Dev = Annotated[list[str] | None, typer.Option("--dev", help="Papers to be scored on; default: a tenth of the others.")]
Out = Annotated[Path, typer.Option("-o", "--output", help="Folder of the model.")]
EncoderName = Annotated[str, typer.Option("--encoder", help="A name or folder: see `hypograph encoders list`.")]
Start = Annotated[
    Path | None,
    typer.Option("--start", help="Model whose head, and low-rank factors over the same encoder, are begun with."),
]
Teachers = Annotated[list[Path] | None, typer.Option("--teacher", help="Tagger whose say on each word is learnt too.")]
Plain = Annotated[list[str] | None, typer.Option("--plain", help="Papers that only the teachers annotate.")]
Exclude = Annotated[list[Path] | None, typer.Option("--exclude", help="File of document ids to leave out of training.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="Label of the data to leave out.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A setting, such as tuning=full or epochs=6.")]
Names = Annotated[Path | None, typer.Option("--vocabulary", help="Concept index with other names, for `replaced`.")]
Known = Annotated[
    list[Path] | None, typer.Option("--known", help="Concept index of whose names in a text the tagger is told.")
]
Trials = Annotated[int, typer.Option("--trials", min=0, help="Search the settings with so many runs first.")]
Rows = Annotated[Format, typer.Option("--format", "-f", help="How the scores are printed.")]


@train.command()
def ner(
    data: Train,
    output: Out,
    domain: Domain = "biomed",
    dev: Dev = None,
    encoder: EncoderName = "minilm",
    start: Start = None,
    teacher: Teachers = None,
    plain: Plain = None,
    exclude: Exclude = None,
    ignore: Ignore = None,
    settings: Set = None,
    vocabulary: Names = None,
    known: Known = None,
    trials: Trials = 0,
    format_: Rows = Format.table,
) -> None:
    """Fine-tune a tagger of entities."""
    from extractors.adapter import read_adapter
    from extractors.dictionary import Dictionary
    from extractors.encoder import load_encoder
    from extractors.tagger import Tagger
    from extractors.training.ner import TagTask
    from pipeline.vocabulary import Vocabulary

    if plain and not teacher:
        raise UsageError("--plain: papers that nobody annotated teach nothing by themselves: name a --teacher")
    plan = _plan(settings)
    pack, found = _read("ner", domain, data, dev, exclude, ignore, plain or ())
    annotated = {name for corpus in found.train for name in corpus.names}
    types = [entity.name for entity in pack.entities if entity.name in annotated]

    teachers = [Tagger.load(folder) for folder in teacher or []]
    dictionary = Dictionary([Vocabulary.open(path) for path in known], pack.types) if known else None

    def make() -> TagTask:
        return TagTask(load_encoder(encoder), found.train, found.development, types, teachers, dictionary)

    begun = read_adapter(start, kind="tagger") if start else None
    _run(make, found, plan, output, trials, format_, start=begun, vocabulary=vocabulary)


@train.command()
def re(
    data: Train,
    output: Out,
    domain: Domain = "biomed",
    dev: Dev = None,
    encoder: EncoderName = "minilm",
    start: Start = None,
    exclude: Exclude = None,
    ignore: Ignore = None,
    settings: Set = None,
    vocabulary: Names = None,
    slots: Annotated[int, typer.Option("--slots", min=1, help="So many subjects are marked at once.")] = 1,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--exclusive", help="Relations, by commas, of which one holds at most; default: those of a corpus."
        ),
    ] = None,
    trials: Trials = 0,
    format_: Rows = Format.table,
) -> None:
    """Fine-tune a tagger of relations."""
    from dataclasses import replace

    from extractors.adapter import read_adapter
    from extractors.encoder import load_encoder
    from extractors.training.corpora import hold_out
    from extractors.training.re import RelationTask, scheme_for

    plan = _plan(settings)
    pack, found = _read("re", domain, data, dev, exclude, ignore)
    groups = _groups(group or [], found)
    parts = [hold_out(corpus, share=0.1, seed=0) for corpus in found.train]

    def make() -> RelationTask:
        base = load_encoder(encoder)
        scheme = replace(scheme_for(found.train, base, pack, groups), slots=slots)
        return RelationTask(
            base,
            [kept for kept, _ in parts],
            found.development,
            scheme,
            pack,
            held=[held for _, held in parts],
        )

    begun = read_adapter(start) if start else None
    _run(make, found, plan, output, trials, format_, start=begun, vocabulary=vocabulary)


def _read(
    task: Any, domain: str | None, data: list[str], dev: list[str] | None, exclude: list[Path] | None,
    ignore: list[str] | None, plain: Sequence[str] = (),
) -> tuple[Pack, Data]:  # fmt: skip
    """The corpora with their problems told; without a development set a tenth of each corpus is held out for it."""
    from dataclasses import replace

    from extractors.training.corpora import hold_out, read_data, read_ids
    from pipeline.domains import load_domain

    pack = load_domain(domain or "biomed")
    left_out = frozenset(one for path in exclude or [] for one in read_ids(path))
    found = read_data(
        [_given(item) for item in data],
        [_given(item) for item in dev or []],
        pack,
        task=task,
        exclude=left_out,
        ignore=frozenset(ignore or ()),
        plain=plain,
    )
    for problem in found.problems:
        say(str(problem))
    for corpus in (*found.train, *found.development):
        say(f"{corpus.name}: {len(corpus.readings)} papers, {', '.join(sorted(corpus.names)) or 'not annotated'}")
    if not found.development:
        annotated = [corpus for corpus in found.train if corpus.names]
        parts = [hold_out(corpus, share=0.1, seed=1) for corpus in annotated]
        learnt = [kept for kept, _ in parts] + [corpus for corpus in found.train if not corpus.names]
        found = replace(found, train=tuple(learnt), development=tuple(held for _, held in parts))
        say("no development set: a tenth of the papers is held out for it")
    return pack, found


def _given(item: str) -> Any:
    """``PATH`` or ``PATH=Type,Type``."""
    path, told, names = item.partition("=")
    return (path, names.split(",")) if told else path


def _groups(given: list[str], found: Data) -> list[tuple[str, ...]]:
    """Relations of which one holds at most: as asked for, else those of each corpus."""
    names = sorted({name for corpus in found.train for name in corpus.names})
    asked = [tuple(item.split(",")) for item in given]
    unknown = sorted({name for group in asked for name in group} - set(names))
    if unknown:
        raise UsageError(f"--exclusive: no relation {', '.join(unknown)} in the data: it has {', '.join(names)}")
    return asked or [tuple(sorted(corpus.names)) for corpus in found.train]


def _plan(settings: list[str] | None) -> Plan:
    from extractors.training.plan import Plan, changed

    return changed(Plan(), pairs(settings or [], "--set"))


def _run(
    make: Any, found: Data, plan: Plan, output: Path, trials: int, format_: Format, *, start: Any = None,
    vocabulary: Path | None = None,
) -> None:  # fmt: skip
    try:
        from extractors.training.card import card_of, write_card
        from extractors.training.run import fit
        from extractors.training.search import search
    except ImportError as error:
        raise UsageError(f"{error}: training needs more packages: pip install 'hypograph[train]'") from error
    from pipeline.vocabulary import Vocabulary

    if output.exists() and not output.is_dir():
        raise UsageError(f"-o {output}: is a file: name a folder")
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stderr)
    names = Vocabulary.open(vocabulary) if vocabulary else None
    if trials:
        plan, tried = search(make, plan, output / "trials", trials=trials, start=start, vocabulary=names)
        for row in tried:
            say(", ".join(f"{name} {value:.4g}" for name, value in row.items()))
    began = time.monotonic()
    scores = fit(make(), plan, output, start=start, vocabulary=names)
    if int(os.environ.get("RANK", "0")):  # one of several processes is enough to tell
        return
    command = shlex.join(["hypograph", *sys.argv[1:]])
    write_card(card_of(output, found, command, seconds=time.monotonic() - began), output)
    print_object({name: round(value, 2) for name, value in scores.items()}, format_)
