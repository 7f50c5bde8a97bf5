"""MPEG-4 Part 2 and Motion JPEG: what their headers say, how files name them, and noise in either."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vms.media import mjpeg, mpeg4
from vms.media.access_unit import Codec, ParameterSets
from vms.media.annexb import join_annexb, split_annexb
from vms.media.errors import MediaError
from vms.media.fmp4 import init_segment, read_head, reader_of, video_parameters
from vms.media.packetise import packetise

CONFIGURATION = bytes.fromhex("000001b001000001b58913000001000000012000c48d8800cd0b04241463000001b24c617663")
"""352x288 at 25 images a second, simple profile, as a common encoder writes it."""
FRAME_HEADER = b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 288, 352) + b"\3\1\x22\0\2\x11\1\3\x11\1"
TABLES = b"\xff\xdb\0\x43\0" + bytes(range(1, 65)) + b"\xff\xdb\0\x43\1" + bytes(range(65, 129))
IMAGE = b"\xff\xd8" + TABLES + FRAME_HEADER + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0" + bytes(2_000) + b"\xff\xd9"


def test_a_configuration_says_size_rate_and_profile():
    video = mpeg4.parse_configuration(CONFIGURATION)
    assert (video.width, video.height, video.frame_rate) == (352, 288, None)
    assert video.codec_string == "mp4v.20.1"
    assert video.sample_aspect == (12, 11) or video.sample_aspect == (1, 1)
    assert video.max_reorder_frames in {0, 1}


def test_the_configuration_is_all_that_stands_before_the_first_picture():
    group, picture = b"\0\0\1\xb3\0\x10\x07", b"\0\0\1\xb6\x10" + bytes(20)
    found = mpeg4.configuration(CONFIGURATION + group + picture)
    assert found == ParameterSets(Codec.MPEG4, b"", CONFIGURATION, ())
    assert mpeg4.configuration(group + picture) is None


@pytest.mark.parametrize(("first_byte", "key"), [(0x10, True), (0x50, False), (0x90, False), (0xD0, False)])
def test_a_key_picture_is_one_that_is_coded_by_itself(first_byte: int, key: bool):
    assert mpeg4.is_key_picture(b"\0\0\1\xb3\0\x10\x07\0\0\1\xb6" + bytes((first_byte, 0))) is key


def test_an_image_says_its_size():
    assert mjpeg.parse_size(IMAGE) == (352, 288)
    video = video_parameters(mjpeg.parameters_of(352, 288))
    assert (video.width, video.height, video.codec_string) == (352, 288, "mp4v.6C")


@pytest.mark.parametrize(
    "parameters", [ParameterSets(Codec.MPEG4, b"", CONFIGURATION, ()), mjpeg.parameters_of(1_920, 1_080)]
)
def test_a_file_gives_the_parameters_back(parameters: ParameterSets):
    head = init_segment(parameters)
    entry = read_head(reader_of(head), len(head)).entry
    assert entry.parameters == parameters
    assert entry.nal_length_bytes == 0
    assert (entry.width, entry.height) == (video_parameters(parameters).width, video_parameters(parameters).height)


def test_an_image_travels_in_packets_of_the_short_form():
    payloads = packetise(IMAGE, Codec.MJPEG, 1_000)
    offset = 0
    scan = b""
    for payload in payloads:
        place, kind, quality, width, height = struct.unpack_from(">IBBBB", payload)
        assert (place, kind, quality, width * 8, height * 8) == (offset, 1, 255, 352, 288)
        assert len(payload) <= 1_000
        body = payload[8:] if offset else payload[8 + 4 + 128 :]
        scan += body
        offset += len(body)
    assert scan == bytes(2_000)
    assert payloads[0][12 : 12 + 128] == bytes(range(1, 129))


def test_a_stream_of_start_codes_comes_apart_and_together():
    nals = [b"\x67\x42", b"\x68\xce", b"\x65" + bytes(range(1, 90))]
    assert list(split_annexb(join_annexb(nals))) == nals
    assert list(split_annexb(b"\0\0\1\x67\x42\0\0\0\0\1\x68\xce")) == nals[:2]
    assert list(split_annexb(b"")) == []


def test_a_picture_without_time_resolution_is_refused():
    with pytest.raises(MediaError):
        mpeg4.parse_configuration(b"\0\0\1\x20" + bytes(20))


@settings(max_examples=150, deadline=None)
@given(noise=st.binary(max_size=200))
def test_noise_raises_nothing_but_media_errors(noise: bytes):
    for read in (
        lambda: mpeg4.parse_configuration(b"\0\0\1\x20" + noise),
        lambda: mpeg4.parse_configuration(noise),
        lambda: mpeg4.configuration(noise),
        lambda: mpeg4.is_key_picture(b"\0\0\1\xb6" + noise),
        lambda: mjpeg.parse_size(b"\xff\xd8" + noise),
        lambda: mjpeg.video_parameters(noise),
        lambda: list(split_annexb(noise)),
    ):
        try:
            read()
        except MediaError:
            continue


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 600), byte=st.integers(0, 255), cut=st.integers(0, 700))
def test_a_damaged_head_raises_nothing_but_media_errors(place: int, byte: int, cut: int):
    head = bytearray(init_segment(ParameterSets(Codec.MPEG4, b"", CONFIGURATION, ())))
    head[place % len(head)] = byte
    del head[cut:]
    try:
        read_head(reader_of(bytes(head)), len(head))
    except MediaError:
        return


def test_a_frame_rate_is_stated_when_it_is_fixed():
    # vop_time_increment_resolution 25, fixed, one tick a picture: bits are laid by hand.
    bits = f"000000001000010001{25:016b}11000011{640:013b}1{480:013b}10"
    layer = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    video = mpeg4.parse_configuration(b"\0\0\1\x20" + layer)
    assert (video.width, video.height, video.frame_rate) == (640, 480, Fraction(25))
    assert video.max_reorder_frames == 0
