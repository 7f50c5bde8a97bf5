"""SDP: what a camera offers, read tolerantly and within bounds; and what a simulated camera offers.

Only what the recorder needs is kept: tracks in their order, each with codec, payload type, clock rate, control address
and parameter sets. Everything else is passed over. Cameras break SDP in many ways (missing lines, CRLF or LF, spaces,
an `a=` that belongs to no track); none of these is an error as long as the video track is clear.

Source: RFC 8866 (SDP), RFC 6184 8.1 and RFC 7798 7.1 (fmtp), RFC 2326 C.1 (control).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vms.media import h264, h265
from vms.media.access_unit import Codec, ParameterSets
from vms.media.errors import MediaError, MediaErrorCode
from vms.media.parameter_sets import check_parameters

MAX_SDP_BYTES: Final = 64 * 1024
MAX_TRACKS: Final = 16
MAX_PARAMETER_SETS: Final = 8
_MAX_VALUE_CHARS: Final = 8_192
_VIDEO_CODECS: Final = {"H264": Codec.H264, "H265": Codec.H265, "HEVC": Codec.H265}


@dataclass(frozen=True, slots=True)
class Track:
    """One media description.

    `kind` is `video`, `audio`, `application` or another word of the camera; `encoding` the name in capitals (`H264`,
    `PCMU`), empty when it is not stated. `parameter_sets` are NAL units without start codes, as offered.
    """

    kind: str
    encoding: str
    payload_type: int
    clock_rate: int
    control: str
    fmtp: Mapping[str, str] = field(default_factory=dict)
    parameter_sets: tuple[bytes, ...] = ()

    @property
    def codec(self) -> Codec | None:
        """The codec when this is video that can be recorded, else None."""
        return _VIDEO_CODECS.get(self.encoding) if self.kind == "video" else None

    @property
    def parameters(self) -> ParameterSets | None:
        """The parameter sets of the offer when they are complete and make sense, else None."""
        codec = self.codec
        if codec is Codec.H264:
            kinds = [(h264.nal_type(nal[0]), nal) for nal in self.parameter_sets]
            return _complete(codec, kinds, (None, h264.NAL_SPS, h264.NAL_PPS))
        if codec is Codec.H265:
            kinds = [(h265.nal_type(nal[0]), nal) for nal in self.parameter_sets]
            return _complete(codec, kinds, (h265.NAL_VPS, h265.NAL_SPS, h265.NAL_PPS))
        return None


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """An offer: its session-level control address (empty when there is none) and its tracks in order."""

    control: str
    tracks: tuple[Track, ...]

    def video(self) -> Track | None:
        """The first track that can be recorded, else None. Sound and metadata are never chosen (LAW-12)."""
        return next((track for track in self.tracks if track.codec is not None), None)


@dataclass(slots=True)
class _Draft:
    kind: str
    formats: list[str]
    control: str = ""
    encodings: dict[int, tuple[str, int]] = field(default_factory=dict)
    fmtps: dict[int, dict[str, str]] = field(default_factory=dict)


def parse_sdp(text: str | bytes) -> SessionDescription:
    """Read an offer. MediaError `media.sdp_too_large` or `media.sdp_malformed` when it cannot be one."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if len(text) > MAX_SDP_BYTES:
        raise MediaError(MediaErrorCode.SDP_TOO_LARGE, f"{len(text)} characters")
    control = ""
    drafts: list[_Draft] = []
    for line in text.replace("\0", "").splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or len(name) != 1:
            continue
        value = value.strip()
        if name == "m":
            drafts.append(_media(value))
            if len(drafts) > MAX_TRACKS:
                raise MediaError(MediaErrorCode.SDP_TOO_LARGE, f"more than {MAX_TRACKS} tracks")
        elif name == "a" and drafts:
            _attribute(drafts[-1], value)
        elif name == "a" and value.lower().startswith("control:"):
            control = value.partition(":")[2].strip()
    if not drafts:
        raise MediaError(MediaErrorCode.SDP_MALFORMED, "no media description")
    return SessionDescription(control, tuple(_track(draft) for draft in drafts))


def resolve_control(base: str, content_base: str | None, control: str) -> str:
    """The address of a control attribute, seen from the `Content-Base` (or the request's address `base`).

    An absolute control stands for itself, `*` or nothing for the base. A relative one is appended behind a slash, as
    cameras mean it, also where the base has no slash at its end or holds a query. A base that is itself relative is
    taken from `base`. These are names to say to the camera, whatever host they hold: nobody is called there.
    """
    given = "".join((content_base or "").split())
    origin = _joined(base, given) if given else base
    control = "%20".join(control.split())
    if not control or control == "*":
        return origin
    if control.startswith("/") or _is_absolute(control):
        return _joined(origin, control)
    return origin + ("" if origin.endswith("/") else "/") + control


def _is_absolute(address: str) -> bool:
    return address.partition("://")[0].lower() in {"rtsp", "rtsps", "rtspu"}


def _joined(base: str, reference: str) -> str:
    """`reference` as seen from `base` (RFC 3986, 5.2), for schemes that the library does not know and any text."""
    if _is_absolute(reference):
        return reference
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    if reference.startswith("/"):
        return f"{scheme}://{host}{reference}"
    folder = (slash + path.partition("?")[0]).rpartition("/")[0]
    return f"{scheme}://{host}{folder}/{reference}"


def build_sdp(tracks: tuple[Track, ...], *, name: str = "camera", address: str = "0.0.0.0") -> str:  # noqa: S104
    """The offer of a simulated camera."""
    lines = ["v=0", f"o=- 0 0 IN IP4 {address}", f"s={name}", f"c=IN IP4 {address}", "t=0 0", "a=control:*"]
    for track in tracks:
        lines.append(f"m={track.kind} 0 RTP/AVP {track.payload_type}")
        if track.encoding:
            lines.append(f"a=rtpmap:{track.payload_type} {track.encoding}/{track.clock_rate}")
        settings = {**track.fmtp, **_offered_parameter_sets(track)}
        if settings:
            joined = ";".join(f"{key}={value}" for key, value in settings.items())
            lines.append(f"a=fmtp:{track.payload_type} {joined}")
        lines.append(f"a=control:{track.control}")
    return "\r\n".join(lines) + "\r\n"


def _media(value: str) -> _Draft:
    words = value.split()
    if not words:
        raise MediaError(MediaErrorCode.SDP_MALFORMED, "empty media description")
    return _Draft(words[0].lower()[:32], words[3:19])


def _attribute(draft: _Draft, value: str) -> None:
    name, _, rest = value.partition(":")
    name, rest = name.strip().lower(), rest.strip()[:_MAX_VALUE_CHARS]
    if name == "control":
        draft.control = rest
        return
    if name not in {"rtpmap", "fmtp"}:
        return
    number, _, detail = rest.partition(" ")
    payload_type = _number(number)
    if not 0 <= payload_type <= 127:
        return
    if name == "rtpmap":
        encoding, _, rate = detail.strip().partition("/")
        draft.encodings[payload_type] = (encoding.strip().upper()[:32], _number(rate.partition("/")[0]))
    else:
        draft.fmtps[payload_type] = _settings(detail)


def _settings(text: str) -> dict[str, str]:
    found = {}
    for part in text.split(";")[:64]:
        key, equals, value = part.strip().partition("=")
        if equals:
            found[key.strip().lower()] = value.strip()
    return found


def _track(draft: _Draft) -> Track:
    offered = [number for text in draft.formats if 0 <= (number := _number(text)) <= 127]
    known = [number for number in offered if draft.encodings.get(number, ("",))[0] in _VIDEO_CODECS]
    payload_type = (known or offered or list(draft.encodings) or [-1])[0]
    encoding, clock_rate = draft.encodings.get(payload_type, ("", 0))
    fmtp = draft.fmtps.get(payload_type, {})
    return Track(
        draft.kind, encoding, payload_type, clock_rate or 90_000, draft.control, fmtp, _parameter_sets(encoding, fmtp)
    )


def _parameter_sets(encoding: str, fmtp: Mapping[str, str]) -> tuple[bytes, ...]:
    video = _VIDEO_CODECS.get(encoding)
    keys = ("sprop-parameter-sets",) if video is Codec.H264 else ("sprop-vps", "sprop-sps", "sprop-pps")
    found = []
    for text in ",".join(fmtp.get(key, "") for key in keys).split(",")[:MAX_PARAMETER_SETS]:
        try:
            nal = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4), validate=True)
        except (binascii.Error, ValueError):
            continue
        nal = nal.removeprefix(b"\0\0\0\1")
        if nal:
            found.append(nal)
    return tuple(found)


def _offered_parameter_sets(track: Track) -> dict[str, str]:
    encoded = [base64.b64encode(nal).decode() for nal in track.parameter_sets]
    if not encoded:
        return {}
    if track.codec is Codec.H264:
        return {"sprop-parameter-sets": ",".join(encoded)}
    names = {h265.NAL_VPS: "sprop-vps", h265.NAL_SPS: "sprop-sps", h265.NAL_PPS: "sprop-pps"}
    pairs = zip(track.parameter_sets, encoded, strict=True)
    return {names[h265.nal_type(nal[0])]: text for nal, text in pairs if h265.nal_type(nal[0]) in names}


def _complete(
    codec: Codec, kinds: list[tuple[int, bytes]], wanted: tuple[int | None, int, int]
) -> ParameterSets | None:
    vps = next((nal for kind, nal in kinds if kind == wanted[0]), b"")
    sps = next((nal for kind, nal in kinds if kind == wanted[1]), b"")
    pps = tuple(nal for kind, nal in kinds if kind == wanted[2])
    if not sps or not pps or (wanted[0] is not None and not vps):
        return None
    found = ParameterSets(codec, vps, sps, pps)
    try:
        check_parameters(found)
    except MediaError:
        return None  # the stream may bring better ones
    return found


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
