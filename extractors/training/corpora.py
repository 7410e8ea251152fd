"""Annotated corpora: read in any format, named as the domain pack names things, and checked before they are learnt."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from extractors.training.checks import (
    WHAT,
    File,
    Problem,
    Task,
    about,
    id_of,
    ids_of,
    of_failure,
    once,
    one_class,
    overlaps,
    shared,
    some,
    times,
    unknown_labels,
)
from pipeline.domains import Domain
from pipeline.errors import InputError, UsageError
from pipeline.sources import annotated, find, read, read_all
from pipeline.text import sentences
from pipeline.types import Deleted, Document, Failure, Mention, Reading, Relation, content_id

log = logging.getLogger(__name__)
Given: TypeAlias = str | Path | tuple[str | Path, Collection[str] | None]

_BIBCODE = re.compile(r".*_(\d{4}[A-Za-z&.]{5}[\w.]{9}[A-Z.:])")  # at the end of the id of a part of a paper


@dataclass(frozen=True, slots=True)
class Corpus:
    """Readings, and the names of the types (or relations) that their makers annotated wherever they stand.

    ``share`` of its windows, drawn anew, are seen in an epoch. One without names says nothing itself: teachers do.
    """

    name: str
    readings: tuple[Reading, ...]
    names: frozenset[str]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Data:
    """What to learn from, what to be scored on, and what is to be told about both."""

    train: tuple[Corpus, ...]
    development: tuple[Corpus, ...]
    problems: tuple[Problem, ...]


def read_data(
    train: Iterable[Given],
    development: Iterable[Given],
    domain: Domain,
    *,
    task: Task,
    exclude: Set[str] = frozenset(),
    ignore: Set[str] = frozenset(),
    plain: Iterable[str | Path] = (),
) -> Data:
    """Read and check corpora, each a path, or a pair of a path and the names that its makers annotated.

    ``exclude`` holds ids of documents to leave out of training; development sets are read whole. ``ignore`` holds
    labels of the corpora that are not to be learnt; ``plain`` are papers that nobody annotated. Raises InputError with
    a line for each fatal problem.
    """
    problems: list[Problem] = []

    def corpora(given: Iterable[Given], out: Set[str]) -> tuple[Corpus, ...]:
        pairs = [one if isinstance(one, tuple) else (one, None) for one in given]
        return tuple(
            read_corpus(path, domain, task=task, names=names, exclude=out, ignore=ignore, problems=problems)
            for path, names in pairs
        )

    learnt, scored = corpora(train, exclude), corpora(development, frozenset())
    learnt += tuple(read_plain(path, exclude=exclude, problems=problems) for path in plain)
    for one in learnt:
        for other in scored:
            problems.extend(shared(one.name, one.readings, other.name, other.readings))
    problems.extend(one_class([reading for corpus in learnt for reading in corpus.readings], task))
    if fatal := [str(problem) for problem in problems if problem.fatal]:
        raise InputError("\n".join(fatal))
    return Data(learnt, scored, tuple(problems))


def read_corpus(
    path: str | Path,
    domain: Domain,
    *,
    task: Task,
    names: Collection[str] | None = None,
    exclude: Set[str] = frozenset(),
    ignore: Set[str] = frozenset(),
    problems: list[Problem],
) -> Corpus:
    """Read a file, a folder or a glob of any annotated format; what is wrong with it is added to ``problems``.

    ``names`` are the types (relations) that its makers annotated, in their words or the pack's; without it, those that
    occur. What is not among them is left out, as are for ``ner`` all relations; for ``re`` all mentions stay.
    """
    mine: list[Problem] = []
    out = frozenset(map(id_of, exclude))
    files = list(_files(path, task, mine))
    total = sum(len(found) for _, found in files)
    wanted = [
        (source, [reading for reading in found if not _is_among(reading.document, out)]) for source, found in files
    ]
    mine.extend(unknown_labels(wanted, domain, ignore, task))
    named = [(source, [_named(reading, domain, ignore, task) for reading in found]) for source, found in wanted]
    for source, found in named:
        mine.extend(overlaps(source, found))
    kept, again = once(reading for _, found in named for reading in found)
    if again:
        reason = f"holds {some(again, 'documents')} more than once: only the first of each is read"
        mine.append(about(path, reason, fatal=False))
    present = frozenset(_names(kept, task))
    told = present if names is None else frozenset(_known(names, path, domain, task, mine))
    if not any(problem.fatal for problem in mine):
        mine.extend(_lacks(path, total, kept, told, present, task))
    problems.extend(mine)
    corpus = Corpus(str(path), tuple(_only(reading, told, task) for reading in kept), told)
    _log(corpus, total, wanted, ignore)
    return corpus


def read_plain(path: str | Path, *, exclude: Set[str] = frozenset(), problems: list[Problem]) -> Corpus:
    """Read papers that nobody annotated, in any format, for teachers to tell what is in them."""
    out = frozenset(map(id_of, exclude))
    kept: dict[str, Reading] = {}
    for item in read_all([path]):
        if isinstance(item, Failure):
            problems.append(of_failure(item))
        elif isinstance(item, Document) and not _is_among(item, out):
            kept.setdefault(item.id, Reading(item, sentences=sentences(item)))
    if not kept:
        problems.append(about(path, "holds no documents"))
    return Corpus(str(path), tuple(kept.values()), frozenset())


def read_ids(path: Path) -> frozenset[str]:
    """The ids of a file with one a line; blank lines and what follows a ``#`` say nothing.

    ``123``, ``PMID:123`` and ``pmid: 123`` are one paper. Raises InputError for a line that is no id.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of ids: {error}") from error
    found = [id_of(re.sub(r"(^|\s)#.*", "", line)) for line in lines]
    for number, said in enumerate(found, 1):
        if re.search(r"\s|^pmid:", said, re.IGNORECASE):
            raise InputError(f"{path}: line {number}: {said[:60]!r} is no id: give one PMID or document id a line")
    return frozenset(found) - {""}


def hold_out(corpus: Corpus, *, share: float, seed: int) -> tuple[Corpus, Corpus]:
    """Part a corpus into what is learnt and ``share`` of its papers to be scored, chosen by a hash of their ids.

    The order of the documents does not matter, and parts of one paper (:func:`paper_of`) stay together. Raises
    InputError where there is nothing to part.
    """
    if not 0 < share < 1:
        raise UsageError(f"a share of {share} to hold out: give one of more than 0 and less than 1")
    papers = sorted({paper_of(r.document) for r in corpus.readings}, key=lambda paper: content_id(seed, paper))
    if len(papers) < 2:
        raise InputError(f"{corpus.name}: of {len(papers)} papers none can be held out: give a development set")
    held = frozenset(papers[: min(max(1, round(share * len(papers))), len(papers) - 1)])
    learnt = tuple(r for r in corpus.readings if paper_of(r.document) not in held)
    scored = tuple(r for r in corpus.readings if paper_of(r.document) in held)
    return replace(corpus, readings=learnt), replace(corpus, name=f"{corpus.name} (held out)", readings=scored)


def paper_of(document: Document) -> str:
    """What the parts of one paper share: the bibcode that ends the ids of WIESP's fragments; else the document's id.

    >>> paper_of(Document("fulltext_487_2019MNRAS.486.5558S", "")), paper_of(Document("PMID:12", ""))
    ('2019MNRAS.486.5558S', '12')
    """
    part = _BIBCODE.fullmatch(document.id)
    return part[1] if part else id_of(document.id)


def _is_among(document: Document, ids: Set[str]) -> bool:
    return bool({*ids_of(document), paper_of(document)} & ids)


def _files(path: str | Path, task: Task, problems: list[Problem]) -> Iterator[File]:
    """The readings of each file of a path."""
    for file in find([path]):
        alone = file == Path(path)
        try:
            items = [file] if isinstance(file, Failure) else list(_items(file))
        except UsageError as error:  # no annotated format: harmless in a folder, but not amid an archive
            reason = str(error).removeprefix(f"{file} ")
            problems.append(about(str(file), reason, fatal=alone or reason == str(error)))
            continue
        problems.extend(of_failure(item) for item in items if isinstance(item, Failure))
        readings = [item for item in items if isinstance(item, Reading)]
        bare = not any(reading.mentions if task == "ner" else reading.relations for reading in readings)
        if bare and len(readings) > 1:  # one paper may well have none, as brat has it
            problems.append(about(str(file), f"has {times(len(readings), 'documents')}, but no {WHAT[task]}"))
        yield str(file), readings


def _items(file: Path) -> Iterable[Reading | Failure]:
    """What a file holds; one that brat has no annotations for is a document without any."""
    text, marks = file.with_suffix(".txt"), file.with_suffix(".ann")
    if file in (text, marks) and text.is_file() and marks.is_file() and not marks.stat().st_size:
        found = (item for item in read(text) if not isinstance(item, Deleted))
        return [Reading(replace(item, id=text.stem)) if isinstance(item, Document) else item for item in found]
    return annotated(file)


def _named(reading: Reading, domain: Domain, ignore: Set[str], task: Task) -> Reading:
    """The reading in sentences, with the names that the pack has for what it knows."""

    def mention(given: Mention) -> Mention | None:
        type_ = None if given.type in ignore else domain.type_of(given.type)
        return replace(given, type=type_) if type_ else None

    def relation(given: Relation) -> Relation | None:
        kind = None if given.predicate in ignore else domain.relation(given.predicate)
        subject, object_ = mention(given.subject), mention(given.object)
        if not (kind and subject and object_):
            return None
        return replace(given, predicate=kind.name, subject=subject, object=object_)

    relations = reading.relations if task == "re" else ()
    return replace(
        reading,
        sentences=reading.sentences or sentences(reading.document),
        mentions=tuple(one for one in map(mention, reading.mentions) if one),
        relations=tuple(one for one in map(relation, relations) if one),
    )


def _names(readings: Iterable[Reading], task: Task) -> Iterator[str]:
    for reading in readings:
        yield from (m.type for m in reading.mentions) if task == "ner" else (r.predicate for r in reading.relations)


def _known(
    names: Iterable[str], path: str | Path, domain: Domain, task: Task, problems: list[Problem]
) -> Iterator[str]:
    """The pack's own words for the names that a corpus is said to annotate."""
    for label in names:
        kind = domain.relation(label)
        found = domain.type_of(label) if task == "ner" else kind and kind.name
        if found:
            yield found
        else:
            has = sorted(domain.types) if task == "ner" else [relation.name for relation in domain.relations]
            problems.append(about(path, f"is said to annotate {label!r}; {domain.name} has {', '.join(has)}"))


def _lacks(
    path: str | Path, total: int, kept: list[Reading], told: Set[str], present: Set[str], task: Task
) -> Iterator[Problem]:
    """What a corpus as a whole should have and has not."""
    if not total:
        yield about(path, "holds no documents")
    elif not kept:
        yield about(path, f"holds {times(total, 'documents')}, all of which are excluded")
    elif not told & present:
        yield about(path, f"has {times(len(kept), 'documents')}, but no {WHAT[task]} to learn")
    else:
        for name in sorted(told - present):
            yield about(path, f"is said to annotate {name}, but has none", fatal=False)


def _only(reading: Reading, told: Set[str], task: Task) -> Reading:
    """The reading with what its makers are said to annotate."""
    if task == "ner":
        return replace(reading, mentions=tuple(m for m in reading.mentions if m.type in told))
    return replace(reading, relations=tuple(r for r in reading.relations if r.predicate in told))


def _log(corpus: Corpus, total: int, wanted: Sequence[File], ignore: Set[str]) -> None:
    """What was read, and what was left out because it was asked for; ``total`` documents were there."""
    readings = [reading for _, found in wanted for reading in found]
    labels = Counter(m.type for r in readings for m in r.mentions) + Counter(
        relation.predicate for r in readings for relation in r.relations
    )
    log.info(
        "%s: %d documents, %d mentions, %d relations; excluded %d documents, ignored %s",
        corpus.name,
        len(corpus.readings),
        sum(len(reading.mentions) for reading in corpus.readings),
        sum(len(reading.relations) for reading in corpus.readings),
        total - len(readings),
        ", ".join(f"{labels[label]} {label}" for label in sorted(ignore) if label in labels) or "nothing",
    )
