"""A shard as a whole: real cameras of the simulator, real store, real socket."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from access_audit.events import AccessEvent, EventKind
from cameras.simulator.spec import Fault
from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition
from recorder.contract.timeline import GapCause
from recorder.ingest import stream as stream_module
from recorder.node.protocol import LiveUnit, ParametersChanged, StatusChanged, SubscriptionEnded
from tests.recorder.node.shards import (
    FOREVER_NS,
    Log,
    camera_assignment,
    decoded_frames,
    next_events,
    next_units,
    running_shard,
    segment_files,
    until_live,
    until_recorded,
    until_status,
    until_timeline,
)
from tests.simulated import simulated_camera, simulated_cameras
from vms.base.clock import NS_PER_MS, NS_PER_SECOND, SystemClock
from vms.base.errors import VmsError


async def test_a_camera_is_recorded_and_its_segments_play(tmp_path: Path):
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 4.5)
        timeline = await client.timeline(assignment.camera_id, 0, FOREVER_NS)
        (counters,) = (await client.counters())["streams"]
    assert counters["lost_packets"] == 0
    assert counters["connections"] == 1
    assert abs(timeline.spans[-1].end_ns - SystemClock().utc_ns()) < 4 * NS_PER_SECOND
    files = segment_files(tmp_path)
    assert len(files) >= 2
    frames = await asyncio.to_thread(decoded_frames, files)
    assert sum(frames) == pytest.approx(counters["units"], abs=30)
    assert all(count >= 10 for count in frames)


@pytest.mark.parametrize("fault", [Fault.B_FRAMES, Fault.PARAMETERS_IN_SDP_ONLY, Fault.TIMESTAMP_JUMP, Fault.DROPS_RTP])
async def test_what_a_faulty_camera_sends_plays_too(tmp_path: Path, fault: Fault):
    async with simulated_camera(faults=[fault]) as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 2.2)
        await client.assign([])
        frames = await asyncio.to_thread(decoded_frames, segment_files(tmp_path))
        assert sum(frames) >= 20


async def test_without_an_authorisation_in_force_nothing_is_fetched(tmp_path: Path):
    """LAW-01"""
    later_ns = SystemClock().utc_ns() + 3_600 * NS_PER_SECOND
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"), starts_at_ns=later_ns)
        await client.assign([assignment])
        status = await until_status(client, lambda status: status.condition is StreamCondition.STOPPED)
        assert status.cause == "not_authorised"
        with pytest.raises(VmsError, match="not_authorised"):
            await client.subscribe(assignment.camera_id, StreamRole.MAIN)
        assert camera.clients == 0
        timeline = await until_timeline(client, assignment.camera_id, lambda timeline: bool(timeline.gaps))
        assert [gap.cause for gap in timeline.gaps] == [GapCause.AUTHORISATION]
        assert timeline.spans == ()


async def test_the_end_of_the_authorisation_stops_the_camera_at_that_second(tmp_path: Path):
    """LAW-02: recording and viewing end together, and the log is told."""
    log = Log()
    ends_at_ns = SystemClock().utc_ns() + 2_500 * NS_PER_MS
    async with simulated_camera() as camera, running_shard(tmp_path, events=log) as client:
        assignment = camera_assignment(camera.stream_url("main"), ends_at_ns=ends_at_ns)
        await client.assign([assignment])
        await until_live(client)
        subscription = await client.subscribe(assignment.camera_id, StreamRole.MAIN)
        events = await next_events(subscription, 10_000)
        assert events[-1] == SubscriptionEnded("not_authorised")
        assert 0 <= SystemClock().utc_ns() - ends_at_ns < NS_PER_SECOND
        status = await until_status(client, lambda status: status.condition is StreamCondition.STOPPED)
        assert status.cause == "not_authorised"
        async with asyncio.timeout(3):
            while camera.clients:  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(0.02)
        timeline = await until_timeline(client, assignment.camera_id, lambda timeline: bool(timeline.gaps))
        assert timeline.spans[-1].end_ns <= ends_at_ns + 250 * NS_PER_MS  # the last picture lasts a little
        assert timeline.gaps[-1].cause is GapCause.AUTHORISATION
    kinds = [event.kind for event in log.events]
    assert kinds == [EventKind.RECORDING_STARTED, EventKind.RECORDING_STOPPED]
    assert log.events[0].details == {"authorisation": "27-2026-001"}


async def test_an_authorisation_that_is_prolonged_interrupts_nothing(tmp_path: Path):
    ends_at_ns = SystemClock().utc_ns() + 1_500 * NS_PER_MS
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"), ends_at_ns=ends_at_ns)
        await client.assign([assignment])
        await until_live(client)
        await client.assign([camera_assignment(camera.stream_url("main"), camera_id=assignment.camera_id)])
        await until_recorded(client, assignment.camera_id, 2.5)
        (counters,) = (await client.counters())["streams"]
        assert counters["connections"] == 1


async def test_a_restart_takes_up_the_cameras_that_the_shard_had(tmp_path: Path):
    """LAW-14: nobody has to assign again, and the interruption is explained."""
    async with simulated_camera(instant_key=False) as camera:
        assignment = camera_assignment(camera.stream_url("main"))
        async with running_shard(tmp_path) as client:
            await client.assign([assignment])
            await until_recorded(client, assignment.camera_id, 1)
        await asyncio.sleep(1)  # an interruption that is long enough to be one
        assert (tmp_path / "shard" / "assignments.json").stat().st_mode & 0o777 == 0o600
        restarted_ns = SystemClock().utc_ns()
        async with running_shard(tmp_path) as client:
            await until_recorded(client, assignment.camera_id, 1, restarted_ns)
            timeline = await client.timeline(assignment.camera_id, 0, FOREVER_NS)
    assert [gap.cause for gap in timeline.gaps] == [GapCause.MAINTENANCE]
    assert len(timeline.spans) == 2
    assert timeline.spans[0].run < timeline.spans[1].run


async def test_a_camera_that_cannot_be_reached_has_a_cause_and_a_gap(tmp_path: Path):
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        away = camera_assignment("rtsp://127.0.0.1:9/main")
        wrong = camera_assignment(camera.stream_url("main"), password="wrong")
        healthy = camera_assignment(camera.stream_url("main"))
        await client.assign([away, wrong, healthy])
        refused = await until_status(client, lambda status: status.cause == "refused")
        assert refused.camera_id == away.camera_id
        bad = await until_status(client, lambda status: status.cause == "bad_password")
        assert bad.camera_id == wrong.camera_id
        await until_recorded(client, healthy.camera_id, 0.5)
        timeline = await until_timeline(client, away.camera_id, lambda timeline: bool(timeline.gaps))
        assert [(gap.cause, gap.detail, gap.end_ns) for gap in timeline.gaps] == [(GapCause.CAMERA, "refused", None)]


async def test_a_camera_that_falls_silent_leaves_a_gap_that_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream_module, "SILENT_AFTER_NS", NS_PER_SECOND)
    monkeypatch.setattr(stream_module, "LOST_AFTER_NS", 2 * NS_PER_SECOND)
    async with simulated_camera(faults=[Fault.FREEZES], instant_key=False) as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_status(client, lambda status: status.cause == "silent")
        camera.set_fault(Fault.FREEZES, False)
        since_ns = SystemClock().utc_ns()
        await until_recorded(client, assignment.camera_id, 1, since_ns)
        timeline = await until_timeline(client, assignment.camera_id, lambda timeline: len(timeline.spans) == 2)
        (gap,) = timeline.gaps
        assert (gap.cause, gap.detail) == (GapCause.CAMERA, "silent")
        assert abs(gap.start_ns - timeline.spans[0].end_ns) < 200 * NS_PER_MS
        assert gap.end_ns == timeline.spans[1].start_ns


async def test_a_viewer_of_a_recorded_camera_has_a_picture_at_once(tmp_path: Path):
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 2.2)
        started_ns = SystemClock().monotonic_ns()
        subscription = await client.subscribe(assignment.camera_id, StreamRole.MAIN)
        status, parameters, first = (await next_events(subscription, 1))[:3]
        assert SystemClock().monotonic_ns() - started_ns < 300 * NS_PER_MS
        assert isinstance(status, StatusChanged)
        assert isinstance(parameters, ParametersChanged)
        assert isinstance(first, LiveUnit)
        assert first.key
        await next_units(subscription, 40)
        unit = (await next_units(subscription, 1))[0]
        assert SystemClock().utc_ns() - unit.capture_utc_ns < 300 * NS_PER_MS


async def test_the_small_stream_is_opened_on_demand_and_lingers(tmp_path: Path):
    async with simulated_camera() as camera, running_shard(tmp_path, linger_seconds=0.6) as client:
        assignment = camera_assignment(camera.stream_url("main"), camera.stream_url("sub"))
        await client.assign([assignment])
        await until_live(client)
        assert [status.role for status in await client.statuses()] == [StreamRole.MAIN]
        subscription = await client.subscribe(assignment.camera_id, StreamRole.SUB)
        await next_units(subscription, 5)
        await subscription.close()
        again = await client.subscribe(assignment.camera_id, StreamRole.SUB)
        await next_units(again, 2)
        sub = next(one for one in (await client.counters())["streams"] if one["role"] == "sub")
        assert sub["connections"] == 1
        await again.close()
        async with asyncio.timeout(5):
            while len(await client.statuses()) > 1:  # noqa: ASYNC110 - the shard pushes no such event
                await asyncio.sleep(0.05)


async def test_a_camera_that_is_taken_away_ends_for_its_viewers(tmp_path: Path):
    async with simulated_camera() as camera, running_shard(tmp_path) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_live(client)
        subscription = await client.subscribe(assignment.camera_id, StreamRole.MAIN)
        await client.assign([])
        assert (await next_events(subscription, 10_000))[-1] == SubscriptionEnded("unassigned")
        assert await client.statuses() == []
        timeline = await until_timeline(client, assignment.camera_id, lambda timeline: bool(timeline.gaps))
        assert timeline.gaps[-1].detail == "unassigned"


async def test_a_dead_event_sink_costs_no_recording(tmp_path: Path):
    class Dead:
        def append(self, event: AccessEvent) -> None:
            raise OSError("disk gone")

    async with simulated_camera() as camera, running_shard(tmp_path, events=Dead()) as client:
        assignment = camera_assignment(camera.stream_url("main"))
        await client.assign([assignment])
        await until_recorded(client, assignment.camera_id, 1)


async def test_several_cameras_are_recorded_side_by_side(tmp_path: Path):
    async with simulated_cameras(8) as cameras, running_shard(tmp_path) as client:
        assignments = [camera_assignment(camera.stream_url("main")) for camera in cameras]
        await client.assign(assignments)
        for assignment in assignments:
            await until_recorded(client, assignment.camera_id, 2)
        counters = (await client.counters())["streams"]
        assert sum(stream["lost_packets"] for stream in counters) == 0


async def test_a_second_shard_on_the_same_folder_is_refused(tmp_path: Path):
    async with running_shard(tmp_path):
        with pytest.raises(VmsError, match=r"folder\.in_use"):
            async with running_shard(tmp_path):
                pass


async def test_an_assignment_with_a_dangerous_identifier_is_refused(tmp_path: Path):
    async with running_shard(tmp_path) as client:
        with pytest.raises(VmsError, match=r"request\.invalid"):
            await client.assign([camera_assignment("rtsp://127.0.0.1/x", camera_id="../../etc")])


def test_the_shard_loads_no_decoder_no_web_framework_and_no_database_mapper():
    program = "import sys, recorder.node.shard; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    forbidden = {"av", "cv2", "numpy", "aiortc", "fastapi", "starlette", "uvicorn", "sqlalchemy", "pydantic", "lxml"}
    assert not forbidden & {name.partition(".")[0] for name in loaded}
