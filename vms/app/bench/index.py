"""`vms bench index`: how large the index of a month is, and how fast it tells what is there.

The rows are made in the order in which a shard would make them (all cameras, minute after minute), through the store's
own writer, but many in one transaction. Beside the questions a bare look-up of one row by the same index is timed, in
turns with them, so that the ratio holds on any machine.
"""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from recorder.contract.timeline import GapCause
from recorder.store import queries
from recorder.store.index import Index
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import StoredSegment, VideoFormat
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import new_id
from vms.media.access_unit import Codec

START_NS = 1_767_225_600 * NS_PER_SECOND
SEGMENT_NS = 60 * NS_PER_SECOND
HOUR_NS = 3_600 * NS_PER_SECOND
DAY_NS = 24 * HOUR_NS
GAPS_A_DAY = 4
LIMIT_BYTES = 2_000_000_000
LIMIT_MS = 5.0
_FORMAT = VideoFormat(Codec.H264, "avc1.640028", 1920, 1080)
_ROWS_A_TURN = 20_000


@dataclass(frozen=True, slots=True)
class IndexBenchOptions:
    """How much is indexed, how often is asked, and in which folder."""

    cameras: int = 250
    days: float = 30.0
    questions: int = 1_000
    folder: Path | None = None


def run_index_bench(options: IndexBenchOptions, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Build the index, ask it, remove it. `progress` hears of (rows, all rows)."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as name:
        place = Path(name)
        began = time.monotonic()
        names = _build(place, options, progress)
        built_s = time.monotonic() - began
        rows = options.cameras * int(options.days * DAY_NS) // SEGMENT_NS
        size_bytes = sum(path.stat().st_size for path in place.glob(f"{INDEX_NAME}*"))
        return {
            "cameras": options.cameras,
            "days": options.days,
            "segments": rows,
            "bytes": size_bytes,
            "bytes_per_segment": round(size_bytes / rows, 1),
            "bytes_of_30_days_of_250": round(size_bytes / rows * 250 * 30 * 1_440),
            "built_s": round(built_s, 1),
            "limits": {"bytes": LIMIT_BYTES, "answer_ms": LIMIT_MS},
            **_ask(place, names, options),
        }


def _build(place: Path, options: IndexBenchOptions, progress: Callable[[int, int], None]) -> list[str]:
    names = [new_id("cam") for _ in range(options.cameras)]
    ends: dict[str, tuple[int, bytes]] = dict.fromkeys(names, (0, bytes(32)))
    index = Index(place)
    minutes = int(options.days * DAY_NS) // SEGMENT_NS
    waiting: list[StoredSegment] = []
    try:
        index.connection.execute("PRAGMA synchronous = OFF")
        for minute in range(minutes):
            for number, name in enumerate(names):
                start_ns = START_NS + minute * SEGMENT_NS + number * SEGMENT_NS // options.cameras
                waiting.append(_segment(name, start_ns, ends[name][1]))
                ends[name] = (waiting[-1].end_ns, waiting[-1].digest)
            if len(waiting) >= _ROWS_A_TURN or minute == minutes - 1:
                index.count_segments(waiting)
                waiting.clear()
                progress((minute + 1) * len(names), minutes * len(names))
        for name in names:
            for number in range(int(options.days * GAPS_A_DAY)):
                start_ns = START_NS + number * DAY_NS // GAPS_A_DAY
                index.add_gap(name, start_ns, start_ns + 7 * NS_PER_SECOND, GapCause.LINK, "timeout")
        index.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        index.close()
    return names


def _segment(camera_id: str, start_ns: int, previous: bytes) -> StoredSegment:
    return StoredSegment(
        segment_id=new_id("seg"),
        camera_id=camera_id,
        run=start_ns // NS_PER_SECOND,
        start_ns=start_ns,
        end_ns=start_ns + SEGMENT_NS - 40_000_000,
        size_bytes=30_000_000 + start_ns % 1_000_003,
        digest=os.urandom(32),
        previous_digest=previous,
        video=_FORMAT,
        uncertainty_ms=40,
        time_source="arrival",
        camera_offset_ms=-137,
        camera_clock="sender_report",
    )


def _ask(place: Path, names: list[str], options: IndexBenchOptions) -> dict[str, Any]:
    rng = random.Random(27)  # noqa: S311 - the same places in every run
    whole_ns = int(options.days * DAY_NS)
    taken: dict[str, list[float]] = {"look_up": [], "hour": [], "day": [], "timeline_day": []}
    with closing(connect_to_read(place / INDEX_NAME)) as index:
        for _ in range(options.questions):
            name = rng.choice(names)
            start_ns = START_NS + rng.randrange(max(1, whole_ns - DAY_NS))
            for kind, question in _QUESTIONS.items():
                began = time.perf_counter_ns()
                question(index, name, start_ns)
                taken[kind].append((time.perf_counter_ns() - began) / 1e6)
    bare_ms = median(taken["look_up"])
    return {
        name: {**_figures(values), "times_a_look_up": round(median(values) / bare_ms, 1)}
        for name, values in taken.items()
    }


def _bare(index: sqlite3.Connection, camera_id: str, start_ns: int) -> None:
    index.execute(
        """SELECT number FROM segment WHERE camera = (SELECT number FROM camera WHERE camera_id = ?) AND start_ns > ?
           ORDER BY start_ns LIMIT 1""",
        (camera_id, start_ns),
    ).fetchone()


def _hour(index: sqlite3.Connection, camera_id: str, start_ns: int) -> None:
    queries.segments_between(index, camera_id, start_ns, start_ns + HOUR_NS)


def _day(index: sqlite3.Connection, camera_id: str, start_ns: int) -> None:
    queries.spans_between(index, camera_id, start_ns, start_ns + DAY_NS)


def _timeline(index: sqlite3.Connection, camera_id: str, start_ns: int) -> None:
    queries.spans_between(index, camera_id, start_ns, start_ns + DAY_NS)
    queries.gaps_between(index, camera_id, start_ns, start_ns + DAY_NS)


_QUESTIONS: dict[str, Callable[[sqlite3.Connection, str, int], None]] = {
    "look_up": _bare,
    "hour": _hour,
    "day": _day,
    "timeline_day": _timeline,
}


def _figures(values: list[float]) -> dict[str, float]:
    parts = quantiles(values, n=100)
    return {
        "median_ms": round(median(values), 3),
        "p95_ms": round(parts[94], 3),
        "p99_ms": round(parts[98], 3),
    }


def index_text(result: dict[str, Any]) -> str:
    """The figures, for people."""
    names = {
        "look_up": "une ligne, par l'index",
        "hour": "segments d'une heure",
        "day": "étendues d'un jour",
        "timeline_day": "étendues et manques d'un jour",
    }
    size = (
        f"{result['segments']} segments de {result['cameras']} caméras : {result['bytes'] / 1e9:.3f} Go,"
        f" {result['bytes_per_segment']} octets chacun ({result['bytes_of_30_days_of_250'] / 1e9:.2f} Go pour 30 jours"
        " de 250 caméras)."
    )
    lines = [
        f"  {text:<30} médiane {result[name]['median_ms']:.3f} ms, 95 % {result[name]['p95_ms']:.3f} ms,"
        f" 99 % {result[name]['p99_ms']:.3f} ms ({result[name]['times_a_look_up']} fois la ligne)"
        for name, text in names.items()
    ]
    return "\n".join([size, *lines])
