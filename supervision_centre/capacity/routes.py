"""The capacity of the disks over HTTP (LAW-08)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from supervision_centre.access.policy import Right
from supervision_centre.capacity.report import report_json
from supervision_centre.people.web_sessions import WebSession
from supervision_centre.web.current import TheCentre, holder
from vms.base.errors import ErrorKind, VmsError

router = APIRouter(prefix="/api")

NODE_DEADLINE_S = 5.0

Reader = Annotated[WebSession, Depends(holder(Right.CAPACITY, passive=True))]


@router.get("/capacity")
async def capacity(_: Reader, centre: TheCentre) -> dict[str, Any]:
    """Each disk with its state and what to do. Asked again by the console alone, so it does not prolong a session."""
    services = centre.services
    try:
        async with asyncio.timeout(NODE_DEADLINE_S):
            disks = await services.node.capacity()
    except TimeoutError:
        raise VmsError(
            ErrorKind.UNAVAILABLE,
            "node.timeout",
            "L'enregistreur n'a pas donné l'état de ses disques à temps.",
            hint="La console redemandera d'elle-même.",
        ) from None
    return report_json(disks, services.clock.utc_ns())
