"""The tables of the index, and the form of its values.

One row per segment, none per frame: thirty days of 250 cameras are eleven million rows and stay under 2 GB. So a
segment's row holds numbers for what repeats (camera, video format), a letter for each source of time, 16 bytes for its
identifier, and no path, which follows from camera, start and identifier. The segments of many cameras lie mixed in the
table, so the index by time holds all that a time line needs: a day of a camera is a few pages there, and would be as
many pages as it has segments in the table.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

INDEX_NAME = "index.sqlite"
SCHEMA_VERSION = 3

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_PREFIX = "seg-"
_LETTERS = {"arrival": "a", "sender_report": "s", "unknown": "u", "unset": "n"}
_SOURCES = {letter: word for word, letter in _LETTERS.items()}
_ID_LETTERS = 26

_TABLES = """
CREATE TABLE IF NOT EXISTS state (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS camera (
    number INTEGER PRIMARY KEY,
    camera_id TEXT NOT NULL UNIQUE,
    retention_days INTEGER,
    minimum_days INTEGER NOT NULL DEFAULT 0,
    commune TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS video (
    number INTEGER PRIMARY KEY,
    codec TEXT NOT NULL,
    codec_string TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    UNIQUE (codec_string, width, height, codec)
);
CREATE TABLE IF NOT EXISTS segment (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    camera INTEGER NOT NULL REFERENCES camera,
    run INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    previous_digest BLOB NOT NULL,
    video INTEGER NOT NULL REFERENCES video,
    uncertainty_ms INTEGER NOT NULL,
    time_source TEXT NOT NULL,
    chain_digest BLOB,
    camera_offset_ms INTEGER,
    camera_clock TEXT NOT NULL DEFAULT ''
);
DROP INDEX IF EXISTS segment_by_time;
CREATE INDEX IF NOT EXISTS segment_span ON segment (camera, start_ns, end_ns, run, uncertainty_ms);
CREATE TABLE IF NOT EXISTS open_segment (
    id BLOB PRIMARY KEY,
    camera INTEGER NOT NULL REFERENCES camera,
    run INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    previous_digest BLOB NOT NULL,
    video INTEGER NOT NULL REFERENCES video,
    uncertainty_ms INTEGER NOT NULL,
    time_source TEXT NOT NULL,
    camera_offset_ms INTEGER,
    camera_clock TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS garbage (
    id BLOB PRIMARY KEY,
    camera INTEGER NOT NULL REFERENCES camera,
    start_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (
    number INTEGER PRIMARY KEY,
    camera INTEGER NOT NULL REFERENCES camera,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER,
    cause TEXT NOT NULL,
    detail TEXT NOT NULL,
    repaired INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS gap_by_time ON gap (camera, start_ns);
CREATE INDEX IF NOT EXISTS gap_open ON gap (camera) WHERE end_ns IS NULL;
CREATE TABLE IF NOT EXISTS hold (
    id TEXT PRIMARY KEY,
    camera_id TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    placed_at_ns INTEGER NOT NULL,
    expires_at_ns INTEGER NOT NULL,
    reference TEXT NOT NULL,
    authority TEXT NOT NULL,
    legal_basis TEXT NOT NULL,
    recorded_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (
    camera INTEGER NOT NULL REFERENCES camera,
    start_ns INTEGER NOT NULL,
    id BLOB NOT NULL,
    end_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    digest BLOB NOT NULL,
    cause TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (camera, start_ns, id)
) WITHOUT ROWID;
"""

_UPGRADES: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE segment ADD COLUMN chain_digest BLOB",
        "ALTER TABLE segment ADD COLUMN camera_offset_ms INTEGER",
        "ALTER TABLE segment ADD COLUMN camera_clock TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE open_segment ADD COLUMN camera_offset_ms INTEGER",
        "ALTER TABLE open_segment ADD COLUMN camera_clock TEXT NOT NULL DEFAULT ''",
    ),
    2: (
        "ALTER TABLE camera ADD COLUMN minimum_days INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE camera ADD COLUMN commune TEXT NOT NULL DEFAULT ''",
    ),
}
"""What brings an index of that version to the next one, in one transaction. Rows are not rewritten."""


def connect_to_write(path: Path) -> sqlite3.Connection:
    """The one connection that changes the index. Every commit is on the disk before it returns.

    Raises sqlite3.DatabaseError when the file is no sound index.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -8000"):
            connection.execute(f"PRAGMA {pragma}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not 0 <= version <= SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"index of version {version}, this program knows {SCHEMA_VERSION}")
        if version:
            _upgrade(connection, version)
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    """One transaction a version: a process that ends in between leaves the index at one that is known."""
    for known in range(version, SCHEMA_VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in _UPGRADES[known]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {known + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot change the index; several processes may hold one while another writes (WAL)."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=10.0
    )


def packed_source(source: str) -> str:
    """How a source of time is written: by its letter, where it has one."""
    return _LETTERS.get(source, source)


def unpacked_source(packed: str) -> str:
    """The source of time behind a letter; a word stands for itself."""
    return _SOURCES.get(packed, packed)


def packed_id(segment_id: str) -> bytes:
    """The 16 bytes of a segment's identifier. Raises ValueError for text of another form."""
    letters = segment_id.removeprefix(_PREFIX)
    if len(letters) != _ID_LETTERS or not segment_id.startswith(_PREFIX):
        raise ValueError(f"{segment_id!r} is no segment identifier")
    value = 0
    for letter in letters:
        if letter not in _VALUES:
            raise ValueError(f"{segment_id!r} is no segment identifier")
        value = value << 5 | _VALUES[letter]
    if value >> 128:
        raise ValueError(f"{segment_id!r} is no segment identifier")
    return value.to_bytes(16)


def unpacked_id(packed: bytes) -> str:
    """The text of a segment's identifier."""
    value = int.from_bytes(packed)
    return _PREFIX + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
