"""Properties of going through a recording: every way gives the same groups, and no damage passes for pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.playback.catalogue import CataloguePool
from recorder.playback.fetching import Config, Done, Event, Fetch, GroupStream, Media
from recorder.playback.group import Picture, shared_out, squeezed, until
from recorder.playback.segment_file import GroupEntry, GroupIndex, IndexCache
from recorder.playback.walk import Damage, Hole
from recorder.store.segment import StoredSegment
from tests.recorder.footage import B_FRAMES_FILE, Footage, footage, shown
from tests.recorder.footage import Picture as FilmPicture
from tests.recorder.gateways import CAMERA
from tests.recorder.playback.archive import START_NS, Archive
from vms.base.clock import NS_PER_MS, NS_PER_SECOND
from vms.media.fmp4 import reader_of
from vms.media.mp4_file import read_track

END_NS = START_NS + 600 * NS_PER_SECOND


@dataclass
class Shelf:
    """An archive that is only read, and a way to fetch from it without a gateway."""

    archive: Archive
    pool: CataloguePool
    cache: IndexCache

    def fetch(
        self, from_ns: int, to_ns: int, *, backward: bool = False, key_only: bool = False, limit: int = 64
    ) -> list[Event]:
        stream = GroupStream(self.pool, self.cache, CAMERA, START_NS, END_NS)
        return list(stream.run(Fetch(from_ns, to_ns, backward, key_only, limit), END_NS))

    def everything(self, *, backward: bool, key_only: bool, limit: int) -> list[tuple[int, bytes]]:
        groups: list[tuple[int, bytes]] = []
        at: int | None = END_NS - 1 if backward else START_NS
        while at is not None:
            events = self.fetch(at, START_NS if backward else END_NS, backward=backward, key_only=key_only, limit=limit)
            groups += media(events)
            done = events[-1]
            assert isinstance(done, Done)
            at = done.next_ns
        return groups


def media(events: list[Event]) -> list[tuple[int, bytes]]:
    return [(event.start_ns, b"".join(event.part.pieces)) for event in events if isinstance(event, Media)]


def make_shelf(place: str, film: Footage | None, gaps_ms: list[int], groups: int = 2) -> Shelf:
    archive = Archive(Path(place), film)
    at_ns = START_NS
    for number, gap_ms in enumerate(gaps_ms):
        pictures = groups * archive.film.group
        archive.record_as_shard(at_ns, pictures, first=(number % 2) * archive.film.group, finish=number % 3 != 2)
        at_ns += pictures * archive.interval_ns + gap_ms * NS_PER_MS
    return Shelf(archive, CataloguePool([archive.folder]), IndexCache())


@pytest.fixture(scope="module", params=["", B_FRAMES_FILE.name], ids=["plain", "reordered"])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    """Segments with jitter, small overlaps and holes between them, some of them without a fragment index."""
    with TemporaryDirectory() as place:
        film = footage(request.param) if request.param else None
        shelf = make_shelf(place, film, [0, 3, -5, 2_000, 0, -3, 40, 700])
        yield shelf
        shelf.pool.close()
        shelf.archive.close()


@settings(max_examples=15, deadline=None)
@given(limit=st.integers(1, 9), key_only=st.booleans())
def test_backward_is_forward_in_the_other_order_however_much_is_asked_for_at_once(
    shelf: Shelf, limit: int, key_only: bool
) -> None:
    whole = shelf.everything(backward=False, key_only=key_only, limit=64)
    assert len(whole) == 16
    assert shelf.everything(backward=False, key_only=key_only, limit=limit) == whole
    assert shelf.everything(backward=True, key_only=key_only, limit=limit) == whole[::-1]


@settings(max_examples=80, deadline=None)
@given(at_ms=st.integers(-2_000, 50_000), jitter_ns=st.integers(0, 999_999))
def test_any_instant_gives_the_group_that_holds_it_in_either_direction(
    shelf: Shelf, at_ms: int, jitter_ns: int
) -> None:
    whole = shelf.everything(backward=False, key_only=False, limit=64)
    starts = [start_ns for start_ns, _ in whole]
    at_ns = max(START_NS + at_ms * NS_PER_MS + jitter_ns, 0)
    behind = [number for number, start_ns in enumerate(starts) if start_ns <= at_ns]
    backward = media(shelf.fetch(at_ns, START_NS, backward=True, limit=1))
    assert [start_ns for start_ns, _ in backward] == ([starts[behind[-1]]] if behind else [])
    events = shelf.fetch(at_ns, END_NS, limit=1)
    forward = media(events)
    holes = [event for event in events if isinstance(event, Hole)]
    if not forward:
        assert at_ns > starts[-1]
    elif holes and behind:
        assert forward[0] == whole[behind[-1] + 1]
    else:
        assert abs(starts.index(forward[0][0]) - (behind[-1] if behind else 0)) <= 1


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_no_changed_bit_of_a_file_crashes_or_loses_another_segment(harmed: Shelf, place: int, bit: int) -> None:
    """LAW-40: whatever is damaged, what is given of it is told or decodes to as many pictures as it says."""
    segment = harmed.fetch(START_NS, END_NS)
    paths = sorted(harmed.archive.folder.glob("media/*/*/*.mp4"))
    data = bytearray(paths[0].read_bytes())
    data[place % len(data)] ^= 1 << bit
    sound = paths[0].read_bytes()
    paths[0].write_bytes(data)
    harmed.cache = IndexCache()
    try:
        for backward in (False, True):
            ends = (END_NS, START_NS) if backward else (START_NS, END_NS)
            events = harmed.fetch(*ends, backward=backward)
            assert isinstance(events[-1], Done)
            assert all(isinstance(event, Config | Media | Hole | Damage | Done) for event in events)
            assert len(media(events)) >= len(media(segment)) - 2
    finally:
        paths[0].write_bytes(sound)


@pytest.fixture(scope="module")
def harmed() -> Iterator[Shelf]:
    with TemporaryDirectory() as place:
        shelf = make_shelf(place, None, [0, 0, 0])
        yield shelf
        shelf.pool.close()
        shelf.archive.close()


pictures = st.lists(
    st.tuples(st.integers(1, 9_000), st.integers(0, 9_000), st.integers(0, 5_000)), min_size=1, max_size=40
)


def film_of(rows: list[tuple[int, int, int]], start_90k: int) -> list[Picture]:
    film: list[Picture] = []
    at_90k = start_90k
    for number, (duration_90k, late_90k, size) in enumerate(rows):
        film.append(Picture(at_90k, at_90k + late_90k, duration_90k, number == 0, 0, size))
        at_90k += duration_90k
    return film


@given(rows=pictures, start_90k=st.integers(-100_000, 100_000), length_90k=st.integers(0, 200_000))
def test_what_is_cut_and_squeezed_keeps_its_order_and_its_instants(
    rows: list[tuple[int, int, int]], start_90k: int, length_90k: int
) -> None:
    film = film_of(rows, start_90k)
    kept = until(film, length_90k)
    assert [one.decode_90k for one in kept] == [one.decode_90k for one in film if one.decode_90k < length_90k]
    if not kept:
        return
    moved = squeezed(kept)
    decode = [one.decode_90k for one in moved]
    assert decode == sorted(set(decode))
    assert decode[0] >= 0
    assert all(one.present_90k >= one.decode_90k for one in moved)
    assert all(one.duration_90k > 0 for one in moved)
    for before, after in zip(kept, moved, strict=True):
        if before.decode_90k >= len(kept):
            assert (before.decode_90k, before.present_90k) == (after.decode_90k, after.present_90k)
        if before.present_90k >= 0:
            assert 0 <= after.present_90k - before.present_90k <= len(kept)


@given(rows=pictures, limit=st.integers(1, 20_000))
def test_parts_hold_everything_once_and_are_bounded(rows: list[tuple[int, int, int]], limit: int) -> None:
    film = film_of(rows, 0)
    parts = list(shared_out(film, limit))
    assert [one for part in parts for one in part] == film
    assert all(len(part) == 1 or sum(one.size for one in part) <= limit for part in parts)


def open_film() -> Footage:
    """H.265 with open groups: pictures presented before a key frame that need the group before it as well."""
    container = io.BytesIO()
    with av.open(container, "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.time_base = Fraction(1, 25)
        settings_x265 = "open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0:pools=1:log-level=none"
        stream.options = {"x265-params": settings_x265, "preset": "ultrafast"}
        for number in range(40):
            frame = av.VideoFrame(128, 96, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes((at * 7 + number * 5) & 0xFF for at in range(plane.buffer_size)))
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    data = container.getvalue()
    track = read_track(reader_of(data), len(data))
    return Footage(
        track.parameters,
        track.width,
        track.height,
        tuple(
            FilmPicture(
                one.presentation_time * 90_000 // track.timescale,
                data[one.offset + 4] >> 1 & 0x3F in range(16, 22) or one.key,
                data[one.offset : one.offset + one.size],
            )
            for one in track.samples
        ),
    )


def test_what_needs_the_group_before_is_given_only_behind_it(tmp_path: Path) -> None:
    film = open_film()
    archive = Archive(tmp_path / "store", film)
    segment: StoredSegment = archive.record_as_shard(START_NS, len(film.pictures))
    pool = CataloguePool([archive.folder])
    shelf = Shelf(archive, pool, IndexCache())
    events = shelf.fetch(START_NS, END_NS)
    (config,) = [event for event in events if isinstance(event, Config)]
    forward = [data for _, data in media(events)]
    assert len(forward) > 2
    assert len(shown(config.init, forward)) == len(film.pictures)
    backward = [data for _, data in media(shelf.fetch(segment.end_ns, START_NS, backward=True))][::-1]
    alone = [len(shown(config.init, [data])) for data in backward]
    assert sum(alone) < len(film.pictures)
    assert all(len(given) < len(whole) for given, whole in zip(backward[1:], forward[1:], strict=True))
    seek = [data for _, data in media(shelf.fetch(START_NS + 500 * NS_PER_MS, END_NS))]
    assert seek[0] == backward[-len(seek)]
    assert seek[1:] == forward[-len(seek) + 1 :]
    pool.close()
    archive.close()


def test_what_is_remembered_of_files_is_bounded() -> None:
    cache = IndexCache(limit=100)
    parameters = footage().parameters
    for number in range(50):
        groups = tuple(GroupEntry(at, at + 1, at, at + 1) for at in range(10))
        cache.keep(f"seg-{number}", 9, GroupIndex(b"", parameters, 0, 10, groups))
        cache.keep("seg-0", 0, GroupIndex(b"", parameters, 0, 10, groups))
    assert cache.get("seg-49", 9) is not None
    assert cache.get("seg-0", 0) is not None
    assert cache.get("seg-1", 9) is None
    assert cache._kept == 18 * len(cache._indexes) <= 100
