"""The schema of the ledger through time, as Alembic revisions in ``versions/``.

To change the schema: change :mod:`pipeline.ledger.schema`, write the next file ``versions/0002_what_it_does.py`` and
set ``HEAD``. A revision that was released is never edited. A test compares what the revisions make with the schema.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the ledger behind an open transaction to a revision; nothing is done where it is there already."""
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the ledger back to a revision, or to an empty database with ``base``."""
    command.downgrade(_config(connection), revision)


def known_revisions() -> tuple[str, ...]:
    """All revisions that this program knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions())


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
