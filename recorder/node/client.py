"""Speaking with a shard of this machine (being filled in)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from recorder.contract.assignment import CameraAssignment, StreamRole
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline
from recorder.node.protocol import SubscriptionEvent


class Subscription:
    """The events of one stream, in order: `async for event in subscription`. Ends after SubscriptionEnded."""

    def __aiter__(self) -> AsyncIterator[SubscriptionEvent]:
        raise NotImplementedError

    async def close(self) -> None:
        """Stop; iteration ends. Closing twice is fine."""
        raise NotImplementedError


class ShardClient:
    """One connection to one shard, made when it is first needed and made again after it broke.

    Every call raises VmsError `recorder.unavailable` (kind unavailable) when the shard does not answer in time.
    """

    def __init__(self, socket: Path, *, timeout_s: float = 3.0) -> None:
        raise NotImplementedError

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        """Make these, and no others, the cameras of the shard."""
        raise NotImplementedError

    async def statuses(self) -> list[StreamStatus]:
        """The state of every stream of the shard."""
        raise NotImplementedError

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What the shard holds of a camera; VmsError `camera.unknown` (not_found) for one that it never had."""
        raise NotImplementedError

    async def counters(self) -> dict[str, Any]:
        """What the shard has counted per stream since it started: packets, lost packets, units, bytes, drops."""
        raise NotImplementedError

    async def subscribe(self, camera_id: str, role: StreamRole) -> Subscription:
        """The live units of a stream, from its last key frame on; VmsError `camera.unknown` (not_found)."""
        raise NotImplementedError

    async def close(self) -> None:
        """End every subscription and the connection."""
        raise NotImplementedError
