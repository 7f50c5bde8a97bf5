"""People, their log-ins, open looks, and entries owed to the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_failure",
        sa.Column("subject", sa.String(length=70), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("locked_until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_failure")),
    )
    op.create_table(
        "owed_entry",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payload", sa.LargeBinary(length=16384), nullable=False),
        sa.Column("claimed_until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_owed_entry")),
    )
    op.create_table(
        "person",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("territories", sa.String(length=8000), nullable=False),
        sa.Column("habilitation_reference", sa.String(length=120), nullable=False),
        sa.Column("habilitation_starts_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("habilitation_ends_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("agrement_number", sa.String(length=120), nullable=True),
        sa.Column("agrement_prefect", sa.String(length=120), nullable=True),
        sa.Column("agrement_departments", sa.String(length=400), nullable=True),
        sa.Column("agrement_issued_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("agrement_reinquiry_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("delegation_reference", sa.String(length=120), nullable=True),
        sa.Column("delegation_starts_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("delegation_ends_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("suspended_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("created_at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    op.create_table(
        "viewing_session",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("web_session_id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("person_name", sa.String(length=120), nullable=False),
        sa.Column("person_role", sa.String(length=20), nullable=False),
        sa.Column("camera_id", sa.String(length=40), nullable=False),
        sa.Column("commune", sa.String(length=5), nullable=False),
        sa.Column("authority", sa.String(length=120), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=False),
        sa.Column("receipt_index", sa.BigInteger(), nullable=False),
        sa.Column("receipt_leaf", sa.String(length=64), nullable=False),
        sa.Column("opened_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_ns", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ns", sa.BigInteger(), nullable=True),
        sa.Column("node_told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_viewing_session")),
    )
    op.create_index(
        "ix_viewing_session_closed_at_ns_lease_until_ns", "viewing_session", ["closed_at_ns", "lease_until_ns"]
    )
    op.create_index("ix_viewing_session_person_id", "viewing_session", ["person_id"])
    op.create_index("ix_viewing_session_web_session_id", "viewing_session", ["web_session_id"])
    op.create_table(
        "web_session",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("opened_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.person_id"], name=op.f("fk_web_session_person_id_person"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
    )
    op.create_index("ix_web_session_person_id", "web_session", ["person_id"])


def downgrade() -> None:
    op.drop_table("web_session")
    op.drop_table("viewing_session")
    op.drop_table("person")
    op.drop_table("owed_entry")
    op.drop_table("login_failure")
