"""`kill -9` of each process in turn: the others go on, it comes back, and what was recorded is still there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.system.demo_process import Client, Demo, copied, running_demo, small_department, until, vms
from tests.system.watching import closed_segments, pictures_in, played_pictures, utc_ns

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

SEGMENT_S = 2
KILLED = ("audit-writer", "gateway", "centre", "simulator", "shard-0", "reader", "stills")
EXPLANATIONS = {"simulator": {"camera", "link"}, "shard-0": {"recorder"}}
JOINED_NS = 500_000_000


@pytest.fixture(scope="module")
def demo(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("kills")
    config = small_department(folder, f"[recorder]\nsegment_seconds = {SEGMENT_S}\n")
    copied(recorded, folder)
    with running_demo(folder, config=config) as running:
        with running.client() as client:
            until(lambda: live_again(client), 30, "pictures")
        yield running


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def live_again(client: Client) -> bool:
    return all(camera["status"]["condition"] == "live" for camera in client.cameras())


def holes(timeline: dict[str, Any]) -> list[tuple[int, int]]:
    """Where nothing is recorded between two spans, for longer than a span bridges."""
    spans = [(utc_ns(span["start"]), utc_ns(span["end"])) for span in timeline["spans"]]
    return [(one[1], next_[0]) for one, next_ in pairwise(spans) if next_[0] - one[1] > JOINED_NS]


def explained_by(timeline: dict[str, Any], hole: tuple[int, int]) -> set[str]:
    """The causes that the ledger gives for a hole, of those that leave no half second of it open."""
    told = sorted(
        (utc_ns(gap["start"]), utc_ns(gap["end"]) if gap["end"] else hole[1], gap["cause"])
        for gap in timeline["gaps"]
        if utc_ns(gap["start"]) < hole[1] and (gap["end"] is None or utc_ns(gap["end"]) > hole[0])
    )
    known_ns, causes = hole[0], set()
    for start_ns, end_ns, cause in told:
        assert start_ns - known_ns <= JOINED_NS, f"unexplained from {known_ns} to {start_ns}: {timeline}"
        known_ns = max(known_ns, end_ns)
        causes.add(cause)
    assert hole[1] - known_ns <= JOINED_NS, f"unexplained from {known_ns} to {hole[1]}: {timeline}"
    return causes


def kept(demo: Demo) -> dict[Path, int]:
    """The closed segments and how many pictures each has, read as any player would."""
    return {path: pictures_in(path) for path in closed_segments(demo.data)[:6]}


def sound(demo: Demo) -> None:
    """The log proves itself and every segment is whole."""
    for command in (("audit", "verify"), ("recorder", "fsck")):
        checked = vms(*command, "--data", str(demo.data))
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", KILLED)
def test_a_killed_process_comes_back_and_the_others_never_notice(name: str, demo: Demo):
    """LAW-14: nothing that was recorded is lost, and the missing seconds have their cause."""
    before, segments = demo.numbers(), kept(demo)
    assert all(segments.values())
    with demo.client() as client:
        camera_id = client.cameras()[0]["id"]
        first = client.timeline(camera_id)["spans"][0]
        known = set(holes(client.timeline(camera_id)))
    demo.kill_and_wait_until_back(name)
    after = demo.numbers()
    assert {other for other in before if after[other] != before[other]} == {name}
    with demo.client() as client:
        until(lambda: live_again(client), 40, "pictures again")
        until(lambda: client.open_live(camera_id).status_code == 200, 20, "viewing again")
        assert played_pictures(demo, client, camera_id, first["start"], 1.0) > 0
        if name in EXPLANATIONS:
            until(lambda: set(holes(client.timeline(camera_id))) - known != set(), 20, "the hole")
        timeline = client.timeline(camera_id)
        for hole in set(holes(timeline)) - known:
            assert explained_by(timeline, hole) & EXPLANATIONS.get(name, set()), (hole, timeline)
    assert {path: pictures_in(path) for path in segments} == segments


def test_after_all_of_it_the_log_and_the_recordings_are_sound(demo: Demo):
    sound(demo)


def test_a_killed_supervisor_takes_its_children_along_and_a_new_start_finds_everything(demo: Demo):
    assert demo.process is not None
    numbers, segments = demo.numbers(), kept(demo)
    with demo.client() as client:
        camera_id = client.cameras()[0]["id"]
        first = client.timeline(camera_id)["spans"][0]
    os.kill(numbers["supervisor"], signal.SIGKILL)
    demo.process.wait(10)
    until(lambda: not any(map(alive, numbers.values())), 20, "the end of the children")
    demo.start()
    with demo.client() as client:
        until(lambda: live_again(client), 40, "pictures again")
        assert played_pictures(demo, client, camera_id, first["start"], 1.0) > 0
        timeline = client.timeline(camera_id)
        assert all(explained_by(timeline, hole) for hole in holes(timeline))
        assert timeline["gaps"], timeline
        assert ("recorder", "superviseur arrêté brutalement") in {
            (gap["cause"], gap["label"].partition(" : ")[2] or gap["label"]) for gap in timeline["gaps"]
        }
    assert {path: pictures_in(path) for path in segments} == segments
    sound(demo)


@pytest.mark.long
def test_everything_killed_at_once_is_like_a_power_cut_and_loses_nothing_closed(demo: Demo):
    assert demo.process is not None
    numbers, segments = demo.numbers(), kept(demo)
    for number in (numbers["supervisor"], *numbers.values()):
        if alive(number):
            os.kill(number, signal.SIGKILL)
    demo.process.wait(10)
    until(lambda: not any(map(alive, numbers.values())), 20, "the end of all")
    demo.start()
    with demo.client() as client:
        until(lambda: live_again(client), 40, "pictures again")
        timeline = client.timeline(client.cameras()[0]["id"])
        last = explained_by(timeline, holes(timeline)[-1])
        assert "recorder" in last
    assert {path: pictures_in(path) for path in segments} == segments
    sound(demo)
