"""The one door through which the supervision centre speaks with a recorder node."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from recorder.contract.assignment import CameraAssignment
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.served import ServedView
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline


class RecorderNode(Protocol):
    """A node, near or far. Every call raises VmsError of kind unavailable when the node does not answer."""

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        """Make these, and no others, the cameras of this node. The node keeps them across restarts."""

    async def statuses(self) -> list[StreamStatus]:
        """The state of every stream that the node holds."""

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What the node holds of a camera between two instants; not_found for a camera it never had."""

    async def revoke(self, session_ids: Collection[str]) -> None:
        """End these viewing sessions now, and refuse their tickets from now on."""

    async def place_hold(self, hold: Hold) -> HeldRange:
        """Keep this range until the hold ends; durable when it returns, and the same again when repeated."""

    async def release_hold(self, release: HoldRelease) -> None:
        """Let go of a hold; what its retention no longer covers is erased. not_found for one that is not there."""

    async def holds(self) -> list[HeldRange]:
        """Every hold in force at this node."""

    async def served(self, day: str) -> list[ServedView]:
        """What was sent to viewers on a UTC day (`YYYY-MM-DD`), measured by the node; kept for some days."""

    async def capacity(self) -> list[DiskCapacity]:
        """Every disk of this node, dead ones included."""
