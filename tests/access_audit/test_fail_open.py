"""The log is away, and a recorder neither stops nor forgets: what it records and erases is told later, in order."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from access_audit.client import AuditClient
from access_audit.events import EventKind
from access_audit.journal import JournalQuery
from access_audit.spool import Spool
from access_audit.writer import WriterSettings
from recorder.node import erasure
from recorder.node.client import ShardClient
from recorder.retention import eraser
from recorder.store.schema import packed_id
from tests.access_audit.logs import client_of, settings_of
from tests.access_audit.test_killed import verified, writer_process
from tests.recorder.node.shards import FOREVER_NS, camera_assignment, running_shard, until_live
from tests.simulated import simulated_camera
from tests.writer_faults import Away, Silence, no_byte_more, stopped
from vms.base.clock import NS_PER_SECOND, utc_text
from vms.base.errors import VmsError

AGED_NS = 60 * 86_400 * NS_PER_SECOND
RECOVERED_S = 10.0


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose name leaves room for sockets, and rounds of erasure that follow each other closely."""
    monkeypatch.setattr(eraser, "ROUND_S", 0.2)
    monkeypatch.setattr(eraser, "ROOM_CHECK_S", 0.1)
    monkeypatch.setattr(erasure, "CHECK_S", 0.2)
    folder = Path(tempfile.mkdtemp(prefix="vms-"))
    yield folder
    shutil.rmtree(folder)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        await asyncio.sleep(0.05)


async def deliver_for_ever(spool: Spool, client: AuditClient) -> None:
    while True:
        with contextlib.suppress(VmsError):
            await spool.deliver(client)
        await asyncio.sleep(0.1)


@asynccontextmanager
async def delivering(spool: Spool, settings: WriterSettings) -> AsyncIterator[None]:
    async with client_of(settings, timeout_s=1.0) as client:
        task = asyncio.create_task(deliver_for_ever(spool, client))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def away(how: Away, process: Process, settings: WriterSettings, stack: AsyncExitStack) -> AsyncIterator[None]:
    """The log is away for the length of the block, and has come back at its end."""
    if how is Away.KILLED:
        process.kill()
        await process.wait()
        yield
        await stack.enter_async_context(writer_process(settings))
    elif how is Away.PARTITIONED:
        silence = await asyncio.to_thread(Silence, settings.socket)
        stack.callback(silence.close)
        yield
        await asyncio.to_thread(silence.step_aside)
    else:
        with stopped(process.pid) if how is Away.STOPPED else no_byte_more(process.pid):
            yield


def age_the_oldest(folder: Path, camera_id: str) -> Path:
    """Make a closed segment as old as if it had been recorded before the days of its camera; its file."""
    with contextlib.closing(sqlite3.connect(folder / "index.sqlite", timeout=10)) as index, index:
        path = min((folder / "media" / camera_id).rglob("*.mp4"), key=lambda file: file.stat().st_mtime)
        key = (packed_id(path.stem),)
        (start_ns,) = index.execute("SELECT start_ns FROM segment WHERE id = ?", key).fetchone()
        day = path.parent.with_name(utc_text(start_ns - AGED_NS)[:10])
        day.mkdir(exist_ok=True)
        aged = path.rename(day / path.name)
        aging = "UPDATE segment SET start_ns = start_ns - ?, end_ns = end_ns - ? WHERE id = ?"
        index.execute(aging, (AGED_NS, AGED_NS, *key))
    return aged


async def recorded_until_ns(node: ShardClient, camera_id: str) -> int:
    spans = (await node.timeline(camera_id, 0, FOREVER_NS)).spans
    return max((span.end_ns for span in spans), default=0)


@pytest.mark.parametrize("how", list(Away))
async def test_recording_and_erasure_go_on_without_the_log_and_are_told_later_in_order(how: Away, place: Path):
    """LAW-06, LAW-09, LAW-25: a recorder depends on nobody, and owes the log every entry."""
    settings, store = settings_of(place), place / "shard"
    spool = await asyncio.to_thread(Spool, place / "spool")
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(writer_process(settings))
        camera = await stack.enter_async_context(simulated_camera(sub=None))
        node = await stack.enter_async_context(running_shard(place, events=spool, segment_seconds=1))
        assignment = camera_assignment(camera.stream_url("main"))
        await node.assign([assignment])
        await until_live(node)
        media = store / "media" / assignment.camera_id

        async def two_closed() -> bool:
            return len(list(media.rglob("*.mp4"))) >= 2

        await until(two_closed, 20, "closed segments")
        if how is not Away.PARTITIONED:
            await stack.enter_async_context(delivering(spool, settings))
        async with away(how, process, settings, stack):
            if how is Away.PARTITIONED:
                await stack.enter_async_context(delivering(spool, settings))
            known, before_ns = spool.sequence, await recorded_until_ns(node, assignment.camera_id)
            aged = await asyncio.to_thread(age_the_oldest, store, assignment.camera_id)

            async def erased_and_kept() -> bool:
                return not aged.exists() and spool.sequence > known

            async def recorded() -> bool:
                return await recorded_until_ns(node, assignment.camera_id) > before_ns + NS_PER_SECOND

            await until(erased_and_kept, 20, "erasure")
            await until(recorded, 20, "recording")
        began = time.monotonic()
        async with client_of(settings) as reader:

            async def all_there() -> bool:
                with contextlib.suppress(VmsError):
                    head = await reader.spool_head(spool.spool_id)
                    return head is not None and head.sequence == spool.sequence
                return False

            await until(all_there, RECOVERED_S, "the entries of the spool")
            page = await reader.search(JournalQuery(kinds=frozenset({EventKind.RECORDING_ERASED}), limit=10))
        assert time.monotonic() - began < RECOVERED_S
        (entry,) = page.entries
        assert entry.event is not None
        assert (entry.event.camera_id, entry.event.details["segments"]) == (assignment.camera_id, "1")
        report = await verified(settings, [])
    await asyncio.to_thread(spool.close)
    assert report.findings == []
