"""Goes through the recording of one camera group by group, forward or backward, and names what is not there.

Rules
1. Every instant belongs to at most one group: that of the newest segment which holds it. Where the clock was stepped
   back, two segments claim the same instants; from the start of the later one on, it is the one that is shown.
2. Forward begins with the group that holds the instant, or else with the first one behind it; a group of which less
   than `SNAP_NS` is left counts as over, so that asking again from the end of a group never gives it again.
3. Backward begins with the group that holds the instant, or else with the last one before it. The groups are those of
   forward, in the other order.
4. A hole of more than `JOIN_TOLERANCE_NS` is told with the causes of the ledger, piece by piece; what the ledger does
   not explain has the cause `not_recorded`: nothing was ever recorded there, or it was erased in its time. While a
   store of the node does not answer, it has the cause `disk`: what is missing may lie there.
5. A file that is not what the index says is told, and passed over.
6. Of a segment that is still written the whole fragments are given. Where they end the recording goes on: no hole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from recorder.contract.timeline import GapCause
from recorder.playback.catalogue import CataloguePool, FoundSegment
from recorder.playback.group import Group, read_group
from recorder.playback.segment_file import DamagedSegmentError, GroupIndex, IndexCache, SegmentFile, open_found
from recorder.playback.ticks import nanoseconds, ticks_90k
from recorder.store.queries import JOIN_TOLERANCE_NS
from vms.base.clock import NS_PER_MS

log = structlog.get_logger(__name__)

SNAP_NS: Final = NS_PER_MS
NOT_RECORDED: Final = "not_recorded"
STORE_MISSING: Final = "store_missing"
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Hole:
    """Nothing is recorded in `[start_ns, end_ns)`. `cause` is a `GapCause` or NOT_RECORDED, `detail` a stable code."""

    start_ns: int
    end_ns: int
    cause: str
    detail: str


@dataclass(frozen=True, slots=True)
class Damage:
    """What the index states for `[start_ns, end_ns)` cannot be read; `code` is that of `DamagedSegmentError`."""

    segment_id: str
    start_ns: int
    end_ns: int
    code: str
    detail: str


class Walk:
    """One way through one camera's recording. Blocking: for threads, one at a time. Must be closed.

    `growing` is true when the way ended where a segment is still written. Every step may raise VmsError
    `playback.index_unreadable`.
    """

    def __init__(self, pool: CataloguePool, cache: IndexCache, camera_id: str, *, key_only: bool) -> None:
        self.growing = False
        self._pool = pool
        self._cache = cache
        self._camera_id = camera_id
        self._key_only = key_only
        self._ahead: deque[FoundSegment] = deque()
        self._file: SegmentFile | None = None
        self._index: GroupIndex | None = None
        self._damage: deque[Damage] = deque()

    def close(self) -> None:
        """Close the file that is open."""
        if self._file is not None:
            self._file.close()
        self._file = self._index = None

    def forward(self, from_ns: int, end_ns: int, now_ns: int) -> Iterator[Group | Hole | Damage]:
        """The groups from the one that holds `from_ns` to the last one that starts before `end_ns`.

        Holes are told up to `now_ns` only: what was not recorded yet is not missing.
        """
        reached_ns = from_ns
        group = self._holding(from_ns + SNAP_NS, 1)
        found = self._following(from_ns + SNAP_NS) if group is None else group.found
        if found is None and self._is_written(from_ns):
            self.growing = True
            return
        while found is not None and found.segment.start_ns < end_ns:
            if group is None:
                group = self._first_of(found)
            while group is not None and group.start_ns < end_ns:
                reached_ns = yield from self._told(reached_ns, max)
                yield from self._holes(reached_ns, group.start_ns)
                yield group
                reached_ns = group.end_ns
                group = self._next_of(group)
            reached_ns = yield from self._told(reached_ns, max)
            if group is not None:
                return
            following = self._following(found.segment.start_ns)
            if following is None and self._file is not None and self._file.found.segment.open:
                self.growing = True
                return
            found = following
        reached_ns = yield from self._told(reached_ns, max)
        yield from self._holes(reached_ns, min(end_ns, now_ns))

    def backward(self, from_ns: int, start_ns: int, now_ns: int) -> Iterator[Group | Hole | Damage]:
        """The groups from the one that holds `from_ns` back to the one that holds `start_ns`, the newest first."""
        reached_ns = min(from_ns, now_ns)
        group = self._holding(from_ns, -1)
        found = self._preceding(from_ns) if group is None else group.found
        limit_ns = from_ns + 1
        while found is not None:
            if group is None:
                group = self._last_of(found, limit_ns)
            while group is not None and group.end_ns > start_ns:
                reached_ns = yield from self._told(reached_ns, min)
                if not (found.segment.open and reached_ns == min(from_ns, now_ns)):
                    yield from reversed(self._holes(group.end_ns, reached_ns))
                yield group
                reached_ns = group.start_ns
                group = self._read(group.number - 1, -1)
            reached_ns = yield from self._told(reached_ns, min)
            if group is not None or reached_ns <= start_ns:
                break
            limit_ns = found.segment.start_ns
            found = self._preceding(limit_ns - 1)
            if found is not None and not found.segment.open and found.segment.end_ns <= start_ns - JOIN_TOLERANCE_NS:
                break
        reached_ns = yield from self._told(reached_ns, min)
        yield from reversed(self._holes(start_ns, reached_ns))

    def _told(self, reached_ns: int, further: Callable[[int, int], int]) -> Generator[Damage, None, int]:
        """Tell what was found damaged; beside it there is no hole, so the walk has come past it."""
        while self._damage:
            damage = self._damage.popleft()
            yield damage
            reached_ns = further(reached_ns, damage.end_ns if further is max else damage.start_ns)
        return reached_ns

    def _holding(self, instant_ns: int, step: int) -> Group | None:
        """The group that is presented at an instant, by rule 1; where it is damaged, the next one in a direction."""
        asked: set[str] = set()
        for limit in (1, _AT_ONCE):
            with self._pool.lent() as catalogue:
                candidates = catalogue.at_or_before(self._camera_id, instant_ns, limit)
            for found in candidates:
                segment = found.segment
                if segment.segment_id in asked:
                    continue
                asked.add(segment.segment_id)
                if segment.open or segment.end_ns + JOIN_TOLERANCE_NS > instant_ns:
                    group = self._at(found, instant_ns, step)
                    if group is not None and group.end_ns > instant_ns:
                        return group
        return None

    def _is_written(self, instant_ns: int) -> bool:
        """Whether an instant lies behind what is written of a segment that is still open."""
        with self._pool.lent() as catalogue:
            return any(found.segment.open for found in catalogue.at_or_before(self._camera_id, instant_ns, 1))

    def _following(self, instant_ns: int) -> FoundSegment | None:
        while self._ahead and self._ahead[0].segment.start_ns <= instant_ns:
            self._ahead.popleft()
        if not self._ahead:
            with self._pool.lent() as catalogue:
                self._ahead.extend(catalogue.after(self._camera_id, instant_ns, _AT_ONCE))
        return self._ahead[0] if self._ahead else None

    def _preceding(self, instant_ns: int) -> FoundSegment | None:
        while self._ahead and self._ahead[0].segment.start_ns > instant_ns:
            self._ahead.popleft()
        if not self._ahead:
            with self._pool.lent() as catalogue:
                self._ahead.extend(catalogue.at_or_before(self._camera_id, instant_ns, _AT_ONCE))
        return self._ahead[0] if self._ahead else None

    def _at(self, found: FoundSegment, instant_ns: int, step: int) -> Group | None:
        if not self._open(found) or self._index is None or not self._index.groups:
            return None
        wanted_90k = ticks_90k(instant_ns - found.segment.start_ns)
        number = max(sum(1 for entry in self._index.groups if entry.decode_time_90k <= wanted_90k) - 1, 0)
        group = self._read(number, step)
        if group is not None and group.number == number > 0 and group.start_ns > instant_ns:
            # Decoded before the instant and presented after it: at the instant, the group before it is shown.
            return self._read(number - 1, -1)
        return group

    def _first_of(self, found: FoundSegment) -> Group | None:
        return self._read(0, 1) if self._open(found) else None

    def _last_of(self, found: FoundSegment, limit_ns: int) -> Group | None:
        """The last group of a segment that starts before `limit_ns`, where a later segment takes over (rule 1)."""
        if not self._open(found) or self._index is None:
            return None
        earlier = sum(1 for number in range(len(self._index.groups)) if self._start_ns(number) < limit_ns)
        return self._read(earlier - 1, -1)

    def _next_of(self, group: Group) -> Group | None:
        number = group.number + 1
        if self._file is not None and self._index is not None and number >= len(self._index.groups):
            if not self._file.found.segment.open:
                return None
            self._look_again(group)
        if self._index is None or number >= len(self._index.groups):
            return None
        following = self._following(group.found.segment.start_ns)
        if following is not None and self._start_ns(number) >= following.segment.start_ns:
            return None
        return self._read(number, 1)

    def _start_ns(self, number: int) -> int:
        assert self._index is not None
        assert self._file is not None
        return self._file.found.segment.start_ns + nanoseconds(self._index.groups[number].decode_time_90k)

    def _look_again(self, group: Group) -> None:
        """A segment that was open when it was opened: it may have grown, or be closed by now."""
        with self._pool.lent() as catalogue:
            now = catalogue.again(group.found)
        if now is not None:
            self._open(now)

    def _open(self, found: FoundSegment) -> bool:
        """Make this the file that is read; false when it is gone or damaged."""
        if self._file is not None and self._file.found == found and not found.segment.open:
            return True
        self.close()
        try:
            self._file = open_found(found, self._again)
            self._index = self._file.groups(self._cache) if self._file is not None else None
        except DamagedSegmentError as damaged:
            self.close()
            self._note(found, found.segment.start_ns, found.segment.end_ns, damaged)
        return self._file is not None

    def _again(self, found: FoundSegment) -> FoundSegment | None:
        with self._pool.lent() as catalogue:
            return catalogue.again(found)

    def _read(self, number: int, step: int) -> Group | None:
        """This group of the open file, or the next one in a direction when it is damaged; None past its ends."""
        while self._file is not None and self._index is not None and 0 <= number < len(self._index.groups):
            try:
                return read_group(self._file, self._index, number, key_only=self._key_only)
            except DamagedSegmentError as damaged:
                entry = self._index.groups[number]
                start_ns = self._file.found.segment.start_ns
                self._note(
                    self._file.found,
                    start_ns + nanoseconds(entry.decode_time_90k),
                    start_ns + nanoseconds(entry.end_90k),
                    damaged,
                )
                number += step
        return None

    def _note(self, found: FoundSegment, start_ns: int, end_ns: int, damaged: DamagedSegmentError) -> None:
        segment_id = found.segment.segment_id
        told = Damage(segment_id, start_ns, end_ns, damaged.code, damaged.detail)
        if told in self._damage:
            return
        self._damage.append(told)
        log.error(
            "recorded segment is not what the index says",
            code=damaged.code,
            detail=damaged.detail,
            camera_id=self._camera_id,
            segment_id=segment_id,
        )

    def _holes(self, start_ns: int, end_ns: int) -> list[Hole]:
        if end_ns - start_ns <= JOIN_TOLERANCE_NS:
            return []
        with self._pool.lent() as catalogue:
            gaps = catalogue.gaps(self._camera_id, start_ns, end_ns)
            unexplained = (GapCause.DISK, STORE_MISSING) if catalogue.incomplete else (NOT_RECORDED, "")
        holes: list[Hole] = []
        reached_ns = start_ns
        for gap in gaps:
            begin_ns = max(gap.start_ns, reached_ns)
            stop_ns = min(gap.end_ns if gap.end_ns is not None else end_ns, end_ns)
            if stop_ns <= begin_ns:
                continue
            if begin_ns - reached_ns > JOIN_TOLERANCE_NS:
                holes.append(Hole(reached_ns, begin_ns, *unexplained))
            else:
                begin_ns = reached_ns
            holes.append(Hole(begin_ns, stop_ns, gap.cause, gap.detail))
            reached_ns = stop_ns
        if end_ns - reached_ns > JOIN_TOLERANCE_NS:
            holes.append(Hole(reached_ns, end_ns, *unexplained))
        elif holes:
            holes[-1] = Hole(holes[-1].start_ns, end_ns, holes[-1].cause, holes[-1].detail)
        return holes
