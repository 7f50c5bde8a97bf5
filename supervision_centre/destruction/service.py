"""Making a certificate: read the journal, ask the node what is left, and gather the proofs (LAW-09, LAW-31).

Reading the journal is itself in the journal, before the first line is read. Each entry that the certificate rests on
comes with its own proof file, so that an auditor checks it against the key of the log and without this centre.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.journal import JournalQuery
from cameras.contract import CameraView
from recorder.contract.node import RecorderNode
from supervision_centre.access.purposes import CONTROL
from supervision_centre.cameras.recorded import recorded
from supervision_centre.destruction.certificate import KINDS, Certificate, bounds_of, certify
from supervision_centre.holds import rows
from vms.base.clock import Clock
from vms.base.database import Database
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

_PROOFS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Proved:
    """A certificate, the signed head of the log when it was made, and the proof file of each entry by its index."""

    certificate: Certificate
    camera: CameraView
    head_size: int
    head_root: str
    proofs: Mapping[int, dict[str, Any]]


class Destruction:
    """Certificates of destruction over the journal, the node and the table of holds."""

    def __init__(self, audit: AuditClient, node: RecorderNode, database: Database, clock: Clock) -> None:
        self._audit = audit
        self._node = node
        self._database = database
        self._clock = clock

    async def certify(self, author: Author, camera: CameraView, day: date) -> Proved:
        """The certificate of a camera and a day.

        VmsError `destruction.day` for a day that is not over, `audit.unavailable` when the journal does not answer. A
        node that does not answer leaves its part empty, which the certificate says.
        """
        start_ns, end_ns = bounds_of(day)
        now_ns = self._clock.utc_ns()
        if now_ns < end_ns:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "destruction.day",
                "Cette journée n'est pas terminée : elle ne peut pas encore être certifiée.",
                hint="Choisissez une journée passée.",
            )
        await self._audit.record(_consulted(author, camera, day, now_ns))
        told = JournalQuery(camera_id=camera.camera_id, kinds=KINDS, since_ns=start_ns)
        entries = [entry async for entry in self._audit.entries(told)]
        remaining = await recorded(self._node, camera.camera_id, start_ns, end_ns)
        async with self._database.reading() as session:
            holds = await rows.standing(session, camera.camera_id)
        certificate = certify(camera.camera_id, day, entries, remaining, holds, now_ns)
        proofs = await self._proofs([entry.index for entry in certificate.cited])
        head = await self._audit.head()
        return Proved(certificate, camera, head.size, head.root.hex(), proofs)

    async def _proofs(self, indices: list[int]) -> dict[int, dict[str, Any]]:
        proofs: dict[int, dict[str, Any]] = {}
        for first in range(0, len(indices), _PROOFS_AT_ONCE):
            some = indices[first : first + _PROOFS_AT_ONCE]
            proofs |= dict(zip(some, await asyncio.gather(*map(self._audit.proof, some)), strict=True))
        return proofs


def _consulted(author: Author, camera: CameraView, day: date, now_ns: int) -> AccessEvent:
    return AccessEvent(
        kind=EventKind.JOURNAL_CONSULTED,
        author=author,
        at_ns=now_ns,
        reason=Reason(CONTROL),
        recipients=(author.name,),
        commune=camera.commune,
        authority=camera.authority,
        camera_id=camera.camera_id,
        details={"search": f"certificat de destruction du {day.isoformat()}"},
    )
