"""Tables of holds: what was asked of the nodes and stands, and every step of each hold.

A row outlives its hold, with who asked for its end and who confirmed it: the certificate of destruction and the
auditor need to say why images were kept. Names, roles and articles are those of the day (LAW-52). Instants are UTC
nanoseconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vms.base.database import Table


class HoldRow(Table):
    """One hold. `node_told` says that the node has confirmed the present state; until then the sweep tells it again.

    `held_bytes`, `held_start_ns` and `held_end_ns` are what the node last said that it really holds, None before it
    answered; `node_code` is why it did not, empty once it has.
    """

    __tablename__ = "hold"
    __table_args__ = (Index("ix_hold_state_node_told", "state", "node_told"),)

    hold_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    camera_id: Mapped[str] = mapped_column(String(40), index=True)
    camera_name: Mapped[str] = mapped_column(String(120))
    commune: Mapped[str] = mapped_column(String(5))
    camera_authority: Mapped[str] = mapped_column(String(120))
    start_ns: Mapped[int] = mapped_column(BigInteger)
    end_ns: Mapped[int] = mapped_column(BigInteger)
    reference: Mapped[str] = mapped_column(String(120))
    authority: Mapped[str] = mapped_column(String(120))
    legal_basis: Mapped[str] = mapped_column(String(40))
    legal_article: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(String(200))
    placed_by: Mapped[str] = mapped_column(String(40))
    placed_by_name: Mapped[str] = mapped_column(String(120))
    placed_by_role: Mapped[str] = mapped_column(String(20))
    placed_at_ns: Mapped[int] = mapped_column(BigInteger)
    expires_at_ns: Mapped[int] = mapped_column(BigInteger)
    receipt_index: Mapped[int] = mapped_column(BigInteger)
    receipt_leaf: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(20))
    asked_by: Mapped[str | None] = mapped_column(String(40))
    asked_by_name: Mapped[str | None] = mapped_column(String(120))
    asked_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    ask_reason: Mapped[str | None] = mapped_column(String(200))
    confirmed_by: Mapped[str | None] = mapped_column(String(40))
    confirmed_by_name: Mapped[str | None] = mapped_column(String(120))
    ended_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    node_told: Mapped[bool] = mapped_column(default=False)
    node_code: Mapped[str] = mapped_column(String(80), default="")
    node_seen_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    held_bytes: Mapped[int | None] = mapped_column(BigInteger)
    held_start_ns: Mapped[int | None] = mapped_column(BigInteger)
    held_end_ns: Mapped[int | None] = mapped_column(BigInteger)


class HoldStepRow(Table):
    """One step in the life of a hold: the kind of its entry in the journal, who, when, and why."""

    __tablename__ = "hold_step"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    hold_id: Mapped[str] = mapped_column(ForeignKey("hold.hold_id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    at_ns: Mapped[int] = mapped_column(BigInteger)
    person_name: Mapped[str] = mapped_column(String(120))
    person_role: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(200))
