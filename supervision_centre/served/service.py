"""The daily comparison: the views of a day, after its end, against the log; what nothing explains is an alarm there.

The two days before today are compared, so that a centre or a node that was away for a night leaves nothing out; what
is in the log already is not told again. A node or a log that does not answer is asked again ten minutes later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

import structlog

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.journal import JournalEntry, JournalQuery
from supervision_centre.access.purposes import CONTROL
from supervision_centre.served.comparison import CLOSED, OPENED, Unexplained, compare
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

TURN_S = 600.0
DAYS_BACK = 2
AFTER_MIDNIGHT_NS = 900 * NS_PER_SECOND
"""The entries that close the looks of a day are in the log by then."""
_LONGEST_LOOK = timedelta(hours=36)
_AUTHOR = Author("served-comparison", "Comparaison quotidienne", "system")


async def journal_of(audit: AuditClient, day: date, kinds: Collection[EventKind], until_ns: int) -> list[JournalEntry]:
    """The entries of some kinds that can speak of views of a day, up to an instant."""
    since_ns = _midnight_ns(day) - int(_LONGEST_LOOK.total_seconds()) * NS_PER_SECOND
    query = JournalQuery(kinds=frozenset(kinds), since_ns=since_ns, until_ns=until_ns)
    return [entry async for entry in audit.entries(query)]


class ServedComparison:
    """The comparison of one centre."""

    def __init__(self, services: CentreServices) -> None:
        self._services = services
        self._compared: date | None = None

    async def run(self) -> None:
        """Compare each day once it is over, for ever."""
        while True:
            await self.once()
            await self._services.clock.sleep(TURN_S)

    async def once(self) -> None:
        """Compare the days before today, unless that is done."""
        now_ns = self._services.clock.utc_ns()
        today = datetime.fromtimestamp((now_ns - AFTER_MIDNIGHT_NS) // NS_PER_SECOND, UTC).date()
        if self._compared == today:
            return
        try:
            for back in range(DAYS_BACK, 0, -1):
                await self.compare_day(today - timedelta(days=back))
        except VmsError as away:
            log.warning("what was served cannot be compared yet", code=away.code, detail=away.detail)
            return
        self._compared = today

    async def compare_day(self, day: date) -> list[Unexplained]:
        """Compare one UTC day and put what is new in the log. VmsError when node or log does not answer."""
        services = self._services
        views = [view for view in await services.node.served(day.isoformat()) if view.sent_bytes]
        if not views:
            return []
        now_ns = services.clock.utc_ns()
        entries = await journal_of(services.audit, day, {*OPENED, *CLOSED}, now_ns + NS_PER_SECOND)
        found = compare(views, entries)
        if found:
            await self._tell(day, found, now_ns)
        return found

    async def _tell(self, day: date, found: Sequence[Unexplained], now_ns: int) -> None:
        services = self._services
        told = {
            (entry.event.details["session"], entry.event.details["cause"])
            for entry in await journal_of(services.audit, day, {EventKind.VIEWING_UNEXPLAINED}, now_ns + NS_PER_SECOND)
            if entry.event is not None
        }
        cameras = {camera.camera_id: camera for camera in await services.cameras.all()}
        for each in found:
            view = each.view
            if (view.session_id, each.cause) in told:
                continue
            camera = cameras.get(view.camera_id)
            log.error("images were served that the log does not explain", session_id=view.session_id, cause=each.cause)
            await services.audit.record(
                AccessEvent(
                    EventKind.VIEWING_UNEXPLAINED,
                    _AUTHOR,
                    now_ns,
                    Reason(CONTROL),
                    commune=camera.commune if camera else "",
                    authority=camera.authority if camera else "",
                    camera_id=view.camera_id,
                    details={
                        "session": view.session_id,
                        "cause": each.cause,
                        "seconds": str(view.seconds),
                        "excess_s": str(each.excess_s),
                        "bytes": str(view.sent_bytes),
                        "day": day.isoformat(),
                    },
                )
            )
            told.add((view.session_id, each.cause))


def _midnight_ns(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_SECOND
