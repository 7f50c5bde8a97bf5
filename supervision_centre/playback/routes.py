"""Playback: the timeline of a camera, and looks at its past."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from access_audit.events import EventKind
from recorder.contract.ticket import MediaAct
from supervision_centre.access.answers import opened_json, renewal_json
from supervision_centre.access.policy import MAX_PLAYBACK_NS, Right, Wish
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.playback.labels import gap_label
from supervision_centre.playback.schemas import PlaybackRequest
from supervision_centre.web.current import LoggedIn, TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier, Instant, SessionList
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

router = APIRouter(prefix="/api")

_MAX_TIMELINE_NS = 31 * MAX_PLAYBACK_NS

Watcher = Annotated[WebSession, Depends(holder(Right.PLAYBACK))]
PassiveWatcher = Annotated[WebSession, Depends(holder(Right.PLAYBACK, passive=True))]


@router.get("/cameras/{camera_id}/timeline", openapi_extra=declares(EventKind.PLAYBACK_REFUSED))
async def timeline(
    camera_id: Identifier,
    start_ns: Annotated[Instant, Query(alias="from")],
    end_ns: Annotated[Instant, Query(alias="to")],
    web: PassiveWatcher,
    centre: TheCentre,
) -> dict[str, Any]:
    """What is recorded of a camera between two instants, and why the rest is missing."""
    services = centre.services
    await centre.viewing.camera_of(web.person, camera_id)
    if not start_ns < end_ns <= start_ns + _MAX_TIMELINE_NS:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "timeline.range",
            "La période demandée n'est pas valable.",
            hint="Demandez au plus trente et un jours.",
        )
    held = await services.node.timeline(camera_id, start_ns, end_ns)
    return {
        "spans": [{"start": utc_text(span.start_ns), "end": utc_text(span.end_ns)} for span in held.spans],
        "gaps": [
            {
                "start": utc_text(gap.start_ns),
                "end": utc_text(gap.end_ns) if gap.end_ns is not None else None,
                "cause": gap.cause.value,
                "detail": gap.detail,
                "label": gap_label(gap),
                "repaired": gap.repaired,
            }
            for gap in held.gaps
        ],
    }


@router.post("/playback-sessions", openapi_extra=declares(EventKind.PLAYBACK_OPENED, EventKind.PLAYBACK_REFUSED))
async def open_playback(wanted: PlaybackRequest, web: Watcher, centre: TheCentre) -> dict[str, Any]:
    """Open a look at a stretch of the past of one camera."""
    wish = Wish(MediaAct.PLAYBACK, wanted.camera, wanted.purpose, wanted.note, wanted.start, wanted.end)
    opened, refused = await centre.viewing.open(web, [wish])
    if not opened:
        raise refused[0].refusal.error
    return opened_json(opened[0])


@router.post("/playback-sessions/renew", openapi_extra=declares(EventKind.PLAYBACK_OPENED, EventKind.PLAYBACK_CLOSED))
async def renew_playback(wanted: SessionList, web: PassiveWatcher, centre: TheCentre) -> dict[str, Any]:
    """Prolong playback looks by one lease."""
    return renewal_json(await centre.viewing.renew(web, MediaAct.PLAYBACK, wanted.sessions))


@router.post("/playback-sessions/close", status_code=204, openapi_extra=declares(EventKind.PLAYBACK_CLOSED))
async def close_playback(wanted: SessionList, web: LoggedIn, centre: TheCentre) -> None:
    """End playback looks."""
    await centre.viewing.close(web, wanted.sessions)
