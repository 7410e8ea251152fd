"""What sources say, against what the ledger knows of it: new, changed, same, failed, removed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy import Connection, delete, func, select

from pipeline.ledger.desk import DOCUMENT, FAILURE, Desk, forget, remember, said, was_said
from pipeline.ledger.engine import among, upsert
from pipeline.ledger.papers import Refused
from pipeline.ledger.schema import document_sources, failures, sources
from pipeline.ledger.shelf import INGEST, load, store
from pipeline.types import Deleted, Document, Failure, Item

Told: TypeAlias = tuple[str, str, Iterable[Item]]  # a source, its stamp, and what it says

_MAX_ID = 500  # longer ones are a wrong column, and PostgreSQL cannot index them


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """How many documents of a source were new, changed, the same or removed, and how many things could not be read.

    >>> IngestCounts(new=2) + IngestCounts(new=1, failed=1)
    IngestCounts(new=3, changed=0, same=0, failed=1, removed=0)
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    failed: int = 0
    removed: int = 0

    def __add__(self, other: IngestCounts) -> IngestCounts:
        return IngestCounts(
            self.new + other.new,
            self.changed + other.changed,
            self.same + other.same,
            self.failed + other.failed,
            self.removed + other.removed,
        )

    @property
    def read(self) -> bool:
        """Whether the source gave anything but failures, or nothing at all."""
        return not self.failed or self != IngestCounts(failed=self.failed)


@dataclass(slots=True)
class Batch:
    """What is written in one transaction: items, and which sources ended with them, with their stamps.

    ``begun`` are the sources of which an earlier batch had the beginning.
    """

    begun: frozenset[str] = frozenset()
    items: list[tuple[str, Item]] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)


def batches(told: Iterable[Told], size: int) -> Iterator[Batch]:
    """Cut what sources say into batches of at most ``size`` items and sources."""
    batch = Batch()
    for source, stamp, items in told:
        if source in batch.ended:
            yield batch
            batch = Batch()
        for item in items:
            batch.items.append((source, item))
            if len(batch.items) >= size:
                yield batch
                batch = Batch(begun=frozenset([source]))
        batch.ended[source] = stamp
        if len(batch.ended) >= size:
            yield batch
            batch = Batch()
    if batch.ended:
        yield batch


def ingest_batch(connection: Connection, batch: Batch) -> dict[str, IngestCounts]:
    """Write what is new in a batch; counts by source."""
    items = [(source, _checked(item, source)) for source, item in batch.items]
    desk = Desk(connection, items, batch.begun)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    failed: dict[tuple[str, str], Failure] = {}
    for number, (source, item) in enumerate(items):
        if isinstance(item, Failure):
            failed.setdefault((source, item.place), item)
        elif isinstance(item, Deleted):
            counts[source].update(desk.take_back(source, item))
        else:
            try:
                counts[source][desk.take(number, source, item)] += 1
            except Refused as error:
                failed.setdefault((source, item.id), Failure(source, item.id, str(error)))
    desk.write()
    known = said(connection, FAILURE, [key for key in failed if key[0] in batch.begun])
    fresh = {key: failure for key, failure in failed.items() if key not in known}
    record_failures(connection, fresh.values())
    remember(connection, FAILURE, fresh)
    counts_of = {source: IngestCounts(**found) for source, found in counts.items()}
    for source, _ in fresh:
        counts_of[source] = counts_of.get(source, IngestCounts()) + IngestCounts(failed=1)
    _unstamp(connection, {source for source, _ in items} - batch.ended.keys())
    return counts_of


def finish(connection: Connection, ended: Mapping[str, str], counts: Mapping[str, IngestCounts]) -> Counter[str]:
    """Sources were read to their end: forget failures that did not happen again, and versions that they replaced.

    Documents whose id is a hash of their text are removed where only this source had them and it has them no more;
    how many, by source. A source that gave nothing but failures could not be read, so what it gave before stays.
    ``ended`` has the stamps, which are kept.
    """
    mine = among(connection, failures.c.source, ended)
    gone = (failures.c.stage == INGEST, mine, ~was_said(FAILURE, failures.c.source, failures.c.place))
    connection.execute(delete(failures).where(*gone))
    removed: Counter[str] = Counter()
    replaced = _replaced(connection, [source for source in ended if counts[source].read])
    papers = load(connection, replaced)
    for told, names in replaced.items():
        removed[names[-1]] += papers.drop([(source, told) for source in names]) == "removed"
    store(connection, papers)
    upsert(connection, sources, [{"source": source, "stamp": stamp} for source, stamp in ended.items() if stamp])
    _unstamp(connection, [source for source, stamp in ended.items() if not stamp])
    forget(connection, ended)
    return removed


def unchanged(connection: Connection, stamps: Mapping[str, str]) -> dict[str, IngestCounts]:
    """Counts of the sources that were read to their end with the same stamp, as if they were read again."""
    rows = connection.execute(select(sources).where(among(connection, sources.c.source, stamps)))
    same = [row.source for row in rows if row.stamp == stamps[row.source]]
    link = document_sources.c
    told = select(link.source, func.count()).where(among(connection, link.source, same), link.document_id.is_not(None))
    failed = select(failures.c.source, func.count()).where(
        among(connection, failures.c.source, same), failures.c.stage == INGEST
    )
    papers = dict(connection.execute(told.group_by(link.source)).tuples().all())
    errors = dict(connection.execute(failed.group_by(failures.c.source)).tuples().all())
    return {source: IngestCounts(same=papers.get(source, 0), failed=errors.get(source, 0)) for source in same}


def record_failures(connection: Connection, items: Iterable[Failure]) -> None:
    """Write failures; one that is known at its place takes the new reason."""
    rows = {(f.source, f.place, f.stage): f for f in items}
    upsert(
        connection,
        failures,
        [{"source": f.source, "place": f.place, "stage": f.stage, "reason": f.reason} for f in rows.values()],
    )


def _checked(item: Item, source: str) -> Item:
    """The item, or why the ledger cannot take it."""
    if isinstance(item, Failure):
        return _of_source(item, source)
    if not item.id or len(item.id) > _MAX_ID:
        return Failure(source, item.id[:_MAX_ID], f"an id has 1 to {_MAX_ID} characters, not {len(item.id)}")
    if isinstance(item, Document):
        try:
            _ = item.year
        except ValueError:
            return Failure(source, item.id, f"the date {item.date!r} is not ISO 8601")
    return item


def _of_source(failure: Failure, source: str) -> Failure:
    """Book a failure of a part (a member of an archive) under the source that was opened, so that it can be cleared."""
    if failure.source == source:
        return replace(failure, stage=INGEST)
    part = failure.source.removeprefix(f"{source}/")
    return Failure(source, f"{part} {failure.place}".strip(), failure.reason)


def _replaced(connection: Connection, ended: Sequence[str]) -> dict[str, list[str]]:
    """Papers that are known by their text alone, with those of the sources that have them no more."""
    link = document_sources.c
    by_text = (link.told >= "text:", link.told < "text;", link.document_id.is_not(None))
    gone = ~was_said(DOCUMENT, link.source, link.told)
    query = select(link.told, link.source).where(among(connection, link.source, ended), *by_text, gone)
    found: dict[str, list[str]] = defaultdict(list)
    for told, source in connection.execute(query):
        found[told].append(source)
    return found


def _unstamp(connection: Connection, names: Iterable[str]) -> None:
    if names := list(names):
        connection.execute(delete(sources).where(among(connection, sources.c.source, names)))
