"""Documents and where they come from, what was read in them, and what failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# a revision is frozen: it says its types itself instead of importing those of today's schema
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "documents",
        _text("id", primary_key=True),
        _text("digest"),
        _text("domain"),
        _text("date"),
        sa.Column("year", sa.Integer),
        _text("status"),
        _text("text"),
        _text("details"),
    )
    op.create_index("ix_documents_year", "documents", ["year"])
    op.create_index("ix_documents_domain_id_digest", "documents", ["domain", "id", "digest"])
    op.create_table(
        "document_sources",
        _parent("document_id", "documents.id", primary_key=True),
        _text("source", primary_key=True),
        _text("place", nullable=True),
        _text("digest"),
        _text("domain"),
    )
    op.create_index("ix_document_sources_source", "document_sources", ["source"])
    op.create_table(
        "mentions",
        _text("uid", primary_key=True),
        _parent("document_id", "documents.id"),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        _text("text"),
        _text("type"),
        sa.Column("score", sa.Double, nullable=False),
        _text("extractor"),
    )
    op.create_index("ix_mentions_document_id", "mentions", ["document_id"])
    op.create_table(
        "groundings",
        _parent("mention_uid", "mentions.uid", primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
        _text("concept_id"),
        _text("name"),
        sa.Column("score", sa.Double, nullable=False),
        _text("method"),
        _text("matched"),
    )
    op.create_index("ix_groundings_concept_id", "groundings", ["concept_id"])
    op.create_table(
        "relations",
        _text("uid", primary_key=True),
        _parent("document_id", "documents.id"),
        _text("predicate"),
        _parent("subject_uid", "mentions.uid"),
        _parent("object_uid", "mentions.uid"),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        _text("extractor"),
        _text("polarity"),
        _text("certainty"),
    )
    for column in ("document_id", "subject_uid", "object_uid"):
        op.create_index(f"ix_relations_{column}", "relations", [column])
    op.create_table(
        "read_state",
        _parent("document_id", "documents.id", primary_key=True),
        _text("fingerprint"),
        _text("digest"),
    )
    op.create_table(
        "failures",
        _text("source", primary_key=True),
        _text("place", primary_key=True),
        _text("stage", primary_key=True),
        _text("reason"),
    )
    meta = op.create_table("ledger_meta", _text("key", primary_key=True), _text("value"))
    op.bulk_insert(meta, [{"key": "format", "value": "hypograph ledger"}])


def downgrade() -> None:
    tables = ("failures", "read_state", "relations", "groundings", "mentions", "document_sources", "documents")
    for name in ("ledger_meta", *tables):
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable, primary_key=primary_key)


def _parent(name: str, column: str, *, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey(column, ondelete="CASCADE")
    return sa.Column(name, _TEXT, key, nullable=False, primary_key=primary_key)
