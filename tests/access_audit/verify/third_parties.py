"""Third parties that attest a log: a real time-stamping authority made with openssl, and a witness of C2SP."""

from __future__ import annotations

import base64
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.verify.notes import WITNESS_KEY, Key, read_note

_CONFIGURATION = """
[tsa]
default_tsa = service
[service]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = {essential}
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[stamping]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""
ELLIPTIC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("-newkey", "rsa:2048")


class Authority:
    """A time-stamping authority: a root certificate, a certificate for stamping under it, and `openssl ts`."""

    def __init__(self, folder: Path, key: tuple[str, ...] = ELLIPTIC, essential: str = "sha256") -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        (folder / "openssl.cnf").write_text(_CONFIGURATION.format(folder=folder, essential=essential))
        (folder / "serial").write_text("01")
        self._openssl(
            "req", "-x509", "-nodes", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "3650",
            "-subj", f"/O={folder.name}/CN=root", "-extensions", "root", "-config", self._request_configuration(),
        )  # fmt: skip
        self._openssl(
            "req", "-new", "-nodes", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", f"/O={folder.name}/CN=tsa",
            "-config", self._request_configuration(),
        )  # fmt: skip
        self._openssl(
            "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "7",
            "-days", "3650", "-out", "tsa.pem", "-extfile", "openssl.cnf", "-extensions", "stamping",
        )  # fmt: skip

    @property
    def root(self) -> bytes:
        """The certificate that an auditor has from the authority."""
        return (self._folder / "root.pem").read_bytes()

    def stamp(self, text: bytes, *options: str) -> bytes:
        """The time-stamp of some bytes, as the authority's service answers it."""
        with tempfile.TemporaryDirectory() as name:
            query, answer, data = (Path(name) / part for part in ("query", "answer", "data"))
            data.write_bytes(text)
            self._openssl("ts", "-query", "-data", str(data), "-sha256", "-cert", *options, "-out", str(query))
            self._openssl("ts", "-reply", "-config", "openssl.cnf", "-queryfile", str(query), "-out", str(answer))
            return answer.read_bytes()

    def answer(self, query: bytes) -> bytes:
        """What the authority's service answers to a query."""
        with tempfile.TemporaryDirectory() as name:
            asked, answer = Path(name, "query"), Path(name, "answer")
            asked.write_bytes(query)
            self._openssl("ts", "-reply", "-config", "openssl.cnf", "-queryfile", str(asked), "-out", str(answer))
            return answer.read_bytes()

    def _request_configuration(self) -> str:
        path = self._folder / "request.cnf"
        lines = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = x\n"
        path.write_text(lines + (self._folder / "openssl.cnf").read_text())
        return path.name

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


class Witness:
    """A witness that cosigns whatever it is shown."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed * 32)
        self.key = Key(name, self._private.public_key().public_bytes_raw(), WITNESS_KEY)

    def cosign(self, note: bytes, seconds: int) -> bytes:
        """The note with this witness's line added (c2sp.org/tlog-cosignature)."""
        message = f"cosignature/v1\ntime {seconds}\n".encode() + read_note(note).text
        raw = self.key.key_id + seconds.to_bytes(8, "big") + self._private.sign(message)
        return note + f"\u2014 {self.key.name} {base64.b64encode(raw).decode()}\n".encode()
