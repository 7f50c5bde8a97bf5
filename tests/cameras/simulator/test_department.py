"""Composing departments, and the command that runs them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from cameras.simulator.department import compose_department, parse_faults
from cameras.simulator.spec import FAULT_SENTENCES, CameraSpec, Fault
from tests.cameras.simulator.wire import RtspClient, rtsp, rtsp_at
from tests.simulated import simulated_camera
from vms.app.cli.simulate import app
from vms.base.errors import VmsError


def test_the_demonstration_is_six_communes_with_two_cameras_each():
    department = compose_department()
    names = [name for _, name in department.communes]
    assert names == ["Évreux", "Vernon", "Louviers", "Bernay", "Les Andelys", "Pont-Audemer"]
    assert [spec.address for spec in department.cameras[:3]] == ["127.27.1.1", "127.27.1.2", "127.27.2.1"]
    for field in ("address", "mac", "serial", "offset_s", "name"):
        values = [(spec.place.commune if field == "name" else "", getattr(spec, field)) for spec in department.cameras]
        assert len(set(values)) == 12, field
    assert all(48.6 < spec.place.latitude < 49.5 and 0.2 < spec.place.longitude < 1.9 for spec in department.cameras)


def test_a_large_department_has_no_two_cameras_alike():
    cameras = compose_department(50, 500).cameras
    assert len({spec.address for spec in cameras}) == len({spec.mac for spec in cameras}) == 500
    assert len({(spec.place.commune, spec.name) for spec in cameras}) == 500
    assert all(re.fullmatch(r"[0-9a-f]{12}", spec.mac) for spec in cameras)


def test_faults_go_to_the_cameras_they_name():
    faults = parse_faults(["freezes@2.1", "wrong_clock@127.27.1.2", "closes@2.1", "audio_offered"])
    cameras = compose_department(2, 4, faults=faults).cameras
    everywhere = Fault.AUDIO_OFFERED
    assert [set(spec.faults) for spec in cameras] == [
        {everywhere},
        {everywhere, Fault.WRONG_CLOCK},
        {everywhere, Fault.FREEZES, Fault.CLOSES},
        {everywhere},
    ]


@pytest.mark.parametrize(
    "compose",
    [
        lambda: parse_faults(["sleeps"]),
        lambda: compose_department(6, 5),
        lambda: compose_department(0, 5),
        lambda: compose_department(99, 500),
        lambda: compose_department(base="here"),
        lambda: compose_department(base="127.27.0.0/24"),
        lambda: compose_department(1, 300),
        lambda: compose_department(faults=parse_faults(["closes@9.9"])),
    ],
)
def test_what_cannot_be_composed_is_refused_in_french_with_a_way_out(compose):
    with pytest.raises(VmsError) as refused:
        compose()
    assert refused.value.message.endswith(".")
    assert refused.value.hint
    assert refused.value.exit_code == 2


def test_every_fault_has_its_french_sentence_and_the_command_lists_them():
    listed = CliRunner().invoke(app, ["faults", "--json"])
    assert set(FAULT_SENTENCES) == set(Fault)
    assert [each["name"] for each in json.loads(listed.stdout)] == list(FAULT_SENTENCES)


def test_the_password_is_in_no_representation():
    assert "vms-demo" not in repr(CameraSpec(name="x"))


async def test_a_taken_address_is_refused_with_a_sentence_and_leaves_nothing_open():
    async with simulated_camera() as camera:
        with pytest.raises(VmsError) as refused:
            async with simulated_camera(http_port=camera.http_port):
                pass
    assert refused.value.code == "simulator.address_in_use"


async def test_the_command_runs_a_department_that_plays_until_it_is_told_to_stop():
    command = [sys.executable, "-m", "vms.app.cli.main", "simulate", "department", "--communes", "1", "--cameras", "2"]
    network = f"127.{64 + os.getpid() % 128}"
    options = ["--base", f"{network}.0.0/16", "--fault", "no_sender_report@1.2", "--instant-key", "--json"]
    process = await asyncio.create_subprocess_exec(*command, *options, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20), rtsp_when_ready(process.stdout) as (said, client):
            await client.play()
            await client.read_frames(2)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            await client.read_until(lambda: client.closed)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert client.said_bye
    assert [camera["address"] for camera in said["cameras"]] == [f"{network}.1.1", f"{network}.1.2"]
    assert said["cameras"][1]["faults"] == ["no_sender_report"]
    assert "password" not in said["cameras"][0]


@contextlib.asynccontextmanager
async def rtsp_when_ready(output: asyncio.StreamReader) -> AsyncIterator[tuple[dict[str, Any], RtspClient]]:
    said = json.loads(await output.readline())
    async with rtsp_at(said["cameras"][0]["address"], 8554, "/main") as client:
        yield said, client


async def test_a_camera_that_was_switched_off_comes_back_on_the_same_ports():
    async with simulated_camera() as camera:
        ports = (camera.http_port, camera.rtsp_port)
        await camera.stop()
        await camera.start()
        assert (camera.http_port, camera.rtsp_port) == ports
        async with rtsp(camera) as client:
            assert (await client.request("DESCRIBE")).status == 200


async def test_the_password_option_reaches_the_stream():
    async with simulated_camera(password="autre-secret") as camera, rtsp(camera, password="autre-secret") as client:
        assert (await client.request("DESCRIBE")).status == 200
