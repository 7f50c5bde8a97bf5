"""Rows to persons and back, and the questions asked of them."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from supervision_centre.people.person import Agrement, Delegation, Habilitation, Person, Role
from supervision_centre.people.tables import PersonRow, WebSessionRow
from vms.base.database import ReadSession, WriteSession


def person_of(row: PersonRow) -> Person:
    """The person that a row keeps."""
    agrement = delegation = None
    if row.agrement_number is not None:
        agrement = Agrement(
            row.agrement_number,
            row.agrement_prefect or "",
            _codes(row.agrement_departments or ""),
            row.agrement_issued_at_ns or 0,
            row.agrement_reinquiry_at_ns or 0,
        )
    if row.delegation_reference is not None:
        delegation = Delegation(
            row.delegation_reference, row.delegation_starts_at_ns or 0, row.delegation_ends_at_ns or 0
        )
    return Person(
        person_id=row.person_id,
        login=row.login,
        name=row.name,
        role=Role(row.role),
        territories=_codes(row.territories),
        habilitation=Habilitation(
            row.habilitation_reference, row.habilitation_starts_at_ns, row.habilitation_ends_at_ns
        ),
        agrement=agrement,
        delegation=delegation,
        suspended_at_ns=row.suspended_at_ns,
    )


def row_of(person: Person, password_hash: str, created_at_ns: int) -> PersonRow:
    """A new row for a person."""
    agrement, delegation = person.agrement, person.delegation
    return PersonRow(
        person_id=person.person_id,
        login=person.login,
        name=person.name,
        role=person.role.value,
        password_hash=password_hash,
        territories=",".join(sorted(person.territories)),
        habilitation_reference=person.habilitation.reference,
        habilitation_starts_at_ns=person.habilitation.starts_at_ns,
        habilitation_ends_at_ns=person.habilitation.ends_at_ns,
        agrement_number=agrement.number if agrement else None,
        agrement_prefect=agrement.prefect if agrement else None,
        agrement_departments=",".join(sorted(agrement.departments)) if agrement else None,
        agrement_issued_at_ns=agrement.issued_at_ns if agrement else None,
        agrement_reinquiry_at_ns=agrement.reinquiry_at_ns if agrement else None,
        delegation_reference=delegation.reference if delegation else None,
        delegation_starts_at_ns=delegation.starts_at_ns if delegation else None,
        delegation_ends_at_ns=delegation.ends_at_ns if delegation else None,
        suspended_at_ns=person.suspended_at_ns,
        created_at_ns=created_at_ns,
    )


async def row_by_login(session: ReadSession, login: str) -> PersonRow | None:
    """The account of a login, in its one spelling."""
    return await session.one_or_none(select(PersonRow).where(PersonRow.login == login))


async def person_by_id(session: ReadSession, person_id: str) -> Person | None:
    """One person, or None."""
    row = await session.one_or_none(select(PersonRow).where(PersonRow.person_id == person_id))
    return person_of(row) if row else None


async def everybody(session: ReadSession) -> list[Person]:
    """Every person with an account, by name."""
    return [person_of(row) for row in await session.all(select(PersonRow).order_by(PersonRow.name, PersonRow.login))]


async def set_suspended(session: WriteSession, person_id: str, at_ns: int | None) -> bool:
    """Suspend from an instant on, or restore with None; whether that changed anything."""
    now_is = PersonRow.suspended_at_ns.is_not(None) if at_ns is None else PersonRow.suspended_at_ns.is_(None)
    changes = update(PersonRow).where(PersonRow.person_id == person_id, now_is).values(suspended_at_ns=at_ns)
    return await session.changed(changes) > 0


async def forget_web_sessions(session: WriteSession, person_id: str) -> None:
    """End every log-in of a person."""
    await session.execute(delete(WebSessionRow).where(WebSessionRow.person_id == person_id))


def _codes(text: str) -> frozenset[str]:
    return frozenset(code for code in text.split(",") if code)
