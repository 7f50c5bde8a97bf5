"""Erasure as the access log hears of it: by camera and hour of images, with the digest of their collection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access_audit.events import AccessEvent, EventKind
from recorder.node.erasure import GRACE_NS, ErasureReports
from recorder.node.journal import ShardJournal
from recorder.playback.catalogue import Catalogue, FoundSegment
from recorder.retention.custody import Custody
from recorder.retention.eraser import Eraser
from recorder.store.disks import Disks
from recorder.store.sealing import HOUR_NS, chain_of, digest_over
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from tests.recorder.node.shards import Log
from tests.recorder.retention.held import DAY_S, hold_of, through_pauses
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock

HOUR_S = 3_600


def digest_of(segments: list[StoredSegment]) -> str:
    """As the collection of these was told."""
    return digest_over(chain_of(segments))


class Bench:
    """Disks, erasers and reports, without a process around them."""

    def __init__(self, disks: Disks, clock: ManualClock) -> None:
        self.disks = disks
        self.clock = clock
        self.log = Log()
        self.reports = ErasureReports(disks, ShardJournal(self.log, "shard-0", clock), clock)

    @property
    def store(self) -> SegmentStore:
        return self.disks.stores[0]

    async def erase(self) -> None:
        for store in self.disks.stores:
            await through_pauses(self.clock, Eraser(store, self.clock).erase_expired())

    async def told(self) -> list[AccessEvent]:
        self.log.events.clear()
        await self.reports.tell_what_is_gone()
        return list(self.log.events)

    async def segments(self) -> list[StoredSegment]:
        return await self.disks.segments_between(CAMERA, 0, FOREVER_NS)


@contextlib.asynccontextmanager
async def bench(place: Path, clock: ManualClock, names: str = "a") -> AsyncIterator[Bench]:
    (place / "home").mkdir(parents=True, exist_ok=True)
    disks = await Disks.open(place / "home", [StoreSettings(place / name, min_free_bytes=0) for name in names], clock)
    try:
        disks.set_retention(CAMERA, 1)
        for store in disks.stores:
            await store.change(lambda: store.index.describe_camera(CAMERA, 0, "27229"))  # noqa: B023 - awaited
        yield Bench(disks, clock)
    finally:
        await disks.close()


def at_the_hour() -> ManualClock:
    return ManualClock(1_767_225_600 * NS_PER_SECOND + HOUR_NS)


async def test_an_hour_is_told_once_it_is_wholly_gone_with_the_digest_of_its_collection(tmp_path: Path):
    """LAW-09, LAW-25: count, bytes, first and last image, digest, and the hour of the erasure."""
    clock = at_the_hour()
    async with bench(tmp_path, clock) as one:
        start_ns = clock.utc_ns()
        for minute in (0, 40):
            later_ns = start_ns + minute * 60 * NS_PER_SECOND
            await record_seconds(one.store, CAMERA, 6, segment_seconds=2, start_ns=later_ns, run=minute)
        recorded = await one.segments()
        clock.step_utc(DAY_S + 60)
        await one.erase()
        assert len(await one.segments()) == len(recorded) / 2
        assert await one.told() == []
        clock.step_utc(HOUR_S)
        await one.erase()
        (event,) = await one.told()
        assert await one.told() == []
    assert event.kind is EventKind.RECORDING_ERASED
    assert (event.camera_id, event.commune, event.reason.code) == (CAMERA, "27229", "retention")
    assert (event.range_start_ns, event.range_end_ns) == (recorded[0].start_ns, recorded[-1].end_ns)
    assert event.details == {
        "segments": str(len(recorded)),
        "bytes": str(sum(segment.size_bytes for segment in recorded)),
        "digest": digest_of(recorded),
        "seal": digest_of(recorded),
        "cause": "retention",
    }


async def test_what_is_held_is_told_as_kept_and_later_as_gone(tmp_path: Path):
    """LAW-09, LAW-10: three acts, each with its cause; the last one closes the hour with its seal."""
    clock = at_the_hour()
    async with bench(tmp_path, clock) as one:
        await record_seconds(one.store, CAMERA, 24, segment_seconds=8, start_ns=clock.utc_ns())
        recorded = await one.segments()
        assert len(recorded) == 3
        middle = recorded[1]
        hold = hold_of(middle.start_ns + NS_PER_SECOND * 3, middle.start_ns + NS_PER_SECOND * 4, clock.utc_ns(), days=9)
        await Custody(one.store).place(hold)
        clock.step_utc(DAY_S + 60)
        await one.erase()
        (part,) = await one.segments()
        first, cut = await one.told()
        clock.step_utc(9 * DAY_S)
        await one.erase()
        (last,) = await one.told()
    assert (first.details["cause"], first.details["segments"], first.details["kept"]) == ("retention", "2", "1")
    assert first.details["digest"] == digest_of([recorded[0], recorded[2]])
    assert (cut.details["cause"], cut.details["segments"]) == ("trimmed", "1")
    assert int(cut.details["bytes"]) == middle.size_bytes - part.size_bytes
    assert (last.details["cause"], last.details["bytes"]) == ("retention", str(part.size_bytes))
    assert last.details["seal"] == digest_of(recorded)


async def test_two_disks_tell_one_hour_as_one(tmp_path: Path):
    """LAW-09: the digest is that of the collection, wherever the segments lay."""
    clock = at_the_hour()
    async with bench(tmp_path, clock, "ab") as one:
        for number, store in enumerate(one.disks.stores):
            start_ns = clock.utc_ns() + number * 60 * NS_PER_SECOND
            await record_seconds(store, CAMERA, 4, start_ns=start_ns, run=number + 1)
        recorded = await one.segments()
        clock.step_utc(DAY_S + 120)
        await through_pauses(clock, Eraser(one.disks.stores[0], clock).erase_expired())
        assert await one.told() == []
        await one.erase()
        (event,) = await one.told()
    assert event.details["digest"] == event.details["seal"] == digest_of(recorded)


async def test_a_sink_that_fails_or_a_crash_loses_no_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """LAW-09: told at least once, also by the next run of the shard."""
    clock = at_the_hour()
    async with bench(tmp_path, clock) as one:
        await record_seconds(one.store, CAMERA, 4, start_ns=clock.utc_ns())
        recorded = await one.segments()
        clock.step_utc(DAY_S + 60)
        await one.erase()
        monkeypatch.setattr(one.log, "append", _refuse)
        with pytest.raises(OSError, match="no room"):
            await one.told()
    async with bench(tmp_path, clock) as one:
        (event,) = await one.told()
    assert event.details["seal"] == digest_of(recorded)


async def test_an_hour_that_may_still_grow_is_not_told(tmp_path: Path):
    """Early erasure may reach the hour that is being recorded (LAW-08)."""
    clock = at_the_hour()
    async with bench(tmp_path, clock) as one:
        await record_seconds(one.store, CAMERA, 4, start_ns=clock.utc_ns())
        (segment,) = await one.segments()
        await one.store.change(lambda: one.store.index.discard([segment], "disk_full"))
        await one.store.change(lambda: one.store.index.forget_garbage([segment.segment_id]))
        assert await one.told() == []
        clock.step_utc((HOUR_NS + GRACE_NS) // NS_PER_SECOND + 60)
        (event,) = await one.told()
    assert event.details["cause"] == "disk_full"


async def test_no_byte_is_left_when_its_days_are_over(tmp_path: Path):
    """LAW-06: not for a timeline, not for a player, not in a file, whatever its name."""
    clock = at_the_hour()
    async with bench(tmp_path, clock) as one:
        await record_seconds(one.store, CAMERA, 24, segment_seconds=8, start_ns=clock.utc_ns())
        (first, *_) = await one.segments()
        sample = (await asyncio.to_thread((tmp_path / "a" / first.file).read_bytes))[-2_000:-1_000]
        clock.step_utc(DAY_S + 60)
        await one.erase()
        assert await one.segments() == []
        assert (await one.disks.timeline(CAMERA, 0, FOREVER_NS)).spans == ()
        assert await asyncio.to_thread(_played_from, tmp_path / "a", first.start_ns) == []
        contents = await asyncio.to_thread(_contents, tmp_path)
    assert not any(sample in content for content in contents.values())
    assert not [path for path in contents if path.suffix == ".mp4"]


def _refuse(*_: object) -> None:
    raise OSError(28, "no room")


def _played_from(folder: Path, start_ns: int) -> list[FoundSegment]:
    catalogue = Catalogue([folder])
    try:
        return list(catalogue.segments(CAMERA, start_ns - HOUR_NS, start_ns + 48 * HOUR_NS))
    finally:
        catalogue.close()


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
