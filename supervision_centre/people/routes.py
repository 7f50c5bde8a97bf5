"""Logging in and out, who one is, and the people of the centre."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from supervision_centre.access.entries import author_of
from supervision_centre.access.policy import IMAGE_RIGHTS, Right, reaches, rights_of
from supervision_centre.access.purposes import purposes_at
from supervision_centre.people.person import ROLE_LABELS
from supervision_centre.people.schemas import Credentials, PersonOut
from supervision_centre.people.web_sessions import COOKIE, WebSession
from supervision_centre.web.current import LoggedIn, TheCentre, check_origin, holder
from supervision_centre.web.fields import Identifier
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

router = APIRouter(prefix="/api")

Reader = Annotated[WebSession, Depends(holder(Right.PEOPLE_LIST))]
Suspender = Annotated[WebSession, Depends(holder(Right.PEOPLE_SUSPEND))]


@router.post("/login", status_code=204, dependencies=[Depends(check_origin)])
async def log_in(credentials: Credentials, request: Request, response: Response, centre: TheCentre) -> None:
    """Open a session: its cookie is new, whatever the browser held before."""
    address = request.client.host if request.client else "unknown"
    before = await centre.web_sessions.find(request.cookies.get(COOKIE, ""), passive=True)
    _, token = await centre.login.log_in(credentials.login, credentials.password, address)
    if before is not None:
        await centre.login.log_out(before)
    settings = centre.services.settings
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=settings.secure, path="/")


@router.post("/logout", status_code=204)
async def log_out(web: LoggedIn, response: Response, centre: TheCentre) -> None:
    """Close the session and every look of it."""
    await centre.login.log_out(web)
    settings = centre.services.settings
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=settings.secure, path="/")


@router.get("/me")
async def me(web: LoggedIn, centre: TheCentre) -> dict[str, Any]:
    """Who is logged in, their rights and authorities (LAW-20), and what the console needs to begin."""
    person, services = web.person, centre.services
    settings, now_ns = services.settings, services.clock.utc_ns()
    cameras = [camera for camera in await services.cameras.all() if reaches(person, camera, now_ns)]
    rights = rights_of(person.role)
    purposes = purposes_at(now_ns) if rights & IMAGE_RIGHTS else ()
    names = {camera.commune: camera.commune_name for camera in cameras}
    codes = sorted(person.communes | set(names), key=lambda code: names.get(code, code))
    return {
        "person": {
            "id": person.person_id,
            "name": person.name,
            "role": person.role.value,
            "role_label": ROLE_LABELS[person.role],
        },
        "communes": [{"code": code, "name": names.get(code, code)} for code in codes],
        "authorities": sorted({camera.authority for camera in cameras if camera.authority}),
        "rights": sorted(right.value for right in rights),
        "csrf": web.csrf,
        "demo": settings.demonstration,
        "centre_name": settings.centre_name,
        "gateway_url": settings.gateway_url,
        "media_url": settings.media_url,
        "purposes": [{"code": purpose.code, "label": purpose.label, "number": purpose.number} for purpose in purposes],
        "server_time": utc_text(now_ns),
    }


@router.get("/people")
async def list_people(_: Reader, centre: TheCentre) -> dict[str, list[PersonOut]]:
    """Everybody with an account."""
    return {"people": [PersonOut.of(person) for person in await centre.accounts.everybody()]}


@router.post("/people/{person_id}/suspend", status_code=204)
async def suspend(person_id: Identifier, web: Suspender, centre: TheCentre) -> None:
    """Suspend a person at once: log-ins and looks end, the node is told (LAW-17)."""
    if person_id == web.person.person_id:
        raise VmsError(
            ErrorKind.CONFLICT,
            "person.oneself",
            "Vous ne pouvez pas suspendre votre propre compte.",
            hint="Demandez à un autre responsable.",
        )
    ended = await centre.accounts.suspend(person_id, author_of(web.person))
    await centre.viewing.tell(ended)


@router.post("/people/{person_id}/restore", status_code=204)
async def restore(person_id: Identifier, web: Suspender, centre: TheCentre) -> None:
    """Let a suspended person in again."""
    await centre.accounts.restore(person_id, author_of(web.person))
    centre.deliverer.wake()
