"""The holds that a store knows, and what of them it has recorded.

S3  Of the range of a hold in force, at least as much is recorded as when it was placed: what is held is never removed,
    whatever the pressure. `fsck` judges it.

A hold stays in the table for a while after its end, so that what it kept can still be told from what is missing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from recorder.contract.hold import Hold
from vms.base.errors import ErrorKind, VmsError

_HOLD = (
    "SELECT id, camera_id, start_ns, end_ns, placed_at_ns, expires_at_ns, reference, authority, legal_basis FROM hold"
)


def holds_of(connection: sqlite3.Connection, camera_id: str | None = None) -> tuple[Hold, ...]:
    """The holds of one camera or of all, those that are over included, by start."""
    rows = connection.execute(f"{_HOLD} WHERE ? IS NULL OR camera_id = ? ORDER BY start_ns, id", (camera_id, camera_id))
    return tuple(Hold(*row) for row in rows)


def promised(connection: sqlite3.Connection) -> dict[str, int]:
    """How many nanoseconds of each hold's range were recorded when it was placed."""
    return dict(connection.execute("SELECT id, recorded_ns FROM hold").fetchall())


def recorded_ns(connection: sqlite3.Connection, camera_id: str, start_ns: int, end_ns: int) -> int:
    """How much of `[start_ns, end_ns)` the closed segments of a camera cover."""
    rows = connection.execute(
        """SELECT s.start_ns, s.end_ns FROM segment s
           WHERE s.camera = (SELECT number FROM camera WHERE camera_id = ?)
             AND s.start_ns < ? AND s.end_ns > ? ORDER BY s.start_ns""",
        (camera_id, end_ns, start_ns),
    )
    covered = 0
    reached_ns = start_ns
    for begin_ns, finish_ns in rows:
        covered += max(0, min(finish_ns, end_ns) - max(begin_ns, reached_ns))
        reached_ns = max(reached_ns, finish_ns)
    return covered


def check_holds(connection: sqlite3.Connection, camera_id: str, known: Collection[Hold]) -> None:
    """Refuse to erase by a decision that did not know every hold of the camera (S3): VmsError `store.held`.

    In the disk's thread, where holds are placed too, so nothing can come in between.
    """
    unknown = [hold.hold_id for hold in holds_of(connection, camera_id) if hold not in known]
    if unknown:
        raise VmsError(
            ErrorKind.CONFLICT,
            "store.held",
            "Ces images viennent d’être placées sous conservation : elles ne sont pas effacées.",
            detail=f"{camera_id} is under {', '.join(unknown)}",
        )
