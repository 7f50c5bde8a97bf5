"""Packets of a demuxer as access units, without the demuxer."""

from __future__ import annotations

from recorder.decoding.units import MediaTimes, picture_reader
from vms.media.access_unit import Codec
from vms.media.annexb import join_annexb

SPS, PPS = bytes.fromhex("674d401fd980c0126840000003008000000c83c60c9a"), bytes.fromhex("68e971cb20")
SLICE = b"\x65\x88" + bytes(range(1, 60))


def test_packets_without_a_time_wait_for_the_first_that_has_one():
    times = MediaTimes(3_600)
    assert times.place(b"a", None) == []
    assert times.place(b"b", None) == []
    assert times.place(b"c", 90_000) == [(b"a", 82_800), (b"b", 86_400), (b"c", 90_000)]
    assert times.place(b"d", None) == [(b"d", 93_600)]


def test_the_only_packet_without_a_time_is_the_origin():
    times = MediaTimes(3_600)
    assert times.place(b"key", None) == []
    assert times.place(b"next", 14_400) == [(b"key", 0), (b"next", 14_400)]
    late = MediaTimes(3_600)
    late.place(b"key", None)
    assert late.place(b"next", 900_000) == [(b"key", 896_400), (b"next", 900_000)]


def test_sets_of_the_description_decode_a_picture_and_stay_out_of_it():
    """LAW-41: only what came in the stream is recorded."""
    unit = picture_reader(Codec.H264, join_annexb([SPS, PPS])).read(join_annexb([SLICE]), 0, damaged=False)
    assert unit is not None
    assert (unit.parameters.sps, unit.parameters.pps, unit.key) == (SPS, (PPS,), True)
    assert b"".join(bytes(chunk) for chunk in unit.chunks) == len(SLICE).to_bytes(4, "big") + SLICE


def test_a_picture_without_parameter_sets_cannot_be_recorded():
    assert picture_reader(Codec.H264, b"").read(join_annexb([SLICE]), 0, damaged=False) is None
    assert picture_reader(Codec.MPEG4, b"").read(b"\0\0\1\xb6\x10" + bytes(20), 0, damaged=False) is None
