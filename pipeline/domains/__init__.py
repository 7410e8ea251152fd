"""Domain packs: a field of science is a file.

A pack names the entity types of a field, its relation types with the types they may join, words that betray a
relation, and the adapters to load. ``biomed``, ``astronomy`` and ``ai`` come with the project; any path to a TOML
file of the same shape works too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pipeline.errors import DomainError
from pipeline.types import content_id


@dataclass(frozen=True, slots=True)
class EntityType:
    """A kind of thing; ``labels`` are the names that corpora and vocabularies use for it."""

    name: str
    description: str = ""
    labels: tuple[str, ...] = ()
    colour: str = "#888888"


@dataclass(frozen=True, slots=True)
class RelationType:
    """A kind of claim: which types it joins, and the words that betray it in a sentence.

    One that is ``loose`` models may tell of any types: ``subject``, ``object`` and ``same_type`` then say alone where
    triggers are believed. One that is ``specific`` is told of the most specific object alone, not of that object's kind
    as well. ``sign`` is 1 where more of the subject means more of the object, -1 where it means less, 0 where it does
    not tell. ``triggers`` are read by :mod:`extractors.triggers`: ``"reduce*"`` is a verb in all its forms, passive
    included; ``"is linked to"`` stands between subject and object; ``"reduction of {o} by {s}"`` says where they stand.
    """

    name: str
    description: str = ""
    subject: tuple[str, ...] = ()
    object: tuple[str, ...] = ()
    symmetric: bool = False
    same_type: bool = False
    loose: bool = False
    specific: bool = False
    sign: int = 0
    labels: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()

    def joins(self, subject: str, object_: str) -> bool:
        """Whether the relation may hold between entities of these types, in this order."""
        if self.same_type and subject != object_:
            return False
        straight = subject in self.subject and object_ in self.object
        return straight or (self.symmetric and object_ in self.subject and subject in self.object)


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain pack as it was read; ``adapters`` are rows (reader, role, adapter name)."""

    name: str
    title: str
    entities: tuple[EntityType, ...]
    relations: tuple[RelationType, ...]
    adapters: tuple[tuple[str, str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{content_id(repr(self), length=8)}"

    @property
    def types(self) -> frozenset[str]:
        return frozenset(entity.name for entity in self.entities)

    def adapters_of(self, reader: str) -> dict[str, str]:
        """Adapter names by role (``tagger``, ``relations``) for a reader (``best``, ``fast``); those of ``best``
        where the pack names none for it.

        >>> load_domain("biomed").adapters_of("fast")["tagger"]
        'biomed-ner-fast'
        """
        rows = [row for row in self.adapters if row[0] == reader] or [row for row in self.adapters if row[0] == "best"]
        return {role: name for _, role, name in rows}

    def type_of(self, label: str) -> str | None:
        """The pack's name for a corpus label, or None for a label that it does not know.

        >>> load_domain("biomed").type_of("ChemicalEntity")
        'Chemical'
        """
        for entity in self.entities:
            if label == entity.name or label in entity.labels:
                return entity.name
        return None

    def relation(self, label: str) -> RelationType | None:
        """The relation type of that name or corpus label."""
        for relation in self.relations:
            if label == relation.name or label in relation.labels:
                return relation
        return None


@cache
def load_domain(name_or_path: str) -> Domain:
    """Open a pack by the name of one that comes with the project, or by the path of a TOML file."""
    packed = resources.files(__name__) / f"{name_or_path}.toml"
    path = Path(name_or_path)
    if "/" not in name_or_path and packed.is_file():
        text = packed.read_text("utf-8")
    elif path.suffix == ".toml" and path.is_file():
        text = path.read_text("utf-8")
    else:
        raise DomainError(
            f"no domain pack {name_or_path!r}: use one of {', '.join(known_domains())}, or the path of a .toml file"
        )
    try:
        return _domain(path.stem, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise DomainError(f"domain pack {name_or_path!r}: {error}; see docs/domains.md for its shape") from error


def known_domains() -> list[str]:
    """Names of the packs that come with the project."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def _domain(name: str, table: dict[str, Any]) -> Domain:
    entities = tuple(
        EntityType(
            key,
            description=row.get("description", ""),
            labels=tuple(row.get("labels", ())),
            colour=row.get("colour", "#888888"),
        )
        for key, row in table["entities"].items()
    )
    types = {entity.name for entity in entities}
    relations = tuple(_relation(key, row, types) for key, row in table.get("relations", {}).items())
    readers = table.get("adapters", {}).items()
    adapters = tuple((reader, role, name) for reader, roles in readers for role, name in roles.items())
    return Domain(table.get("name", name), table.get("title", name), entities, relations, adapters)


def _relation(name: str, row: dict[str, Any], types: set[str]) -> RelationType:
    subject, object_ = (tuple(row.get(role, sorted(types))) for role in ("subject", "object"))
    unknown = sorted({*subject, *object_} - types)
    if unknown:
        raise KeyError(f"relation {name} joins unknown types {unknown}")
    return RelationType(
        name,
        description=row.get("description", ""),
        subject=subject,
        object=object_,
        symmetric=bool(row.get("symmetric", False)),
        same_type=bool(row.get("same_type", False)),
        loose=bool(row.get("loose", False)),
        specific=bool(row.get("specific", False)),
        sign=_sign(name, row.get("sign", 0)),
        labels=tuple(row.get("labels", ())),
        triggers=tuple(row.get("triggers", ())),
    )


def _sign(relation: str, value: object) -> int:
    if value not in (-1, 0, 1):
        raise KeyError(f"relation {relation} has sign {value!r}: use -1, 0 or 1")
    return int(value)
