"""Communes, authorisations, cameras and their streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "camera_change",
        sa.Column("change_id", sa.String(length=40), nullable=False),
        sa.Column("camera_id", sa.String(length=40), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_camera_change")),
    )
    op.create_index("ix_camera_change_camera_at", "camera_change", ["camera_id", "at_ns"])
    op.create_table(
        "commune",
        sa.Column("code_insee", sa.String(length=5), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("postcodes", sa.String(length=120), nullable=False),
        sa.Column("siren", sa.String(length=9), nullable=False),
        sa.Column("epci_siren", sa.String(length=9), nullable=False),
        sa.Column("epci_name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("code_insee", name=op.f("pk_commune")),
    )
    op.create_table(
        "authorisation",
        sa.Column("authorisation_id", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("prefect", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("commune", sa.String(length=5), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=False),
        sa.Column("starts_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("cnil_commitment_at_ns", sa.BigInteger(), nullable=False),
        sa.Column("prefect_informed_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["commune"], ["commune.code_insee"], name=op.f("fk_authorisation_commune_commune")),
        sa.PrimaryKeyConstraint("authorisation_id", name=op.f("pk_authorisation")),
        sa.UniqueConstraint("reference", "commune", name=op.f("uq_authorisation_reference")),
    )
    op.create_table(
        "camera",
        sa.Column("camera_id", sa.String(length=40), nullable=False),
        sa.Column("hardware_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("site", sa.String(length=200), nullable=False),
        sa.Column("commune", sa.String(length=5), nullable=False),
        sa.Column("authority", sa.String(length=120), nullable=False),
        sa.Column("authorisation_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("orientation_deg", sa.Double(), nullable=True),
        sa.Column("field_type", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=120), nullable=False),
        sa.Column("service_url", sa.Text(), nullable=False),
        sa.Column("manufacturer", sa.String(length=80), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("firmware", sa.String(length=80), nullable=False),
        sa.Column("serial", sa.String(length=80), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=False),
        sa.Column("created_at_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorisation_id"],
            ["authorisation.authorisation_id"],
            name=op.f("fk_camera_authorisation_id_authorisation"),
        ),
        sa.ForeignKeyConstraint(["commune"], ["commune.code_insee"], name=op.f("fk_camera_commune_commune")),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_camera")),
        sa.UniqueConstraint("hardware_id", name=op.f("uq_camera_hardware_id")),
    )
    op.create_index("ix_camera_commune", "camera", ["commune"])
    op.create_table(
        "camera_stream",
        sa.Column("camera_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("codec", sa.String(length=16), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("frame_rate", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.camera_id"], name=op.f("fk_camera_stream_camera_id_camera"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("camera_id", "role", name=op.f("pk_camera_stream")),
    )


def downgrade() -> None:
    op.drop_table("camera_stream")
    op.drop_table("camera")
    op.drop_table("authorisation")
    op.drop_table("commune")
    op.drop_table("camera_change")
