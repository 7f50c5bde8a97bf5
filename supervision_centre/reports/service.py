"""Making a monthly report, and putting its digest in the log, which signs it (LAW-18, LAW-25, LAW-30).

1. The reading is in the journal first. 2. The content is drawn from the entries of the commune, and from the node for
the causes of gaps. 3. The SHA-256 of the content, as canonical JSON, becomes the entry `report.issued`. 4. The proof of
that entry goes with the report. Whoever holds the report, the proof and the public key of the log can tell, years later
and without this centre, that these very bytes were issued then: no second key, no second format of signature.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import structlog

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.journal import JournalEntry, JournalQuery
from cameras.contract import CameraDirectory, CameraView
from recorder.contract.node import RecorderNode
from recorder.contract.timeline import Gap
from supervision_centre.access.purposes import CONTROL
from supervision_centre.cameras.recorded import recorded
from supervision_centre.journal.anchor import Anchor, anchor_of
from supervision_centre.journal.answers import Names
from supervision_centre.reports.availability import Availability, Stretch, availability_of
from supervision_centre.reports.content import Subject, report_content
from supervision_centre.reports.month import Month
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

_LATE_NS: Final = 31 * 86_400 * NS_PER_SECOND
"""How long after the month a node may have told its hours."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A report: its content, the bytes of its canonical JSON, their SHA-256, and the entry that holds it."""

    content: dict[str, Any]
    canonical: bytes
    digest: str
    anchor: Anchor


class Reports:
    """Monthly reports over the journal, the node and the directory of cameras."""

    def __init__(self, audit: AuditClient, node: RecorderNode, cameras: CameraDirectory, clock: Clock) -> None:
        self._audit = audit
        self._node = node
        self._cameras = cameras
        self._clock = clock

    async def issue(self, author: Author, commune: str, month: Month) -> Issued:
        """The report of a commune and a month that is over.

        VmsError `report.month`, `report.commune` for a commune that the log and the directory do not know,
        `audit.unavailable`. A node that does not answer leaves the causes of gaps out, which the report says.
        """
        start_ns, end_ns = month.bounds_ns
        now_ns = self._clock.utc_ns()
        if now_ns < end_ns:
            raise VmsError(
                ErrorKind.INVALID_INPUT,
                "report.month",
                "Ce mois n'est pas terminé : son rapport ne peut pas encore être établi.",
                hint="Choisissez un mois passé.",
            )
        views = [view for view in await self._cameras.all() if view.commune == commune]
        receipt = await self._audit.record(_consulted(author, commune, views, month, now_ns))
        before = await anchor_of(self._audit, receipt)
        entries = [entry async for entry in self._entries(commune, start_ns, end_ns, before.size)]
        if not views and not entries:
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "report.commune",
                "Ni caméra ni inscription ne concerne cette commune.",
                hint="Vérifiez le code INSEE de la commune.",
            )
        names = Names.of(views)
        collected = await self._collected(commune, start_ns, end_ns, before.size)
        cameras, answered = await self._availability(views, collected, names, start_ns, end_ns)
        authorities = {view.authority for view in views} | {entry.event.authority for entry in entries if entry.event}
        subject = Subject(
            commune=commune,
            commune_name=names.commune(commune),
            authorities=tuple(sorted(authorities - {""})),
            month=month,
            made_at_ns=now_ns,
            made_for=author.name,
            log={"origin": before.origin, "size": before.size, "root": before.root},
        )
        content = report_content(subject, entries, names, cameras, answered)
        return await self._signed(author, subject, content)

    async def issued(self, communes: frozenset[str] | None) -> list[JournalEntry]:
        """The newest entries `report.issued` of these communes; None for all."""
        kinds = frozenset({EventKind.REPORT_ISSUED})
        return list((await self._audit.search(JournalQuery(communes=communes, kinds=kinds, limit=200))).entries)

    async def _signed(self, author: Author, subject: Subject, content: dict[str, Any]) -> Issued:
        canonical = await asyncio.to_thread(canonical_json, content)
        digest = hashlib.sha256(canonical).hexdigest()
        receipt = await self._audit.record(
            AccessEvent(
                kind=EventKind.REPORT_ISSUED,
                author=author,
                at_ns=subject.made_at_ns,
                reason=Reason(CONTROL),
                recipients=(author.name,),
                commune=subject.commune,
                authority=subject.authorities[0] if len(subject.authorities) == 1 else "",
                details={"month": subject.month.text, "digest": digest},
            )
        )
        return Issued(content, canonical, digest, await anchor_of(self._audit, receipt))

    async def _entries(self, commune: str, since_ns: int, until_ns: int, size: int) -> AsyncIterator[JournalEntry]:
        kinds = frozenset(kind for kind in EventKind if kind is not EventKind.RECORDING_COLLECTED)
        async for entry in self._audit.entries(
            JournalQuery(
                communes=frozenset({commune}), kinds=kinds, since_ns=since_ns, until_ns=until_ns, before_index=size
            )
        ):
            yield entry

    async def _collected(self, commune: str, start_ns: int, end_ns: int, size: int) -> dict[str, list[Stretch]]:
        found: dict[str, list[Stretch]] = {}
        query = JournalQuery(
            communes=frozenset({commune}),
            kinds=frozenset({EventKind.RECORDING_COLLECTED}),
            since_ns=start_ns,
            until_ns=end_ns + _LATE_NS,
            before_index=size,
        )
        async for entry in self._audit.entries(query):
            event = entry.event
            if event is not None and event.range_start_ns < end_ns and event.range_end_ns > start_ns:
                stretch = Stretch(max(event.range_start_ns, start_ns), min(event.range_end_ns, end_ns))
                found.setdefault(event.camera_id, []).append(stretch)
        return found

    async def _availability(
        self, views: list[CameraView], collected: dict[str, list[Stretch]], names: Names, start_ns: int, end_ns: int
    ) -> tuple[dict[str, tuple[str, Availability]], bool]:
        found: dict[str, tuple[str, Availability]] = {}
        answered = True
        for camera_id in sorted({view.camera_id for view in views} | collected.keys()):
            kept = await recorded(self._node, camera_id, start_ns, end_ns) if answered else None
            answered = kept is not None
            gaps = kept.gaps if kept is not None else ()
            hours = collected.get(camera_id, [])
            since_ns = await self._in_service_since(camera_id, hours, gaps, start_ns)
            period = Stretch(since_ns if since_ns is not None else end_ns, end_ns)
            found[camera_id] = (names.camera(camera_id), availability_of(period, hours, gaps))
        return found, answered

    async def _in_service_since(
        self, camera_id: str, hours: list[Stretch], gaps: tuple[Gap, ...], start_ns: int
    ) -> int | None:
        """From when images were expected in the month: its start, unless nothing is known of the camera before."""
        known = JournalQuery(
            camera_id=camera_id, kinds=frozenset({EventKind.RECORDING_COLLECTED}), until_ns=start_ns, limit=1
        )
        if (await self._audit.search(known)).entries:
            return start_ns
        first = [stretch.start_ns for stretch in hours] + [max(gap.start_ns, start_ns) for gap in gaps]
        return min(first) if first else None


def canonical_json(content: dict[str, Any]) -> bytes:
    """The one spelling of a content: sorted names, no blanks, UTF-8 (as RFC 8785 for what a report holds)."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _consulted(author: Author, commune: str, views: list[CameraView], month: Month, now_ns: int) -> AccessEvent:
    authorities = {view.authority for view in views}
    return AccessEvent(
        kind=EventKind.JOURNAL_CONSULTED,
        author=author,
        at_ns=now_ns,
        reason=Reason(CONTROL),
        recipients=(author.name,),
        commune=commune,
        authority=authorities.pop() if len(authorities) == 1 else "",
        details={"search": f"rapport de {month.text}"},
    )
