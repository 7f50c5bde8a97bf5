"""Questions to the index. Each takes a connection and answers with values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from recorder.contract.timeline import Gap, GapCause, RecordedSpan
from recorder.store.schema import packed_id, unpacked_id, unpacked_source
from recorder.store.segment import StoredSegment, VideoFormat
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.access_unit import Codec

MAX_SEGMENT_NS = 3_600 * NS_PER_SECOND
"""No segment is longer: what overlaps an instant has begun at most this much before it."""

JOIN_TOLERANCE_NS = 500 * NS_PER_MS
"""Two stretches of one run nearer than this are one span: more than one frame of the slowest lawful camera (6 images
a second, LAW-38), less than a second that would need a cause."""

_SEGMENT = """
    SELECT s.id, c.camera_id, s.run, s.start_ns, s.end_ns, s.size_bytes, s.digest, s.previous_digest,
           v.codec, v.codec_string, v.width, v.height, s.uncertainty_ms, s.time_source,
           s.chain_digest, s.camera_offset_ms, s.camera_clock
    FROM segment s JOIN camera c ON c.number = s.camera JOIN video v ON v.number = s.video
"""
_NUMBERED_SEGMENT = _SEGMENT.replace("SELECT", "SELECT s.number,", 1)
_NOT_HELD = """NOT EXISTS (
    SELECT 1 FROM hold h
    WHERE h.camera_id = c.camera_id AND h.expires_at_ns > ? AND h.start_ns <= s.start_ns AND h.end_ns >= s.end_ns)"""
"""With the instant: of segments that lie wholly within a hold there may be thousands, which no rule has to look at."""
_OPEN = """
    SELECT s.id, c.camera_id, s.run, s.start_ns, s.start_ns, 0, x'', s.previous_digest,
           v.codec, v.codec_string, v.width, v.height, s.uncertainty_ms, s.time_source,
           NULL, s.camera_offset_ms, s.camera_clock
    FROM open_segment s JOIN camera c ON c.number = s.camera JOIN video v ON v.number = s.video
"""


def segments_between(connection: sqlite3.Connection, camera_id: str, start_ns: int, end_ns: int) -> list[StoredSegment]:
    """Closed segments of a camera that overlap `[start_ns, end_ns)`, by start."""
    rows = connection.execute(
        f"{_SEGMENT} WHERE c.camera_id = ? AND s.start_ns > ? AND s.start_ns < ? AND s.end_ns > ? ORDER BY s.start_ns",
        (camera_id, start_ns - MAX_SEGMENT_NS, end_ns, start_ns),
    )
    return [_segment(row) for row in rows]


def oldest_segments(
    connection: sqlite3.Connection, camera_id: str, before_ns: int, limit: int, after_ns: int, now_ns: int
) -> list[StoredSegment]:
    """At most `limit` closed segments of a camera that start in `(after_ns, before_ns)`, oldest first.

    Those that lie wholly within a hold in force are left out.
    """
    rows = connection.execute(
        f"{_SEGMENT} WHERE c.camera_id = ? AND s.start_ns > ? AND s.start_ns < ? AND {_NOT_HELD}"
        " ORDER BY s.start_ns LIMIT ?",
        (camera_id, after_ns, before_ns, now_ns, limit),
    )
    return [_segment(row) for row in rows]


def first_recorded(
    connection: sqlite3.Connection, limit: int, after: int, now_ns: int, youngest_ns: int
) -> list[tuple[int, StoredSegment]]:
    """At most `limit` closed segments of all cameras, those that were closed first, each with its number.

    Numbers grow as segments are closed; `after` is the last one seen. Left out are those that lie within a hold, those
    that end behind `youngest_ns`, and those below their camera's minimum of days.
    """
    rows = connection.execute(
        f"{_NUMBERED_SEGMENT} WHERE s.number > ? AND {_NOT_HELD}"
        " AND s.end_ns <= min(?, ? - c.minimum_days * 86400000000000) ORDER BY s.number LIMIT ?",
        (after, now_ns, youngest_ns, now_ns, limit),
    )
    return [(number, _segment(tuple(row))) for number, *row in rows]


def segments_at_or_before(
    connection: sqlite3.Connection, camera_id: str, instant_ns: int, limit: int
) -> list[StoredSegment]:
    """At most `limit` closed segments of a camera that start at or before an instant, newest first."""
    rows = connection.execute(
        f"{_SEGMENT} WHERE c.camera_id = ? AND s.start_ns <= ? ORDER BY s.start_ns DESC LIMIT ?",
        (camera_id, instant_ns, limit),
    )
    return [_segment(row) for row in rows]


def segments_after(connection: sqlite3.Connection, camera_id: str, instant_ns: int, limit: int) -> list[StoredSegment]:
    """At most `limit` closed segments of a camera that start after an instant, oldest first."""
    rows = connection.execute(
        f"{_SEGMENT} WHERE c.camera_id = ? AND s.start_ns > ? ORDER BY s.start_ns LIMIT ?",
        (camera_id, instant_ns, limit),
    )
    return [_segment(row) for row in rows]


def segments_of(connection: sqlite3.Connection, camera_id: str) -> Iterable[StoredSegment]:
    """Every closed segment of a camera, by start."""
    rows = connection.execute(f"{_SEGMENT} WHERE c.camera_id = ? ORDER BY s.start_ns", (camera_id,))
    return map(_segment, rows)


def camera_ids(connection: sqlite3.Connection) -> set[str]:
    """The cameras that the store has ever held something of."""
    return {camera_id for (camera_id,) in connection.execute("SELECT camera_id FROM camera")}


def count_segments(connection: sqlite3.Connection, cameras: Iterable[str]) -> int:
    """How many closed segments there are of these cameras."""
    question = "SELECT count(*) FROM segment WHERE camera = (SELECT number FROM camera WHERE camera_id = ?)"
    return sum(connection.execute(question, (camera_id,)).fetchone()[0] for camera_id in cameras)


def erased_digests(connection: sqlite3.Connection, camera_id: str) -> dict[bytes, int]:
    """The chained digest and the start of what was erased of a camera and is remembered still."""
    rows = connection.execute(
        "SELECT digest, start_ns FROM erased WHERE camera = (SELECT number FROM camera WHERE camera_id = ?)",
        (camera_id,),
    )
    return dict(rows.fetchall())


def has_file(connection: sqlite3.Connection, segment_id: str, camera_id: str) -> bool:
    """Whether a file is a segment of this camera, or one that is being closed or erased."""
    try:
        packed = packed_id(segment_id)
    except ValueError:
        return False
    question = """
        SELECT 1 FROM segment WHERE id = :id AND camera = (SELECT number FROM camera WHERE camera_id = :camera)
        UNION ALL SELECT 1 FROM open_segment WHERE id = :id UNION ALL SELECT 1 FROM garbage WHERE id = :id"""
    return connection.execute(question, {"id": packed, "camera": camera_id}).fetchone() is not None


def all_segments(connection: sqlite3.Connection) -> Iterable[StoredSegment]:
    """Every closed segment, in the order in which they were closed."""
    return map(_segment, connection.execute(f"{_SEGMENT} ORDER BY s.number"))


def open_segments(connection: sqlite3.Connection, camera_id: str | None = None) -> list[StoredSegment]:
    """Segments begun and not closed, of one camera or of all, by start."""
    rows = connection.execute(f"{_OPEN} WHERE ? IS NULL OR c.camera_id = ? ORDER BY s.start_ns", (camera_id, camera_id))
    return [_segment(row, still_open=True) for row in rows]


def garbage(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """`(segment_id, camera_id, start_ns)` of what is being erased."""
    rows = connection.execute(
        "SELECT g.id, c.camera_id, g.start_ns FROM garbage g JOIN camera c ON c.number = g.camera"
    )
    return [(unpacked_id(packed), camera_id, start_ns) for packed, camera_id, start_ns in rows]


def spans_between(connection: sqlite3.Connection, camera_id: str, start_ns: int, end_ns: int) -> list[RecordedSpan]:
    """What closed segments cover that overlap `[start_ns, end_ns)`, by start, joined where they follow each other."""
    rows = connection.execute(
        """SELECT s.start_ns, s.end_ns, s.run, s.uncertainty_ms FROM segment s
           WHERE s.camera = (SELECT number FROM camera WHERE camera_id = ?)
             AND s.start_ns > ? AND s.start_ns < ? AND s.end_ns > ? ORDER BY s.start_ns""",
        (camera_id, start_ns - MAX_SEGMENT_NS, end_ns, start_ns),
    )
    spans: list[RecordedSpan] = []
    begin = end = uncertainty = 0
    run: int | None = None
    for start, stop, number, error in rows:
        if run == number and start - end <= JOIN_TOLERANCE_NS:
            if stop > end:
                end = stop
            if error > uncertainty:
                uncertainty = error
            continue
        if run is not None:
            spans.append(RecordedSpan(begin, end, run, uncertainty))
        begin, end, run, uncertainty = start, stop, number, error
    if run is not None:
        spans.append(RecordedSpan(begin, end, run, uncertainty))
    return spans


def gaps_between(connection: sqlite3.Connection, camera_id: str, start_ns: int, end_ns: int) -> list[Gap]:
    """The gaps of a camera that touch `[start_ns, end_ns)`, by start."""
    rows = connection.execute(
        """SELECT start_ns, end_ns, cause, detail, repaired FROM gap
           WHERE camera = (SELECT number FROM camera WHERE camera_id = ?)
             AND start_ns < ? AND (end_ns IS NULL OR end_ns > ?) ORDER BY start_ns, number""",
        (camera_id, end_ns, start_ns),
    )
    return [Gap(begin, end, GapCause(cause), detail, bool(repaired)) for begin, end, cause, detail, repaired in rows]


def open_gaps(connection: sqlite3.Connection) -> dict[str, Gap]:
    """The gap that each camera is in."""
    rows = connection.execute(
        """SELECT c.camera_id, g.start_ns, g.cause, g.detail FROM gap g JOIN camera c ON c.number = g.camera
           WHERE g.end_ns IS NULL"""
    )
    return {camera_id: Gap(start_ns, None, GapCause(cause), detail) for camera_id, start_ns, cause, detail in rows}


def knows(connection: sqlite3.Connection, camera_id: str) -> bool:
    """Whether the store has ever held something of this camera."""
    return connection.execute("SELECT 1 FROM camera WHERE camera_id = ?", (camera_id,)).fetchone() is not None


def newest_ends(connection: sqlite3.Connection) -> dict[str, tuple[int, int, bytes]]:
    """`(end_ns, run, chained digest)` of the newest segment of each camera."""
    rows = connection.execute(
        """SELECT c.camera_id, s.end_ns, s.run, coalesce(s.chain_digest, s.digest)
           FROM camera c JOIN segment s ON s.number = (
               SELECT number FROM segment WHERE camera = c.number ORDER BY start_ns DESC, number DESC LIMIT 1)"""
    )
    return {camera_id: (end_ns, run, digest) for camera_id, end_ns, run, digest in rows}


def retentions(connection: sqlite3.Connection) -> dict[str, int | None]:
    """The retention of each camera of the store, in days; None where no authorisation was ever told."""
    return dict(connection.execute("SELECT camera_id, retention_days FROM camera").fetchall())


def joined(spans: Iterable[RecordedSpan], tolerance_ns: int = JOIN_TOLERANCE_NS) -> tuple[RecordedSpan, ...]:
    """Spans of one run that follow each other within the tolerance, made one. Pure."""
    whole: list[RecordedSpan] = []
    for span in spans:
        last = whole[-1] if whole else None
        if last is not None and last.run == span.run and span.start_ns - last.end_ns <= tolerance_ns:
            whole[-1] = RecordedSpan(
                last.start_ns,
                max(last.end_ns, span.end_ns),
                span.run,
                max(last.uncertainty_ms, span.uncertainty_ms),
            )
        else:
            whole.append(span)
    return tuple(whole)


_Row = tuple[bytes, str, int, int, int, int, bytes, bytes, str, str, int, int, int, str, bytes | None, int | None, str]


def _segment(row: _Row, *, still_open: bool = False) -> StoredSegment:
    return StoredSegment(
        segment_id=unpacked_id(row[0]),
        camera_id=row[1],
        run=row[2],
        start_ns=row[3],
        end_ns=row[4],
        size_bytes=row[5],
        digest=row[6],
        previous_digest=row[7],
        video=VideoFormat(Codec(row[8]), row[9], row[10], row[11]),
        uncertainty_ms=row[12],
        time_source=unpacked_source(row[13]),
        open=still_open,
        chain_digest=row[14],
        camera_offset_ms=row[15],
        camera_clock=unpacked_source(row[16]),
    )
