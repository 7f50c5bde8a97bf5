"""From one RTSP/TCP connection's bytes to access units: the hot path of the recorder (being filled in)."""

from __future__ import annotations

from dataclasses import dataclass, field

from vms.media.access_unit import AccessUnit, Codec, ParameterSets
from vms.media.rtcp import SenderReport
from vms.media.rtsp import RtspRequest, RtspResponse


@dataclass(frozen=True, slots=True)
class DemuxerLimits:
    """Bounds on what one camera can make us hold."""

    access_unit_bytes: int = 8 * 1024 * 1024
    rtsp_message_bytes: int = 64 * 1024
    skipped_bytes: int = 256 * 1024


@dataclass(slots=True)
class Batch:
    """What one `feed` gave."""

    access_units: list[AccessUnit] = field(default_factory=list)
    sender_reports: list[SenderReport] = field(default_factory=list)
    rtsp: list[RtspResponse | RtspRequest] = field(default_factory=list)
    packets: int = 0
    lost_packets: int = 0
    sequence_jumps: int = 0
    ignored_packets: int = 0
    malformed_packets: int = 0
    skipped_bytes: int = 0
    bye: bool = False


class StreamDemuxer:
    """State of one RTSP/TCP interleaved video stream after PLAY.

    `feed` may be given a view of a buffer that the caller reuses: nothing in a Batch refers to `data` afterwards.
    """

    def __init__(
        self,
        codec: Codec,
        rtp_channel: int,
        rtcp_channel: int,
        payload_type: int,
        parameters: ParameterSets | None = None,
        limits: DemuxerLimits | None = None,
    ) -> None:
        raise NotImplementedError

    def feed(self, data: bytes | bytearray | memoryview) -> Batch:
        """Whatever one read gave; a partial frame at its end is kept. Raises MediaError on hostile input."""
        raise NotImplementedError

    def finish(self) -> Batch:
        """The access unit that was open when the connection ended."""
        raise NotImplementedError
