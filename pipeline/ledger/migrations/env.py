"""Run by Alembic for each command: migrate over the connection, and in the transaction, that the caller holds."""

from __future__ import annotations

from alembic import context

from pipeline.ledger.schema import VERSION_TABLE, metadata


def run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,  # SQLite changes a table by copying it
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name that Alembic loads this file by; any other import has no migration to run
    run()
