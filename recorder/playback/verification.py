"""Whether what is shown is what was recorded: SHA-256 of whole segments against the index (LAW-40).

Hashing a segment before its first byte is shown would make a viewer wait for megabytes that nobody asked for. So a
segment is checked while it is shown, once, and whoever looks at it is told at once when it is wrong.

Rules
1. One file is read at a time, by a thread of its own, and it rests as long as it reads: a check never takes the disk
   from a recording or a viewer.
2. What was asked for last is checked first. No more than `MAX_WAITING` wait; the oldest of them is forgotten, and is
   asked for again when it is shown again.
3. A file that was replaced or erased meanwhile is not damaged: the index is asked again before anyone is alarmed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog

from recorder.playback.catalogue import CataloguePool, FoundSegment
from recorder.playback.walk import Damage
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 64
MAX_KNOWN: Final = 16_384
PIECE_BYTES: Final = 4 * 1024 * 1024

Tell = Callable[[Damage], None]


class DigestChecker:
    """Checks segments in the background. Lives on the event loop."""

    def __init__(self, pool: CataloguePool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="digests")
        self._known: OrderedDict[tuple[str, bytes], Damage | None] = OrderedDict()
        self._waiting: OrderedDict[tuple[str, bytes], tuple[FoundSegment, list[Tell]]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def check(self, found: FoundSegment, tell: Tell) -> None:
        """See to it that a closed segment is checked; `tell` is called, now or later, when it is not what it was."""
        segment = found.segment
        key = segment.segment_id, segment.digest
        if segment.open:
            return
        if key in self._known:
            damage = self._known[key]
            if damage is not None:
                tell(damage)
            return
        _, listeners = self._waiting.setdefault(key, (found, []))
        self._waiting.move_to_end(key)
        if tell not in listeners:
            listeners.append(tell)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="digests")

    def damage_of(self, found: FoundSegment) -> Damage | None:
        """What is known already to be wrong with a segment."""
        return self._known.get((found.segment.segment_id, found.segment.digest))

    async def close(self) -> None:
        """Leave what was not checked."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def _work(self) -> None:
        while self._waiting:
            key, (found, listeners) = next(reversed(self._waiting.items()))
            try:
                damage = await self._checked(found)
            except VmsError as refused:
                log.warning("a segment could not be checked", segment_id=key[0], detail=refused.detail)
                damage = None
            # Those who came while it was read are in the same list; one that was forgotten meanwhile is told too.
            self._waiting.pop(key, None)
            self._known[key] = damage
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
            if damage is not None:
                log.error(
                    "recorded segment is not what the index says",
                    code=damage.code,
                    detail=damage.detail,
                    camera_id=found.segment.camera_id,
                    segment_id=damage.segment_id,
                )
                for tell in listeners:
                    tell(damage)

    async def _checked(self, found: FoundSegment) -> Damage | None:
        loop = asyncio.get_running_loop()
        segment = found.segment
        digest = hashlib.sha256()
        try:
            descriptor = await loop.run_in_executor(self._thread, _open, found)
        except OSError:
            return None  # Gone, or not readable: whoever reads it is told by the reader.
        try:
            offset = 0
            while offset < segment.size_bytes:
                begun_ns = self._clock.monotonic_ns()
                size = await loop.run_in_executor(self._thread, _hash_piece, descriptor, offset, digest)
                if not size:
                    break
                offset += size
                await self._clock.sleep((self._clock.monotonic_ns() - begun_ns) / NS_PER_SECOND)
        finally:
            os.close(descriptor)
        if digest.digest() == segment.digest:
            return None
        now = await loop.run_in_executor(self._thread, self._again, found)
        if now is None or now.segment.digest != segment.digest:
            return None
        detail = f"SHA-256 {digest.hexdigest()}, the index says {segment.digest.hex()}"
        return Damage(segment.segment_id, segment.start_ns, segment.end_ns, "segment.damaged", detail)

    def _again(self, found: FoundSegment) -> FoundSegment | None:
        with self._pool.lent() as catalogue:
            return catalogue.again(found)


def _open(found: FoundSegment) -> int:
    return os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _hash_piece(descriptor: int, offset: int, digest: hashlib._Hash) -> int:
    piece = os.pread(descriptor, PIECE_BYTES, offset)
    digest.update(piece)
    return len(piece)
