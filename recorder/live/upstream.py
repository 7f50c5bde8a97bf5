"""One subscription per stream, shared by every browser that watches it.

The gateway asks a shard for a stream when its first viewer comes and lets go when the last one leaves, so that the
stream is in watched pace only while somebody looks. The last group of pictures is kept here too: the second viewer has
a picture at once, out of the same bytes that the first one got.

A subscription that ends or a shard that is gone is a condition that tiles show, and is tried again, paced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from recorder.contract.assignment import StreamRole
from recorder.contract.status import StreamCondition, StreamStatus
from recorder.live.fragmenter import Fragment, Fragmenter
from recorder.live.tile import Listener
from recorder.node.client import ShardClient, Subscription
from recorder.node.protocol import (
    LiveUnit,
    ParametersChanged,
    StatusChanged,
    SubscriptionEnded,
    SubscriptionEvent,
    UnitsDropped,
)
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import Backoff
from vms.media.errors import MediaError

log = structlog.get_logger(__name__)

MAX_GROUP_FRAGMENTS = 1_500
MAX_GROUP_BYTES = 16 * 1024 * 1024
CAUSE_RECORDER = "recorder"
CAUSE_UNASSIGNED = "unassigned"
CAUSE_UNPLAYABLE = "unplayable_codec"


@dataclass(slots=True)
class UpstreamCounters:
    """What one shared stream has done since its first viewer came."""

    camera_id: str
    role: StreamRole
    viewers: int
    fragments: int
    media_bytes: int
    skipped_units: int
    dropped_by_shard: int
    subscriptions: int


class Upstream:
    """One camera's stream at this gateway, and whoever watches it."""

    def __init__(self, camera_id: str, role: StreamRole, shards: Sequence[ShardClient], clock: Clock) -> None:
        self.camera_id = camera_id
        self.role = role
        self._shards = shards
        self._clock = clock
        self._listeners: dict[Listener, None] = {}
        self._fragmenter = Fragmenter()
        self._is_unplayable = False
        self._group: list[Fragment] = []
        self._group_bytes = 0
        self._status = self._own_status(StreamCondition.CONNECTING)
        self._task: asyncio.Task[None] | None = None
        self._counters = UpstreamCounters(camera_id, role, 0, 0, 0, 0, 0, 0)

    @property
    def watched(self) -> bool:
        """Whether anybody is attached."""
        return bool(self._listeners)

    def counters(self) -> UpstreamCounters:
        """The counts at this moment."""
        self._counters.viewers = len(self._listeners)
        self._counters.skipped_units = self._fragmenter.skipped_units
        return self._counters

    def attach(self, listener: Listener) -> None:
        """Give a viewer the condition, the group of pictures at hand, and everything from now on."""
        self._listeners[listener] = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"live {self.camera_id} {self.role}")
        listener.on_status(self._status)
        if self._group:
            listener.on_group(self._group)

    def detach(self, listener: Listener) -> None:
        """Tell a viewer nothing more; after the last one the shard's stream is let go."""
        self._listeners.pop(listener, None)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._forget_group()
            self._status = self._own_status(StreamCondition.CONNECTING)

    async def _run(self) -> None:
        backoff = Backoff(initial_s=0.2, maximum_s=3.0)
        while True:
            try:
                subscription = await self._subscribe()
                self._counters.subscriptions += 1
                self._fragmenter.restart()
                try:
                    async for event in subscription:
                        if isinstance(event, LiveUnit):
                            backoff.reset()
                        self._take(event)
                finally:
                    await subscription.close()
            except VmsError as refused:
                condition, cause = StreamCondition.NO_SIGNAL, CAUSE_RECORDER
                if refused.kind is ErrorKind.NOT_FOUND:
                    condition, cause = StreamCondition.STOPPED, CAUSE_UNASSIGNED
                log.info("no live subscription", camera_id=self.camera_id, role=self.role, code=refused.code)
                self._change_status(self._own_status(condition, cause))
            await self._clock.sleep(backoff.next_pause_s())

    async def _subscribe(self) -> Subscription:
        """Ask the shards in turn: which one holds a camera is theirs to say.

        Raises VmsError of kind not_found when every shard answered and none has the camera, else unavailable.
        """
        failure: VmsError | None = None
        for shard in self._shards:
            try:
                return await shard.subscribe(self.camera_id, self.role)
            except VmsError as refused:
                if failure is None or refused.kind is not ErrorKind.NOT_FOUND:
                    failure = refused
        assert failure is not None, "a gateway serves at least one shard"
        raise failure

    def _take(self, event: SubscriptionEvent) -> None:
        match event:
            case LiveUnit():
                self._take_unit(event)
            case ParametersChanged(parameters):
                self._is_unplayable = not parameters.codec.plays_in_browsers
                try:
                    self._fragmenter.change_parameters(parameters)
                except MediaError as unreadable:
                    log.warning("parameter sets unreadable", camera_id=self.camera_id, code=unreadable.code)
                    cause = CAUSE_UNPLAYABLE if self._is_unplayable else "unsupported_codec"
                    self._change_status(self._own_status(StreamCondition.NO_SIGNAL, cause))
            case StatusChanged(status):
                if not (self._is_unplayable and status.condition is StreamCondition.LIVE):
                    self._change_status(status)
            case UnitsDropped(units):
                self._counters.dropped_by_shard += units
                self._fragmenter.lost_units()
            case SubscriptionEnded(cause):
                log.info("live subscription ended", camera_id=self.camera_id, role=self.role, cause=cause)
                lost = cause in {"shard_lost", "shard_stopped"}
                condition = StreamCondition.NO_SIGNAL if lost else StreamCondition.STOPPED
                self._change_status(self._own_status(condition, CAUSE_RECORDER if lost else cause))

    def _take_unit(self, unit: LiveUnit) -> None:
        fragment = self._fragmenter.add(unit)
        if fragment is None:
            return
        self._counters.fragments += 1
        self._counters.media_bytes += len(fragment.data)
        self._keep(fragment)
        if self._status.condition is not StreamCondition.LIVE:
            self._change_status(self._own_status(StreamCondition.LIVE))
        for listener in tuple(self._listeners):
            listener.on_fragment(fragment)

    def _keep(self, fragment: Fragment) -> None:
        if fragment.key:
            self._group = []
            self._group_bytes = 0
        elif not self._group:
            return
        self._group.append(fragment)
        self._group_bytes += len(fragment.data)
        if len(self._group) > MAX_GROUP_FRAGMENTS or self._group_bytes > MAX_GROUP_BYTES:
            self._forget_group()

    def _forget_group(self) -> None:
        self._group = []
        self._group_bytes = 0

    def _change_status(self, status: StreamStatus) -> None:
        if (status.condition, status.cause) == (self._status.condition, self._status.cause):
            return
        if status.condition is not StreamCondition.LIVE:
            # A picture from before the loss would pass for the present.
            self._forget_group()
        self._status = status
        for listener in tuple(self._listeners):
            listener.on_status(status)

    def _own_status(self, condition: StreamCondition, cause: str = "") -> StreamStatus:
        return StreamStatus(self.camera_id, self.role, condition, self._clock.utc_ns(), cause)


class UpstreamPool:
    """The shared streams of this gateway, one for each camera and role that is watched."""

    def __init__(self, shards: Sequence[ShardClient], clock: Clock) -> None:
        self._shards = shards
        self._clock = clock
        self._upstreams: dict[tuple[str, StreamRole], Upstream] = {}

    def get(self, camera_id: str, role: StreamRole) -> Upstream:
        """The shared stream; it subscribes when its first viewer attaches."""
        upstream = self._upstreams.get((camera_id, role))
        if upstream is None:
            self._forget_unwatched()
            upstream = Upstream(camera_id, role, self._shards, self._clock)
            self._upstreams[camera_id, role] = upstream
        return upstream

    def counters(self) -> list[UpstreamCounters]:
        """The counts of every stream that is watched."""
        return [upstream.counters() for upstream in self._upstreams.values() if upstream.watched]

    def _forget_unwatched(self) -> None:
        unwatched = [key for key, upstream in self._upstreams.items() if not upstream.watched]
        for key in unwatched:
            del self._upstreams[key]
