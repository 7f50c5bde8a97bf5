"""The store of the benchmark of playback is one that the product reads."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from recorder.playback.catalogue import CataloguePool
from recorder.playback.fetching import Done, Fetch, GroupStream, Media
from recorder.playback.segment_file import IndexCache
from recorder.store.schema import connect_to_read
from vms.app.bench.archive import SEGMENT_NS, BenchArchive
from vms.app.bench.playback import playback_text
from vms.base.clock import NS_PER_SECOND


def test_every_row_is_there_and_what_is_looked_at_can_be_played(tmp_path: Path) -> None:
    archive = BenchArchive(tmp_path / "store", 3, 0.5, random.Random(1))
    archive.build(2)
    places = [*archive.random_places(4), *archive.places([(1, 10), (1, 11), (1, 12)])]
    index = connect_to_read(archive.index_path)
    assert index.execute("SELECT count(*), min(start_ns) / ?1 * ?1 FROM segment", (NS_PER_SECOND,)).fetchone() == (
        3 * 720,
        archive.start_ns,
    )
    index.close()
    pool = CataloguePool([archive.folder])
    for place in places:
        stream = GroupStream(pool, IndexCache(), place.camera_id, place.start_ns, place.end_ns)
        at_ns = place.start_ns + 30 * NS_PER_SECOND
        events = list(stream.run(Fetch(at_ns, place.end_ns, backward=False, key_only=False, limit=1), archive.end_ns))
        (media,) = [event for event in events if isinstance(event, Media)]
        assert media.start_ns <= at_ns < media.start_ns + 3 * NS_PER_SECOND
        assert isinstance(events[-1], Done)
    pool.close()
    size = places[0].path.stat().st_size
    assert size * 8 / (SEGMENT_NS / NS_PER_SECOND) == pytest.approx(4e6, rel=0.02)


def test_the_figures_are_told_in_french() -> None:
    times = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}
    result = {
        "cameras": 250,
        "days": 30.0,
        "segments": 10_800_000,
        "index_bytes": 1_900_000_000,
        **dict.fromkeys(("websocket", "websocket_anew", "http", "bare"), times),
        "throughput": {"reverse_key": {"groups_per_s": 1.0, "megabytes_per_s": 2.0, "times_real_time": 3.0}},
        "recording_meanwhile": {"gaps": 0, "lost_packets": 0},
        "target_ms": 100,
        "target_met": True,
    }
    text = playback_text(result)
    assert "Objectif, 95 % sous 100 ms : tenu." in text
    assert "0 trou" in text
