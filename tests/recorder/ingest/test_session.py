"""The session with scripted cameras: each test is one oddity of a camera in the field."""

from __future__ import annotations

import pytest

from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.session import Phase, RedirectedError, RtspSession
from vms.media.access_unit import Codec
from vms.media.rtsp import RtspMessage, RtspParser, RtspRequest, RtspResponse
from vms.media.rtsp_auth import (
    Algorithm,
    AuthorisationOutcome,
    Challenge,
    Scheme,
    check_authorisation,
)

URL = "rtsp://192.0.2.9:8554/main"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=camera\r\nt=0 0\r\na=control:*\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:track-audio\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKeKQFAe2AtwEBAaQeJEV,aM48gA==\r\na=control:track-video\r\n"
    "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:track-metadata\r\n"
)


def parse(data: bytes) -> list[RtspRequest]:
    items = RtspParser().feed(data)
    assert all(isinstance(item, RtspRequest) for item in items)
    return [item for item in items if isinstance(item, RtspRequest)]


def respond(request: RtspRequest, status: int = 200, body: str = "", **headers: str) -> RtspResponse:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return RtspResponse(status, "OK" if status == 200 else "No", (("CSeq", str(request.cseq)), *named), body.encode())


class Camera:
    """A camera that answers by the book, but for what a test replaces."""

    def __init__(self, session: RtspSession, sdp: str = SDP, **replaced: RtspResponse | dict[str, str]) -> None:
        self.session = session
        self.sdp = sdp
        self.headers: dict[str, dict[str, str]] = {
            "OPTIONS": {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"},
            "SETUP": {"Session": "12345678;timeout=60", "Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"},
        }
        self.status: dict[str, int] = {}
        self.requests: list[RtspRequest] = []

    def play(self) -> None:
        """Let the session come as far as it can."""
        (request,) = parse(self.session.start())
        while True:
            self.requests.append(request)
            response = self.answer(request)
            sent = self.session.receive(response)
            if not sent:
                return
            (request,) = parse(sent)

    def answer(self, request: RtspRequest) -> RtspMessage:
        body = self.sdp if request.method == "DESCRIBE" else ""
        status = self.status.get(request.method, 200)
        return respond(request, status, body, **self.headers.get(request.method, {}))

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    def request(self, method: str) -> RtspRequest:
        return next(request for request in self.requests if request.method == method)


class GuardedCamera(Camera):
    """A camera that wants credentials for everything."""

    def __init__(self, session: RtspSession, challenge: Challenge, password: str = "secret") -> None:
        super().__init__(session)
        self.challenge = challenge
        self.password = password
        self.proofs: list[str | None] = []

    def answer(self, request: RtspRequest) -> RtspMessage:
        proof = request.header("Authorization")
        self.proofs.append(proof)
        outcome = check_authorisation(proof, [self.challenge], request.method, lambda _: self.password, uri=request.uri)
        if outcome is AuthorisationOutcome.GRANTED:
            return super().answer(request)
        return respond(request, 401, WWW_Authenticate=self.challenge.encode())


def fails(camera: Camera) -> IngestError:
    with pytest.raises(IngestError) as failure:
        camera.play()
    return failure.value


def test_a_camera_by_the_book_plays():
    camera = Camera(RtspSession(URL))
    camera.play()
    assert camera.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert camera.session.phase is Phase.PLAYING
    track = camera.session.track
    assert track is not None
    assert (track.codec, track.payload_type, track.rtp_channel, track.rtcp_channel) == (Codec.H264, 96, 0, 1)
    assert track.parameters is not None
    assert track.parameters.sps[0] & 0x1F == 7
    assert camera.request("SETUP").uri == f"{URL}/track-video"
    assert camera.request("PLAY").header("Session") == "12345678"


def test_sound_and_metadata_are_never_set_up():
    """LAW-12"""
    camera = Camera(RtspSession(URL))
    camera.play()
    setups = [request.uri for request in camera.requests if request.method == "SETUP"]
    assert setups == [f"{URL}/track-video"]


@pytest.mark.parametrize(
    "challenge",
    [
        Challenge(Scheme.DIGEST, "cam", "n1"),
        Challenge(Scheme.DIGEST, "cam", "n1", qop=True),
        Challenge(Scheme.DIGEST, "cam", "n1", Algorithm.SHA256, qop=True, opaque="o"),
        Challenge(Scheme.BASIC, "cam"),
    ],
)
def test_credentials_are_given_when_they_are_asked_for(challenge: Challenge):
    camera = GuardedCamera(RtspSession(URL, "vms", "secret"), challenge)
    camera.play()
    assert camera.session.phase is Phase.PLAYING
    assert camera.proofs[0] is None
    assert all(proof is not None for proof in camera.proofs[1:])


def test_a_wrong_password_is_tried_once():
    camera = GuardedCamera(RtspSession(URL, "vms", "wrong"), Challenge(Scheme.DIGEST, "cam", "n1"))
    assert fails(camera).cause is Cause.BAD_PASSWORD
    assert camera.methods == ["OPTIONS", "OPTIONS"]


def test_without_credentials_none_are_made_up():
    camera = GuardedCamera(RtspSession(URL), Challenge(Scheme.DIGEST, "cam", "n1"))
    assert fails(camera).cause is Cause.BAD_PASSWORD


def test_a_nonce_that_is_stale_is_answered_again_but_not_for_ever():
    class Forgetful(GuardedCamera):
        stale = 0

        def answer(self, request: RtspRequest) -> RtspMessage:
            if request.header("Authorization") and self.stale > 0:
                self.stale -= 1
                fresh = Challenge(Scheme.DIGEST, "cam", "n2", stale=True)
                self.challenge = fresh
                return respond(request, 401, WWW_Authenticate=fresh.encode())
            return super().answer(request)

    camera = Forgetful(RtspSession(URL, "vms", "secret"), Challenge(Scheme.DIGEST, "cam", "n1"))
    camera.stale = 2
    camera.play()
    assert camera.session.phase is Phase.PLAYING
    camera = Forgetful(RtspSession(URL, "vms", "secret"), Challenge(Scheme.DIGEST, "cam", "n1"))
    camera.stale = 1_000
    assert fails(camera).cause is Cause.BAD_PASSWORD


@pytest.mark.parametrize("header", ["Content-Base", "Content-Location"])
def test_controls_are_resolved_against_the_base_that_the_camera_gives(header: str):
    camera = Camera(RtspSession(URL))
    camera.headers["DESCRIBE"] = {header: "rtsp://192.0.2.9:8554/stream7/"}
    camera.play()
    assert camera.request("SETUP").uri == "rtsp://192.0.2.9:8554/stream7/track-video"
    assert camera.request("PLAY").uri == "rtsp://192.0.2.9:8554/stream7/"


def test_an_absolute_control_is_taken_as_it_is():
    camera = Camera(RtspSession(URL), SDP.replace("a=control:track-video", "a=control:rtsp://192.0.2.9/other/v"))
    camera.play()
    assert camera.request("SETUP").uri == "rtsp://192.0.2.9/other/v"


def test_an_options_that_is_refused_is_no_obstacle():
    camera = Camera(RtspSession(URL))
    camera.status["OPTIONS"] = 501
    camera.play()
    assert camera.session.phase is Phase.PLAYING


def test_channels_are_those_that_the_camera_chose():
    camera = Camera(RtspSession(URL))
    camera.headers["SETUP"]["Transport"] = "RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=0000ABCD"
    camera.play()
    assert camera.session.track is not None
    assert (camera.session.track.rtp_channel, camera.session.track.rtcp_channel) == (4, 5)


@pytest.mark.parametrize(("timeout", "expected"), [("60", 24.0), ("10", 4.0), ("2", 1.0), ("0", 24.0), ("600", 30.0)])
def test_keep_alives_come_well_before_the_time_out(timeout: str, expected: float):
    camera = Camera(RtspSession(URL))
    camera.headers["SETUP"]["Session"] = f"1;timeout={timeout}"
    camera.play()
    assert camera.session.keep_alive_s == expected


@pytest.mark.parametrize(
    ("public", "method"),
    [
        ("OPTIONS, DESCRIBE, SET_PARAMETER, get_parameter", "GET_PARAMETER"),
        ("OPTIONS, DESCRIBE, SET_PARAMETER", "SET_PARAMETER"),
        ("OPTIONS, DESCRIBE", "OPTIONS"),
        ("", "OPTIONS"),
    ],
)
def test_the_session_is_kept_alive_with_what_the_camera_supports(public: str, method: str):
    camera = Camera(RtspSession(URL))
    camera.headers["OPTIONS"]["Public"] = public
    camera.play()
    (request,) = parse(camera.session.keep_alive())
    assert (request.method, request.header("Session")) == (method, "12345678")
    assert camera.session.receive(respond(request)) == b""


def test_a_keep_alive_that_is_not_supported_after_all_is_replaced():
    camera = Camera(RtspSession(URL))
    camera.play()
    (request,) = parse(camera.session.keep_alive())
    camera.session.receive(respond(request, 551))
    (request,) = parse(camera.session.keep_alive())
    assert request.method == "OPTIONS"


def test_a_nonce_that_ends_while_playing_costs_no_stream():
    camera = GuardedCamera(RtspSession(URL, "vms", "secret"), Challenge(Scheme.DIGEST, "cam", "n1"))
    camera.play()
    (request,) = parse(camera.session.keep_alive())
    fresh = Challenge(Scheme.DIGEST, "cam", "n2")
    (again,) = parse(camera.session.receive(respond(request, 401, WWW_Authenticate=fresh.encode())))
    assert 'nonce="n2"' in (again.header("Authorization") or "")
    assert again.method == request.method


def test_a_session_that_the_camera_forgot_is_lost():
    camera = Camera(RtspSession(URL))
    camera.play()
    (request,) = parse(camera.session.keep_alive())
    with pytest.raises(IngestError) as lost:
        camera.session.receive(respond(request, 454))
    assert lost.value.cause is Cause.CLOSED_BY_CAMERA


@pytest.mark.parametrize(
    ("method", "status", "cause"),
    [
        ("DESCRIBE", 404, Cause.REFUSED),
        ("DESCRIBE", 403, Cause.REFUSED),
        ("DESCRIBE", 503, Cause.REFUSED),
        ("SETUP", 453, Cause.REFUSED),
        ("SETUP", 461, Cause.PROTOCOL),
        ("PLAY", 500, Cause.REFUSED),
    ],
)
def test_a_refusal_has_a_cause(method: str, status: int, cause: Cause):
    camera = Camera(RtspSession(URL))
    camera.status[method] = status
    assert fails(camera).cause is cause


def test_a_redirect_names_the_other_address():
    camera = Camera(RtspSession(URL))
    camera.status["DESCRIBE"] = 302
    camera.headers["DESCRIBE"] = {"Location": "rtsp://192.0.2.10/main"}
    with pytest.raises(RedirectedError) as elsewhere:
        camera.play()
    assert elsewhere.value.url == "rtsp://192.0.2.10/main"


@pytest.mark.parametrize("location", ["", "http://192.0.2.10/", "file:///etc/passwd"])
def test_a_redirect_to_anything_but_rtsp_is_refused(location: str):
    camera = Camera(RtspSession(URL))
    camera.status["DESCRIBE"] = 301
    camera.headers["DESCRIBE"] = {"Location": location}
    assert fails(camera).cause is Cause.PROTOCOL


@pytest.mark.parametrize(
    "sdp",
    [
        SDP.replace("H264/90000", "JPEG/90000"),
        SDP.replace("m=video 0 RTP/AVP 96", "m=audio 0 RTP/AVP 96"),
    ],
)
def test_a_camera_without_a_codec_that_we_record_is_refused(sdp: str):
    assert fails(Camera(RtspSession(URL), sdp)).cause is Cause.UNSUPPORTED_CODEC


@pytest.mark.parametrize("sdp", ["", "\0\0\0", "m=video", "<html>", "v=0\r\nm=video x y z\r\na=rtpmap:\r\n"])
def test_an_answer_that_is_no_description_is_refused(sdp: str):
    assert fails(Camera(RtspSession(URL), sdp)).cause in {Cause.PROTOCOL, Cause.UNSUPPORTED_CODEC}


def test_a_setup_answered_with_another_transport_is_refused():
    camera = Camera(RtspSession(URL))
    camera.headers["SETUP"]["Transport"] = "RTP/AVP;unicast;client_port=5000-5001"
    assert fails(camera).cause is Cause.PROTOCOL


def test_requests_of_the_camera_are_answered():
    camera = Camera(RtspSession(URL))
    camera.play()
    for method, status in (("OPTIONS", 200), ("SET_PARAMETER", 200), ("RECORD", 501)):
        (answer,) = RtspParser().feed(camera.session.receive(RtspRequest(method, URL, (("CSeq", "77"),))))
        assert isinstance(answer, RtspResponse)
        assert (answer.status, answer.cseq) == (status, 77)
    with pytest.raises(RedirectedError):
        camera.session.receive(RtspRequest("REDIRECT", URL, (("CSeq", "78"), ("Location", "rtsp://192.0.2.8/"))))
    with pytest.raises(IngestError):
        camera.session.receive(RtspRequest("TEARDOWN", URL, (("CSeq", "79"),)))


def test_an_answer_to_nothing_is_ignored():
    session = RtspSession(URL)
    (request,) = parse(session.start())
    assert session.receive(RtspResponse(200, "OK", (("CSeq", "999"),))) == b""
    assert session.receive(respond(request)) != b""


def test_an_answer_without_a_number_belongs_to_the_request_under_way():
    session = RtspSession(URL)
    session.start()
    (request,) = parse(session.receive(RtspResponse(200, "OK")))
    assert request.method == "DESCRIBE"
