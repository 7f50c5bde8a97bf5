from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.hub.hub import MAX_CACHED_UNITS, StreamHub
from recorder.hub.reader import Dropped, Ended, QueuedReader
from recorder.hub.unit import DatedUnit
from tests.recorder.hub.units import group
from vms.base.clock import ManualClock


def make_hub() -> StreamHub:
    return StreamHub("cam-1", StreamRole.MAIN, ManualClock())


async def drain(reader: QueuedReader, count: int) -> list[Any]:
    return [await reader.next() for _ in range(count)]


class FailingReader:
    urgent = True

    def deliver(self, units: Sequence[DatedUnit]) -> None:
        raise RuntimeError("broken reader")

    def status_changed(self, status: StreamStatus) -> None:
        return

    def ended(self, cause: str) -> None:
        return


async def test_every_reader_gets_the_same_objects():
    hub = make_hub()
    first, second = QueuedReader(), QueuedReader()
    hub.attach(first)
    hub.attach(second)
    units = group(0, 3)
    hub.publish(units)
    assert (await drain(first, 4))[1:] == units
    assert all(one is other for one, other in zip((await drain(second, 4))[1:], units, strict=True))


async def test_a_new_reader_first_gets_the_status_and_the_group_of_pictures_under_way():
    hub = make_hub()
    hub.publish(group(0, 5))
    hub.publish(group(5, 2))
    hub.publish(group(5, 4)[2:])
    reader = QueuedReader()
    hub.attach(reader)
    status, *units = await drain(reader, 5)
    assert isinstance(status, StreamStatus)
    assert units[0].unit.key
    assert [unit.unit.rtp_timestamp // 3_600 for unit in units] == [5, 6, 7, 8]


async def test_a_full_queue_loses_the_rest_of_the_group_and_says_how_much():
    hub = make_hub()
    reader = QueuedReader(max_units=4)
    hub.attach(reader)
    hub.publish(group(0, 6))
    kept = await drain(reader, 5)
    hub.publish(group(6, 3)[1:])
    hub.publish(group(9, 2))
    resumed = await drain(reader, 3)
    assert [unit.unit.rtp_timestamp // 3_600 for unit in kept[1:]] == [0, 1, 2, 3]
    assert resumed[0] == Dropped(4)
    assert resumed[1].unit.key
    assert reader.dropped_units == 4


async def test_a_queue_is_bounded_in_bytes_too():
    reader = QueuedReader(max_bytes=1_000)
    reader.deliver(group(0, 20, size=300))
    assert len(reader._queue) == 3
    assert reader.dropped_units == 17


async def test_a_slow_reader_costs_the_others_nothing():
    hub = make_hub()
    slow, quick = QueuedReader(max_units=1), QueuedReader()
    hub.attach(slow)
    hub.attach(quick)
    hub.publish(group(0, 50))
    assert len(await drain(quick, 51)) == 51


async def test_a_reader_that_raises_is_detached_and_the_others_go_on():
    hub = make_hub()
    healthy = QueuedReader()
    hub.attach(FailingReader())
    hub.attach(healthy)
    hub.publish(group(0, 2))
    assert hub.readers == 1
    assert len(await drain(healthy, 3)) == 3


async def test_an_urgent_reader_asks_for_the_watched_pace_until_it_leaves():
    hub = make_hub()
    demands: list[bool] = []
    hub.on_demand = lambda: demands.append(hub.watched)
    recorder, viewer = QueuedReader(urgent=False), QueuedReader()
    hub.attach(recorder)
    hub.attach(viewer)
    hub.detach(viewer)
    hub.detach(viewer)
    assert demands == [False, True, False]


async def test_a_group_that_never_ends_is_not_kept():
    hub = make_hub()
    hub.publish(group(0, MAX_CACHED_UNITS))
    hub.publish(group(0, MAX_CACHED_UNITS + 5)[MAX_CACHED_UNITS:])
    reader = QueuedReader()
    hub.attach(reader)
    assert len(reader._queue) == 1


async def test_a_status_keeps_its_instant_while_the_signal_stays_away():
    clock = ManualClock()
    hub = StreamHub("cam-1", StreamRole.MAIN, clock)
    hub.set_status(StreamCondition.NO_SIGNAL, "unreachable")
    since_ns = hub.status.since_ns
    await clock.advance(10)
    hub.set_status(StreamCondition.NO_SIGNAL, "timeout")
    assert (hub.status.since_ns, hub.status.cause) == (since_ns, "timeout")
    hub.set_status(StreamCondition.LIVE)
    assert hub.status.since_ns == since_ns + 10_000_000_000


async def test_nothing_cached_is_shown_after_the_signal_is_lost():
    hub = make_hub()
    hub.publish(group(0, 3))
    hub.set_status(StreamCondition.NO_SIGNAL, "silent")
    reader = QueuedReader()
    hub.attach(reader)
    assert len(reader._queue) == 1


async def test_the_end_reaches_every_reader():
    hub = make_hub()
    reader = QueuedReader()
    hub.attach(reader)
    hub.end("unassigned")
    assert (await drain(reader, 2))[1] == Ended("unassigned")
    assert hub.readers == 0
