from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.streams import (
    BY_CODEC,
    H264,
    H264_PPS,
    H264_SPS,
    PAYLOAD_TYPE,
    Sender,
    demuxer,
    packets_of,
    sample,
    samples_of,
    slice_nal,
)
from vms.media.access_unit import NATIVE_CODECS, Codec
from vms.media.depacketise import Batch, DemuxerLimits, StreamDemuxer
from vms.media.errors import MediaError
from vms.media.rtcp import build_bye, build_sender_report
from vms.media.rtsp import InterleavedFrame, RtspResponse

CODECS = pytest.mark.parametrize("codec", NATIVE_CODECS)


def fed(machine: StreamDemuxer, *parts: bytes) -> Batch:
    """One batch out of several feeds."""
    whole = Batch()
    for part in parts:
        batch = machine.feed(part)
        whole.access_units += batch.access_units
        whole.rtsp += batch.rtsp
        whole.sender_reports += batch.sender_reports
        whole.lost_packets += batch.lost_packets
        whole.sequence_jumps += batch.sequence_jumps
        whole.malformed_packets += batch.malformed_packets
        whole.ignored_packets += batch.ignored_packets
        whole.packets += batch.packets
        whole.bye |= batch.bye
    return whole


@CODECS
def test_pictures_come_out_as_they_went_in(codec: Codec):
    sender = Sender(codec)
    pictures = [[slice_nal(codec, key=n == 0, size=1000)] for n in range(4)]
    batch = demuxer(codec).feed(b"".join(sender.picture(*nals) for nals in pictures))
    assert samples_of(batch) == [sample(*nals) for nals in pictures]
    assert [unit.key for unit in batch.access_units] == [True, False, False, False]
    assert not any(unit.damaged for unit in batch.access_units)
    assert all(unit.size == len(b"".join(unit.chunks)) for unit in batch.access_units)


def test_time_stamps_go_on_across_their_wrap():
    sender = Sender(timestamp=0xFFFF_F000)
    batch = demuxer().feed(b"".join(sender.picture(slice_nal(Codec.H264, key=True)) for _ in range(4)))
    stamps = [unit.rtp_timestamp for unit in batch.access_units]
    assert [after - before for before, after in pairwise(stamps)] == [3600] * 3
    assert stamps[-1] > 0xFFFF_FFFF


@settings(max_examples=60)
@given(
    codec=st.sampled_from(NATIVE_CODECS),
    sizes=st.lists(st.lists(st.integers(6, 900), min_size=1, max_size=4), min_size=1, max_size=6),
    mtu=st.integers(20, 1500),
    cuts=st.lists(st.integers(0, 20_000), max_size=12),
)
def test_any_sizes_and_any_split_of_the_bytes_give_the_same_pictures(
    codec: Codec, sizes: list[list[int]], mtu: int, cuts: list[int]
):
    sender = Sender(codec)
    pictures = [
        [slice_nal(codec, key=number == 0, size=size, first=place == 0) for place, size in enumerate(picture)]
        for number, picture in enumerate(sizes)
    ]
    data = b"".join(sender.picture(*nals, max_payload_bytes=mtu) for nals in pictures)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    batch = fed(demuxer(codec), *(data[a:b] for a, b in pairwise(places)))
    assert samples_of(batch) == [sample(*nals) for nals in pictures]
    assert batch.lost_packets == batch.malformed_packets == 0


def test_a_caller_may_reuse_its_buffer():
    sender = Sender()
    buffer = bytearray(sender.picture(slice_nal(Codec.H264, key=True, size=500)))
    machine = demuxer()
    batch = machine.feed(memoryview(buffer))
    expected = samples_of(batch)
    buffer[:] = bytes(len(buffer))
    assert samples_of(batch) == expected


def test_a_camera_without_markers_ends_a_picture_with_the_next_time_stamp():
    sender = Sender()
    data = bytearray(b"".join(sender.picture(slice_nal(Codec.H264, key=True)) for _ in range(3)))
    for packet_start in _packet_starts(bytes(data)):
        data[packet_start + 5] &= 0x7F
    batch = demuxer().feed(bytes(data))
    assert len(batch.access_units) == 2


def test_a_camera_that_marks_every_slice_is_found_out():
    sender = Sender()
    pictures, expected = [], []
    for number in range(4):
        first = slice_nal(Codec.H264, key=number == 0, size=50)
        second = slice_nal(Codec.H264, key=number == 0, size=60, first=False)
        pictures.append(sender.picture(first, step=0) + sender.picture(second))
        expected.append(sample(first, second))
    batch = fed(demuxer(), *pictures)
    assert samples_of(batch)[-2:] == expected[1:3]
    assert not batch.access_units[-1].damaged


def test_a_lost_packet_is_counted_and_its_picture_kept_and_marked():
    sender = Sender()
    machine = demuxer()
    packets = packets_of(sender.picture(slice_nal(Codec.H264, key=True, size=1000)))
    batch = machine.feed(b"".join(packets[:2] + packets[3:]) + sender.picture(slice_nal(Codec.H264, key=False)))
    assert batch.lost_packets == 1
    assert [unit.damaged for unit in batch.access_units] == [True, False]


def test_a_loss_between_two_pictures_marks_both_sides():
    sender = Sender()
    first = packets_of(sender.picture(slice_nal(Codec.H264, key=True, size=1000)))
    slices = [slice_nal(Codec.H264, key=False, size=150, first=place == 0) for place in range(3)]
    second = packets_of(sender.picture(*slices))
    batch = demuxer().feed(b"".join(first[:-1] + second[1:]))
    assert batch.lost_packets == 2
    assert [unit.damaged for unit in batch.access_units] == [True, True]


def test_a_leap_of_the_sequence_between_pictures_loses_nothing():
    sender = Sender()
    machine = demuxer()
    machine.feed(sender.picture(slice_nal(Codec.H264, key=True)))
    sender.sequence += 20_000
    batch = machine.feed(sender.picture(slice_nal(Codec.H264, key=False)))
    assert (batch.lost_packets, batch.sequence_jumps) == (0, 1)
    assert not batch.access_units[0].damaged


def test_parameter_sets_in_band_are_adopted_and_kept_by_identity():
    machine = StreamDemuxer(Codec.H264, 0, 1, PAYLOAD_TYPE)
    sender = Sender()
    assert machine.feed(sender.picture(slice_nal(Codec.H264, key=True))).access_units == []
    key = (H264_SPS, H264_PPS, slice_nal(Codec.H264, key=True))
    batch = machine.feed(sender.picture(*key) + sender.picture(*key))
    first, second = batch.access_units
    assert (first.parameters.sps, first.parameters.pps) == (H264_SPS, (H264_PPS,))
    assert first.parameters is second.parameters
    assert b"".join(first.chunks) == sample(*key)


def test_a_change_of_resolution_gives_new_parameter_sets():
    other = bytes.fromhex("6742c00cd981609684000003001000000300c83c50a9a0")
    sender = Sender()
    batch = demuxer().feed(
        sender.picture(slice_nal(Codec.H264, key=True))
        + sender.picture(other, bytes.fromhex("68c9614b20"), slice_nal(Codec.H264, key=True))
    )
    before, after = (unit.parameters for unit in batch.access_units)
    assert (before.sps, after.sps) == (H264_SPS, other)


def test_parameter_sets_that_come_alone_are_kept_for_the_next_picture():
    sender = Sender()
    batch = fed(
        StreamDemuxer(Codec.H264, 0, 1, PAYLOAD_TYPE),
        sender.picture(H264_SPS),
        sender.picture(H264_PPS),
        sender.picture(slice_nal(Codec.H264, key=True)),
    )
    assert samples_of(batch) == [sample(H264_SPS, H264_PPS, slice_nal(Codec.H264, key=True))]


def test_an_aggregate_is_taken_apart():
    nals = (H264_SPS, H264_PPS, slice_nal(Codec.H264, key=True))
    body = b"\x78" + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)
    packet = struct.pack(">BBHII", 0x80, 0x80 | PAYLOAD_TYPE, 1, 90_000, 7) + body
    batch = demuxer().feed(InterleavedFrame(0, packet).encode())
    assert samples_of(batch) == [sample(*nals)]


def test_padding_extension_and_contributors_are_passed_over():
    nal = slice_nal(Codec.H264, key=True)
    extension = struct.pack(">HH", 0xABCD, 1) + b"wxyz"
    head = struct.pack(">BBHII", 0x80 | 0x20 | 0x10 | 2, 0x80 | PAYLOAD_TYPE, 1, 90_000, 7)
    packet = head + bytes(8) + extension + nal + b"\0\0\0\4"
    assert samples_of(demuxer().feed(InterleavedFrame(0, packet).encode())) == [sample(nal)]


def test_answers_and_reports_between_frames_are_handed_out():
    sender = Sender()
    answer = RtspResponse(200, "OK", (("CSeq", "9"),), b"body").encode()
    report = InterleavedFrame(1, build_sender_report(7, 1_700_000_000_000_000_000, 4_000, 10, 1000)).encode()
    first, second = sender.picture(slice_nal(Codec.H264, key=True)), sender.picture(slice_nal(Codec.H264, key=False))
    data = first + answer + report + b"\r\n" + second + InterleavedFrame(1, build_bye(7)).encode()
    for cut in range(0, len(data), 7):
        batch = fed(demuxer(), data[:cut], data[cut:])
        assert len(batch.access_units) == 2
        assert [(message.cseq, message.body) for message in batch.rtsp] == [(9, b"body")]
        assert [sent.rtp_timestamp for sent in batch.sender_reports] == [4_000]
        assert batch.bye


def test_other_channels_and_payload_types_are_ignored():
    """LAW-12: what belongs to a sound track never becomes part of a picture."""
    sender = Sender()
    sound = InterleavedFrame(2, bytes(200)).encode()
    other = bytearray(sender.picture(slice_nal(Codec.H264, key=True)))
    other[5] = 0x80 | 8
    batch = demuxer().feed(sound + bytes(other) + sender.picture(slice_nal(Codec.H264, key=True)))
    assert batch.ignored_packets == 2
    assert len(batch.access_units) == 1


@CODECS
def test_a_picture_without_an_end_is_refused_before_memory_is_spent(codec: Codec):
    machine = StreamDemuxer(codec, 0, 1, PAYLOAD_TYPE, BY_CODEC[codec], DemuxerLimits(access_unit_bytes=50_000))
    sender = Sender(codec)
    endless = b"".join(packets_of(sender.picture(slice_nal(codec, key=True, size=60_000)))[:-1])
    with pytest.raises(MediaError, match="access_unit_too_large"):
        machine.feed(endless)


def test_a_stream_of_tiny_fragments_is_bounded_too():
    fragments = b"".join(
        InterleavedFrame(0, struct.pack(">BBHII", 0x80, PAYLOAD_TYPE, number & 0xFFFF, 0, 7) + head + b"\x88").encode()
        for number, head in enumerate([b"\x7c\x85"] + [b"\x7c\x05"] * 70_000)
    )
    with pytest.raises(MediaError, match="access_unit_too_large"):
        demuxer().feed(fragments)


def test_a_fragment_without_a_start_is_counted_and_survived():
    sender = Sender()
    packets = packets_of(sender.picture(slice_nal(Codec.H264, key=True, size=1000)))
    batch = demuxer().feed(b"".join(packets[1:]) + sender.picture(slice_nal(Codec.H264, key=True)))
    assert batch.malformed_packets == len(packets) - 1
    assert len(batch.access_units) == 1


def test_noise_between_frames_is_passed_over_within_bounds():
    sender = Sender()
    picture = sender.picture(slice_nal(Codec.H264, key=True))
    assert len(demuxer().feed(b"\xff" * 500 + picture).access_units) == 1
    with pytest.raises(MediaError, match="framing_lost"):
        fed(demuxer(), *[b"\xff" * 100_000] * 4)


def test_what_is_open_at_the_end_is_given_and_marked():
    sender = Sender()
    packets = packets_of(sender.picture(slice_nal(Codec.H264, key=True, size=1000)))
    machine = demuxer()
    assert machine.feed(b"".join(packets[:-1])).access_units == []
    assert [unit.damaged for unit in machine.finish().access_units] == [True]


@settings(max_examples=150)
@given(codec=st.sampled_from(NATIVE_CODECS), data=st.lists(st.binary(max_size=300), max_size=8))
def test_garbage_raises_nothing_but_media_errors(codec: Codec, data: list[bytes]):
    machine = demuxer(codec)
    try:
        for part in data:
            machine.feed(part)
        machine.finish()
    except MediaError:
        return


@settings(max_examples=150)
@given(
    codec=st.sampled_from(NATIVE_CODECS),
    payloads=st.lists(st.binary(max_size=60), max_size=30),
    bits=st.lists(st.integers(0, 255), min_size=30, max_size=30),
)
def test_hostile_packets_raise_nothing_but_media_errors(codec: Codec, payloads: list[bytes], bits: list[int]):
    machine = demuxer(codec)
    for number, payload in enumerate(payloads):
        head = struct.pack(">BBHII", bits[number], bits[-number], number, number // 3, 7)
        try:
            machine.feed(InterleavedFrame(number % 2, head + payload).encode())
        except MediaError:
            return
    for unit in machine.finish().access_units:
        assert unit.size == len(b"".join(unit.chunks))


def test_the_known_parameter_sets_are_used_as_they_are():
    sender = Sender()
    assert demuxer().feed(sender.picture(slice_nal(Codec.H264, key=True))).access_units[0].parameters is H264


def _packet_starts(data: bytes) -> list[int]:
    starts, position = [], 0
    while position < len(data):
        starts.append(position)
        position += 4 + int.from_bytes(data[position + 2 : position + 4], "big")
    return starts


def test_an_open_picture_keeps_no_more_than_its_own_bytes():
    """A camera that sends a byte of picture with every 60 kB of something else must not fill the memory."""
    machine = demuxer()
    for number, head in enumerate([b"\x7c\x85"] + [b"\x7c\x05"] * 300):
        packet = struct.pack(">BBHII", 0x80, PAYLOAD_TYPE, number, 0, 7) + head + b"\x88"
        machine.feed(InterleavedFrame(0, packet).encode() + InterleavedFrame(2, bytes(60_000)).encode())
    held = machine._assembly.chunks
    assert sum(len(chunk) for chunk in held) < 1_000
    assert all(isinstance(chunk, bytes) for chunk in held)


def test_a_picture_fed_packet_by_packet_is_whole():
    for codec in NATIVE_CODECS:
        sender = Sender(codec)
        nals = [slice_nal(codec, key=True, size=3_000), slice_nal(codec, key=True, size=2_000, first=False)]
        packets = packets_of(sender.picture(*nals))
        assert samples_of(fed(demuxer(codec), *packets)) == [sample(*nals)]


def test_pictures_before_a_hostile_one_are_given_out():
    machine = StreamDemuxer(Codec.H264, 0, 1, PAYLOAD_TYPE, H264, DemuxerLimits(access_unit_bytes=50_000))
    sender = Sender()
    good = b"".join(sender.picture(slice_nal(Codec.H264, key=True)) for _ in range(5))
    batch = machine.feed(good + sender.picture(slice_nal(Codec.H264, key=True, size=60_000)))
    assert len(batch.access_units) == 5
    with pytest.raises(MediaError, match="access_unit_too_large"):
        machine.feed(b"")


def test_noise_full_of_dollars_is_given_up_as_soon_as_any():
    machine = demuxer()
    with pytest.raises(MediaError, match="framing_lost"):
        fed(machine, *[b"\xff$\x07\xff" * 10_000] * 10)
