"""The log on the disk: append, publish, read, recover. Blocking; the writer runs it in threads.

Words: an entry is *sequenced* when its batch is synced in the append file, and from then on its receipt holds. It is
*published* when the checkpoint in the folder covers it and the tiles have it.

Rules.

A1. A receipt implies that the entry is on the disk: `append` returns after the sync of the batch.
A2. Every checkpoint is consistent with every earlier one: a batch is signed once, for indices that no other batch ever
    stood for, and publishing takes the checkpoint of the batch as it is.
A3. Expiry removes payloads only; leaves, tiles and checkpoints stay.

Start: lock the folder; read the published checkpoint and the right edge of its tree, which must lead to its root; read
the append files, where each batch must carry a valid checkpoint that continues the tree; drop a torn end; publish;
remove the append files. Whatever does not fit is an error, never repaired silently.

Time: the instants of entries never go back, except at an entry `log.clock_stepped`, which says from where to where.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from access_audit import layout, sequence
from access_audit.checkpoint import Checkpoint, CheckpointError, LogKey, SignedCheckpoint, SigningKey, open_note
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import (
    SALT_BYTES,
    FormatError,
    Leaf,
    SpoolMark,
    StoredPayload,
    commitment,
    event_payload,
    leaf_bytes,
    parse_leaf,
)
from access_audit.merkle import EMPTY_ROOT, Neighbours, consistency_path, inclusion_path, leaf_hash
from access_audit.tiles import TileError, TileWriter, TreeReader, read_leaves, read_payloads
from vms.base import durable
from vms.base.clock import utc_text
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

STEP_TOLERANCE_NS = 1_000_000_000
_HOUR_NS = 3_600 * 1_000_000_000
SYSTEM = Author("system:audit", "", "system")


@dataclass(frozen=True, slots=True)
class NewEntry:
    """One entry to append. A spool brings its mark and salt; for all others the salt is made here."""

    payload: bytes
    control: str = ""
    spool: SpoolMark | None = None
    salt: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One entry as the log has it; `stored` is None once its payload has expired."""

    index: int
    leaf: bytes
    stored: StoredPayload | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What one append did: the sequenced batch, and the nodes that prove its entries. `skipped` came before them."""

    batch: sequence.Batch
    tree: Neighbours
    skipped: int


class LogStore:
    """One log, held by its lock. `append` and `publish` may run at the same time in two threads; readers anywhere."""

    def __init__(self, folder: Path, key: SigningKey) -> None:
        """Open and recover. VmsError `folder.in_use`, or `audit.corrupt` when what is on the disk does not fit."""
        for part in ("", layout.CHECKPOINTS, layout.PAYLOADS, layout.SEQUENCE, f"{layout.TILES}/{layout.ENTRIES}"):
            durable.make_folder(folder / part)
        self.folder = folder
        self._key = key
        self._lock = durable.FolderLock(folder)
        try:
            self._published = self._read_checkpoint()
            self._tiles = TileWriter(folder, self._published.checkpoint.size if self._published else 0)
            self._frontier = self._tiles.frontier()
            self._check_root()
            self._guard = threading.Lock()
            self._pending: list[sequence.Batch] = []
            self._last_at_ns = self._last_instant()
            self._hour = 0
            self.recovered, self.dropped_bytes = self._recover()
            self._sequence = sequence.Sequence(folder / layout.SEQUENCE)
        except (FormatError, TileError, CheckpointError, sequence.SequenceError) as wrong:
            self._lock.release()
            raise _corrupt(folder, str(wrong)) from None
        except BaseException:
            self._lock.release()
            raise

    @property
    def log_key(self) -> LogKey:
        """The public key of the log."""
        return self._key.log_key

    @property
    def size(self) -> int:
        """How many entries are sequenced."""
        return self._frontier.size

    @property
    def published_size(self) -> int:
        """How many entries are published."""
        return self._tiles.size

    def append(self, entries: Sequence[NewEntry], now_ns: int) -> Appended:
        """Sequence entries: afterwards they are on the disk. OSError when the disk refuses, and then nothing is added.

        A clock that has stepped back by more than a second puts an entry of its own in front, counted in `skipped`.
        """
        stepped = now_ns < self._last_at_ns - STEP_TOLERANCE_NS
        at_ns = now_ns if stepped else max(now_ns, self._last_at_ns)
        if stepped:
            entries = [_stepped(self._last_at_ns, now_ns), *entries]
        random = os.urandom(SALT_BYTES * len(entries))
        first = self._frontier.size
        leaves: list[bytes] = []
        payloads: list[StoredPayload] = []
        for place, entry in enumerate(entries):
            salt = entry.salt or random[place * SALT_BYTES : (place + 1) * SALT_BYTES]
            sealed = commitment(salt, entry.payload)
            leaves.append(leaf_bytes(Leaf(first + place, at_ns, sealed, entry.control, entry.spool)))
            payloads.append(StoredPayload(salt, entry.payload))
        frontier, tree = self._frontier.grow([leaf_hash(leaf) for leaf in leaves])
        note = self._key.sign(Checkpoint(self._key.log_key.name, frontier.size, frontier.root))
        batch = sequence.Batch(first, tuple(leaves), tuple(payloads), note)
        self._sequence.append(batch)
        with self._guard:
            self._pending.append(batch)
        self._frontier = frontier
        self._last_at_ns = at_ns
        return Appended(batch, tree, int(stepped))

    def publish(self) -> bool:
        """Publish all that is sequenced; False when there was nothing. OSError leaves the old checkpoint in force."""
        with self._guard:
            batches = self._pending[:]
        if not batches:
            return False
        self._tiles.publish(batches)
        self._published = open_note(batches[-1].note, self._key.log_key)
        self._keep_hourly(batches[-1])
        with self._guard:
            self._pending = self._pending[len(batches) :]
        self._sequence.forget(self._tiles.size)
        return True

    def checkpoint_note(self) -> bytes:
        """The newest signed checkpoint: of all that is sequenced. Empty bytes when the log is empty."""
        with self._guard:
            if self._pending:
                return self._pending[-1].note
        return self._published.note if self._published else b""

    def entry(self, index: int) -> StoredEntry:
        """One sequenced entry; VmsError `audit.no_entry` when there is none."""
        return next(iter(self.entries([index])))

    def entries(self, indices: Iterable[int]) -> list[StoredEntry]:
        """Sequenced entries, in the order asked for; neighbours in one bundle are read once."""
        with self._guard:
            pending, published = self._pending[:], self._tiles.size
        bundles: dict[int, tuple[list[bytes], list[StoredPayload | None]]] = {}
        found: list[StoredEntry] = []
        for index in indices:
            if not 0 <= index < self.size:
                raise _no_entry(index)
            batch = next((batch for batch in pending if batch.first <= index < batch.end), None)
            if batch is not None:
                place = index - batch.first
                found.append(StoredEntry(index, batch.leaves[place], batch.payloads[place]))
                continue
            number, place = divmod(index, layout.TILE_WIDTH)
            if number not in bundles:
                width = min(layout.TILE_WIDTH, published - number * layout.TILE_WIDTH)
                bundles[number] = self._read_bundle(number, width)
            found.append(StoredEntry(index, bundles[number][0][place], bundles[number][1][place]))
        return found

    def proof(self, index: int) -> tuple[bytes, list[bytes]]:
        """The newest published checkpoint and the inclusion proof under it; publishes when the entry needs it."""
        if not 0 <= index < self.size:
            raise _no_entry(index)
        published = self._covering(index + 1)
        size = published.checkpoint.size
        return published.note, inclusion_path(index, size, TreeReader(self.folder, size).subtree)

    def consistency(self, old_size: int) -> tuple[bytes, list[bytes]]:
        """The newest published checkpoint and the proof that the log of `old_size` is its beginning."""
        if not 0 < old_size <= self.size:
            raise _no_entry(old_size)
        published = self._covering(old_size)
        size = published.checkpoint.size
        return published.note, consistency_path(old_size, size, TreeReader(self.folder, size).subtree)

    def close(self) -> None:
        """Close the files and give the folder back. What is sequenced and not published waits for the next start."""
        self._sequence.close()
        self._lock.release()

    def _covering(self, size: int) -> SignedCheckpoint:
        published = self._published
        if published is None or published.checkpoint.size < size:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "audit.unpublished",
                "Cette entrée vient d'être inscrite ; sa preuve sera prête dans un instant.",
                hint="Réessayez dans quelques secondes.",
                detail=f"no published checkpoint of size {size} yet",
            )
        return published

    def _read_bundle(self, number: int, width: int) -> tuple[list[bytes], list[StoredPayload | None]]:
        try:
            return read_leaves(self.folder, number, width), read_payloads(self.folder, number)
        except (FormatError, TileError) as wrong:
            raise _corrupt(self.folder, str(wrong)) from None

    def _read_checkpoint(self) -> SignedCheckpoint | None:
        path = self.folder / layout.CHECKPOINT
        if path.exists():
            return open_note(path.read_bytes(), self._key.log_key)
        if any((self.folder / layout.TILES / "0").rglob("*")) and not sequence.files_of(self.folder / layout.SEQUENCE):
            raise CheckpointError("there are tiles, but no checkpoint")
        return None

    def _check_root(self) -> None:
        expected = self._published.checkpoint.root if self._published else EMPTY_ROOT
        if self._frontier.root != expected:
            raise TileError("the tiles lead to another root than the checkpoint")

    def _last_instant(self) -> int:
        size = self._tiles.size
        if not size:
            return 0
        number, place = divmod(size - 1, layout.TILE_WIDTH)
        return parse_leaf(read_leaves(self.folder, number, place + 1)[place]).at_ns

    def _recover(self) -> tuple[int, int]:
        """Take in what was sequenced and not published; how many entries that was, and how many torn bytes fell."""
        files = sequence.files_of(self.folder / layout.SEQUENCE)
        recovered, dropped = 0, 0
        for path in files:
            for batch in sequence.read_batches(path):
                if isinstance(batch, int):
                    if path != files[-1]:
                        raise sequence.SequenceError(f"{path.name} is torn, and a newer file follows")
                    dropped = path.stat().st_size - batch
                    log.warning("torn batch dropped; nobody held a receipt for it", file=path.name, bytes=dropped)
                elif batch.end > self._tiles.size:
                    self._take_in(batch)
                    recovered += len(batch.leaves)
        if self._pending:
            self._tiles.publish(self._pending)
            self._published = open_note(self._pending[-1].note, self._key.log_key)
            self._keep_hourly(self._pending[-1])
            self._pending = []
        for path in files:
            durable.remove(path)
        return recovered, dropped

    def _take_in(self, batch: sequence.Batch) -> None:
        if batch.first != self._frontier.size:
            raise sequence.SequenceError(f"batch at {batch.first} does not follow {self._frontier.size}")
        signed = open_note(batch.note, self._key.log_key)
        frontier, _ = self._frontier.grow([leaf_hash(leaf) for leaf in batch.leaves])
        if (signed.checkpoint.size, signed.checkpoint.root) != (frontier.size, frontier.root):
            raise sequence.SequenceError(f"batch at {batch.first} does not lead to its checkpoint")
        for content, stored in zip(batch.leaves, batch.payloads, strict=True):
            leaf = parse_leaf(content)
            if leaf.commitment != commitment(stored.salt, stored.payload):
                raise sequence.SequenceError(f"payload {leaf.index} does not fit its leaf")
            self._last_at_ns = leaf.at_ns
        self._pending.append(batch)
        self._frontier = frontier

    def _keep_hourly(self, batch: sequence.Batch) -> None:
        hour = parse_leaf(batch.leaves[-1]).at_ns // _HOUR_NS
        if hour != self._hour:
            durable.write_atomic(self.folder / layout.CHECKPOINTS / f"{batch.end:016d}", batch.note)
            self._hour = hour


def control_entry(kind: EventKind, at_ns: int, reason: str, **details: str) -> NewEntry:
    """An entry about the log itself."""
    event = AccessEvent(kind, SYSTEM, at_ns, Reason(reason), details=details)
    return NewEntry(event_payload(event), control=kind.value)


def _stepped(last_ns: int, now_ns: int) -> NewEntry:
    return control_entry(
        EventKind.LOG_CLOCK_STEPPED, now_ns, "clock", **{"from": utc_text(last_ns), "to": utc_text(now_ns)}
    )


def _no_entry(index: int) -> VmsError:
    return VmsError(
        ErrorKind.NOT_FOUND,
        "audit.no_entry",
        f"Le journal des accès n'a pas d'entrée {index}.",
        hint="Vérifiez le numéro de l'entrée.",
        detail=f"no entry {index}",
    )


def _corrupt(folder: Path, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "audit.corrupt",
        f"Le journal des accès du dossier {folder} est altéré : {_short(detail)}.",
        hint="N'y touchez pas, gardez une copie du dossier et lancez « vms audit verify » pour savoir ce qui a changé.",
        detail=detail,
    )


def _short(detail: str) -> str:
    return f"code {hashlib.sha256(detail.encode()).hexdigest()[:8]}"
