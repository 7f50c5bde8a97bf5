"""What comes through the reader is recorded as it is, and told honestly to who wants to watch it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import av
import httpx
import pytest
from websockets.asyncio.client import connect

from cameras.simulator.spec import Fault
from recorder.contract.status import StreamCondition
from recorder.node.client import ShardClient
from tests.foreign_films import foreign_film
from tests.recorder.decoding.readers import DecodingProcess, running
from tests.recorder.gateways import ORIGIN, running_gateway
from tests.recorder.node.shards import camera_assignment, running_shard, until_live, until_recorded
from tests.simulated import simulated_camera
from vms.base.clock import SystemClock


def _probe(path: Path, codec: str) -> None:
    """Another player than ours reads the segment without a complaint."""
    asked = ("ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path))
    said = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert said.stderr == ""
    (stream,) = json.loads(said.stdout)["streams"]
    assert (stream["codec_name"], stream["codec_tag_string"]) == (codec, "mp4v")
    assert int(stream["nb_read_frames"]) >= 12


async def _record(tmp_path: Path, client: ShardClient, url: str) -> tuple[str, int, int]:
    assignment = camera_assignment(url)
    await client.assign([assignment])
    status = await until_live(client)
    assert status.condition is StreamCondition.LIVE
    timeline = await until_recorded(client, assignment.camera_id, 2.2)
    return assignment.camera_id, timeline.spans[0].start_ns, timeline.spans[-1].end_ns


def _files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "shard" / "media").rglob("*.mp4"))


def _played(path: Path) -> tuple[str, int, int, int]:
    """Codec, size and the number of pictures that a player makes of a file."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        return stream.codec_context.name, stream.width, stream.height, sum(1 for _ in file.decode(stream))


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
async def test_an_old_codec_is_recorded_as_it_is_and_no_browser_is_given_it(
    codec: str, tmp_path: Path, reader: DecodingProcess
):
    """LAW-41: the recording is lossless. What a browser cannot show, it is told in French."""
    async with (
        running(tmp_path / "stills.sock", "stills", "run_stills"),
        simulated_camera(main=foreign_film(codec)) as camera,
        running_shard(tmp_path, reader_socket=reader.socket) as client,
        running_gateway(
            tmp_path,
            SystemClock(),
            shards=[tmp_path / "shard.sock"],
            stores=[tmp_path / "shard"],
            stills_socket=tmp_path / "stills.sock",
        ) as node,
    ):
        camera_id, start_ns, end_ns = await _record(tmp_path, client, camera.stream_url())
        async with node.wall() as wall:
            await wall.open(node.centre.ticket(camera_id=camera_id), role="main")
            await wall.status("unplayable_codec")
        ticket = node.centre.playback(start_ns, end_ns, camera_id=camera_id)
        bearer = {"Authorization": f"Bearer {ticket}"}
        async with httpx.AsyncClient(base_url=node.url, headers=bearer, timeout=10, trust_env=False) as program:
            played = f"/playback?from={start_ns}&to={end_ns}"
            refused = await program.get(played, headers={"Origin": ORIGIN})
            assert (refused.status_code, refused.json()["code"]) == (409, "codec.unplayable")
            assert refused.json()["message"] == "Codec non lisible dans le navigateur."
            whole = await program.get(played)
            assert whole.status_code == 200
            still = await program.get(f"/still?at={start_ns + 1_000_000_000}&width=160")
            assert still.status_code == 200
        async with connect(
            f"ws://127.0.0.1:{node.gateway.port}/playback", additional_headers={"Origin": ORIGIN}, proxy=None
        ) as player:
            await player.send(json.dumps({"type": "open", "stream": 1, "ticket": ticket}))
            fetch = {"from": str(start_ns), "to": str(end_ns), "direction": "forward", "frames": "all", "limit": 1}
            await player.send(json.dumps({"type": "fetch", "stream": 1, "request": 1, **fetch}))
            told = [json.loads(await player.recv()) for _ in range(2)]
            assert told[1]["code"] == "codec.unplayable"
    path = tmp_path / "exported.mp4"
    await asyncio.to_thread(path.write_bytes, whole.content)
    for one in [*_files(tmp_path), path]:
        name, width, height, pictures = await asyncio.to_thread(_played, one)
        assert (name, width, height) == (codec, 352, 288)
        assert pictures >= 12
    if shutil.which("ffprobe"):
        await asyncio.to_thread(_probe, _files(tmp_path)[0], codec)


async def test_a_udp_camera_is_recorded_and_watched_like_any_other(tmp_path: Path, reader: DecodingProcess):
    async with (
        simulated_camera(faults=[Fault.UDP_ONLY]) as camera,
        running_shard(tmp_path, reader_socket=reader.socket) as client,
        running_gateway(tmp_path, SystemClock(), shards=[tmp_path / "shard.sock"]) as node,
    ):
        camera_id, _, _ = await _record(tmp_path, client, camera.stream_url())
        async with node.wall() as wall:
            await wall.open(node.centre.ticket(camera_id=camera_id), role="main")
            assert (await wall.media(5))[0].key
