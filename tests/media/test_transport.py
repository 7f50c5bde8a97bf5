"""RTP, RTCP, RTSP messages and both sides of their authentication."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.media.errors import MediaError
from vms.media.rtcp import SenderReport, build_sender_report, parse_compound
from vms.media.rtp import parse_packet
from vms.media.rtsp import InterleavedFrame, RtspParser, RtspRequest, RtspResponse
from vms.media.rtsp_auth import (
    Algorithm,
    Challenge,
    Scheme,
    authorisation_header,
    check_authorisation,
    parse_challenge,
)
from vms.media.rtsp_headers import (
    parse_public,
    parse_rtp_info,
    parse_session,
    parse_transport,
    parse_transports,
)

_RFC_7616_NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
_RFC_7616_OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
_RFC_7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_the_digest_of_rfc_2617_is_computed():
    challenge = parse_challenge(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
        ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    header = authorisation_header(challenge, "GET", "/dir/index.html", "Mufasa", "Circle Of Life", cnonce="0a4f113b")
    assert 'response="6629fae49393a05397450978507c4ef1"' in header


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_digests_of_rfc_7616_are_computed_and_granted(algorithm: str, response: str):
    challenge = parse_challenge(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},'
        f' nonce="{_RFC_7616_NONCE}", opaque="{_RFC_7616_OPAQUE}"'
    )
    header = authorisation_header(
        challenge, "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce=_RFC_7616_CNONCE
    )
    assert f'response="{response}"' in header
    assert check_authorisation(header, [challenge], "GET", {"Mufasa": "Circle of Life"}.get) == "granted"
    assert check_authorisation(header, [challenge], "GET", {"Mufasa": "x"}.get) == "refused"
    assert check_authorisation(header, [challenge], "PLAY", {"Mufasa": "Circle of Life"}.get) == "refused"
    assert check_authorisation(header, [], "GET", {"Mufasa": "Circle of Life"}.get) == "refused"


@given(
    user=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0:"), max_size=20),
    password=st.text(st.characters(codec="utf-8"), max_size=20),
    qop=st.booleans(),
    algorithm=st.sampled_from(list(Algorithm)),
)
def test_what_a_client_answers_a_server_grants(user: str, password: str, qop: bool, algorithm: Algorithm):
    challenge = Challenge(Scheme.DIGEST, "cam", "n1", algorithm, qop)
    read = parse_challenge(challenge.encode())
    assert read == challenge
    header = authorisation_header(read, "PLAY", "rtsp://h/a", user, password)
    accounts = {user: password}.get
    assert check_authorisation(header, [challenge], "PLAY", accounts, uri="rtsp://h/a") == "granted"
    newer = Challenge(Scheme.DIGEST, "cam", "n2", algorithm, qop)
    assert check_authorisation(header, [newer], "PLAY", accounts) == "stale"


_ITEMS = st.lists(
    st.one_of(
        st.builds(RtspRequest, st.sampled_from(["OPTIONS", "PLAY"]), st.just("rtsp://h/x"), st.just((("CSeq", "3"),))),
        st.builds(
            lambda body: RtspResponse(200, "OK", (("CSeq", "3"), ("Content-Length", str(len(body)))), body),
            st.binary(max_size=80),
        ),
        st.builds(InterleavedFrame, st.integers(0, 255), st.binary(max_size=80)),
    ),
    max_size=6,
)


@given(_ITEMS, st.lists(st.integers(0, 600), max_size=12))
def test_any_split_of_the_bytes_gives_the_same_items(
    items: list[RtspRequest | RtspResponse | InterleavedFrame], cuts: list[int]
):
    data = b"".join(item.encode() for item in items)
    parser = RtspParser()
    found: list[object] = []
    start = 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += parser.feed(data[start:cut])
        start = cut
    assert found == items
    assert parser.take_rest() == b""


@given(st.binary(max_size=400))
def test_garbage_raises_nothing_but_media_errors(data: bytes):
    for parse in (parse_packet, parse_compound, RtspParser().feed):
        with contextlib.suppress(MediaError):
            parse(data)
    text = data.decode("latin-1")
    for read in (parse_challenge, parse_transport, parse_transports, parse_session, parse_rtp_info, parse_public):
        with contextlib.suppress(MediaError):
            read(text)
    challenges = [Challenge(Scheme.DIGEST, "a", "b"), Challenge(Scheme.BASIC, "a")]
    check_authorisation(text, challenges, "PLAY", lambda _: "x")


@given(st.text(alphabet="0123456789²³١;=-,timeoutssrcinterleaved", max_size=40))
def test_digits_that_are_no_ascii_are_no_numbers(text: str):
    for read in (parse_transport, parse_session, parse_rtp_info):
        with contextlib.suppress(MediaError):
            read(f"url=a;seq={text};timeout={text};interleaved={text}")


@given(st.integers(0, 4_000_000_000 * 10**9), st.integers(0, 0xFFFF_FFFF))
def test_a_sender_report_is_read_back(utc_ns: int, timestamp: int):
    report = parse_compound(build_sender_report(1, utc_ns, timestamp, 2, 3))[0]
    assert isinstance(report, SenderReport)
    assert abs(report.ntp_utc_ns - utc_ns) <= 1
    assert report.rtp_timestamp == timestamp


@pytest.mark.parametrize("name", ["\0\0Content-Length", "Content Length", "Content-Length\x0b,", "\xff", "a" * 65])
def test_a_line_whose_name_is_no_name_is_passed_over(name: str):
    data = f"RTSP/1.0 200 OK\r\n{name}: 88\r\nCSeq: 1\r\n\r\n".encode("latin-1")
    (message,) = RtspParser().feed(data)
    assert isinstance(message, RtspResponse)
    assert message.headers == (("CSeq", "1"),)
    assert RtspParser().feed(message.encode()) == [message]
