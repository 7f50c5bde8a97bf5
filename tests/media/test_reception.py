"""What is told to a camera of its stream, and what tells a loss from a leap."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.streams import (
    BY_CODEC,
    H264_SPS,
    H265_SPS,
    SETS,
    Sender,
    demuxer,
    packets_of,
    slice_nal,
)
from vms.media import h264, h265
from vms.media.access_unit import Codec
from vms.media.depacketise import StreamDemuxer
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.reception import Reception
from vms.media.rtcp import ReceiverReport, build_receiver_report, parse_compound
from vms.media.rtsp import InterleavedFrame


def feed_all(machine: StreamDemuxer, parts: Iterable[bytes]) -> None:
    for part in parts:
        machine.feed(part)


def test_the_source_and_the_numbers_of_a_stream_are_known():
    sender, machine, reception = Sender(sequence=65_530), demuxer(), Reception()
    for number in range(20):
        batch = machine.feed(sender.picture(slice_nal(Codec.H264, key=number == 0, size=900)))
        reception.count(batch.packets, batch.lost_packets, machine.next_sequence)
    block = reception.block(machine.source)
    assert block.ssrc == 7
    assert block.highest_sequence == 65_536 + sender.sequence - 1
    assert (block.cumulative_lost, block.fraction_lost) == (0, 0)


def test_losses_are_reported_once_as_a_fraction_and_always_in_all():
    sender, machine, reception = Sender(sequence=10), demuxer(), Reception()
    frames = [
        frame for _ in range(8) for frame in packets_of(sender.picture(slice_nal(Codec.H264, key=True, size=900)))
    ]
    kept = [frame for number, frame in enumerate(frames) if number % 4 != 1]
    for frame in kept:
        batch = machine.feed(frame)
        reception.count(batch.packets, batch.lost_packets, machine.next_sequence)
    first, second = reception.block(7), reception.block(7)
    assert first.cumulative_lost == second.cumulative_lost == len(frames) - len(kept)
    assert first.fraction_lost == 256 * (len(frames) - len(kept)) // len(frames)
    assert second.fraction_lost == 0
    (report,) = parse_compound(build_receiver_report(1, (first,)))
    assert isinstance(report, ReceiverReport)
    assert report.blocks == (first,)


@given(st.integers(0, 0xFFFF), st.lists(st.integers(1, 60_000), max_size=30))
def test_numbers_are_extended_across_any_wraps(first: int, reads: list[int]):
    reception = Reception()
    reception.count(1, 0, (first + 1) & 0xFFFF)
    last = first
    for packets in reads:
        last += packets
        reception.count(packets, 0, (last + 1) & 0xFFFF)
    assert reception.block(7).highest_sequence == last


@pytest.mark.parametrize("leap", [256, 1_000, 2_999])
def test_a_leap_between_whole_pictures_in_time_is_no_loss(leap: int):
    sender, machine = Sender(sequence=100), demuxer()
    for _ in range(3):
        machine.feed(sender.picture(slice_nal(Codec.H264, key=True)))
    sender.sequence += leap
    batch = machine.feed(sender.picture(slice_nal(Codec.H264, key=False)))
    assert (batch.sequence_jumps, batch.lost_packets) == (1, 0)
    assert not batch.access_units[0].damaged


def test_pictures_that_are_missing_are_a_loss_and_no_leap():
    sender, machine = Sender(sequence=100), demuxer()
    for _ in range(3):
        machine.feed(sender.picture(slice_nal(Codec.H264, key=True)))
    sender.sequence += 1_000
    sender.timestamp += 4 * 3_600
    batch = machine.feed(sender.picture(slice_nal(Codec.H264, key=False)))
    assert (batch.sequence_jumps, batch.lost_packets) == (0, 1_000)
    assert batch.access_units[0].damaged


def test_a_hole_inside_a_picture_is_a_loss_whatever_its_size():
    sender, machine = Sender(sequence=100), demuxer()
    for _ in range(3):
        machine.feed(sender.picture(slice_nal(Codec.H264, key=True)))
    frames = packets_of(sender.picture(slice_nal(Codec.H264, key=False, size=400_000)))
    batch = machine.feed(b"".join(frames[:3] + frames[-2:]))
    assert (batch.sequence_jumps, batch.lost_packets) == (0, len(frames) - 5)
    assert batch.access_units[0].damaged


ABSURD = {
    Codec.H264: [
        H264_SPS[:5],
        bytes((0x67, 100, 0, 40)) + b"\0" * 12,
        H264_SPS[:4] + b"\x55" * 5_000,
    ],
    Codec.H265: [H265_SPS[:12], H265_SPS[:2] + b"\xff" * 30, H265_SPS + b"\xaa" * 9_000],
}


@pytest.mark.parametrize(("codec", "sps"), [(codec, sps) for codec, all_sps in ABSURD.items() for sps in all_sps])
def test_an_absurd_parameter_set_in_the_stream_is_not_adopted(codec: Codec, sps: bytes):
    with pytest.raises(MediaError):
        (h264 if codec is Codec.H264 else h265).parse_sps(sps)
    sender, machine = Sender(codec), demuxer(codec)
    others = [nal for nal in SETS[codec] if nal not in {H264_SPS, H265_SPS}]
    batch = machine.feed(sender.picture(sps, *others, slice_nal(codec, key=True), max_payload_bytes=1_400))
    assert [unit.parameters for unit in batch.access_units] == [BY_CODEC[codec]]
    assert batch.access_units[0].damaged
    batch = machine.feed(sender.picture(*SETS[codec], slice_nal(codec, key=True)))
    assert not batch.access_units[0].damaged


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_a_camera_that_goes_on_with_absurd_parameter_sets_is_refused(codec: Codec):
    sender, machine = Sender(codec), demuxer(codec)
    absurd = (ABSURD[codec][0] + bytes((number,)) for number in range(5))
    with pytest.raises(MediaError) as refused:
        feed_all(machine, (sender.picture(sps, SETS[codec][-1], slice_nal(codec, key=True)) for sps in absurd))
    assert refused.value.code is MediaErrorCode.PARAMETER_SET_MALFORMED


def test_a_gigabyte_of_parameter_sets_is_refused_after_a_few():
    machine, sender = demuxer(), Sender()
    long = H264_SPS + b"\xab" * 1_000_000
    with pytest.raises(MediaError) as refused:
        feed_all(machine, (sender.picture(long, step=0, max_payload_bytes=60_000) for _ in range(1_000)))
    assert refused.value.code is MediaErrorCode.PARAMETER_SET_MALFORMED
    assert sender.sequence - 65_530 & 0xFFFF < 60


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_one_parameter_set_of_a_gigabyte_is_refused_after_eight_megabytes(codec: Codec):
    machine = demuxer(codec)
    frames = packets_of(Sender(codec).picture(H265_SPS[:2] * 100_000, max_payload_bytes=60_000))
    start, middle = frames[0], frames[1]
    machine.feed(start)
    numbers = itertools.count(65_531)
    most = 10 * 1024 * 1024 // len(middle)
    middles = (middle[:6] + (next(numbers) & 0xFFFF).to_bytes(2, "big") + middle[8:] for _ in range(most))
    with pytest.raises(MediaError) as refused:
        feed_all(machine, middles)
    assert refused.value.code is MediaErrorCode.ACCESS_UNIT_TOO_LARGE


@pytest.mark.parametrize(
    "frame",
    [
        InterleavedFrame(0, b"").encode(),
        InterleavedFrame(9, b"x").encode(),
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\n\r\n",
        InterleavedFrame(1, b"\x80\xc8\0\x06" + bytes(24)).encode(),
        InterleavedFrame(1, b"\x80\xc8\0\x06" + bytes(24)).encode() + InterleavedFrame(1, b"").encode() * 3,
    ],
)
def test_a_flood_of_frames_of_no_use_ends_in_one_read(frame: bytes):
    machine = demuxer()
    with pytest.raises(MediaError) as refused:
        machine.feed(frame * (4 * 1024 * 1024 // len(frame)))
    assert refused.value.code is MediaErrorCode.FLOOD


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_several_slices_of_one_picture_are_one_access_unit(codec: Codec):
    sender = Sender(codec)
    machine = StreamDemuxer(codec, 0, 1, 96, BY_CODEC[codec])
    slices = [slice_nal(codec, key=True, size=size, first=size == 500) for size in (500, 40, 700, 41)]
    batch = machine.feed(b"".join(sender.picture(*slices) for _ in range(4)))
    assert len(batch.access_units) == 4
    assert all(unit.key and not unit.damaged for unit in batch.access_units)
    assert {unit.size for unit in batch.access_units} == {sum(map(len, slices)) + 16}


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_b_pictures_come_out_in_decoding_order_with_their_own_times(codec: Codec):
    sender, machine = Sender(codec, timestamp=900_000), demuxer(codec)
    offsets = (0, 10_800, 3_600, 7_200, 21_600, 14_400, 18_000)
    data = bytearray()
    for number, offset in enumerate(offsets):
        sender.timestamp = 900_000 + offset
        data += sender.picture(slice_nal(codec, key=number == 0, size=600), step=0)
    units = machine.feed(bytes(data)).access_units
    assert [unit.rtp_timestamp - 900_000 for unit in units] == list(offsets)
    assert not any(unit.damaged for unit in units)
