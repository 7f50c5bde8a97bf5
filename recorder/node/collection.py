"""What was collected, told to the access log by the hour (LAW-25, LAW-40).

One event per camera and hour that has segments: their number, their bytes, one digest over the digests of all of them,
in the order of time, and the chain's digests before the first and after the last. Any later loss or change of a segment
contradicts that entry. A segment belongs to the hour in which it starts; an hour is told ten minutes after its end.
What is told while a disk is away or a segment waits to be closed is told again when all is there: of several entries
on one hour the last one counts. How far this has come is kept in the shard's folder, so that a restart leaves nothing
out; at worst, after a crash, one hour is told twice in the same words.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from access_audit.events import AccessEvent, EventKind
from recorder.contract.assignment import CameraAssignment
from recorder.node.journal import RECORDING_REASON, ShardJournal
from recorder.store.disks import Disks
from recorder.store.sealing import HOUR_NS, chain_of, digest_over
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

FILE_NAME = "collected.json"
GRACE_NS = 600 * NS_PER_SECOND
"""At the end of an hour its last segment is still open: a segment lasts ten minutes at most."""
LONGEST_CATCH_UP_NS = 31 * 24 * HOUR_NS
CHECK_S = 60.0


class CollectionReports:
    """Tells the log hour after hour. `run` until it is cancelled; `assignments` are the cameras of the moment."""

    def __init__(
        self,
        folder: Path,
        disks: Disks,
        journal: ShardJournal,
        clock: Clock,
        assignments: Callable[[], Sequence[CameraAssignment]],
    ) -> None:
        self._file = folder / FILE_NAME
        self._disks = disks
        self._journal = journal
        self._clock = clock
        self._assignments = assignments
        self._told_until_ns = 0
        self._unfinished: set[int] = set()
        self._communes: dict[str, str] = {}

    async def run(self) -> None:
        """Catch up, then tell each hour when it is over."""
        await self.load()
        while True:
            await self.tell_finished_hours()
            await self._clock.sleep(CHECK_S)

    async def load(self) -> None:
        """Take up where the last run of the shard has come to."""
        await asyncio.to_thread(self._load)

    async def tell_finished_hours(self) -> None:
        """Tell every hour that is over and not told yet."""
        now_ns = self._clock.utc_ns()
        newest_ns = (now_ns - GRACE_NS) // HOUR_NS * HOUR_NS
        if not self._told_until_ns:
            self._told_until_ns = newest_ns - HOUR_NS
        self._told_until_ns = max(self._told_until_ns, newest_ns - LONGEST_CATCH_UP_NS)
        while self._told_until_ns < newest_ns:
            self._communes |= {one.camera_id: one.commune for one in self._assignments()}
            await self._tell_hour(self._told_until_ns)
            self._told_until_ns += HOUR_NS
            # A camera that left is told about for the hour in which it did, then forgotten.
            self._communes = {one.camera_id: one.commune for one in self._assignments()}
            await asyncio.to_thread(self._save)
        if self._unfinished and self._disks.complete:
            for hour_ns in sorted(self._unfinished):
                self._unfinished.discard(hour_ns)
                if hour_ns >= newest_ns - LONGEST_CATCH_UP_NS:
                    await self._tell_hour(hour_ns)
                await asyncio.to_thread(self._save)

    async def _tell_hour(self, hour_ns: int) -> None:
        if not self._disks.complete:
            self._unfinished.add(hour_ns)
        for camera_id, commune in self._communes.items():
            await self._tell(camera_id, commune, hour_ns)
        await self._journal.flush()  # a month of hours would not fit into what the journal lets wait

    async def _tell(self, camera_id: str, commune: str, hour_ns: int) -> None:
        try:
            segments = await self._disks.segments_between(camera_id, hour_ns, hour_ns + HOUR_NS)
        except VmsError as unknown:
            if unknown.kind is not ErrorKind.NOT_FOUND:
                raise
            return
        own = [one for one in segments if not one.open and hour_ns <= one.start_ns < hour_ns + HOUR_NS]
        if not own:
            return
        chain = chain_of(own)
        self._journal.put(
            AccessEvent(
                EventKind.RECORDING_COLLECTED,
                self._journal.author,
                self._clock.utc_ns(),
                RECORDING_REASON,
                commune=commune,
                camera_id=camera_id,
                range_start_ns=own[0].start_ns,
                range_end_ns=max(one.end_ns for one in own),
                details={
                    "segments": str(len(chain)),
                    "bytes": str(sum(one.size_bytes for one in own)),
                    "digest": digest_over(chain),
                    "previous": own[0].previous_digest.hex(),
                    "last": chain[-1].hex(),
                },
            )
        )

    def _load(self) -> None:
        try:
            content = json.loads(self._file.read_bytes())
            self._told_until_ns = int(content["told_until_ns"])
            self._unfinished = {int(hour_ns) for hour_ns in content.get("unfinished", ())}
            self._communes = {str(camera_id): str(commune) for camera_id, commune in content["cameras"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as unreadable:
            log.error("collection state cannot be read", path=str(self._file), error=repr(unreadable))

    def _save(self) -> None:
        content = {
            "told_until_ns": self._told_until_ns,
            "unfinished": sorted(self._unfinished),
            "cameras": self._communes,
        }
        durable.write_atomic(self._file, json.dumps(content, separators=(",", ":")).encode())
