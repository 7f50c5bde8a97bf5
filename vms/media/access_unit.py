"""What the recorder keeps: coded pictures, with the parameter sets that they need.

Rules
- An access unit holds every NAL unit that the camera sent, in order, each behind its length (4 bytes, big-endian):
  the sample format of ISO/IEC 14496-15. Bytes pass through untouched; nothing is decoded, added or stripped.
  Codecs without NAL units: the coded picture as it came.
- Time is the camera's 90 kHz RTP time stamp, unwrapped to an integer that never wraps (presentation time; access
  units come in decoding order, so it may step back where the camera uses B pictures).
- `ParameterSets` is compared by identity on the hot path: the same object while nothing changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

RTP_CLOCK_HZ = 90_000
"""RTP clock of H.264 (RFC 6184, 8.2.1) and H.265 (RFC 7798, 7.1)."""


class Codec(StrEnum):
    """The video codecs that are recorded: the first two by the native path, the others through the reader alone.

    No browser plays the last two; they are recorded, exported and decoded to stills all the same.
    """

    H264 = "h264"
    H265 = "h265"
    MPEG4 = "mpeg4"
    MJPEG = "mjpeg"

    @property
    def has_nal_units(self) -> bool:
        """Whether a sample is NAL units behind their lengths; other samples are the coded picture as it came."""
        return self in {Codec.H264, Codec.H265}

    @property
    def plays_in_browsers(self) -> bool:
        """Whether Media Source Extensions may take it."""
        return self.has_nal_units


NATIVE_CODECS = (Codec.H264, Codec.H265)
"""What the native path takes apart itself."""


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The parameter sets in force, as NAL units (header included, no start code, emulation prevention kept).

    `vps` is empty for H.264. For MPEG-4 Part 2, `sps` is the decoder configuration (ISO/IEC 14496-2, everything before
    the first picture) and nothing else is set; for Motion JPEG, which has no such thing, it is width and height as two
    16-bit numbers, big-endian.
    """

    codec: Codec
    vps: bytes
    sps: bytes
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class VideoParameters:
    """What a sequence parameter set says.

    `width` and `height` are the displayed pixels, after cropping. `codec_string` is the `codecs` parameter of
    RFC 6381 (`avc1.4D401F`, `hvc1.1.6.L93.B0`). `max_reorder_frames` is 0 when decoding order is display order.
    `frame_rate` is None when the stream does not state one. The last four fields are for H.265 only (`hvcC`):
    the 12 bytes of general_profile_tier_level, the number of temporal layers and whether they nest.
    """

    codec: Codec
    width: int
    height: int
    profile_idc: int
    level_idc: int
    codec_string: str
    max_reorder_frames: int
    frame_rate: Fraction | None
    sample_aspect: tuple[int, int] = (1, 1)
    chroma_format_idc: int = 1
    bit_depth_luma: int = 8
    bit_depth_chroma: int = 8
    interlaced: bool = False
    profile_tier_level: bytes = b""
    temporal_layers: int = 1
    temporal_id_nested: bool = True


@dataclass(slots=True)
class AccessUnit:
    """One coded picture.

    `chunks` joined are the sample bytes, `size` of them, and nothing of what they were received in; a writer may pass
    them to `writev` as they are.
    `key` says that decoding can start here (IDR; for H.265 any IRAP picture). `damaged` says that packets were missing
    inside it, or before it and after the last unit: it is kept, and a reader decides.
    """

    rtp_timestamp: int
    chunks: list[bytes | memoryview]
    size: int
    key: bool
    parameters: ParameterSets
    damaged: bool


def unwrap_timestamp(reference: int, timestamp: int) -> int:
    """The unwrapped value of a 32-bit RTP `timestamp` that lies within half a turn (6.6 hours) of `reference`."""
    return reference + ((timestamp - reference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000
