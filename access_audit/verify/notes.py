"""Signed notes, the keys that sign them, and the cosignatures of witnesses. Bytes in, values out.

Source: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import base64
import hashlib
import re
from bisect import bisect_left
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LOG_KEY = 1
WITNESS_KEY = 4
MAX_NOTE_BYTES = 16_384
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_MARK = "\u2014 "


class Unreadable(ValueError):  # noqa: N818 - it says what the bytes are
    """Bytes that do not have the form that they should."""


class WrongSignature(Unreadable):
    """A well-formed note whose signature is missing or does not hold."""


class OtherKeysTurn(WrongSignature):
    """A note that a key of the log has signed, though another one was in force at that size."""


class ForeignNote(WrongSignature):
    """A note of another log."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the name that it signs for: the origin of a log, or the name of a witness."""

    name: str
    raw: bytes
    kind: int = LOG_KEY

    @property
    def key_id(self) -> bytes:
        """The four bytes in front of its signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    @property
    def text(self) -> str:
        """The vkey line."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.raw).decode()}"

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature over the message is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeyChain:
    """The keys of a log, one after the other; `changes` holds the index of each hand-over."""

    keys: tuple[Key, ...]
    changes: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The origin."""
        return self.keys[0].name

    def at(self, size: int) -> Key:
        """The key that signs checkpoints of this size: the old one up to the hand-over's index."""
        return self.keys[bisect_left(self.changes, size)]


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint whose signature holds."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note, not verified: its text, and (name, key id, signature) of each line."""

    text: bytes
    lines: tuple[tuple[str, bytes, bytes], ...]


def read_key(text: str, kind: int = LOG_KEY) -> Key:
    """The key of a vkey line."""
    try:
        name, identifier, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise Unreadable("no vkey line") from None
    key = Key(name, raw[1:], kind)
    if raw[:1] != bytes([kind]) or len(raw) != 33 or key.key_id.hex() != identifier or not name:
        raise Unreadable("not a vkey of the kind asked for, or its identifier does not fit")
    return key


def read_note(content: bytes) -> Note:
    """The parts of a signed note."""
    text, separator, rest = content.rpartition(b"\n\n")
    if not separator or len(content) > MAX_NOTE_BYTES:
        raise Unreadable("no signed note")
    lines: list[tuple[str, bytes, bytes]] = []
    for line in rest.decode("utf-8", "replace").split("\n"):
        name, _, encoded = line.removeprefix(_MARK).rpartition(" ")
        if not line.startswith(_MARK) or not name:
            continue
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            continue
        lines.append((name, raw[:4], raw[4:]))
    return Note(text + b"\n", tuple(lines))


def checkpoint_text(origin: str, size: int, root: bytes) -> bytes:
    """The three lines that a checkpoint's signatures and its time-stamps are about."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def read_size(content: bytes) -> Head:
    """What a checkpoint says, whoever signed it."""
    lines = read_note(content).text.split(b"\n")
    try:
        root = base64.b64decode(lines[2], validate=True)
        origin, size = lines[0].decode(), lines[1].decode("ascii")
    except (ValueError, IndexError):
        raise Unreadable("malformed checkpoint") from None
    if not _SIZE.fullmatch(size) or len(root) != 32:
        raise Unreadable("malformed checkpoint")
    return Head(origin, int(size), root)


def read_head(content: bytes, keys: KeyChain) -> Head:
    """The checkpoint of a signed note. Unreadable when it is malformed, WrongSignature when it is not the log's."""
    head, note = read_size(content), read_note(content)
    if not _signed(note, keys.at(head.size)):
        if head.origin != keys.name:
            raise ForeignNote(f"checkpoint of {head.origin[:80]!r}, not of {keys.name}")
        if any(_signed(note, key) for key in keys.keys):
            raise OtherKeysTurn(f"signed by a key that is not the one of size {head.size}")
        raise WrongSignature(f"no valid signature of {keys.name}")
    if head.origin != keys.name:
        raise ForeignNote(f"checkpoint of {head.origin[:80]!r}, not of {keys.name}")
    return head


def _signed(note: Note, key: Key) -> bool:
    mine = (key.name, key.key_id)
    return any((name, key_id) == mine and key.signed(signature, note.text) for name, key_id, signature in note.lines)


def cosigned_at(note: Note, witness: Key) -> int | None:
    """The second at which a witness cosigned the note, None when it did not; WrongSignature when it is forged."""
    for name, key_id, signature in note.lines:
        if (name, key_id) != (witness.name, witness.key_id):
            continue
        seconds = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {seconds}\n".encode() + note.text
        if len(signature) != 72 or seconds >= 2**63 or not witness.signed(signature[8:], message):
            raise WrongSignature(f"the cosignature of {witness.name} does not hold")
        return seconds
    return None
