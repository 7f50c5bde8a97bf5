"""Playback for a process that must not block: files are read by threads, a bounded piece at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from recorder.playback.catalogue import CataloguePool
from recorder.playback.fetching import Event, Fetch, GroupStream
from recorder.playback.range_file import RangeFile, RangeFiles
from recorder.playback.reader import Chunk, RangeReader
from recorder.playback.segment_file import IndexCache
from recorder.playback.verification import DigestChecker
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

SPARE_THREADS = 8
"""Beside one for each stream, so that a disk that hangs keeps only those waiting who look at it."""

_T = TypeVar("_T")


class PlaybackStream:
    """One range of one camera, being read. `start_ns` is the UTC instant of its decode time zero."""

    def __init__(self, service: PlaybackService, reader: RangeReader) -> None:
        self._service = service
        self._reader = reader
        self._closed = False
        self.mime = reader.mime
        self.init = reader.init
        self.start_ns = reader.start_ns

    async def next(self) -> Chunk | None:
        """The next piece, or None at the end. Pieces are read when they are asked for, never before."""
        return await self._service.in_thread(self._reader.next)

    async def close(self) -> None:
        """Close the files; closing twice is fine."""
        if not self._closed:
            self._closed = True
            await self._service.release(self._reader)


class Steps(Generic[_T]):
    """Something that is read step by step by threads, when it is asked for and never before. Must be closed."""

    def __init__(self, service: PlaybackService, steps: Iterator[_T]) -> None:
        self._service = service
        self._steps = steps
        self._lock = threading.Lock()
        self._closed = False

    async def next(self) -> _T | None:
        """The next step; None after the last one. Raises what the iterator raises."""
        return await self._service.in_thread(self._next)

    async def close(self) -> None:
        """Leave the rest and close the files, whatever becomes of the caller meanwhile."""
        await asyncio.shield(self._service.in_thread(self._close))

    def _next(self) -> _T | None:
        with self._lock:
            return None if self._closed else next(self._steps, None)

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            close = getattr(self._steps, "close", None)
            if close is not None:
                close()


class PlaybackService:
    """Opens ranges of the cameras that the given stores hold, at most `max_streams` at a time.

    `digests` checks what is shown.
    """

    def __init__(self, folders: Sequence[Path], max_streams: int, clock: Clock) -> None:
        self._folders = tuple(folders)
        self._max_streams = max_streams
        self._clock = clock
        self._streams = 0
        self._threads = ThreadPoolExecutor(max_streams + SPARE_THREADS, thread_name_prefix="playback")
        self._pool = CataloguePool(self._folders)
        self._indexes = IndexCache()
        self._files = RangeFiles(self._pool, self._indexes)
        self.digests = DigestChecker(self._pool, clock)

    async def open(self, camera_id: str, start_ns: int, end_ns: int) -> PlaybackStream:
        """Begin to read. Raises VmsError `playback.busy`, and those of `RangeReader`."""
        self._take_place()
        reader = RangeReader(self._folders, camera_id, start_ns, end_ns)
        try:
            await self.in_thread(reader.begin)
        except BaseException:
            await self.release(reader)
            raise
        return PlaybackStream(self, reader)

    def open_groups(self, camera_id: str, start_ns: int, end_ns: int) -> GroupStream:
        """A stream to fetch from, to be given back by `close_groups`. Raises VmsError `playback.busy`."""
        self._take_place()
        return GroupStream(self._pool, self._indexes, camera_id, start_ns, end_ns)

    def fetch(self, stream: GroupStream, fetch: Fetch) -> Steps[Event]:
        """Answer a fetch; one at a time for each stream. The answer must be closed."""
        return Steps(self, stream.run(fetch, self._clock.utc_ns()))

    def close_groups(self) -> None:
        """Give the place of a stream to another."""
        self._streams -= 1

    async def file(self, camera_id: str, start_ns: int, end_ns: int) -> RangeFile | None:
        """The range as a file of known length; None while it grows. Raises VmsError `playback.index_unreadable`."""
        return await self.in_thread(lambda: self._files.layout(camera_id, start_ns, end_ns))

    def open_file(self, file: RangeFile, begin: int, end: int) -> Steps[Chunk]:
        """Begin to read bytes of a file; to be closed by `close_file`. Raises VmsError `playback.busy`."""
        self._take_place()
        return Steps(self, file.read(begin, end, self._indexes))

    async def close_file(self, steps: Steps[Chunk]) -> None:
        """Close what `open_file` opened, and give its place to another."""
        self._streams -= 1
        await steps.close()

    def _take_place(self) -> None:
        if self._streams >= self._max_streams:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "playback.busy",
                "Trop de lectures sont en cours sur cet enregistreur.",
                hint="Réessayez dans un instant, ou fermez une autre lecture.",
                detail=f"{self._streams} streams",
            )
        self._streams += 1

    async def in_thread(self, call: Callable[[], _T]) -> _T:
        """Run a blocking call of a reader in one of the threads of this service."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def release(self, reader: RangeReader) -> None:
        """Close a reader's files and give its place to another, whatever becomes of the caller meanwhile."""
        self._streams -= 1
        await asyncio.shield(self.in_thread(reader.close))

    async def close(self) -> None:
        """Let the threads end once they are idle."""
        await self.digests.close()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._pool.close)
