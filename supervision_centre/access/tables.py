"""Tables of access: the looks that are open, and the entries that are owed to the journal.

Neither is a second journal. A closed look is forgotten after a day, so that nothing here can count what a person did
(LAW-29). Instants are UTC nanoseconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from vms.base.database import Table


class ViewingSessionRow(Table):
    """One look of one person at one camera, from its entry in the journal to its close.

    `lease_until_ns` ends the look unless it is renewed; `node_told` says that the node need not be told of the close.
    The name and role of the person are those of the day, for the entry that closes the look.
    """

    __tablename__ = "viewing_session"
    __table_args__ = (Index("ix_viewing_session_closed_at_ns_lease_until_ns", "closed_at_ns", "lease_until_ns"),)

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    act: Mapped[str] = mapped_column(String(20))
    web_session_id: Mapped[str] = mapped_column(String(40), index=True)
    person_id: Mapped[str] = mapped_column(String(40), index=True)
    person_name: Mapped[str] = mapped_column(String(120))
    person_role: Mapped[str] = mapped_column(String(20))
    camera_id: Mapped[str] = mapped_column(String(40))
    commune: Mapped[str] = mapped_column(String(5))
    authority: Mapped[str] = mapped_column(String(120))
    purpose: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(200))
    start_ns: Mapped[int] = mapped_column(BigInteger)
    end_ns: Mapped[int] = mapped_column(BigInteger)
    receipt_index: Mapped[int] = mapped_column(BigInteger)
    receipt_leaf: Mapped[str] = mapped_column(String(64))
    opened_at_ns: Mapped[int] = mapped_column(BigInteger)
    lease_until_ns: Mapped[int] = mapped_column(BigInteger)
    closed_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    node_told: Mapped[bool] = mapped_column(default=False)


class OwedEntryRow(Table):
    """An entry of an act that could not wait for the journal, kept in the transaction of that act until delivered."""

    __tablename__ = "owed_entry"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary(16_384))
    claimed_until_ns: Mapped[int] = mapped_column(BigInteger, default=0)
