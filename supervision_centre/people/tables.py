"""Tables of people: who they are, their web sessions, and failed log-ins. Instants are UTC nanoseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from vms.base.database import Table


class PersonRow(Table):
    """One named person with one account (LAW-15, LAW-16, LAW-19). Codes in a list are joined by commas."""

    __tablename__ = "person"

    person_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(255))
    territories: Mapped[str] = mapped_column(String(8000))
    habilitation_reference: Mapped[str] = mapped_column(String(120))
    habilitation_starts_at_ns: Mapped[int] = mapped_column(BigInteger)
    habilitation_ends_at_ns: Mapped[int] = mapped_column(BigInteger)
    agrement_number: Mapped[str | None] = mapped_column(String(120))
    agrement_prefect: Mapped[str | None] = mapped_column(String(120))
    agrement_departments: Mapped[str | None] = mapped_column(String(400))
    agrement_issued_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    agrement_reinquiry_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    delegation_reference: Mapped[str | None] = mapped_column(String(120))
    delegation_starts_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    delegation_ends_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    suspended_at_ns: Mapped[int | None] = mapped_column(BigInteger)
    created_at_ns: Mapped[int] = mapped_column(BigInteger)


class WebSessionRow(Table):
    """One log-in of one person. Of the cookie only the SHA-256 is kept, in hexadecimal."""

    __tablename__ = "web_session"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.person_id", ondelete="CASCADE"), index=True)
    opened_at_ns: Mapped[int] = mapped_column(BigInteger)
    seen_at_ns: Mapped[int] = mapped_column(BigInteger)
    ends_at_ns: Mapped[int] = mapped_column(BigInteger)


class LoginFailureRow(Table):
    """Failed log-ins of one account or one address; `subject` is a digest, so that no typed login is kept."""

    __tablename__ = "login_failure"

    subject: Mapped[str] = mapped_column(String(70), primary_key=True)
    failures: Mapped[int] = mapped_column()
    last_at_ns: Mapped[int] = mapped_column(BigInteger)
    locked_until_ns: Mapped[int] = mapped_column(BigInteger)
