"""The minimum that an arrêté sets for the retention of images (L. 252-5 CSI)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("authorisation") as table:
        table.add_column(sa.Column("minimum_days", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("authorisation") as table:
        table.drop_column("minimum_days")
