from __future__ import annotations

import asyncio

from access_audit.events import AccessEvent, EventKind
from recorder.node.journal import RETRY_S, ShardJournal
from tests.recorder.node.shards import Log, camera_assignment
from vms.base.clock import ManualClock


class Flaky(Log):
    def __init__(self) -> None:
        super().__init__()
        self.broken = True

    def append(self, event: AccessEvent) -> None:
        if self.broken:
            raise OSError("disk full")
        super().append(event)


async def test_events_reach_the_sink_in_order():
    log, camera = Log(), camera_assignment("rtsp://127.0.0.1/main")
    journal = ShardJournal(log, "shard-0", ManualClock())
    for number in range(5):
        journal.note(EventKind.RECORDING_STARTED, camera, authorisation=str(number))
    assert await journal.flush()
    assert [event.details["authorisation"] for event in log.events] == ["0", "1", "2", "3", "4"]
    assert {(event.camera_id, event.commune, event.author.role) for event in log.events} == {
        (camera.camera_id, "27229", "system")
    }


async def test_a_sink_that_fails_is_tried_again_and_nothing_is_lost():
    sink, clock = Flaky(), ManualClock()
    journal = ShardJournal(sink, "shard-0", clock)
    running = asyncio.create_task(journal.run())
    journal.note(EventKind.RECORDING_STOPPED, camera_assignment("rtsp://127.0.0.1/main"), cause="not_authorised")
    assert not await journal.flush()
    sink.broken = False
    async with asyncio.timeout(5):
        while not sink.events:
            await clock.advance(RETRY_S)
            await asyncio.sleep(0.01)
    assert len(sink.events) == 1
    running.cancel()
