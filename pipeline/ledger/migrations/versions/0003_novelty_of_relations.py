"""Whether a relation is a finding of the paper itself, where that is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("relations", sa.Column("novel", sa.Boolean))


def downgrade() -> None:
    op.drop_column("relations", "novel")
