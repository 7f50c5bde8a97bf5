"""The node of this machine: several shards and a gateway behind the contract."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog

from recorder.contract.assignment import CameraAssignment
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.served import ServedView
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import Timeline
from recorder.node import protocol
from recorder.node.client import ShardClient
from recorder.retention.custody import whole_range
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, read_frame

log = structlog.get_logger(__name__)

T = TypeVar("T")


def shard_of(camera_id: str, shards: int) -> int:
    """The shard of a camera: stable, and moving as few cameras as possible when a shard is added.

    Source: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998 (rendezvous hashing).
    """
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{shard}/{camera_id}".encode()).digest())


class LocalNode:
    """`recorder.contract.node.RecorderNode` over the shards of this machine and the control socket of its gateway."""

    def __init__(self, shard_sockets: Sequence[Path], gateway_control: Path | None, *, timeout_s: float = 3.0) -> None:
        self._shards = [ShardClient(socket, timeout_s=timeout_s) for socket in shard_sockets]
        self._gateway = gateway_control
        self._timeout_s = timeout_s

    async def assign(self, assignments: Collection[CameraAssignment]) -> None:
        """Spread these cameras over the shards. Raises the first refusal, after every shard was told."""
        shares: list[list[CameraAssignment]] = [[] for _ in self._shards]
        for assignment in assignments:
            shares[shard_of(assignment.camera_id, len(shares))].append(assignment)
        outcomes = await asyncio.gather(
            *(shard.assign(share) for shard, share in zip(self._shards, shares, strict=True)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def statuses(self) -> list[StreamStatus]:
        """The state of every stream of every shard that answers; VmsError when none does."""
        outcomes = await asyncio.gather(*(shard.statuses() for shard in self._shards), return_exceptions=True)
        statuses: list[StreamStatus] = []
        failures: list[BaseException] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                failures.append(outcome)
            else:
                statuses += outcome
        if failures and len(failures) == len(outcomes):
            raise failures[0]
        for failure in failures:
            log.warning("a shard does not answer", error=str(failure))
        return statuses

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What the node holds of a camera; a VmsError of kind not_found when no shard ever had it."""
        first = shard_of(camera_id, len(self._shards))
        try:
            return await self._shards[first].timeline(camera_id, start_ns, end_ns)
        except VmsError as refused:
            if refused.kind is not ErrorKind.NOT_FOUND:
                raise
            # The number of shards may have changed since: the footage stays where it was written.
            for shard in (shard for index, shard in enumerate(self._shards) if index != first):
                try:
                    return await shard.timeline(camera_id, start_ns, end_ns)
                except VmsError as also_refused:
                    if also_refused.kind is not ErrorKind.NOT_FOUND:
                        raise
            raise

    async def place_hold(self, hold: Hold) -> HeldRange:
        """Keep a range on every shard: the number of shards may have changed since it was recorded.

        Raises the first refusal, after every shard was asked; placing it again is safe.
        """
        return whole_range(hold, await self._every(lambda shard: shard.place_hold(hold)))

    async def release_hold(self, release: HoldRelease) -> None:
        """Let go of a hold on every shard. VmsError of kind not_found when none of them has it."""
        outcomes = await asyncio.gather(
            *(shard.release_hold(release) for shard in self._shards), return_exceptions=True
        )
        refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        unknown = [one for one in refusals if isinstance(one, VmsError) and one.kind is ErrorKind.NOT_FOUND]
        for refusal in refusals:
            if refusal not in unknown or len(unknown) == len(self._shards):
                raise refusal

    async def holds(self) -> list[HeldRange]:
        """Every hold in force, with what all shards keep for it. Raises when a shard does not answer."""
        ranges: dict[str, list[HeldRange]] = {}
        for held in await self._every(lambda shard: shard.holds()):
            for one in held:
                ranges.setdefault(one.hold.hold_id, []).append(one)
        return [whole_range(held[0].hold, held) for held in ranges.values()]

    async def capacity(self) -> list[DiskCapacity]:
        """Every disk of every shard. Raises when a shard does not answer."""
        return [disk for disks in await self._every(lambda shard: shard.capacity()) for disk in disks]

    async def confirm_clock(self) -> None:
        """Tell every shard that the wall clock of this machine is right. Raises when a shard does not answer."""
        await self._every(lambda shard: shard.confirm_clock())

    async def revoke(self, session_ids: Collection[str]) -> None:
        """Tell the gateway to end these viewing sessions (LAW-17). Without a gateway there is nothing to end."""
        if self._gateway is not None:
            await self._ask_gateway(self._gateway, {"op": "revoke", "sessions": list(session_ids)})

    async def served(self, day: str) -> list[ServedView]:
        """What the gateway sent on a UTC day. Without a gateway, nothing."""
        views: list[ServedView] = []
        more = self._gateway is not None
        while more and self._gateway is not None:
            answer = await self._ask_gateway(self._gateway, {"op": "served", "day": day, "after": len(views)})
            views += [ServedView.from_json(view) for view in answer["views"]]
            more = bool(answer["more"]) and bool(answer["views"])
        return views

    async def _ask_gateway(self, socket: Path, request: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout_s):
                reader, writer = await asyncio.open_unix_connection(socket)
                try:
                    writer.write(protocol.json_message({"id": 1, **request}))
                    content = await read_frame(reader)
                finally:
                    writer.close()
        except (OSError, FrameError, TimeoutError) as failed:
            raise _gateway_unavailable(repr(failed)) from None
        if content is None:
            raise _gateway_unavailable("connection closed without an answer")
        answer = protocol.parse_json(content[1:])
        if answer.get("ok") is not True:
            raise protocol.error_from_json(answer)
        return answer

    async def _every(self, question: Callable[[ShardClient], Awaitable[T]]) -> list[T]:
        """The answers of all shards. Raises the first refusal, after every shard was asked."""
        outcomes = await asyncio.gather(*(question(shard) for shard in self._shards), return_exceptions=True)
        answers: list[T] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            answers.append(outcome)
        return answers

    async def close(self) -> None:
        """End every connection."""
        for shard in self._shards:
            await shard.close()


def _gateway_unavailable(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "gateway.unavailable",
        "La passerelle de visionnage ne répond pas.",
        hint="Les sessions ouvertes prennent fin d'elles-mêmes en dix secondes.",
        detail=detail,
    )
