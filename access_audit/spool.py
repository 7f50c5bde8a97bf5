"""Where a node keeps its events while the writer is away: chained, in order, delivered later, never lost.

Rules.

- `append` returns when the event is on the disk; it waits for no other process.
- Each entry has a number from 1 on and its own salt. The chain runs over commitments, so that the log can show that
  nothing was left out, put in or moved between the node and the log.
- What the log has of a spool decides what is delivered next, not what the spool remembers: an answer that was lost
  leads to no second entry.
- Nobody's word is taken for that: the log's newest entry of the spool comes with its proof under a signed checkpoint,
  and its chain is that of the spool; what is delivered now comes with its receipts.
- A file is removed when the log has proved to have every entry of it.

A file `<first number>.spl`: the chain before its first entry; then per entry number u64, payload length u16, salt,
payload, and the first eight bytes of the SHA-256 of all that. A torn end was promised to nobody and is cut off.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import structlog

from access_audit.client import AuditClient
from access_audit.events import AccessEvent
from access_audit.format import SALT_BYTES, SpoolMark, StoredPayload, chain_next, chain_start, commitment, event_payload
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import is_id, new_id

log = structlog.get_logger(__name__)

BATCH_ENTRIES = 256
ROLL_BYTES = 256 * 1024
_HEAD = struct.Struct(">QH")
_CHECK_BYTES = 8
_CHAIN_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Entry:
    mark: SpoolMark
    stored: StoredPayload


class Spool:
    """One node's spool in a folder of its own. `append` may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        durable.make_folder(folder)
        self._folder = folder
        self._turn = threading.Lock()
        self.spool_id = _identity(folder)
        self._chain = chain_start(self.spool_id)
        self._sequence = 0
        self._descriptor = -1
        self._path: Path | None = None
        self._size = 0
        self._recover()

    @property
    def sequence(self) -> int:
        """The number of the newest entry."""
        return self._sequence

    def append(self, event: AccessEvent) -> None:
        """Keep one event. OSError when the disk refuses; nothing of it stays then."""
        payload = event_payload(event)
        salt = secrets.token_bytes(SALT_BYTES)
        with self._turn:
            if self._descriptor < 0 or self._size >= ROLL_BYTES:
                self._roll()
            record = _HEAD.pack(self._sequence + 1, len(payload)) + salt + payload
            record += hashlib.sha256(record).digest()[:_CHECK_BYTES]
            try:
                durable.write_all(self._descriptor, [record])
                durable.sync_data(self._descriptor)
            except OSError:
                assert self._path is not None
                durable.truncate(self._path, self._size)
                raise
            self._size += len(record)
            self._sequence += 1
            self._chain = chain_next(self._chain, commitment(salt, payload))

    async def deliver(self, client: AuditClient) -> int:
        """Bring the log what it does not have yet; the number of entries delivered.

        Raises VmsError `audit.unavailable` when the writer is away, `audit.spool_forked` when the log has entries of
        this spool that the spool never made, or lacks some that it has given away.
        """
        head = await client.spool_head(self.spool_id)
        known = 0 if head is None else head.sequence
        if head is not None and known <= self._sequence:
            chain = await asyncio.to_thread(self._chain_at, known)
            if chain != head.chain:
                raise _forked(f"entry {known} of the log is not the one of this spool")
        delivered = 0
        while known < self._sequence:
            entries = await asyncio.to_thread(self._after, known)
            if not entries or entries[0].mark.sequence != known + 1:
                raise _forked(f"the log has {known}, the spool begins after it")
            await client.record_spooled([entry.stored for entry in entries], [entry.mark for entry in entries])
            known = entries[-1].mark.sequence
            delivered += len(entries)
        if known > self._sequence:
            raise _forked(f"the log has {known} entries of a spool of {self._sequence}")
        await asyncio.to_thread(self._forget, known)
        return delivered

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _chain_at(self, number: int) -> bytes | None:
        """The chain up to and with an entry; None when the file that holds it has been removed."""
        with self._turn:
            if number == self._sequence:
                return self._chain
        for path in self._files():
            if int(path.stem) == number + 1:
                with path.open("rb") as file:
                    return file.read(_CHAIN_BYTES)
            for entry in self._read(path)[0]:
                if entry.mark.sequence == number:
                    return entry.mark.chain
        return None

    def _after(self, known: int) -> list[_Entry]:
        """The next entries after a number, at most a batch."""
        found: list[_Entry] = []
        for path in self._files():
            entries, _ = self._read(path)
            found += [entry for entry in entries if entry.mark.sequence > known]
            if len(found) >= BATCH_ENTRIES:
                break
        return found[:BATCH_ENTRIES]

    def _forget(self, known: int) -> None:
        """Remove the files whose every entry the log has; the newest stays, since it carries number and chain on."""
        with self._turn:
            files = self._files()
            for path, following in pairwise(files):
                if int(following.stem) <= known + 1:
                    durable.remove(path)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.spl"))

    def _read(self, path: Path) -> tuple[Sequence[_Entry], int]:
        """The whole entries of a file, and the place where they end."""
        content = path.read_bytes()
        chain = content[:_CHAIN_BYTES]
        position = _CHAIN_BYTES
        entries: list[_Entry] = []
        while position + _HEAD.size <= len(content):
            number, length = _HEAD.unpack_from(content, position)
            end = position + _HEAD.size + SALT_BYTES + length
            check = content[end : end + _CHECK_BYTES]
            if check != hashlib.sha256(content[position:end]).digest()[:_CHECK_BYTES]:
                break
            salt_start = position + _HEAD.size
            stored = StoredPayload(
                content[salt_start : salt_start + SALT_BYTES], content[salt_start + SALT_BYTES : end]
            )
            chain = chain_next(chain, commitment(stored.salt, stored.payload))
            entries.append(_Entry(SpoolMark(self.spool_id, number, chain), stored))
            position = end + _CHECK_BYTES
        return entries, min(position, len(content))

    def _recover(self) -> None:
        """Take up where the newest whole entry stands, and cut a torn end off."""
        for path in reversed(self._files()):
            content_size = path.stat().st_size
            if content_size < _CHAIN_BYTES:
                durable.remove(path)
                continue
            entries, end = self._read(path)
            if end < content_size:
                log.warning("torn end of a spool file dropped", file=path.name, bytes=content_size - end)
                durable.truncate(path, end)
            if entries:
                self._sequence, self._chain = entries[-1].mark.sequence, entries[-1].mark.chain
            else:
                with path.open("rb") as file:
                    self._sequence, self._chain = int(path.stem) - 1, file.read(_CHAIN_BYTES)
            return

    def _roll(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        path = self._folder / f"{self._sequence + 1:016d}.spl"
        if not path.exists():
            durable.write_atomic(path, self._chain)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._path, self._size = path, path.stat().st_size


def _identity(folder: Path) -> str:
    file = folder / "id"
    if file.exists():
        spool_id = file.read_text(encoding="ascii").strip()
        if is_id(spool_id, "spool"):
            return spool_id
        raise _forked(f"{file} holds no spool id")
    spool_id = new_id("spool")
    durable.write_atomic(file, spool_id.encode())
    return spool_id


def _forked(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "audit.spool_forked",
        "La file d'attente du journal de cet enregistreur ne correspond pas au journal central.",
        hint="N'effacez rien, et prévenez l'exploitant : une sauvegarde a pu être restaurée.",
        detail=detail,
    )
