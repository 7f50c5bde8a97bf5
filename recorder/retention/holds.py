"""What holds keep, decided by a pure rule: exact to a group of pictures (LAW-10).

Rules
1. A hold counts until its end and not an instant longer, for its camera alone, assigned or not.
2. A group is kept when any picture of it is presented within the range of a hold: from the group that shows the first
   held instant, to the group that shows the last. Nothing else is.
3. Holds add up: what one of several keeps is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Protocol

from recorder.contract.hold import Hold
from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND

REORDER_NS: Final = 2 * NS_PER_SECOND
"""How far pictures may be presented outside of their segment's row, which counts decode times: at most 16 pictures."""


class Span(Protocol):
    """Anything with a start and an end, UTC nanoseconds, the end excluded."""

    @property
    def start_ns(self) -> int: ...

    @property
    def end_ns(self) -> int: ...


def in_force(holds: Iterable[Hold], utc_ns: int) -> list[Hold]:
    """The holds that count at this instant."""
    return [hold for hold in holds if hold.in_force(utc_ns)]


def overlaps(hold: Hold, start_ns: int, end_ns: int) -> bool:
    """Whether anything of `[start_ns, end_ns)` is within the range of a hold."""
    return hold.start_ns < end_ns and start_ns < hold.end_ns


def is_touched(segment: StoredSegment, holds: Iterable[Hold], utc_ns: int) -> bool:
    """Whether a hold in force may keep something of a segment. Its groups tell what."""
    start_ns, end_ns = segment.start_ns - REORDER_NS, segment.end_ns + REORDER_NS
    return any(
        hold.camera_id == segment.camera_id and hold.in_force(utc_ns) and overlaps(hold, start_ns, end_ns)
        for hold in holds
    )


def kept_groups(groups: Sequence[Span], holds: Iterable[Hold], utc_ns: int) -> tuple[range, ...]:
    """Which groups of one camera its holds keep, as stretches of neighbours, in order; empty when none."""
    counting = in_force(holds, utc_ns)
    kept = [
        place
        for place, group in enumerate(groups)
        if any(overlaps(hold, group.start_ns, group.end_ns) for hold in counting)
    ]
    if not kept:
        return ()
    begins = [kept[0], *(after for before, after in pairwise(kept) if after != before + 1)]
    ends = [*(before for before, after in pairwise(kept) if after != before + 1), kept[-1]]
    return tuple(range(begin, end + 1) for begin, end in zip(begins, ends, strict=True))
