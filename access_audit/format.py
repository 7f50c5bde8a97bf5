"""The bytes of an entry: what is hashed, what is kept, and what is erased.

An entry is three things.

- The *leaf*, hashed into the tree and kept for ever: canonical JSON of version, index, the writer's instant, the
  commitment to the payload, the kind when the entry describes the log itself (`control`), and the mark of the spool
  that delivered it. It names no person, camera, commune or act.
- The *payload*: canonical JSON of the event, with everything that the law asks for (LAW-25) and all personal data.
- The *salt*: 32 random bytes. The commitment is SHA-256(context, salt, payload).

Expiry (LAW-28) erases payload and salt together. Without the salt the commitment says nothing, even to somebody who
tries every person and camera; the leaf, the tree and every proof stay as they were. `log.*` entries keep their payload,
because later checks read it, and it holds no personal data.

Canonical JSON is RFC 8785 restricted to objects, arrays, strings, booleans and integers below 2^53; nanoseconds do not
fit and are decimal strings. One value has one byte form, so a reader can rebuild and compare it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from access_audit.events import AccessEvent, Author, EventKind, Reason

LEAF_VERSION = 1
SALT_BYTES = 32
MAX_PAYLOAD_BYTES = 16_384
BUNDLE_ENTRIES = 256

_COMMITMENT_CONTEXT = b"vms-departemental audit payload v1\n"
_CHAIN_CONTEXT = b"vms-departemental audit spool v1\n"
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_LARGEST_INTEGER = 2**53 - 1
_LEAF_LENGTH = struct.Struct(">H")
_PAYLOAD_LENGTH = struct.Struct(">I")


class FormatError(ValueError):
    """Bytes that are not what this module writes."""


@dataclass(frozen=True, slots=True)
class SpoolMark:
    """Where an entry stood in the spool that delivered it: number from 1, and the chain up to and with it."""

    spool_id: str
    sequence: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """What stays of an entry for ever. `control` is the kind of a `log.*` entry, empty for all others."""

    index: int
    at_ns: int
    commitment: bytes
    control: str = ""
    spool: SpoolMark | None = None


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """The erasable half of an entry."""

    salt: bytes
    payload: bytes


def canonical(value: Any) -> bytes:  # noqa: ANN401 - JSON is what it is
    """The one byte form of a JSON value; FormatError on a float, a large integer or a lone surrogate."""
    _check(value)
    try:
        return _CANONICAL.encode(value).encode()
    except UnicodeEncodeError:
        raise FormatError("a lone surrogate has no UTF-8 form") from None


def _check(value: Any) -> None:  # noqa: ANN401
    if isinstance(value, dict):
        for name, part in value.items():
            # Above ASCII the order of RFC 8785 is that of UTF-16 units, which is not Python's.
            if not isinstance(name, str) or not name.isascii():
                raise FormatError("a name in canonical JSON is ASCII")
            _check(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check(part)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST_INTEGER):
        raise FormatError("a number in canonical JSON is an integer below 2^53")
    elif value is not None and not isinstance(value, str | int):
        raise FormatError(f"canonical JSON holds no {type(value).__name__}")


def event_payload(event: AccessEvent) -> bytes:
    """The payload of an event. Author, instant, reason and recipients always stand in it (LAW-25)."""
    content: dict[str, Any] = {
        "at_ns": str(event.at_ns),
        "author": {"id": event.author.person_id, "name": event.author.name, "role": event.author.role},
        "kind": event.kind.value,
        "reason": {"code": event.reason.code, "text": event.reason.text},
        "recipients": event.recipients,
    }
    if event.commune:
        content["commune"] = event.commune
    if event.authority:
        content["authority"] = event.authority
    if event.camera_id:
        content["camera"] = event.camera_id
    if event.range_end_ns:
        content["range"] = {"end_ns": str(event.range_end_ns), "start_ns": str(event.range_start_ns)}
    if event.requisition:
        content["requisition"] = event.requisition
    if event.details:
        content["details"] = event.details
    try:
        return _CANONICAL.encode(content).encode()
    except UnicodeEncodeError:
        raise FormatError("a lone surrogate has no UTF-8 form") from None


def parse_payload(payload: bytes) -> AccessEvent:
    """The event of a payload. FormatError when it is outside the closed catalogue or not in its one byte form."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise FormatError(f"a payload holds at most {MAX_PAYLOAD_BYTES} bytes")
    try:
        content = json.loads(payload)
        author, reason = content["author"], content["reason"]
        images = content.get("range") or {"start_ns": "0", "end_ns": "0"}
        event = AccessEvent(
            kind=EventKind(content["kind"]),
            author=Author(author["id"], author["name"], author["role"]),
            at_ns=int(content["at_ns"]),
            reason=Reason(reason["code"], reason["text"]),
            recipients=tuple(content["recipients"]),
            commune=content.get("commune", ""),
            authority=content.get("authority", ""),
            camera_id=content.get("camera", ""),
            range_start_ns=int(images["start_ns"]),
            range_end_ns=int(images["end_ns"]),
            requisition=content.get("requisition", ""),
            details=content.get("details", {}),
        )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as wrong:
        raise FormatError(f"payload outside the catalogue: {wrong}") from None
    if event_payload(event) != payload:
        raise FormatError("payload has a field outside the catalogue, or is not canonical")
    return event


def commitment(salt: bytes, payload: bytes) -> bytes:
    """What the leaf holds of a payload: 32 bytes that say nothing without the salt."""
    return hashlib.sha256(_COMMITMENT_CONTEXT + salt + payload).digest()


def chain_start(spool_id: str) -> bytes:
    """The chain of a spool before its first entry."""
    return hashlib.sha256(_CHAIN_CONTEXT + spool_id.encode()).digest()


def chain_next(chain: bytes, payload_commitment: bytes) -> bytes:
    """The chain after one more entry. It runs over commitments, so it can be checked after expiry."""
    return hashlib.sha256(chain + payload_commitment).digest()


def leaf_bytes(leaf: Leaf) -> bytes:
    """The canonical JSON of a leaf. Written out by hand, since it is made for every entry while callers wait."""
    control = f'"control":"{leaf.control}",' if leaf.control else ""
    spool = ""
    if leaf.spool is not None:
        chain = base64.b64encode(leaf.spool.chain).decode()
        spool = f'"spool":{{"chain":"{chain}","id":"{leaf.spool.spool_id}","sequence":{leaf.spool.sequence}}},'
    payload = base64.b64encode(leaf.commitment).decode()
    return (
        f'{{"at_ns":"{leaf.at_ns}",{control}"index":{leaf.index},"payload":"{payload}",{spool}"v":{LEAF_VERSION}}}'
    ).encode()


def parse_leaf(content: bytes) -> Leaf:
    """The leaf of these bytes; FormatError unless they are the one byte form of a leaf."""
    try:
        raw = json.loads(content)
        mark = raw.get("spool")
        leaf = Leaf(
            index=raw["index"],
            at_ns=int(raw["at_ns"]),
            commitment=base64.b64decode(raw["payload"], validate=True),
            control=raw.get("control", ""),
            spool=None
            if mark is None
            else SpoolMark(mark["id"], mark["sequence"], base64.b64decode(mark["chain"], validate=True)),
        )
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, binascii.Error) as wrong:
        raise FormatError(f"no leaf: {wrong}") from None
    if leaf_bytes(leaf) != content:
        raise FormatError("a leaf that is not in its one byte form")
    return leaf


def encode_bundle(leaves: Sequence[bytes]) -> bytes:
    """An entry bundle of C2SP tlog-tiles: each leaf after its length in two bytes, big-endian."""
    return b"".join(part for leaf in leaves for part in (_LEAF_LENGTH.pack(len(leaf)), leaf))


def decode_bundle(content: bytes) -> list[bytes]:
    """The leaves of an entry bundle; FormatError when it is cut."""
    leaves: list[bytes] = []
    position = 0
    while position < len(content):
        if position + 2 > len(content):
            raise FormatError("entry bundle cut inside a length")
        (length,) = _LEAF_LENGTH.unpack_from(content, position)
        position += 2
        if position + length > len(content):
            raise FormatError("entry bundle cut inside an entry")
        leaves.append(content[position : position + length])
        position += length
    return leaves


def encode_payloads(payloads: Sequence[StoredPayload | None]) -> bytes:
    """The payload bundle beside an entry bundle: length in four bytes, salt, payload. Length 0 stands for erased."""
    parts: list[bytes] = []
    for stored in payloads:
        if stored is None:
            parts.append(_PAYLOAD_LENGTH.pack(0))
        else:
            parts += (_PAYLOAD_LENGTH.pack(SALT_BYTES + len(stored.payload)), stored.salt, stored.payload)
    return b"".join(parts)


def decode_payloads(content: bytes) -> list[StoredPayload | None]:
    """The payloads of a bundle, None where one is erased; FormatError when it is cut."""
    payloads: list[StoredPayload | None] = []
    position = 0
    while position < len(content):
        if position + 4 > len(content):
            raise FormatError("payload bundle cut inside a length")
        (length,) = _PAYLOAD_LENGTH.unpack_from(content, position)
        position += 4
        if position + length > len(content) or 0 < length <= SALT_BYTES:
            raise FormatError("payload bundle cut inside a payload")
        part = content[position : position + length]
        payloads.append(StoredPayload(part[:SALT_BYTES], part[SALT_BYTES:]) if length else None)
        position += length
    return payloads
