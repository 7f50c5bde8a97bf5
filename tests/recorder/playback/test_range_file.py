"""A range as a file of known length: downloaded in pieces, resumed, and what it holds."""

from __future__ import annotations

import asyncio
import io
import random
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.playback.catalogue import CataloguePool
from recorder.playback.range_file import RangeFile, RangeFiles
from recorder.playback.segment_file import IndexCache
from tests.recorder.footage import B_FRAMES_FILE, footage
from tests.recorder.gateways import CAMERA, ORIGIN, RunningGateway, until
from tests.recorder.playback.archive import START_NS, Archive
from vms.base.clock import NS_PER_SECOND
from vms.media.fmp4 import parse_moof, reader_of
from vms.media.fmp4.boxes import boxes_between

END_NS = START_NS + 3_600 * NS_PER_SECOND


def layout(archive: Archive, from_ns: int, to_ns: int) -> RangeFile | None:
    pool = CataloguePool([archive.folder])
    try:
        return RangeFiles(pool, IndexCache()).layout(CAMERA, from_ns, to_ns)
    finally:
        pool.close()


def content(file: RangeFile, begin: int = 0, end: int | None = None) -> bytes:
    return b"".join(chunk.data for chunk in file.read(begin, file.size if end is None else end, IndexCache()))


def presented(data: bytes) -> list[int]:
    """The presentation times of the pictures of a whole file, decoded without an error."""
    with av.open(io.BytesIO(data), "r", format="mp4") as container:
        return [frame.pts for frame in container.decode(video=0) if frame.pts is not None]


def moofs(data: bytes) -> list[tuple[int, int, int]]:
    """Sequence number, decode time and number of samples of each fragment; every box must be whole."""
    boxes = list(boxes_between(reader_of(data), 0, len(data)))
    assert [box.kind for box in boxes] == [b"ftyp", b"moov", *[b"moof", b"mdat"] * (len(boxes) // 2 - 1)]
    return [
        (sequence, time_90k, len(samples))
        for sequence, time_90k, samples in (
            parse_moof(data[box.offset : box.end]) for box in boxes if box.kind == b"moof"
        )
    ]


def record(archive: Archive, groups: int, segments: int, gap_ns: int = 0) -> int:
    """Segments one after the other; the length of one."""
    pictures = groups * archive.film.group
    length_ns = pictures * archive.interval_ns
    for number in range(segments):
        archive.record_as_shard(START_NS + number * (length_ns + gap_ns), pictures)
    return length_ns


def test_a_range_is_one_file_that_plays(archive: Archive) -> None:
    """LAW-41: the pictures are those of the recording, and a gap keeps its length."""
    length_ns = record(archive, 2, 3, gap_ns=10 * NS_PER_SECOND)
    file = layout(archive, START_NS, END_NS)
    assert file is not None
    assert (file.start_ns, file.mime[:9]) == (START_NS, "video/mp4")
    data = content(file)
    assert len(data) == file.size
    times = presented(data)
    assert len(times) == 6 * archive.film.group
    assert times == sorted(times)
    fragments = moofs(data)
    assert all(earlier < later for earlier, later in pairwise(fragments))
    second = next(time_90k for sequence, time_90k, _ in fragments if sequence >> 16 == 1)
    assert abs(second - (length_ns + 10 * NS_PER_SECOND) * 9 // 100_000) <= 1


def test_a_range_begins_with_the_key_frame_before_it_and_ends_before_the_picture_at_its_end(archive: Archive) -> None:
    record(archive, 3, 2)
    group_ns = archive.film.group * archive.interval_ns
    to_ns = START_NS + 4 * group_ns + 3 * archive.interval_ns
    file = layout(archive, START_NS + group_ns + group_ns // 2, to_ns)
    assert file is not None
    assert abs(file.start_ns - START_NS - group_ns) < 20_000
    assert len(presented(content(file))) == 3 * archive.film.group + 3


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 9_000),
    length=st.integers(1, 9_000),
    pieces=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 3_000)), max_size=12),
)
@pytest.mark.parametrize("film", ["", B_FRAMES_FILE.name])
def test_pieces_of_any_range_are_those_of_the_whole(
    laid: dict[str, Archive], film: str, start: int, length: int, pieces: list[tuple[int, int]]
) -> None:
    from_ns = START_NS + start * 1_000_000
    file = layout(laid[film], from_ns, from_ns + length * 1_000_000)
    again = layout(laid[film], from_ns, from_ns + length * 1_000_000)
    assert file == again
    if file is None or again is None:
        return  # All of it lies in a gap.
    whole = content(file)
    assert len(whole) == file.size
    fragments = moofs(whole)
    assert all(earlier[:2] < later[:2] for earlier, later in pairwise(fragments))
    assert fragments[0][1] == 0
    assert file.start_ns <= from_ns + 1_300_000_000  # A gap, and a first segment that is all but over.
    for offset, size in pieces:
        begin = offset % file.size
        end = min(begin + size, file.size)
        assert content(again, begin, end) == whole[begin:end]


@pytest.fixture(scope="module")
def laid() -> object:
    """Recordings that are only read: by film."""
    with TemporaryDirectory() as place:
        archives = {
            name: Archive(Path(place, name or "plain"), footage(name) if name else None)
            for name in ("", B_FRAMES_FILE.name)
        }
        for archive in archives.values():
            start_ns = START_NS
            for _ in range(5):  # Reordered pictures end before their number times their interval is over.
                segment = archive.record_as_shard(start_ns, 2 * archive.film.group)
                start_ns = segment.end_ns + 1_234_567_890
        yield archives
        for archive in archives.values():
            archive.close()


def test_other_parameter_sets_end_the_file(archive: Archive) -> None:
    length_ns = record(archive, 2, 1)
    archive.record_as_shard(START_NS + length_ns, 8, film=footage("street_768x576_h264.mp4"))
    file = layout(archive, START_NS, END_NS)
    assert file is not None
    assert len(presented(content(file))) == 2 * archive.film.group


def test_where_the_clock_went_back_decode_times_still_grow(archive: Archive) -> None:
    record(archive, 4, 1)
    archive.record_as_shard(START_NS + 2 * archive.film.group * archive.interval_ns + 1_000, 3 * archive.film.group)
    file = layout(archive, START_NS, END_NS)
    assert file is not None
    data = content(file)
    fragments = moofs(data)
    times = [time_90k for _, time_90k, _ in fragments if time_90k]
    assert times == sorted(times)
    assert len(presented(data)) >= 5 * archive.film.group


def test_what_grows_is_no_file(archive: Archive) -> None:
    length_ns = record(archive, 2, 1)
    archive.record_as_shard(START_NS + length_ns, 20, still_open=True)
    assert layout(archive, START_NS, END_NS) is None
    assert layout(archive, START_NS, START_NS + length_ns) is not None
    assert layout(archive, END_NS, END_NS + 1) is None


async def test_a_download_in_random_pieces_is_the_whole(node: RunningGateway, archive: Archive) -> None:
    await asyncio.to_thread(record, archive, 4, 3)
    url = f"{node.url}/playback?from={START_NS + NS_PER_SECOND}&to={END_NS}"
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {node.centre.playback(START_NS, END_NS)}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        whole = await client.get(url)
        assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
        assert whole.headers["content-length"] == str(len(whole.content))
        etag = whole.headers["etag"]
        head = await client.head(url)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
        assert head.headers["content-length"] == str(len(whole.content))
        dice = random.Random(7)
        got = bytearray(len(whole.content))
        cuts = sorted({0, len(got), *[dice.randrange(len(got)) for _ in range(20)]})
        spans = list(pairwise(cuts))
        dice.shuffle(spans)
        for begin, end in spans:
            part = await client.get(url, headers={"Range": f"bytes={begin}-{end - 1}", "If-Range": etag})
            assert part.status_code == 206
            assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(got)}"
            assert part.headers["etag"] == etag
            got[begin:end] = part.content
        assert bytes(got) == whole.content
    assert presented(whole.content)


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=10-", 206, 10, None),
        ("bytes=-7", 206, -7, None),
        ("bytes=-99999999", 206, 0, None),
        ("bytes=5-99999999", 206, 5, None),
        ("bytes=99999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-3", 200, 0, None),
        ("bytes=0-1,5-6", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("bytes=a-b", 200, 0, None),
        ("frames=0-1", 200, 0, None),
        ("bytes=0-9" + "9" * 30, 200, 0, None),
    ],
)
async def test_a_range_header_is_read_as_the_standard_says(
    node: RunningGateway, archive: Archive, asked: str, status: int, first: int, last: int | None
) -> None:
    """RFC 9110, section 14."""
    await asyncio.to_thread(record, archive, 1, 1)
    url = f"{node.url}/playback?from={START_NS}&to={END_NS}"
    headers = {"Authorization": f"Bearer {node.centre.playback(START_NS, END_NS)}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        whole = (await client.get(url)).content
        answer = await client.get(url, headers={"Range": asked})
        assert answer.status_code == status
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(whole)}"
            assert answer.json()["code"] == "range.unsatisfiable"
        else:
            assert answer.content == whole[first:last]
        for other in ('"another"', "Mon, 01 Jan 2026 00:00:00 GMT", ""):
            changed = await client.get(url, headers={"Range": asked, "If-Range": other})
            assert (changed.status_code, changed.content) == (200, whole)


async def test_a_changed_bit_breaks_a_download_off_and_is_refused_from_then_on(
    node: RunningGateway, archive: Archive
) -> None:
    """LAW-40."""
    await asyncio.to_thread(record, archive, 2, 1)
    (path,) = archive.folder.glob("media/*/*/*.mp4")

    def flip() -> None:
        data = bytearray(path.read_bytes())
        data[data.rindex(b"mdat") + 300] ^= 1
        path.write_bytes(data)

    await asyncio.to_thread(flip)
    url = f"{node.url}/playback?from={START_NS}&to={END_NS}"
    headers = {"Authorization": f"Bearer {node.centre.playback(START_NS, END_NS)}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        await client.get(url, headers={"Range": "bytes=0-10000"})
        await until(lambda: any(node.gateway._playback.digests._known.values()))
        refused = await client.get(url)
        assert (refused.status_code, refused.json()["code"]) == (500, "segment.damaged")


async def test_what_grows_is_streamed_without_a_length(node: RunningGateway, archive: Archive) -> None:
    length_ns = await asyncio.to_thread(record, archive, 2, 1)
    pictures = 2 * archive.film.group
    await asyncio.to_thread(archive.record_as_shard, START_NS + length_ns, pictures, still_open=True)
    url = f"{node.url}/playback?from={START_NS}&to={END_NS}"
    headers = {"Authorization": f"Bearer {node.centre.playback(START_NS, END_NS)}", "Range": "bytes=0-10"}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
        for answer in (await client.head(url), await client.get(url)):
            assert answer.status_code == 200
            assert {"etag", "content-length", "accept-ranges"}.isdisjoint(answer.headers)
            assert answer.headers["x-media-start-ns"] == str(START_NS)
        assert len(presented(answer.content)) > pictures
