"""The tables of the inventory. Instants are UTC nanoseconds; `code_insee` names a commune everywhere."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vms.base.database import Table


class CommuneRow(Table):
    """A commune of the department."""

    __tablename__ = "commune"

    code_insee: Mapped[str] = mapped_column(String(5), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    population: Mapped[int]
    postcodes: Mapped[str] = mapped_column(String(120))
    siren: Mapped[str] = mapped_column(String(9))
    epci_siren: Mapped[str] = mapped_column(String(9))
    epci_name: Mapped[str] = mapped_column(String(200))


class AuthorisationRow(Table):
    """A prefect's decision (LAW-01)."""

    __tablename__ = "authorisation"

    authorisation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    reference: Mapped[str] = mapped_column(String(80))
    prefect: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(20))
    commune: Mapped[str] = mapped_column(ForeignKey("commune.code_insee"))
    purposes: Mapped[list[str]] = mapped_column(JSON)
    retention_days: Mapped[int]
    minimum_days: Mapped[int] = mapped_column(default=0, server_default="0")
    starts_at_ns: Mapped[int] = mapped_column(BigInteger)
    ends_at_ns: Mapped[int] = mapped_column(BigInteger)
    cnil_commitment_at_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    prefect_informed_at_ns: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (UniqueConstraint("reference", "commune"),)


class CameraRow(Table):
    """A camera. `hardware_id` is what identifies the device whatever its address (MAC or serial number)."""

    __tablename__ = "camera"

    camera_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    hardware_id: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    site: Mapped[str] = mapped_column(String(200), default="")
    commune: Mapped[str] = mapped_column(ForeignKey("commune.code_insee"), index=True)
    authority: Mapped[str] = mapped_column(String(120))
    authorisation_id: Mapped[str | None] = mapped_column(ForeignKey("authorisation.authorisation_id"), default=None)
    state: Mapped[str] = mapped_column(String(20))
    latitude: Mapped[float | None] = mapped_column(default=None)
    longitude: Mapped[float | None] = mapped_column(default=None)
    orientation_deg: Mapped[float | None] = mapped_column(default=None)
    field_type: Mapped[str] = mapped_column(String(10), default="narrow")
    address: Mapped[str] = mapped_column(String(120))
    service_url: Mapped[str] = mapped_column(Text)
    manufacturer: Mapped[str] = mapped_column(String(80), default="")
    model: Mapped[str] = mapped_column(String(80), default="")
    firmware: Mapped[str] = mapped_column(String(80), default="")
    serial: Mapped[str] = mapped_column(String(80), default="")
    username: Mapped[str] = mapped_column(String(64), default="")
    sealed_password: Mapped[str] = mapped_column(Text, default="")
    created_at_ns: Mapped[int] = mapped_column(BigInteger)


class StreamRow(Table):
    """One stream of a camera, as the camera described it at onboarding, with the keys it may show (`vms.base.tls`)."""

    __tablename__ = "camera_stream"

    camera_id: Mapped[str] = mapped_column(ForeignKey("camera.camera_id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(8), primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    codec: Mapped[str] = mapped_column(String(16), default="")
    width: Mapped[int] = mapped_column(default=0)
    height: Mapped[int] = mapped_column(default=0)
    frame_rate: Mapped[float] = mapped_column(default=0.0)
    tls_pins: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")


class CameraChangeRow(Table):
    """One change of a camera's record: what, by whom and why. Rows are only added."""

    __tablename__ = "camera_change"

    change_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(40))
    at_ns: Mapped[int] = mapped_column(BigInteger)
    author: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(String(200))
    field: Mapped[str] = mapped_column(String(40))
    before: Mapped[str] = mapped_column(Text, default="")
    after: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index("ix_camera_change_camera_at", "camera_id", "at_ns"),)
