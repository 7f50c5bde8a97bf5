"""TLS with devices that sign their own certificates: who they are is known by their key alone.

A camera's certificate is signed by nobody whom we know, names another host and has often expired. What holds is its
public key, seen once by the installer and recorded: the *pin*, the SHA-256 of the certificate's SubjectPublicKeyInfo
in lower-case hexadecimal (as RFC 7469, 2.4 has it, in another spelling). A renewed certificate of the same key keeps
its pin.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import re
import ssl
from collections.abc import AsyncIterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_PIN = re.compile(r"[0-9a-f]{64}")


def is_pin(text: str) -> bool:
    """Whether a text has the form of a pin."""
    return _PIN.fullmatch(text) is not None


def public_key_pin(certificate_der: bytes) -> str:
    """The pin of a certificate. Raises ValueError for bytes that are none, or a key of an unknown kind."""
    try:
        key = x509.load_der_x509_certificate(certificate_der).public_key()
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    except (UnsupportedAlgorithm, TypeError) as unknown:
        raise ValueError(f"certificate with a key of an unknown kind: {unknown}") from None


@functools.cache
def device_context() -> ssl.SSLContext:
    """TLS 1.2 or later towards a device. It proves nothing of who answers: the caller compares the pin first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


async def presented_pin(host: str, port: int, deadline_s: float = 10.0) -> str:
    """The pin that a device presents now; nothing is sent to it but the handshake.

    Raises OSError (`ssl.SSLError`, `TimeoutError` among them) when there is no TLS to be had, ValueError when the
    certificate cannot be read.
    """
    async with asyncio.timeout(deadline_s), _connected(host, port) as writer:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return public_key_pin(certificate or b"")


@contextlib.asynccontextmanager
async def _connected(host: str, port: int) -> AsyncIterator[asyncio.StreamWriter]:
    _, writer = await asyncio.open_connection(host, port, ssl=device_context())
    try:
        yield writer
    finally:
        writer.transport.abort()
