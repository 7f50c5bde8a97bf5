from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.streams import H264, H265
from vms.media.access_unit import Codec
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.fmp4 import (
    NO_DIGEST,
    CameraTime,
    CameraTimeSource,
    FragmentIndexEntry,
    SampleInfo,
    SegmentHeader,
    TimeSource,
    TimeTrust,
    fragment_header,
    fragment_index,
    fragments_from,
    init_segment,
    parse_moof,
    parse_segment_header,
    read_fragment,
    read_fragment_index,
    read_head,
    read_init,
    reader_of,
    retime_fragment,
    scan_fragments,
    segment_header_box,
    video_parameters,
)
from vms.media.fmp4.boxes import box, box_at, boxes_between, content_of

samples = st.lists(
    st.builds(
        SampleInfo,
        size=st.integers(0, 2_000),
        duration_90k=st.integers(0, 0xFFFF_FFFF),
        key=st.booleans(),
        composition_offset_90k=st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=40,
)
headers = st.builds(
    SegmentHeader,
    segment_id=st.text(max_size=60),
    camera_id=st.text(max_size=60),
    run=st.integers(0, 0xFFFF_FFFF),
    start_ns=st.integers(-(2**63), 2**63 - 1),
    trust=st.builds(TimeTrust, st.sampled_from(TimeSource), st.integers(0, 0xFFFF_FFFF)),
    previous_digest=st.binary(min_size=32, max_size=32),
    place=st.text(max_size=60),
    camera_time=st.builds(
        CameraTime, st.sampled_from(CameraTimeSource), st.none() | st.integers(-(2**63) + 1, 2**63 - 1)
    ),
)


class Counted:
    """A file in memory that notes the largest read asked of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.largest = 0

    def __call__(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert size >= 0
        self.largest = max(self.largest, size)
        return self.data[offset : offset + size]


def fragment(sequence: int, decode_90k: int, infos: list[SampleInfo]) -> bytes:
    return fragment_header(sequence, decode_90k, infos) + bytes(sum(info.size for info in infos))


def two_fragments() -> tuple[bytes, int]:
    head = init_segment(H264)
    first = fragment(1, 0, [SampleInfo(50, 3600, key=True), SampleInfo(10, 3600, key=False)])
    second = fragment(2, 7200, [SampleInfo(20, 3600, key=False)])
    return head + first + second, len(head)


@given(st.integers(0, 0xFFFF_FFFF), st.integers(0, 2**64 - 1), samples)
def test_a_fragment_is_read_as_it_was_written(sequence: int, decode_90k: int, infos: list[SampleInfo]):
    data = fragment(sequence, decode_90k, infos)
    found = read_fragment(reader_of(data), 0, len(data))
    assert (found.sequence, found.index.decode_time_90k, list(found.samples)) == (sequence, decode_90k, infos)
    assert found.index.size == len(data)
    assert found.media_offset == len(data) - sum(info.size for info in infos)


@given(samples, st.integers(0, 0xFFFF_FFFF), st.integers(0, 2**64 - 1))
def test_a_fragment_takes_another_place_and_nothing_else_changes(infos: list[SampleInfo], sequence: int, to_90k: int):
    before = fragment_header(1, 5, infos)
    after = retime_fragment(before, sequence, to_90k)
    assert parse_moof(after) == (sequence, to_90k, tuple(infos))
    assert retime_fragment(after, 1, 5) == before


def test_a_fragment_of_another_writer_is_not_retimed():
    with pytest.raises(MediaError):
        retime_fragment(box(b"moof", box(b"traf")) + bytes(100), 1, 0)


@pytest.mark.parametrize("infos", [[], [SampleInfo(0xFFFF_FFFF, 1, key=True)] * 2])
def test_a_fragment_has_bounds(infos: list[SampleInfo]):
    with pytest.raises(MediaError) as refused:
        fragment_header(1, 0, infos)
    assert refused.value.code is MediaErrorCode.CONTAINER_TOO_LARGE


@given(headers)
def test_a_segment_header_is_read_as_it_was_written(header: SegmentHeader):
    """LAW-39, LAW-40."""
    data = segment_header_box(header)
    found = box_at(reader_of(data), 0, len(data))
    assert found.size == len(data)
    assert parse_segment_header(content_of(reader_of(data), found)) == header


@given(headers, st.data())
def test_a_cut_segment_header_is_an_error_and_a_foreign_box_is_none(header: SegmentHeader, data: st.DataObject):
    content = segment_header_box(header)[8:]
    kept = data.draw(st.integers(16, len(content) - 1))
    with pytest.raises(MediaError):
        parse_segment_header(content[:kept])
    assert parse_segment_header(bytes(len(content))) is None


def test_a_segment_header_of_the_first_version_is_still_read():
    written = bytes.fromhex(
        "0000009975756964b6d0c1a25f7e4a5c9e0d766d732d736701000000000718867251edfa00000000000c0707070707070707070707070707"
        "070707070707070707070707070707070707001e7365672d3030303030303030303030303030303030303030303030303031001e63616d2d"
        "3030303030303030303030303030303030303030303030303031000d323732323920c3897672657578"
    )
    assert parse_segment_header(written[8:]) == SegmentHeader(
        "seg-00000000000000000000000001",
        "cam-00000000000000000000000001",
        7,
        1_767_225_600 * 10**9,
        TimeTrust(TimeSource.SENDER_REPORT, 12),
        b"\7" * 32,
        "27229 Évreux",
    )


def test_a_segment_header_of_a_later_version_is_refused():
    content = bytearray(segment_header_box(SegmentHeader("s", "c", 1, 2, TimeTrust(TimeSource.ARRIVAL, 3)))[8:])
    content[16] = 3
    with pytest.raises(MediaError):
        parse_segment_header(bytes(content))


def test_over_long_texts_and_odd_digests_are_not_written():
    trust = TimeTrust(TimeSource.UNKNOWN, 0)
    for header in (SegmentHeader("s" * 513, "c", 1, 2, trust), SegmentHeader("s", "c", 1, 2, trust, b"short")):
        with pytest.raises(MediaError):
            segment_header_box(header)


@pytest.mark.parametrize("parameters", [H264, H265])
def test_parameter_sets_come_back_from_an_init_segment(parameters):
    entry = read_init(init_segment(parameters))
    video = video_parameters(parameters)
    assert entry.parameters == parameters
    assert (entry.width, entry.height, entry.nal_length_bytes) == (video.width, video.height, 4)
    assert video.codec_string.startswith("avc1." if parameters.codec is Codec.H264 else "hvc1.")


def test_a_head_tells_where_the_fragments_begin_and_whose_they_are():
    header = SegmentHeader("seg", "cam", 4, 5, TimeTrust(TimeSource.SENDER_REPORT, 12), NO_DIGEST, "27229 Évreux")
    init = init_segment(H264)
    data = init + segment_header_box(header)
    first = fragment(1, 0, [SampleInfo(9, 3600, key=True)])
    head = read_head(reader_of(data + first), len(data) + len(first))
    assert (head.init, head.size, head.header) == (init, len(data), header)
    assert scan_fragments(reader_of(data + first), head.size, len(data) + len(first))[0].size == len(first)


def test_a_growing_or_cut_file_ends_at_its_last_whole_fragment():
    data, start = two_fragments()
    whole = scan_fragments(reader_of(data), start, len(data))
    assert [(entry.decode_time_90k, entry.key, entry.sample_count) for entry in whole] == [
        (0, True, 2),
        (7200, False, 1),
    ]
    for size in range(whole[1].offset, len(data)):
        assert scan_fragments(reader_of(data[:size]), start, size) == whole[:1]


def test_a_closed_segment_finds_its_key_frames_by_its_index():
    entries = [FragmentIndexEntry(1000 + n * 500, 500, n * 90_000, 90_000, n % 2 == 0, 25) for n in range(7)]
    data = bytes(9_000) + fragment_index(entries)
    read_at = Counted(data)
    assert read_fragment_index(read_at, len(data)) == [(n * 90_000, 1000 + n * 500) for n in (0, 2, 4, 6)]
    assert read_at.largest < 300
    assert read_fragment_index(reader_of(data[:-1]), len(data) - 1) is None


def test_a_playback_starts_at_the_key_frame_before():
    head = init_segment(H264)
    body = b""
    entries: list[FragmentIndexEntry] = []
    for number in range(8):
        key = number % 2 == 0
        data = fragment(number + 1, number * 9000, [SampleInfo(30, 9000, key)])
        offset = len(head) + len(body)
        entries.append(FragmentIndexEntry(offset, len(data), number * 9000, 9000, key, 1))
        body += data
    for file in (head + body, head + body + fragment_index(entries)):
        for wanted_90k, first in ((0, 0), (8_999, 0), (18_000, 2), (30_000, 2), (10**9, 6)):
            found = fragments_from(reader_of(file), len(file), len(head), wanted_90k)
            assert found == entries[first:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        b"\0\0\0\x07moov",
        b"\0\0\0\x01moov\0\0\0",
        b"\0\0\0\x01moov" + struct.pack(">Q", 2**63),
        b"\xff\xff\xff\xffmoov",
        box(b"free"),
        box(b"moov", box(b"trak")),
        box(b"moof", box(b"moov")),
    ],
)
def test_what_is_no_segment_is_a_media_error(data: bytes):
    with pytest.raises(MediaError):
        read_head(reader_of(data), len(data))


def test_endless_boxes_are_bounded():
    data = box(b"free") * 5_000
    with pytest.raises(MediaError) as refused:
        list(boxes_between(reader_of(data), 0, len(data)))
    assert refused.value.code is MediaErrorCode.CONTAINER_TOO_LARGE


@given(st.data())
def test_damage_anywhere_is_a_media_error_at_worst_and_reads_stay_bounded(data: st.DataObject):
    content, _ = two_fragments()
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 4))
        damaged[place : place + 4] = data.draw(st.binary(min_size=4, max_size=4))
    read_at = Counted(bytes(damaged))
    try:
        head = read_head(read_at, len(damaged))
        for entry in scan_fragments(read_at, head.size, len(damaged)):
            assert entry.offset + entry.size <= len(damaged)
        fragments_from(read_at, len(damaged), head.size, 3600)
    except MediaError:
        pass
    assert read_at.largest <= 16 * 1024 * 1024


@given(st.binary(max_size=300))
def test_garbage_is_a_media_error_and_nothing_else(data: bytes):
    for read in (
        lambda: read_head(reader_of(data), len(data)),
        lambda: read_fragment(reader_of(data), 0, len(data)),
        lambda: parse_moof(data),
        lambda: parse_moof(box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", data))),
    ):
        try:
            read()
        except MediaError:
            continue
    assert scan_fragments(reader_of(data), 0, len(data)) == []
    assert read_fragment_index(reader_of(data), len(data)) is None
