"""Judicial holds and their steps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hold",
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("camera_id", sa.String(length=40), nullable=False),
        sa.Column("camera_name", sa.String(length=120), nullable=False),
        sa.Column("commune", sa.String(length=5), nullable=False),
        sa.Column("camera_authority", sa.String(length=120), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("authority", sa.String(length=120), nullable=False),
        sa.Column("legal_basis", sa.String(length=40), nullable=False),
        sa.Column("legal_article", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("placed_by", sa.String(length=40), nullable=False),
        sa.Column("placed_by_name", sa.String(length=120), nullable=False),
        sa.Column("placed_by_role", sa.String(length=20), nullable=False),
        sa.Column("placed_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("receipt_index", sa.BigInteger(), nullable=False),
        sa.Column("receipt_leaf", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=True),
        sa.Column("asked_by_name", sa.String(length=120), nullable=True),
        sa.Column("asked_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("ask_reason", sa.String(length=200), nullable=True),
        sa.Column("confirmed_by", sa.String(length=40), nullable=True),
        sa.Column("confirmed_by_name", sa.String(length=120), nullable=True),
        sa.Column("ended_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("node_told", sa.Boolean(), nullable=False),
        sa.Column("node_code", sa.String(length=80), nullable=False),
        sa.Column("node_seen_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("held_bytes", sa.BigInteger(), nullable=True),
        sa.Column("held_start_ns", sa.BigInteger(), nullable=True),
        sa.Column("held_end_ns", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("hold_id", name=op.f("pk_hold")),
    )
    op.create_index("ix_hold_camera_id", "hold", ["camera_id"])
    op.create_index("ix_hold_state_node_told", "hold", ["state", "node_told"])
    op.create_table(
        "hold_step",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hold_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("person_name", sa.String(length=120), nullable=False),
        sa.Column("person_role", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["hold_id"], ["hold.hold_id"], name=op.f("fk_hold_step_hold_id_hold"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_hold_step")),
    )
    op.create_index("ix_hold_step_hold_id", "hold_step", ["hold_id"])


def downgrade() -> None:
    op.drop_table("hold_step")
    op.drop_table("hold")
