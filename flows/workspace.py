"""A workspace opened: settings, ledger, readers and store, each made when it is first asked for."""

from __future__ import annotations

import os
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.assemble import BeliefRules
from pipeline.domains import Domain, load_domain
from pipeline.errors import SettingsError
from pipeline.ledger import Ledger
from pipeline.settings import FILE_NAME, Settings, load_settings, neo4j_from
from pipeline.types import Concept
from pipeline.vocabulary import Vocabulary

if TYPE_CHECKING:
    from flows.reader import Reader
    from graph.store import GraphStore

TEMPLATE = """\
# A Hypograph workspace. Every setting is described in docs/settings.md.
domain = "{domain}"

# Papers that `hypograph build` without a path reads, and the field they belong to:
# [[corpus]]
# path = "papers"
# domain = "{domain}"
"""


class Workspace:
    """The parts of one workspace, wired together; a context manager that closes what it opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    def open(cls, folder: Path, **flags: Any) -> Workspace:
        return cls(load_settings(folder, **flags))

    @cached_property
    def ledger(self) -> Ledger:
        if not self.settings.ledger:
            self.settings.workspace.mkdir(parents=True, exist_ok=True)
        return Ledger.open(self.settings.ledger_url)

    @cached_property
    def vocabularies(self) -> list[Vocabulary]:
        return [Vocabulary.open(path) for path in self.settings.vocabularies]

    @cached_property
    def store(self) -> GraphStore:
        if self.settings.store == "neo4j":
            from graph.neo4j import Neo4jStore

            return Neo4jStore(neo4j_from(self.settings, os.environ))
        from graph.memory import MemoryStore

        return MemoryStore(self.settings.cache / "graph")

    @property
    def domains(self) -> list[str]:
        """Every field that papers of this workspace belong to."""
        own = {self.settings.domain, *(corpus.domain for corpus in self.settings.corpora)}
        return sorted(own | set(self.ledger.domains()))

    @property
    def packs(self) -> list[Domain]:
        """The packs of these fields."""
        return [load_domain(name) for name in self.domains]

    @property
    def rules(self) -> BeliefRules:
        return BeliefRules(
            reliability=self.settings.reliability,
            speculative_weight=self.settings.speculative_weight,
            symmetric=frozenset(r.name for pack in self.packs for r in pack.relations if r.symmetric),
        )

    @property
    def signs(self) -> dict[str, int]:
        """Whether a predicate raises (1) or lowers (-1), as far as the packs of these papers tell."""
        return {relation.name: relation.sign for pack in self.packs for relation in pack.relations}

    def reader(self, domain: str) -> Reader:
        """The reader of a field over the vocabularies of this workspace; the same one at every call."""
        settings = self.settings
        return _reader(domain, settings.vocabularies, settings.reader, settings.vocabulary_threshold)

    def concept(self, concept_id: str) -> Concept | None:
        """What the vocabularies know of an id, the first that knows it."""
        found = (vocabulary.concept(concept_id) for vocabulary in self.vocabularies)
        return next((concept for concept in found if concept is not None), None)

    def check_store(self) -> None:
        """Raise ServiceError now where a server is away, not after an hour of reading."""
        if self.settings.store == "neo4j":
            self.store.query("RETURN 1 AS one")

    def close(self) -> None:
        opened = self.__dict__  # cached properties that were never asked for are not in it
        for part in (*opened.get("vocabularies", ()), opened.get("ledger"), opened.get("store")):
            if part is not None:
                part.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def create(folder: Path, domain: str) -> Path:
    """Make a folder a workspace: its ``hypograph.toml`` with the defaults.

    Raises SettingsError where there is one already, DomainError for an unknown domain.
    """
    load_domain(domain)
    path = folder / FILE_NAME
    if path.exists():
        raise SettingsError(f"{path} exists already: this is a workspace; edit the file to change it")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE.format(domain=domain), "utf-8")
    return path


@cache
def _reader(domain: str, vocabularies: tuple[Path, ...], which: str, threshold: float) -> Reader:
    from flows.reader import Reader

    return Reader.open(load_domain(domain), vocabularies, which=which, threshold=threshold)
