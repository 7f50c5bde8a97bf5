"""Finds the recorded segments of a camera in the stores of this node, which are only ever read.

A camera's footage may lie in several stores: the number of shards or disks of a node may have changed. The indexes are
asked for an hour at a time, so that a long range costs no more memory than a short one, and what is recorded while a
playback runs is found when it gets there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.store import queries
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

WINDOW_NS = 3_600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment, and the folder of the store that holds it."""

    folder: Path
    segment: StoredSegment

    @property
    def path(self) -> Path:
        """Where the file is, as long as the segment is not closed or erased meanwhile."""
        return self.folder / self.segment.file


class Catalogue:
    """The stores of one node, opened for reading. Blocking: for threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._stores: list[tuple[Path, sqlite3.Connection]] = []
        try:
            for folder in folders:
                if (folder / INDEX_NAME).exists():
                    self._stores.append((folder, connect_to_read(folder / INDEX_NAME)))
        except sqlite3.Error as broken:
            self.close()
            raise _unreadable(broken) from None

    def segments(self, camera_id: str, start_ns: int, end_ns: int) -> Iterator[FoundSegment]:
        """The segments that overlap `[start_ns, end_ns)`, each once, by start, those still open at their place.

        Raises VmsError `playback.index_unreadable`.
        """
        given: set[str] = set()
        newest_ns = -1
        window_ns = start_ns
        while window_ns < end_ns:
            window_end_ns = min(window_ns + WINDOW_NS, end_ns)
            for found in self._between(camera_id, window_ns, window_end_ns):
                segment = found.segment
                if segment.segment_id not in given and segment.start_ns >= newest_ns:
                    given.add(segment.segment_id)
                    newest_ns = segment.start_ns
                    yield found
            window_ns = window_end_ns

    def again(self, found: FoundSegment) -> FoundSegment | None:
        """The same segment as the index knows it now: one that was open may have been closed, or erased (None)."""
        segment = found.segment
        for now in self._between(segment.camera_id, segment.start_ns, segment.start_ns + 1):
            if now.segment.segment_id == segment.segment_id:
                return now
        return None

    def _between(self, camera_id: str, start_ns: int, end_ns: int) -> list[FoundSegment]:
        found: list[FoundSegment] = []
        try:
            for folder, index in self._stores:
                # The open ones first: one that is closed between the two questions is then seen twice, never missed.
                growing = [one for one in queries.open_segments(index, camera_id) if one.start_ns < end_ns]
                closed = queries.segments_between(index, camera_id, start_ns, end_ns)
                known = {one.segment_id for one in closed}
                closed += [one for one in growing if one.segment_id not in known]
                found += [FoundSegment(folder, one) for one in closed]
        except (sqlite3.Error, ValueError) as broken:
            raise _unreadable(broken) from None
        return sorted(found, key=lambda one: (one.segment.start_ns, one.segment.segment_id))

    def close(self) -> None:
        """Close the indexes."""
        for _, index in self._stores:
            index.close()
        self._stores = []


def _unreadable(broken: Exception) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "playback.index_unreadable",
        "L'index des enregistrements est illisible.",
        hint="Prévenez l'administrateur : « vms recorder fsck » dit ce qui est atteint.",
        detail=repr(broken),
    )
