"""The SDP of a stream, as cameras write it.

Source: RFC 4566; RFC 6184, 8.2.1; RFC 7798, 7.2.1; RFC 6416, 7; RFC 3551 for sound and JPEG.
"""

from __future__ import annotations

import base64

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.film import Film
from vms.media.access_unit import RTP_CLOCK_HZ, Codec, ParameterSets
from vms.media.fmp4 import video_parameters

VIDEO_CONTROL = "trackID=1"
AUDIO_CONTROL = "trackID=2"
_NAMES = {Codec.H264: "H264", Codec.H265: "H265", Codec.MPEG4: "MP4V-ES", Codec.MJPEG: "JPEG"}


def describe(device: Device, stream: StreamSettings, *, audio: bool = False) -> bytes:
    """The description of one stream; with `audio` it offers a G.711 sound track as well."""
    film = stream.film
    lines = [
        "v=0",
        f"o=- {device.boots} 1 IN IP4 {device.advertised_host}",
        "s=RTSP Session",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {film.payload_type}",
        f"b=AS:{film.bit_rate_kbps}",
        f"a=rtpmap:{film.payload_type} {_NAMES[film.codec]}/{RTP_CLOCK_HZ}",
        *_format_lines(film),
        f"a=framerate:{float(film.frame_rate):g}",
        f"a=control:{VIDEO_CONTROL}",
    ]
    if audio:
        lines += ["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", f"a=control:{AUDIO_CONTROL}"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _format_lines(film: Film) -> list[str]:
    if film.codec is Codec.MJPEG:
        return []
    return [f"a=fmtp:{film.payload_type} {_format_parameters(film.parameters)}"]


def _format_parameters(sets: ParameterSets) -> str:
    def text(*nals: bytes) -> str:
        return ",".join(base64.b64encode(nal).decode() for nal in nals)

    if sets.codec is Codec.H265:
        return f"sprop-vps={text(sets.vps)}; sprop-sps={text(sets.sps)}; sprop-pps={text(*sets.pps)}"
    if sets.codec is Codec.MPEG4:
        return f"profile-level-id={video_parameters(sets).profile_idc};config={sets.sps.hex().upper()}"
    profile = sets.sps[1:4].hex().upper()
    return f"packetization-mode=1; profile-level-id={profile}; sprop-parameter-sets={text(sets.sps, *sets.pps)}"
