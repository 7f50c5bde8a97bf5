"""One key frame out of a recording, as it was recorded: what stills are decoded from.

Rule: the key frame that is presented at or before the instant, of a segment that holds the instant. In a gap there is
none: a picture from before it would pass for one of the instant.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from recorder.playback.catalogue import CataloguePool, FoundSegment
from recorder.playback.group import Group, read_group
from recorder.playback.segment_file import DamagedSegmentError, IndexCache, SegmentFile
from recorder.playback.ticks import ticks_90k
from recorder.playback.walk import SNAP_NS
from recorder.store.queries import JOIN_TOLERANCE_NS
from vms.base.clock import NS_PER_SECOND
from vms.media.access_unit import ParameterSets

log = structlog.get_logger(__name__)

MAX_PICTURE_BYTES: Final = 8 * 1024 * 1024
OPEN_TAIL_NS: Final = 5 * NS_PER_SECOND
"""What may still come of a segment that is written; a later instant has no picture yet."""
_CANDIDATES: Final = 4


@dataclass(frozen=True, slots=True)
class KeyPicture:
    """A coded picture that can be decoded alone. `at_ns` is the UTC of its capture; `name` tells it from others."""

    name: str
    at_ns: int
    parameters: ParameterSets
    sample: bytes


class KeyPictures:
    """Finds key frames in the given stores. Blocking, for threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="stills")
        self._pool = CataloguePool(tuple(folders))
        self._indexes = IndexCache()

    def at(self, camera_id: str, instant_ns: int) -> KeyPicture | None:
        """The key frame at or before an instant; None in a gap, or where the file is damaged.

        Raises VmsError `playback.index_unreadable`.
        """
        instant_ns += SNAP_NS  # instants come from time lines that are rounded to the millisecond
        with self._pool.lent() as catalogue:
            candidates = catalogue.at_or_before(camera_id, instant_ns, _CANDIDATES)
        for found in candidates:
            if found.segment.open or found.segment.end_ns + JOIN_TOLERANCE_NS > instant_ns:
                try:
                    picture = self._of(found, instant_ns)
                except FileNotFoundError:
                    picture = self._of_closed(found, instant_ns)
                except DamagedSegmentError as damaged:
                    log.error("no still of a damaged segment", code=damaged.code, detail=damaged.detail)
                    continue
                if picture is not None:
                    return picture
        return None

    def close(self) -> None:
        """Close the indexes once the threads are idle."""
        self.threads.shutdown()
        self._pool.close()

    def _of_closed(self, found: FoundSegment, instant_ns: int) -> KeyPicture | None:
        """The segment was closed since the index was asked, and has its final name now; or it was erased."""
        with self._pool.lent() as catalogue:
            now = catalogue.again(found)
        try:
            return self._of(now, instant_ns) if now is not None else None
        except (FileNotFoundError, DamagedSegmentError):
            return None

    def _of(self, found: FoundSegment, instant_ns: int) -> KeyPicture | None:
        file = SegmentFile(found)
        try:
            index = file.groups(self._indexes)
            media_90k = ticks_90k(instant_ns - found.segment.start_ns)
            number = bisect_right([group.decode_time_90k for group in index.groups], media_90k) - 1
            if number < 0:
                return None
            group = read_group(file, index, number, key_only=True)
            if group.start_ns > instant_ns and number:
                group = read_group(file, index, number - 1, key_only=True)  # decoded by then, shown later
            return self._picture(file, group, instant_ns)
        finally:
            file.close()

    def _picture(self, file: SegmentFile, group: Group, instant_ns: int) -> KeyPicture | None:
        segment = group.found.segment
        first = group.pictures[0]
        if segment.open and instant_ns > group.end_ns + OPEN_TAIL_NS:
            return None
        if first.size > MAX_PICTURE_BYTES:
            return None
        sample = file.read(first.offset, first.size)
        name = f"{segment.segment_id}/{first.decode_90k}"
        return KeyPicture(name, group.start_ns, group.index.parameters, sample)
