"""What is fuzzed: each target takes any bytes and may raise only what its module promises. A seed is a valid input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cameras.discovery.messages import DiscoveryReplyError, parse_probe_match
from cameras.simulator.spec import B_FRAMES_FILE
from tests.media.streams import H264, H264_PPS, H264_SPS, H265_SPS, Sender, slice_nal
from vms.media import h264, h265
from vms.media.access_unit import Codec
from vms.media.depacketise import DemuxerLimits, StreamDemuxer
from vms.media.errors import MediaError
from vms.media.fmp4 import init_segment, read_head, reader_of, scan_fragments
from vms.media.mp4_file import read_track
from vms.media.rtcp import build_sender_report, parse_compound
from vms.media.rtsp import InterleavedFrame, RtspParser, RtspResponse
from vms.media.rtsp_auth import parse_challenge
from vms.media.sdp import parse_sdp

Target = Callable[[bytes], None]
_SMALL = DemuxerLimits(access_unit_bytes=256 * 1024, skipped_bytes=64 * 1024)
_SDP = (Path(__file__).parents[1] / "media" / "data" / "with_sound_and_metadata.sdp").read_bytes()
_MAX_HELD_BYTES = 512 * 1024


def depacketise(data: bytes) -> None:
    """The demuxer, in two feeds; what it gives is as large as it says, and what it holds is bounded."""
    codec = Codec.H265 if data[:1] == b"5" else Codec.H264
    machine = StreamDemuxer(codec, 0, 1, 96, None, _SMALL)
    try:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            for unit in machine.feed(part).access_units:
                assert unit.size == sum(len(chunk) for chunk in unit.chunks)
        machine.finish()
    except MediaError:
        return
    assert len(machine._tail) <= _MAX_HELD_BYTES


def rtsp(data: bytes) -> None:
    """The parser of messages, and of the challenges in them."""
    try:
        for item in RtspParser().feed(data):
            if isinstance(item, RtspResponse):
                for challenge in item.all_headers("WWW-Authenticate"):
                    parse_challenge(challenge)
    except MediaError:
        return


def sdp(data: bytes) -> None:
    """Offers, and the parameter sets in them."""
    try:
        for track in parse_sdp(data).tracks:
            _ = track.parameters
    except MediaError:
        return


def parameter_sets(data: bytes) -> None:
    """Sequence parameter sets of both codecs."""
    for parse in (h264.parse_sps, h265.parse_sps):
        try:
            said = parse(data)
        except MediaError:
            continue
        assert 0 < said.width <= h264.MAX_SIDE_PIXELS


def rtcp(data: bytes) -> None:
    """Compound reports."""
    try:
        parse_compound(data)
    except MediaError:
        return


def segment(data: bytes) -> None:
    """A recorded segment that was damaged."""
    try:
        head = read_head(reader_of(data), len(data))
        scan_fragments(reader_of(data), head.size, len(data))
    except MediaError:
        return


def film(data: bytes) -> None:
    """A progressive MP4 given to the simulator."""
    try:
        read_track(reader_of(data), len(data))
    except MediaError:
        return


def discovery(data: bytes) -> None:
    """An answer to a probe."""
    try:
        parse_probe_match(data, "10.27.4.12", "urn:uuid:1")
    except DiscoveryReplyError:
        return


def _stream() -> bytes:
    sender = Sender()
    parts = [sender.picture(H264_SPS, H264_PPS, slice_nal(Codec.H264, key=True, size=900))]
    parts += [sender.picture(slice_nal(Codec.H264, key=False, size=600)) for _ in range(3)]
    parts.insert(2, RtspResponse(200, "OK", (("CSeq", "4"),), b"x").encode())
    parts.insert(3, InterleavedFrame(1, build_sender_report(7, 1_700_000_000_000_000_000, 4_000, 10, 1000)).encode())
    return b"".join(parts)


def _parameters() -> bytes:

    return init_segment(H264)


TARGETS: dict[str, tuple[Target, bytes]] = {
    "depacketise": (depacketise, _stream()),
    "rtsp": (
        rtsp,
        RtspResponse(
            401, "Unauthorized", (("CSeq", "1"), ("WWW-Authenticate", 'Digest realm="a", nonce="b", qop="auth"'))
        ).encode(),
    ),
    "sdp": (sdp, _SDP),
    "parameter_sets": (parameter_sets, H265_SPS),
    "rtcp": (rtcp, build_sender_report(7, 1_700_000_000_000_000_000, 4_000, 10, 1000)),
    "segment": (segment, _parameters()),
    "film": (film, B_FRAMES_FILE.read_bytes()),
    "discovery": (discovery, b"<Envelope><Header/><Body><ProbeMatches/></Body></Envelope>"),
}
