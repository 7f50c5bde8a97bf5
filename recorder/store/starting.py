"""Starting a store: lock it, finish what was interrupted, and know what is missing.

1. Make and lock the folder. A second instance is refused.
2. Open the index. One that SQLite calls malformed is moved aside under its own name and rebuilt (see `rebuild`).
3. Finish garbage: unlink what was being removed, then drop its rows. Clear away parts that were being cut out.
4. Close what was open: keep the readable part of every file in `open/`, count it, or clear away what holds nothing.
   What is larger than nothing and cannot be read is moved aside, never deleted.
5. Refuse a clock that stands before the newest segment: nothing could be dated or erased rightly.
6. Open a gap for every camera, from its last picture on; its next segment ends it.

Each step may be interrupted and is finished by the next start.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from recorder.contract.timeline import GapCause
from recorder.store import ledger
from recorder.store.closing import close_segment, finish_erasing
from recorder.store.index import Index
from recorder.store.queries import newest_ends, open_segments, segments_between
from recorder.store.rebuild import move_aside, needs_rebuild, open_index, rebuild, set_file_aside
from recorder.store.salvage import complete, describe, sealed
from recorder.store.segment import (
    ASIDE_FOLDER,
    MEDIA_FOLDER,
    OPEN_FOLDER,
    TRIM_FOLDER,
    StoredSegment,
    media_file,
    open_file,
)
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock, utc_text
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

CLOCK_TOLERANCE_NS = 60 * NS_PER_SECOND
"""A segment may end this much after the clock: dating has an uncertainty, and a clock is slewed."""

STOPPED_AT = "stopped_at_ns"
_SMALLEST_EVIDENCE_BYTES = 64 * 1024
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}


@dataclass(slots=True)
class Started:
    """A store that is ready: its lock, its index, and the last end, run and digest of each camera.

    `stopped` says that it was closed in order.
    """

    lock: durable.FolderLock
    index: Index
    newest: dict[str, tuple[int, int, bytes]]
    salvaged: int = 0
    stopped: bool = False


def start_store(folder: Path, clock: Clock, *, announce: bool = True) -> Started:
    """Run the procedure. Blocks; not for the event loop. Without `announce`, step 6 is left to the caller.

    Raises VmsError `folder.in_use`, `store.not_writable`, `store.full`, `store.disk_error` or
    `store.clock_behind`, or sqlite3.Error; the folder is free again then.
    """
    try:
        lock = _lock(folder)
        try:
            return _start(folder, clock, lock, announce=announce)
        except BaseException:
            lock.release()
            raise
    except OSError as refused:
        raise _refused(folder, refused) from refused


def _lock(folder: Path) -> durable.FolderLock:
    durable.make_folder(folder)
    return durable.FolderLock(folder)


def _start(folder: Path, clock: Clock, lock: durable.FolderLock, *, announce: bool) -> Started:
    for name in (OPEN_FOLDER, MEDIA_FOLDER, ASIDE_FOLDER, TRIM_FOLDER):
        durable.make_folder(folder / name)
    index = _index(folder, clock)
    try:
        finish_erasing(folder, index)
        salvaged = salvage_open(folder, index)
        newest = newest_ends(index.connection)
        _check_clock(folder, clock, newest)
        stopped = index.take_state(STOPPED_AT) is not None
        if announce:
            announce_gaps(index, {camera_id: end_ns for camera_id, (end_ns, _, _) in newest.items()}, stopped=stopped)
    except BaseException:
        index.close()
        raise
    return Started(lock, index, newest, salvaged, stopped)


def _index(folder: Path, clock: Clock) -> Index:
    index = open_index(folder)
    if index is None:
        aside = move_aside(folder, clock.utc_ns())
        log.error("index is malformed, moved aside and rebuilt from the segments", aside=str(aside))
        index = Index(folder)
        rebuild(folder, index, aside)
    elif needs_rebuild(folder, index):
        log.error("index is missing or was never finished, rebuilt from the segments")
        rebuild(folder, index, None)
    return index


def salvage_open(folder: Path, index: Index) -> int:
    """Step 4. Returns how many segments were saved."""
    noted = {segment.segment_id: segment for segment in open_segments(index.connection)}
    salvaged = 0
    for path in sorted((folder / OPEN_FOLDER).iterdir()):
        salvaged += _settle(folder, index, path, noted.pop(path.stem, None))
    for segment_id, segment in noted.items():
        salvaged += _settle(folder, index, folder / open_file(segment_id), segment)
    return salvaged


def settle_left_open(folder: Path, index: Index, camera_id: str, segment_id: str) -> StoredSegment | None:
    """Close a segment that its writer had to leave open, as step 4 does; None when nothing of it could be counted.

    Raises OSError or sqlite3.Error; safe to repeat.
    """
    noted = {segment.segment_id: segment for segment in open_segments(index.connection, camera_id)}
    segment = noted.get(segment_id)
    if segment is None or not _settle(folder, index, folder / open_file(segment_id), segment):
        return None
    closed = segments_between(index.connection, camera_id, segment.start_ns, segment.start_ns + 1)
    return next((one for one in closed if one.segment_id == segment_id), None)


def _settle(folder: Path, index: Index, path: Path, segment: StoredSegment | None) -> int:
    """One segment: `path` is its name while it is open, `segment` what was noted of it. Returns 1 when it is saved."""
    final = None if segment is None else _final(folder, segment)
    if final is None or not final.exists():
        if path.exists():
            return _salvage(folder, index, path)
        index.forget_open(path.stem)
        return 0
    if path.exists():
        durable.remove(path)
    description = describe(final)
    if description is None:
        index.forget_open(path.stem)
        return 0
    close_segment(folder, index, sealed(final, description.segment))
    return 1


def _salvage(folder: Path, index: Index, path: Path) -> int:
    description = describe(path)
    if description is not None and description.fragments and description.segment.segment_id == path.stem:
        final = _final(folder, description.segment)
        segment = sealed(final, description.segment) if final.exists() else complete(path, description)
        close_segment(folder, index, segment)
        log.info("segment salvaged", segment_id=segment.segment_id, camera_id=segment.camera_id)
        return 1
    if path.stat().st_size > _SMALLEST_EVIDENCE_BYTES:
        aside = set_file_aside(folder, path)
        log.error("open segment cannot be read, moved aside", file=str(aside))
    else:
        durable.remove(path)
    if path.stem.startswith("seg-"):
        index.forget_open(path.stem)
    return 0


def _final(folder: Path, segment: StoredSegment) -> Path:
    return folder / media_file(segment.camera_id, segment.start_ns, segment.segment_id)


def _check_clock(folder: Path, clock: Clock, newest: dict[str, tuple[int, int, bytes]]) -> None:
    last_ns = max((end_ns for end_ns, _, _ in newest.values()), default=0)
    now_ns = clock.utc_ns()
    if now_ns >= last_ns - CLOCK_TOLERANCE_NS:
        return
    raise VmsError(
        ErrorKind.CONFIGURATION,
        "store.clock_behind",
        f"L’horloge de cette machine ({utc_text(now_ns)}) est en retard sur le dernier enregistrement"
        f" ({utc_text(last_ns)}) : rien ne peut être daté ni effacé correctement.",
        hint="Mettez la machine à l’heure (NTP), puis redémarrez l’enregistreur.",
        detail=f"clock is before the newest segment of {folder}",
    )


def announce_gaps(index: Index, ends: Mapping[str, int], *, stopped: bool) -> None:
    """Step 6, for cameras whose last picture ended at these instants."""
    cause, detail = (GapCause.MAINTENANCE, ledger.STOPPED) if stopped else (GapCause.RECORDER, ledger.KILLED)
    for camera_id, end_ns in ends.items():
        if not index.has_open_gap(camera_id):
            index.open_gap(camera_id, end_ns, cause, detail)


def _refused(folder: Path, refused: OSError) -> VmsError:
    if refused.errno in {errno.ENOSPC, errno.EDQUOT}:
        return VmsError(
            ErrorKind.EXHAUSTED,
            "store.full",
            f"Le disque du dossier d’enregistrement {folder} est plein.",
            hint="Libérez de la place sur ce disque, puis redémarrez l’enregistreur.",
            detail=str(refused),
        )
    if refused.errno in _UNWRITABLE:
        return VmsError(
            ErrorKind.CONFIGURATION,
            "store.not_writable",
            f"Le dossier d’enregistrement {folder} n’est pas accessible en écriture.",
            hint="Donnez ce dossier à l’utilisateur du service, ou choisissez-en un autre.",
            detail=str(refused),
        )
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "store.disk_error",
        f"Le disque du dossier d’enregistrement {folder} signale une erreur.",
        hint="Vérifiez ce disque (journal du système, SMART) avant de redémarrer l’enregistreur.",
        detail=str(refused),
    )


def index_refused(folder: Path, refused: sqlite3.Error) -> VmsError:
    """The error for people when SQLite refuses for another reason than a malformed file."""
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "store.index_unavailable",
        f"L’index des enregistrements de {folder} ne peut pas être ouvert.",
        hint="Vérifiez la place et l’état de ce disque, puis redémarrez l’enregistreur.",
        detail=str(refused),
    )
