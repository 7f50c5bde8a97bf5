"""What happens too often is told once an hour, with its number; nothing is told less, and nothing floods."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from access_audit.events import AccessEvent, Author, EventKind, Reason
from recorder.node.hourly import EACH_HOUR, HourlySink
from tests.recorder.node.shards import Log
from vms.base import durable
from vms.base.clock import ManualClock, utc_text

SHARD = Author("shard-0", "shard-0", "system")
STOPPED = EventKind.RECORDING_STOPPED


class Node:
    """A shard's sink that is killed and made again."""

    def __init__(self, folder: Path) -> None:
        self.log, self.clock, self.file = Log(), ManualClock(), folder / "hourly.jsonl"
        self.restart()

    def restart(self) -> None:
        self.sink = HourlySink(self.log, self.file, self.clock)

    def happens(self, kind: EventKind = STOPPED, camera: str = "cam-1", **details: str) -> None:
        self.clock.step_utc(0.01)
        self.sink.append(AccessEvent(kind, SHARD, self.clock.utc_ns(), Reason("recording"), details=details,
                                     commune="27229", camera_id=camera))  # fmt: skip

    def next_hour(self) -> None:
        self.clock.step_utc(3600)
        self.happens(EventKind.RECORDING_COLLECTED, segments="60")

    def told(self, kind: EventKind = STOPPED) -> list[AccessEvent]:
        return [event for event in self.log.events if event.kind is kind]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_is_seldom_is_told_at_once(node: Node):
    for camera in ("cam-1", "cam-2"):
        for number in range(EACH_HOUR):
            node.happens(camera=camera, cause=str(number))
    assert len(node.told()) == 2 * EACH_HOUR


def test_a_thousand_times_an_hour_are_five_entries(node: Node):
    """LAW-25: the number, the first and the last instant stay."""
    for number in range(1000):
        node.happens(cause=f"cause-{number}")
        if number == EACH_HOUR:
            since = utc_text(node.clock.utc_ns())
    last_ns = node.clock.utc_ns()
    assert len(node.told()) == EACH_HOUR
    node.next_hour()
    *_, event = node.told()
    assert len(node.told()) == EACH_HOUR + 1
    assert event.details == {"cause": "cause-999", "times": str(1000 - EACH_HOUR), "since": since}
    assert event.at_ns == last_ns
    node.next_hour()
    assert len(node.told()) == EACH_HOUR + 1


def test_a_shard_that_dies_again_and_again_goes_on_counting(node: Node):
    """Each start tells that recording starts; the count outlives the process, and a line cut by the kill."""
    for _ in range(50):
        node.restart()
        node.happens(EventKind.RECORDING_STARTED, authorisation="arrêté 1")
    with node.file.open("ab") as file:
        file.write(b'\n{"hour":1')
    node.restart()
    node.next_hour()
    assert [event.details.get("times") for event in node.told(EventKind.RECORDING_STARTED)] == [None] * EACH_HOUR + [
        str(50 - EACH_HOUR)
    ]


def test_hours_of_images_are_never_withheld(node: Node):
    for kind in (EventKind.RECORDING_COLLECTED, EventKind.RECORDING_ERASED):
        for number in range(100):
            node.happens(kind, segments=str(number))
        assert len(node.told(kind)) == 100


def test_a_disk_whose_state_swings_and_a_clock_that_swings_do_not_flood(node: Node):
    for number in range(60):
        node.happens(EventKind.RECORDING_CAPACITY_CHANGED, camera="", disk=f"disk-{number % 2}", state="tight")
        node.happens(EventKind.RECORDING_CLOCK_DOUBTED, camera="", state="leapt")
    node.next_hour()
    assert len(node.told(EventKind.RECORDING_CAPACITY_CHANGED)) == 2 * EACH_HOUR + 2
    assert len(node.told(EventKind.RECORDING_CLOCK_DOUBTED)) == EACH_HOUR + 1


def test_nothing_is_withheld_that_is_not_on_the_disk(node: Node):
    for _ in range(EACH_HOUR):
        node.happens(cause="a")
    with patch.object(durable, "sync_data", side_effect=OSError("disk full")), pytest.raises(OSError, match="full"):
        node.happens(cause="b")
    node.happens(cause="b")
    node.next_hour()
    assert node.told()[-1].details["cause"] == "b"
