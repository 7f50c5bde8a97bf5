"""S1, S2 and S3 while a segment is cut to what is held: each file-system call fails in turn, and the process ends at
each in turn. Whatever happens, either the whole segment is there or its held part is, complete, and never neither."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from recorder.retention.custody import Custody
from recorder.retention.purgeable import Trimmable, reduced
from recorder.store.fsck import examine
from recorder.store.segment import TRIM_FOLDER, StoredSegment
from tests.recorder.retention.held import DAY_S, hold_of
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, open_store, record_seconds
from tests.recorder.store.test_faults import ERRORS, NEVER, START_NS, Faults, Killed, under
from vms.base.clock import NS_PER_SECOND, ManualClock
from vms.base.errors import VmsError

LATER_NS = START_NS + 2 * DAY_S * NS_PER_SECOND


async def prepared(folder: Path) -> StoredSegment:
    """A store with one segment of which the first group is held."""
    clock = ManualClock(START_NS)
    async with open_store(folder, clock) as store:
        await record_seconds(store, CAMERA, 6)
        (whole,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        await Custody(store).place(hold_of(whole.start_ns, whole.start_ns + 1, clock.utc_ns()))
    return whole


async def cut(folder: Path) -> None:
    """Start, cut the segment, and stop."""
    async with open_store(folder, ManualClock(LATER_NS)) as store:
        custody = Custody(store)
        (whole,) = await store.segments_between(CAMERA, 0, FOREVER_NS)
        decision = reduced(whole, await custody.groups(whole), 1, LATER_NS, await custody.holds(CAMERA))
        assert isinstance(decision, Trimmable)
        await custody.trim(decision)


async def survives(folder: Path, before: Path, whole: StoredSegment, turn: int, error: BaseException | None) -> Faults:
    await asyncio.to_thread(shutil.copytree, before, folder)
    faults = Faults(turn, error)
    with under(faults), contextlib.suppress(OSError, VmsError, Killed):
        await cut(folder)
    told = f"{error!r} at call {turn}: {faults.calls[turn - 1 : turn]}"
    async with open_store(folder, ManualClock(LATER_NS + NS_PER_SECOND)) as store:
        found = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert len(found) == 1, told
    assert found[0] == whole or found[0].chain_digest == whole.digest, told
    assert (await asyncio.to_thread(examine, folder)).findings == (), told
    assert list((folder / TRIM_FOLDER).iterdir()) == [], told
    return faults


@pytest.mark.parametrize("fault", ["EIO", "killed"])
@pytest.mark.parametrize("turn", [3, 6, 9, 12, 15, 18])
async def test_a_fault_while_cutting_leaves_the_whole_or_its_part(tmp_path: Path, fault: str, turn: int):
    """LAW-10, S3."""
    whole = await prepared(tmp_path / "before")
    await survives(tmp_path / "after", tmp_path / "before", whole, turn, ERRORS[fault]())


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", list(ERRORS))
async def test_each_call_in_turn_fails_while_cutting(tmp_path: Path, fault: str):
    """LAW-10, S3: every file-system call of the procedure, one after the other."""
    whole = await prepared(tmp_path / "before")
    every = await survives(tmp_path / "whole", tmp_path / "before", whole, NEVER, Killed())
    assert len(every.calls) > 15
    for turn in range(1, len(every.calls) + 1):
        await survives(tmp_path / str(turn), tmp_path / "before", whole, turn, ERRORS[fault]())
        await asyncio.to_thread(shutil.rmtree, tmp_path / str(turn))
