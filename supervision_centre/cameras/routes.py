"""The cameras that exist for a person, with the state of their streams. No answer holds an image (LAW-18, LAW-57)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends

from access_audit.events import EventKind
from cameras.contract import CameraView
from recorder.contract.assignment import StreamRole
from recorder.contract.node import RecorderNode
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.ticket import MediaAct
from supervision_centre.access.policy import Right, Wish, no_such_camera, reaches
from supervision_centre.cameras.status_text import NODE_AWAY, status_message
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier
from vms.base.clock import utc_text
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/api")

_NODE_DEADLINE_S = 2.0

Reader = Annotated[WebSession, Depends(holder(Right.CAMERAS, passive=True))]


@router.get("/cameras")
async def list_cameras(web: Reader, centre: TheCentre) -> dict[str, Any]:
    """Every camera of the person's territories. Asked again by the console alone, so it does not prolong a session."""
    services = centre.services
    now_ns = services.clock.utc_ns()
    cameras = [camera for camera in await services.cameras.all() if reaches(web.person, camera, now_ns)]
    statuses = await _statuses(services.node)
    return {"cameras": [_json(camera, statuses, now_ns) for camera in cameras]}


@router.get("/cameras/{camera_id}", openapi_extra=declares(EventKind.LIVE_REFUSED))
async def one_camera(camera_id: Identifier, web: Reader, centre: TheCentre) -> dict[str, Any]:
    """One camera; of another commune it does not exist, and the journal says who tried."""
    services = centre.services
    now_ns = services.clock.utc_ns()
    camera = await services.cameras.get(camera_id)
    if camera is None or not reaches(web.person, camera, now_ns):
        refusal = no_such_camera()
        await centre.viewing.refuse(web.person, camera, Wish(MediaAct.LIVE, camera_id, ""), refusal)
        raise refusal.error
    return _json(camera, await _statuses(services.node), now_ns)


async def _statuses(node: RecorderNode) -> dict[str, StreamStatus] | None:
    try:
        async with asyncio.timeout(_NODE_DEADLINE_S):
            found = await node.statuses()
    except (VmsError, TimeoutError) as away:
        log.warning("node gives no statuses", error=repr(away))
        return None
    by_camera: dict[str, StreamStatus] = {}
    for status in found:
        if status.role is StreamRole.MAIN or status.camera_id not in by_camera:
            by_camera[status.camera_id] = status
    return by_camera


def _json(camera: CameraView, statuses: dict[str, StreamStatus] | None, now_ns: int) -> dict[str, Any]:
    if statuses is None:
        status = StreamStatus(camera.camera_id, StreamRole.MAIN, StreamCondition.NO_SIGNAL, now_ns, NODE_AWAY)
    else:
        status = statuses.get(
            camera.camera_id, StreamStatus(camera.camera_id, StreamRole.MAIN, StreamCondition.STOPPED, now_ns)
        )
    return {
        "id": camera.camera_id,
        "name": camera.name,
        "site": camera.site,
        "commune": camera.commune,
        "commune_name": camera.commune_name,
        "authority": camera.authority,
        "latitude": camera.latitude,
        "longitude": camera.longitude,
        "orientation_deg": camera.orientation_deg,
        "has_sub": camera.has_sub,
        "state": camera.state.value,
        "status": {
            "condition": status.condition.value,
            "since": utc_text(status.since_ns),
            "cause": status.cause,
            "message": status_message(status),
        },
    }
