"""S1 and S2 under fire: each file-system call of starting, recording, closing and erasing fails in turn, and the
process ends at each in turn. A start without faults follows, and `examine` and a player judge what is left."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recorder.recording.segment_writer import SegmentWriter
from recorder.retention.purgeable import DAY_NS, purgeable
from recorder.store.fsck import examine
from tests.recorder.store.recordings import (
    CAMERA,
    FOREVER_NS,
    dated,
    open_store,
    pictures,
    record_and_vanish,
    record_seconds,
)
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

START_NS = 1_767_225_600 * NS_PER_SECOND
SYSTEM_CALLS = ("fsync", "fdatasync", "link", "ftruncate", "writev")
PATH_CALLS = ("unlink", "mkdir", "rmdir")
NEVER = 1_000_000


class Killed(BaseException):
    """Stands for the end of the process: nobody may catch it, nothing runs after it."""


class Faults:
    """Stands between `durable` and the system, and raises `error` at the call number `turn`, counted over all.

    Without an error the call is a `writev` that takes only a part. After the end of the process every call raises.
    """

    def __init__(self, turn: int, error: BaseException | None) -> None:
        self.calls: list[str] = []
        self._turn = turn
        self._error = error
        self._guard = threading.Lock()

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        return self.around(name, real) if name in SYSTEM_CALLS else real

    def around(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            with self._guard:
                self.calls.append(name)
                count = len(self.calls)
            if self._error is not None and (count == self._turn or self._ended(count)):
                raise self._error
            if self._error is None and name == "writev" and count == self._turn:
                return _short_write(*arguments)  # type: ignore[arg-type]
            return real(*arguments, **options)

        return call

    def _ended(self, count: int) -> bool:
        return isinstance(self._error, Killed) and count > self._turn


def _short_write(descriptor: int, chunks: list[bytes | memoryview]) -> int:
    whole = b"".join(chunks)
    return os.write(descriptor, whole[: len(whole) // 2 + 1])


@contextlib.contextmanager
def under(faults: Faults) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, "os", faults)
        for name in PATH_CALLS:
            patch.setattr(Path, name, faults.around(name, getattr(Path, name)))
        yield


async def prepared(folder: Path, clock: ManualClock) -> set[str]:
    """A store that was killed: two closed segments, and an open one with a torn tail. The names of the two."""
    async with open_store(folder, clock) as store:
        await record_seconds(store, seconds=4, segment_seconds=2)
        closed = await store.segments_between(CAMERA, 0, FOREVER_NS)
    await clock.advance(10)
    await record_and_vanish(folder, clock)
    (unfinished,) = (folder / "open").iterdir()
    content = await asyncio.to_thread(unfinished.read_bytes)
    await asyncio.to_thread(unfinished.write_bytes, content + b"\0\0\4\0moof torn")
    return {one.segment_id for one in closed}


async def cycle(folder: Path, clock: ManualClock) -> None:
    """Start and salvage, record two segments with a sync in between, erase the oldest, and stop."""
    async with open_store(folder, clock, sync_interval_s=0.0) as store:
        writer = SegmentWriter(store, CAMERA, segment_seconds=2)
        writer.write(list(dated(clock.utc_ns() - 4 * NS_PER_SECOND, 4, run=2)))
        await writer.close()
        oldest = await store.expired(CAMERA, FOREVER_NS, 1)
        expired = purgeable(CAMERA, oldest, 1, clock.utc_ns() + 2 * DAY_NS, ())
        if expired is not None:
            await store.remove(expired)


async def survives(folder: Path, before: Path, kept: set[str], turn: int, error: BaseException | None) -> Faults:
    """One fault in one cycle over a copy of `before`, then a start without faults."""
    await asyncio.to_thread(shutil.copytree, before, folder)
    clock = ManualClock(START_NS + 90_000 * NS_PER_SECOND)
    faults = Faults(turn, error)
    with under(faults), contextlib.suppress(OSError, VmsError, Killed):
        await cycle(folder, clock)
    await clock.advance(60)
    async with open_store(folder, clock) as store:
        found = {one.segment_id for one in await store.segments_between(CAMERA, 0, FOREVER_NS)}
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    told = f"{error!r} at call {turn}: {faults.calls[turn - 1 : turn]}"
    assert (await asyncio.to_thread(examine, folder)).findings == (), told
    assert list((folder / "open").iterdir()) == [], told
    assert len(kept - found) <= 1, f"more than the erased segment is gone: {told}"
    assert len(found) >= 2, told
    assert timeline.gaps, told
    return faults


ERRORS: dict[str, Callable[[], BaseException | None]] = {
    "EIO": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "ENOSPC": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "killed": Killed,
    "short write": lambda: None,
}


@pytest.mark.parametrize("fault", ["EIO", "killed"])
@pytest.mark.parametrize("turn", [2, 7, 12, 19, 26, 33, 40])
async def test_a_fault_now_and_then_leaves_a_sound_store(tmp_path: Path, fault: str, turn: int):
    kept = await prepared(tmp_path / "before", ManualClock(START_NS + 1_000 * NS_PER_SECOND))
    await survives(tmp_path / "after", tmp_path / "before", kept, turn, ERRORS[fault]())


async def test_the_cycle_makes_every_kind_of_call(tmp_path: Path):
    kept = await prepared(tmp_path / "before", ManualClock(START_NS + 1_000 * NS_PER_SECOND))
    faults = await survives(tmp_path / "after", tmp_path / "before", kept, NEVER, Killed())
    assert set(faults.calls) == {*SYSTEM_CALLS, *PATH_CALLS}
    assert len(faults.calls) > 30


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", list(ERRORS))
async def test_each_call_in_turn_fails_and_leaves_a_sound_store(tmp_path: Path, fault: str):
    """Every file-system call of a cycle, one after the other; what is left plays."""
    kept = await prepared(tmp_path / "before", ManualClock(START_NS + 1_000 * NS_PER_SECOND))
    turn = 1
    while True:
        folder = tmp_path / str(turn)
        faults = await survives(folder, tmp_path / "before", kept, turn, ERRORS[fault]())
        assert await asyncio.to_thread(pictures, folder) >= 50
        await asyncio.to_thread(shutil.rmtree, folder)
        if len(faults.calls) < turn:
            break
        turn += 1
    assert turn > 30
