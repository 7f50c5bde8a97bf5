"""The certificate that a simulated camera signs itself, as cameras do.

Its key follows from the hardware identity, so a restart keeps it and what was recorded of it holds; another one comes
with the fault `certificate_changed`. Neither is a secret.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import mmap
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_BEGINS = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_ENDS = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
"""Cameras are seldom given new certificates: this one has expired, and it is the key that counts."""


def new_context(mac: str, *, changed: bool = False) -> ssl.SSLContext:
    """The server side of TLS of one camera. `changed` gives another key than the one that it came with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    present(context, mac, changed=changed)
    return context


def present(context: ssl.SSLContext, mac: str, *, changed: bool) -> None:
    """Let new connections see this certificate."""
    # The library reads certificates from files only: this one is nowhere but in memory, so nothing here blocks.
    certificate = _certificate(mac, changed=changed)
    file = os.memfd_create("certificate")
    try:
        os.ftruncate(file, len(certificate))
        with mmap.mmap(file, len(certificate)) as memory:
            memory[:] = certificate
        context.load_cert_chain(f"/proc/self/fd/{file}")
    finally:
        os.close(file)


def _certificate(mac: str, *, changed: bool) -> bytes:
    seed = hashlib.sha256(f"simulated camera {mac} {changed}".encode()).digest()
    key = ec.derive_private_key(int.from_bytes(seed[:31], "big") + 1, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1 + changed, _BEGINS, _ENDS).sign(key, SHA256())
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
