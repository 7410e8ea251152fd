"""One paper from many sources is one document; a reading depends on the text alone; stamps of sources."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# a revision is frozen: it says its types, and the digests and keys of its day, itself
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_STORED = re.compile("\x10([0-9a-f]{4})")
_FIELDS_1 = ("ids", "authors", "journal", "language", "licence")
_SCHEMES = {
    "pmid": re.compile(r"(?:pmid:)?([1-9][0-9]{0,7})", re.IGNORECASE),
    "pmcid": re.compile(r"(?:pmcid:)?(PMC[0-9]+)", re.IGNORECASE),
    "doi": re.compile(r"(?:doi:)?(10\.[0-9.]{1,15}/\S+)", re.IGNORECASE),
}


def upgrade() -> None:
    op.create_table("sources", _text("source", primary_key=True), _text("stamp"))
    op.create_table(
        "document_ids",
        _text("curie", primary_key=True),
        _parent("document_id", primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_document_ids_document_id", "document_ids", ["document_id"])
    op.create_table(
        "new_document_sources",
        _text("told", primary_key=True),
        _text("source", primary_key=True),
        _parent("document_id", nullable=True),
        _text("digest"),
        _text("domain"),
        sa.Column("turn", sa.Integer, nullable=False),
        _text("details", nullable=True),
        _text("text", nullable=True),
    )
    _add("text_digest")
    _read_anew(op.get_bind())
    op.execute(
        "INSERT INTO new_document_sources (told, source, document_id, digest, domain, turn) "
        "SELECT document_id, source, document_id, digest, domain, 0 FROM document_sources"
    )
    _replace("document_sources")
    op.create_index("ix_document_sources_document_id", "document_sources", ["document_id"])
    op.create_index("ix_document_sources_source_document_id", "document_sources", ["source", "document_id"])
    # documents that turn out to be one paper are joined when one of them is told next: no source told them so
    op.execute(
        "UPDATE document_sources SET digest = '' WHERE document_id IN (SELECT document_id FROM document_ids WHERE "
        "curie IN (SELECT curie FROM document_ids GROUP BY curie HAVING count(*) > 1))"
    )
    op.drop_index("ix_documents_domain_id_digest", "documents")
    op.drop_column("documents", "digest")
    op.create_index("ix_documents_domain_id_text_digest", "documents", ["domain", "id", "text_digest"])


def downgrade() -> None:
    op.drop_table("sources")
    op.drop_table("document_ids")
    op.create_table(
        "new_document_sources",
        _parent("document_id", primary_key=True),
        _text("source", primary_key=True),
        _text("place", nullable=True),
        _text("digest"),
        _text("domain"),
    )
    _add("digest")
    bind = op.get_bind()
    for row in _documents(bind):
        values = {"id": row.id, "digest": _digest_1(row)}
        bind.execute(sa.text("UPDATE documents SET digest = :digest WHERE id = :id"), values)
    op.execute("UPDATE read_state SET digest = (SELECT digest FROM documents WHERE id = document_id)")
    op.execute(
        "INSERT INTO new_document_sources (document_id, source, digest, domain) "
        "SELECT d.id, s.source, d.digest, d.domain FROM document_sources s JOIN documents d ON d.id = s.document_id "
        "GROUP BY d.id, s.source, d.digest, d.domain"
    )
    _replace("document_sources")
    op.create_index("ix_document_sources_source", "document_sources", ["source"])
    op.drop_index("ix_documents_domain_id_text_digest", "documents")
    op.drop_column("documents", "text_digest")
    op.create_index("ix_documents_domain_id_digest", "documents", ["domain", "id", "digest"])
    op.execute("DELETE FROM ledger_meta WHERE key = 'turn'")


def _read_anew(bind: sa.Connection) -> None:
    """Digests of today where those of yesterday were right, and what the documents are known by."""
    state = "UPDATE read_state SET digest = :text WHERE document_id = :id AND digest = :old"
    told = "UPDATE document_sources SET digest = :whole WHERE document_id = :id AND digest = :old"
    for row in _documents(bind):
        text, whole = _digests_2(row)
        values = {"id": row.id, "old": row.digest, "text": text, "whole": whole}
        bind.execute(sa.text("UPDATE documents SET text_digest = :text WHERE id = :id"), values)
        for statement in (state, told):
            bind.execute(sa.text(statement), values)
        for curie in {_curie(id_) for id_ in (_plain(row.id), *_details(row)["ids"])}:
            names = {"curie": _stored(curie), "id": row.id}
            bind.execute(sa.text("INSERT INTO document_ids VALUES (:curie, :id)"), names)


def _documents(bind: sa.Connection) -> Iterator[sa.Row[Any]]:
    """All documents, a hundred at a time: what is read goes on while what is written does not disturb it."""
    query = sa.text("SELECT * FROM documents WHERE id > :last ORDER BY id LIMIT 100")
    last = ""
    while rows := bind.execute(query, {"last": last}).all():
        yield from rows
        last = rows[-1].id


def _digests_2(row: sa.Row[Any]) -> tuple[str, str]:
    details = _details(row)
    text = _hash([_plain(row.id), _plain(row.text), details["sections"]])
    date, status = _plain(row.date), _plain(row.status)
    rest = [details[name] for name in _FIELDS_1]
    return text, _hash([text, date, *rest, status, details["links"], [], ""])


def _digest_1(row: sa.Row[Any]) -> str:
    details = _details(row)
    sections = [{"start": start, "end": end, "kind": kind} for start, end, kind in details["sections"]]
    named = {name: details[name] for name in _FIELDS_1}
    content = {"id": _plain(row.id), "text": _plain(row.text), "sections": sections, "date": _plain(row.date), **named}
    return _hash([{**content, "status": _plain(row.status), "links": details["links"]}])


def _hash(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode("ascii")).hexdigest()[:32]


def _details(row: sa.Row[Any]) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(_plain(row.details))
    return details


def _plain(stored: str) -> str:
    return _STORED.sub(lambda found: chr(int(found[1], 16)), stored)


def _stored(text: str) -> str:
    return re.sub("[\x00\x10\ud800-\udfff]", lambda found: f"\x10{ord(found[0]):04x}", text)


def _curie(id_: str) -> str:
    for scheme, form in _SCHEMES.items():
        if found := form.fullmatch(id_):
            return f"{scheme}:{found[1].upper() if scheme == 'pmcid' else found[1].lower()}"
    return id_


def _replace(name: str) -> None:
    op.drop_table(name)
    op.rename_table(f"new_{name}", name)
    if op.get_bind().dialect.name == "postgresql":  # they keep the first name
        op.execute(f"ALTER INDEX new_{name}_pkey RENAME TO {name}_pkey")
        op.execute(f"ALTER TABLE {name} RENAME CONSTRAINT new_{name}_document_id_fkey TO {name}_document_id_fkey")


def _add(name: str) -> None:
    """A column of documents, without copying the table, by which SQLite would take along what hangs on it."""
    op.add_column("documents", sa.Column(name, _TEXT, nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("documents", name, server_default=None)


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, _TEXT, nullable=nullable, primary_key=primary_key)


def _parent(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("documents.id", ondelete="CASCADE")
    return sa.Column(name, _TEXT, key, nullable=nullable, primary_key=primary_key)
