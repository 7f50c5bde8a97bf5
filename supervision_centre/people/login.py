"""Logging in and out (LAW-15).

1. Count the try, for the address and then for the account: too soon is not heard. 2. Check the password, at the same
cost when nobody has this login. 3. Check that the person is in force. 4. Open the log-in with its owed entry in one
transaction. A wrong login and a wrong password read the same; only a right password learns that an account is
suspended or its habilitation over.
"""

from __future__ import annotations

import structlog
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from access_audit.events import Author, EventKind
from supervision_centre.access.entries import NOBODY, author_of, session_event
from supervision_centre.access.looks import close_looks
from supervision_centre.access.owed import Deliverer, owe
from supervision_centre.access.policy import in_force
from supervision_centre.access.viewing import Viewing
from supervision_centre.people import throttle
from supervision_centre.people.person import Person, normal_login
from supervision_centre.people.repository import person_of, row_by_login
from supervision_centre.people.tables import PersonRow
from supervision_centre.people.throttle_store import count_try, forget_tries, take_back_try
from supervision_centre.people.web_sessions import WebSession, WebSessions
from supervision_centre.services import CentreServices
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)


class Login:
    """The door of the centre."""

    def __init__(
        self, services: CentreServices, web_sessions: WebSessions, viewing: Viewing, deliverer: Deliverer
    ) -> None:
        self._services = services
        self._web_sessions = web_sessions
        self._viewing = viewing
        self._deliverer = deliverer

    async def log_in(self, login: str, password: str, address: str) -> tuple[Person, str]:
        """The person, and the value of their new cookie. VmsError `login.refused`, `login.throttled`, `access.…`."""
        login = normal_login(login)
        await self._count(login, address)
        async with self._services.database.reading() as session:
            row = await row_by_login(session, login)
        if not await self._services.passwords.matches(row.password_hash if row else None, password) or row is None:
            await self._note_refusal(author_of(person_of(row)) if row else NOBODY, "credentials", address)
            raise VmsError(
                ErrorKind.UNAUTHENTICATED,
                "login.refused",
                "L'identifiant ou le mot de passe est incorrect.",
                hint="Vérifiez la saisie ; après plusieurs échecs, l'attente entre deux essais augmente.",
            )
        person = person_of(row)
        refusal = in_force(person, self._services.clock.utc_ns())
        if refusal is not None:
            await self._note_refusal(author_of(person), refusal.cause, address)
            raise refusal.error
        token = await self._open(person, address)
        if self._services.passwords.outdated(row.password_hash):
            await self._rehash(person, password)
        return person, token

    async def log_out(self, web: WebSession) -> None:
        """End a log-in and every look of it."""
        now_ns = self._services.clock.utc_ns()
        async with self._services.database.writing() as session:
            await self._web_sessions.end(session, web.session_id)
            ended = await close_looks(session, now_ns, "logout", web_session_id=web.session_id)
            closing = session_event(
                EventKind.SESSION_CLOSED, author_of(web.person), now_ns, session=web.session_id, cause="logout"
            )
            owe(session, [closing])
        await self._viewing.tell(ended)

    async def _count(self, login: str, address: str) -> None:
        now_ns = self._services.clock.utc_ns()
        for subject, rule in (
            (throttle.address_subject(address), throttle.ADDRESS_RULE),
            (throttle.account_subject(login), throttle.ACCOUNT_RULE),
        ):
            try:
                async with self._services.database.writing() as session:
                    wait_s = await count_try(session, subject, now_ns, rule)
            except IntegrityError:
                wait_s = 1  # another process counted the first try of this subject at the same moment
            if wait_s:
                log.warning("log-in not heard", wait_s=wait_s, address=address)
                raise throttle.TooManyTriesError(wait_s)

    async def _open(self, person: Person, address: str) -> str:
        now_ns = self._services.clock.utc_ns()
        async with self._services.database.writing() as session:
            session_id, token = self._web_sessions.open(session, person)
            await take_back_try(session, throttle.address_subject(address))
            await forget_tries(session, throttle.account_subject(person.login))
            opening = session_event(
                EventKind.SESSION_OPENED, author_of(person), now_ns, session=session_id, address=address
            )
            owe(session, [opening])
        self._deliverer.wake()
        return token

    async def _rehash(self, person: Person, password: str) -> None:
        kept = await self._services.passwords.hash(password)
        async with self._services.database.writing() as session:
            await session.execute(
                update(PersonRow).where(PersonRow.person_id == person.person_id).values(password_hash=kept)
            )

    async def _note_refusal(self, author: Author, cause: str, address: str) -> None:
        now_ns = self._services.clock.utc_ns()
        async with self._services.database.writing() as session:
            owe(session, [session_event(EventKind.SESSION_REFUSED, author, now_ns, cause=cause, address=address)])
        self._deliverer.wake()
