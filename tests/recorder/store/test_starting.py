from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from recorder.contract.timeline import GapCause
from recorder.recording.segment_writer import SegmentWriter
from recorder.retention.purgeable import DAY_NS, purgeable
from recorder.store.fsck import examine
from recorder.store.schema import INDEX_NAME
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, dated, open_store, record_seconds
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

START_NS = 1_767_225_600 * NS_PER_SECOND
DURABLE_CALLS = ("sync_file", "sync_folder", "publish", "remove", "make_folder", "write_all")


class Killed(BaseException):
    """Stands for the end of the process."""


def pictures(folder: Path) -> int:
    """How many pictures a player decodes from everything that is counted."""
    count = 0
    for path in (folder / "media").rglob("*.mp4"):
        with av.open(str(path)) as container:
            count += sum(1 for _ in container.decode(video=0))
    return count


async def test_a_second_instance_is_refused_in_french(tmp_path: Path):
    async with open_store(tmp_path):
        with pytest.raises(VmsError) as refused:
            async with open_store(tmp_path):
                pass
    assert "déjà utilisé" in refused.value.message


async def test_a_clock_before_the_newest_segment_is_refused_and_nothing_is_lost(tmp_path: Path):
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=4)
    clock.step_utc(-86_400)
    with pytest.raises(VmsError) as refused:
        async with open_store(tmp_path, clock):
            pass
    assert refused.value.code == "store.clock_behind"
    assert "NTP" in refused.value.hint
    clock.step_utc(86_400)
    async with open_store(tmp_path, clock) as store:
        assert len(await store.segments_between(CAMERA, 0, FOREVER_NS)) == 1


async def test_a_corrupt_index_is_moved_aside_and_rebuilt_without_loss(tmp_path: Path):
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=8, segment_seconds=2)
        before = await store.segments_between(CAMERA, 0, FOREVER_NS)
    await asyncio.to_thread((tmp_path / INDEX_NAME).write_bytes, b"not a database at all" * 1000)
    async with open_store(tmp_path, clock) as store:
        after = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert [(one.segment_id, one.digest) for one in after] == [(one.segment_id, one.digest) for one in before]
    assert await asyncio.to_thread(_kept_aside, tmp_path, b"not a database at all")
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


def _kept_aside(folder: Path, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in folder.glob(f"{INDEX_NAME}.corrupt-*"))


async def test_a_lost_index_is_rebuilt_too(tmp_path: Path):
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=4, segment_seconds=2)
    for path in await asyncio.to_thread(lambda: list(tmp_path.glob(f"{INDEX_NAME}*"))):
        os.unlink(path)
    async with open_store(tmp_path, clock) as store:
        assert len(await store.segments_between(CAMERA, 0, FOREVER_NS)) == 2


async def test_a_folder_that_cannot_be_made_is_said_in_french(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(VmsError) as refused:
        async with open_store(tmp_path / "file" / "store"):
            pass
    assert refused.value.code == "store.not_writable"


async def test_what_was_open_is_salvaged_up_to_its_last_whole_fragment(tmp_path: Path):
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    await _record_and_vanish(tmp_path, clock)
    (unfinished,) = (tmp_path / "open").iterdir()
    content = await asyncio.to_thread(unfinished.read_bytes)
    await asyncio.to_thread(unfinished.write_bytes, content + b"\0\0\4\0moof torn")
    async with open_store(tmp_path, clock) as store:
        (one,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        timeline = await store.timeline(CAMERA, 0, FOREVER_NS)
    assert not one.open
    assert [(gap.cause, gap.end_ns) for gap in timeline.gaps] == [(GapCause.RECORDER, None)]
    assert await asyncio.to_thread(pictures, tmp_path) >= 36
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()


async def _record_and_vanish(folder: Path, clock: ManualClock) -> None:
    """Leave a store as `kill -9` would: fragments written, nothing closed."""
    block = open_store(folder, clock)
    store = await block.__aenter__()
    writer = SegmentWriter(store, CAMERA)
    writer.write(list(dated(clock.utc_ns() - 4 * NS_PER_SECOND, 4)))
    await store.disk.run(lambda: None)
    if store._watch is not None:
        store._watch.cancel()
    await asyncio.to_thread(store.disk.stop)
    store.index.connection.close()
    store._lock.release()


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "swap"])
async def test_damage_to_what_is_recorded_is_found(tmp_path: Path, damage: str):
    """LAW-14, LAW-40: one flipped bit, a cut tail, a missing file and two swapped files are each named."""
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=6, segment_seconds=2)
    files = sorted((tmp_path / "media").rglob("*.mp4"))
    content = await asyncio.to_thread(files[1].read_bytes)
    if damage == "flip":
        await asyncio.to_thread(files[1].write_bytes, content[:5000] + bytes((content[5000] ^ 1,)) + content[5001:])
    elif damage == "cut":
        os.truncate(files[1], len(content) - 1)
    elif damage == "remove":
        os.unlink(files[1])
    else:
        os.rename(files[1], tmp_path / "kept")
        os.rename(files[2], files[1])
        os.rename(tmp_path / "kept", files[2])
    found = {one.kind for one in (await asyncio.to_thread(examine, tmp_path)).findings}
    expected = {"flip": "wrong_digest", "cut": "wrong_size", "remove": "missing_file"}
    assert found & {expected.get(damage, "wrong_size"), "wrong_digest"}


def _fails_at(turn: int, real: Callable[..., object], error: BaseException, turns: list[int]) -> Callable[..., object]:
    def failing(*arguments: object, **options: object) -> object:
        turns[0] += 1
        if turns[0] == turn:
            raise error
        return real(*arguments, **options)

    return failing


async def _cycle(folder: Path, clock: ManualClock) -> None:
    """Start, record, close, erase and stop: every procedure once."""
    async with open_store(folder, clock) as store:
        await record_seconds(store, seconds=4, segment_seconds=2)
        segments = await store.segments_between(CAMERA, 0, FOREVER_NS)
        if segments:
            expired = purgeable(CAMERA, segments[:1], 1, segments[0].start_ns + DAY_NS)
            assert expired is not None
            await store.remove(expired)


async def _survives(folder: Path, call: str, turn: int, error: BaseException) -> bool:
    """One fault in one cycle, then a start without faults, judged by `examine`. False when the fault never came."""
    clock = ManualClock(START_NS + 1_000 * NS_PER_SECOND)
    await _cycle(folder, clock)
    await clock.advance(60)
    turns = [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(durable, call, _fails_at(turn, getattr(durable, call), error, turns))
        with contextlib.suppress(OSError, VmsError, Killed):
            await _cycle(folder, clock)
    reached = turns[0] >= turn
    await clock.advance(60)
    async with open_store(folder, clock):
        pass
    examination = await asyncio.to_thread(examine, folder)
    assert examination.findings == (), (call, turn, error)
    assert list((folder / "open").iterdir()) == []
    return reached


@pytest.mark.parametrize("call", ["sync_file", "publish", "remove", "write_all"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_a_first_fault_of_a_call_leaves_a_store_that_is_sound(tmp_path: Path, call: str, code: int):
    await _survives(tmp_path, call, 1, OSError(code, os.strerror(code)))


@pytest.mark.long
@pytest.mark.parametrize("call", DURABLE_CALLS)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
async def test_every_fault_of_every_call_leaves_a_store_that_is_sound(tmp_path: Path, call: str, code: int):
    turn = 1
    while await _survives(tmp_path / str(turn), call, turn, OSError(code, os.strerror(code))):
        turn += 1
    assert turn > 1
