"""Whether the centre can do its work: for load balancers and for the supervisor of the machine."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from supervision_centre.people.tables import PersonRow
from supervision_centre.web.current import TheCentre
from vms.base.errors import VmsError

router = APIRouter(prefix="/api")


@router.get("/health")
async def health(centre: TheCentre) -> JSONResponse:
    """200 when the database answers; `viewing` says whether the journal does too, without which nothing is shown."""
    try:
        async with centre.services.database.reading() as session:
            await session.one_or_none(select(PersonRow.person_id).limit(1))
    except (SQLAlchemyError, OSError):
        return JSONResponse({"status": "down", "database": False, "viewing": False}, 503)
    try:
        await centre.services.audit.head()
    except VmsError:
        return JSONResponse({"status": "degraded", "database": True, "viewing": False})
    return JSONResponse({"status": "ok", "database": True, "viewing": True})
