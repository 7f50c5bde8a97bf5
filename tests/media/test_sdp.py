from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.streams import H264_PPS, H264_SPS, H265_PPS, H265_SPS, H265_VPS
from vms.media.access_unit import Codec
from vms.media.errors import MediaError
from vms.media.sdp import Track, build_sdp, parse_sdp, resolve_control

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("file", "codec", "control", "has_sets"),
    [
        ("with_sound_and_metadata.sdp", Codec.H264, "rtsp://192.168.1.20/axis-media/media.amp/trackID=1", True),
        ("without_session_lines.sdp", Codec.H265, "trackID=0", True),
        ("bare_line_feeds.sdp", Codec.H264, "track1", False),
    ],
)
def test_offers_as_cameras_write_them_are_read(file: str, codec: Codec, control: str, has_sets: bool):
    track = parse_sdp((DATA / file).read_bytes()).video()
    assert track is not None
    assert (track.codec, track.control, track.payload_type, track.clock_rate) == (codec, control, 96, 90_000)
    assert (track.parameters is not None) is has_sets


def test_sound_and_metadata_are_seen_and_never_chosen():
    """LAW-12."""
    offer = parse_sdp((DATA / "with_sound_and_metadata.sdp").read_bytes())
    assert [track.kind for track in offer.tracks] == ["video", "audio", "application"]
    assert [track.codec for track in offer.tracks] == [Codec.H264, None, None]


def test_an_offer_of_sound_alone_has_no_video():
    assert parse_sdp("v=0\nm=audio 0 RTP/AVP 0\na=control:t1\n").video() is None


def test_the_first_usable_format_of_a_list_is_taken():
    track = parse_sdp("m=video 0 RTP/AVP 26 97 96\na=rtpmap:97 MP4V-ES/90000\na=rtpmap:96 H264/90000\n").video()
    assert track is not None
    assert track.payload_type == 96


@pytest.mark.parametrize(
    ("base", "content_base", "control", "expected"),
    [
        ("rtsp://h/live", "", "trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/live", "rtsp://h/live/", "trackID=1", "rtsp://h/live/trackID=1"),
        ("rtsp://h/live?ch=1", None, "trackID=1", "rtsp://h/live?ch=1/trackID=1"),
        ("rtsp://h/live", "", "rtsp://other/x", "rtsp://other/x"),
        ("rtsp://h/live", "", "*", "rtsp://h/live"),
        ("rtsp://h/live", "", "", "rtsp://h/live"),
        ("rtsp://h:8554/live/a", "", "/stream/1", "rtsp://h:8554/stream/1"),
    ],
)
def test_control_addresses_are_resolved_as_cameras_mean_them(
    base: str, content_base: str | None, control: str, expected: str
):
    assert resolve_control(base, content_base, control) == expected


@pytest.mark.parametrize(
    ("encoding", "sets"), [("H264", (H264_SPS, H264_PPS)), ("H265", (H265_VPS, H265_SPS, H265_PPS))]
)
def test_what_is_built_is_read_back(encoding: str, sets: tuple[bytes, ...]):
    track = Track("video", encoding, 96, 90_000, "trackID=0", {"packetization-mode": "1"}, sets)
    read = parse_sdp(build_sdp((track,))).tracks[0]
    assert read.parameter_sets == sets
    assert read.fmtp["packetization-mode"] == "1"
    assert read.parameters is not None


@pytest.mark.parametrize("text", ["", "v=0\r\n", "m=\n", "m=video\n" * 30, "a" * 70_000])
def test_what_is_no_offer_is_refused(text: str):
    with pytest.raises(MediaError, match=r"sdp_"):
        parse_sdp(text)


@given(st.text(max_size=400))
def test_any_text_gives_an_offer_or_a_media_error(text: str):
    for whole in (text, "m=video 0 RTP/AVP 96\n" + text):
        try:
            offer = parse_sdp(whole)
        except MediaError:
            continue
        for track in offer.tracks:
            _ = track.parameters


@given(
    st.lists(
        st.sampled_from(
            [
                "a=rtpmap:96 H264/90000",
                "a=fmtp:96 sprop-parameter-sets=",
                "a=control:",
                "m=video 0 RTP/AVP 96",
                "=",
                "a=",
                "a=rtpmap:",
                "a=fmtp:96 sprop-parameter-sets=Z00AHw==,aO4=",
            ]
        ),
        max_size=20,
    )
)
def test_lines_in_any_order_never_break_the_reader(lines: list[str]):
    try:
        offer = parse_sdp("\r\n".join(lines))
    except MediaError:
        return
    for track in offer.tracks:
        _ = track.parameters
