"""The gap ledger: every missing second has a cause, and exactly one.

Rules
1. A camera has at most one open gap. It starts where its recording ended, and ends where the next segment begins.
2. While a gap is open, the same cause with the same detail changes nothing; another one ends it and opens the next, so
   that an hour of which the link was down for half and the camera for half reads as two.
3. What is shorter than the tolerance with which spans are joined (500 ms) is no gap and leaves no row; it may also be
   the whole of a gap that was opened and never was, because pictures had gone on.
4. A hole that nobody explained when recording goes on is laid on the recorder, detail `unexplained`.
"""

from __future__ import annotations

from typing import NamedTuple

from recorder.contract.timeline import GapCause
from recorder.store.queries import JOIN_TOLERANCE_NS

UNEXPLAINED = "unexplained"
KILLED = "killed"
STOPPED = "stopped"
ORPHANED = "supervisor_lost"
INDEX_REBUILT = "index_rebuilt"
DISK_FULL = "disk_full"
DISK_ERROR = "disk_error"
DISK_HUNG = "disk_hung"
DISK_MISSING = "disk_missing"
DISK_RETIRED = "disk_retired"
QUEUE_FULL = "queue_full"


class OpenGap(NamedTuple):
    """The gap that a camera is in."""

    number: int
    start_ns: int
    cause: GapCause
    detail: str


def opens(current: OpenGap | None, cause: GapCause, detail: str) -> bool:
    """Whether a report opens a gap (rule 2)."""
    return current is None or (current.cause, current.detail) != (cause, detail)


def ends(current: OpenGap, end_ns: int) -> bool:
    """Whether a gap that ends at `end_ns` is kept (rule 3)."""
    return end_ns - current.start_ns > JOIN_TOLERANCE_NS


def unexplained(last_end_ns: int | None, start_ns: int) -> tuple[int, int] | None:
    """The hole before a segment that starts at `start_ns`, when it is longer than the tolerance (rule 4)."""
    if last_end_ns is None or start_ns - last_end_ns <= JOIN_TOLERANCE_NS:
        return None
    return last_end_ns, start_ns
