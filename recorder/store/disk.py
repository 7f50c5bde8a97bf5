"""The life of one disk of a shard: started, looked at, left when it refuses, and taken up again.

A disk that is away keeps its store for as long as it can be asked. Coming back means a new start of the store, unless
the disk only hung: then its thread has worked off what waited, and nothing is in doubt.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Set as AbstractSet
from pathlib import Path

import structlog

from recorder.store import ledger
from recorder.store.schema import INDEX_NAME
from recorder.store.segment import MEDIA_FOLDER
from recorder.store.settings import StoreSettings
from recorder.store.store import SegmentStore
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

PROBE_NAME = "probe"
HUNG_AFTER_S = 15.0
"""A disk whose thread does not get on for so long hangs. Threads live in the time of the machine, not of a `Clock`."""
HUNG_AFTER_LOOKS = 5
"""And for so many looks: a process that was paused finds its threads not to have got on, and looks only once."""
FIRST_PAUSE_NS = 30 * NS_PER_SECOND
LONGEST_PAUSE_NS = 3_600 * NS_PER_SECOND
CLOSE_S = 8.0
_WEIGHT_BYTES = 64 << 30
_CAUSES = {"store.full": ledger.DISK_FULL, "store.disk_missing": ledger.DISK_MISSING}


class Disk:
    """One disk. `store` is None while it cannot be opened; `cause` is why it is away, a detail of the ledger."""

    def __init__(self, settings: StoreSettings, clock: Clock) -> None:
        self.settings = settings
        self.store: SegmentStore | None = None
        self.cause = ""
        self.since_ns = 0
        self.crowded_until_ns = 0
        self.recovery: asyncio.Task[None] | None = None
        self._clock = clock
        self._weight = 1
        self._pause_ns = 0
        self._back_ns = 0
        self._look_ns = 0
        self._done = -1
        self._done_s = 0.0
        self._looks = 0

    @property
    def refusal(self) -> str:
        """Why the disk takes no footage now; empty while it does."""
        if self.settings.retired:
            return ledger.DISK_RETIRED
        return self.cause or (self.store.refusal if self.store is not None else ledger.DISK_MISSING)

    def score(self, camera_id: str) -> float:
        """How much this disk is the one of a camera: weighted rendezvous hashing, after Schindelhauer and Schomaker."""
        digest = hashlib.sha256(f"{self.settings.folder}\0{camera_id}".encode()).digest()
        return -self._weight / math.log((int.from_bytes(digest[:8]) + 1) / (2.0**64 + 2))

    async def start(self, home: Path, known: AbstractSet[str]) -> VmsError | None:
        """Open the store; the refusal when it cannot be opened, after which the disk is away.

        `known` are the folders that held a store before; `home` is on the file system of the system.
        """
        try:
            await asyncio.to_thread(_check_mounted, self.settings.folder, home, known)
            self.store = await SegmentStore.open(self.settings, self._clock, announce=False)
        except VmsError as refused:
            self.store = None
            self._leave(_CAUSES.get(refused.code, ledger.DISK_ERROR), refused.detail or refused.message)
            return refused
        self._weight = max(1, round(self.store.total_bytes / _WEIGHT_BYTES))
        self._come_back()
        return None

    def leave(self, cause: str) -> None:
        """Take no more footage, for this cause, until the disk is found to work again."""
        if self.cause != cause:
            self._leave(cause, "")

    def look(self) -> None:
        """Notice a disk that hangs, or whose thread is gone."""
        if self.store is None:
            return
        writer = self.store.disk
        self._looks += 1
        now_s = asyncio.get_running_loop().time()
        if writer.jobs_done != self._done or not writer.jobs_waiting:
            self._done, self._looks, self._done_s = writer.jobs_done, 0, now_s
            if self.cause == ledger.DISK_HUNG and not writer.jobs_waiting:
                self._come_back()
        elif not self.cause and self._looks >= HUNG_AFTER_LOOKS and now_s - self._done_s >= HUNG_AFTER_S:
            self._leave(ledger.DISK_HUNG, f"{writer.jobs_waiting} jobs wait")
        if writer.failure is not None and not self.cause:
            self._leave(ledger.DISK_ERROR, repr(writer.failure))

    @property
    def is_due(self) -> bool:
        """Whether a disk that is away should be tried now. One that hangs tells by itself when it works again."""
        return (
            bool(self.cause)
            and self.cause != ledger.DISK_HUNG
            and self.recovery is None
            and self._clock.monotonic_ns() >= self._look_ns
        )

    async def recover(self, home: Path, known: AbstractSet[str]) -> bool:
        """Try a disk that is away, and start its store anew; False when it still refuses."""
        if self.store is not None:
            try:
                await asyncio.to_thread(_probe, self.settings.folder)
            except OSError as refused:
                self._leave(self.cause, repr(refused))
                return False
            await self.end()
        return await self.start(home, known) is None

    async def end(self, *, orderly: bool = True) -> None:
        """Settle and give back the store. One whose disk hangs is left behind with its thread."""
        store, self.store = self.store, None
        if store is None:
            return
        if self.cause == ledger.DISK_HUNG:
            await store.stop_watching()
            return
        with contextlib.suppress(OSError, sqlite3.Error, TimeoutError):
            if self.cause:
                async with asyncio.timeout(CLOSE_S):
                    await store.close(orderly=orderly)
            else:
                await store.close(orderly=orderly)

    def _leave(self, cause: str, detail: str) -> None:
        now_ns = self._clock.monotonic_ns()
        steady = not self.cause and now_ns - self._back_ns >= LONGEST_PAUSE_NS
        self._pause_ns = FIRST_PAUSE_NS if steady or not self._pause_ns else min(2 * self._pause_ns, LONGEST_PAUSE_NS)
        if not self.cause:
            self.since_ns = self._clock.utc_ns()
        self.cause = cause
        self._look_ns = now_ns + self._pause_ns
        if self.store is not None:
            self.store.refusal = cause
        log.error(
            "disk takes no footage",
            folder=str(self.settings.folder),
            cause=cause,
            detail=detail,
            next_look_s=self._pause_ns // NS_PER_SECOND,
        )

    def _come_back(self) -> None:
        if self.cause:
            log.warning("disk takes footage again", folder=str(self.settings.folder), cause=self.cause)
        self.cause = ""
        self.since_ns = 0
        self._back_ns = self._clock.monotonic_ns()
        if self.store is not None and self.store.refusal != ledger.DISK_FULL:
            self.store.refusal = ""


def _probe(folder: Path) -> None:
    """Write, sync and remove a file. Raises OSError."""
    durable.write_atomic(folder / PROBE_NAME, b"probe")
    durable.remove(folder / PROBE_NAME)


def _check_mounted(folder: Path, home: Path, known: AbstractSet[str]) -> None:
    """A folder that held a store and is bare, where it would lie on the system's own disk, is not mounted."""
    if str(folder) not in known:
        return
    try:
        if (folder / INDEX_NAME).exists() or (folder / MEDIA_FOLDER).exists():
            return
        standing = next(path for path in (folder, *folder.parents) if path.exists())
        elsewhere = standing.stat().st_dev != home.stat().st_dev
    except OSError as refused:
        raise _missing(folder, repr(refused)) from None
    if not elsewhere:
        raise _missing(folder, "nothing is mounted there")


def _missing(folder: Path, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "store.disk_missing",
        f"Le disque d’enregistrement {folder} manque : son dossier est vide.",
        hint="Montez ce disque : il est repris sans redémarrage. S’il est remplacé par un dossier neuf, retirez-le"
        " de « disks.json » dans le dossier de l’enregistreur.",
        detail=detail,
    )
