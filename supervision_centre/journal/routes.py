"""The journal of accesses: search, and the proof of one entry."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse

from access_audit.events import EventKind, LegalOperation
from access_audit.journal import JournalEntry, JournalQuery
from cameras.contract import CameraView
from supervision_centre.access.policy import Right
from supervision_centre.access.purposes import reason_label
from supervision_centre.journal.labels import OPERATIONS, kind_label, role_label
from supervision_centre.journal.service import JournalReader
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier, Instant
from vms.base.clock import utc_text

router = APIRouter(prefix="/api")

Reader = Annotated[WebSession, Depends(holder(Right.JOURNAL))]
_MAX_INDEX = 2**53 - 1


@router.get("/journal", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def search(
    web: Reader,
    centre: TheCentre,
    person: Identifier | None = None,
    camera: Identifier | None = None,
    commune: Annotated[str | None, Query(pattern="^[0-9AB]{5}$")] = None,
    operation: LegalOperation | None = None,
    since_ns: Annotated[Instant | None, Query(alias="from")] = None,
    until_ns: Annotated[Instant | None, Query(alias="to")] = None,
    before: Annotated[int | None, Query(ge=0, le=_MAX_INDEX)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """A page of the journal, newest first."""
    query = JournalQuery(
        person_id=person or "",
        camera_id=camera or "",
        communes=frozenset({commune}) if commune else None,
        operations=frozenset({operation}) if operation else frozenset(),
        since_ns=since_ns,
        until_ns=until_ns,
        before_index=before,
        limit=limit,
    )
    page = await JournalReader(centre.services).search(web.person, query)
    cameras = {view.camera_id: view for view in await centre.services.cameras.all()}
    communes = {view.commune: view.commune_name for view in cameras.values()}
    return {"entries": [_json(entry, cameras, communes) for entry in page.entries], "next": page.next_before}


@router.get("/journal/{index}/proof", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def proof(index: Annotated[int, Path(ge=0, le=_MAX_INDEX)], web: Reader, centre: TheCentre) -> JSONResponse:
    """The proof of one entry, as a file that `vms audit` checks offline."""
    content = await JournalReader(centre.services).proof(web.person, index)
    return JSONResponse(content, headers={"Content-Disposition": f'attachment; filename="preuve-journal-{index}.json"'})


def _json(entry: JournalEntry, cameras: dict[str, CameraView], communes: dict[str, str]) -> dict[str, Any]:
    base: dict[str, Any] = {"index": entry.index, "at": utc_text(entry.at_ns), "leaf": entry.leaf_hash}
    event = entry.event
    if event is None:
        return base | {
            "kind": "expired",
            "kind_label": "Entrée arrivée à échéance, contenu effacé",
            "operation": "",
            "operation_label": "",
            "range": None,
        }
    view = cameras.get(event.camera_id)
    return base | {
        "kind": event.kind.value,
        "kind_label": kind_label(event.kind),
        "operation": event.operation.value,
        "operation_label": OPERATIONS[event.operation],
        "person": event.author.name,
        "person_id": event.author.person_id,
        "role": event.author.role,
        "role_label": role_label(event.author.role),
        "reason": event.reason.code,
        "reason_label": reason_label(event.reason.code),
        "note": event.reason.text,
        "camera": event.camera_id,
        "camera_name": view.name if view else event.camera_id,
        "commune": event.commune,
        "commune_name": communes.get(event.commune, event.commune),
        "authority": event.authority,
        "range": {"start": utc_text(event.range_start_ns), "end": utc_text(event.range_end_ns)}
        if event.range_end_ns
        else None,
        "details": event.details,
    }
