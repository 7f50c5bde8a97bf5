"""Camera credentials at rest: envelope encryption, the wrapping key in a file of its own.

Each secret is sealed by a fresh data key (AES-256-GCM), and the data key by the wrapping key; the camera's id is bound
in as associated data, so that a sealed secret moved to another camera does not open. Rotating the wrapping key seals
the data keys again and touches no secret.

Sealed form: `v1.<wrapping key id>.<wrapped data key>.<secret>`, each part unpadded base64url of nonce + ciphertext.
"""

from __future__ import annotations

import binascii
import hashlib
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vms.base import base64url, durable
from vms.base.errors import ErrorKind, VmsError

_NONCE_BYTES = 12
_KEY_BYTES = 32


class CredentialVault:
    """Seals and opens secrets with one wrapping key."""

    def __init__(self, wrapping_key: bytes) -> None:
        if len(wrapping_key) != _KEY_BYTES:
            raise ValueError(f"a wrapping key has {_KEY_BYTES} bytes")
        self._wrap = AESGCM(wrapping_key)
        self.key_id = hashlib.sha256(b"vms credential wrapping key\0" + wrapping_key).hexdigest()[:12]

    def seal(self, secret: str, owner: str) -> str:
        """The sealed form of a secret that belongs to `owner` (a camera id)."""
        data_key = secrets.token_bytes(_KEY_BYTES)
        wrapped = _encrypt(self._wrap, data_key, owner)
        return ".".join(("v1", self.key_id, wrapped, _encrypt(AESGCM(data_key), secret.encode(), owner)))

    def open(self, sealed: str, owner: str) -> str:
        """The secret. Raises VmsError `credentials.unreadable` when key, owner or a byte is not the right one."""
        try:
            version, key_id, wrapped, body = sealed.split(".")
            if version != "v1" or key_id != self.key_id:
                raise _unreadable(owner, f"sealed by key {key_id}, this is {self.key_id}")
            data_key = _decrypt(self._wrap, wrapped, owner)
            return _decrypt(AESGCM(data_key), body, owner).decode()
        except (ValueError, binascii.Error, InvalidTag):
            raise _unreadable(owner, "sealed secret is damaged or belongs to another camera") from None

    def rewrap(self, sealed: str, owner: str, successor: CredentialVault) -> str:
        """The same sealed secret under another wrapping key."""
        _, _, wrapped, body = sealed.split(".")
        data_key = _decrypt(self._wrap, wrapped, owner)
        return ".".join(("v1", successor.key_id, _encrypt(successor._wrap, data_key, owner), body))


def open_vault(key_file: Path) -> CredentialVault:
    """The vault whose wrapping key this file holds; a missing file is made, readable by its owner alone."""
    if not key_file.exists():
        durable.make_folder(key_file.parent)
        durable.write_atomic(key_file, base64url.encode(secrets.token_bytes(_KEY_BYTES)).encode(), mode=0o600)
    try:
        return CredentialVault(base64url.decode(key_file.read_text(encoding="ascii").strip()))
    except ValueError:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "credentials.bad_key",
            f"Le fichier de clé {key_file} n'est pas lisible.",
            hint="Restaurez-le depuis la sauvegarde : sans lui, les mots de passe des caméras sont perdus.",
        ) from None


def _encrypt(cipher: AESGCM, secret: bytes, owner: str) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64url.encode(nonce + cipher.encrypt(nonce, secret, owner.encode()))


def _decrypt(cipher: AESGCM, text: str, owner: str) -> bytes:
    data = base64url.decode(text)
    return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], owner.encode())


def _unreadable(owner: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "credentials.unreadable",
        f"Le mot de passe de la caméra {owner} ne peut pas être déchiffré.",
        hint="Vérifiez que le fichier de clé est celui de cette installation, ou saisissez le mot de passe à nouveau.",
        detail=detail,
    )
