"""Live viewing: a wall is opened with one commit of the journal, renewed while watched, closed with its length."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from access_audit.events import EventKind
from recorder.contract.ticket import MediaAct
from supervision_centre.access.answers import opened_json, refused_json, renewal_json
from supervision_centre.access.looks import open_looks
from supervision_centre.access.policy import Right, Wish
from supervision_centre.live.schemas import LiveRequest
from supervision_centre.people.person import ROLE_LABELS, Role
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import LoggedIn, TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.errors import answer
from supervision_centre.web.fields import SessionList
from vms.base.clock import utc_text

router = APIRouter(prefix="/api")

Watcher = Annotated[WebSession, Depends(holder(Right.LIVE))]
PassiveWatcher = Annotated[WebSession, Depends(holder(Right.LIVE, passive=True))]
Observer = Annotated[WebSession, Depends(holder(Right.PRESENCE))]


@router.post("/live-sessions", openapi_extra=declares(EventKind.LIVE_OPENED, EventKind.LIVE_REFUSED))
async def open_live(wanted: LiveRequest, web: Watcher, centre: TheCentre) -> JSONResponse:
    """Open live looks. When every one is refused, the answer carries the status of the first refusal."""
    wishes = [
        Wish(MediaAct.LIVE, camera_id, wanted.purpose, wanted.note) for camera_id in dict.fromkeys(wanted.cameras)
    ]
    opened, refused = await centre.viewing.open(web, wishes)
    if not opened:
        error = refused[0].refusal.error
        return answer(error.http_status, error.code, error.message, error.hint)
    return JSONResponse(
        {"sessions": [opened_json(look) for look in opened], "refused": [refused_json(look) for look in refused]}
    )


@router.post("/live-sessions/renew", openapi_extra=declares(EventKind.LIVE_OPENED, EventKind.LIVE_CLOSED))
async def renew_live(wanted: SessionList, web: PassiveWatcher, centre: TheCentre) -> dict[str, Any]:
    """Prolong live looks by one lease, under the entry that they were opened with."""
    return renewal_json(await centre.viewing.renew(web, MediaAct.LIVE, wanted.sessions))


@router.post("/live-sessions/close", status_code=204, openapi_extra=declares(EventKind.LIVE_CLOSED))
async def close_live(wanted: SessionList, web: LoggedIn, centre: TheCentre) -> None:
    """End live looks."""
    await centre.viewing.close(web, wanted.sessions)


@router.get("/presence")
async def presence(_: Observer, centre: TheCentre) -> dict[str, Any]:
    """Who watches which camera now. It says nothing of yesterday, and counts nothing (LAW-29)."""
    async with centre.services.database.reading() as session:
        rows = await open_looks(session)
    people: dict[str, dict[str, Any]] = {}
    for row in rows:
        entry = people.setdefault(
            row.person_id,
            {
                "id": row.person_id,
                "name": row.person_name,
                "role": row.person_role,
                "role_label": ROLE_LABELS[Role(row.person_role)],
                "since": utc_text(row.opened_at_ns),
                "cameras": [],
            },
        )
        if row.camera_id not in entry["cameras"]:
            entry["cameras"].append(row.camera_id)
    return {"people": list(people.values())}
