"""The formats of the log, read a second time: hashes, leaves, bundles, append files. Bytes in, values out.

Source: c2sp.org/tlog-tiles, RFC 6962 section 2.1.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access_audit.verify.notes import Unreadable

WIDTH = 256
SALT = 32
_COMMITMENT = b"vms-departemental audit payload v1\n"
_CHAIN = b"vms-departemental audit spool v1\n"
_DIGEST = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_NUMBER = r"0|[1-9][0-9]{0,17}"
_LEAF = re.compile(
    rf'\{{"at_ns":"(?P<at>{_NUMBER}|[1-9][0-9]{{18}})",(?:"control":"(?P<control>log\.[a-z_]{{1,40}})",)?'
    rf'"index":(?P<index>{_NUMBER}),"payload":"(?P<payload>{_DIGEST})",'
    rf'(?:"spool":\{{"chain":"(?P<chain>{_DIGEST})","id":"(?P<id>[A-Za-z0-9_.-]{{1,64}})",'
    rf'"sequence":(?P<sequence>{_NUMBER})\}},)?"v":1\}}'.encode()
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Leaf:
    """What stays of an entry."""

    index: int
    at_ns: int
    commitment: bytes
    control: str
    spool: tuple[str, int, bytes] | None


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962: the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def fold(hashes: list[bytes]) -> bytes:
    """RFC 6962: the root over these hashes."""
    sha256 = hashlib.sha256
    while len(hashes) > 1:
        odd = hashes[-1:] if len(hashes) & 1 else []
        hashes = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)
        ] + odd
    return hashes[0] if hashes else hashlib.sha256(b"").digest()


def root_of_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2: the root that an inclusion proof leads to; Unreadable when it has not the form."""
    if not 0 <= index < size:
        raise Unreadable("the proof is about an index outside its tree")
    node, last, found = index, size - 1, leaf
    for part in path:
        if last == 0:
            raise Unreadable("proof too long")
        if node & 1 or node == last:
            found = hashlib.sha256(b"\x01" + part + found).digest()
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\x01" + found + part).digest()
        node, last = node >> 1, last >> 1
    if last:
        raise Unreadable("proof too short")
    return found


def commitment(salt: bytes, payload: bytes) -> bytes:
    """What a leaf holds of its payload."""
    return hashlib.sha256(_COMMITMENT + salt + payload).digest()


def chain_start(spool_id: str) -> bytes:
    """The chain of a spool before its first entry."""
    return hashlib.sha256(_CHAIN + spool_id.encode()).digest()


def chain_next(chain: bytes, sealed: bytes) -> bytes:
    """The chain of a spool with one more entry."""
    return hashlib.sha256(chain + sealed).digest()


def canonical(value: Any) -> bytes:  # noqa: ANN401
    """The one byte form of a JSON value (RFC 8785 for the values that the log holds)."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def read_leaf(content: bytes) -> Leaf:
    """The leaf of these bytes; Unreadable unless they are its one byte form."""
    found = _LEAF.fullmatch(content)
    if found is None:
        raise Unreadable("leaf not in its one byte form")
    at_ns, control, index, sealed, chain, spool, sequence = found.groups()
    mark = None
    if chain is not None:
        mark = spool.decode(), int(sequence), binascii.a2b_base64(chain)
    name = "" if control is None else control.decode()
    return Leaf(int(index), int(at_ns), binascii.a2b_base64(sealed), name, mark)


def split_bundle(content: bytes) -> list[bytes]:
    """The leaves of an entry bundle."""
    leaves, position, end = [], 0, len(content)
    while position < end:
        stop = position + 2 + int.from_bytes(content[position : position + 2], "big")
        if stop > end or position + 2 > end:
            raise Unreadable("bundle cut")
        leaves.append(content[position + 2 : stop])
        position = stop
    return leaves


def split_payloads(content: bytes) -> list[tuple[bytes, bytes] | None]:
    """The (salt, payload) pairs of a payload bundle, None where one is erased."""
    payloads: list[tuple[bytes, bytes] | None] = []
    position, end = 0, len(content)
    while position < end:
        length = int.from_bytes(content[position : position + 4], "big")
        start, stop = position + 4, position + 4 + length
        if stop > end or 0 < length <= SALT:
            raise Unreadable("payload bundle cut")
        payloads.append((content[start : start + SALT], content[start + SALT : stop]) if length else None)
        position = stop
    return payloads


_HEAD = struct.Struct(">4sI32s")
_BODY = struct.Struct(">QII")


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch of the append file: entries that are durable and not yet published."""

    first: int
    leaves: tuple[bytes, ...]
    payloads: tuple[tuple[bytes, bytes], ...]
    note: bytes


def split_sequence(content: bytes) -> tuple[list[PendingBatch], bool]:
    """The whole batches of an append file, and whether bytes that are no batch follow."""
    batches: list[PendingBatch] = []
    position = 0
    while position < len(content):
        try:
            magic, length, digest = _HEAD.unpack_from(content, position)
            body = content[position + _HEAD.size : position + _HEAD.size + length]
            if magic != b"VSB1" or len(body) != length or hashlib.sha256(body).digest() != digest:
                return batches, True
            batches.append(_pending(body))
        except (struct.error, IndexError):
            return batches, True
        position += _HEAD.size + length
    return batches, False


def _pending(body: bytes) -> PendingBatch:
    first, count, note_length = _BODY.unpack_from(body)
    place = _BODY.size + note_length
    note = body[_BODY.size : place]
    leaves: list[bytes] = []
    payloads: list[tuple[bytes, bytes]] = []
    for _ in range(count):
        leaf_end = place + 2 + struct.unpack_from(">H", body, place)[0]
        leaves.append(body[place + 2 : leaf_end])
        salt_end = leaf_end + 4 + SALT
        stop = salt_end + struct.unpack_from(">I", body, leaf_end)[0]
        payloads.append((body[leaf_end + 4 : salt_end], body[salt_end:stop]))
        place = stop
    return PendingBatch(first, tuple(leaves), tuple(payloads), note)


def number_path(number: int) -> str:
    """The path of a tile by its number (C2SP tlog-tiles)."""
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def read_tile(folder: Path, level: int | str, number: int, width: int) -> bytes | None:
    """The bytes of a tile, from its partial or its full file; None when there is neither."""
    base = folder / "tile" / str(level)
    names = [number_path(number)] if width == WIDTH else [f"{number_path(number)}.p/{width}", number_path(number)]
    for name in names:
        try:
            return (base / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
    return None
