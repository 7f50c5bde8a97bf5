"""Holds over HTTP: list, place, and let go of by two persons (LAW-10). No answer holds an image."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from access_audit.events import EventKind
from supervision_centre.access.policy import Right, reaches_commune
from supervision_centre.holds.answers import communes_of, hold_json, steps_json, stranger_json
from supervision_centre.holds.bases import bases_at
from supervision_centre.holds.policy import may_hold
from supervision_centre.holds.schemas import HoldRequest, ReleaseRequest
from supervision_centre.holds.tables import HoldRow
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import Centre, LoggedIn, TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier

router = APIRouter(prefix="/api/holds")

Reader = Annotated[WebSession, Depends(holder(Right.HOLD_LIST, passive=True))]

_PLACES = declares(EventKind.HOLD_PLACED, EventKind.HOLD_CONFIRMED, EventKind.HOLD_FAILED, EventKind.HOLD_REFUSED)
_CONFIRMS = declares(EventKind.HOLD_RELEASED, EventKind.HOLD_FAILED, EventKind.HOLD_REFUSED)


@router.get("")
async def list_holds(web: Reader, centre: TheCentre, ended: bool = False) -> dict[str, Any]:
    """The holds of the person's territories, and what a new one needs: the bases of the day."""
    services = centre.services
    now_ns = services.clock.utc_ns()
    cameras = {camera.camera_id: camera for camera in await services.cameras.all()}
    communes = communes_of(cameras.values())
    found = await centre.holds.list(web.person, ended=ended)
    strangers = [
        held
        for held in centre.holds.upkeep.strangers.values()
        if (camera := cameras.get(held.hold.camera_id)) is None or reaches_commune(web.person, camera.commune, now_ns)
    ]
    return {
        "holds": [hold_json(row, web.person, communes, now_ns) for row in found],
        "strangers": [stranger_json(held, cameras) for held in strangers],
        "may_hold": may_hold(web.person, now_ns) is None,
        "bases": [{"code": one.code, "label": one.label, "article": one.article} for one in bases_at(now_ns)],
    }


@router.get("/{hold_id}", openapi_extra=declares(EventKind.HOLD_REFUSED))
async def one_hold(hold_id: Identifier, web: Reader, centre: TheCentre) -> dict[str, Any]:
    """One hold with its steps; of another commune it does not exist, and the journal says who tried (LAW-18)."""
    row, steps = await centre.holds.one(web.person, hold_id)
    return await _json(row, web, centre) | {"steps": steps_json(steps)}


@router.post("", status_code=201, openapi_extra=_PLACES)
async def place(wanted: HoldRequest, web: LoggedIn, centre: TheCentre) -> dict[str, Any]:
    """Hold images on a requisition. The answer says what is really held, or that the node has not confirmed yet."""
    return await _json(await centre.holds.place(web.person, wanted.wish()), web, centre)


@router.post("/{hold_id}/release", openapi_extra=declares(EventKind.HOLD_RELEASE_ASKED, EventKind.HOLD_REFUSED))
async def ask_release(hold_id: Identifier, wanted: ReleaseRequest, web: LoggedIn, centre: TheCentre) -> dict[str, Any]:
    """Ask for the end of a hold; nothing is let go of before another person confirms."""
    return await _json(await centre.holds.ask_release(web.person, hold_id, wanted.reason), web, centre)


@router.post(
    "/{hold_id}/release/withdraw", openapi_extra=declares(EventKind.HOLD_RELEASE_WITHDRAWN, EventKind.HOLD_REFUSED)
)
async def withdraw_release(hold_id: Identifier, web: LoggedIn, centre: TheCentre) -> dict[str, Any]:
    """Take back a release that was asked for."""
    return await _json(await centre.holds.withdraw_release(web.person, hold_id), web, centre)


@router.post("/{hold_id}/release/confirm", openapi_extra=_CONFIRMS)
async def confirm_release(hold_id: Identifier, web: LoggedIn, centre: TheCentre) -> dict[str, Any]:
    """Confirm, as the second person, that a hold ends."""
    return await _json(await centre.holds.confirm_release(web.person, hold_id), web, centre)


async def _json(row: HoldRow, web: WebSession, centre: Centre) -> dict[str, Any]:
    communes = communes_of(await centre.services.cameras.all())
    return hold_json(row, web.person, communes, centre.services.clock.utc_ns())
