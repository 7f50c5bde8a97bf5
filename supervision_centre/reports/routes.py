"""Monthly reports over HTTP: which were issued, and issuing one (LAW-18). A mayor gets those of their commune."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse, Response

from access_audit.events import EventKind
from supervision_centre.access.entries import author_of, session_event
from supervision_centre.access.owed import owe
from supervision_centre.documents.process import pdf_bytes
from supervision_centre.journal.answers import Names
from supervision_centre.journal.routes import Reader
from supervision_centre.journal.service import JournalReader, scope_of
from supervision_centre.reports.answers import envelope, issued_json
from supervision_centre.reports.month import Month
from supervision_centre.reports.page import report_page
from supervision_centre.web.current import TheCentre
from supervision_centre.web.declarations import declares
from vms.base.errors import ErrorKind, VmsError

router = APIRouter(prefix="/api/audit")


class ReportFormat(StrEnum):
    """JSON with its proof for programs, PDF/A with both inside for people."""

    JSON = "json"
    PDF = "pdf"


@router.get("/reports", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def list_reports(web: Reader, centre: TheCentre) -> dict[str, Any]:
    """The reports that were issued, newest first, within the scope of the reader."""
    await JournalReader(centre.services).note(web.person, "rapports établis")
    names = Names.of(await centre.services.cameras.all())
    entries = await centre.reports.issued(scope_of(web.person))
    return {"reports": [issued_json(entry, names) for entry in entries if entry.event is not None]}


@router.get(
    "/reports/{commune}/{month}",
    openapi_extra=declares(EventKind.JOURNAL_CONSULTED, EventKind.REPORT_ISSUED),
    response_model=None,
)
async def report(
    commune: Annotated[str, Path(pattern="^[0-9AB]{5}$")],
    month: Annotated[str, Path(max_length=7)],
    web: Reader,
    centre: TheCentre,
    form: Annotated[ReportFormat, Query(alias="format")] = ReportFormat.JSON,
) -> Response:
    """Issue the report of a commune and a month that is over; of another commune it does not exist (LAW-18)."""
    wanted = Month.parse(month)
    scope = scope_of(web.person)
    if scope is not None and commune not in scope:
        now_ns = centre.services.clock.utc_ns()
        refusal = session_event(
            EventKind.SESSION_REFUSED, author_of(web.person), now_ns, cause=f"scope:report:{commune}"
        )
        async with centre.services.database.writing() as session:
            owe(session, [refusal])
        centre.deliverer.wake()
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "report.commune",
            "Cette commune n'est pas dans votre périmètre.",
            hint="Choisissez votre commune.",
        )
    issued = await centre.reports.issue(author_of(web.person), commune, wanted)
    name = f"rapport-{commune}-{wanted.text}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if form is ReportFormat.JSON:
        return JSONResponse(envelope(issued), headers=headers)
    drawn = await pdf_bytes(report_page(issued, centre.services.settings.centre_name))
    return Response(drawn, media_type="application/pdf", headers=headers)
