"""The keys that a camera may show for its encrypted streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("camera_stream") as table:
        table.add_column(sa.Column("tls_pins", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    with op.batch_alter_table("camera_stream") as table:
        table.drop_column("tls_pins")
