"""The journal's index: what lets a search avoid reading the whole log.

It is derived: made from the tiles, thrown away and made again whenever it is missing or does not fit. It holds codes
and identifiers to search by; what an entry says is always read from the payloads, so that what has expired there is
gone for a reader of the journal as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from access_audit import layout
from access_audit.events import CATALOGUE, AccessEvent, EventKind
from access_audit.format import FormatError, parse_leaf, parse_payload
from access_audit.journal import JournalEntry, JournalPage, JournalQuery
from access_audit.merkle import leaf_hash
from access_audit.tiles import read_leaves, read_payloads
from vms.base import durable

_VERSION = 2
_TABLES = """
CREATE TABLE entry (
    number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, operation TEXT NOT NULL,
    person TEXT NOT NULL, camera TEXT NOT NULL, commune TEXT NOT NULL, requisition TEXT NOT NULL
) STRICT;
CREATE TABLE spool (
    name TEXT PRIMARY KEY, sequence INTEGER NOT NULL, chain BLOB NOT NULL, number INTEGER NOT NULL
) STRICT;
CREATE TABLE expiry (newest INTEGER NOT NULL) STRICT;
CREATE INDEX entry_person ON entry (person, number);
CREATE INDEX entry_camera ON entry (camera, number);
CREATE INDEX entry_commune ON entry (commune, number);
"""
_WIDTH = layout.TILE_WIDTH


@dataclass(frozen=True, slots=True)
class SpoolHead:
    """The newest entry of a spool in the log: its number in the spool, the chain with it, its index in the log."""

    sequence: int
    chain: bytes
    index: int


class JournalIndex:
    """Answers searches over the published log. Used by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / layout.INDEX
        self._database = self._open()

    def search(self, query: JournalQuery, published: int) -> JournalPage:
        """The entries that a query asks for, newest first, out of the first `published` ones."""
        self._catch_up(published)
        conditions, values = _conditions(query)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        statement = f"SELECT number FROM entry {where} ORDER BY number DESC LIMIT ?"  # noqa: S608 — names are ours
        numbers = [row[0] for row in self._database.execute(statement, (*values, query.limit + 1))]
        more = len(numbers) > query.limit
        shown = numbers[: query.limit]
        return JournalPage(tuple(self._entries(shown, published)), shown[-1] if more else None)

    def spool_heads(self, published: int) -> dict[str, SpoolHead]:
        """The newest entry of every spool that the log has entries of."""
        self._catch_up(published)
        rows = self._database.execute("SELECT name, sequence, chain, number FROM spool")
        return {name: SpoolHead(sequence, chain, number) for name, sequence, chain, number in rows}

    def forget(self, numbers: Sequence[int], before: int, newest: int) -> None:
        """Lose the keys of entries whose payloads are erased; `newest` is the index of the last statement of expiry.

        `before` is that of the statement before this erasure. An index that has not followed it, because of a failure
        or a crash, is made again from the payloads.
        """
        row = self._database.execute("SELECT newest FROM expiry").fetchone()
        known = -1 if row is None else int(row[0])
        if newest == known and not numbers:
            return
        if known != before:
            self._start_again()
        with self._database:
            self._database.executemany(
                "UPDATE entry SET kind = '', operation = '', person = '', camera = '', commune = '', requisition = ''"
                " WHERE number = ?",
                ((number,) for number in numbers),
            )
            self._database.execute("DELETE FROM expiry")
            self._database.execute("INSERT INTO expiry VALUES (?)", (newest,))
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _entries(self, numbers: list[int], published: int) -> list[JournalEntry]:
        bundles = {number // _WIDTH for number in numbers}
        leaves = {
            bundle: read_leaves(self._folder, bundle, min(_WIDTH, published - bundle * _WIDTH)) for bundle in bundles
        }
        payloads = {bundle: read_payloads(self._folder, bundle) for bundle in bundles}
        found = []
        for number in numbers:
            leaf = leaves[number // _WIDTH][number % _WIDTH]
            stored = payloads[number // _WIDTH][number % _WIDTH]
            event = None if stored is None else parse_payload(stored.payload)
            found.append(JournalEntry(number, leaf_hash(leaf).hex(), parse_leaf(leaf).at_ns, event))
        return found

    def _catch_up(self, published: int) -> None:
        known = self._database.execute("SELECT max(number) FROM entry").fetchone()[0]
        start = 0 if known is None else known + 1
        if start > published:
            self._start_again()
            start = 0
        for bundle in range(start // _WIDTH, -(-published // _WIDTH)):
            self._add_bundle(bundle, start, published)

    def _add_bundle(self, bundle: int, start: int, published: int) -> None:
        width = min(_WIDTH, published - bundle * _WIDTH)
        payloads = read_payloads(self._folder, bundle)
        rows, heads = [], []
        for place, content in enumerate(read_leaves(self._folder, bundle, width)):
            number = bundle * _WIDTH + place
            if number < start:
                continue
            leaf, stored = parse_leaf(content), payloads[place]
            rows.append((number, leaf.at_ns, *_keys(None if stored is None else parse_payload(stored.payload))))
            if leaf.spool is not None:
                heads.append((leaf.spool.spool_id, leaf.spool.sequence, leaf.spool.chain, number))
        with self._database:
            self._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._database.executemany("INSERT OR REPLACE INTO spool VALUES (?, ?, ?, ?)", heads)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except (sqlite3.DatabaseError, FormatError):
            return self._start_again()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA secure_delete = ON")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                database.executescript(_TABLES + f"PRAGMA user_version = {_VERSION};")
            elif version != _VERSION:
                raise FormatError(f"index of version {version}")
        except BaseException:
            database.close()
            raise
        return database

    def _start_again(self) -> sqlite3.Connection:
        if hasattr(self, "_database"):
            self._database.close()
        for suffix in ("", "-wal", "-shm"):
            durable.remove(self._path.with_name(self._path.name + suffix))
        self._database = self._connect()
        return self._database


def _keys(event: AccessEvent | None) -> tuple[str, ...]:
    if event is None:
        return ("",) * 6
    return (
        event.kind.value,
        event.operation.value,
        event.author.person_id,
        event.camera_id,
        event.commune,
        event.requisition,
    )


def _conditions(query: JournalQuery) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    for column, value in (
        ("person", query.person_id),
        ("camera", query.camera_id),
        ("requisition", query.requisition),
    ):
        if value:
            conditions.append(f"{column} = ?")
            values.append(value)
    if query.communes is not None:
        conditions.append("commune IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(query.communes)))
    kinds = {kind.value for kind in query.kinds}
    if query.operations:
        by_operation = {kind.value for kind in EventKind if CATALOGUE[kind].operation in query.operations}
        kinds = kinds & by_operation if kinds else by_operation
        kinds = kinds or {"none"}
    if kinds:
        conditions.append("kind IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(kinds)))
    for condition, bound in (
        ("at_ns >= ?", query.since_ns),
        ("at_ns < ?", query.until_ns),
        ("number < ?", query.before_index),
    ):
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    return conditions, values
