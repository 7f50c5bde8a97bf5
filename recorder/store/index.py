"""The index of a store: what changes it.

One connection, one thread at a time. Every method is one transaction, durable when it returns, and may raise
sqlite3.Error; whoever calls it leaves the files in a state that starting the store can finish (see `starting`).

What a power cut may take without harm is not synced by itself, as hundreds of cameras would wait for the disk then:
the note that a segment begins (its file says all that the note does), and what an assignment says of a camera (told
again at each start). It becomes durable with the next transaction, or by `settle`, before footage counts on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from recorder.contract.hold import Hold
from recorder.contract.timeline import GapCause
from recorder.store.ledger import OpenGap, ends, opens
from recorder.store.schema import INDEX_NAME, connect_to_write, packed_id, packed_source
from recorder.store.segment import StoredSegment, VideoFormat

_SETTLED = "settled"


class Index:
    """The writer of the index in a folder. Raises sqlite3.DatabaseError when the file there is no sound index."""

    def __init__(self, folder: Path) -> None:
        self.connection = connect_to_write(folder / INDEX_NAME)
        self._unsynced = False
        self._changes = self.connection.total_changes

    def close(self) -> None:
        """Give the file back, its write-ahead log folded in."""
        self.connection.close()

    def settle(self) -> None:
        """Make durable what was noted without a sync; nothing happens when a later transaction has."""
        if self._unsynced:
            self.set_state(_SETTLED, 1)

    def begin_segment(self, segment: StoredSegment) -> None:
        """Note, unsynced, that this segment's file may exist from now on; nothing happens where that is noted."""
        with self._transaction(synced=False):
            self.connection.execute(
                """INSERT OR IGNORE INTO open_segment (id, camera, run, start_ns, previous_digest, video,
                       uncertainty_ms, time_source, camera_offset_ms, camera_clock)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                (
                    packed_id(segment.segment_id),
                    self._camera(segment.camera_id),
                    segment.run,
                    segment.start_ns,
                    segment.previous_digest,
                    self._video(segment.video),
                    segment.uncertainty_ms,
                    packed_source(segment.time_source),
                    segment.camera_offset_ms,
                    packed_source(segment.camera_clock),
                ),
            )

    def count_segment(self, segment: StoredSegment) -> None:
        """Give a segment its row, in the place of the note that it was open; safe to repeat."""
        with self._transaction():
            self._insert(segment)

    def count_segments(self, segments: Sequence[StoredSegment]) -> None:
        """Give many segments their rows at once: a rebuild."""
        with self._transaction():
            for segment in segments:
                self._insert(segment)

    def forget_open(self, segment_id: str) -> None:
        """Take back the note that a segment was open: its file held nothing."""
        with self._transaction():
            self.connection.execute("DELETE FROM open_segment WHERE id = ?", (packed_id(segment_id),))

    def discard(self, segments: Sequence[StoredSegment], cause: str = "retention") -> None:
        """Turn rows into garbage: from now on nobody finds these segments, and their files must go.

        What is erased, and by which cause, is kept until it was told (see `erasures`).
        """
        with self._transaction():
            for segment in segments:
                self._discard(segment, cause, segment.size_bytes)

    def condemn(self, segments: Sequence[StoredSegment]) -> None:
        """Note files that are about to get their final names as garbage: until `exchange` they count for nothing."""
        with self._transaction():
            for segment in segments:
                self.connection.execute(
                    "INSERT OR IGNORE INTO garbage VALUES (?, ?, ?)",
                    (packed_id(segment.segment_id), self._camera(segment.camera_id), segment.start_ns),
                )

    def exchange(self, whole: StoredSegment, parts: Sequence[StoredSegment], cause: str) -> None:
        """Give the condemned parts of a segment their rows and turn its own into garbage, in one step."""
        with self._transaction():
            self._discard(whole, cause, whole.size_bytes - sum(part.size_bytes for part in parts))
            for part in parts:
                self.connection.execute("DELETE FROM garbage WHERE id = ?", (packed_id(part.segment_id),))
                self._insert(part)

    def place_hold(self, hold: Hold, recorded_ns: int) -> None:
        """Keep a hold; one that is there already stays as it is. See `holds`."""
        with self._transaction():
            self.connection.execute(
                """INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (id) DO UPDATE SET recorded_ns = max(recorded_ns, excluded.recorded_ns)""",
                (*astuple(hold), recorded_ns),
            )

    def forget_holds(self, hold_ids: Collection[str]) -> None:
        """Let go of holds."""
        with self._transaction():
            self.connection.executemany("DELETE FROM hold WHERE id = ?", [(hold_id,) for hold_id in hold_ids])

    def mark_told(self, camera_id: str, start_ns: int, end_ns: int, *, forget: bool) -> None:
        """What was erased of a camera between two starts has been told; `forget` it when nothing of it is left."""
        change = "DELETE FROM erased" if forget else "UPDATE erased SET told = 1"
        with self._transaction():
            self.connection.execute(
                f"{change} WHERE camera = ? AND start_ns >= ? AND start_ns < ?",
                (self._camera(camera_id), start_ns, end_ns),
            )

    def describe_camera(self, camera_id: str, minimum_days: int, commune: str) -> None:
        """Keep, unsynced, what erasure must know of a camera once it is assigned no more."""
        with self._transaction(synced=False):
            self.connection.execute(
                "UPDATE camera SET minimum_days = ?, commune = ? WHERE number = ?",
                (minimum_days, commune, self._camera(camera_id)),
            )

    def forget_garbage(self, segment_ids: Sequence[str]) -> None:
        """The files of these are gone for good."""
        with self._transaction():
            self.connection.executemany(
                "DELETE FROM garbage WHERE id = ?", [(packed_id(segment_id),) for segment_id in segment_ids]
            )

    def open_gap(self, camera_id: str, start_ns: int, cause: GapCause, detail: str) -> None:
        """From `start_ns` on nothing is recorded, for this cause; see the rules of `ledger`."""
        with self._transaction():
            current = self._open_gap(camera_id)
            if not opens(current, cause, detail):
                return
            if current is not None:
                if not ends(current, start_ns):
                    start_ns = current.start_ns
                self._end_gap(current, start_ns)
            self._insert_gap(camera_id, start_ns, None, cause, detail)

    def close_gap(self, camera_id: str, end_ns: int, *, synced: bool = True) -> bool:
        """Pictures come again at `end_ns`. False when no gap was open."""
        with self._transaction(synced=synced):
            current = self._open_gap(camera_id)
            if current is None:
                return False
            self._end_gap(current, end_ns)
            return True

    def move_gap(self, camera_id: str, start_ns: int, end_ns: int) -> None:
        """Recording went on from `start_ns` until `end_ns`: an open gap cannot have begun in between."""
        with self._transaction():
            current = self._open_gap(camera_id)
            if current is not None and start_ns <= current.start_ns < end_ns:
                self.connection.execute("UPDATE gap SET start_ns = ? WHERE number = ?", (end_ns, current.number))

    def add_gap(self, camera_id: str, start_ns: int, end_ns: int, cause: GapCause, detail: str) -> None:
        """A gap that is over already; unsynced."""
        with self._transaction(synced=False):
            self._insert_gap(camera_id, start_ns, end_ns, cause, detail)

    def set_retention(self, camera_id: str, days: int) -> None:
        """Keep, unsynced, the retention that a camera's authorisation states: erasure outlives its assignment."""
        with self._transaction(synced=False):
            self.connection.execute(
                "UPDATE camera SET retention_days = ? WHERE number = ?", (days, self._camera(camera_id))
            )

    def forget_gaps(self, camera_id: str, before_ns: int) -> None:
        """Drop the gaps that ended before an instant: they explain images that nobody may have any more."""
        with self._transaction():
            self.connection.execute(
                "DELETE FROM gap WHERE camera = (SELECT number FROM camera WHERE camera_id = ?) AND end_ns < ?",
                (camera_id, before_ns),
            )

    def set_state(self, key: str, value: int) -> None:
        """Keep a number of the store itself."""
        with self._transaction():
            self.connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))

    def take_state(self, key: str) -> int | None:
        """A number of the store itself, which is forgotten by this; None when there is none."""
        with self._transaction():
            row = self.connection.execute("DELETE FROM state WHERE key = ? RETURNING value", (key,)).fetchone()
            return None if row is None else int(row[0])

    def state(self, key: str) -> int | None:
        """A number of the store itself; None when there is none."""
        row = self.connection.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return None if row is None else int(row[0])

    def has_open_gap(self, camera_id: str) -> bool:
        """Whether the camera is in a gap."""
        return self._open_gap(camera_id) is not None

    def restore_gaps(self, rows: Sequence[tuple[str, int, int | None, str, str, int]]) -> None:
        """Take over `(camera_id, start_ns, end_ns, cause, detail, repaired)` of another index, in place of all."""
        with self._transaction():
            self.connection.execute("DELETE FROM gap")
            self.connection.executemany(
                "INSERT INTO gap (camera, start_ns, end_ns, cause, detail, repaired) VALUES (?, ?, ?, ?, ?, ?)",
                [(self._camera(camera_id), *gap) for camera_id, *gap in rows],
            )

    def forget_segments(self) -> None:
        """Drop every row about files: what a rebuild begins with."""
        with self._transaction():
            for table in ("segment", "open_segment", "garbage"):
                self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names are ours

    @contextmanager
    def _transaction(self, *, synced: bool = True) -> Iterator[None]:
        if not synced:
            self.connection.execute("PRAGMA synchronous = NORMAL")
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            changes = self.connection.total_changes
            try:
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        finally:
            if not synced:
                self.connection.execute("PRAGMA synchronous = FULL")
        if changes != self._changes:
            self._changes = changes
            self._unsynced = not synced

    def _discard(self, segment: StoredSegment, cause: str, size_bytes: int) -> None:
        packed, camera = packed_id(segment.segment_id), self._camera(segment.camera_id)
        self.connection.execute("INSERT OR IGNORE INTO garbage VALUES (?, ?, ?)", (packed, camera, segment.start_ns))
        self.connection.execute(
            "DELETE FROM segment WHERE camera = ? AND start_ns = ? AND id = ?", (camera, segment.start_ns, packed)
        )
        self.connection.execute(
            "INSERT OR IGNORE INTO erased VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            (camera, segment.start_ns, packed, segment.end_ns, size_bytes, segment.chained_digest, cause),
        )

    def _insert(self, segment: StoredSegment) -> None:
        packed = packed_id(segment.segment_id)
        counted = self.connection.execute(
            "SELECT 1 FROM segment WHERE camera = ? AND start_ns = ? AND id = ?",
            (self._camera(segment.camera_id), segment.start_ns, packed),
        ).fetchone()
        self.connection.execute("DELETE FROM open_segment WHERE id = ?", (packed,))
        if counted:
            return
        self.connection.execute(
            """INSERT INTO segment (id, camera, run, start_ns, end_ns, size_bytes, digest, previous_digest, video,
                                    uncertainty_ms, time_source, chain_digest, camera_offset_ms, camera_clock)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                packed,
                self._camera(segment.camera_id),
                segment.run,
                segment.start_ns,
                segment.end_ns,
                segment.size_bytes,
                segment.digest,
                segment.previous_digest,
                self._video(segment.video),
                segment.uncertainty_ms,
                packed_source(segment.time_source),
                segment.chain_digest,
                segment.camera_offset_ms,
                packed_source(segment.camera_clock),
            ),
        )

    def _camera(self, camera_id: str) -> int:
        question = "SELECT number FROM camera WHERE camera_id = ?"
        row = self.connection.execute(question, (camera_id,)).fetchone()
        if row is None:
            self.connection.execute("INSERT INTO camera (camera_id) VALUES (?)", (camera_id,))
            row = self.connection.execute(question, (camera_id,)).fetchone()
        return int(row[0])

    def _video(self, video: VideoFormat) -> int:
        values = (video.codec_string, video.width, video.height, str(video.codec))
        question = "SELECT number FROM video WHERE codec_string = ? AND width = ? AND height = ? AND codec = ?"
        row = self.connection.execute(question, values).fetchone()
        if row is None:
            self.connection.execute(
                "INSERT INTO video (codec_string, width, height, codec) VALUES (?, ?, ?, ?)", values
            )
            row = self.connection.execute(question, values).fetchone()
        return int(row[0])

    def _open_gap(self, camera_id: str) -> OpenGap | None:
        row = self.connection.execute(
            """SELECT number, start_ns, cause, detail FROM gap
               WHERE end_ns IS NULL AND camera = (SELECT number FROM camera WHERE camera_id = ?)""",
            (camera_id,),
        ).fetchone()
        return None if row is None else OpenGap(row[0], row[1], GapCause(row[2]), row[3])

    def _insert_gap(self, camera_id: str, start_ns: int, end_ns: int | None, cause: GapCause, detail: str) -> None:
        self.connection.execute(
            "INSERT INTO gap (camera, start_ns, end_ns, cause, detail) VALUES (?, ?, ?, ?, ?)",
            (self._camera(camera_id), start_ns, end_ns, str(cause), detail),
        )

    def _end_gap(self, current: OpenGap, end_ns: int) -> None:
        if ends(current, end_ns):
            self.connection.execute("UPDATE gap SET end_ns = ? WHERE number = ?", (end_ns, current.number))
        else:
            self.connection.execute("DELETE FROM gap WHERE number = ?", (current.number,))
