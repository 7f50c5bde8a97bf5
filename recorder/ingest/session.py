"""The client side of one RTSP session, as a state machine without any I/O (RFC 2326).

    OPTIONS ─► DESCRIBE ─► SETUP ─► PLAY ─► playing ─► keep-alives

Rules
1. One request is under way at a time until PLAY is answered. An answer to another request is ignored.
2. Only one video track is set up, over TCP. Sound and metadata never are, whatever the camera offers (LAW-12).
3. Credentials are given when they are asked for, once a request; a second refusal means that they are wrong. A camera
   that calls its nonce stale is answered again.
4. The strongest challenge is answered: SHA-256, MD5, then Basic. Basic gives the password away where there is no TLS:
   there it is answered only by a camera that offers nothing else, with a warning, and never after a digest in the same
   session, which would be somebody else's wish.
5. A refused OPTIONS says nothing of the stream: the session goes on without knowing what the camera supports.
6. The session is kept alive with what the camera says it supports: GET_PARAMETER, else SET_PARAMETER, which ONVIF asks
   for (Streaming Specification, 5.2.2), else OPTIONS, which all know. One that is refused is not used again.
7. A camera may send requests of its own; each is answered, none changes anything but REDIRECT and TEARDOWN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from recorder.contract.assignment import StreamTransport
from recorder.ingest.causes import Cause, ForeignStreamError, IngestError
from vms.media.access_unit import Codec, ParameterSets
from vms.media.errors import MediaError
from vms.media.rtsp import Headers, RtspMessage, RtspRequest, RtspResponse
from vms.media.rtsp_auth import Challenge, Scheme, authorisation_header, strongest_challenge
from vms.media.rtsp_headers import DEFAULT_SESSION_TIMEOUT_S, parse_public, parse_session, parse_transport
from vms.media.sdp import SessionDescription, Track, parse_sdp, resolve_control

log = structlog.get_logger(__name__)

USER_AGENT: Final = "vms-departemental"
RTP_CHANNEL, RTCP_CHANNEL = 0, 1
MAX_STALE_ANSWERS = 3
SHORTEST_KEEP_ALIVE_S = 1.0
LONGEST_KEEP_ALIVE_S = 30.0

_FOREIGN_ENCODINGS = frozenset({"JPEG", "MP4V-ES"})
_STATIC_JPEG = 26
"""The payload type of RFC 3551 that needs no name."""
_KEEP_ALIVES = ("GET_PARAMETER", "SET_PARAMETER")
_UNSUPPORTED = frozenset({400, 404, 405, 451, 455, 501, 551})
_REDIRECTS = frozenset({301, 302, 303, 305, 307, 308})
_REQUESTS_OF_A_CAMERA = frozenset({"OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE"})


class Phase(StrEnum):
    """The request that is under way, or that all is well."""

    NEW = "NEW"
    OPTIONS = "OPTIONS"
    DESCRIBE = "DESCRIBE"
    SETUP = "SETUP"
    PLAY = "PLAY"
    PLAYING = "PLAYING"


class RedirectedError(Exception):
    """The camera sends us to another address."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """What was set up: codec, payload type, the parameter sets of the SDP if it has them, and the two channels."""

    codec: Codec
    payload_type: int
    parameters: ParameterSets | None
    rtp_channel: int
    rtcp_channel: int


class RtspSession:
    """One session with one camera. Feed it every message; send what it returns.

    `url` has no credentials in it. Raises IngestError, and RedirectedError when the camera is elsewhere.
    """

    def __init__(self, url: str, username: str = "", password: str = "") -> None:
        self.phase = Phase.NEW
        self.track: VideoTrack | None = None
        self.timeout_s = DEFAULT_SESSION_TIMEOUT_S
        self.url = url
        self._username = username
        self._password = password
        self._sequence = 0
        self._pending: RtspRequest | None = None
        self._challenge: Challenge | None = None
        self._nonce_count = 0
        self._answered_challenge = False
        self._stale_answers = 0
        self._told_of_basic = False
        self._public: frozenset[str] = frozenset()
        self._session_id = ""
        self._description: Track | None = None
        self._setup_url = url
        self._play_url = url

    @property
    def keep_alive_s(self) -> float:
        """How long to wait between two keep-alives."""
        return min(max(self.timeout_s * 0.4, SHORTEST_KEEP_ALIVE_S), LONGEST_KEEP_ALIVE_S)

    def start(self) -> bytes:
        """The first request."""
        return self._enter(Phase.OPTIONS)

    def receive(self, message: RtspMessage) -> bytes:
        """Take what the camera sent and return what is to be sent now, or nothing."""
        if isinstance(message, RtspRequest):
            return self._answer(message)
        # Some cameras leave CSeq out; while one request is under way there is no doubt which one is meant.
        if self._pending is None or message.cseq not in {None, self._pending.cseq}:
            return b""
        if 100 <= message.status < 200:
            return b""
        if message.status == 401:
            return self._authenticate(message)
        self._answered_challenge = False
        self._stale_answers = 0
        if self.phase is Phase.PLAYING:
            return self._kept_alive(message)
        return self._advance(message)

    def keep_alive(self) -> bytes:
        """A request that tells the camera that we are there."""
        method = next((method for method in _KEEP_ALIVES if method in self._public), "OPTIONS")
        return self._request(method, self._play_url)

    def teardown(self) -> bytes:
        """The farewell; no answer is awaited."""
        return self._request("TEARDOWN", self._play_url)

    def _enter(self, phase: Phase) -> bytes:
        self.phase = phase
        match phase:
            case Phase.DESCRIBE:
                return self._request("DESCRIBE", self.url, (("Accept", "application/sdp"),))
            case Phase.SETUP:
                transport = f"RTP/AVP/TCP;unicast;interleaved={RTP_CHANNEL}-{RTCP_CHANNEL}"
                return self._request("SETUP", self._setup_url, (("Transport", transport),))
            case Phase.PLAY:
                return self._request("PLAY", self._play_url, (("Range", "npt=0.000-"),))
            case _:
                return self._request("OPTIONS", self.url)

    def _advance(self, response: RtspResponse) -> bytes:
        if response.status in _REDIRECTS:
            raise RedirectedError(self._location(response.header("Location")))
        steps: dict[Phase, Callable[[RtspResponse], bytes]] = {
            Phase.OPTIONS: self._after_options,
            Phase.DESCRIBE: self._after_describe,
            Phase.SETUP: self._after_setup,
            Phase.PLAY: self._after_play,
        }
        try:
            return steps[self.phase](response)
        except MediaError as wrong:
            raise IngestError(Cause.PROTOCOL, f"{self.phase}: {wrong}") from None

    def _after_options(self, response: RtspResponse) -> bytes:
        if response.status == 200:
            self._public = parse_public(response.header("Public") or "")
        return self._enter(Phase.DESCRIBE)

    def _after_describe(self, response: RtspResponse) -> bytes:
        self._require_success(response)
        base = response.header("Content-Base") or response.header("Content-Location")
        description = parse_sdp(response.body)
        track = _video_track(description)
        self._description = track
        self._setup_url = resolve_control(self.url, base, track.control)
        self._play_url = resolve_control(self.url, base, description.control)
        return self._enter(Phase.SETUP)

    def _after_setup(self, response: RtspResponse) -> bytes:
        if response.status == 461:
            detail = "the camera does not send RTP over the RTSP connection"
            raise ForeignStreamError(Cause.PROTOCOL, detail, StreamTransport.UDP)
        self._require_success(response)
        session = parse_session(response.header("Session") or "")
        self._session_id = session.session_id
        self.timeout_s = session.timeout_s
        transport = parse_transport(response.header("Transport") or "RTP/AVP/TCP;unicast")
        if "TCP" not in transport.protocol:
            detail = f"the camera answers with transport {transport.protocol[:40]}"
            raise ForeignStreamError(Cause.PROTOCOL, detail, StreamTransport.UDP)
        rtp_channel, rtcp_channel = transport.interleaved or (RTP_CHANNEL, RTCP_CHANNEL)
        track = self._description
        assert track is not None, "SETUP comes after DESCRIBE"
        assert track.codec is not None, "another track is never chosen"
        self.track = VideoTrack(track.codec, track.payload_type, track.parameters, rtp_channel, rtcp_channel)
        return self._enter(Phase.PLAY)

    def _after_play(self, response: RtspResponse) -> bytes:
        self._require_success(response)
        self.phase = Phase.PLAYING
        self._pending = None
        return b""

    def _kept_alive(self, response: RtspResponse) -> bytes:
        method = self._pending.method if self._pending is not None else ""
        self._pending = None
        if response.status == 454:
            raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera has forgotten the session")
        if response.status in _UNSUPPORTED:
            self._public -= {method}  # it offered what it does not support
        return b""

    def _authenticate(self, response: RtspResponse) -> bytes:
        request = self._pending
        assert request is not None
        if not self._username and not self._password:
            raise IngestError(Cause.BAD_PASSWORD, f"{request.method}: the camera asks for credentials, none are known")
        try:
            challenge = strongest_challenge(response.all_headers("WWW-Authenticate"))
        except MediaError as wrong:
            cause = Cause.BAD_PASSWORD if self._answered_challenge else Cause.PROTOCOL
            raise IngestError(cause, f"{request.method}: {wrong}") from None
        if self._answered_challenge and not (challenge.stale and self._stale_answers < MAX_STALE_ANSWERS):
            raise IngestError(Cause.BAD_PASSWORD, f"{request.method}: the camera refuses the credentials")
        self._judge(challenge)
        self._stale_answers += challenge.stale
        self._answered_challenge = True
        self._challenge = challenge
        self._nonce_count = 0
        own = tuple(header for header in request.headers if header[0] not in {"CSeq", "Authorization"})
        return self._request(request.method, request.uri, own, again=True)

    def _judge(self, challenge: Challenge) -> None:
        """Whether the password may be given away."""
        if challenge.scheme is not Scheme.BASIC or self.url.startswith("rtsps:"):
            return
        if self._challenge is not None and self._challenge.scheme is Scheme.DIGEST:
            raise IngestError(Cause.BAD_PASSWORD, "the camera asks for the password in the clear after a digest")
        if not self._told_of_basic:
            self._told_of_basic = True
            log.warning("password sent in the clear: the camera offers Basic only", url=self.url)

    def _answer(self, request: RtspRequest) -> bytes:
        if request.method == "REDIRECT":
            if request.header("Location") is None:
                raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera asks to be called again")
            raise RedirectedError(self._location(request.header("Location")))
        if request.method == "TEARDOWN":
            raise IngestError(Cause.CLOSED_BY_CAMERA, "the camera ends the session")
        status, reason = (200, "OK") if request.method in _REQUESTS_OF_A_CAMERA else (501, "Not Implemented")
        cseq = (("CSeq", str(request.cseq)),) if request.cseq is not None else ()
        return RtspResponse(status, reason, cseq).encode()

    def _request(self, method: str, uri: str, headers: Headers = (), *, again: bool = False) -> bytes:
        if not again:
            headers = (*headers, ("User-Agent", USER_AGENT))
            if self._session_id:
                headers = (*headers, ("Session", self._session_id))
            self._answered_challenge = False
        self._sequence += 1
        whole: Headers = (("CSeq", str(self._sequence)), *headers)
        if self._challenge is not None:
            self._nonce_count += 1
            proof = authorisation_header(
                self._challenge, method, uri, self._username, self._password, nonce_count=self._nonce_count
            )
            whole = (*whole, ("Authorization", proof))
        self._pending = RtspRequest(method, uri, whole)
        return self._pending.encode()

    def _require_success(self, response: RtspResponse) -> None:
        if not 200 <= response.status < 300:
            what = f"{self.phase}: {response.status} {response.reason[:80]}"
            raise IngestError(Cause.REFUSED, what)

    def _location(self, location: str | None) -> str:
        if not location or not location.lower().startswith(("rtsp://", "rtsps://")):
            raise IngestError(Cause.PROTOCOL, "the camera redirects to no RTSP address")
        return location


def _video_track(description: SessionDescription) -> Track:
    """The first track that we record: H.264 or H.265 video."""
    video = [track for track in description.tracks if track.kind == "video"]
    for track in video:
        if track.codec is not None:
            return track
    names = ", ".join(track.encoding[:20] for track in video) or "no video at all"
    if any(track.encoding in _FOREIGN_ENCODINGS or track.payload_type == _STATIC_JPEG for track in video):
        raise ForeignStreamError(Cause.UNSUPPORTED_CODEC, f"the camera offers {names}", StreamTransport.TCP)
    raise IngestError(Cause.UNSUPPORTED_CODEC, f"the camera offers {names}")
