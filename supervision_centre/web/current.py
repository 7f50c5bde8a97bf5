"""Who asks: the dependencies by which a route gets its person, after every check that comes first.

An unsafe method must come from an origin of the console, and carry the token that goes with the cookie. A person whose
habilitation has ended, or who was suspended, is refused whatever the cookie says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import compare_digest
from typing import Annotated

from fastapi import Depends, Request

from access_audit.events import EventKind
from recorder.contract.ticket import MediaAct
from supervision_centre.access.entries import author_of, refused, session_event
from supervision_centre.access.owed import Deliverer, owe
from supervision_centre.access.policy import Right, Wish, in_force, may
from supervision_centre.access.viewing import Viewing
from supervision_centre.destruction.service import Destruction
from supervision_centre.holds.service import Holds
from supervision_centre.journal.export import Exports
from supervision_centre.people.accounts import Accounts
from supervision_centre.people.login import Login
from supervision_centre.people.web_sessions import COOKIE, WebSession, WebSessions, no_session
from supervision_centre.reports.service import Reports
from supervision_centre.services import CentreServices
from vms.base.errors import ErrorKind, VmsError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ACT_OF_RIGHT = {Right.LIVE: MediaAct.LIVE, Right.PLAYBACK: MediaAct.PLAYBACK}


@dataclass(frozen=True, slots=True)
class Centre:
    """The centre at work: what routes call."""

    services: CentreServices
    web_sessions: WebSessions
    deliverer: Deliverer
    viewing: Viewing
    login: Login
    accounts: Accounts
    holds: Holds
    destruction: Destruction
    exports: Exports
    reports: Reports


def centre_of(request: Request) -> Centre:
    """The centre that answers this request."""
    centre = request.app.state.centre
    assert isinstance(centre, Centre)
    return centre


TheCentre = Annotated[Centre, Depends(centre_of)]


def check_origin(request: Request, centre: TheCentre) -> None:
    """Refuse a change that comes from a page of another origin. VmsError `origin.refused`."""
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    foreign = origin is not None and origin not in centre.services.settings.public_origins
    if foreign or (origin is None and request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}):
        raise VmsError(
            ErrorKind.FORBIDDEN,
            "origin.refused",
            "Cette demande ne vient pas de la console.",
            hint="Ouvrez la console à son adresse officielle.",
            detail=f"origin {origin!r}",
        )


async def _logged_in(request: Request, centre: Centre, *, passive: bool) -> WebSession:
    check_origin(request, centre)
    web = await centre.web_sessions.find(request.cookies.get(COOKIE, ""), passive=passive)
    if web is None:
        raise no_session()
    token = request.headers.get("x-csrf-token", "")
    if request.method not in _SAFE and not compare_digest(token.encode(), web.csrf.encode()):
        raise VmsError(
            ErrorKind.FORBIDDEN,
            "csrf.refused",
            "Cette demande ne vient pas de votre page.",
            hint="Rechargez la console.",
        )
    refusal = in_force(web.person, centre.services.clock.utc_ns())
    if refusal is not None:
        raise refusal.error
    return web


async def logged_in(request: Request, centre: TheCentre) -> WebSession:
    """The log-in of a request made by a hand."""
    return await _logged_in(request, centre, passive=False)


def holder(right: Right, *, passive: bool = False) -> Callable[[Request, Centre], Awaitable[WebSession]]:
    """A dependency: the log-in of a person who holds this right. Refusals by role are owed to the journal."""

    async def check(request: Request, centre: TheCentre) -> WebSession:
        web = await _logged_in(request, centre, passive=passive)
        now_ns = centre.services.clock.utc_ns()
        refusal = may(web.person, right, now_ns)
        if refusal is None:
            return web
        act = _ACT_OF_RIGHT.get(right)
        if act is not None:
            entry = refused(web.person, None, Wish(act, "", ""), refusal.cause, now_ns)
        else:
            author = author_of(web.person)
            entry = session_event(EventKind.SESSION_REFUSED, author, now_ns, cause=f"right:{right}")
        async with centre.services.database.writing() as session:
            owe(session, [entry])
        centre.deliverer.wake()
        raise refusal.error

    return check


LoggedIn = Annotated[WebSession, Depends(logged_in)]
