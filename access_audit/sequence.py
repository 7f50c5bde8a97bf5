"""The append file: batches of entries on their way into the tiles.

Rules.

Q1. A batch is written with the signed checkpoint that it leads to, and synced, before any caller gets a receipt. A
    receipt therefore implies that its entry, salt, payload and checkpoint are on the disk.
Q2. A batch counts when it is whole: its digest covers every byte. A torn one, which only the end of the newest file can
    hold, was never promised to anybody and is dropped at the next start.
Q3. After a failed write or sync the file is cut back to its last whole batch before anything else is written, so that
    no two batches ever stand for the same indices.
Q4. A file is removed only when the published checkpoint covers all of it.

A batch: magic, body length u32, SHA-256 of the body; body: first index u64, entry count u32, note length u32, note,
then per entry leaf length u16, leaf, payload length u32, salt, payload.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from access_audit.format import SALT_BYTES, StoredPayload
from vms.base import durable

MAGIC = b"VSB1"
ROLL_BYTES = 1024 * 1024

_HEAD = struct.Struct(">4sI32s")
_BODY_HEAD = struct.Struct(">QII")
_LEAF_LENGTH = struct.Struct(">H")
_PAYLOAD_LENGTH = struct.Struct(">I")


class SequenceError(ValueError):
    """A batch that is torn or altered."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries that were synced together, and the checkpoint note that they lead to."""

    first: int
    leaves: tuple[bytes, ...]
    payloads: tuple[StoredPayload, ...]
    note: bytes

    @property
    def end(self) -> int:
        """The index after the last entry."""
        return self.first + len(self.leaves)


def encode_batch(batch: Batch) -> bytes:
    """The bytes of a batch."""
    parts = [_BODY_HEAD.pack(batch.first, len(batch.leaves), len(batch.note)), batch.note]
    for leaf, stored in zip(batch.leaves, batch.payloads, strict=True):
        parts += (
            _LEAF_LENGTH.pack(len(leaf)),
            leaf,
            _PAYLOAD_LENGTH.pack(len(stored.payload)),
            stored.salt,
            stored.payload,
        )
    body = b"".join(parts)
    return _HEAD.pack(MAGIC, len(body), hashlib.sha256(body).digest()) + body


def decode_batch(content: bytes, start: int) -> tuple[Batch, int]:
    """The batch at `start` and where the next one begins; SequenceError when it is torn."""
    try:
        magic, length, digest = _HEAD.unpack_from(content, start)
        body = content[start + _HEAD.size : start + _HEAD.size + length]
        if magic != MAGIC or len(body) != length or hashlib.sha256(body).digest() != digest:
            raise SequenceError(f"torn batch at byte {start}")
        first, count, note_length = _BODY_HEAD.unpack_from(body)
        position = _BODY_HEAD.size + note_length
        note = body[_BODY_HEAD.size : position]
        leaves: list[bytes] = []
        payloads: list[StoredPayload] = []
        for _ in range(count):
            (leaf_length,) = _LEAF_LENGTH.unpack_from(body, position)
            leaf_end = position + 2 + leaf_length
            leaves.append(body[position + 2 : leaf_end])
            (payload_length,) = _PAYLOAD_LENGTH.unpack_from(body, leaf_end)
            salt_end = leaf_end + 4 + SALT_BYTES
            position = salt_end + payload_length
            payloads.append(StoredPayload(body[leaf_end + 4 : salt_end], body[salt_end:position]))
    except struct.error:
        raise SequenceError(f"torn batch at byte {start}") from None
    return Batch(first, tuple(leaves), tuple(payloads), note), start + _HEAD.size + length


def read_batches(path: Path) -> Iterator[Batch | int]:
    """The whole batches of a file, then, when bytes that are no batch follow, the place where those begin."""
    content = path.read_bytes()
    position = 0
    while position < len(content):
        try:
            batch, position = decode_batch(content, position)
        except SequenceError:
            yield position
            return
        yield batch


def files_of(folder: Path) -> list[Path]:
    """The append files of a sequence folder, oldest first."""
    return sorted(folder.glob("[0-9]*.seq"))


class Sequence:
    """The end of the append file, kept open. One thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._descriptor = -1
        self._size = 0
        self._torn = False

    def append(self, batch: Batch) -> None:
        """Write a batch and sync it. OSError leaves nothing of it that a later start would take for whole (Q3)."""
        if self._torn:
            self._cut_back()
        if self._descriptor < 0 or self._size >= ROLL_BYTES:
            self._roll(batch.first)
        content = encode_batch(batch)
        self._torn = True
        try:
            durable.write_all(self._descriptor, [content])
            durable.sync_data(self._descriptor)
        except OSError:
            self._cut_back()
            raise
        self._torn = False
        self._size += len(content)

    def _cut_back(self) -> None:
        assert self._path is not None
        durable.truncate(self._path, self._size)
        self._torn = False

    def _roll(self, first: int) -> None:
        self.close()
        path = self._folder / f"{first:016d}.seq"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            durable.sync_folder(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        self._path, self._descriptor, self._size = path, descriptor, os.fstat(descriptor).st_size

    def begin_anew(self) -> None:
        """Have the next batch begin a new file, so that `forget` can remove this one. OSError changes nothing."""
        if self._torn:
            self._cut_back()
        self.close()
        self._path = None

    def forget(self, published: int) -> None:
        """Remove the files that the published checkpoint covers wholly, except the one being written (Q4)."""
        files = files_of(self._folder)
        for path, following in itertools.pairwise(files):
            if int(following.stem) <= published and path != self._path:
                durable.remove(path)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
