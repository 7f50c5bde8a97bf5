"""Whether parameter sets, of whatever origin, can be those of a camera: read before anything trusts them."""

from __future__ import annotations

from vms.media import h264, h265
from vms.media.access_unit import Codec, ParameterSets, VideoParameters
from vms.media.errors import MediaError, MediaErrorCode


def check_parameters(sets: ParameterSets) -> VideoParameters:
    """What the sequence parameter set says. MediaError when it makes no sense, or one of the sets is far too long."""
    parse, most = (
        (h264.parse_sps, h264.MAX_PARAMETER_SET_BYTES)
        if sets.codec is Codec.H264
        else (h265.parse_sps, h265.MAX_PARAMETER_SET_BYTES)
    )
    longest = max(map(len, (sets.vps, *sets.pps)))
    if longest > most:
        raise MediaError(MediaErrorCode.PARAMETER_SET_MALFORMED, f"parameter set of {longest} bytes")
    return parse(sets.sps)
