"""What a client has seen of the log, so that no older or other log passes for it later.

The newest checkpoint and the epoch of its writer stand in a small mapped file: two places, written in turn, each with
its digest. A killed client loses nothing; a power cut may lose the last seconds, which the writer's own disk then has.
What is seen never goes back. A take-over asks these files whether a copy lacks receipts that were given out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access_audit.checkpoint import Checkpoint
from vms.base import durable

_SLOT_BYTES = 16 * 1024
_HEAD = struct.Struct(">QI32s")


@dataclass(frozen=True, slots=True)
class SeenState:
    """The newest checkpoint that was seen, the epoch of its writer, and the proof of the entry that states it."""

    epoch: int
    note: bytes
    proof: dict[str, Any]

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint; its signature was verified before it was kept. ValueError when the note is none."""
        return text_of(self.note)


class Seen:
    """The file of one client process. `open` and `close` touch the disk; `keep` touches memory only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None
        self._sequence = 0
        self.state: SeenState | None = None

    def open(self) -> None:
        """Map the file, made when it is not there. OSError when the disk refuses."""
        if self._map is not None:
            return
        if not self._path.exists():
            durable.make_folder(self._path.parent)
            durable.write_atomic(self._path, bytes(2 * _SLOT_BYTES))
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(descriptor, 2 * _SLOT_BYTES)
        finally:
            os.close(descriptor)
        self._sequence, self.state = _newest(self._map)

    def keep(self, note: bytes, epoch: int, proof: dict[str, Any]) -> None:
        """Remember a verified checkpoint, unless one of its size or a larger one is remembered."""
        known = self.state
        if known is not None and (epoch, text_of(note).size) <= (known.epoch, known.checkpoint.size):
            return
        self.state = SeenState(epoch, note, proof)
        body = json.dumps({"epoch": epoch, "note": note.decode(), "proof": proof}, separators=(",", ":")).encode()
        if self._map is None or len(body) > _SLOT_BYTES - _HEAD.size:
            return
        self._sequence += 1
        start = self._sequence % 2 * _SLOT_BYTES
        head = _HEAD.pack(self._sequence, len(body), hashlib.sha256(body).digest())
        self._map[start : start + _HEAD.size + len(body)] = head + body

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None


def read_seen(path: Path) -> SeenState | None:
    """What a file of a client says; None when it says nothing yet. OSError or ValueError when it cannot be read."""
    content = path.read_bytes()
    if len(content) != 2 * _SLOT_BYTES:
        raise ValueError("a file of another form")
    return _newest(content)[1]


def text_of(note: bytes) -> Checkpoint:
    """The checkpoint of a note, whoever signed it; ValueError when it is none."""
    try:
        origin, size, root = note.decode().split("\n")[:3]
        return Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except binascii.Error:
        raise ValueError("no root in the note") from None


def _newest(content: bytes | mmap.mmap) -> tuple[int, SeenState | None]:
    newest: tuple[int, SeenState | None] = (0, None)
    for start in (0, _SLOT_BYTES):
        if len(content) < start + _SLOT_BYTES:
            break
        sequence, length, digest = _HEAD.unpack(content[start : start + _HEAD.size])
        body = content[start + _HEAD.size : start + _HEAD.size + length]
        if sequence > newest[0] and hashlib.sha256(body).digest() == digest:
            raw = json.loads(body)
            newest = sequence, SeenState(int(raw["epoch"]), str(raw["note"]).encode(), raw["proof"])
    return newest
