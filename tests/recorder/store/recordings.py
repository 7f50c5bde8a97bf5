"""Recordings for the tests of store, recording and retention: real pictures through the real writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import av

from cameras.simulator.spec import B_FRAMES_FILE, MAIN_FILE
from recorder.hub.unit import DatedUnit
from recorder.recording.segment_writer import CloseCause, SegmentWriter
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND, Clock, ManualClock, SystemClock
from vms.media.access_unit import AccessUnit
from vms.media.fmp4 import reader_of
from vms.media.mp4_file import read_track

FOREVER_NS = 4_000_000_000 * NS_PER_SECOND
CAMERA = "cam-00000000000000000000000001"


@cache
def film(path: Path = MAIN_FILE) -> tuple[tuple[AccessUnit, ...], int]:
    """The access units of a film in decoding order, dated in 90 kHz, and how long it is."""
    content = path.read_bytes()
    track = read_track(reader_of(content), len(content))
    units = []
    for sample in track.samples:
        data = content[sample.offset : sample.offset + sample.size]
        stamp = sample.presentation_time * 90_000 // track.timescale
        units.append(AccessUnit(stamp, [data], len(data), sample.key, track.parameters, damaged=False))
    return tuple(units), track.duration * 90_000 // track.timescale


def dated(
    start_ns: int, seconds: float, *, run: int = 1, path: Path = MAIN_FILE, offset_s: float = 0.0
) -> Iterator[DatedUnit]:
    """So many seconds of a film, from its first key frame at or after `offset_s` on."""
    units, length_90k = film(path)
    begin = next(place for place, unit in enumerate(units) if unit.key and unit.rtp_timestamp >= offset_s * 90_000)
    base_90k = units[begin].rtp_timestamp
    for count in range(begin, 1_000_000):
        unit = units[count % len(units)]
        stamp = unit.rtp_timestamp + count // len(units) * length_90k
        if stamp - base_90k >= seconds * 90_000:
            return
        capture_ns = start_ns + (stamp - base_90k) * NS_PER_SECOND // 90_000
        again = AccessUnit(stamp, unit.chunks, unit.size, unit.key, unit.parameters, unit.damaged)
        yield DatedUnit(again, capture_ns, run, 20, starts_run=count == begin)


@asynccontextmanager
async def open_store(folder: Path, clock: Clock | None = None, **settings: object) -> AsyncIterator[SegmentStore]:
    """A store on any disk, however full."""
    given = {"min_free_bytes": 0, **settings}
    store = await SegmentStore.open(StoreSettings(folder, **given), clock or SystemClock())  # type: ignore[arg-type]
    try:
        yield store
    finally:
        await store.close()


async def record_seconds(
    store: SegmentStore,
    camera_id: str = CAMERA,
    seconds: float = 4.0,
    *,
    start_ns: int | None = None,
    segment_seconds: float = 60.0,
    run: int = 1,
    path: Path = MAIN_FILE,
) -> None:
    """Record and close; the recording ends now on the store's clock unless a start is given."""
    begin_ns = store.clock.utc_ns() - round(seconds * NS_PER_SECOND) if start_ns is None else start_ns
    writer = SegmentWriter(store, camera_id, segment_seconds=segment_seconds, place="27229 Place de l'Essai")
    batch: list[DatedUnit] = []
    for unit in dated(begin_ns, seconds, run=run, path=path):
        batch.append(unit)
        if len(batch) == 13:
            writer.write(batch)
            batch = []
    if batch:
        writer.write(batch)
    await writer.close(CloseCause.STREAM_ENDED)


def pictures(folder: Path) -> int:
    """How many pictures a player decodes from everything that has its final name."""
    count = 0
    for path in (folder / "media").rglob("*.mp4"):
        with av.open(str(path)) as container:
            count += sum(1 for _ in container.decode(video=0))
    return count


async def record_and_vanish(folder: Path, clock: ManualClock) -> None:
    """Leave a store as `kill -9` would: fragments written, nothing closed."""
    block = open_store(folder, clock)
    store = await block.__aenter__()
    writer = SegmentWriter(store, CAMERA)
    writer.write(list(dated(clock.utc_ns() - 4 * NS_PER_SECOND, 4)))
    await store.disk.run(lambda: None)
    await vanish(store)


async def vanish(store: SegmentStore) -> None:
    """End a store as `kill -9` would: nothing is closed, only the lock is free."""
    if store._watch is not None:
        store._watch.cancel()
    await asyncio.to_thread(store.disk.stop)
    store.index.connection.close()
    store._lock.release()


__all__ = [
    "B_FRAMES_FILE",
    "CAMERA",
    "FOREVER_NS",
    "MAIN_FILE",
    "dated",
    "film",
    "open_store",
    "pictures",
    "record_and_vanish",
    "record_seconds",
    "vanish",
]
