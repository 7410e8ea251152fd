"""The tables of the ledger, and the text that they hold.

All offsets are characters of ``documents.text`` as it comes back, not of what the database stores: see
:class:`Words` for the few characters that no database takes.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from sqlalchemy import (
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

HEAD = "0003"  # the newest file of migrations/versions, repeated so that opening a ledger need not import alembic
VERSION_TABLE = "ledger_revision"

Record: TypeAlias = dict[str, Any]

_MARK = "\x10"
_UNSTORABLE = re.compile("[\x00\x10\ud800-\udfff]")
_STORED = re.compile("\x10([0-9a-f]{4})")


def escape(text: str) -> str:
    r"""Write NUL (which PostgreSQL refuses) and lone surrogates (which UTF-8 cannot encode) as U+0010 and four digits.

    >>> escape("broken \ud835 PDF")
    'broken \x10d835 PDF'
    """
    if text.isascii() and "\0" not in text and _MARK not in text:
        return text  # most is, and this is told ten times as fast
    return _UNSTORABLE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def unescape(stored: str) -> str:
    r"""Undo :func:`escape`.

    >>> unescape(escape("a\0b\x10c")) == "a\0b\x10c"
    True
    """
    return _STORED.sub(lambda found: chr(int(found[1], 16)), stored) if _MARK in stored else stored


class Words(TypeDecorator[str]):
    """Text that comes back as it was, whatever it holds, and that every database sorts by code point."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else unescape(value)


def _words(name: str, *args: Any, **options: Any) -> Column[str]:
    return Column(name, Words, *args, **{"nullable": False, **options})


def _document_id(**options: Any) -> Column[str]:
    return _words("document_id", ForeignKey("documents.id", ondelete="CASCADE"), **options)


metadata = MetaData()

documents = Table(
    "documents",
    metadata,
    _words("id", primary_key=True),
    _words("text_digest"),
    _words("domain"),
    _words("date"),
    Column("year", Integer, index=True),
    _words("status"),
    _words("text"),
    _words("details"),
    Index("ix_documents_domain_id_text_digest", "domain", "id", "text_digest"),  # pending ones, told without their text
)

# What each source tells, and under which id: its digest, and the content where the document says something else. No
# document where the source has taken it back. Turns grow with each telling.
document_sources = Table(
    "document_sources",
    metadata,
    _words("told", primary_key=True),
    _words("source", primary_key=True),
    _document_id(nullable=True, index=True),
    _words("digest"),
    _words("domain"),
    Column("turn", Integer, nullable=False),
    _words("details", nullable=True),
    _words("text", nullable=True),
    Index("ix_document_sources_source_document_id", "source", "document_id"),
)

# All that a document is known by, and its title keys: made of what the sources tell, to find it
document_ids = Table(
    "document_ids",
    metadata,
    _words("curie", primary_key=True),
    _document_id(primary_key=True, index=True),
    sqlite_with_rowid=False,
)

# How a source was when it was last read to its end
sources = Table("sources", metadata, _words("source", primary_key=True), _words("stamp"))

mentions = Table(
    "mentions",
    metadata,
    _words("uid", primary_key=True),
    _document_id(index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    _words("text"),
    _words("type"),
    Column("score", Double, nullable=False),
    _words("extractor"),
)

groundings = Table(
    "groundings",
    metadata,
    _words("mention_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False),
    _words("concept_id", index=True),
    _words("name"),
    Column("score", Double, nullable=False),
    _words("method"),
    _words("matched"),
)

relations = Table(
    "relations",
    metadata,
    _words("uid", primary_key=True),
    _document_id(index=True),
    _words("predicate"),
    _words("subject_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), index=True),
    _words("object_uid", ForeignKey("mentions.uid", ondelete="CASCADE"), index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("score", Double, nullable=False),
    _words("extractor"),
    _words("polarity"),
    _words("certainty"),
    Column("novel", Boolean),
)

read_state = Table(
    "read_state",
    metadata,
    _document_id(primary_key=True),
    _words("fingerprint"),
    _words("digest"),
)

failures = Table(
    "failures",
    metadata,
    _words("source", primary_key=True),
    _words("place", primary_key=True),
    _words("stage", primary_key=True),
    _words("reason"),
)

ledger_meta = Table("ledger_meta", metadata, _words("key", primary_key=True), _words("value"))
