"""More oddities of cameras in the field: bases and controls, passwords in the clear, keep-alives that are refused."""

from __future__ import annotations

import pytest

from recorder.ingest.causes import Cause, IngestError
from recorder.ingest.session import Phase, RtspSession
from tests.recorder.ingest.test_session import SDP, URL, Camera, GuardedCamera, fails, parse, respond
from vms.media.rtsp import RtspMessage, RtspRequest, RtspResponse
from vms.media.rtsp_auth import Algorithm, Challenge, Scheme

HOST = "rtsp://192.0.2.9:8554"
BASIC = Challenge(Scheme.BASIC, "cam")
DIGEST = Challenge(Scheme.DIGEST, "cam", "n1")


@pytest.mark.parametrize(
    ("base", "control", "aggregate", "setup", "play"),
    [
        (None, "track-video", "*", f"{URL}/track-video", URL),
        ("", "track-video", "*", f"{URL}/track-video", URL),
        (f"{URL}/", "track-video", "*", f"{URL}/track-video", f"{URL}/"),
        (f"{URL}", "track-video", "*", f"{URL}/track-video", URL),
        ("/main/", "track-video", "*", f"{HOST}/main/track-video", f"{HOST}/main/"),
        ("main/", "track-video", "*", f"{HOST}/main/track-video", f"{HOST}/main/"),
        ("rtsp://10.0.0.1/main/", "trackID=1", "*", "rtsp://10.0.0.1/main/trackID=1", "rtsp://10.0.0.1/main/"),
        (f"{URL}/", f"{URL}/v", "*", f"{URL}/v", f"{URL}/"),
        (f"{URL}/", "RTSP://cam/v", "", "RTSP://cam/v", f"{URL}/"),
        (f"{URL}/", "/v", f"{URL}/all", f"{HOST}/v", f"{URL}/all"),
        (f"{URL}/", "*", "*", f"{URL}/", f"{URL}/"),
        (f"{URL}/", "", "", f"{URL}/", f"{URL}/"),
        (f"{URL}?a=1&b=2", "trackID=0", "*", f"{URL}?a=1&b=2/trackID=0", f"{URL}?a=1&b=2"),
        (f" {URL}/ ", "a track", "*", f"{URL}/a%20track", f"{URL}/"),
    ],
)
def test_bases_and_controls_are_put_together_as_cameras_mean_them(
    base: str | None, control: str, aggregate: str, setup: str, play: str
):
    sdp = SDP.replace("a=control:track-video", f"a=control:{control}").replace("a=control:*", f"a=control:{aggregate}")
    camera = Camera(RtspSession(URL), sdp)
    if base is not None:
        camera.headers["DESCRIBE"] = {"Content-Base": base}
    camera.play()
    assert (camera.request("SETUP").uri, camera.request("PLAY").uri) == (setup, play)


def test_the_strongest_of_several_challenges_is_answered():
    class Choosy(GuardedCamera):
        def answer(self, request: RtspRequest) -> RtspMessage:
            answer = super().answer(request)
            assert isinstance(answer, RtspResponse)
            others = (("WWW-Authenticate", BASIC.encode()), ("WWW-Authenticate", DIGEST.encode()))
            return RtspResponse(answer.status, answer.reason, (*others, *answer.headers), answer.body)

    camera = Choosy(
        RtspSession(URL, "vms", "secret"), Challenge(Scheme.DIGEST, "cam", "n2", Algorithm.SHA256, qop=True)
    )
    camera.play()
    assert all("SHA-256" in proof for proof in camera.proofs[1:] if proof)
    assert camera.session.phase is Phase.PLAYING


@pytest.mark.parametrize("url", [URL, URL.replace("rtsp:", "rtsps:")])
def test_a_camera_that_knows_only_basic_is_answered(url: str):
    camera = GuardedCamera(RtspSession(url, "vms", "secret"), BASIC)
    camera.play()
    assert camera.session.phase is Phase.PLAYING


def test_the_password_is_not_given_in_the_clear_after_a_digest():
    camera = GuardedCamera(RtspSession(URL, "vms", "secret"), DIGEST)
    camera.play()
    (request,) = parse(camera.session.keep_alive())
    with pytest.raises(IngestError) as refused:
        camera.session.receive(respond(request, 401, WWW_Authenticate=BASIC.encode()))
    assert refused.value.cause is Cause.BAD_PASSWORD


def test_the_nonce_is_counted_on_with_each_request():
    camera = GuardedCamera(RtspSession(URL, "vms", "secret"), Challenge(Scheme.DIGEST, "cam", "n1", qop=True))
    camera.play()
    counts = [proof.partition("nc=")[2][:8] for proof in camera.proofs if proof]
    assert counts == [f"{number:08x}" for number in range(1, len(counts) + 1)]


def test_a_keep_alive_that_is_refused_gives_way_to_the_next_kind():
    camera = Camera(RtspSession(URL))
    camera.headers["OPTIONS"]["Public"] = "OPTIONS, GET_PARAMETER, SET_PARAMETER"
    camera.play()
    methods = []
    for status in (501, 405, 200):
        (request,) = parse(camera.session.keep_alive())
        methods.append(request.method)
        camera.session.receive(respond(request, status))
    assert methods == ["GET_PARAMETER", "SET_PARAMETER", "OPTIONS"]


def test_a_camera_that_asks_to_be_called_again_is():
    camera = Camera(RtspSession(URL))
    camera.play()
    with pytest.raises(IngestError) as lost:
        camera.session.receive(RtspRequest("REDIRECT", URL, (("CSeq", "7"),)))
    assert lost.value.cause is Cause.CLOSED_BY_CAMERA


@pytest.mark.parametrize(
    "header", ["", "Digest", "Negotiate", 'Digest realm="x", nonce="y", algorithm=SHA-512-256', "Digest " + "a" * 5_000]
)
def test_a_challenge_that_cannot_be_met_is_refused(header: str):
    camera = Camera(RtspSession(URL, "vms", "secret"))
    camera.status["OPTIONS"] = 401
    camera.headers["OPTIONS"] = {"WWW-Authenticate": header}
    assert fails(camera).cause is Cause.PROTOCOL
