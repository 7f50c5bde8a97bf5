"""Asking an authority for the time-stamp of a checkpoint's text (RFC 3161 over HTTP).

An answer is believed only when two readers accept it: the library `rfc3161-client` (signature, chain, nonce, message),
and the verifier that an auditor will use years later. What is kept is therefore what he will accept. An authority whose
clock and ours are apart is not kept either, since the log would then contradict its own anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from access_audit.anchors.files import AnchorError
from access_audit.anchors.http import post
from access_audit.verify.anchors import TOLERANCE_NS
from access_audit.verify.der import read_der
from access_audit.verify.notes import Unreadable
from access_audit.verify.timestamp import read_timestamp
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

_QUERY = "application/timestamp-query"
_CERTIFICATES = 0xA0


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority: a short name of [a-z0-9.-] for its files, where it answers, and whom it ends in."""

    name: str
    url: str
    ca_file: Path


def read_certificates(authority: Authority) -> tuple[bytes, list[x509.Certificate]]:
    """The certificates of an authority. VmsError `audit.authority` when there are none."""
    try:
        pem = authority.ca_file.read_bytes()
        return pem, load_pem_x509_certificates(pem)
    except (OSError, ValueError) as wrong:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "audit.authority",
            f"Les certificats de l'autorité d'horodatage « {authority.name} » ({authority.ca_file}) sont illisibles.",
            hint="Donnez dans « ca_file » le fichier PEM du certificat racine que l'autorité publie.",
            detail=str(wrong),
        ) from None


async def ask_for_timestamp(
    client: httpx.AsyncClient, authority: Authority, certificates: list[x509.Certificate], text: bytes, clock: Clock
) -> tuple[bytes, int]:
    """The response of the authority, verified, and the instant that it states. AnchorError otherwise."""
    request = TimestampRequestBuilder().data(text).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = await post(client, authority.url, request.as_bytes(), _QUERY)
    if answer.status != 200:
        raise AnchorError("refused", f"HTTP status {answer.status}")
    try:
        response = decode_timestamp_response(_in_order(answer.body))
        builder = VerifierBuilder.from_request(request)
        for certificate in certificates:
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(response, text)
        stamp = read_timestamp(answer.body)
        stamp.check_signature(certificates)
    except (VerificationError, Unreadable, ValueError, IndexError) as wrong:
        raise AnchorError("unverified", str(wrong)) from None
    if not stamp.about(text):
        raise AnchorError("unverified", "it is about something else")
    apart = abs(clock.utc_ns() - stamp.at_ns) - stamp.accuracy_ns
    if apart > TOLERANCE_NS:
        raise AnchorError("clock", f"its clock and ours are {apart // 1_000_000_000} s apart")
    return answer.body, stamp.at_ns


def _in_order(content: bytes) -> bytes:
    """The response with its certificates in the order of DER, on which the library insists and OpenSSL does not.

    No signature covers that order.
    """
    signed_data = read_der(content).parts()[1].parts()[1].parts()[0]
    for part in signed_data.parts():
        if part.tag == _CERTIFICATES:
            certificates = [each.whole for each in part.parts()]
            return content.replace(b"".join(certificates), b"".join(sorted(certificates)), 1)
    return content
