"""One shard: the process that records its share of a node's cameras.

Rules
1. It depends on no other process: it records what it was last told, from its own folder, whoever is down.
2. Starting: take the folders of its disks, salvage what was open, take up the assignments, listen, say ready.
3. Footage is erased when its days are over, also that of cameras that were taken away (LAW-06).
4. Stopping: let clients go, close every segment, note why nothing follows, give the folders back. Only who is asked to
   stop by a supervisor that lives is in maintenance.
5. What goes wrong with one camera stays with that camera.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from recorder.contract.assignment import CameraAssignment, StreamRole
from recorder.contract.capacity import DiskCapacity
from recorder.contract.hold import HeldRange, Hold, HoldRelease
from recorder.contract.status import StreamStatus
from recorder.contract.timeline import GapCause, Timeline
from recorder.hub.reader import HubReader
from recorder.ingest.budget import ConnectionBudget
from recorder.ingest.causes import Cause
from recorder.ingest.pace import Wheel
from recorder.ingest.stream import IngestMachinery
from recorder.node.assignments import load_assignments, save_assignments
from recorder.node.camera import CameraWorker, ShardServices
from recorder.node.collection import CollectionReports
from recorder.node.events import EventSink, NoEvents
from recorder.node.journal import ShardJournal
from recorder.node.retention import ShardRetention
from recorder.node.server import ShardServer
from recorder.node.settings import ShardSettings
from recorder.store import ledger
from recorder.store.disks import Disks, DiskState
from recorder.store.settings import StoreSettings
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import is_id
from vms.base.tasks import supervise

log = structlog.get_logger(__name__)

__all__ = ["EventSink", "NoEvents", "ShardSettings", "run_shard"]

MAX_SOCKET_PATH_BYTES = 107
OPEN_FILES_WANTED = 8_192
COLLECTION_THRESHOLD = 200_000
ORPHAN_LOOKS = 10
ORPHAN_LOOK_S = 0.02


async def run_shard(
    settings: ShardSettings,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    events: EventSink | None = None,
    orphaned: Callable[[], bool] = lambda: False,
) -> None:
    """Record until `stop` is set; then close every open segment and return.

    `on_ready` is called when the socket answers. `orphaned` is asked when `stop` is set: whether that is because the
    supervisor died, which is no maintenance. Raises VmsError when the folder is in use, cannot be written, or
    holds a store that cannot be opened.
    """
    _check_socket_path(settings)
    _raise_file_limit()
    with _rare_collections():
        await _run(settings, clock, stop, on_ready, events or NoEvents(), orphaned)


async def _run(
    settings: ShardSettings,
    clock: Clock,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    events: EventSink,
    orphaned: Callable[[], bool],
) -> None:
    await asyncio.to_thread(durable.make_folder, settings.folder)
    await asyncio.to_thread(durable.make_folder, settings.socket.parent)
    stores = [
        StoreSettings(folder, min_free_bytes=settings.minimum_free_bytes)
        for folder in settings.disks or (settings.folder,)
    ]
    disks = await Disks.open(settings.folder, stores, clock)
    shard = Shard(settings, clock, disks, events)
    server = ShardServer(settings.socket, shard)
    try:
        await shard.start()
        await server.start()
        log.info("shard ready", shard=settings.shard_name, cameras=len(shard.statuses()))
        on_ready()
        await stop.wait()
    finally:
        await server.stop()
        cause, detail = GapCause.MAINTENANCE, ledger.STOPPED
        if not stop.is_set():
            cause, detail = GapCause.RECORDER, ledger.KILLED
        elif await _comes_true(orphaned):
            cause, detail = GapCause.RECORDER, ledger.ORPHANED
        await shard.stop(cause, detail)
        await disks.close(orderly=cause is GapCause.MAINTENANCE)
        log.info("shard stopped", shard=settings.shard_name)


async def _comes_true(orphaned: Callable[[], bool]) -> bool:
    """Ask for a moment: a process with threads dies one thread after the other, and its children know at the first."""
    for _ in range(ORPHAN_LOOKS):
        if orphaned():
            return True
        await asyncio.sleep(ORPHAN_LOOK_S)
    return False


class Shard:
    """The cameras of one shard. Implements `recorder.node.server.ShardOperations`."""

    def __init__(self, settings: ShardSettings, clock: Clock, disks: Disks, events: EventSink) -> None:
        self._settings = settings
        self._disks = disks
        self._clock = clock
        self._wheel = Wheel()
        self._journal = ShardJournal(events, settings.shard_name, clock)
        machinery = IngestMachinery(clock, self._wheel, ConnectionBudget(clock), settings.reader_socket)
        self._services = ShardServices(
            machinery, disks, self._journal, settings.segment_seconds, settings.linger_seconds
        )
        self._retention = ShardRetention(settings.folder, disks, self._journal, clock, early=settings.erase_oldest)
        self._workers: dict[str, CameraWorker] = {}
        self._assigned: list[CameraAssignment] = []
        self._assigning = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what the shard was last told to record."""
        self._wheel.start()
        reports = CollectionReports(
            self._settings.folder, self._disks, self._journal, self._clock, lambda: self._assigned
        )
        await self._retention.start()
        for name, work in (("journal", self._journal.run), ("collection", reports.run), *self._retention.works):
            self._tasks.append(asyncio.create_task(supervise(name, work, self._clock), name=name))
        await self._apply(await asyncio.to_thread(load_assignments, self._settings.folder))

    async def stop(self, cause: GapCause, detail: str) -> None:
        """Close every segment and say why nothing comes after it."""
        async with self._assigning:
            workers, self._workers = list(self._workers.values()), {}
            await asyncio.gather(*(_let_go(worker, "shard_stopped", detail, cause) for worker in workers))
        self._wheel.stop()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._journal.flush()

    async def assign(self, assignments: list[CameraAssignment]) -> None:
        for assignment in assignments:
            if not is_id(assignment.camera_id):
                raise ValueError(f"camera identifier of an unknown shape: {assignment.camera_id[:40]!r}")
        async with self._assigning:
            # Durable before it is followed: after a crash the shard goes on with what it has confirmed.
            await asyncio.to_thread(save_assignments, self._settings.folder, assignments)
            await self._apply(assignments)

    def statuses(self) -> list[StreamStatus]:
        return [status for worker in self._workers.values() for status in worker.statuses()]

    def counters(self) -> dict[str, Any]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "shard": self._settings.shard_name,
            "pid": os.getpid(),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "disks": [_told(disk) for disk in self._disks.states()],
            "streams": [counters for worker in self._workers.values() for counters in worker.counters()],
        }

    async def timeline(self, camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        try:
            return await self._disks.timeline(camera_id, start_ns, end_ns)
        except VmsError as unknown:
            if unknown.kind is not ErrorKind.NOT_FOUND or camera_id not in self._workers:
                raise
            return Timeline(camera_id, start_ns, end_ns, (), ())  # assigned, and nothing came yet

    async def place_hold(self, hold: Hold) -> HeldRange:
        return await self._retention.holds.place(hold)

    async def release_hold(self, release: HoldRelease) -> None:
        await self._retention.holds.release(release)

    async def holds(self) -> list[HeldRange]:
        return await self._retention.holds.ranges()

    async def capacity(self) -> list[DiskCapacity]:
        return await self._retention.capacity.latest()

    def confirm_clock(self) -> None:
        self._retention.confirm_clock()

    def attach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        worker = self._workers.get(camera_id)
        if worker is None:
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "camera.unknown",
                "Cet enregistreur ne connaît pas cette caméra.",
                detail=f"{camera_id[:40]!r} is not assigned",
            )
        if worker.attach(role, reader) is None:
            raise VmsError(
                ErrorKind.FORBIDDEN,
                Cause.NOT_AUTHORISED,
                "Aucune autorisation préfectorale en vigueur ne couvre cette caméra.",
                hint="Vérifiez les dates de l'arrêté dans la fiche de la caméra.",
                detail=f"{camera_id} is outside of its authorisation",
            )

    def detach(self, camera_id: str, role: StreamRole, reader: HubReader) -> None:
        worker = self._workers.get(camera_id)
        if worker is not None:
            worker.detach(role, reader)

    async def _apply(self, assignments: list[CameraAssignment]) -> None:
        wanted = {assignment.camera_id: assignment for assignment in assignments}
        self._assigned = list(wanted.values())
        leaving = [worker for camera_id, worker in self._workers.items() if _replaced(worker, wanted.get(camera_id))]
        for worker in leaving:
            del self._workers[worker.assignment.camera_id]
        ends = ["reassigned" if worker.assignment.camera_id in wanted else "unassigned" for worker in leaving]
        await asyncio.gather(*(_let_go(worker, end, end) for worker, end in zip(leaving, ends, strict=True)))
        self._retention.assigned(self._assigned)
        for camera_id, assignment in wanted.items():
            worker_or_none = self._workers.get(camera_id)
            if worker_or_none is not None:
                worker_or_none.update_authorisation(assignment)
                continue
            worker = self._workers[camera_id] = CameraWorker(assignment, self._services)
            worker.start()


def _told(disk: DiskState) -> dict[str, Any]:
    return {
        "folder": str(disk.folder),
        "cause": disk.cause,
        "since_ns": disk.since_ns,
        "total_bytes": disk.total_bytes,
        "readable": disk.readable,
    }


async def _let_go(worker: CameraWorker, cause: str, detail: str, gap: GapCause = GapCause.MAINTENANCE) -> None:
    try:
        await worker.stop(cause, gap=gap, detail=detail)
    except Exception:
        log.exception("camera did not stop in order", camera_id=worker.assignment.camera_id)


def _replaced(worker: CameraWorker, wanted: CameraAssignment | None) -> bool:
    """Whether a camera leaves, or is fetched in another way than before."""
    if wanted is None:
        return True
    held = worker.assignment
    return (held.streams, held.username, held.password, held.commune, held.name) != (
        wanted.streams,
        wanted.username,
        wanted.password,
        wanted.commune,
        wanted.name,
    )


def _check_socket_path(settings: ShardSettings) -> None:
    if len(os.fsencode(settings.socket)) > MAX_SOCKET_PATH_BYTES:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "socket.path_too_long",
            f"Le chemin {settings.socket} est trop long pour une socket locale.",
            hint="Choisissez un dossier de données plus proche de la racine.",
        )


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for reference cycles a few hundred times less often.

    Media makes none, yet its hundreds of views a second and camera set off a collection every few of them, and each
    one walks everything that the hubs hold: a quarter of the processor time of a shard.
    """
    usual = gc.get_threshold()
    gc.set_threshold(COLLECTION_THRESHOLD, 10, 10)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _raise_file_limit() -> None:
    """Two files a camera; the soft limit of most systems is too low for a few hundred."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
