"""How long the disks of a node will do: real against required retention, and when a choice would be forced (LAW-08)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CapacityState(StrEnum):
    """What a disk can promise: the required retention, not for much longer, not at all, or nothing as it is dead."""

    ENOUGH = "enough"
    TIGHT = "tight"
    SHORT = "short"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class DiskCapacity:
    """One disk of a node. `name` is its folder's name, bytes are as the file system counts them.

    `bytes_per_day` is what its cameras write; `required_days` the longest retention of an authorisation on it,
    `reached_days` what the disk allows at this pace; `forced_at_ns` (UTC) the instant at which the disk would force a
    choice, None while it never does. `held_bytes` are under a judicial hold and cannot make room.
    """

    name: str
    state: CapacityState
    total_bytes: int
    free_bytes: int
    recorded_bytes: int
    held_bytes: int
    bytes_per_day: int
    required_days: float
    reached_days: float
    forced_at_ns: int | None
