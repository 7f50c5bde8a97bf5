"""What the forecast of a disk is made of, measured: its file system, its index and its holds."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import NamedTuple

from recorder.contract.assignment import MAX_RETENTION_DAYS
from recorder.retention.capacity import DAY_NS, CameraLoad, DiskUse
from recorder.retention.custody import Custody
from recorder.retention.holds import in_force
from recorder.store.store import SegmentStore
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

SHORTEST_NS = 600 * NS_PER_SECOND
"""A camera that was recorded for less is taken for one that was recorded so long: its pace cannot be known yet."""


class Contents(NamedTuple):
    """What the index of a store tells: bytes of everything recorded, and the load of each camera of the last day."""

    recorded_bytes: int
    loads: tuple[CameraLoad, ...]


def contents(index: sqlite3.Connection, utc_ns: int) -> Contents:
    """Walk the index of a store. Seconds for thirty days of 250 cameras: once a day, in a thread."""
    (recorded,) = index.execute("SELECT coalesce(sum(size_bytes), 0) FROM segment").fetchone()
    loads = []
    for number, days in index.execute("SELECT number, retention_days FROM camera").fetchall():
        size, first_ns = index.execute(
            "SELECT coalesce(sum(size_bytes), 0), min(start_ns) FROM segment WHERE camera = ? AND start_ns > ?",
            (number, utc_ns - DAY_NS),
        ).fetchone()
        if not size:
            continue
        (oldest_ns,) = index.execute("SELECT min(start_ns) FROM segment WHERE camera = ?", (number,)).fetchone()
        lasted_ns = min(max(utc_ns - first_ns, SHORTEST_NS), DAY_NS)
        loads.append(CameraLoad(size * DAY_NS // lasted_ns, days or MAX_RETENTION_DAYS, oldest_ns))
    return Contents(recorded, tuple(loads))


async def use_of(store: SegmentStore, recorded_bytes: int, utc_ns: int) -> DiskUse:
    """The disk of a store as it is now. VmsError when it does not tell."""
    custody = Custody(store)
    held = [await custody.held_range(hold) for hold in in_force(await custody.holds(), utc_ns)]
    folder = store.settings.folder
    try:
        status = await asyncio.to_thread(os.statvfs, folder)
    except OSError as refused:
        raise VmsError(
            ErrorKind.UNAVAILABLE,
            "store.disk_error",
            f"Le disque du dossier d’enregistrement {folder} ne dit pas sa place libre.",
            detail=repr(refused),
        ) from None
    return DiskUse(
        name=folder.name,
        total_bytes=status.f_blocks * status.f_frsize,
        free_bytes=status.f_bavail * status.f_frsize,
        reserve_bytes=store.settings.min_free_bytes,
        recorded_bytes=recorded_bytes,
        held_bytes=min(sum(one.size_bytes for one in held), recorded_bytes),
    )
