"""Cameras that the native path cannot have come through the reader, in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path

import pytest

from cameras.simulator.film import Film
from cameras.simulator.spec import B_FRAMES_FILE, MAIN_FILE, Fault
from recorder.contract.assignment import StreamTransport
from recorder.contract.status import StreamCondition
from recorder.ingest.causes import Cause
from recorder.ingest.timeline import UNSETTLED_UNCERTAINTY_MS
from tests.cameras.simulator.wire import until
from tests.foreign_films import foreign_film
from tests.recorder.decoding.readers import DecodingProcess, receiving
from tests.simulated import simulated_camera
from vms.media.access_unit import Codec

UDP = StreamTransport.UDP


def joined(unit) -> bytes:
    return b"".join(bytes(chunk) for chunk in unit.chunks)


async def test_a_camera_that_speaks_udp_only_goes_to_the_reader_by_itself(reader: DecodingProcess):
    """LAW-12: its sound is never set up. LAW-41: every picture is as the camera sent it."""
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY, Fault.AUDIO_OFFERED]) as camera,
        receiving(camera.stream_url(), reader.socket) as it,
    ):
        await it.collector.until_units(30)
        units = it.collector.units
        assert units[0].unit.key
        assert units[0].starts_run
        assert it.hub.status.condition is StreamCondition.LIVE
        assert units[0].uncertainty_ms > UNSETTLED_UNCERTAINTY_MS
        assert camera.device.audio_setups == 0
        assert it.ingest.timeline.camera_clock.reports
        assert abs(it.ingest.timeline.camera_clock.offset_ns) < 2_000_000_000
    film = await asyncio.to_thread(Film.load, MAIN_FILE)
    sent = {film._sample_bytes(number, in_band=True) for number in range(len(film.key))}
    film.close()
    assert {joined(dated.unit) for dated in units} <= sent
    steps = {after.unit.rtp_timestamp - before.unit.rtp_timestamp for before, after in itertools.pairwise(units)}
    assert steps == {7_200}


async def test_reordered_pictures_keep_their_time_and_sets_of_the_sdp_stay_out_of_the_stream(reader: DecodingProcess):
    """LAW-41: a camera that gives parameter sets in its SDP alone has none in its recorded pictures."""
    faults = [Fault.UDP_ONLY, Fault.B_FRAMES, Fault.PARAMETERS_IN_SDP_ONLY]
    async with simulated_camera(faults=faults) as camera, receiving(camera.stream_url(), reader.socket, UDP) as it:
        await it.collector.until_units(20)
        units = [dated.unit for dated in it.collector.units[:20]]
    film = await asyncio.to_thread(Film.load, B_FRAMES_FILE)
    numbers = {film._sample_bytes(number, in_band=False): number for number in range(len(film.key))}
    film.close()
    shown = [film.presentation_ns[numbers[joined(unit)]] * 9 // 100_000 for unit in units]
    loop_90k = film.duration_ns * 9 // 100_000
    assert len({(unit.rtp_timestamp - time_90k) % loop_90k for unit, time_90k in zip(units, shown, strict=True)}) == 1
    assert sorted(shown) != shown


@pytest.mark.parametrize(("codec", "faults"), [("mpeg4", []), ("mjpeg", []), ("mpeg4", [Fault.UDP_ONLY])])
async def test_an_old_codec_is_read_as_it_is(codec: str, faults: list[Fault], reader: DecodingProcess):
    """LAW-41: nothing is transcoded."""
    path = foreign_film(codec)
    async with (
        simulated_camera(main=path, faults=faults) as camera,
        receiving(camera.stream_url(), reader.socket) as it,
    ):
        await it.collector.until_units(30)
        units = [dated.unit for dated in it.collector.units]
    assert units[0].key
    assert units[0].parameters.codec is Codec(codec)
    assert all(unit.parameters is units[0].parameters for unit in units)
    film = await asyncio.to_thread(Film.load, path)
    sent = [film._sample_bytes(number, in_band=True) for number in range(len(film.key))]
    film.close()
    if codec == "mpeg4":
        assert {joined(unit) for unit in units} <= set(sent)
    else:
        scans = {sample[sample.index(b"\xff\xda") :] for sample in sent}
        assert {joined(unit)[joined(unit).index(b"\xff\xda") :] for unit in units} <= scans


async def test_a_wrong_password_is_told_as_such(reader: DecodingProcess):
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY]) as camera,
        receiving(camera.stream_url(), reader.socket, UDP, password="wrong") as it,
    ):
        await it.collector.until_condition(StreamCondition.NO_SIGNAL, Cause.BAD_PASSWORD)


async def test_a_camera_that_is_not_there_is_told_as_such(reader: DecodingProcess):
    async with receiving("rtsp://127.0.0.1:9/main", reader.socket, UDP) as it:
        await it.collector.until_condition(StreamCondition.NO_SIGNAL, Cause.REFUSED)


async def test_without_a_reader_the_ledger_says_so_and_the_stream_comes_when_it_is_there(tmp_path: Path):
    process = DecodingProcess(tmp_path / "reader.sock", "reader", "run_reader")
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY]) as camera,
        receiving(camera.stream_url(), process.socket, UDP) as it,
    ):
        await it.collector.until_condition(StreamCondition.NO_SIGNAL, Cause.READER_UNAVAILABLE)
        await process.start()
        try:
            await it.collector.until_units(5)
            await process.kill()
            await it.collector.until(
                lambda: it.hub.status.condition is StreamCondition.NO_SIGNAL and it.collector.statuses[-1].cause != ""
            )
            assert it.hub.status.cause == Cause.READER_UNAVAILABLE
        finally:
            await process.kill()


async def test_without_any_reader_a_foreign_stream_is_the_cameras_fault():
    async with simulated_camera(faults=[Fault.UDP_ONLY]) as camera, receiving(camera.stream_url(), None) as it:
        await it.collector.until_condition(StreamCondition.NO_SIGNAL, Cause.PROTOCOL)


async def test_the_death_of_one_worker_costs_its_camera_alone(reader: DecodingProcess):
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY]) as one,
        simulated_camera(faults=[Fault.UDP_ONLY]) as other,
        receiving(one.stream_url(), reader.socket, UDP) as first,
    ):
        lost = StreamCondition.NO_SIGNAL
        await first.collector.until_units(3)
        (victim,) = reader.workers()
        async with receiving(other.stream_url(), reader.socket, UDP) as second:
            await second.collector.until_units(3)
            os.kill(victim, signal.SIGSEGV)
            await first.collector.until_condition(lost, Cause.PROTOCOL)
            have = len(second.collector.units)
            await second.collector.until_units(have + 10)
            assert lost not in {one.condition for one in second.collector.statuses}
            had = len(first.collector.units)
            await first.collector.until_units(had + 5)


async def test_a_stream_that_is_let_go_leaves_no_worker(reader: DecodingProcess):
    async with simulated_camera(faults=[Fault.UDP_ONLY]) as camera:
        async with receiving(camera.stream_url(), reader.socket, UDP) as it:
            await it.collector.until_units(3)
        await until(lambda: not reader.workers() and not camera.clients)
    assert await reader.stop() == 0
