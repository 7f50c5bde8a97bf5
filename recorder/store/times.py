"""How far each camera's clock was from the server's, day by day, from what every segment keeps (LAW-39)."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from recorder.store.schema import INDEX_NAME, connect_to_read, unpacked_source
from vms.base.clock import NS_PER_SECOND, utc_text
from vms.base.errors import ErrorKind, VmsError

DAY_NS = 86_400 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ClockDay:
    """One camera on one UTC day.

    `dated_by` are the sources that dated its segments, `camera_clock` what was known of its own clock (`sender_report`,
    `unset`; empty when nothing was). Offsets are camera minus server, in milliseconds: the one farthest from zero, and
    by how much it moved from the first to the last measurement of the day. None where nothing was measured.
    `uncertainty_ms` is the largest bound of the dating error.
    """

    camera_id: str
    day: str
    segments: int
    measured: int
    dated_by: tuple[str, ...]
    camera_clock: tuple[str, ...]
    largest_offset_ms: int | None
    drift_ms: int | None
    uncertainty_ms: int


_QUESTION = """
    SELECT c.camera_id, s.start_ns, s.time_source, s.camera_clock, s.camera_offset_ms, s.uncertainty_ms
    FROM segment s JOIN camera c ON c.number = s.camera
    WHERE s.camera = ? AND s.start_ns >= ? AND s.start_ns < ? ORDER BY s.start_ns
"""


@dataclass(slots=True)
class _Day:
    segments: int
    offsets: list[tuple[int, int]]
    dated_by: set[str]
    camera_clock: set[str]
    uncertainty_ms: int


def clock_days(folders: Sequence[Path], cameras: Collection[str], since_ns: int, until_ns: int) -> list[ClockDay]:
    """Every camera and day with segments that begin in `[since_ns, until_ns)`; all cameras when none is named.

    Raises VmsError `store.index_unreadable`.
    """
    days: dict[tuple[str, int], _Day] = {}
    for folder in folders:
        try:
            with closing(connect_to_read(folder / INDEX_NAME)) as index:
                _collect(index, cameras, since_ns, until_ns, days)
        except sqlite3.Error as broken:
            raise VmsError(
                ErrorKind.CORRUPT,
                "store.index_unreadable",
                f"L’index des enregistrements de {folder} est illisible.",
                hint="Démarrez l’enregistreur une fois avec cette version, ou lancez « vms recorder fsck ».",
                detail=repr(broken),
            ) from None
    return [_told(camera_id, day, found) for (camera_id, day), found in sorted(days.items())]


def _collect(
    index: sqlite3.Connection,
    cameras: Collection[str],
    since_ns: int,
    until_ns: int,
    days: dict[tuple[str, int], _Day],
) -> None:
    for number, known in index.execute("SELECT number, camera_id FROM camera").fetchall():
        if cameras and known not in cameras:
            continue
        rows = index.execute(_QUESTION, (number, since_ns, until_ns))
        for camera_id, start_ns, dated_by, camera_clock, offset_ms, uncertainty_ms in rows:
            day = days.setdefault((camera_id, start_ns // DAY_NS), _Day(0, [], set(), set(), 0))
            day.segments += 1
            day.dated_by.add(unpacked_source(dated_by))
            day.camera_clock |= {unpacked_source(camera_clock)} - {""}
            day.uncertainty_ms = max(day.uncertainty_ms, uncertainty_ms)
            if offset_ms is not None:
                day.offsets.append((start_ns, offset_ms))


def _told(camera_id: str, day: int, found: _Day) -> ClockDay:
    offsets = [offset for _, offset in sorted(found.offsets)]
    return ClockDay(
        camera_id=camera_id,
        day=utc_text(day * DAY_NS)[:10],
        segments=found.segments,
        measured=len(offsets),
        dated_by=tuple(sorted(found.dated_by)),
        camera_clock=tuple(sorted(found.camera_clock)),
        largest_offset_ms=max(offsets, key=abs, default=None),
        drift_ms=offsets[-1] - offsets[0] if offsets else None,
        uncertainty_ms=found.uncertainty_ms,
    )
