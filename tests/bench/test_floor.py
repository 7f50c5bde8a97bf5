"""The C program that the recorder is measured against: it must really receive and write what the cameras send."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cameras.simulator.fleet import running_cameras
from cameras.simulator.spec import CameraSpec
from vms.app.bench import floor
from vms.base.clock import SystemClock
from vms.base.errors import VmsError


@pytest.mark.parametrize("on_arrival", [True, False])
async def test_the_floor_receives_and_writes_every_stream(
    on_arrival: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(floor, "SETTLE_S", 1.5)
    specs = [
        CameraSpec(name=f"{n}", http_port=0, rtsp_port=0, discovery_port=None, instant_key=True, serial=f"S{n}")
        for n in range(2)
    ]
    async with running_cameras(specs, SystemClock(), multicast=False) as cameras:
        urls = [camera.stream_url("main") for camera in cameras]
        before, after = await floor.floor_usage(
            urls, specs[0].username, specs[0].password, tmp_path, 0.5, on_arrival=on_arrival
        )
    assert after.cpu_s >= before.cpu_s
    received = await asyncio.to_thread(lambda: [file.read_bytes()[:4096] for file in tmp_path.glob("receive-*")])
    assert len(received) == 2
    assert all(b"$\0" in start for start in received)


async def test_a_machine_without_a_compiler_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(floor, "_compiler", lambda: None)
    with pytest.raises(VmsError, match="compilateur") as refused:
        await floor.floor_usage([], "", "", tmp_path, 0.1, on_arrival=True)
    assert "apt-get install gcc" in refused.value.hint
