"""What is held in one store: placing and letting go of holds, what they keep, and cutting segments down to it.

A hold is in the index of the store, durably, before `place` answers; from then on no decision that did not know of it
erases anything of its camera (`check_holds`). What it keeps is told to a group of pictures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import structlog

from recorder.contract.hold import HeldRange, Hold
from recorder.retention.holds import REORDER_NS, overlaps
from recorder.retention.purgeable import ErasureCause, Trimmable
from recorder.store.closing import exchange_segment
from recorder.store.groups import Groups, read_groups
from recorder.store.holds import check_holds, holds_of, recorded_ns
from recorder.store.segment import StoredSegment
from recorder.store.store import SegmentStore
from recorder.store.trimming import write_parts
from vms.base.errors import ErrorKind, VmsError
from vms.media.errors import MediaError

log = structlog.get_logger(__name__)


class Custody:
    """The holds of one store. Every call raises VmsError when the disk refuses."""

    def __init__(self, store: SegmentStore) -> None:
        self._store = store

    async def holds(self, camera_id: str | None = None) -> tuple[Hold, ...]:
        """The holds of a camera or of all, those that are over included."""
        return await self._store.ask(lambda index: holds_of(index, camera_id))

    async def place(self, hold: Hold) -> None:
        """Keep what the hold names. Durable when it returns; safe to repeat."""
        index = self._store.index

        def place() -> None:
            index.place_hold(hold, recorded_ns(index.connection, hold.camera_id, hold.start_ns, hold.end_ns))

        await self._store.change(place)

    async def forget(self, hold_ids: Collection[str]) -> None:
        """Let go of holds; what their images' days no longer cover goes with the next round of erasure."""
        await self._store.change(lambda: self._store.index.forget_holds(hold_ids))

    async def held_range(self, hold: Hold) -> HeldRange:
        """What this store holds for a hold now, what is still being written included."""
        start_ns, end_ns = hold.start_ns - REORDER_NS, hold.end_ns + REORDER_NS
        segments = await self._store.segments_between(hold.camera_id, start_ns, end_ns)
        return await asyncio.to_thread(_held_range, self._store.settings.folder, hold, segments)

    async def groups(self, segment: StoredSegment) -> Groups:
        """The groups of a segment. Raises VmsError `segment.unreadable` when its file is not what it should be."""
        path = self._store.settings.folder / segment.file
        try:
            return await asyncio.to_thread(read_groups, path, segment.start_ns)
        except (OSError, MediaError) as broken:
            raise _unreadable(segment, broken) from None

    async def trim(self, trimmable: Trimmable) -> list[StoredSegment]:
        """Let the held parts of a segment take its place; see `closing`.

        Raises VmsError when the disk refuses, or `store.held` when a hold came that the rule did not know of.
        """
        store, whole = self._store, trimmable.segment
        try:
            parts = await asyncio.to_thread(write_parts, store.settings.folder, whole, trimmable.groups, trimmable.kept)
        except (OSError, MediaError) as broken:
            raise _unreadable(whole, broken) from None

        def exchange() -> None:
            check_holds(store.index.connection, whole.camera_id, trimmable.holds)
            exchange_segment(store.settings.folder, store.index, whole, parts, ErasureCause.TRIMMED)

        await store.change(exchange)
        return parts


def whole_range(hold: Hold, ranges: Iterable[HeldRange]) -> HeldRange:
    """What several disks hold for one hold, together."""
    found = [one for one in ranges if one.held_end_ns]
    return HeldRange(
        hold,
        sum(one.size_bytes for one in found),
        min((one.held_start_ns for one in found), default=0),
        max((one.held_end_ns for one in found), default=0),
    )


def _held_range(folder: Path, hold: Hold, segments: Sequence[StoredSegment]) -> HeldRange:
    size = start_ns = end_ns = 0
    for segment in segments:
        for begin_ns, finish_ns, size_bytes in _held_of(folder, hold, segment):
            size += size_bytes
            start_ns = min(start_ns or begin_ns, begin_ns)
            end_ns = max(end_ns, finish_ns)
    return HeldRange(hold, size, start_ns, end_ns)


def _held_of(folder: Path, hold: Hold, segment: StoredSegment) -> list[tuple[int, int, int]]:
    if not segment.open and hold.start_ns <= segment.start_ns and segment.end_ns <= hold.end_ns:
        return [(segment.start_ns, segment.end_ns, segment.size_bytes)]
    try:
        groups = read_groups(folder / segment.file, segment.start_ns).groups
    except (OSError, MediaError) as broken:  # it was closed in between, or is damaged: then nothing is promised of it
        log.warning("held segment cannot be read", segment_id=segment.segment_id, error=repr(broken))
        return []
    return [
        (group.start_ns, group.end_ns, group.size_bytes)
        for group in groups
        if overlaps(hold, group.start_ns, group.end_ns)
    ]


def _unreadable(segment: StoredSegment, broken: Exception) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "segment.unreadable",
        "Un segment sous conservation ne peut pas être lu : il est gardé entier.",
        hint="Contrôlez les segments avec « vms recorder fsck ».",
        detail=f"{segment.file}: {broken!r}",
    )
