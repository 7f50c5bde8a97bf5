"""The keys of a log as files: the private one for the writer alone, the public one beside the log.

A log that has entries never gets a new key by itself: a missing or foreign key file is an error that names itself,
because a new key would be a second log under the old name.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from access_audit import layout
from access_audit.checkpoint import LogKey, SigningKey
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError


def load_log_key(path: Path) -> LogKey:
    """The public key of a `log.pub` file. VmsError `audit.key` when there is none."""
    try:
        return LogKey.parse(path.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        raise _key_error(f"La clé publique du journal {path} est absente ou illisible.", f"{path}: {wrong}") from None


def open_signing_key(key_file: Path, folder: Path, origin: str) -> SigningKey:
    """The writer's key, made with mode 0600 when a log starts; its public half is written to `log.pub`.

    VmsError `audit.key` when the log exists and the key is missing, unreadable, readable by others, or another one.
    """
    public_file = folder / layout.LOG_KEY
    started = public_file.exists()
    if not key_file.exists():
        if started:
            raise _key_error(
                f"La clé de signature {key_file} du journal des accès est introuvable.",
                "a log without its key is not given a new one",
            )
        durable.make_folder(key_file.parent)
        new_private_key(key_file)
    key = SigningKey(origin, read_private_key(key_file))
    if not started:
        durable.write_atomic(public_file, (key.log_key.text() + "\n").encode(), mode=0o644)
    elif load_log_key(public_file).text() != key.log_key.text():
        raise _key_error(
            f"La clé de signature {key_file} n'est pas celle de ce journal ({public_file}).",
            f"{public_file} holds another key or another origin than {origin}",
        )
    return key


def new_private_key(path: Path) -> Ed25519PrivateKey:
    """A new key in a file that only its owner can read."""
    private = Ed25519PrivateKey.generate()
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.write_atomic(path, content, mode=0o600)
    return private


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The key of a PEM file. VmsError `audit.key` when it is readable by others, no key, or of another kind."""
    try:
        if path.stat().st_mode & 0o077:
            raise _key_error(
                f"La clé de signature {path} est lisible par d'autres utilisateurs.", "mode wider than 0600"
            )
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError) as wrong:
        raise _key_error(f"La clé de signature {path} est illisible.", str(wrong)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _key_error(f"La clé de signature {path} n'est pas une clé Ed25519.", "not an Ed25519 key")
    return private


def _key_error(message: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "audit.key",
        message,
        hint="Remettez la clé d'origine avec les droits 0600 ; ne recréez jamais la clé d'un journal existant.",
        detail=detail,
    )
