"""The disks of one shard: a store with its own thread on each, and every camera on one of them.

Rules
1. A camera has an order of disks that only its identifier and the sizes of the disks decide (weighted rendezvous
   hashing): it is recorded on the first that takes footage. A disk more or less moves only its own share.
2. A disk that refuses (error, read-only, full) or hangs is left at once by all its cameras, each with a gap of cause
   `disk` from its last picture on the old disk to its next key frame on the new one.
3. A disk that is away is looked at after 30 seconds, then twice as long after each failure, up to an hour. When it
   takes writes again its store is started anew, which salvages what stood open, and its cameras come back with their
   next segments. One that was full, or hung, takes its cameras back as soon as it has room, or works.
4. What is on a disk stays in every answer for as long as it can be read, whether the disk takes footage or not.
5. A disk that is no longer among the settings and still holds recordings is retired: nothing is added, everything else
   goes on, so that what is there is erased in time (LAW-06).
6. A shard starts as long as one disk does. A folder that was known and is empty, on the file system of the shard's own
   folder, is a disk that is not mounted, never a new one.
7. The disks share what the newest segment of each camera is, so the chain of digests goes on from disk to disk. A
   camera's open gap is in one ledger; when that disk is left, the gap goes along.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import structlog

from recorder.contract.timeline import GapCause, Timeline
from recorder.store import ledger
from recorder.store.disk import Disk
from recorder.store.merging import merged
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import StoredSegment
from recorder.store.settings import StoreSettings
from recorder.store.starting import announce_gaps
from recorder.store.store import SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import supervise

log = structlog.get_logger(__name__)

T = TypeVar("T")
Beside = Callable[[SegmentStore], Awaitable[None]]

KNOWN_NAME = "disks.json"
LOOK_S = 1.0
CROWDED_NS = 5 * NS_PER_SECOND
ANSWER_S = 3.0
_FATAL = {"folder.in_use", "store.clock_behind"}
"""What is not the fault of a disk keeps the shard from starting."""


@dataclass(frozen=True, slots=True)
class DiskState:
    """One disk as it is now. `cause` is empty while it takes footage, otherwise a detail of the ledger."""

    folder: Path
    cause: str
    since_ns: int
    total_bytes: int
    readable: bool


@dataclass(frozen=True, slots=True)
class _OpenGap:
    store: SegmentStore
    start_ns: int
    cause: GapCause
    detail: str


class Disks:
    """The stores of one shard. A `Shelf` for its recordings. Made by `open` only."""

    def __init__(self, home: Path, disks: Iterable[StoreSettings], clock: Clock) -> None:
        self.clock = clock
        self._home = home
        self._disks = [Disk(settings, clock) for settings in disks]
        self._known: set[str] = set()
        self._gaps: dict[str, _OpenGap] = {}
        self._newest: dict[str, tuple[int, int, bytes]] = {}
        self._owners: dict[str, SegmentStore] = {}
        self._retentions: dict[str, int] = {}
        self._beside: list[tuple[str, Beside]] = []
        self._work: dict[SegmentStore, list[asyncio.Task[None]]] = {}
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, home: Path, disks: Iterable[StoreSettings], clock: Clock) -> Disks:
        """Start the store of every disk that can be started; the others are stated and looked at again.

        Raises the VmsError of the first disk when there is none, or when it is not a matter of disks.
        """
        wanted = list(disks)
        held = await asyncio.to_thread(retired_folders, home, [one.folder for one in wanted])
        wanted += [replace(wanted[0], folder=folder, retired=True) for folder in held]
        whole = cls(home, wanted, clock)
        whole._known = await asyncio.to_thread(_read_known, home)
        refusals = await asyncio.gather(*(disk.start(home, whole._known) for disk in whole._disks))
        failed = [refused for refused in refusals if refused is not None]
        none = not any(disk.store is not None and not disk.settings.retired for disk in whole._disks)
        fatal = [refused for refused in failed if refused.code in _FATAL or none]
        if fatal:
            await whole.close()
            raise fatal[0]
        for store in whole.stores:
            whole._share(store)
        for store in whole.stores:
            await whole._announce(store)
        await whole._remember()
        whole._watch = asyncio.create_task(supervise("disks", whole._look_for_ever, clock), name="disks")
        return whole

    async def close(self, *, orderly: bool = True) -> None:
        """Settle and give back every disk; one that hangs is left behind. See `SegmentStore.close` for `orderly`."""
        waiting = [disk.recovery for disk in self._disks if disk.recovery is not None]
        for task in [*waiting, *([self._watch] if self._watch is not None else [])]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(self._end_work(store) for store in list(self._work)))
        await asyncio.gather(*(disk.end(orderly=orderly) for disk in self._disks))

    def beside(self, name: str, work: Beside) -> None:
        """Run this work for every store, as long as it is open, and for those that come back."""
        self._beside.append((name, work))
        for store in self.stores:
            self._set_to_work(store, name, work)

    @property
    def stores(self) -> tuple[SegmentStore, ...]:
        """The stores that are open, those that take no footage included."""
        return tuple(disk.store for disk in self._disks if disk.store is not None)

    @property
    def complete(self) -> bool:
        """Whether everything that was recorded can be asked for, and nothing waits to be closed."""
        return all(disk.store is not None and not disk.cause and not disk.store.left_open for disk in self._disks)

    def states(self) -> list[DiskState]:
        """Every disk of the shard, and how it is."""
        return [
            DiskState(
                disk.settings.folder,
                disk.refusal,
                disk.since_ns,
                disk.store.total_bytes if disk.store is not None else 0,
                disk.store is not None and disk.cause != ledger.DISK_HUNG,
            )
            for disk in self._disks
        ]

    def store_for(self, camera_id: str) -> SegmentStore | None:
        """The store that takes this camera's next segment."""
        return next(iter(self.stores_for(camera_id)), None)

    def stores_for(self, camera_id: str) -> list[SegmentStore]:
        now_ns = self.clock.monotonic_ns()
        taking = [disk for disk in self._ranked(camera_id) if not disk.refusal]
        taking.sort(key=lambda disk: disk.crowded_until_ns > now_ns)
        return [disk.store for disk in taking if disk.store is not None]

    def refusal_for(self, camera_id: str) -> str:
        return next(disk for disk in self._ranked(camera_id) if not disk.settings.retired).refusal or ledger.DISK_ERROR

    def trouble(self, store: SegmentStore, cause: str) -> bool:
        if sum(not disk.settings.retired for disk in self._disks) == 1:
            return False
        disk = next((disk for disk in self._disks if disk.store is store), None)
        now_ns = self.clock.monotonic_ns()
        if disk is not None and cause == ledger.QUEUE_FULL:
            disk.crowded_until_ns = now_ns + CROWDED_NS
        elif disk is not None and not store.space_is_low:
            disk.leave(cause)
            self._take_gaps_along(store)
        return any(not disk.refusal and disk.crowded_until_ns <= now_ns for disk in self._disks)

    def begun(self, camera_id: str, store: SegmentStore, start_ns: int) -> bool:
        gap = self._gaps.pop(camera_id, None)
        self._owners[camera_id] = store
        if gap is None or gap.store is store:
            return False
        gap.store.close_gap(camera_id, start_ns)
        return True

    def record_gap(self, camera_id: str, start_ns: int, cause: GapCause, detail: str) -> None:
        current = self._gaps.get(camera_id)
        store = current.store if current is not None else self.store_for(camera_id)
        store = store or next(iter(self.stores), None)
        if store is None:
            log.error("a gap cannot be noted: no disk is there", camera_id=camera_id, cause=cause, detail=detail)
            return
        if current is None or (current.cause, current.detail) != (cause, detail):
            self._gaps[camera_id] = _OpenGap(store, start_ns, cause, detail)
        store.record_gap(camera_id, start_ns, cause, detail)

    def set_retention(self, camera_id: str, days: int) -> None:
        """Keep a camera's retention on every disk, so that each erases by itself (LAW-06)."""
        self._retentions[camera_id] = days
        for store in self.stores:
            store.set_retention(camera_id, days)

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        """What all disks hold together; VmsError `store.unknown_camera` (not_found) when none knows the camera."""
        return merged(await self._ask(lambda store: store.timeline(camera_id, start_ns, end_ns)))

    async def segments_between(self, camera_id: str, start_ns: int, end_ns: int) -> list[StoredSegment]:
        """The segments of all disks that overlap `[start_ns, end_ns)`, in the order of time."""
        lists = await self._ask(lambda store: store.segments_between(camera_id, start_ns, end_ns))
        return sorted((one for found in lists for one in found), key=lambda one: (one.start_ns, one.segment_id))

    async def retentions(self) -> dict[str, int | None]:
        """The retention of each camera on any disk, in days; None where no authorisation was ever told."""
        whole: dict[str, int | None] = {}
        for told in await self._ask(lambda store: store.retentions()):
            whole |= {camera_id: days for camera_id, days in told.items() if whole.get(camera_id) is None}
        return whole

    async def _ask(self, question: Callable[[SegmentStore], Awaitable[T]]) -> list[T]:
        """The answers of the disks that give one; the first refusal when there is none at all."""
        asked = [disk.store for disk in self._disks if disk.store is not None and disk.cause != ledger.DISK_HUNG]
        if len(self._disks) == 1 and asked:
            return [await question(asked[0])]
        refusals: list[VmsError] = []
        answers = await asyncio.gather(*(_answer(question(store), refusals) for store in asked))
        given = [answer for told in answers for answer in told]
        if not given:
            raise next(iter(refusals), _no_disk())
        return given

    def _ranked(self, camera_id: str) -> list[Disk]:
        return sorted(self._disks, key=lambda disk: disk.score(camera_id), reverse=True)

    def _share(self, store: SegmentStore) -> None:
        """Let a store that was started know, and add to, what is the newest of each camera."""
        for camera_id, newest in store.newest.items():
            if newest[0] > self._newest.get(camera_id, (0,))[0]:
                self._newest[camera_id] = newest
                self._owners[camera_id] = store
        store.newest = self._newest

    async def _announce(self, store: SegmentStore) -> None:
        """Open the gaps of the cameras that were recorded here last, and end those of cameras that went elsewhere."""
        ends: dict[str, int] = {}
        for camera_id, (end_ns, _, _) in self._newest.items():
            if self._owners[camera_id] is not store:
                continue
            away = next(disk for disk in self._ranked(camera_id) if not disk.settings.retired).cause
            if away:
                store.record_gap(camera_id, end_ns, GapCause.DISK, away)
            else:
                ends[camera_id] = end_ns
        await store.disk.run(lambda: announce_gaps(store.index, ends, stopped=store.stopped))
        await self._take_up_gaps(store)

    async def _take_up_gaps(self, store: SegmentStore) -> None:
        for camera_id, gap in (await store.open_gaps()).items():
            if self._owners.get(camera_id, store) is store and camera_id not in self._gaps:
                self._gaps[camera_id] = _OpenGap(store, gap.start_ns, gap.cause, gap.detail)
            else:
                store.close_gap(camera_id, max(gap.start_ns, self._newest.get(camera_id, (0,))[0]))

    def _take_gaps_along(self, store: SegmentStore) -> None:
        for camera_id, gap in list(self._gaps.items()):
            other = self.store_for(camera_id) if gap.store is store else None
            if other is not None:
                self._gaps[camera_id] = _OpenGap(other, gap.start_ns, gap.cause, gap.detail)
                other.record_gap(camera_id, gap.start_ns, gap.cause, gap.detail)

    async def _look_for_ever(self) -> None:
        while True:
            await self.clock.sleep(LOOK_S)
            for disk in self._disks:
                was = disk.cause
                disk.look()
                if disk.cause and not was and disk.store is not None:
                    self._take_gaps_along(disk.store)
                if disk.is_due:
                    disk.recovery = asyncio.create_task(self._recover(disk), name="recover disk")

    async def _recover(self, disk: Disk) -> None:
        try:
            if disk.store is not None:
                await self._end_work(disk.store)
            if await disk.recover(self._home, self._known) and disk.store is not None:
                await self._take_up(disk.store)
            elif disk.store is not None:
                for name, work in self._beside:
                    self._set_to_work(disk.store, name, work)
        except Exception:
            log.exception("recovery of a disk failed", folder=str(disk.settings.folder))
        finally:
            disk.recovery = None

    async def _take_up(self, store: SegmentStore) -> None:
        self._share(store)
        await self._take_up_gaps(store)
        for camera_id, days in self._retentions.items():
            store.set_retention(camera_id, days)
        for name, work in self._beside:
            self._set_to_work(store, name, work)
        await self._remember()

    def _set_to_work(self, store: SegmentStore, name: str, work: Beside) -> None:
        task = asyncio.create_task(supervise(name, lambda: work(store), self.clock), name=name)
        self._work.setdefault(store, []).append(task)

    async def _end_work(self, store: SegmentStore) -> None:
        for task in self._work.pop(store, []):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _remember(self) -> None:
        known = self._known | {str(store.settings.folder) for store in self.stores}
        if known != self._known:
            content = json.dumps(sorted(known), indent=1).encode()
            await asyncio.to_thread(durable.write_atomic, self._home / KNOWN_NAME, content)
            self._known = known


async def _answer(question: Awaitable[T], refusals: list[VmsError]) -> list[T]:
    """The answer in a list; an empty one, and the refusal noted, when there is none in time."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return [await question]
    except TimeoutError:
        refusals.append(_no_disk())
    except VmsError as refused:
        refusals.append(refused)
    return []


def _no_disk() -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "store.disk_error",
        "Aucun disque d’enregistrement ne répond.",
        hint="Vérifiez les disques de cet enregistreur (journal du système, SMART).",
    )


def retired_folders(home: Path, configured: Iterable[Path]) -> list[Path]:
    """The folders in which this shard once recorded and, by the settings, does no more."""
    others = ({Path(folder) for folder in _read_known(home)} | {home}) - set(configured)
    return sorted(folder for folder in others if _holds_index(folder))


def _holds_index(folder: Path) -> bool:
    try:
        return (folder / INDEX_NAME).exists()
    except OSError as refused:
        log.error("a disk that was recorded on cannot be read", folder=str(folder), error=repr(refused))
        return False


def _read_known(home: Path) -> set[str]:
    try:
        return {str(folder) for folder in json.loads((home / KNOWN_NAME).read_bytes())}
    except FileNotFoundError:
        return set()
    except (OSError, ValueError, TypeError) as unreadable:
        log.error("the list of known disks cannot be read", error=repr(unreadable))
        return set()
