"""The structured RTSP headers that a session needs: Transport, Session, RTP-Info, Public (RFC 2326, section 12)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vms.media.errors import MediaError, MediaErrorCode

DEFAULT_SESSION_TIMEOUT_S = 60
"""What RFC 2326, 12.37 says when a server gives none."""

_NUMBER = re.compile(r"\d{1,10}")
_PAIR = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_SESSION_ID = re.compile(r"[!-+\--:<-~]{1,256}")


@dataclass(frozen=True, slots=True)
class Transport:
    """One transport of a SETUP. `interleaved` holds the RTP and the RTCP channel, None when it is not over TCP."""

    protocol: str = "RTP/AVP/TCP"
    unicast: bool = True
    interleaved: tuple[int, int] | None = None
    ssrc: int | None = None
    mode: str = ""

    def encode(self) -> str:
        """The header value."""
        parts = [self.protocol, "unicast" if self.unicast else "multicast"]
        if self.interleaved is not None:
            parts.append("interleaved={}-{}".format(*self.interleaved))
        if self.ssrc is not None:
            parts.append(f"ssrc={self.ssrc:08X}")
        if self.mode:
            parts.append(f'mode="{self.mode}"')
        return ";".join(parts)


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a connection and how long the server keeps it without a sign of life."""

    session_id: str
    timeout_s: int = DEFAULT_SESSION_TIMEOUT_S

    def encode(self) -> str:
        """The header value as a server gives it; a client sends `session_id` alone."""
        return f"{self.session_id};timeout={self.timeout_s}"


@dataclass(frozen=True, slots=True)
class RtpInfo:
    """Where a track starts (RFC 2326, 12.33); a field that the server leaves out is None."""

    url: str
    sequence: int | None = None
    rtp_timestamp: int | None = None


def parse_transports(value: str) -> tuple[Transport, ...]:
    """The transports of a header, in order of preference (at most 16). Unreadable parameters are left out."""
    return tuple(_parse_transport(part) for part in value.split(",")[:16] if part.strip())


def parse_transport(value: str) -> Transport:
    """The one transport of an answer. Raises MediaError when there is none."""
    transports = parse_transports(value)
    if not transports:
        raise MediaError(MediaErrorCode.RTSP_MALFORMED, "empty Transport header")
    return transports[0]


def _parse_transport(value: str) -> Transport:
    protocol, *parameters = (part.strip() for part in value.split(";"))
    interleaved: tuple[int, int] | None = None
    ssrc: int | None = None
    mode = ""
    for parameter in parameters:
        name, _, argument = parameter.partition("=")
        match name.strip().lower():
            case "interleaved":
                interleaved = _parse_channels(argument.strip())
            case "ssrc":
                ssrc = _parse_ssrc(argument.strip())
            case "mode":
                mode = argument.strip().strip('"')
    unicast = not any(parameter.lower() == "multicast" for parameter in parameters)
    return Transport(protocol.upper(), unicast, interleaved, ssrc, mode)


def _parse_channels(value: str) -> tuple[int, int] | None:
    """`0-1`; some cameras give the first number only."""
    found = _PAIR.fullmatch(value)
    if found is None:
        return None
    first = int(found[1])
    second = int(found[2]) if found[2] else first + 1
    return (first, second) if first <= 255 and second <= 255 else None


def _parse_ssrc(value: str) -> int | None:
    """Eight hexadecimal digits; cameras pad with spaces or leave zeros out."""
    return int(value, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,8}", value) else None


def parse_session(value: str) -> Session:
    """The session of an answer. Raises MediaError when the identifier is empty or holds impossible characters."""
    session_id, *parameters = (part.strip() for part in value.split(";"))
    if not _SESSION_ID.fullmatch(session_id):
        raise MediaError(MediaErrorCode.RTSP_MALFORMED, f"impossible session identifier {session_id[:40]!r}")
    timeout_s = DEFAULT_SESSION_TIMEOUT_S
    for parameter in parameters:
        name, _, argument = parameter.partition("=")
        if name.strip().lower() == "timeout" and _NUMBER.fullmatch(argument.strip()) and int(argument) > 0:
            timeout_s = min(int(argument), 86_400)
    return Session(session_id, timeout_s)


def parse_rtp_info(value: str) -> tuple[RtpInfo, ...]:
    """The tracks of an RTP-Info header (at most 16); a part without url is left out."""
    infos = []
    for part in value.split(",")[:16]:
        fields = dict(_name_value(item) for item in part.split(";"))
        if fields.get("url"):
            infos.append(RtpInfo(fields["url"], _number(fields.get("seq")), _number(fields.get("rtptime"))))
    return tuple(infos)


def _name_value(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name.strip().lower(), value.strip()


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None


def parse_public(value: str) -> frozenset[str]:
    """The methods of a Public header, in capitals."""
    return frozenset(method.strip().upper() for method in value.split(",") if method.strip())
