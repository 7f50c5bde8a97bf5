"""Log-ins: a random cookie, kept as its hash, with an idle and an absolute end.

The identifier is made at log-in and never taken from the browser, so a planted one is worth nothing. The token against
cross-site requests is derived from the cookie, so that it needs no keeping and dies with it.
Source: OWASP ASVS 4.0.3 chapter 3 (session management); RFC 6265 section 8.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from supervision_centre.people.person import CONTROL_ROOM, Person, Role
from supervision_centre.people.repository import person_of
from supervision_centre.people.tables import PersonRow, WebSessionRow
from supervision_centre.settings import CentreSettings
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.database import Database, WriteSession
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

COOKIE = "vms_session"
_TOKEN_BYTES = 32
_MAX_TOKEN_CHARS = 64
_SEEN_STEP_NS = 15 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class WebSession:
    """One log-in, as a request sees it."""

    session_id: str
    person: Person
    csrf: str


def csrf_of(token: str) -> str:
    """The token that a page must send back with each change."""
    digest = hmac.digest(token.encode(), b"vms cross-site request token", "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def no_session() -> VmsError:
    """The answer to somebody who is not logged in, or no longer."""
    return VmsError(
        ErrorKind.UNAUTHENTICATED,
        "session.missing",
        "Votre session est terminée ou n'existe pas.",
        hint="Reconnectez-vous.",
    )


class WebSessions:
    """Opens, finds and ends log-ins."""

    def __init__(self, database: Database, clock: Clock, settings: CentreSettings) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings

    def open(self, session: WriteSession, person: Person) -> tuple[str, str]:
        """A new log-in in this transaction: its identifier, and the value of the cookie."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now_ns = self._clock.utc_ns()
        session_id = new_id("ses")
        session.add(
            WebSessionRow(
                session_id=session_id,
                token_hash=_hash(token),
                person_id=person.person_id,
                opened_at_ns=now_ns,
                seen_at_ns=now_ns,
                ends_at_ns=now_ns + self._settings.session_absolute_s * NS_PER_SECOND,
            )
        )
        return session_id, token

    async def find(self, token: str, *, passive: bool) -> WebSession | None:
        """The log-in of a cookie, if it still holds. A passive request, made by no hand, does not prolong it."""
        if not token or len(token) > _MAX_TOKEN_CHARS:
            return None
        now_ns = self._clock.utc_ns()
        async with self._database.reading() as session:
            rows = await session.rows(
                select(WebSessionRow, PersonRow)
                .join(PersonRow, PersonRow.person_id == WebSessionRow.person_id)
                .where(WebSessionRow.token_hash == _hash(token))
            )
        if not rows:
            return None
        row, person_row = rows[0]
        person = person_of(person_row)
        if now_ns >= row.ends_at_ns or now_ns - row.seen_at_ns >= self._idle_ns(person.role):
            return None
        if not passive and now_ns - row.seen_at_ns >= _SEEN_STEP_NS:
            async with self._database.writing() as writing:
                await writing.execute(
                    update(WebSessionRow).where(WebSessionRow.session_id == row.session_id).values(seen_at_ns=now_ns)
                )
        return WebSession(row.session_id, person, csrf_of(token))

    @staticmethod
    async def stands(session: WriteSession, session_id: str) -> bool:
        """Whether a log-in has not been ended. If so, nobody ends it before this transaction does."""
        question = select(WebSessionRow.session_id).where(WebSessionRow.session_id == session_id)
        return await session.one_or_none(question.with_for_update(read=True)) is not None

    async def end(self, session: WriteSession, session_id: str) -> None:
        """End one log-in in this transaction."""
        await session.execute(delete(WebSessionRow).where(WebSessionRow.session_id == session_id))

    async def forget_old(self) -> None:
        """Remove the log-ins that have ended by themselves."""
        now_ns = self._clock.utc_ns()
        longest = max(self._idle_ns(role) for role in Role)
        async with self._database.writing() as session:
            await session.execute(
                delete(WebSessionRow).where(
                    (WebSessionRow.ends_at_ns <= now_ns) | (WebSessionRow.seen_at_ns <= now_ns - longest)
                )
            )

    def _idle_ns(self, role: Role) -> int:
        longer = self._settings.control_room_idle_s if role in CONTROL_ROOM else None
        return (longer or self._settings.session_idle_s) * NS_PER_SECOND


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
