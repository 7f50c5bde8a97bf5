"""The holds of one shard, on all of its disks (LAW-10).

Rules
1. The shard's own file says which holds there are; each disk has them too, in its index. A hold is in the file first,
   then on every disk, then confirmed. It is gone from the file first, then from the disks.
2. A disk that comes back is brought in line with the file before anything is erased on it. So a disk that is away
   loses nothing that is held; yet a hold is only confirmed once every disk of the shard has it, as nobody knows what a
   disk has that does not answer. Placing it again then confirms it.
3. Where the file is lost, every hold that any disk knows counts.
4. A hold that is over is forgotten a while later, when what it kept is erased.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

import structlog

from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.node import protocol
from recorder.retention.custody import Custody, whole_range
from recorder.store.disks import Disks
from recorder.store.store import SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

T = TypeVar("T")
FILE_NAME: Final = "holds.json"
ANSWER_S: Final = 5.0
FORGET_AFTER_NS: Final = 3_600 * NS_PER_SECOND
MAX_HOLDS: Final = 10_000
_OWNER_ONLY: Final = 0o600


class ShardHolds:
    """The holds of a shard. `load` once, before anything is erased."""

    def __init__(self, folder: Path, disks: Disks, clock: Clock) -> None:
        self._file = folder / FILE_NAME
        self._disks = disks
        self._clock = clock
        self._holds: dict[str, Hold] = {}
        self._turn = asyncio.Lock()
        self._lost = False

    async def load(self) -> None:
        """Take up the holds of the last run."""
        held = await asyncio.to_thread(self._read)
        if held is None:
            self._lost = True
            known = [await Custody(store).holds() for store in self._disks.stores]
            held = {hold.hold_id: hold for holds in known for hold in holds}
            if held:
                log.error("the file of holds is missing, they are taken from the disks", holds=len(held))
            await asyncio.to_thread(self._write, held)
        self._holds = held

    async def bring_in_line(self, store: SegmentStore) -> None:
        """Let a disk have the holds of the shard, and no others. Raises VmsError when it refuses."""
        async with self._turn:
            custody = Custody(store)
            known = {hold.hold_id: hold for hold in await custody.holds()}
            strange = {hold_id: hold for hold_id, hold in known.items() if hold_id not in self._holds}
            if strange and self._lost:
                await asyncio.to_thread(self._write, {**self._holds, **strange})
                self._holds |= strange
            elif strange:
                await custody.forget(strange)
            for hold in self._holds.values():
                if hold.hold_id not in known:
                    await custody.place(hold)

    async def place(self, hold: Hold) -> HeldRange:
        """Keep a range on every disk. VmsError `hold.differs`, `hold.over`, or `hold.disk_away` when one is missing."""
        async with self._turn:
            now_ns = self._clock.utc_ns()
            if not hold.in_force(now_ns):
                raise ValueError("the hold is over already")
            known = self._holds.get(hold.hold_id)
            if known is not None and known != hold:
                raise _differs(hold)
            if len(self._holds) >= MAX_HOLDS:
                raise ValueError(f"more than {MAX_HOLDS} holds")
            held = {**self._holds, hold.hold_id: hold}
            await asyncio.to_thread(self._write, held)
            self._holds = held
            await self._on_every_disk(lambda custody: custody.place(hold))
        return await self._held_range(hold)

    async def release(self, release: HoldRelease) -> None:
        """Let go of a hold. VmsError of kind not_found for one that is not there."""
        async with self._turn:
            if release.hold_id not in self._holds:
                raise VmsError(
                    ErrorKind.NOT_FOUND,
                    "hold.unknown",
                    "Cet enregistreur ne connaît pas cette conservation.",
                    detail=f"{release.hold_id[:40]!r} is not held here",
                )
            await self._forget([release.hold_id])

    async def ranges(self) -> list[HeldRange]:
        """Every hold in force, and what it keeps. VmsError `hold.disk_away` when a disk cannot tell."""
        now_ns = self._clock.utc_ns()
        return [await self._held_range(hold) for hold in list(self._holds.values()) if hold.in_force(now_ns)]

    async def forget_those_that_are_over(self) -> None:
        """Drop holds that ended a while ago."""
        async with self._turn:
            until_ns = self._clock.utc_ns() - FORGET_AFTER_NS
            over = [hold.hold_id for hold in self._holds.values() if not hold.in_force(until_ns)]
            if over:
                await self._forget(over)

    async def _forget(self, hold_ids: list[str]) -> None:
        held = {hold_id: hold for hold_id, hold in self._holds.items() if hold_id not in hold_ids}
        await asyncio.to_thread(self._write, held)
        self._holds = held
        # A disk that is away is brought in line when it is back: until then it only keeps more than it must.
        for store in self._reachable():
            try:
                async with asyncio.timeout(ANSWER_S):
                    await Custody(store).forget(hold_ids)
            except (VmsError, TimeoutError) as refused:
                log.warning("a disk keeps released holds for now", error=repr(refused))

    async def _held_range(self, hold: Hold) -> HeldRange:
        return whole_range(hold, await self._on_every_disk(lambda custody: custody.held_range(hold)))

    async def _on_every_disk(self, work: Callable[[Custody], Awaitable[T]]) -> list[T]:
        """Do this on every disk that answers, then raise when that was not all of them."""
        stores = self._reachable()
        try:
            async with asyncio.timeout(ANSWER_S):
                done = list(await asyncio.gather(*(work(Custody(store)) for store in stores)))
        except TimeoutError:
            raise _disk_away(f"a disk did not answer within {ANSWER_S} s") from None
        if len(stores) < len(self._disks.states()):
            raise _disk_away("a disk is away")
        return done

    def _reachable(self) -> list[SegmentStore]:
        readable = {state.folder for state in self._disks.states() if state.readable}
        return [store for store in self._disks.stores if store.settings.folder in readable]

    def _read(self) -> dict[str, Hold] | None:
        try:
            holds = [protocol.hold_from_json(hold) for hold in json.loads(self._file.read_bytes())["holds"]]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as unreadable:
            log.error("holds cannot be read", path=str(self._file), error=repr(unreadable))
            return None
        return {hold.hold_id: hold for hold in holds}

    def _write(self, holds: dict[str, Hold]) -> None:
        content = json.dumps({"holds": [asdict(hold) for hold in holds.values()]}, indent=1, ensure_ascii=False)
        durable.write_atomic(self._file, content.encode(), _OWNER_ONLY)


def _differs(hold: Hold) -> VmsError:
    return VmsError(
        ErrorKind.CONFLICT,
        "hold.differs",
        "Une autre conservation porte déjà cet identifiant.",
        hint="Une conservation placée ne se change pas : placez-en une nouvelle.",
        detail=f"{hold.hold_id} is placed with other values",
    )


def _disk_away(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "hold.disk_away",
        "Un disque de cet enregistreur ne répond pas : la conservation n’est pas confirmée.",
        hint="Elle protège déjà ce qui est joignable. Réparez ou retirez ce disque, puis confirmez-la à nouveau.",
        detail=detail,
    )
