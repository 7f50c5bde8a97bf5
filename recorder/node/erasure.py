"""What was erased, told to the access log by camera and hour of images (LAW-09, LAW-25).

Rules
1. An hour is told once nothing of it is left on any disk of the shard but what is held, and every file is unlinked.
   One event for each cause, with the number of segments, their bytes, and one digest over the digests of all of them in
   the order of time. `kept` counts the segments that holds keep.
2. When the hour is wholly gone, `seal` is the digest over all that was ever erased of it: the same as the `digest` of
   its collection, so that a certificate of destruction can name what was recorded and what is gone as one.
3. What is not told yet is in the index of each store. It is marked as told after the event is durable: a crash tells
   an hour twice in the same words, and never forgets it.
4. A disk that is away is not waited for: its share of an hour is told when it is back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from access_audit.events import AccessEvent, EventKind, Reason
from recorder.contract.hold import Hold
from recorder.node.journal import ShardJournal
from recorder.retention.holds import REORDER_NS, overlaps
from recorder.store.disks import Disks
from recorder.store.erasures import ErasedSegment, communes, digest_over, erased_in, left_in, untold_hours
from recorder.store.holds import holds_of
from recorder.store.sealing import HOUR_NS
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

CHECK_S: Final = 30.0
GRACE_NS: Final = 600 * NS_PER_SECOND
"""At the end of an hour its last segment is still open: a segment lasts five minutes at most."""
ERASURE_REASON = Reason("retention")


class ErasureReports:
    """Tells what is gone. `run` until it is cancelled."""

    def __init__(self, disks: Disks, journal: ShardJournal, clock: Clock) -> None:
        self._disks = disks
        self._journal = journal
        self._clock = clock

    async def run(self) -> None:
        """Tell each hour when it is gone."""
        while True:
            await self._clock.sleep(CHECK_S)
            try:
                await self.tell_what_is_gone()
            except VmsError as refused:
                log.error("erasure could not be told, and is tried again", detail=refused.detail)

    async def tell_what_is_gone(self) -> int:
        """Tell every hour that is ready; how many there were. Raises what the sink or a disk raises."""
        stores = self._disks.stores
        hours: set[tuple[str, int]] = set()
        places: dict[str, str] = {}
        for store in stores:
            hours |= set(await store.ask(untold_hours))
            told = await store.ask(communes)
            places |= {camera_id: commune for camera_id, commune in told.items() if commune or camera_id not in places}
        newest_ns = self._clock.utc_ns() - GRACE_NS - HOUR_NS
        done = 0
        for camera_id, hour_ns in sorted(hours, key=lambda one: (one[1], one[0])):
            if hour_ns <= newest_ns:
                done += await self._tell(stores, camera_id, hour_ns, places.get(camera_id, ""))
        return done

    async def _tell(self, stores: Sequence[SegmentStore], camera_id: str, hour_ns: int, commune: str) -> bool:
        erased: list[ErasedSegment] = []
        left: list[tuple[int, int]] = []
        for store in stores:
            gone, spans, waiting, holds = await store.ask(
                lambda index: (
                    erased_in(index, camera_id, hour_ns),
                    *left_in(index, camera_id, hour_ns),
                    holds_of(index, camera_id),
                )
            )
            if waiting or not _all_held(spans, holds, self._clock.utc_ns()):
                return False
            erased += gone
            left += spans
        new = [one for one in erased if not one.told]
        causes = sorted({one.cause for one in new})
        for cause in causes:
            last = cause == causes[-1]
            details = {"kept": str(len(left))} if left else {"seal": digest_over(erased)} if last else {}
            own = [one for one in new if one.cause == cause]
            await self._journal.keep(self._event(camera_id, commune, cause, own, details))
        for store in stores:
            await store.change(
                lambda: store.index.mark_told(camera_id, hour_ns, hour_ns + HOUR_NS, forget=not left)  # noqa: B023
            )
        return bool(new)

    def _event(
        self, camera_id: str, commune: str, cause: str, erased: Sequence[ErasedSegment], details: dict[str, str]
    ) -> AccessEvent:
        return AccessEvent(
            EventKind.RECORDING_ERASED,
            self._journal.author,
            self._clock.utc_ns(),
            ERASURE_REASON,
            commune=commune,
            camera_id=camera_id,
            range_start_ns=min(one.start_ns for one in erased),
            range_end_ns=max(one.end_ns for one in erased),
            details={
                "segments": str(len(erased)),
                "bytes": str(sum(one.size_bytes for one in erased)),
                "digest": digest_over(erased),
                "cause": cause,
                **details,
            },
        )


def _all_held(spans: Iterable[tuple[int, int]], holds: Sequence[Hold], utc_ns: int) -> bool:
    return all(
        any(hold.in_force(utc_ns) and overlaps(hold, begin - REORDER_NS, end + REORDER_NS) for hold in holds)
        for begin, end in spans
    )
