"""The socket of a shard and its client, both real, over hubs that the tests feed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import Timeline
from recorder.hub.hub import StreamHub
from recorder.hub.reader import HubReader
from recorder.node import protocol
from recorder.node.client import ShardClient, Subscription
from recorder.node.local import LocalNode, shard_of
from recorder.node.protocol import LiveUnit, ParametersChanged, StatusChanged, SubscriptionEnded, UnitsDropped
from recorder.node.server import ShardServer
from tests.recorder.hub.units import PARAMETERS, group
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import read_frame

CAMERA = "cam-1"
UNKNOWN = VmsError(ErrorKind.NOT_FOUND, "camera.unknown", "Caméra inconnue.")


class Operations:
    """One camera with one hub."""

    def __init__(self) -> None:
        self.hub = StreamHub(CAMERA, StreamRole.MAIN, SystemClock())
        self.assigned: list[CameraAssignment] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def assign(self, assignments: list[CameraAssignment]) -> None:
        self.assigned = assignments

    def statuses(self) -> list[StreamStatus]:
        return [self.hub.status]

    def counters(self) -> dict[str, Any]:
        return {"streams": [{"units": self.hub.units}]}

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        await self.hold.wait()
        if camera_id != CAMERA:
            raise UNKNOWN
        return Timeline(camera_id, start_ns, end_ns, (), ())

    async def place_hold(self, hold: Hold) -> HeldRange:
        raise UNKNOWN

    async def release_hold(self, release: HoldRelease) -> None:
        raise UNKNOWN

    async def holds(self) -> list[HeldRange]:
        return []

    async def capacity(self) -> list[DiskCapacity]:
        return []

    def confirm_clock(self) -> None:
        return

    def attach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        if camera_id != CAMERA:
            raise UNKNOWN
        self.hub.attach(reader)

    def detach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        self.hub.detach(reader)


@contextlib.asynccontextmanager
async def serving(socket: Path) -> AsyncIterator[tuple[Operations, ShardServer]]:
    operations = Operations()
    server = ShardServer(socket, operations)
    await server.start()
    try:
        yield operations, server
    finally:
        await server.stop()


@pytest.fixture
async def shard(tmp_path: Path) -> AsyncIterator[tuple[Operations, ShardClient]]:
    async with serving(tmp_path / "shard.sock") as (operations, _):
        client = ShardClient(tmp_path / "shard.sock", timeout_s=2.0)
        yield operations, client
        await client.close()


async def take(subscription: Subscription, count: int) -> list[Any]:
    events: list[Any] = []
    async with asyncio.timeout(5):
        async for event in subscription:
            events.append(event)
            if len(events) == count:
                break
    return events


async def test_a_subscriber_gets_status_parameters_and_the_group_under_way(shard: tuple[Operations, ShardClient]):
    operations, client = shard
    operations.hub.publish(group(0, 3))
    subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    operations.hub.publish(group(3, 1))
    status, parameters, *units = await take(subscription, 6)
    assert isinstance(status, StatusChanged)
    assert parameters == ParametersChanged(PARAMETERS)
    assert [unit.rtp_timestamp for unit in units] == [0, 3_600, 7_200, 10_800]
    assert [unit.key for unit in units] == [True, False, False, True]
    assert units[0].data == b"".join(group(0, 1)[0].unit.chunks)
    assert units[3].capture_utc_ns == 3 * 40_000_000


async def test_a_status_change_and_the_end_reach_the_subscriber(shard: tuple[Operations, ShardClient]):
    operations, client = shard
    subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    operations.hub.set_status(StreamCondition.NO_SIGNAL, "timeout")
    operations.hub.end("unassigned")
    _, changed, ended = await take(subscription, 3)
    assert (changed.status.condition, changed.status.cause) == (StreamCondition.NO_SIGNAL, "timeout")
    assert ended == SubscriptionEnded("unassigned")
    await subscription.close()


async def test_leaving_lets_the_stream_go_back_to_its_relaxed_pace(shard: tuple[Operations, ShardClient]):
    operations, client = shard
    demands: list[bool] = []
    operations.hub.on_demand = lambda: demands.append(operations.hub.watched)
    subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    await subscription.close()
    await subscription.close()
    await client.statuses()
    assert demands == [True, False]
    assert [type(event) for event in await take(subscription, 9)][-1] is SubscriptionEnded


async def test_a_client_that_dies_is_detached(shard: tuple[Operations, ShardClient], tmp_path: Path):
    operations, _ = shard
    other = ShardClient(tmp_path / "shard.sock")
    await other.subscribe(CAMERA, StreamRole.MAIN)
    await other.close()
    async with asyncio.timeout(2):
        while operations.hub.readers:  # noqa: ASYNC110 - a hub has no event for it
            await asyncio.sleep(0.01)


async def test_a_viewer_that_does_not_read_loses_frames_and_resumes_at_a_key_frame(tmp_path: Path):
    async with serving(tmp_path / "shard.sock") as (operations, _):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "shard.sock", limit=4096)
        writer.write(protocol.json_message({"id": 1, "op": "subscribe", "camera_id": CAMERA, "role": "main"}))
        await read_frame(reader)
        for number in range(0, 2_000, 10):
            operations.hub.publish(group(number, 10, size=20_000))
            await asyncio.sleep(0)
        dropped, first_after = 0, None
        async with asyncio.timeout(10):
            while first_after is None:
                if len(operations.hub._readers[0]._queue) == 0:  # type: ignore[attr-defined]
                    operations.hub.publish(group(5_000, 5, size=20_000))
                content = await read_frame(reader)
                assert content is not None
                if content[:1] == protocol.UNIT_MARK:
                    _, unit = protocol.parse_unit(content)
                    first_after = unit if dropped else None
                    continue
                event = protocol.parse_json(content[1:])
                if event.get("event") == "dropped":
                    dropped = event["units"]
        assert dropped > 1_000
        assert first_after.key
        writer.close()


async def test_the_clients_own_queue_is_bounded_too(shard: tuple[Operations, ShardClient]):
    operations, client = shard
    subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    for number in range(0, 3_000, 10):
        operations.hub.publish(group(number, 10))
        await asyncio.sleep(0)
    await client.statuses()
    async with asyncio.timeout(5):
        while subscription._queue.dropped_units == 0:
            operations.hub.publish(group(4_000, 10))
            await client.statuses()
    assert len(subscription._queue) <= 510


async def test_answers_come_while_frames_flow(shard: tuple[Operations, ShardClient]):
    operations, client = shard
    subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    operations.hub.publish(group(0, 100))
    assert [status.camera_id for status in await client.statuses()] == [CAMERA]
    assert (await client.counters())["streams"] == [{"units": 100}]
    assert (await client.timeline(CAMERA, 1, 2)).end_ns == 2
    assert any(isinstance(event, LiveUnit) for event in await take(subscription, 50))


async def test_an_unknown_camera_is_refused_in_french(shard: tuple[Operations, ShardClient]):
    _, client = shard
    with pytest.raises(VmsError, match=r"camera\.unknown") as refused:
        await client.subscribe("cam-2", StreamRole.MAIN)
    assert refused.value.message == "Caméra inconnue."


async def test_a_shard_that_is_away_is_unavailable_and_found_again(tmp_path: Path):
    client = ShardClient(tmp_path / "shard.sock", timeout_s=1.0)
    with pytest.raises(VmsError, match=r"recorder\.unavailable") as refused:
        await client.statuses()
    assert refused.value.kind is ErrorKind.UNAVAILABLE
    async with serving(tmp_path / "shard.sock"):
        subscription = await client.subscribe(CAMERA, StreamRole.MAIN)
    assert (await take(subscription, 9))[-1] == SubscriptionEnded("shard_lost")
    async with serving(tmp_path / "shard.sock"):
        assert len(await client.statuses()) == 1
    await client.close()


async def test_a_shard_that_hangs_is_unavailable(shard: tuple[Operations, ShardClient], tmp_path: Path):
    operations, _ = shard
    operations.hold.clear()
    impatient = ShardClient(tmp_path / "shard.sock", timeout_s=0.2)
    with pytest.raises(VmsError, match=r"recorder\.unavailable"):
        await impatient.timeline(CAMERA, 0, 1)
    operations.hold.set()
    await impatient.close()


@pytest.mark.parametrize(
    "sent", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02X{", b"\x00\x00\x00\x02J{", b"\x00\x00\x00\x00"]
)
async def test_a_client_that_breaks_the_protocol_is_cut_off_alone(
    shard: tuple[Operations, ShardClient], tmp_path: Path, sent: bytes
):
    _, healthy = shard
    await healthy.statuses()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "shard.sock")
    writer.write(sent)
    async with asyncio.timeout(2):
        assert await reader.read() == b""
    writer.close()
    assert len(await healthy.statuses()) == 1


@pytest.mark.parametrize("request_", [{"op": "dance"}, {"op": "subscribe"}, {"op": "assign", "cameras": [{}]}, {}])
async def test_a_request_of_another_shape_is_answered_with_an_error(
    shard: tuple[Operations, ShardClient], tmp_path: Path, request_: dict[str, Any]
):
    reader, writer = await asyncio.open_unix_connection(tmp_path / "shard.sock")
    writer.write(protocol.json_message({"id": 9, **request_}))
    content = await read_frame(reader)
    assert content is not None
    answer = protocol.parse_json(content[1:])
    assert (answer["id"], answer["ok"], answer["code"]) == (9, False, "request.invalid")
    writer.close()


async def test_the_socket_is_for_its_owner_only(shard: tuple[Operations, ShardClient], tmp_path: Path):
    assert (tmp_path / "shard.sock").stat().st_mode & 0o777 == 0o600


def assignment(number: int) -> CameraAssignment:
    return CameraAssignment(
        f"cam-{number}",
        "Test",
        "27229",
        (StreamAddress(StreamRole.MAIN, "rtsp://127.0.0.1/main"),),
        RecordingAuthorisation("27-1", 0, 1, 30),
    )


async def test_a_node_spreads_cameras_over_its_shards_and_answers_for_all(tmp_path: Path):
    sockets = [tmp_path / "a.sock", tmp_path / "b.sock"]
    async with serving(sockets[0]) as (first, _), serving(sockets[1]) as (second, _):
        node = LocalNode(sockets, None)
        cameras = [assignment(number) for number in range(40)]
        await node.assign(cameras)
        assert {camera.camera_id for camera in first.assigned + second.assigned} == {one.camera_id for one in cameras}
        assert min(len(first.assigned), len(second.assigned)) > 5
        assert len(await node.statuses()) == 2
        assert (await node.timeline(CAMERA, 0, 1)).camera_id == CAMERA
        with pytest.raises(VmsError, match=r"camera\.unknown"):
            await node.timeline("cam-none", 0, 1)
        await node.close()


async def test_one_shard_away_hides_only_its_own_cameras(tmp_path: Path):
    sockets = [tmp_path / "a.sock", tmp_path / "b.sock"]
    node = LocalNode(sockets, None)
    async with serving(sockets[0]):
        assert len(await node.statuses()) == 1
        with pytest.raises(VmsError, match=r"recorder\.unavailable"):
            await node.assign([])
    with pytest.raises(VmsError, match=r"recorder\.unavailable"):
        await node.statuses()
    await node.close()


def test_a_new_shard_moves_few_cameras():
    cameras = [f"cam-{number}" for number in range(1_000)]
    moved = sum(shard_of(camera, 4) != shard_of(camera, 5) for camera in cameras)
    assert 100 < moved < 300


async def test_revoking_without_an_answer_is_an_error(tmp_path: Path):
    """LAW-17: a revocation that did not arrive is never taken for one that did."""
    node = LocalNode([], tmp_path / "gateway.sock", timeout_s=0.5)
    with pytest.raises(VmsError, match=r"gateway\.unavailable"):
        await node.revoke(["view-1"])


async def test_a_revocation_reaches_the_gateway(tmp_path: Path):
    """LAW-17"""
    asked: list[dict[str, Any]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = await read_frame(reader)
        assert content is not None
        asked.append(protocol.parse_json(content[1:]))
        writer.write(protocol.json_message({"id": 1, "ok": True, "ended": 1}))
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "gateway.sock"):
        await LocalNode([], tmp_path / "gateway.sock").revoke(["view-1", "view-2"])
    assert asked[0]["op"] == "revoke"
    assert asked[0]["sessions"] == ["view-1", "view-2"]


def test_dropped_units_are_news_and_no_frame():
    assert UnitsDropped(3).units == 3
