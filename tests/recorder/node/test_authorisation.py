"""No authorisation, no recording: to the second, and to the picture, whatever the calendar or the clock does.

The node knows instants of UTC alone. What makes them odd is the calendar that people use: the nights on which Paris
changes its hour, the 29th of February, and a clock that is set.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from access_audit.events import AccessEvent, EventKind
from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation
from recorder.contract.status import StreamCondition
from recorder.contract.timeline import GapCause
from recorder.ingest.budget import ConnectionBudget
from recorder.ingest.pace import Wheel
from recorder.ingest.stream import IngestMachinery
from recorder.node.camera import CameraWorker, ShardServices
from recorder.node.journal import ShardJournal
from recorder.node.recording import RecordingReader
from recorder.recording.segment_writer import SegmentWriter
from recorder.retention.purgeable import DAY_NS, purgeable
from recorder.store.store import SegmentStore
from tests.recorder.node.shards import Log, camera_assignment
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, dated, open_store, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock

PARIS = ZoneInfo("Europe/Paris")
NIGHTS = {
    "an ordinary night": datetime(2026, 6, 14, 2, 30, tzinfo=PARIS),
    "summer time begins": datetime(2026, 3, 29, 3, 0, tzinfo=PARIS),
    "an instant of the hour that does not exist": datetime(2026, 3, 29, 2, 30, tzinfo=PARIS),
    "the first half past two in October": datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=PARIS),
    "the second half past two in October": datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS),
    "summer time ends": datetime(2026, 10, 25, 3, 0, tzinfo=PARIS),
    "the end of a leap day": datetime(2028, 3, 1, 0, 0, tzinfo=PARIS),
    "a leap day": datetime(2028, 2, 29, 0, 0, tzinfo=PARIS),
}


def ns_of(moment: datetime) -> int:
    return int(moment.timestamp()) * NS_PER_SECOND


class Camera:
    """A camera that nobody answers for, and what the log heard of it: only whether it is fetched counts here."""

    def __init__(self, store: SegmentStore, clock: ManualClock, starts_at_ns: int, ends_at_ns: int) -> None:
        self.clock = clock
        self.log = Log()
        self.journal = ShardJournal(self.log, "shard-0", clock)
        machinery = IngestMachinery(clock, Wheel(), ConnectionBudget(clock))
        self.worker = CameraWorker(self.assigned(starts_at_ns, ends_at_ns), ShardServices(
            machinery, store, self.journal, 60.0, 30.0
        ))  # fmt: skip

    @staticmethod
    def assigned(starts_at_ns: int, ends_at_ns: int) -> CameraAssignment:
        url = "rtsp://127.0.0.1:9/main"
        return camera_assignment(url, camera_id=CAMERA, starts_at_ns=starts_at_ns, ends_at_ns=ends_at_ns)

    def fetched(self) -> bool:
        (status,) = self.worker.statuses()
        return status.condition is not StreamCondition.STOPPED

    async def told(self, events: int) -> list[AccessEvent]:
        """So many events, waited for in real time: what ends closes files in threads, and the manual clock stands."""
        async with asyncio.timeout(5):
            while len(self.log.events) < events:
                await asyncio.sleep(0.005)
                await self.journal.flush()
        return self.log.events


@contextlib.asynccontextmanager
async def camera(place: Path, clock: ManualClock, starts_at_ns: int, ends_at_ns: int) -> AsyncIterator[Camera]:
    async with open_store(place, clock) as store:
        one = Camera(store, clock, starts_at_ns, ends_at_ns)
        one.worker.start()
        try:
            yield one
        finally:
            await one.worker.stop("shard_stopped", gap=GapCause.MAINTENANCE, detail="stopped")


@pytest.mark.parametrize("moment", NIGHTS.values(), ids=list(NIGHTS))
async def test_an_authorisation_ends_at_its_second_on_any_night(tmp_path: Path, moment: datetime):
    """LAW-02."""
    ends_ns = ns_of(moment)
    clock = ManualClock(ends_ns - 2 * NS_PER_SECOND - 500_000_000)
    async with camera(tmp_path, clock, 0, ends_ns) as one:
        await clock.advance(2.4)
        assert one.fetched()
        await clock.advance(0.1)
        started, stopped = await one.told(2)
        assert not one.fetched()
    assert (started.kind, stopped.kind) == (EventKind.RECORDING_STARTED, EventKind.RECORDING_STOPPED)
    assert stopped.at_ns == ends_ns
    assert stopped.details == {"cause": "not_authorised"}


@pytest.mark.parametrize("moment", NIGHTS.values(), ids=list(NIGHTS))
async def test_an_authorisation_begins_at_its_second_on_any_night(tmp_path: Path, moment: datetime):
    """LAW-01: and not a moment before."""
    starts_ns = ns_of(moment)
    clock = ManualClock(starts_ns - 2 * NS_PER_SECOND - 500_000_000)
    async with camera(tmp_path, clock, starts_ns, starts_ns + DAY_NS) as one:
        await clock.advance(2.4)
        assert not one.fetched()
        await clock.advance(0.1)
        (started,) = await one.told(1)
        assert one.fetched()
    assert started.at_ns == starts_ns


async def test_a_clock_that_is_set_over_the_end_and_back_is_followed_within_a_second(tmp_path: Path):
    """LAW-02: the wall clock decides, forth and back."""
    clock = ManualClock()
    ends_ns = clock.utc_ns() + 3_600 * NS_PER_SECOND
    async with camera(tmp_path, clock, 0, ends_ns) as one:
        await clock.advance(0.5)
        assert one.fetched()
        for events, step_s in ((2, 7_200), (3, -7_200)):
            clock.step_utc(step_s)
            await clock.advance(1.0)
            await one.told(events)
            assert one.fetched() is (step_s < 0)
        kinds = [event.kind for event in await one.told(3)]
    assert kinds == [EventKind.RECORDING_STARTED, EventKind.RECORDING_STOPPED, EventKind.RECORDING_STARTED]


async def test_the_end_of_an_event_stops_its_cameras_in_the_same_second(tmp_path: Path):
    """LAW-03: an authorisation for an event is closed when it ends, which may be before it was to end."""
    clock = ManualClock()
    async with camera(tmp_path, clock, 0, clock.utc_ns() + 30 * DAY_NS) as one:
        await clock.advance(5.0)
        assert one.fetched()
        now_ns = clock.utc_ns()
        one.worker.update_authorisation(Camera.assigned(0, now_ns))
        await clock.advance(1.0)
        _, stopped = await one.told(2)
        assert not one.fetched()
    assert stopped.kind is EventKind.RECORDING_STOPPED
    assert 0 <= stopped.at_ns - now_ns <= NS_PER_SECOND


@pytest.mark.parametrize("name", ["an ordinary night", "summer time ends", "the end of a leap day"])
async def test_no_picture_outside_of_the_authorisation_is_written(tmp_path: Path, name: str):
    """LAW-01, LAW-02: to the picture, also where a batch lies across the limit."""
    starts_ns = ns_of(NIGHTS[name])
    allowed = RecordingAuthorisation("27-2026-001", starts_ns, starts_ns + 4 * NS_PER_SECOND, 30)
    async with open_store(tmp_path, ManualClock(starts_ns + 60 * NS_PER_SECOND)) as store:
        reader = RecordingReader(store, SegmentWriter(store, CAMERA), CAMERA, allowed)
        units = list(dated(starts_ns - 3 * NS_PER_SECOND, 10))
        for begin in range(0, len(units), 7):
            reader.deliver(units[begin : begin + 7])
        await reader.close(authorised=False, stopping=False)
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    frame_ns = units[1].capture_utc_ns - units[0].capture_utc_ns
    assert timeline.spans[0].start_ns >= allowed.starts_at_ns
    assert timeline.spans[-1].end_ns <= allowed.ends_at_ns + frame_ns
    assert timeline.spans[-1].end_ns > allowed.ends_at_ns - frame_ns


@pytest.mark.parametrize("days", [1, 10, 30])
@pytest.mark.parametrize("moment", NIGHTS.values(), ids=list(NIGHTS))
async def test_days_of_retention_are_of_twenty_four_hours_on_any_night(tmp_path: Path, moment: datetime, days: int):
    """LAW-06, LAW-07: a night of twenty-five hours keeps nothing an hour longer, one of twenty-three nothing less."""
    start_ns = ns_of(moment) - 3_600 * NS_PER_SECOND
    async with open_store(tmp_path, ManualClock(start_ns + 60 * NS_PER_SECOND)) as store:
        await record_seconds(store, CAMERA, 1, start_ns=start_ns)
        (segment,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
    first_ns = segment.start_ns
    assert purgeable(CAMERA, [segment], days, first_ns + days * DAY_NS - 1, ()) is None
    assert purgeable(CAMERA, [segment], days, first_ns + days * DAY_NS, ()) is not None


def test_a_minimum_is_within_the_days_of_the_decision():
    """LAW-08."""
    allowed = RecordingAuthorisation("27-2026-001", 0, 1, 10, minimum_days=7)
    assert allowed.minimum_days == 7
    for wrong in (-1, 11):
        with pytest.raises(ValueError, match="minimum"):
            replace(allowed, minimum_days=wrong)
