"""What a player that pulls asks for, and what it is given: groups, holes, damage, and where to ask next.

One `GroupStream` is one look at one camera. It remembers what the player has: the parameter sets that it was told last,
and the group that it was given last, because an open group decodes only behind the one before it (see `group`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from recorder.playback.catalogue import CataloguePool, FoundSegment
from recorder.playback.codecs import refuse_unplayable
from recorder.playback.group import Group, Part
from recorder.playback.segment_file import DamagedSegmentError, IndexCache
from recorder.playback.walk import SNAP_NS, Damage, Hole, Walk
from recorder.store.queries import JOIN_TOLERANCE_NS

MAX_GROUPS: Final = 64


@dataclass(frozen=True, slots=True)
class Fetch:
    """Groups from `from_ns` on: forward up to `to_ns`, backward down to it. UTC nanoseconds."""

    from_ns: int
    to_ns: int
    backward: bool
    key_only: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Config:
    """What decodes the groups that follow: `init` is `ftyp` + `moov`."""

    mime: str
    width: int
    height: int
    init: bytes
    start_ns: int


@dataclass(frozen=True, slots=True)
class Media:
    """A group, or a part of one; `start_ns` is the UTC of its first picture, `found` the segment it comes from."""

    start_ns: int
    part: Part
    found: FoundSegment


class DoneReason(StrEnum):
    """Why nothing more follows."""

    LIMIT = "limit"
    END = "end"
    NOTHING = "nothing"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an answer. `next_ns` is what to ask for next, None where the range ends in this direction."""

    next_ns: int | None
    reason: DoneReason


Event = Config | Media | Hole | Damage | Done


class GroupStream:
    """One look at a camera between two instants, which no fetch passes. Decode times are counted from `start_ns`."""

    def __init__(self, pool: CataloguePool, cache: IndexCache, camera_id: str, start_ns: int, end_ns: int) -> None:
        self._pool = pool
        self._cache = cache
        self._camera_id = camera_id
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._init = b""
        self._given: Group | None = None

    def run(self, fetch: Fetch, now_ns: int) -> Iterator[Event]:
        """The answer to a fetch, the last event a `Done`. Blocking.

        Raises VmsError `playback.index_unreadable`, `codec.unplayable`.
        """
        with closing(Walk(self._pool, self._cache, self._camera_id, key_only=fetch.key_only)) as walk:
            if fetch.backward:
                from_ns = min(fetch.from_ns, self._end_ns - 1)
                way = walk.backward(from_ns, max(fetch.to_ns, self._start_ns), now_ns)
            else:
                from_ns = max(fetch.from_ns, self._start_ns)
                way = walk.forward(from_ns, min(fetch.to_ns, self._end_ns), now_ns)
            last: Group | None = None
            given = 0
            for step in way:
                if not isinstance(step, Group):
                    yield step
                    continue
                yield from self._group(step, fetch)
                last = step
                given += 1
                if given == fetch.limit:
                    yield Done(self._next_ns(fetch, last), DoneReason.LIMIT)
                    return
            if walk.growing and not fetch.backward:
                position_ns = last.end_ns if last is not None else from_ns
                yield Done(position_ns if position_ns < self._end_ns else None, DoneReason.END)
            elif last is None:
                yield Done(None, DoneReason.NOTHING)
            else:
                yield Done(self._next_ns(fetch, last), DoneReason.END)

    def _next_ns(self, fetch: Fetch, last: Group) -> int | None:
        if fetch.backward:
            # A millisecond is less than any picture lasts, and more than a player loses that counts in doubles.
            next_ns = last.start_ns - SNAP_NS
            return next_ns if next_ns >= self._start_ns else None
        return last.end_ns if last.end_ns < self._end_ns else None

    def _group(self, group: Group, fetch: Fetch) -> Iterator[Event]:
        segment = group.found.segment
        refuse_unplayable(segment.video.codec_string)
        alone = fetch.backward or fetch.key_only or self._given is None or not _follows(group, self._given)
        self._given = None if fetch.key_only else group
        try:
            for part in group.parts(self._start_ns, self._end_ns, alone=alone):
                if group.index.init != self._init:
                    self._init = group.index.init
                    yield Config(
                        group.mime, segment.video.width, segment.video.height, group.index.init, group.start_ns
                    )
                yield Media(group.start_ns, part, group.found)
        except DamagedSegmentError as damaged:
            yield Damage(segment.segment_id, group.start_ns, group.end_ns, damaged.code, damaged.detail)


def _follows(group: Group, before: Group) -> bool:
    run = before.found.segment.run
    return group.found.segment.run == run and abs(group.start_ns - before.end_ns) <= JOIN_TOLERANCE_NS
