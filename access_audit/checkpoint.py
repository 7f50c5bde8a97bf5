"""Checkpoints: the signed head of the log, as a C2SP signed note with an Ed25519 key.

The text is three lines (origin, size, root in base64); the signature line names the key, whose name is the origin.
Any client of C2SP tlog-checkpoint reads it; `log.pub` holds the key in the same form that those clients take.

Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_NOTE_BYTES = 16_384
_ED25519 = b"\x01"
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_SIGNATURE_MARK = "\u2014 "


class CheckpointError(ValueError):
    """A note that is not a checkpoint of this log, or is not signed by its key."""


class OtherKeyError(CheckpointError):
    """A note without a line of the key that was asked for: another key of the log may have signed it."""


def _key_id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]


def _check_name(name: str) -> None:
    if not name or "+" in name or not name.isprintable() or any(part.isspace() for part in name):
        raise CheckpointError("the name of a key is printable, without space or plus sign")


@dataclass(frozen=True, slots=True)
class LogKey:
    """The public half of a log's key. Its name is the log's origin."""

    name: str
    public_key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of a `vkey` line; CheckpointError when it is none."""
        try:
            name, identifier, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            if raw[:1] != _ED25519 or _key_id(name, raw[1:]).hex() != identifier:
                raise CheckpointError("key of another kind, or its identifier does not fit")
            _check_name(name)
            return cls(name, Ed25519PublicKey.from_public_bytes(raw[1:]))
        except (ValueError, binascii.Error) as wrong:
            raise CheckpointError(f"no verifier key: {wrong}") from None

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the key."""
        return self.public_key.public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """The four bytes that a signature line starts with."""
        return _key_id(self.name, self.raw)

    @property
    def short_text(self) -> str:
        """The `vkey` line without the name: what an entry says of a key."""
        return f"{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    def text(self) -> str:
        """The `vkey` line."""
        return f"{self.name}+{self.short_text}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the log at one size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class KeyUnavailableError(OSError):
    """A key that does not sign now, since its token does not answer. Like a disk that refuses, it may come back."""


class PrivateKey(Protocol):
    """An Ed25519 key that signs: in memory (`Ed25519PrivateKey`), or one that never leaves its token."""

    def sign(self, data: bytes, /) -> bytes: ...

    def public_key(self) -> Ed25519PublicKey: ...


class SigningKey:
    """The private half. It is in the memory of the writer, or in its token, and nowhere else."""

    def __init__(self, name: str, private_key: PrivateKey) -> None:
        _check_name(name)
        self._private_key = private_key
        self.log_key = LogKey(name, private_key.public_key())
        self._prefix = self.log_key.key_id

    @property
    def newest(self) -> SigningKey:
        """The one key that signs statements, where several sign checkpoints."""
        return self

    def open(self, note: bytes) -> SignedCheckpoint:
        """The checkpoint of a note that this key has signed; CheckpointError otherwise."""
        return open_note(note, self.log_key)

    def sign_statement(self, statement: bytes) -> bytes:
        """The signature of a statement that is no checkpoint; its first line says what it is."""
        return self._private_key.sign(statement)

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The signed note of a checkpoint."""
        text = checkpoint.text()
        return f"{text}\n{self.line(text)}".encode()

    def line(self, text: str) -> str:
        """The signature line of a checkpoint's text."""
        signature = base64.b64encode(self._prefix + self._private_key.sign(text.encode())).decode()
        return f"{_SIGNATURE_MARK}{self.log_key.name} {signature}\n"


class OverlappingKey(SigningKey):
    """What signs checkpoints while readers change over: the new key, and the old one in a second line."""

    def __init__(self, new: SigningKey, old: SigningKey) -> None:
        super().__init__(new.log_key.name, new._private_key)  # noqa: SLF001 - one key in two coats
        self._new = new
        self._old = old

    @property
    def newest(self) -> SigningKey:
        """The new key."""
        return self._new

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """The note with both lines."""
        return super().sign(checkpoint) + self._old.line(checkpoint.text()).encode()

    def open(self, note: bytes) -> SignedCheckpoint:
        """The checkpoint of a note that one of both has signed."""
        try:
            return super().open(note)
        except OtherKeyError:
            return open_note(note, self._old.log_key)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature has been verified: made by `open_note` alone."""

    checkpoint: Checkpoint
    signature: bytes
    note: bytes


def open_note(note: bytes, key: LogKey) -> SignedCheckpoint:
    """Verify a note and read its checkpoint. Signatures of other keys (witnesses) are left aside.

    Raises CheckpointError when it is no note, has no valid signature of `key`, or is of another origin.
    """
    if len(note) > MAX_NOTE_BYTES:
        raise CheckpointError("note too long")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise CheckpointError("note is not UTF-8") from None
    body, separator, signatures = whole.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise CheckpointError("no signature in the note")
    text = body + "\n"
    lines = signatures.splitlines()
    for line in lines:
        signature = _signature_of(line, key)
        if signature is None:
            continue
        try:
            key.public_key.verify(signature, text.encode())
        except InvalidSignature:
            raise CheckpointError(f"the signature of {key.name} is wrong") from None
        return SignedCheckpoint(_parse_text(text, key.name), signature, note)
    raise OtherKeyError(f"no signature of the key {key.key_id.hex()} of {key.name}")


def _signature_of(line: str, key: LogKey) -> bytes | None:
    name, _, encoded = line.removeprefix(_SIGNATURE_MARK).rpartition(" ")
    if not line.startswith(_SIGNATURE_MARK) or not name:
        raise CheckpointError("malformed signature line")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise CheckpointError("malformed signature line") from None
    return raw[4:] if name == key.name and raw[:4] == key.key_id else None


def _parse_text(text: str, origin: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or lines[0] != origin:
        raise CheckpointError("checkpoint of another origin")
    try:
        tree_root = base64.b64decode(lines[2], validate=True)
    except binascii.Error:
        raise CheckpointError("malformed root") from None
    if not _SIZE.fullmatch(lines[1]) or len(tree_root) != 32:
        raise CheckpointError("malformed size or root")
    return Checkpoint(lines[0], int(lines[1]), tree_root)
