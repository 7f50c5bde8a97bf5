"""The log on disk, for its one writer: sequence first, publish after.

    record    leaves are made, the tree grows, the checkpoint is signed, and the batch is synced: now receipts hold
    publish   what is sequenced goes into the tiles, and the published checkpoint follows

Two threads use a ledger, one for each of the two; nothing else may. Opening finishes what a crash interrupted: batches
that were synced and not published are published, a torn batch (never promised to anybody) is dropped and counted.

Source: the states *sequenced* and *integrated* of Tessera.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path

from access_audit import layout
from access_audit.checkpoint import Checkpoint, CheckpointError, SigningKey
from access_audit.events import AccessEvent
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
from access_audit.merkle import EMPTY_ROOT, leaf_hash
from access_audit.receipt import RecordedBatch
from access_audit.sequence import Batch, Sequence, files_of, read_batches
from access_audit.tiles import TileError, TileWriter, read_leaves
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

HOUR_NS = 3_600 * 1_000_000_000
_PROBE_BYTES = 65_536
"""More than a batch usually has."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry before it has an index. A spool gives salt and mark; `control` is the kind of a `log.*` entry."""

    payload: bytes
    salt: bytes = b""
    mark: SpoolMark | None = None
    control: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening had to finish: entries published late, and files whose torn end was dropped."""

    published: int
    dropped: int


class Ledger:
    """An open log. Raises VmsError `audit.corrupt` when the files do not fit each other."""

    def __init__(self, folder: Path, key: SigningKey, clock: Clock) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        for name in (layout.SEQUENCE, layout.TILES, layout.PAYLOADS, layout.CHECKPOINTS):
            durable.make_folder(folder / name)
        try:
            head = self._published_head()
            self._tiles = TileWriter(folder, head.size)
            if self._tiles.frontier().root != head.root:
                raise TileError("the tiles lead to another root than the checkpoint")
            pending, self._dropped = self._unpublished()
            published = len(pending) and pending[-1].end - self._tiles.size
            if pending:
                self._tiles.publish(pending)
            self._last_ns = self._newest_instant()
        except (TileError, FormatError, CheckpointError) as wrong:
            raise _corrupt(folder, str(wrong)) from None
        self.recovery = Recovery(published, self._dropped)
        self._frontier = self._tiles.frontier()
        self._sequence = Sequence(folder / layout.SEQUENCE)
        self._pending: list[Batch] = []
        self._turn = threading.Lock()
        self._hour = 0

    @property
    def size(self) -> int:
        """How many entries are on the disk, published or not."""
        return self._frontier.size

    @property
    def published(self) -> int:
        """How many entries are in the tiles."""
        return self._tiles.size

    @property
    def last_ns(self) -> int:
        """The instant of the newest entry; no later entry has an earlier one."""
        return self._last_ns

    def record(self, requests: Many[Many[Draft]]) -> list[RecordedBatch]:
        """Sequence the entries of several requests with one sync; the answer to each. OSError keeps none of them."""
        now = max(self._clock.utc_ns(), self._last_ns)
        drafts = [draft for request in requests for draft in request]
        first = self._frontier.size
        fresh = secrets.token_bytes(SALT_BYTES * len(drafts))
        stored = [
            StoredPayload(draft.salt or fresh[place : place + SALT_BYTES], draft.payload)
            for place, draft in zip(range(0, len(fresh), SALT_BYTES), drafts, strict=True)
        ]
        leaves = [
            leaf_bytes(Leaf(index, now, commitment(kept.salt, kept.payload), draft.control, draft.mark))
            for index, (draft, kept) in enumerate(zip(drafts, stored, strict=True), first)
        ]
        frontier, neighbours = self._frontier.grow([leaf_hash(leaf) for leaf in leaves])
        note = self._key.sign(Checkpoint(self._key.log_key.name, frontier.size, frontier.root))
        batch = Batch(first, tuple(leaves), tuple(stored), note)
        self._sequence.append(batch)
        self._frontier = frontier
        self._last_ns = now
        with self._turn:
            self._pending.append(batch)
        answers = []
        start = first
        for request in requests:
            place = start - first
            end = place + len(request)
            salts = tuple(kept.salt for kept in stored[place:end])
            proof = tuple(neighbours.proof(start, len(request)))
            answers.append(RecordedBatch(start, tuple(leaves[place:end]), salts, note, proof))
            start += len(request)
        return answers

    def record_own(self, event: AccessEvent) -> None:
        """Sequence an entry about the log itself."""
        self.record([[Draft(event_payload(event), control=event.kind.value)]])

    def record_afresh(self, drafts: Many[Draft]) -> int:
        """Sequence entries in a new append file, and give the index of the first; the older files then only await
        their publication."""
        self._sequence.begin_anew()
        return self.record([drafts])[0].first

    def erase(self, number: int, expired: Callable[[Leaf, StoredPayload], bool]) -> list[int]:
        """Erase payloads of one published bundle, in the publishing thread; the indices of those that went.

        OSError may leave the bundle as it was; the call can be made again.
        """
        return self._tiles.erase(number, expired)

    def forget_sequenced(self) -> None:
        """Remove the append files that are published wholly, in the publishing thread."""
        self._sequence.forget(self._tiles.size)

    @property
    def key(self) -> SigningKey:
        """What signs the checkpoints."""
        return self._key

    def use_key(self, key: SigningKey) -> None:
        """Sign with this from the next entry on. In the thread that records."""
        self._key = key

    def hand_over(self, key: SigningKey, event: AccessEvent) -> None:
        """Sequence the entry of a hand-over, signed by the key that it hands over to; OSError changes nothing."""
        before, self._key = self._key, key
        try:
            self.record_own(event)
        except OSError:
            self._key = before
            raise

    def publish(self) -> int:
        """Publish all that is sequenced; the published size. OSError leaves it for the next call."""
        with self._turn:
            pending = list(self._pending)
        if pending:
            try:
                self._tiles.publish(pending)
            finally:
                with self._turn:
                    self._pending = [batch for batch in self._pending if batch.end > self._tiles.size]
            self._keep_hourly(pending[-1])
            self._sequence.forget(self._tiles.size)
        return self._tiles.size

    def try_disk(self) -> None:
        """Whether the disk takes anything at all: OSError when it does not."""
        probe = self._folder / layout.PROBE
        durable.write_atomic(probe, bytes(_PROBE_BYTES))
        durable.remove(probe)

    def close(self) -> None:
        """Publish the rest and close."""
        try:
            self.publish()
        finally:
            self._sequence.close()

    def _keep_hourly(self, batch: Batch) -> None:
        """Keep one checkpoint for each hour, so that consistency can be shown over the life of the log."""
        hour = self._last_ns // HOUR_NS
        if hour != self._hour:
            durable.write_atomic(self._folder / layout.CHECKPOINTS / str(batch.end), batch.note)
            self._hour = hour

    def _published_head(self) -> Checkpoint:
        try:
            note = (self._folder / layout.CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return Checkpoint(self._key.log_key.name, 0, EMPTY_ROOT)
        return self._key.open(note).checkpoint

    def _unpublished(self) -> tuple[list[Batch], int]:
        """The whole batches beyond the tiles, in order, and how many torn ends were cut off."""
        size, dropped = self._tiles.size, 0
        frontier = self._tiles.frontier()
        pending: list[Batch] = []
        for path in files_of(self._folder / layout.SEQUENCE):
            for found in read_batches(path):
                if isinstance(found, int):
                    durable.truncate(path, found)
                    dropped += 1
                elif found.first == size:
                    frontier, _ = frontier.grow([leaf_hash(leaf) for leaf in found.leaves])
                    signed = self._key.open(found.note).checkpoint
                    if (signed.size, signed.root) != (frontier.size, frontier.root) or not _sealed(found):
                        raise TileError(f"sequenced batch at {size} is not what its checkpoint says")
                    pending.append(found)
                    size = found.end
                elif found.end > size:
                    raise TileError(f"sequenced batch at {found.first} does not follow {size}")
        return pending, dropped

    def _newest_instant(self) -> int:
        size = self._tiles.size
        if not size:
            return 0
        width = (size - 1) % layout.TILE_WIDTH + 1
        return parse_leaf(read_leaves(self._folder, (size - 1) // layout.TILE_WIDTH, width)[-1]).at_ns


def _sealed(batch: Batch) -> bool:
    """Whether each payload is what its leaf commits to."""
    return all(
        parse_leaf(leaf).commitment == commitment(kept.salt, kept.payload)
        for leaf, kept in zip(batch.leaves, batch.payloads, strict=True)
    )


def _corrupt(folder: Path, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "audit.corrupt",
        f"Le journal des accès du dossier {folder} est incomplet ou altéré : il ne peut pas être prolongé.",
        hint="N'effacez rien. Lancez « vms audit verify », puis restaurez le journal depuis sa sauvegarde.",
        detail=detail,
    )
