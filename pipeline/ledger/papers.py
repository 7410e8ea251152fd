"""The papers that a batch has to do with, in memory: who tells what, and what becomes of it when one more is told.

>>> papers = Papers()
>>> papers.tell(Telling("a.nbib", Document("227508", "Fish oil", ids=("pmid:227508", "doi:10.1/x")), "", 1))
'new'
>>> papers.tell(Telling("b.ris", Document("10.1/x", "Fish oil", ids=("doi:10.1/x",), language="en"), "", 2))
'changed'
>>> [paper.document.language for paper in papers.made]
['en']
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal, TypeAlias

from pipeline.ledger.identity import TITLE, Key, Telling, component, contradict, curie, merge, partition
from pipeline.types import Deleted, Document

Outcome: TypeAlias = Literal["new", "changed", "same", "removed"]

COMMON = 20  # papers of one year that bear one title, from which on it tells nobody apart


class Refused(ValueError):
    """A record that cannot be taken in; says why."""


@dataclass(slots=True, eq=False)
class Paper:
    """One paper with all its tellings, and the document that they make."""

    tellings: dict[Key, Telling]
    document: Document
    keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.keys = frozenset[str]().union(*(telling.keys for telling in self.tellings.values()))


class Papers:
    """Papers as the ledger has them (:meth:`add`), and as they are after what is told and taken back.

    ``common`` are the titles that are not to be heeded. All papers that share a key with what is told must have been
    added before, and those that share one with these, and so on.
    """

    def __init__(self, common: Iterable[str] = ()) -> None:
        self.stored: dict[str, Paper] = {}
        self.gone: set[str] = set()  # ids of stored papers that are no more, or not as they were
        self.made: dict[Paper, None] = {}  # papers that are not stored so
        self.grown: list[Telling] = []  # tellings that changed nothing of a stored paper
        self.corrected: set[Key] = set()  # tellings that their source has overruled
        self.withdrawn: dict[Key, Telling] = {}
        self._common = set(common)
        self._of: dict[Key, Paper] = {}
        self._bearers: dict[str, dict[Paper, None]] = defaultdict(dict)

    def add(self, paper: Paper) -> None:
        """A paper as it is stored."""
        self.stored[paper.document.id] = paper
        self._enter(paper)

    def telling(self, key: Key) -> Telling | None:
        """What a source says at present."""
        return self._of[key].tellings[key] if key in self._of else None

    def tellings(self) -> Iterable[Key]:
        return self._of.keys()

    def paper(self, key: Key) -> Paper:
        return self._of[key]

    def tell(self, new: Telling, seen: Collection[Key] = ()) -> Outcome:
        """Take in one telling, instead of what its source said of the paper before.

        ``seen`` are the tellings of its source that stand by what they say; others give way where they contradict.
        Raises Refused, with everything left as it was.
        """
        old = self._of.get(new.key)
        if old is None and self._echoes(new):
            return "same"
        pool = self._related([*self._bearing(new), *([old] if old else [])])
        self.withdrawn.pop(new.key, None)
        if not pool:
            self._make({new.key: new})
            return "new"
        told = {key: telling for paper in pool for key, telling in paper.tellings.items() if key != new.key}
        overruled = {key for key, telling in told.items() if key not in seen and _corrects(new, telling)}
        tellings = [telling for key, telling in told.items() if key not in overruled]
        self._check(new, component(new, tellings))
        owner = {key: self._of[key] for key in told}
        self.corrected |= overruled
        for key in overruled:
            del self._of[key]
        self._replace(pool, [*tellings, new])
        mine = self._of[new.key]
        before = {owner[key] for key in mine.tellings if key in owner} | ({old} if old else set())
        if not before:
            return "new"
        return "same" if [paper.document for paper in before] == [mine.document] else "changed"

    def take_back(self, source: str, deleted: Deleted) -> Outcome:
        """A source deletes a record: what it tells of the paper is dropped.

        Where it tells nothing of the paper, as lists of deletions do, what others tell under that id is.
        """
        own = curie(deleted.id)
        known = {own, *map(curie, deleted.ids)}
        bearers = {paper: None for key in known for paper in self._bearers.get(key, ())}
        told = [t for paper in bearers for t in paper.tellings.values() if not t.curies.isdisjoint(known)]
        dropped = [t for t in told if t.source == source] or [t for t in told if curie(t.document.id) == own]
        self.withdrawn.update((telling.key, telling) for telling in dropped)
        return self.drop([telling.key for telling in dropped])

    def drop(self, keys: Iterable[Key]) -> Outcome:
        """Forget tellings; ``removed`` where nothing is left of a paper."""
        found = {key for key in keys if key in self._of}
        papers = {self._of[key]: None for key in found}
        pool = self._related(papers)
        rest = [telling for paper in pool for key, telling in paper.tellings.items() if key not in found]
        self._replace(pool, rest)
        if any(found.issuperset(paper.tellings) for paper in papers):
            return "removed"
        after = [self._of[next(key for key in paper.tellings if key not in found)].document for paper in papers]
        return "same" if after == [paper.document for paper in papers] else "changed"

    def _echoes(self, new: Telling) -> bool:
        """Whether another source says just what the paper is known to be; then it is one more telling and no more."""
        for paper in self._bearing(new):
            sources, ids = zip(*paper.tellings, strict=True)
            same = replace(new.document, id=paper.document.id) == paper.document
            if same and new.source not in sources and new.document.id in ids:
                paper.tellings[new.key] = new
                self._of[new.key] = paper
                if paper not in self.made:
                    self.grown.append(new)
                return True
        return False

    def _bearing(self, telling: Telling) -> list[Paper]:
        return list({paper: None for key in telling.keys - self._common for paper in self._bearers.get(key, ())})

    def _related(self, papers: Iterable[Paper]) -> list[Paper]:
        """The papers, and all that their keys lead to."""
        found = dict.fromkeys(papers)
        waiting = list(found)
        while waiting:
            for key in waiting.pop().keys - self._common:
                more = [paper for paper in self._bearers[key] if paper not in found]
                found.update(dict.fromkeys(more))
                waiting += more
        return list(found)

    def _check(self, new: Telling, joined: Sequence[Telling]) -> None:
        """Refuse a telling that contradicts one that it shares identifiers with, or joins two that do."""
        by_paper: dict[Paper, list[Telling]] = {}
        for telling in joined:
            by_paper.setdefault(self._of[telling.key], []).append(telling)
        pairs = [(new, telling) for telling in joined]
        for some, others in combinations(by_paper.values(), 2):
            pairs += [(one, other) for one in some for other in others]
        for one, other in pairs:
            if found := contradict(one, other):
                shared = min(new.curies & set().union(*(telling.curies for telling in joined)))
                raise Refused(
                    f"its ids contradict each other: {shared} makes one paper of {found[0]} in {one.source!r} and "
                    f"{found[1]} in {other.source!r}; nothing is merged: correct one of them"
                )

    def _replace(self, pool: Iterable[Paper], tellings: Sequence[Telling]) -> None:
        """Part the tellings into papers anew; those that stay as they were are not touched."""
        parts = [{telling.key: telling for telling in part} for part in partition(tellings, self._common)]
        for paper in list(pool):
            kept = next((part for part in parts if part == paper.tellings), None)
            if kept is None:
                self._leave(paper)
            else:
                parts.remove(kept)
        for part in parts:
            self._make(part)

    def _make(self, tellings: dict[Key, Telling]) -> None:
        paper = Paper(tellings, merge(list(tellings.values())))
        self.made[paper] = None
        self._enter(paper)

    def _enter(self, paper: Paper) -> None:
        for key in paper.tellings:
            self._of[key] = paper
        for known in paper.keys:
            self._bearers[known][paper] = None
            if known.startswith(TITLE) and len(self._bearers[known]) > COMMON:
                self._common.add(known)

    def _leave(self, paper: Paper) -> None:
        for key in paper.tellings:
            self._of.pop(key, None)
        for known in paper.keys:
            self._bearers[known].pop(paper, None)
        if paper in self.made:
            del self.made[paper]
        else:
            self.gone.add(paper.document.id)


def _corrects(new: Telling, old: Telling) -> bool:
    """Whether a source gives one identifier to another paper than before."""
    return new.source == old.source and not new.curies.isdisjoint(old.curies) and contradict(new, old) is not None
