"""Time-stamps of RFC 3161: what an authority says, and whether it is the authority that says it.

A response holds a CMS SignedData (RFC 5652) around a TSTInfo. The signature is checked over the signed attributes,
these over the TSTInfo; the signer's certificate must be the one that the attributes name (RFC 5816), must be made for
time-stamping, and must lead to a certificate that the verifier was given, all valid at the instant that is stated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from access_audit.verify.der import SEQUENCE, SET, Der, read_der
from access_audit.verify.notes import Unreadable, WrongSignature

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
_PSS = "1.2.840.113549.1.1.10"
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_MAX_CHAIN = 6
_MALFORMED = (
    ValueError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` and an unpacking of too few parts raise on hostile bytes."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class UnknownAuthority(WrongSignature):
    """A time-stamp whose signer leads to no certificate that the verifier was given."""


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """What a time-stamp says; `signed_by` checks that it is said by an authority."""

    digest_name: str
    digest: bytes
    at_ns: int
    accuracy_ns: int
    _info: bytes
    _signer: tuple[Der, ...]
    _certificates: tuple[x509.Certificate, ...]

    def about(self, text: bytes) -> bool:
        """Whether it is about these bytes."""
        return hashlib.new(self.digest_name, text).digest() == self.digest

    def check_signature(self, authorities: Sequence[x509.Certificate]) -> None:
        """WrongSignature when the signature does not hold, UnknownAuthority when nobody vouches for its signer."""
        try:
            self._check(authorities)
        except WrongSignature:
            raise
        except _MALFORMED as wrong:
            raise WrongSignature(f"malformed signature: {wrong}") from None

    def _check(self, authorities: Sequence[x509.Certificate]) -> None:
        _, identifier, digest, *rest = self._signer
        name = _digest_name(digest)
        if not rest or rest[0].tag != 0xA0:
            raise WrongSignature("a time-stamp has signed attributes")
        attributes, algorithm, signature = rest[0], rest[1], rest[2].octets
        values = {each.parts()[0].object_id: each.parts()[1].expect(SET).parts()[0] for each in attributes.parts()}
        if _CONTENT_TYPE not in values or values[_CONTENT_TYPE].object_id != _TST_INFO:
            raise WrongSignature("the signed attributes are about other content")
        if _MESSAGE_DIGEST not in values or values[_MESSAGE_DIGEST].octets != hashlib.new(name, self._info).digest():
            raise WrongSignature("the signed attributes are about another time-stamp")
        signer = _find_signer(identifier, (*self._certificates, *authorities))
        _check_named(values, signer)
        # RFC 5652 section 5.4: what is signed is the SET, not the implicit tag.
        message = bytes([SET]) + attributes.whole[1:]
        pss = padding.PSS(padding.MGF1(_HASHES[name]()), padding.PSS.AUTO)
        scheme = pss if algorithm.parts()[0].object_id == _PSS else padding.PKCS1v15()
        if not _holds(signer.public_key(), signature, message, _HASHES[name](), scheme):
            raise WrongSignature("the signature of the time-stamp does not hold")
        _check_chain(signer, self._certificates, authorities, self.at_ns)


def read_timestamp(content: bytes) -> TimeStamp:
    """The time-stamp of a TimeStampResp, or of its token alone. Unreadable when it is none, or was refused."""
    try:
        token = read_der(content).expect(SEQUENCE)
        parts = token.parts()
        if parts[0].tag == SEQUENCE:
            status = parts[0].parts()[0].integer
            if status not in {0, 1} or len(parts) < 2:
                raise Unreadable(f"the authority refused, status {status}")
            parts = parts[1].parts()
        if parts[0].object_id != _SIGNED_DATA:
            raise Unreadable("no CMS SignedData")
        _, _, content_info, *rest = parts[1].parts()[0].parts()
        kind, wrapped = content_info.parts()
        if kind.object_id != _TST_INFO:
            raise Unreadable("no TSTInfo inside")
        info = wrapped.parts()[0].octets
        certificates = tuple(
            x509.load_der_x509_certificate(each.whole)
            for part in rest
            if part.tag == 0xA0
            for each in part.parts()
            if each.tag == SEQUENCE
        )
        (signer,) = rest[-1].expect(SET).parts()
        return _read_info(info, tuple(signer.parts()), certificates)
    except _MALFORMED as wrong:
        raise Unreadable(f"no time-stamp: {wrong}") from None


def _read_info(info: bytes, signer: tuple[Der, ...], certificates: tuple[x509.Certificate, ...]) -> TimeStamp:
    _, _, imprint, _, instant, *optional = read_der(info).expect(SEQUENCE).parts()
    algorithm, digest = imprint.parts()
    accuracy = 0
    if optional and optional[0].tag == SEQUENCE:
        units = {0x02: 1_000_000_000, 0x80: 1_000_000, 0x81: 1_000}
        accuracy = sum(int.from_bytes(part.content, "big") * units.get(part.tag, 0) for part in optional[0].parts())
    return TimeStamp(_digest_name(algorithm), digest.octets, instant.instant_ns, accuracy, info, signer, certificates)


def _digest_name(algorithm: Der) -> str:
    name = _DIGESTS.get(algorithm.parts()[0].object_id)
    if name is None:
        raise Unreadable("a digest that is not SHA-256, SHA-384 or SHA-512")
    return name


def _find_signer(identifier: Der, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    for certificate in certificates:
        if identifier.tag == SEQUENCE:
            issuer, serial = identifier.parts()
            if (issuer.whole, serial.integer) == (certificate.issuer.public_bytes(), certificate.serial_number):
                return certificate
        elif (named := _extension(certificate, x509.SubjectKeyIdentifier)) and named.digest == identifier.content:
            return certificate
    raise UnknownAuthority("the certificate of the signer is missing")


def _check_named(values: dict[str, Der], signer: x509.Certificate) -> None:
    """The signed attributes name the certificate, so that no other one of the same key can be put in its place."""
    if _SIGNING_CERTIFICATE_V2 in values:
        first, *rest = values[_SIGNING_CERTIFICATE_V2].parts()[0].parts()[0].parts()
        name, said = (_digest_name(first), rest[0]) if first.tag == SEQUENCE else ("sha256", first)
    elif _SIGNING_CERTIFICATE in values:
        name, said = "sha1", values[_SIGNING_CERTIFICATE].parts()[0].parts()[0].parts()[0]
    else:
        raise WrongSignature("the signed attributes name no certificate")
    if hashlib.new(name, signer.public_bytes(Encoding.DER)).digest() != said.octets:
        raise WrongSignature("the signed attributes name another certificate")
    extension = _extension(signer, x509.ExtendedKeyUsage)
    if extension is None or [usage.dotted_string for usage in extension] != [_TIME_STAMPING]:
        raise WrongSignature("the certificate of the signer is not made for time-stamping alone")


def _check_chain(
    signer: x509.Certificate, inside: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], at_ns: int
) -> None:
    """Climb from the signer to a certificate that was given; the certificates inside may serve as steps."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1_000)
    current = [signer]
    for _ in range(_MAX_CHAIN):
        current = [certificate for certificate in current if _valid(certificate, at)]
        if any(certificate in authorities for certificate in current):
            return
        current = [
            issuer for certificate in current for issuer in (*authorities, *inside) if _issued(certificate, issuer)
        ]
    raise UnknownAuthority("no certificate that was given vouches for the signer at that instant")


def _valid(certificate: x509.Certificate, at: datetime) -> bool:
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    old: Any = certificate  # before version 42 of the library
    return bool(old.not_valid_before.replace(tzinfo=UTC) <= at <= old.not_valid_after.replace(tzinfo=UTC))


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate == issuer or certificate.issuer != issuer.subject:
        return False
    constraints, usage = _extension(issuer, x509.BasicConstraints), _extension(issuer, x509.KeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return False
    digest = certificate.signature_hash_algorithm
    pss = certificate.signature_algorithm_oid.dotted_string == _PSS and digest is not None
    scheme = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO) if pss and digest else padding.PKCS1v15()
    if digest is not None and digest.name not in _HASHES:
        return False
    return _holds(issuer.public_key(), certificate.signature, certificate.tbs_certificate_bytes, digest, scheme)


def _holds(
    key: Any,  # noqa: ANN401 - any kind of public key
    signature: bytes,
    message: bytes,
    digest: hashes.HashAlgorithm | None,
    scheme: padding.AsymmetricPadding,
) -> bool:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, message, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: Any) -> Any:  # noqa: ANN401
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file; Unreadable when there is none."""
    try:
        found = [x509.load_pem_x509_certificate(block + b"\n") for block in _PEM.findall(pem)]
    except _MALFORMED as wrong:
        raise Unreadable(f"no certificate: {wrong}") from None
    if not found:
        raise Unreadable("no certificate in the file")
    return found
