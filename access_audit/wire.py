"""Messages between the writer and its clients, inside the frames of `vms.base.framing`.

The first byte says what a frame is. `R` asks to record events, `S` to record the events of a spool, `A` answers both;
these three are binary because they are the hot path. `J` carries JSON: every other question, its answer, and errors.

R: request u32, count u16, then per event: length u16, payload.
S: request u32, length u8 and spool id, first sequence u64, count u16, then per event: salt, length u16, payload.
A: request u32, first index u64, count u16, note length u16, note, proof count u8, proof hashes, then per entry: leaf
   length u16, leaf, salt.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from access_audit.format import SALT_BYTES, StoredPayload
from access_audit.merkle import HASH_BYTES
from access_audit.receipt import RecordedBatch

RECORD = b"R"
SPOOLED = b"S"
ANSWER = b"A"
JSON = b"J"
MAX_REQUEST_ENTRIES = 512

_HEAD = struct.Struct(">IH")
_LENGTH = struct.Struct(">H")
_SPOOL_HEAD = struct.Struct(">QH")
_ANSWER_HEAD = struct.Struct(">IQHH")


class WireError(Exception):
    """A message that does not have the form of its kind."""


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """Events to record. A spool says who it is and what number its first one has, and brings its own salts."""

    request: int
    payloads: tuple[bytes, ...]
    spool_id: str = ""
    first_sequence: int = 0
    salts: tuple[bytes, ...] = ()


def encode_record(request: int, payloads: Sequence[bytes]) -> bytes:
    """An `R` message."""
    parts = [RECORD, _HEAD.pack(request, len(payloads))]
    for payload in payloads:
        parts += (_LENGTH.pack(len(payload)), payload)
    return b"".join(parts)


def encode_spooled(request: int, spool_id: str, first_sequence: int, entries: Sequence[StoredPayload]) -> bytes:
    """An `S` message."""
    name = spool_id.encode()
    parts = [SPOOLED, struct.pack(">IB", request, len(name)), name, _SPOOL_HEAD.pack(first_sequence, len(entries))]
    for entry in entries:
        parts += (entry.salt, _LENGTH.pack(len(entry.payload)), entry.payload)
    return b"".join(parts)


def encode_answer(request: int, batch: RecordedBatch) -> bytes:
    """An `A` message."""
    parts = [
        ANSWER,
        _ANSWER_HEAD.pack(request, batch.first, len(batch.leaves), len(batch.note)),
        batch.note,
        bytes((len(batch.proof),)),
        *batch.proof,
    ]
    for leaf, salt in zip(batch.leaves, batch.salts, strict=True):
        parts += (_LENGTH.pack(len(leaf)), leaf, salt)
    return b"".join(parts)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 1

    def take(self, count: int) -> bytes:
        start = self._position
        self._position += count
        if self._position > len(self._content):
            raise WireError("message cut")
        return self._content[start : self._position]

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def sized(self) -> bytes:
        return self.take(self.unpack(_LENGTH)[0])

    def end(self) -> None:
        if self._position != len(self._content):
            raise WireError("message longer than it says")


def decode_record(content: bytes) -> RecordRequest:
    """The request of an `R` or `S` message; WireError when it is none."""
    reader = _Reader(content)
    if content[:1] == RECORD:
        request, count = reader.unpack(_HEAD)
        _check_count(count)
        payloads = tuple(reader.sized() for _ in range(count))
        reader.end()
        return RecordRequest(request, payloads)
    request, name_length = reader.unpack(struct.Struct(">IB"))
    name = reader.take(name_length).decode("ascii", "replace")
    first, count = reader.unpack(_SPOOL_HEAD)
    _check_count(count)
    pairs = [(reader.take(SALT_BYTES), reader.sized()) for _ in range(count)]
    reader.end()
    return RecordRequest(request, tuple(pair[1] for pair in pairs), name, first, tuple(pair[0] for pair in pairs))


def _check_count(count: int) -> None:
    if not 1 <= count <= MAX_REQUEST_ENTRIES:
        raise WireError(f"a request holds 1 to {MAX_REQUEST_ENTRIES} events")


def decode_answer(content: bytes) -> tuple[int, RecordedBatch]:
    """The request number and the answer of an `A` message; WireError when it is none."""
    reader = _Reader(content)
    request, first, count, note_length = reader.unpack(_ANSWER_HEAD)
    note = reader.take(note_length)
    proof = tuple(reader.take(HASH_BYTES) for _ in range(reader.take(1)[0]))
    pairs = [(reader.sized(), reader.take(SALT_BYTES)) for _ in range(count)]
    reader.end()
    return request, RecordedBatch(
        first, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), note, proof
    )
