"""A whole shard inside a test: real store, real socket, real cameras on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from access_audit.events import AccessEvent
from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.contract.timeline import Timeline
from recorder.node.client import ShardClient, Subscription
from recorder.node.events import EventSink
from recorder.node.protocol import LiveUnit, SubscriptionEvent
from recorder.node.shard import ShardSettings, run_shard
from tests.simulated import PASSWORD, USERNAME
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.ids import new_id

FOREVER_NS = 4_000_000_000 * NS_PER_SECOND


class Log:
    """An event sink that remembers."""

    def __init__(self) -> None:
        self.events: list[AccessEvent] = []

    def append(self, event: AccessEvent) -> None:
        self.events.append(event)


@contextlib.asynccontextmanager
async def running_shard(
    folder: Path,
    *,
    events: EventSink | None = None,
    segment_seconds: int = 2,
    linger_seconds: float = 0.5,
    disks: Sequence[str] = (),
    reader_socket: Path | None = None,
) -> AsyncIterator[ShardClient]:
    """A shard on `folder` and a client of it; stopped in order at the end."""
    settings = ShardSettings(
        "shard-test",
        folder / "shard",
        folder / "shard.sock",
        segment_seconds=segment_seconds,
        minimum_free_bytes=1 << 20,
        linger_seconds=linger_seconds,
        disks=tuple(folder / name for name in disks),
        reader_socket=reader_socket,
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    shard = asyncio.create_task(run_shard(settings, SystemClock(), stop, ready.set, events))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([shard, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    client = ShardClient(settings.socket)
    try:
        if not ready.is_set():
            await shard
        yield client
    finally:
        await client.close()
        stop.set()
        await asyncio.wait([shard])
    await shard


def camera_assignment(
    main: str,
    sub: str | None = None,
    *,
    camera_id: str = "",
    starts_at_ns: int = 0,
    ends_at_ns: int = FOREVER_NS,
    **fields: Any,
) -> CameraAssignment:
    """One camera of the simulator, authorised unless said otherwise."""
    streams = [StreamAddress(StreamRole.MAIN, main)]
    if sub is not None:
        streams.append(StreamAddress(StreamRole.SUB, sub))
    return CameraAssignment(
        camera_id or new_id("cam"),
        "Place de l'Essai",
        "27229",
        tuple(streams),
        RecordingAuthorisation("27-2026-001", starts_at_ns, ends_at_ns, 30),
        **{"username": USERNAME, "password": PASSWORD, **fields},
    )


async def until_status(
    client: ShardClient, wanted: Callable[[StreamStatus], bool], seconds: float = 10.0
) -> StreamStatus:
    """Wait until some stream of the shard is as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            for status in await client.statuses():
                if wanted(status):
                    return status
            await asyncio.sleep(0.05)


async def until_live(client: ShardClient) -> StreamStatus:
    """Wait until a stream is live."""
    return await until_status(client, lambda status: status.condition is StreamCondition.LIVE)


async def until_timeline(client: ShardClient, camera_id: str, wanted: Callable[[Timeline], bool]) -> Timeline:
    """Wait until what is held of a camera is as wanted: the ledger is written beside the stream, a moment later."""
    async with asyncio.timeout(20):
        while True:
            timeline = await client.timeline(camera_id, 0, FOREVER_NS)
            if wanted(timeline):
                return timeline
            await asyncio.sleep(0.1)


async def until_recorded(client: ShardClient, camera_id: str, seconds: float, since_ns: int = 0) -> Timeline:
    """Wait until so many seconds after an instant are in the store."""

    def enough(timeline: Timeline) -> bool:
        held_ns = sum(max(0, span.end_ns - max(span.start_ns, since_ns)) for span in timeline.spans)
        return held_ns >= seconds * NS_PER_SECOND

    return await until_timeline(client, camera_id, enough)


async def next_units(subscription: Subscription, count: int) -> list[LiveUnit]:
    """The next units of a subscription."""
    return [event for event in await next_events(subscription, count) if isinstance(event, LiveUnit)]


async def next_events(subscription: Subscription, units: int) -> list[SubscriptionEvent]:
    """The events of a subscription up to so many units, or to its end."""
    events: list[SubscriptionEvent] = []
    async with asyncio.timeout(10):
        async for event in subscription:
            events.append(event)
            if sum(isinstance(one, LiveUnit) for one in events) >= units:
                break
    return events


def segment_files(folder: Path) -> list[Path]:
    """The closed segments of the shard, in the order of time."""
    return sorted((folder / "shard" / "media").rglob("*.mp4"))


def decoded_frames(files: Iterable[Path]) -> list[int]:
    """How many pictures a player decodes from each file. Blocks."""
    import av

    counts = []
    for file in files:
        with av.open(str(file)) as container:
            counts.append(sum(1 for _ in container.decode(video=0)))
    return counts
