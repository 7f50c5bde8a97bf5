"""Finds the recorded segments of a camera in the stores of this node, which are only ever read.

A camera's footage may lie in several stores: the number of shards or disks of a node may have changed. The indexes are
asked for little at a time, so that a long range costs no more memory than a short one, and what is recorded while a
playback runs is found when it gets there.

Opening an index costs more than asking it, so opened ones are kept and lent (`CataloguePool`). A store that was made,
or whose index was made anew, since then is noticed when the catalogue is lent again.

A disk that is gone or does not answer takes only its share: the others are asked, and `incomplete` says that something
may be missing. One that hangs holds up those who ask it first; while they wait, after `PATIENCE_S`, nobody else asks.
Only when no store answers at all there is an error.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from recorder.contract.timeline import Gap
from recorder.store import queries
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import StoredSegment
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
WINDOW_NS = 3_600 * NS_PER_SECOND
MAX_IDLE_CATALOGUES = 8
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class FoundSegment:
    """A segment, and the folder of the store that holds it."""

    folder: Path
    segment: StoredSegment

    @property
    def path(self) -> Path:
        """Where the file is, as long as the segment is not closed or erased meanwhile."""
        return self.folder / self.segment.file


@dataclass(frozen=True, slots=True)
class _Store:
    folder: Path
    index: sqlite3.Connection
    identity: tuple[int, int]


class Waits:
    """Who waits for which store, and since when. For threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._since: dict[Path, dict[int, float]] = {}

    @contextlib.contextmanager
    def asking(self, folder: Path) -> Iterator[None]:
        """Note that this thread waits for a store."""
        thread = threading.get_ident()
        with self._lock:
            self._since.setdefault(folder, {})[thread] = self._monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._since[folder][thread]

    def hangs(self, folder: Path) -> bool:
        """Whether somebody has waited for a store for too long by now."""
        with self._lock:
            waiting = self._since.get(folder) or {}
            return any(self._monotonic() - since > PATIENCE_S for since in waiting.values())


class Catalogue:
    """The stores of one node, opened for reading. Blocking: for threads, one at a time.

    Every question may raise VmsError `playback.index_unreadable`. `incomplete` when a store did not answer the last
    one, or is not there.
    """

    def __init__(self, folders: Sequence[Path], waits: Waits | None = None) -> None:
        self._folders = tuple(folders)
        self._waits = waits or Waits()
        self._stores: list[_Store] = []
        self.incomplete = False
        self.refresh()

    def refresh(self) -> None:
        """Open the stores that were made, or made anew, since the last time."""
        kept = {store.folder: store for store in self._stores}
        self._stores = []
        for folder in self._folders:
            store = kept.pop(folder, None)
            if not self._waits.hangs(folder):
                with self._waits.asking(folder):
                    store = _opened(folder, store)
            if store is not None:
                self._stores.append(store)

    def segments(self, camera_id: str, start_ns: int, end_ns: int) -> Iterator[FoundSegment]:
        """The segments that overlap `[start_ns, end_ns)`, each once, by start, those still open at their place."""
        given: set[str] = set()
        newest_ns = -1
        window_ns = start_ns
        while window_ns < end_ns:
            window_end_ns = min(window_ns + WINDOW_NS, end_ns)
            for found in self._between(camera_id, window_ns, window_end_ns):
                segment = found.segment
                if segment.segment_id not in given and segment.start_ns >= newest_ns:
                    given.add(segment.segment_id)
                    newest_ns = segment.start_ns
                    yield found
            window_ns = window_end_ns

    def at_or_before(self, camera_id: str, instant_ns: int, limit: int) -> list[FoundSegment]:
        """At most `limit` segments that start at or before an instant, the newest first."""
        found = self._found(
            camera_id,
            lambda one: one.start_ns <= instant_ns,
            lambda index: queries.segments_at_or_before(index, camera_id, instant_ns, limit),
        )
        return found[::-1][:limit]

    def after(self, camera_id: str, instant_ns: int, limit: int) -> list[FoundSegment]:
        """At most `limit` segments that start after an instant, the oldest first."""
        found = self._found(
            camera_id,
            lambda one: one.start_ns > instant_ns,
            lambda index: queries.segments_after(index, camera_id, instant_ns, limit),
        )
        return found[:limit]

    def again(self, found: FoundSegment) -> FoundSegment | None:
        """The same segment as the index knows it now: one that was open may have been closed, or erased (None)."""
        segment = found.segment
        for now in self._between(segment.camera_id, segment.start_ns, segment.start_ns + 1):
            if now.segment.segment_id == segment.segment_id:
                return now
        return None

    def gaps(self, camera_id: str, start_ns: int, end_ns: int) -> list[Gap]:
        """What the ledgers say about `[start_ns, end_ns)`, by start."""
        told = self._ask(lambda index: queries.gaps_between(index, camera_id, start_ns, end_ns))
        return sorted((gap for _, gaps in told for gap in gaps), key=lambda gap: gap.start_ns)

    def _between(self, camera_id: str, start_ns: int, end_ns: int) -> list[FoundSegment]:
        return self._found(
            camera_id,
            lambda one: one.start_ns < end_ns,
            lambda index: queries.segments_between(index, camera_id, start_ns, end_ns),
        )

    def _found(
        self,
        camera_id: str,
        wanted: Callable[[StoredSegment], bool],
        ask: Callable[[sqlite3.Connection], list[StoredSegment]],
    ) -> list[FoundSegment]:
        def both(index: sqlite3.Connection) -> list[StoredSegment]:
            # The open ones first: one that is closed between the two questions is then seen twice, never missed.
            growing = [one for one in queries.open_segments(index, camera_id) if wanted(one)]
            closed = ask(index)
            known = {one.segment_id for one in closed}
            return closed + [one for one in growing if one.segment_id not in known]

        found = [FoundSegment(folder, one) for folder, segments in self._ask(both) for one in segments]
        return sorted(found, key=lambda one: (one.segment.start_ns, one.segment.segment_id))

    def _ask(self, question: Callable[[sqlite3.Connection], list[_T]]) -> list[tuple[Path, list[_T]]]:
        answers: list[tuple[Path, list[_T]]] = []
        failure: Exception | None = None
        for store in self._stores:
            if self._waits.hangs(store.folder):
                continue
            try:
                with self._waits.asking(store.folder):
                    answers.append((store.folder, question(store.index)))
            except (sqlite3.Error, ValueError) as broken:
                _report(store.folder, broken)
                failure = broken
        if self._stores and not answers:
            raise _unreadable(failure or TimeoutError("no store answers"))
        self.incomplete = len(answers) < len(self._folders)
        return answers

    def close(self) -> None:
        """Close the indexes."""
        for store in self._stores:
            store.index.close()
        self._stores = []


class CataloguePool:
    """Opened catalogues of the same stores, for many threads."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self._lock = threading.Lock()
        self._waits = Waits()
        self._idle: list[Catalogue] = []
        self._closed = False

    @contextlib.contextmanager
    def lent(self) -> Iterator[Catalogue]:
        """A catalogue for a few questions. Raises VmsError `playback.index_unreadable`."""
        with self._lock:
            catalogue = self._idle.pop() if self._idle else None
        if catalogue is None:
            catalogue = Catalogue(self.folders, self._waits)
        else:
            catalogue.refresh()
        try:
            yield catalogue
        except BaseException:
            # A connection that failed is not asked twice.
            catalogue.close()
            raise
        with self._lock:
            keep = not self._closed and len(self._idle) < MAX_IDLE_CATALOGUES
            if keep:
                self._idle.append(catalogue)
        if not keep:
            catalogue.close()

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for catalogue in idle:
            catalogue.close()


def _opened(folder: Path, store: _Store | None) -> _Store | None:
    """The store in a folder, opened anew where its index is another file than before; None when it cannot be."""
    identity = _identity(folder / INDEX_NAME)
    if store is not None and store.identity == identity:
        return store
    if store is not None:
        store.index.close()
    if identity is None:
        return None
    try:
        return _Store(folder, connect_to_read(folder / INDEX_NAME), identity)
    except sqlite3.Error as broken:
        _report(folder, broken)
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _report(folder: Path, broken: Exception) -> None:
    log.error("the index of a store cannot be read", folder=str(folder), error=repr(broken))


def _unreadable(broken: Exception) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "playback.index_unreadable",
        "L'index des enregistrements est illisible.",
        hint="Prévenez l'administrateur : « vms recorder fsck » dit ce qui est atteint.",
        detail=repr(broken),
    )
