"""One frozen ``Settings``, read from one TOML file (``hypograph.toml`` in the workspace) and overlaid with flags.

Nothing here reads the environment, but for the connection to Neo4j: a password has no place in a file that is
shared, so ``NEO4J_URI``, ``NEO4J_USER`` and ``NEO4J_PASSWORD`` are taken by :func:`neo4j_from`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.domains import load_domain
from pipeline.errors import SettingsError

FILE_NAME = "hypograph.toml"
StoreName = Literal["memory", "neo4j"]
ReaderName = Literal["best", "fast"]
VOCABULARY_THRESHOLD = 0.3
"""With MeSH beside the tagger, 0.2 to 0.3 was best on the development sets of BC5CDR and BioRED."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file or folder of papers, and the domain they belong to."""

    path: Path
    domain: str


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often an extractor errs, in INDRA's two kinds (Gyori et al., Mol Syst Biol 2017; Bachman et al. 2023).

    ``systematic`` is the share of claims that it gets wrong however often it reads them, ``random`` the chance
    that one reading is wrong by accident; both in [0, 1].
    """

    systematic: float = 0.05
    random: float = 0.3


@dataclass(frozen=True, slots=True)
class Neo4jSettings:
    """Where a Neo4j server is."""

    uri: str = "bolt://127.0.0.1:7687"
    user: str = "neo4j"
    password: str = field(default="", repr=False)
    database: str = "neo4j"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a workspace; every field may stand in ``hypograph.toml`` under its own name."""

    workspace: Path = Path()
    domain: str = "biomed"
    ledger: str = ""
    store: StoreName = "memory"
    reader: ReaderName = "best"
    vocabulary_threshold: float = VOCABULARY_THRESHOLD
    batch_size: int = 50
    speculative_weight: float = 0.5
    corpora: tuple[Corpus, ...] = ()
    reliability: Mapping[str, Reliability] = field(default_factory=dict)
    neo4j: Neo4jSettings = Neo4jSettings()

    @property
    def ledger_url(self) -> str:
        """An SQLAlchemy URL: ``ledger`` where it is given, else ``ledger.db`` in the workspace."""
        return self.ledger or f"sqlite:///{(self.workspace / 'ledger.db').resolve()}"

    @property
    def vocabularies(self) -> tuple[Path, ...]:
        """The concept indexes of the workspace, by name."""
        return tuple(sorted((self.workspace / "vocab").glob("*.vocab")))

    @property
    def cache(self) -> Path:
        return self.workspace / "cache"


def load_settings(workspace: Path, **flags: Any) -> Settings:
    """Read the settings of a workspace; flags that are not None win over the file.

    A folder without ``hypograph.toml`` is a workspace with the defaults. Raises SettingsError for a workspace that
    is no folder, and for an unknown key or a wrong value, which it names.
    """
    path = workspace / FILE_NAME
    if workspace.exists() and not workspace.is_dir():
        raise SettingsError(f"workspace {workspace} is a file: give a folder, such as {workspace.parent}")
    settings = Settings(workspace=workspace)
    if path.exists():
        settings = parse_settings(_read(path), base=settings, source=str(path))
    given = {key: value for key, value in flags.items() if value is not None}
    return _checked(replace(settings, **given), "command line")


def parse_settings(table: Mapping[str, Any], *, base: Settings, source: str) -> Settings:
    """Overlay a parsed TOML table on settings; paths are relative to the workspace."""
    known = {f.name for f in fields(Settings)} - {"workspace", "corpora"} | {"corpus"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise SettingsError(f"{source}: unknown setting {unknown[0]!r}: known are {', '.join(sorted(known))}")
    plain = {key: value for key, value in table.items() if key not in ("corpus", "reliability", "neo4j")}
    try:
        return _checked(
            replace(
                base,
                **plain,
                corpora=tuple(_corpus(row, base, table) for row in table.get("corpus", ())),
                reliability={name: Reliability(**row) for name, row in table.get("reliability", {}).items()},
                neo4j=Neo4jSettings(**table.get("neo4j", {})),
            ),
            source,
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"{source}: {error}") from error


def neo4j_from(settings: Settings, environ: Mapping[str, str]) -> Neo4jSettings:
    """The connection to Neo4j: the environment wins over the file.

    >>> neo4j_from(Settings(), {"NEO4J_URI": "bolt://127.0.0.1:7700"}).uri
    'bolt://127.0.0.1:7700'
    """
    names = {"NEO4J_URI": "uri", "NEO4J_USER": "user", "NEO4J_PASSWORD": "password", "NEO4J_DATABASE": "database"}
    given = {key: environ[name] for name, key in names.items() if environ.get(name)}
    return replace(settings.neo4j, **given)


def _corpus(row: Mapping[str, Any], base: Settings, table: Mapping[str, Any]) -> Corpus:
    return Corpus(base.workspace / row["path"], row.get("domain", table.get("domain", base.domain)))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _checked(settings: Settings, source: str) -> Settings:
    """Refuse values that would only fail much later."""
    load_domain(settings.domain)
    ranges = {
        "store": settings.store in ("memory", "neo4j"),
        "reader": settings.reader in ("best", "fast"),
        "vocabulary_threshold": _number(settings.vocabulary_threshold, 0, 1),
        "batch_size": _number(settings.batch_size, 1, 100_000) and isinstance(settings.batch_size, int),
        "speculative_weight": _number(settings.speculative_weight, 0, 1),
    }
    for name, right in ranges.items():
        if not right:
            raise SettingsError(f"{source}: {name} = {getattr(settings, name)!r} is out of range")
    for name, rates in settings.reliability.items():
        if not (_number(rates.systematic, 0, 1) and _number(rates.random, 0, 1)):
            raise SettingsError(f"{source}: reliability.{name} must lie in [0, 1], not {rates}")
    return settings


def _number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
