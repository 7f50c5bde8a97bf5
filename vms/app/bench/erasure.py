"""`vms bench erasure`: erasing a day of many cameras while others are recorded by the same disk.

The day that goes has a row and a small file for each segment; the recordings beside it are real pictures at their own
pace. How long an append waits for the disk is measured without erasure and with it, in one run, so the ratio holds on
any machine. Nothing of what is recorded meanwhile may be missing.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from cameras.simulator.spec import MAIN_FILE
from recorder.hub.unit import DatedUnit
from recorder.recording.segment_writer import SegmentWriter
from recorder.retention.eraser import Eraser
from recorder.store.segment import StoredSegment, VideoFormat
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.ids import new_id
from vms.media.access_unit import AccessUnit, Codec
from vms.media.mp4_file import read_track

SEGMENT_NS: Final = 60 * NS_PER_SECOND
HOUR_NS: Final = 3_600 * NS_PER_SECOND
DAY_S: Final = 86_400
PROBE_S: Final = 0.02
TICK_S: Final = 0.25
_FORMAT = VideoFormat(Codec.H264, "avc1.4D401F", 768, 576)
_SMALL = bytes(4_096)


@dataclass(frozen=True, slots=True)
class ErasureBenchOptions:
    """What is erased, what is recorded meanwhile, how long each of the two phases lasts, and in which folder."""

    cameras: int = 250
    hours: float = 24.0
    recorded: int = 50
    seconds: float = 30.0
    folder: Path | None = None


def run_erasure_bench(options: ErasureBenchOptions) -> dict[str, Any]:
    """Build the day, record without erasure, then with it, and remove everything."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as name:
        return asyncio.run(_measure(Path(name), options))


async def _measure(folder: Path, options: ErasureBenchOptions) -> dict[str, Any]:
    clock = SystemClock()
    store = await SegmentStore.open(StoreSettings(folder, min_free_bytes=0), clock)
    try:
        segments = await asyncio.to_thread(_fill, store, options, clock.utc_ns())
        film = await asyncio.to_thread(_film)
        recorders = [_Recorder(store, new_id("cam"), film) for _ in range(options.recorded)]
        calm = await _phase(store, recorders, options.seconds)
        eraser = Eraser(store, clock)
        began = time.monotonic()
        ended: list[float] = []
        erasing = asyncio.create_task(eraser.erase_expired())
        erasing.add_done_callback(lambda _: ended.append(time.monotonic()))
        loaded = await _phase(store, recorders, options.seconds)
        lasted = (ended[0] if ended else time.monotonic()) - began
        left = await store.ask(lambda index: int(index.execute(_COUNT).fetchone()[0]))
        erasing.cancel()
        await asyncio.gather(erasing, return_exceptions=True)
        for recorder in recorders:
            await recorder.writer.close()
        gaps, missing_s = await _missing(store, recorders)
    finally:
        await store.close()
    rate = (segments - left) / lasted
    return {
        "cameras": options.cameras,
        "segments": segments,
        "recorded_cameras": options.recorded,
        "erased_segments": segments - left,
        "erased_per_s": round(rate, 1),
        "needed_per_s": round(options.cameras * NS_PER_SECOND / SEGMENT_NS, 2),
        "whole_s": round(segments / rate, 1) if rate else None,
        "append_without": calm,
        "append_with": loaded,
        "median_ratio": round(loaded["median_ms"] / calm["median_ms"], 2),
        "p99_ratio": round(loaded["p99_ms"] / calm["p99_ms"], 2),
        "gaps": gaps,
        "missing_s": round(missing_s, 3),
    }


def erasure_text(result: dict[str, Any]) -> str:
    """The figures in French."""
    without, beside = result["append_without"], result["append_with"]
    return "\n".join(
        [
            f"{result['erased_segments']} segments de {result['cameras']} caméras effacés",
            f"  par seconde : {result['erased_per_s']} (il en faut {result['needed_per_s']})",
            f"  attente d'une écriture sans effacement : {without['median_ms']} ms, 99 % sous {without['p99_ms']} ms",
            f"  attente d'une écriture avec effacement : {beside['median_ms']} ms, 99 % sous {beside['p99_ms']} ms",
            f"  rapports : {result['median_ratio']} et {result['p99_ratio']}",
            f"  manques dans {result['recorded_cameras']} enregistrements : {result['gaps']}",
        ]
    )


_COUNT = "SELECT count(*) FROM segment s JOIN camera c ON c.number = s.camera WHERE c.retention_days = 1"


class _Recorder:
    """One camera that goes on for ever, at the pace of its film."""

    def __init__(self, store: SegmentStore, camera_id: str, film: _Film) -> None:
        self.camera_id = camera_id
        self.writer = SegmentWriter(store, camera_id, segment_seconds=10)
        self.begun_ns = time.time_ns()
        self.written_ns = self.begun_ns
        self._units = _for_ever(film, self.begun_ns)
        self._next = next(self._units)

    def write_until(self, utc_ns: int) -> None:
        """Hand over what was filmed before an instant."""
        batch = []
        while self._next.capture_utc_ns <= utc_ns:
            batch.append(self._next)
            self._next = next(self._units)
        if batch:
            self.writer.write(batch)
            self.written_ns = batch[-1].capture_utc_ns


@dataclass(frozen=True, slots=True)
class _Film:
    units: tuple[AccessUnit, ...]
    length_90k: int


def _film() -> _Film:
    data = MAIN_FILE.read_bytes()
    track = read_track(lambda offset, size: data[offset : offset + size], len(data))
    base = track.samples[0].presentation_time
    units = []
    for one in track.samples:
        stamp_90k = (one.presentation_time - base) * 90_000 // track.timescale
        sample = data[one.offset : one.offset + one.size]
        units.append(AccessUnit(stamp_90k, [sample], len(sample), one.key, track.parameters, damaged=False))
    return _Film(tuple(units), track.duration * 90_000 // track.timescale)


def _for_ever(film: _Film, start_ns: int) -> Iterator[DatedUnit]:
    for turn in count():
        for one in film.units:
            stamp_90k = one.rtp_timestamp + turn * film.length_90k
            unit = AccessUnit(stamp_90k, one.chunks, one.size, one.key, one.parameters, damaged=False)
            yield DatedUnit(unit, start_ns + stamp_90k * 100_000 // 9, 1, 40, starts_run=stamp_90k == 0)


def _fill(store: SegmentStore, options: ErasureBenchOptions, now_ns: int) -> int:
    """Rows and files of a day that is over."""
    start_ns = now_ns - 3 * 24 * HOUR_NS
    minutes = round(options.hours * HOUR_NS / SEGMENT_NS)
    for camera_id in [new_id("cam") for _ in range(options.cameras)]:
        rows = [_row(camera_id, start_ns + minute * SEGMENT_NS) for minute in range(minutes)]
        for row in rows:
            path = store.settings.folder / row.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_SMALL)
        store.index.count_segments(rows)
        store.index.set_retention(camera_id, 1)
    return minutes * options.cameras


def _row(camera_id: str, start_ns: int) -> StoredSegment:
    return StoredSegment(
        segment_id=new_id("seg"),
        camera_id=camera_id,
        run=1,
        start_ns=start_ns,
        end_ns=start_ns + SEGMENT_NS,
        size_bytes=len(_SMALL),
        digest=bytes(32),
        previous_digest=bytes(32),
        video=_FORMAT,
        uncertainty_ms=40,
        time_source="arrival",
    )


async def _phase(store: SegmentStore, recorders: Sequence[_Recorder], seconds: float) -> dict[str, float]:
    """Record for so long; how long what was put before now took to be on its way to the disk."""
    waits: list[float] = []
    ends = time.monotonic() + seconds
    written = 0.0
    while (now := time.monotonic()) < ends:
        if now - written >= TICK_S:
            written = now
            for recorder in recorders:
                recorder.write_until(time.time_ns())
        asked = time.perf_counter()
        await store.disk.run(_nothing)
        waits.append((time.perf_counter() - asked) * 1_000)
        await asyncio.sleep(PROBE_S)
    shares = quantiles(waits, n=100)
    return {
        "median_ms": round(median(waits), 3),
        "p95_ms": round(shares[94], 3),
        "p99_ms": round(shares[98], 3),
        "longest_ms": round(max(waits), 3),
    }


def _nothing() -> None:
    return


async def _missing(store: SegmentStore, recorders: Sequence[_Recorder]) -> tuple[int, float]:
    """Gaps of what was recorded, and seconds between first and last picture that are in no span."""
    gaps = 0
    missing_ns = 0
    for one in recorders:
        timeline = await store.timeline(one.camera_id, one.begun_ns, one.written_ns)
        gaps += len(timeline.gaps)
        held_ns = sum(min(span.end_ns, one.written_ns) - span.start_ns for span in timeline.spans)
        missing_ns += max(0, one.written_ns - one.begun_ns - held_ns)
    return gaps, missing_ns / NS_PER_SECOND
