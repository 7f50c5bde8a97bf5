"""What is fuzzed: each target takes any bytes and may raise only what its module promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cameras.discovery.messages import DiscoveryReplyError, parse_probe_match
from cameras.simulator.spec import B_FRAMES_FILE
from recorder.ingest.causes import IngestError
from recorder.ingest.session import Phase, RedirectedError, RtspSession
from tests.fuzz import seeds
from tests.media.streams import BY_CODEC, H264
from vms.media import h264, h265
from vms.media.access_unit import AccessUnit, Codec
from vms.media.depacketise import DemuxerLimits, StreamDemuxer
from vms.media.errors import MediaError
from vms.media.fmp4 import init_segment, read_head, reader_of, scan_fragments
from vms.media.mp4_file import read_track
from vms.media.parameter_sets import check_parameters
from vms.media.reception import Reception
from vms.media.rtcp import build_receiver_report, parse_compound
from vms.media.rtsp import InterleavedFrame, RtspParser, RtspRequest, RtspResponse
from vms.media.rtsp_auth import authorisation_header, check_authorisation, parse_challenge, strongest_challenge
from vms.media.sdp import parse_sdp, resolve_control

_SMALL = DemuxerLimits(access_unit_bytes=256 * 1024, skipped_bytes=64 * 1024, useless_frames=1_000, messages=50)
_MAX_HELD_BYTES = 512 * 1024
_Units = list[tuple[int, bytes, bool, bool]]


@dataclass(frozen=True, slots=True)
class Target:
    """A function to feed, and the valid inputs to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def _seen(units: list[AccessUnit]) -> _Units:
    for unit in units:
        assert unit.size == sum(len(chunk) for chunk in unit.chunks)
        assert unit.rtp_timestamp >= 0
    return [(unit.rtp_timestamp, b"".join(unit.chunks), unit.key, unit.damaged) for unit in units]


def _taken_apart(codec: Codec, parts: list[bytes]) -> tuple[_Units, bool]:
    """The pictures of a stream in these parts, and whether it was nothing but frames, all understood."""
    machine = StreamDemuxer(codec, 0, 1, 96, BY_CODEC[codec], _SMALL)
    reception = Reception()
    units: _Units = []
    clean = True
    for part in parts:
        batch = machine.feed(part)
        units += _seen(batch.access_units)
        clean = clean and not batch.skipped_bytes and not batch.rtsp
        reception.count(batch.packets, batch.lost_packets, machine.next_sequence)
        assert len(machine._tail) <= _MAX_HELD_BYTES
        assert sum(len(chunk) for chunk in machine._assembly.chunks) <= _MAX_HELD_BYTES
    build_receiver_report(1, (reception.block(max(0, machine.source)),))
    return units + _seen(machine.finish().access_units), clean


def _depacketise(codec: Codec, data: bytes) -> None:
    """The demuxer; what it gives is as large as it says, what it holds is bounded, and splits change nothing."""
    step = 1 + len(data) // (1 + (data[-1] % 24 if data else 0))
    try:
        whole, clean = _taken_apart(codec, [data])
        parts = [data[place : place + step] for place in range(0, len(data), step)]
        again, clean_too = _taken_apart(codec, parts)
    except MediaError:
        return
    if clean and clean_too:
        assert whole == again


def depacketise_h264(data: bytes) -> None:
    """H.264."""
    _depacketise(Codec.H264, data)


def depacketise_h265(data: bytes) -> None:
    """H.265."""
    _depacketise(Codec.H265, data)


def rtsp(data: bytes) -> None:
    """The parser of messages; what it read can be written and read again."""
    try:
        items = RtspParser().feed(data)
    except MediaError:
        return
    for item in items:
        if isinstance(item, (RtspRequest, RtspResponse)):
            try:
                (again,) = RtspParser().feed(item.encode())
            except MediaError:
                continue
            assert again.body == item.body  # type: ignore[union-attr]


def session(data: bytes) -> None:
    """A whole handshake with a camera that says anything."""
    client = RtspSession("rtsp://192.0.2.9/main", "vms", "secret")
    client.start()
    try:
        for item in RtspParser().feed(data):
            if not isinstance(item, InterleavedFrame):
                for asked in RtspParser().feed(client.receive(item)):
                    assert isinstance(asked, (RtspRequest, RtspResponse))
        if client.phase is Phase.PLAYING:
            assert client.track is not None
            assert 1.0 <= client.keep_alive_s <= 30.0
    except (MediaError, IngestError, RedirectedError):
        return


def auth(data: bytes) -> None:
    """Authentication headers of both sides."""
    text = data.decode("latin-1")
    check_authorisation(text, [], "PLAY", lambda _: "secret")
    try:
        challenge = parse_challenge(text)
        strongest_challenge([text, "Basic realm=x"])
    except MediaError:
        return
    header = authorisation_header(challenge, "PLAY", "rtsp://h/", "u", "secret", cnonce="1")
    assert "\r" not in header
    assert "\n" not in header
    assert "secret" not in header.replace(text, "")
    check_authorisation(header, [challenge], "PLAY", lambda _: "secret")


def sdp(data: bytes) -> None:
    """Offers, the parameter sets in them, and the addresses that they make."""
    try:
        description = parse_sdp(data)
    except MediaError:
        return
    for track in description.tracks:
        if (sets := track.parameters) is not None:
            check_parameters(sets)
        for base in ("", description.control, "rtsp://h/x/"):
            resolve_control("rtsp://192.0.2.9/main", base, track.control)


def parameter_sets(data: bytes) -> None:
    """Sequence parameter sets of both codecs."""
    for parse in (h264.parse_sps, h265.parse_sps):
        try:
            said = parse(data)
        except MediaError:
            continue
        assert 0 < said.width <= h264.MAX_SIDE_PIXELS
        assert 0 < said.height <= h264.MAX_SIDE_PIXELS
        assert 0 <= said.max_reorder_frames <= 16
        assert said.frame_rate is None or 0 < said.frame_rate <= 1_000


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


TARGETS: dict[str, Target] = {
    "depacketise_h264": Target(depacketise_h264, lambda: seeds.streams(Codec.H264)),
    "depacketise_h265": Target(depacketise_h265, lambda: seeds.streams(Codec.H265)),
    "rtsp": Target(rtsp, seeds.responses),
    "session": Target(session, seeds.answers),
    "auth": Target(auth, seeds.challenges),
    "sdp": Target(sdp, seeds.descriptions),
    "parameter_sets": Target(parameter_sets, seeds.parameter_sets),
    "rtcp": Target(rtcp, seeds.reports),
    "segment": Target(segment, lambda: [init_segment(H264)]),
    "film": Target(film, lambda: [B_FRAMES_FILE.read_bytes()]),
    "discovery": Target(discovery, lambda: [b"<Envelope><Header/><Body><ProbeMatches/></Body></Envelope>"]),
}
