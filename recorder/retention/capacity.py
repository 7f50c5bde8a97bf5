"""How long a disk will do: real against required retention, forecast before the disk forces a choice (LAW-08). Pure.

Rules
1. A disk needs, for each of its cameras, what it writes in a day times its days, and all that is held. It has what is
   recorded already, and what is free above its reserve.
2. `reached_days` is how much of the longest retention that allows, each camera cut alike.
3. The forecast goes on at the pace of the last day. A camera's oldest images make room again once they reach their
   days; until all have, the disk fills, and the instant at which it would be full is stated as soon as it can be known.
4. `SHORT` when it lacks room, `TIGHT` when it has less than a sixth to spare, `ENOUGH` otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from recorder.contract.capacity import CapacityState, DiskCapacity
from vms.base.clock import NS_PER_SECOND

DAY_NS: Final = 86_400 * NS_PER_SECOND
SPARE: Final = 7 / 6
FARTHEST_DAYS: Final = 366.0


@dataclass(frozen=True, slots=True)
class CameraLoad:
    """What one camera does to a disk: bytes a day, its days, and when its oldest images there were recorded (UTC)."""

    bytes_per_day: int
    retention_days: int
    oldest_ns: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """A disk as its file system and its index have it. `reserve_bytes` are never written on."""

    name: str
    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    recorded_bytes: int
    held_bytes: int


def forecast(use: DiskUse, loads: Sequence[CameraLoad], utc_ns: int) -> DiskCapacity:
    """What this disk can promise to these cameras."""
    pace = sum(load.bytes_per_day for load in loads)
    required_days = max((load.retention_days for load in loads), default=0)
    needed = sum(load.bytes_per_day * load.retention_days for load in loads)
    usable = max(0, use.free_bytes - use.reserve_bytes + use.recorded_bytes - use.held_bytes)
    state = CapacityState.ENOUGH
    if needed > usable:
        state = CapacityState.SHORT
    elif needed * SPARE > usable:
        state = CapacityState.TIGHT
    full_in_days = _full_in_days(use.free_bytes - use.reserve_bytes, loads, utc_ns)
    return DiskCapacity(
        name=use.name,
        state=state,
        total_bytes=use.total_bytes,
        free_bytes=use.free_bytes,
        recorded_bytes=use.recorded_bytes,
        held_bytes=use.held_bytes,
        bytes_per_day=pace,
        required_days=float(required_days),
        reached_days=min(required_days * usable / needed, FARTHEST_DAYS) if needed else FARTHEST_DAYS,
        forced_at_ns=None if full_in_days is None else utc_ns + round(full_in_days * DAY_NS),
    )


def dead(name: str) -> DiskCapacity:
    """A disk that does not answer."""
    return DiskCapacity(name, CapacityState.DEAD, 0, 0, 0, 0, 0, 0.0, 0.0, None)


def _full_in_days(room_bytes: int, loads: Sequence[CameraLoad], utc_ns: int) -> float | None:
    """When the room is used up; None when erasure keeps up before that.

    Each camera fills the disk at its pace until its oldest images reach their days, and holds its level from then on:
    a line that bends once for each camera.
    """
    pace = float(sum(load.bytes_per_day for load in loads))
    room = float(max(room_bytes, 0))
    day = 0.0
    bends = sorted((_days_until_level(load, utc_ns), load.bytes_per_day) for load in loads)
    for bend, bytes_per_day in bends:
        if pace > 0 and room < pace * (bend - day):
            return day + room / pace
        room -= pace * (bend - day)
        pace -= bytes_per_day
        day = bend
    return None


def _days_until_level(load: CameraLoad, utc_ns: int) -> float:
    return max(0.0, load.retention_days - (utc_ns - load.oldest_ns) / DAY_NS)
