"""An index made again from the segments, which describe themselves.

A malformed index is never repaired in place. It is moved aside with everything that belongs to it, and a new one is
written from the files: one row for each readable segment, with the digest of what is there. What the files do not
hold, the ledger of gaps, the retention of each camera and the holds, is taken from the old index as far as it can still
be read.

Every file is read once from end to end, at the pace of the disk. An interrupted rebuild starts again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import structlog

from recorder.contract.timeline import GapCause
from recorder.store import ledger
from recorder.store.holds import holds_of, promised
from recorder.store.index import Index
from recorder.store.salvage import describe, sealed
from recorder.store.schema import INDEX_NAME, connect_to_read
from recorder.store.segment import ASIDE_FOLDER, MEDIA_FOLDER, StoredSegment
from vms.base import durable
from vms.base.clock import utc_text

log = structlog.get_logger(__name__)

QUICK_CHECK_BYTES = 64 << 20
"""An index up to this size is checked page by page at each start (a third of a second)."""

_REBUILDING = "rebuilding"
_SIDE_FILES = ("-wal", "-shm", "-journal")
_MALFORMED = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CORRUPT_INDEX", "SQLITE_CORRUPT_VTAB"}


def open_index(folder: Path) -> Index | None:
    """The index of a folder, made if there is none; None when SQLite calls it malformed.

    Raises sqlite3.Error when it cannot be opened for another reason.
    """
    path = folder / INDEX_NAME
    try:
        index = Index(folder)
    except sqlite3.DatabaseError as wrong:
        if is_malformed(wrong):
            return None
        raise
    try:
        if path.stat().st_size <= QUICK_CHECK_BYTES:
            answers = [row[0] for row in index.connection.execute("PRAGMA quick_check(1)")]
            if answers != ["ok"]:
                index.close()
                return None
    except sqlite3.DatabaseError as wrong:
        index.close()
        if is_malformed(wrong):
            return None
        raise
    return index


def is_malformed(wrong: sqlite3.Error) -> bool:
    """Whether an error means that the file of the index is broken, not merely locked, full or missing."""
    return getattr(wrong, "sqlite_errorname", "") in _MALFORMED


def needs_rebuild(folder: Path, index: Index) -> bool:
    """Whether the index is new although segments are there, or a rebuild of it was interrupted."""
    if index.state(_REBUILDING) is not None:
        return True
    (rows,) = index.connection.execute("SELECT (SELECT count(*) FROM camera LIMIT 1)").fetchone()
    return rows == 0 and next(_files(folder), None) is not None


def move_aside(folder: Path, utc_ns: int) -> Path:
    """Give a malformed index, and the files that belong to it, a name beside: `index.sqlite.corrupt-<instant>`."""
    stamp = utc_text(utc_ns).replace(":", "").replace("-", "")
    path = folder / INDEX_NAME
    aside = path.with_name(f"{INDEX_NAME}.corrupt-{stamp}")
    for suffix in (*_SIDE_FILES, ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            durable.publish(old, aside.with_name(aside.name + suffix))
    return aside


def set_file_aside(folder: Path, path: Path) -> Path:
    """Move a file that cannot be read out of the way, without losing a byte of it."""
    aside = folder / ASIDE_FOLDER / path.name
    number = 0
    while aside.exists():
        number += 1
        aside = folder / ASIDE_FOLDER / f"{path.stem}.{number}{path.suffix}"
    durable.publish(path, aside)
    return aside


def rebuild(folder: Path, index: Index, old: Path | None) -> None:
    """Count every segment under `media/` anew; `old` is the index moved aside. Raises OSError, sqlite3.Error."""
    index.set_state(_REBUILDING, 1)
    index.forget_segments()
    segments: dict[str, StoredSegment] = {}
    for path in list(_files(folder)):
        segment = _counted(folder, path)
        if segment is not None:
            segments[segment.segment_id] = segment
    index.count_segments(sorted(segments.values(), key=lambda segment: segment.segment_id))
    if old is not None:
        _copy_holds(index, old)
    if old is None or not _copy_ledger(index, old):
        _derive_ledger(index, segments.values())
    index.take_state(_REBUILDING)
    log.warning("index rebuilt", segments=len(segments))


def _files(folder: Path) -> Iterator[Path]:
    return (folder / MEDIA_FOLDER).glob("*/*/*.mp4")


def _counted(folder: Path, path: Path) -> StoredSegment | None:
    description = describe(path)
    if description is None or not description.fragments:
        log.error("file is no readable segment, moved aside", file=str(set_file_aside(folder, path)))
        return None
    expected = folder / description.segment.file
    if path != expected:
        if expected.exists():
            log.error("second file of one segment, moved aside", file=str(set_file_aside(folder, path)))
            return None
        durable.make_folder(expected.parent)
        durable.publish(path, expected)
    return sealed(expected, description.segment)


def _copy_holds(index: Index, old: Path) -> None:
    """Holds first: they say what must not go. The shard has them a second time."""
    try:
        with closing(connect_to_read(old)) as connection:
            for hold in holds_of(connection):
                index.place_hold(hold, promised(connection)[hold.hold_id])
    except sqlite3.Error as wrong:
        log.error("holds of the old index cannot be read", error=str(wrong))


def _copy_ledger(index: Index, old: Path) -> bool:
    try:
        with closing(connect_to_read(old)) as connection:
            gaps = connection.execute(
                """SELECT c.camera_id, g.start_ns, g.end_ns, g.cause, g.detail, g.repaired
                   FROM gap g JOIN camera c ON c.number = g.camera"""
            ).fetchall()
            retentions = connection.execute("SELECT camera_id, retention_days FROM camera").fetchall()
    except sqlite3.Error as wrong:
        log.error("ledger of the old index cannot be read", error=str(wrong))
        return False
    for camera_id, days in retentions:
        if days is not None:
            index.set_retention(camera_id, days)
    index.restore_gaps(gaps)
    return True


def _derive_ledger(index: Index, segments: Iterable[StoredSegment]) -> None:
    ends: dict[str, int] = {}
    for segment in sorted(segments, key=lambda one: one.start_ns):
        hole = ledger.unexplained(ends.get(segment.camera_id), segment.start_ns)
        if hole is not None:
            index.add_gap(segment.camera_id, *hole, GapCause.RECORDER, ledger.INDEX_REBUILT)
        ends[segment.camera_id] = max(segment.end_ns, ends.get(segment.camera_id, 0))
