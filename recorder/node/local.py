"""The node of this machine: several shards and a gateway behind the contract (being filled in)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from recorder.contract.assignment import CameraAssignment
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline


class LocalNode:
    """`recorder.contract.node.RecorderNode` over the shards of this machine and the control socket of its gateway."""

    def __init__(self, shard_sockets: Sequence[Path], gateway_control: Path | None, *, timeout_s: float = 3.0) -> None:
        raise NotImplementedError

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        """Spread these cameras over the shards; a camera stays with the shard that its identifier chooses."""
        raise NotImplementedError

    async def statuses(self) -> list[StreamStatus]:
        """The state of every stream of every shard."""
        raise NotImplementedError

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What the camera's shard holds of it."""
        raise NotImplementedError

    async def revoke(self, session_ids: Collection[str]) -> None:
        """Tell the gateway to end these viewing sessions."""
        raise NotImplementedError

    async def close(self) -> None:
        """End every connection."""
        raise NotImplementedError
