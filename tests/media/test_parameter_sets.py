from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.streams import H264_SPS, H265_SPS
from vms.media import h264, h265
from vms.media.bits import BitReader, unescape
from vms.media.errors import MediaError

AXIS_HIGH_1080P = bytes.fromhex("6764002aad00ce80780227e5c05a808080a0000003002000000651e30002")
BASELINE_CIF = bytes.fromhex("6742c00cd981609684000003001000000300c83c50a9a0")


def test_a_real_main_profile_set_is_read():
    said = h264.parse_sps(H264_SPS)
    assert (said.width, said.height, said.codec_string) == (768, 576, "avc1.4D401F")
    assert said.frame_rate == Fraction(25, 2)
    assert said.max_reorder_frames == 0


def test_a_real_baseline_set_is_read():
    said = h264.parse_sps(BASELINE_CIF)
    assert (said.width, said.height, said.codec_string) == (352, 288, "avc1.42C00C")
    assert said.frame_rate == Fraction(25, 4)


def test_a_real_h265_set_is_read_to_its_frame_rate():
    said = h265.parse_sps(H265_SPS)
    assert (said.width, said.height, said.codec_string) == (768, 576, "hvc1.1.6.L90.90")
    assert said.frame_rate == Fraction(25, 2)
    assert said.profile_tier_level == bytes.fromhex("01600000009000000000005a")


def test_cropping_is_taken_off():
    """1080 lines are coded as 1088; what is shown is what counts."""
    ids_and_order = _ue(0) + _ue(0) + _ue(0) + _ue(0) + _ue(4) + "0"
    size_and_cropping = _ue(119) + _ue(67) + "1" + "1" + "1" + _ue(0) + _ue(0) + _ue(0) + _ue(4) + "0" + "1"
    sps = bytes((0x67, 66, 0, 40)) + _bytes(ids_and_order + size_and_cropping)
    said = h264.parse_sps(sps)
    assert (said.width, said.height) == (1920, 1080)


@pytest.mark.parametrize(
    "sps",
    [
        b"",
        b"\x67",
        b"\x68" + H264_SPS[1:],
        H264_SPS[:6],
        b"\x67" * 5000,
        bytes((0x67, 66, 0, 40)) + b"\0" * 40,
        bytes((0x67, 66, 0, 40)) + b"\x07" + b"\0" * 3 + b"\x01" * 8,
    ],
)
def test_a_malformed_set_is_refused(sps: bytes):
    with pytest.raises(MediaError):
        h264.parse_sps(sps)


@given(st.binary(max_size=80))
def test_any_bytes_give_a_set_within_bounds_or_a_media_error(tail: bytes):
    for parse, head in ((h264.parse_sps, b"\x67\x64\0\x28"), (h265.parse_sps, b"\x42\x01\x01")):
        try:
            said = parse(head + tail)
        except MediaError:
            continue
        assert 0 < said.width <= 16_384
        assert 0 < said.height <= 16_384
        assert 0 <= said.max_reorder_frames <= 16


@given(st.binary(max_size=60))
def test_emulation_prevention_is_undone(payload: bytes):
    assert unescape(_escape(payload)) == payload


@given(st.lists(st.integers(0, 100_000), max_size=20))
def test_golomb_codes_are_read_back(values: list[int]):
    reader = BitReader(_bytes("".join(_ue(value) for value in values)))
    assert [reader.ue() for _ in values] == values


def _ue(value: int) -> str:
    code = f"{value + 1:b}"
    return "0" * (len(code) - 1) + code


def _bytes(bits: str) -> bytes:
    padded = bits + "0" * (-len(bits) % 8)
    return bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8))


def _escape(payload: bytes) -> bytes:
    out = bytearray()
    for byte in payload:
        if out[-2:] == b"\0\0" and byte <= 3:
            out.append(3)
        out.append(byte)
    return bytes(out)
