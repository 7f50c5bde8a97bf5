"""Certificates over HTTP (LAW-09). No answer holds an image."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response

from access_audit.events import EventKind
from supervision_centre.access.entries import author_of
from supervision_centre.access.policy import Right
from supervision_centre.destruction.answers import certificate_json
from supervision_centre.destruction.page import certificate_page
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier

router = APIRouter(prefix="/api")

Reader = Annotated[WebSession, Depends(holder(Right.DESTRUCTION))]


class CertificateFormat(StrEnum):
    """JSON for programs, HTML for printers."""

    JSON = "json"
    HTML = "html"


@router.get(
    "/cameras/{camera_id}/destruction",
    openapi_extra=declares(EventKind.JOURNAL_CONSULTED, EventKind.PLAYBACK_REFUSED),
    response_model=None,
)
async def destruction(
    camera_id: Identifier,
    day: Annotated[date, Query()],
    web: Reader,
    centre: TheCentre,
    form: Annotated[CertificateFormat, Query(alias="format")] = CertificateFormat.JSON,
) -> Response:
    """What was recorded of a camera on a day of Europe/Paris, and what became of it."""
    services = centre.services
    camera = await centre.viewing.camera_of(web.person, camera_id)
    proved = await centre.destruction.certify(author_of(web.person), camera, day)
    if form is CertificateFormat.HTML:
        name = services.settings.centre_name
        return HTMLResponse(certificate_page(proved, centre_name=name, author_name=web.person.name))
    file_name = f"destruction-{camera_id}-{day.isoformat()}.json"
    return JSONResponse(
        certificate_json(proved), headers={"Content-Disposition": f'attachment; filename="{file_name}"'}
    )
