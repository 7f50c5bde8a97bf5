"""The journal of accesses: search, and the proof of one entry."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse

from access_audit.events import EventKind, LegalOperation
from access_audit.journal import JournalQuery
from supervision_centre.access.policy import Right
from supervision_centre.journal.answers import Names, entry_json, may_read_requisitions
from supervision_centre.journal.service import JournalReader
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Identifier, Instant, Line

router = APIRouter(prefix="/api/audit")

Reader = Annotated[WebSession, Depends(holder(Right.JOURNAL))]
Commune = Annotated[str, Query(pattern="^[0-9AB]{5}$")]
_MAX_INDEX = 2**53 - 1


@router.get("/entries", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def search(
    web: Reader,
    centre: TheCentre,
    person: Identifier | None = None,
    camera: Identifier | None = None,
    commune: Commune | None = None,
    requisition: Line | None = None,
    operation: LegalOperation | None = None,
    since_ns: Annotated[Instant | None, Query(alias="from")] = None,
    until_ns: Annotated[Instant | None, Query(alias="to")] = None,
    before: Annotated[int | None, Query(ge=0, le=_MAX_INDEX)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """A page of the journal, newest first; `requisitions` says whether this reader may search by requisition."""
    query = JournalQuery(
        person_id=person or "",
        camera_id=camera or "",
        requisition=requisition or "",
        communes=frozenset({commune}) if commune else None,
        operations=frozenset({operation}) if operation else frozenset(),
        since_ns=since_ns,
        until_ns=until_ns,
        before_index=before,
        limit=limit,
    )
    page = await JournalReader(centre.services).search(web.person, query)
    names = Names.of(await centre.services.cameras.all())
    return {
        "entries": [entry_json(entry, names) for entry in page.entries],
        "next": page.next_before,
        "requisitions": may_read_requisitions(web.person),
    }


@router.get("/entries/{index}/proof", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def proof(index: Annotated[int, Path(ge=0, le=_MAX_INDEX)], web: Reader, centre: TheCentre) -> JSONResponse:
    """The proof of one entry, as a file that `vms audit` checks offline."""
    content = await JournalReader(centre.services).proof(web.person, index)
    return JSONResponse(content, headers={"Content-Disposition": f'attachment; filename="preuve-journal-{index}.json"'})
