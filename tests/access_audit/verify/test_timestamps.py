"""Time-stamps as real authorities make them, and as nobody should."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_audit.verify.der import read_der
from access_audit.verify.notes import Unreadable, WrongSignature
from access_audit.verify.timestamp import UnknownAuthority, read_certificates, read_timestamp
from tests.access_audit.verify.third_parties import ELLIPTIC, RSA, Authority

TEXT = b"journal.test\n5\nAAAA\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authorities") / "horodatage")


@pytest.mark.parametrize("key", [ELLIPTIC, RSA], ids=["ECDSA", "RSA"])
@pytest.mark.parametrize("essential", ["sha1", "sha256", "sha512"])
def test_the_stamp_of_an_authority_holds(tmp_path: Path, key: tuple[str, ...], essential: str):
    """RFC 3161, with the certificate named as in RFC 2634 (SHA-1) and as in RFC 5816."""
    authority = Authority(tmp_path / "tsa", key, essential=essential)
    stamp = read_timestamp(authority.stamp(TEXT))
    stamp.check_signature(read_certificates(authority.root))
    assert stamp.about(TEXT)
    assert not stamp.about(TEXT + b"!")
    assert abs(stamp.at_ns - time.time_ns()) < 60 * 1_000_000_000
    assert stamp.accuracy_ns == 1_000_000_000


@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
def test_the_digests_of_today_are_read(authority: Authority, digest: str):
    stamp = read_timestamp(authority.stamp(TEXT, digest))
    stamp.check_signature(read_certificates(authority.root))
    assert stamp.about(TEXT)


def test_openssl_says_the_same(authority: Authority, tmp_path: Path):
    for name, content in (("text", TEXT), ("stamp", authority.stamp(TEXT)), ("root", authority.root)):
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-data", "text", "-in", "stamp", "-CAfile", "root"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "text").write_bytes(TEXT + b"!")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_token_without_its_response_is_read(authority: Authority):
    response = authority.stamp(TEXT)
    token = read_der(response).parts()[1].whole
    stamp = read_timestamp(token)
    stamp.check_signature(read_certificates(authority.root))
    assert stamp.about(TEXT)


def test_an_authority_that_is_not_known_vouches_for_nobody(authority: Authority, tmp_path: Path):
    other = Authority(tmp_path / "other")
    stamp = read_timestamp(authority.stamp(TEXT))
    for known in ([], read_certificates(other.root)):
        with pytest.raises(UnknownAuthority):
            stamp.check_signature(known)


def test_a_namesake_of_the_authority_vouches_for_nobody(authority: Authority, tmp_path: Path):
    namesake = Authority(tmp_path / "horodatage")
    (known,), (other,) = read_certificates(authority.root), read_certificates(namesake.root)
    assert known.subject == other.subject
    with pytest.raises(UnknownAuthority):
        read_timestamp(authority.stamp(TEXT)).check_signature([other])


def test_a_certificate_counts_only_while_it_is_valid(authority: Authority):
    """A stamp that names an instant before its certificate began cannot come from it."""
    content = authority.stamp(TEXT)
    stamp = read_timestamp(content)
    before = read_certificates(authority.root)[0].not_valid_before_utc.year - 1
    year = time.strftime("%Y", time.gmtime()).encode()
    moved = read_timestamp(content.replace(year, str(before).encode(), 1))
    assert moved.at_ns < stamp.at_ns
    with pytest.raises(WrongSignature):
        moved.check_signature(read_certificates(authority.root))


def test_a_refusal_is_no_stamp(authority: Authority):
    refused = bytes.fromhex("300530030201" + "02")
    with pytest.raises(Unreadable, match="refused"):
        read_timestamp(refused)


def test_every_byte_of_a_stamp_counts_or_is_outside_of_what_is_signed(authority: Authority):
    """A flipped byte is refused, or changes neither what the stamp says nor who signed it."""
    content = authority.stamp(TEXT)
    known = read_certificates(authority.root)
    good = read_timestamp(content)
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 0x11
        try:
            stamp = read_timestamp(bytes(changed))
            stamp.check_signature(known)
        except Unreadable:
            continue
        assert (stamp.digest, stamp.at_ns) == (good.digest, good.at_ns), place


@given(st.binary(max_size=300))
def test_hostile_bytes_are_no_stamp(content: bytes):
    with pytest.raises(Unreadable):
        read_timestamp(content)


@pytest.mark.parametrize(
    "content", ["3080", "30820001", "1f0100", "300502", "3003020101ff", "30840000000000", "30ff" + "00" * 40]
)
def test_what_is_no_der_is_refused(content: str):
    with pytest.raises(Unreadable):
        read_der(bytes.fromhex(content)).parts()


def test_der_is_bounded():
    with pytest.raises(Unreadable):
        read_der(b"\x30\x83\x01\x00\x00" + bytes(65_536))


def test_object_identifiers_and_instants_are_those_of_x690():
    assert read_der(bytes.fromhex("0609608648016503040201")).object_id == "2.16.840.1.101.3.4.2.1"
    assert read_der(b"\x18\x0f20261124081300Z").instant_ns == 1_795_507_980_000_000_000
    assert read_der(b"\x18\x1120261124081300.5Z").instant_ns == 1_795_507_980_500_000_000
    for wrong in (b"20261324081300Z", b"20261124081300", b"2026112408130Z", b"20261124081300.0Z"):
        with pytest.raises(Unreadable):
            _ = read_der(b"\x18" + bytes([len(wrong)]) + wrong).instant_ns


def test_a_file_without_a_certificate_is_refused():
    for content in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(Unreadable):
            read_certificates(content)


def test_a_chain_may_hold_several_certificates(authority: Authority):
    found = read_certificates(b"issued by us:\n" + authority.root + b"\n" + authority.root)
    assert len(found) == 2
    assert found[0] == found[1]
