"""What may be erased, decided by a pure rule (LAW-06, LAW-07).

A `Purgeable` is the only thing that the eraser erases, and `purgeable` is its only maker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recorder.contract.assignment import MAX_RETENTION_DAYS
from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND

DAY_NS = 86_400 * NS_PER_SECOND
_RULE_ONLY = object()


@dataclass(frozen=True, slots=True)
class Purgeable:
    """Segments of one camera whose first image has reached the end of its retention."""

    camera_id: str
    segments: tuple[StoredSegment, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _RULE_ONLY:
            raise TypeError("what may be erased is decided by the rule, not by hand")


def retention_ns(days: int | None) -> int:
    """How long images may be kept. A camera whose retention nobody told keeps to the legal month, never longer."""
    return min(days or MAX_RETENTION_DAYS, MAX_RETENTION_DAYS) * DAY_NS


def purgeable(camera_id: str, segments: Sequence[StoredSegment], days: int | None, utc_ns: int) -> Purgeable | None:
    """Of these segments, those that must go at this instant: no image outlives its days, so the first one counts."""
    limit_ns = utc_ns - retention_ns(days)
    expired = tuple(one for one in segments if not one.open and one.camera_id == camera_id and one.start_ns <= limit_ns)
    return Purgeable(camera_id, expired, _RULE_ONLY) if expired else None
