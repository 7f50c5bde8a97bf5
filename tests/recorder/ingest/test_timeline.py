from __future__ import annotations

import itertools
import random

import pytest

from recorder.hub.unit import DatedUnit
from recorder.ingest.timeline import Timeline, next_run
from tests.recorder.hub.units import FRAME_90K, access_unit
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.rtcp import SenderReport

START_NS = 1_800_000_000 * NS_PER_SECOND
FRAME_NS = 40 * NS_PER_MS
GROUP = 50


class Camera:
    """A camera of 25 images a second, and a recorder that reads it now and then."""

    def __init__(self, timeline: Timeline, *, delay_ns: int = 5 * NS_PER_MS, drift: float = 0.0) -> None:
        self.timeline = timeline
        self.delay_ns = delay_ns
        self.media_rate = 1 + drift
        self.media_start = 123_456_789
        self.server_step_ns = 0
        self.frame = 0
        self.dated: list[DatedUnit] = []
        self.errors_ns: list[int] = []

    def captured_ns(self, frame: int) -> int:
        return START_NS + frame * FRAME_NS

    def run(self, frames: int, *, per_read: int = 25, jitter_ns: int = 0) -> None:
        rng = random.Random(1)
        for _ in range(0, frames, per_read):
            numbers = range(self.frame, self.frame + per_read)
            self.frame += per_read
            units = [
                access_unit(self.media_start + round(number * FRAME_90K * self.media_rate), key=number % GROUP == 0)
                for number in numbers
            ]
            late_ns = self.delay_ns + rng.randrange(jitter_ns + 1)
            arrival_ns = self.captured_ns(numbers[-1]) + late_ns
            dated = self.timeline.date(units, arrival_ns + self.server_step_ns, arrival_ns - START_NS)
            self.dated += dated
            self.errors_ns += [
                unit.capture_utc_ns - self.server_step_ns - self.captured_ns(number)
                for number, unit in zip(numbers, dated, strict=True)
            ]

    @property
    def runs(self) -> list[int]:
        return list(dict.fromkeys(dated.run for dated in self.dated))


def test_a_picture_is_dated_by_the_server_within_the_stated_uncertainty():
    """LAW-39"""
    camera = Camera(Timeline())
    camera.run(1_000, jitter_ns=30 * NS_PER_MS)
    assert len(camera.runs) == 1
    for error_ns, dated in zip(camera.errors_ns, camera.dated, strict=True):
        assert 0 <= error_ns <= dated.uncertainty_ms * NS_PER_MS


def test_reading_once_a_second_dates_as_well_as_reading_on_arrival():
    relaxed, watched = Camera(Timeline()), Camera(Timeline())
    relaxed.run(500, per_read=25)
    watched.run(500, per_read=1)
    assert relaxed.errors_ns[-1] == pytest.approx(watched.errors_ns[-1], abs=NS_PER_MS)


def test_durations_inside_a_run_are_those_of_the_camera():
    camera = Camera(Timeline())
    camera.run(500, per_read=1, jitter_ns=20 * NS_PER_MS)
    captures = [dated.capture_utc_ns for dated in camera.dated]
    for earlier, later in itertools.pairwise(captures):
        assert later - earlier == pytest.approx(FRAME_NS, abs=NS_PER_MS)


@pytest.mark.parametrize("drift", [100e-6, -100e-6])
def test_a_crystal_that_is_wrong_is_followed_within_one_run(drift: float):
    camera = Camera(Timeline(), drift=drift)
    camera.run(30_000)
    assert len(camera.runs) == 1
    assert abs(camera.errors_ns[-1]) < 80 * NS_PER_MS
    assert abs(camera.errors_ns[-1]) <= camera.dated[-1].uncertainty_ms * NS_PER_MS


def test_a_stall_of_the_network_moves_nothing():
    camera = Camera(Timeline())
    camera.run(500)
    camera.run(225, per_read=225)
    camera.run(500)
    assert len(camera.runs) == 1
    assert max(map(abs, camera.errors_ns)) < 50 * NS_PER_MS


@pytest.mark.parametrize("leap_90k", [900_000, -900_000, 90_000 * 86_400, -(2**31)])
def test_media_time_that_leaps_starts_a_new_run_at_the_next_key_frame(leap_90k: int):
    camera = Camera(Timeline())
    camera.run(260)
    camera.media_start += leap_90k
    camera.run(240)
    assert len(camera.dated) == 500 + 25  # nothing is dropped
    assert len(camera.runs) == 2
    first = next(dated for dated in camera.dated if dated.run == camera.runs[1])
    assert first.starts_run
    assert first.unit.key
    assert max(map(abs, camera.errors_ns)) < 100 * NS_PER_MS
    assert camera.timeline.steps == 1


def test_until_that_key_frame_media_time_goes_on_at_the_frame_interval():
    camera = Camera(Timeline())
    camera.run(275)
    camera.media_start += 900_000
    camera.run(25)
    times = [dated.unit.rtp_timestamp for dated in camera.dated if dated.run == camera.runs[0]]
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {FRAME_90K}


def test_a_leap_every_two_seconds_loses_no_unit_and_keeps_the_hour():
    camera = Camera(Timeline())
    for _ in range(10):
        camera.run(50)
        camera.media_start += 900_000
    captures = [dated.capture_utc_ns for dated in camera.dated]
    assert captures == sorted(captures)
    assert max(map(abs, camera.errors_ns)) < 100 * NS_PER_MS


def test_pictures_that_arrive_before_their_time_start_a_new_run():
    camera = Camera(Timeline(), delay_ns=4 * NS_PER_SECOND)
    camera.run(50)
    camera.delay_ns = 5 * NS_PER_MS
    camera.run(200)
    assert len(camera.runs) == 2
    assert abs(camera.errors_ns[-1]) < 50 * NS_PER_MS


def test_a_delay_that_stays_starts_a_new_run():
    """The camera's media clock stood still for a while: everything after is older than it claims."""
    camera = Camera(Timeline())
    camera.run(500)
    camera.media_start -= 150_000
    camera.run(1_000)
    assert len(camera.runs) == 2
    assert abs(camera.errors_ns[-1]) < 50 * NS_PER_MS


def test_a_step_of_the_servers_clock_starts_a_new_run():
    camera = Camera(Timeline())
    camera.run(250)
    camera.server_step_ns = -3_600 * NS_PER_SECOND
    camera.run(250)
    assert len(camera.runs) == 2
    assert abs(camera.errors_ns[-1]) < 50 * NS_PER_MS


def test_a_camera_that_first_sends_a_long_group_is_dated_by_its_newest_picture():
    """Some send everything since the last key frame at once."""
    camera = Camera(Timeline())
    camera.run(150, per_read=150)
    camera.run(100)
    assert len(camera.runs) == 1
    assert max(map(abs, camera.errors_ns)) < 50 * NS_PER_MS


def test_a_pause_starts_a_new_run_on_the_same_map():
    camera = Camera(Timeline())
    camera.run(250)
    camera.frame += 250
    camera.run(250)
    assert len(camera.runs) == 2
    assert camera.timeline.steps == 0
    assert max(map(abs, camera.errors_ns)) < 50 * NS_PER_MS


def test_a_new_connection_starts_a_new_run():
    camera = Camera(Timeline())
    camera.run(50)
    camera.timeline.restart()
    camera.media_start = 7
    camera.run(50)
    assert len(camera.runs) == 2


def test_runs_grow_across_restarts_and_within_one_second():
    first = next_run(0, START_NS)
    assert next_run(first, START_NS) == first + 1
    assert next_run(0, START_NS + 5 * NS_PER_SECOND) > first


def test_a_wrong_clock_of_the_camera_is_measured_and_changes_nothing():
    """LAW-39: camera clock +3 min; the recorded time is the server's."""
    camera = Camera(Timeline())
    camera.run(100)
    newest = camera.dated[-1]
    ahead_ns = 180 * NS_PER_SECOND
    report = SenderReport(1, newest.capture_utc_ns + ahead_ns, newest.unit.rtp_timestamp & 0xFFFF_FFFF, 0, 0)
    camera.timeline.measure_camera_clock(report)
    camera.run(100)
    assert camera.timeline.camera_clock.offset_ns == pytest.approx(ahead_ns, abs=NS_PER_MS)
    assert len(camera.runs) == 1
    assert max(map(abs, camera.errors_ns)) < 50 * NS_PER_MS


def test_a_hostile_camera_clock_is_no_reason_to_fail():
    timeline = Timeline()
    rng = random.Random(7)
    for read in range(2_000):
        units = [access_unit(rng.randrange(-(2**62), 2**62), key=rng.random() < 0.1) for _ in range(3)]
        dated = timeline.date(units, START_NS + read * FRAME_NS, read * FRAME_NS)
        assert len(dated) == 3
