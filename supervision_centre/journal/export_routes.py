"""Exports of the journal over HTTP: one stream to take away, and how far it is (LAW-31)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from sqlalchemy import select

from access_audit.events import EventKind
from supervision_centre.access.policy import Right
from supervision_centre.destruction.certificate import paris_time
from supervision_centre.documents.process import pdf_bytes
from supervision_centre.journal.answers import Names
from supervision_centre.journal.attestation import Coverage, controller_text
from supervision_centre.journal.communications import communication_json, communications, communications_page
from supervision_centre.journal.export import ExportForm, ExportState, ExportWish
from supervision_centre.journal.inventory import inventory_archive, inventory_for, inventory_json, inventory_page
from supervision_centre.journal.routes import Commune, Reader
from supervision_centre.journal.service import scope_of
from supervision_centre.people.person import Person
from supervision_centre.people.tables import WebSessionRow
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from supervision_centre.web.declarations import declares
from supervision_centre.web.fields import Instant, Line
from vms.base.ids import new_id

router = APIRouter(prefix="/api/audit")


class PageFormat(StrEnum):
    """JSON for programs, PDF/A for people."""

    JSON = "json"
    PDF = "pdf"


class InventoryFormat(StrEnum):
    """JSON for programs, CSV for spreadsheets, PDF/A to keep."""

    JSON = "json"
    CSV = "csv"
    PDF = "pdf"


_ID_PATTERN = "^[A-Za-z0-9-]{8,64}$"


@router.get("/export", openapi_extra=declares(EventKind.JOURNAL_CONSULTED))
async def export(
    web: Reader,
    centre: TheCentre,
    since_ns: Annotated[Instant, Query(alias="from")],
    until_ns: Annotated[Instant, Query(alias="to")],
    form: Annotated[ExportForm, Query(alias="format")] = ExportForm.CSV,
    commune: Commune | None = None,
    authority: Line | None = None,
    export_id: Annotated[str | None, Query(alias="id", pattern=_ID_PATTERN)] = None,
) -> StreamingResponse:
    """The entries of a period and a controller as an archive. `id` is chosen by the caller, to ask how far it is."""

    async def still_in() -> bool:
        kept = select(WebSessionRow.session_id).where(WebSessionRow.session_id == web.session_id)
        async with centre.services.database.reading() as session:
            return await session.one_or_none(kept) is not None

    wish = ExportWish(form, since_ns, until_ns, commune or "", authority or "")
    pieces = await centre.exports.open(web.person, export_id or new_id("exp"), wish, still_in)
    name = f"journal-{_scope_name(web.person, commune)}-{_days(since_ns, until_ns)}-{form}.zip"
    return StreamingResponse(
        pieces, media_type="application/zip", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/communications", openapi_extra=declares(EventKind.JOURNAL_CONSULTED), response_model=None)
async def export_journal(
    web: Reader,
    centre: TheCentre,
    since_ns: Annotated[Instant, Query(alias="from")],
    until_ns: Annotated[Instant, Query(alias="to")],
    commune: Commune | None = None,
    form: Annotated[PageFormat, Query(alias="format")] = PageFormat.JSON,
) -> Response:
    """The export journal of the arrêté: every communication of images in a period (LAW-42)."""
    services = centre.services
    entries, anchor = await communications(services, web.person, commune or "", since_ns, until_ns)
    names = Names.of(await services.cameras.all())
    if form is PageFormat.JSON:
        return JSONResponse({"communications": [communication_json(entry, names) for entry in entries]})
    coverage = Coverage(
        centre_name=services.settings.centre_name,
        reader=web.person.name,
        since_ns=since_ns,
        until_ns=until_ns,
        controller=controller_text(web.person, commune or "", names),
        made_at_ns=services.clock.utc_ns(),
        anchor=anchor,
    )
    drawn = await pdf_bytes(communications_page(entries, names, coverage))
    name = f"journal-des-exports-{_days(since_ns, until_ns)}.pdf"
    return Response(
        drawn, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/inventory", openapi_extra=declares(EventKind.JOURNAL_CONSULTED), response_model=None)
async def inventory(
    web: Annotated[WebSession, Depends(holder(Right.INVENTORY))],
    centre: TheCentre,
    form: Annotated[InventoryFormat, Query(alias="format")] = InventoryFormat.JSON,
) -> Response:
    """Settings and lists for an inspection (LAW-31)."""
    found = await inventory_for(centre.services, centre.accounts, web.person)
    if form is InventoryFormat.JSON:
        return JSONResponse(inventory_json(found))
    day = paris_time(found.made_at_ns).date().isoformat()
    if form is InventoryFormat.CSV:
        content, media_type, name = inventory_archive(found), "application/zip", f"reglages-et-listes-{day}.zip"
    else:
        content = await pdf_bytes(inventory_page(found))
        media_type, name = "application/pdf", f"reglages-et-listes-{day}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


@router.get("/export/{export_id}")
async def progress(
    export_id: Annotated[str, Path(pattern=_ID_PATTERN)], web: Reader, centre: TheCentre
) -> dict[str, Any]:
    """How far an export is; `unknown` for one that this process of the centre does not have."""
    found = centre.exports.progress(web.person, export_id)
    if found is None:
        return {"state": "unknown", "entries": 0, "share": 0.0}
    share = round(found.share, 3) if found.state is ExportState.RUNNING else float(found.state is ExportState.DONE)
    return {"state": found.state.value, "entries": found.entries, "share": share}


def _scope_name(person: Person, commune: str | None) -> str:
    scope = scope_of(person)
    return commune or ("complet" if scope is None else "-".join(sorted(scope)[:3]))


def _days(since_ns: int, until_ns: int) -> str:
    """The first and the last day of a period, by the calendar of Europe/Paris."""
    first, last = paris_time(since_ns).date(), paris_time(until_ns - 1).date()
    return f"{first.isoformat()}-{last.isoformat()}"
