"""What may be erased, decided by a pure rule (LAW-06, LAW-07, LAW-08, LAW-10).

A `Purgeable` is the only thing that the eraser erases, a `Trimmable` the only thing that it cuts. Both are made here
alone, out of segments, days, the instant and the holds, and carry the holds that the decision knew of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from recorder.contract.assignment import MAX_RETENTION_DAYS
from recorder.contract.hold import Hold
from recorder.retention.holds import is_touched, kept_groups
from recorder.store.groups import Groups
from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND

DAY_NS = 86_400 * NS_PER_SECOND
YOUNGEST_NS = 3_600 * NS_PER_SECOND
"""What is younger is never erased early: a disk that has no room for an hour is not full, it is not for recording."""
_RULE_ONLY = object()


class ErasureCause(StrEnum):
    """Why images are erased."""

    RETENTION = "retention"
    TRIMMED = "trimmed"
    """Their days are over, and a part of their segment is held."""
    DISK_FULL = "disk_full"
    """Before their days were over: the disk had no room for what comes (LAW-08)."""


@dataclass(frozen=True, slots=True)
class Purgeable:
    """Segments of one camera that must go as a whole: no hold in force touches them."""

    camera_id: str
    segments: tuple[StoredSegment, ...]
    cause: ErasureCause
    holds: tuple[Hold, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _RULE_ONLY:
            raise TypeError("what may be erased is decided by the rule, not by hand")


@dataclass(frozen=True, slots=True)
class Trimmable:
    """A segment of which only these stretches of its groups may be kept."""

    segment: StoredSegment
    groups: Groups
    kept: tuple[range, ...]
    holds: tuple[Hold, ...]
    _maker: object

    def __post_init__(self) -> None:
        if self._maker is not _RULE_ONLY:
            raise TypeError("what may be cut is decided by the rule, not by hand")


def retention_ns(days: int | None) -> int:
    """How long images may be kept. A camera whose retention nobody told keeps to the legal month, never longer."""
    return min(days or MAX_RETENTION_DAYS, MAX_RETENTION_DAYS) * DAY_NS


def is_over(segment: StoredSegment, days: int | None, utc_ns: int) -> bool:
    """Whether a segment has come to the end of its days: no image outlives them, so the first one counts."""
    return not segment.open and segment.start_ns <= utc_ns - retention_ns(days)


def purgeable(
    camera_id: str, segments: Sequence[StoredSegment], days: int | None, utc_ns: int, holds: Sequence[Hold]
) -> Purgeable | None:
    """Of these segments of a camera, those that must go at this instant and that no hold touches."""
    expired = tuple(
        one
        for one in segments
        if one.camera_id == camera_id and is_over(one, days, utc_ns) and not is_touched(one, holds, utc_ns)
    )
    return Purgeable(camera_id, expired, ErasureCause.RETENTION, tuple(holds), _RULE_ONLY) if expired else None


def reduced(
    segment: StoredSegment, groups: Groups, days: int | None, utc_ns: int, holds: Sequence[Hold]
) -> Purgeable | Trimmable | None:
    """What must go of a segment that a hold touches, to a group of pictures; None when nothing may."""
    if not is_over(segment, days, utc_ns):
        return None
    own = [hold for hold in holds if hold.camera_id == segment.camera_id]
    kept = kept_groups(groups.groups, own, utc_ns)
    if not kept:
        return Purgeable(segment.camera_id, (segment,), ErasureCause.RETENTION, tuple(holds), _RULE_ONLY)
    if sum(map(len, kept)) == len(groups.groups):
        return None
    return Trimmable(segment, groups, kept, tuple(holds), _RULE_ONLY)


def purgeable_early(
    segments: Sequence[StoredSegment], minimum_days: Mapping[str, int], utc_ns: int, holds: Sequence[Hold]
) -> list[Purgeable]:
    """Of these segments, those that may go to make room: above their camera's minimum, and touched by no hold.

    One for each camera, in the order of the segments (LAW-08).
    """
    chosen: dict[str, list[StoredSegment]] = {}
    for one in segments:
        above = one.end_ns <= utc_ns - max(minimum_days.get(one.camera_id, 0) * DAY_NS, YOUNGEST_NS)
        if above and not one.open and not is_touched(one, holds, utc_ns):
            chosen.setdefault(one.camera_id, []).append(one)
    return [
        Purgeable(camera_id, tuple(share), ErasureCause.DISK_FULL, _of(camera_id, holds), _RULE_ONLY)
        for camera_id, share in chosen.items()
    ]


def _of(camera_id: str, holds: Sequence[Hold]) -> tuple[Hold, ...]:
    return tuple(hold for hold in holds if hold.camera_id == camera_id)
