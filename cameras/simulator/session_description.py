"""The SDP of a stream, as cameras write it (RFC 4566; RFC 6184, 8.2.1; RFC 7798, 7.2.1; RFC 3551 for sound)."""

from __future__ import annotations

import base64

from cameras.simulator.device import Device, StreamSettings
from cameras.simulator.film import PAYLOAD_TYPE
from vms.media.access_unit import RTP_CLOCK_HZ, Codec, ParameterSets

VIDEO_CONTROL = "trackID=1"
AUDIO_CONTROL = "trackID=2"


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
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"b=AS:{film.bit_rate_kbps}",
        f"a=rtpmap:{PAYLOAD_TYPE} {film.codec.name}/{RTP_CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {_format_parameters(film.parameters)}",
        f"a=framerate:{float(film.frame_rate):g}",
        f"a=control:{VIDEO_CONTROL}",
    ]
    if audio:
        lines += ["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", f"a=control:{AUDIO_CONTROL}"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _format_parameters(sets: ParameterSets) -> str:
    def text(*nals: bytes) -> str:
        return ",".join(base64.b64encode(nal).decode() for nal in nals)

    if sets.codec is Codec.H265:
        return f"sprop-vps={text(sets.vps)}; sprop-sps={text(sets.sps)}; sprop-pps={text(*sets.pps)}"
    profile = sets.sps[1:4].hex().upper()
    return f"packetization-mode=1; profile-level-id={profile}; sprop-parameter-sets={text(sets.sps, *sets.pps)}"
