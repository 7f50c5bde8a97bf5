"""What can be wrong with bytes that came from a camera: one error type, one closed set of codes.

Rule: nothing but MediaError leaves `vms.media` for bytes that somebody else wrote, whatever they hold.
The code is stable and goes to the gap ledger and to the log; the sentence for people is chosen by the caller, who
knows which camera it is.
"""

from __future__ import annotations

from enum import StrEnum


class MediaErrorCode(StrEnum):
    """Why bytes were refused."""

    RTP_MALFORMED = "media.rtp_malformed"
    RTCP_MALFORMED = "media.rtcp_malformed"
    RTSP_MALFORMED = "media.rtsp_malformed"
    RTSP_TOO_LARGE = "media.rtsp_too_large"
    AUTH_MALFORMED = "media.auth_malformed"
    AUTH_UNSUPPORTED = "media.auth_unsupported"
    SDP_MALFORMED = "media.sdp_malformed"
    SDP_TOO_LARGE = "media.sdp_too_large"
    FRAMING_LOST = "media.framing_lost"
    FLOOD = "media.flood"
    ACCESS_UNIT_TOO_LARGE = "media.access_unit_too_large"
    NAL_MALFORMED = "media.nal_malformed"
    PARAMETER_SET_MALFORMED = "media.parameter_set_malformed"
    PARAMETER_SET_UNSUPPORTED = "media.parameter_set_unsupported"
    CONTAINER_MALFORMED = "media.container_malformed"
    CONTAINER_TOO_LARGE = "media.container_too_large"


class MediaError(Exception):
    """Bytes from outside that break their format or a limit. `detail` is English text for the log, without secrets."""

    def __init__(self, code: MediaErrorCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
