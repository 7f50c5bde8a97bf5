"""What was erased and is not told yet, kept in the index so that no crash forgets it (LAW-09).

Rules
1. What is erased is noted in the transaction that takes it out of the index, one row a segment, with the digest that
   the chain knows it by. A segment that was cut to its held parts is one row too, of the bytes that went.
2. The rows of an hour of images are told once nothing of that hour is left but what is held, and all files are gone.
3. They are forgotten when the hour is wholly gone; then the digest over all of them is that of the hour's collection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from recorder.store import sealing
from recorder.store.schema import unpacked_id
from recorder.store.sealing import HOUR_NS


@dataclass(frozen=True, slots=True)
class ErasedSegment:
    """One segment that is gone, wholly or but for its held parts."""

    segment_id: str
    start_ns: int
    end_ns: int
    size_bytes: int
    digest: bytes
    cause: str
    told: bool


def digest_over(segments: Iterable[ErasedSegment]) -> str:
    """SHA-256, in hexadecimal, over the digests of these segments in the order of time, each once.

    Over a whole hour it is the digest of that hour's collection; parts bear the digest of the whole they are of.
    """
    ordered = sorted(segments, key=lambda one: (one.start_ns, one.segment_id))
    return sealing.digest_over(list(dict.fromkeys(one.digest for one in ordered)))


def untold_hours(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """`(camera_id, start of the hour)` of everything that is not told yet."""
    rows = connection.execute(
        """SELECT DISTINCT c.camera_id, e.start_ns / ? * ? FROM erased e JOIN camera c ON c.number = e.camera
           WHERE NOT e.told ORDER BY 2, 1""",
        (HOUR_NS, HOUR_NS),
    )
    return [(camera_id, hour_ns) for camera_id, hour_ns in rows]


def erased_in(connection: sqlite3.Connection, camera_id: str, hour_ns: int) -> list[ErasedSegment]:
    """What is erased of an hour of images, told or not, by start."""
    rows = connection.execute(
        """SELECT id, start_ns, end_ns, size_bytes, digest, cause, told FROM erased
           WHERE camera = (SELECT number FROM camera WHERE camera_id = ?) AND start_ns >= ? AND start_ns < ?
           ORDER BY start_ns, id""",
        (camera_id, hour_ns, hour_ns + HOUR_NS),
    )
    return [
        ErasedSegment(unpacked_id(packed), start_ns, end_ns, size_bytes, digest, cause, bool(told))
        for packed, start_ns, end_ns, size_bytes, digest, cause, told in rows
    ]


def left_in(connection: sqlite3.Connection, camera_id: str, hour_ns: int) -> tuple[list[tuple[int, int]], bool]:
    """The stretches of an hour that are still recorded, and whether files of it still wait to be unlinked."""
    bounds = (camera_id, hour_ns, hour_ns + HOUR_NS)
    rows = connection.execute(
        """SELECT start_ns, end_ns FROM segment
           WHERE camera = (SELECT number FROM camera WHERE camera_id = ?) AND start_ns >= ? AND start_ns < ?""",
        bounds,
    ).fetchall()
    waiting = connection.execute(
        """SELECT 1 FROM garbage
           WHERE camera = (SELECT number FROM camera WHERE camera_id = ?) AND start_ns >= ? AND start_ns < ? LIMIT 1""",
        bounds,
    ).fetchone()
    return [(start_ns, end_ns) for start_ns, end_ns in rows], waiting is not None


def communes(connection: sqlite3.Connection) -> dict[str, str]:
    """The commune of each camera, also of those that are assigned no more."""
    return dict(connection.execute("SELECT camera_id, commune FROM camera").fetchall())


def minimum_days(connection: sqlite3.Connection) -> dict[str, int]:
    """How long the images of each camera must be kept, in days; 0 where no decision says so (LAW-08)."""
    return dict(connection.execute("SELECT camera_id, minimum_days FROM camera").fetchall())
