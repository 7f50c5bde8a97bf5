"""Accounts: create, suspend, restore, change a password. Used by the API, the command line and the demonstration.

Giving a right waits for the receipt of its entry: without the journal nobody gets an account or is restored (LAW-25).
Suspending is one transaction: the account, its log-ins and its open looks end together, each with its entry (LAW-17).
It waits neither for the journal nor for a node: both are told by the sweep of the running centre within a second, or at
once by the API itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from access_audit.events import AccessEvent, Author, EventKind
from supervision_centre.access.entries import account_event
from supervision_centre.access.looks import close_looks
from supervision_centre.access.owed import owe
from supervision_centre.people import repository
from supervision_centre.people.passwords import Passwords, check_new_password
from supervision_centre.people.person import Person, check_person, normal_login
from supervision_centre.people.tables import PersonRow
from vms.base.clock import Clock
from vms.base.database import Database
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

RecordEvent = Callable[[AccessEvent], Awaitable[object]]


class Accounts:
    """The accounts of one centre. `author` of each change is who makes it, for the journal.

    `record` puts an entry in the journal and returns once it is there, or raises VmsError `audit.unavailable`.
    """

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, record: RecordEvent) -> None:
        self._record = record
        self._database = database
        self._clock = clock
        self._passwords = passwords

    async def create(self, person: Person, password: str, author: Author) -> Person:
        """Add a person; the identifier is made here. VmsError `person.…`, `password.weak` or `person.login_taken`."""
        person = replace(person, person_id=new_id("per"), login=normal_login(person.login), name=person.name.strip())
        check_person(person)
        check_new_password(password, person.login)
        async with self._database.reading() as reading:
            if await repository.row_by_login(reading, person.login) is not None:
                raise _taken(person)
        kept = await self._passwords.hash(password)
        now_ns = self._clock.utc_ns()
        await self._record(account_event(EventKind.ACCOUNT_CREATED, author, now_ns, person))
        try:
            async with self._database.writing() as session:
                session.add(repository.row_of(person, kept, now_ns))
        except IntegrityError:
            raise _taken(person) from None
        return person

    async def everybody(self) -> list[Person]:
        """Every person, by name."""
        async with self._database.reading() as session:
            return await repository.everybody(session)

    async def by_login(self, login: str) -> Person:
        """The person of a login. VmsError `person.unknown`."""
        async with self._database.reading() as session:
            row = await repository.row_by_login(session, normal_login(login))
        if row is None:
            raise _unknown()
        return repository.person_of(row)

    async def suspend(self, person_id: str, author: Author) -> Sequence[str]:
        """Suspend a person at once; the looks that were open are returned, for the node. VmsError `person.unknown`."""
        now_ns = self._clock.utc_ns()
        async with self._database.writing() as session:
            person = await repository.person_by_id(session, person_id)
            if person is None:
                raise _unknown()
            if await repository.set_suspended(session, person_id, now_ns):
                owe(session, [account_event(EventKind.ACCOUNT_SUSPENDED, author, now_ns, person)])
            await repository.forget_web_sessions(session, person_id)
            return await close_looks(session, now_ns, "suspended", person_id=person_id)

    async def restore(self, person_id: str, author: Author) -> None:
        """Let a suspended person in again. VmsError `person.unknown`."""
        async with self._database.reading() as reading:
            person = await repository.person_by_id(reading, person_id)
        if person is None:
            raise _unknown()
        if not person.suspended_at_ns:
            return
        await self._record(account_event(EventKind.ACCOUNT_RESTORED, author, self._clock.utc_ns(), person))
        async with self._database.writing() as session:
            await repository.set_suspended(session, person_id, None)

    async def set_password(self, person_id: str, password: str) -> None:
        """Give a new password and end every log-in made with the old one. VmsError `password.weak`."""
        async with self._database.reading() as session:
            person = await repository.person_by_id(session, person_id)
        if person is None:
            raise _unknown()
        check_new_password(password, person.login)
        kept = await self._passwords.hash(password)
        async with self._database.writing() as writing:
            await writing.execute(update(PersonRow).where(PersonRow.person_id == person_id).values(password_hash=kept))
            await repository.forget_web_sessions(writing, person_id)
            await close_looks(writing, self._clock.utc_ns(), "session_ended", person_id=person_id)


def _taken(person: Person) -> VmsError:
    return VmsError(
        ErrorKind.CONFLICT,
        "person.login_taken",
        f"L'identifiant « {person.login} » est déjà celui d'une autre personne.",
        hint="Choisissez un autre identifiant : un compte appartient à une seule personne.",
    )


def _unknown() -> VmsError:
    return VmsError(
        ErrorKind.NOT_FOUND,
        "person.unknown",
        "Cette personne n'a pas de compte.",
        hint="Choisissez une personne de la liste.",
    )
