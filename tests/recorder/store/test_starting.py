from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from recorder.contract.timeline import GapCause
from recorder.store.fsck import examine
from recorder.store.schema import INDEX_NAME
from tests.recorder.store.recordings import (
    CAMERA,
    FOREVER_NS,
    open_store,
    pictures,
    record_and_vanish,
    record_seconds,
)
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

START_NS = 1_767_225_600 * NS_PER_SECOND


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
    await record_and_vanish(tmp_path, clock)
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


async def test_a_rebuild_changes_no_file_even_a_damaged_one(tmp_path: Path):
    """LAW-40: what is damaged stays as it is found, for the digests to tell."""
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=6, segment_seconds=6)
    (file,) = (tmp_path / "media").rglob("*.mp4")
    content = bytearray(await asyncio.to_thread(file.read_bytes))
    third = [place for place in range(len(content)) if content[place : place + 4] == b"moof"][2]
    content[third : third + 4] = b"free"
    content[-4:] = bytes(4)
    await asyncio.to_thread(file.write_bytes, content)
    for path in await asyncio.to_thread(lambda: list(tmp_path.glob(f"{INDEX_NAME}*"))):
        os.unlink(path)
    async with open_store(tmp_path, clock) as store:
        assert len(await store.segments_between(CAMERA, 0, FOREVER_NS)) == 1
    assert await asyncio.to_thread(file.read_bytes) == bytes(content)


async def test_what_bears_both_names_is_counted_once(tmp_path: Path):
    """The end of the process between giving the final name and taking back the old one."""
    clock = ManualClock(START_NS + 100 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        await record_seconds(store, seconds=4)
        (one,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
    os.link(tmp_path / one.file, tmp_path / "open" / f"{one.segment_id}.mp4")
    async with open_store(tmp_path, clock) as store:
        assert [found.digest for found in await store.segments_between(CAMERA, 0, FOREVER_NS)] == [one.digest]
    assert list((tmp_path / "open").iterdir()) == []
    assert (await asyncio.to_thread(examine, tmp_path)).findings == ()
