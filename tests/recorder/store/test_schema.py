"""The index of an earlier version is taken over as it is, or left as it was."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.contract.timeline import GapCause
from recorder.store import schema
from recorder.store.index import Index
from recorder.store.queries import all_segments, gaps_between, newest_ends, open_segments, retentions
from recorder.store.schema import INDEX_NAME, SCHEMA_VERSION
from tests.recorder.store.recordings import CAMERA, FOREVER_NS, open_store, record_seconds
from vms.base.clock import NS_PER_SECOND, ManualClock

VERSION_1 = Path(__file__).with_name("index-of-version-1.sqlite")
"""Written by the first version: three closed segments, one open, one gap, a retention of twelve days."""
START_NS = 1_767_225_600 * NS_PER_SECOND


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def test_an_index_of_the_first_version_is_taken_over_with_all_that_it_holds(tmp_path: Path):
    shutil.copy(VERSION_1, tmp_path / INDEX_NAME)
    assert version_of(tmp_path / INDEX_NAME) == 1
    index = Index(tmp_path)
    segments = list(all_segments(index.connection))
    assert len(segments) == 3
    assert {(one.chain_digest, one.camera_offset_ms, one.camera_clock) for one in segments} == {(None, None, "")}
    assert [one.previous_digest for one in segments[1:]] == [one.digest for one in segments[:-1]]
    assert newest_ends(index.connection)[CAMERA][2] == segments[-1].digest
    (still_open,) = open_segments(index.connection)
    assert still_open.previous_digest == segments[-1].digest
    assert [gap.cause for gap in gaps_between(index.connection, CAMERA, 0, FOREVER_NS)] == [GapCause.CAMERA]
    assert retentions(index.connection) == {CAMERA: 12}
    trimmed = replace(segments[0], segment_id="seg-00000000000000000000000009", chain_digest=b"c" * 32)
    index.count_segment(replace(trimmed, camera_offset_ms=-7, camera_clock="sender_report"))
    index.close()
    assert version_of(tmp_path / INDEX_NAME) == SCHEMA_VERSION
    again = Index(tmp_path)
    found = list(all_segments(again.connection))[-1]
    again.close()
    assert (found.chained_digest, found.camera_offset_ms, found.camera_clock) == (b"c" * 32, -7, "sender_report")


async def test_a_store_goes_on_recording_in_an_index_that_was_taken_over(tmp_path: Path):
    await asyncio.to_thread(shutil.copy, VERSION_1, tmp_path / INDEX_NAME)
    clock = ManualClock(START_NS + 1_000 * NS_PER_SECOND)
    async with open_store(tmp_path, clock) as store:
        before = await store.segments_between(CAMERA, 0, FOREVER_NS)
        await record_seconds(store, seconds=4)
        after = await store.segments_between(CAMERA, 0, FOREVER_NS)
    assert len(after) == len(before) + 1
    assert after[-1].previous_digest == before[-1].digest


def test_an_upgrade_that_is_interrupted_leaves_the_version_that_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(VERSION_1, tmp_path / INDEX_NAME)
    first, *others = schema._UPGRADES[1]
    with monkeypatch.context() as patch:
        patch.setitem(schema._UPGRADES, 1, (first, "ALTER TABLE nothing ADD COLUMN more TEXT", *others))
        with pytest.raises(sqlite3.Error):
            Index(tmp_path)
    assert version_of(tmp_path / INDEX_NAME) == 1
    index = Index(tmp_path)
    assert len(list(all_segments(index.connection))) == 3
    index.close()


def test_an_index_of_a_later_version_is_refused_and_left_alone(tmp_path: Path):
    index = Index(tmp_path)
    index.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    index.close()
    with pytest.raises(sqlite3.DatabaseError):
        Index(tmp_path)
    assert version_of(tmp_path / INDEX_NAME) == SCHEMA_VERSION + 1
