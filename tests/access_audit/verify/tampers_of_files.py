"""What somebody can do who has the disk of the log, and no key."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from access_audit.checkpoint import Checkpoint
from access_audit.format import StoredPayload, decode_bundle
from access_audit.ledger import Ledger
from access_audit.merkle import leaf_hash
from access_audit.sequence import Batch, decode_batch, encode_batch
from access_audit.verify import Flaw
from tests.access_audit import built
from tests.access_audit.built import STRANGER, edit_entries, edit_payloads, edit_tile, rebuild
from tests.access_audit.logs import ORIGIN
from tests.access_audit.verify.real_log import NEW_KEY, SIZE, RealLog
from vms.base.clock import ManualClock


def swap(items: list[Any], one: int, other: int) -> None:
    items[one], items[other] = items[other], items[one]


def put(items: list[Any], place: int, item: Any) -> None:
    items[place] = item


def field_changed(log: RealLog) -> None:
    edit_entries(log.folder, 1, lambda leaves: put(leaves, 4, built.forge(leaves[4], at_ns=1)))


def field_changed_in_leaf_and_tile(log: RealLog) -> None:
    """The hash of the bundle is then that of the tile, and only the tile above knows."""
    field_changed(log)
    leaves = decode_bundle(built.entries_file(log.folder, 1).read_bytes())
    built.tile_file(log.folder, 1).write_bytes(b"".join(leaf_hash(leaf) for leaf in leaves))


def entry_deleted(log: RealLog) -> None:
    edit_entries(log.folder, 1, lambda leaves: leaves.pop(44))


def entry_deleted_and_rest_moved_up(log: RealLog) -> None:
    second = decode_bundle(built.entries_file(log.folder, 1).read_bytes())

    def move(leaves: list[bytes]) -> None:
        del leaves[100]
        leaves.append(second[0])

    edit_entries(log.folder, 0, move)


def entry_inserted(log: RealLog) -> None:
    def squeeze(leaves: list[bytes]) -> None:
        leaves.insert(50, leaves[9])
        leaves.pop()

    edit_entries(log.folder, 0, squeeze)


def entries_swapped(log: RealLog) -> None:
    edit_entries(log.folder, 2, lambda leaves: swap(leaves, 3, 8))


def tail_truncated(log: RealLog) -> None:
    edit_entries(log.folder, 2, lambda leaves: leaves.__delitem__(slice(100, None)))


def tile_without_bundle(log: RealLog) -> None:
    built.entries_file(log.folder, 1).unlink()


def bundle_without_tile(log: RealLog) -> None:
    built.tile_file(log.folder, 0).unlink()


def bundle_cut(log: RealLog) -> None:
    path = built.entries_file(log.folder, 1)
    path.write_bytes(path.read_bytes()[:-5])


def tile_changed(log: RealLog) -> None:
    edit_tile(log.folder, 1, 7)


def tile_above_changed(log: RealLog) -> None:
    path = max((log.folder / "tile" / "1" / "000.p").iterdir())
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def bundle_after_the_end(log: RealLog) -> None:
    shutil.copy(built.entries_file(log.folder, 0), log.folder / "tile" / "entries" / "003")


def payloads_after_the_end(log: RealLog) -> None:
    shutil.copy(log.folder / "payload" / "001", log.folder / "payload" / "003")


def payload_changed(log: RealLog) -> None:
    def change(payloads: list[StoredPayload | None]) -> None:
        stored = payloads[3]
        assert stored is not None
        payloads[3] = StoredPayload(stored.salt, stored.payload.replace(b"Odile", b"Olive"))

    edit_payloads(log.folder, 2, change)


def salt_changed(log: RealLog) -> None:
    def change(payloads: list[StoredPayload | None]) -> None:
        stored = payloads[59]
        assert stored is not None
        payloads[59] = StoredPayload(bytes(32), stored.payload)

    edit_payloads(log.folder, 0, change)


def payloads_swapped(log: RealLog) -> None:
    edit_payloads(log.folder, 1, lambda payloads: swap(payloads, 10, 11))


def payload_erased(log: RealLog) -> None:
    edit_payloads(log.folder, 0, lambda payloads: put(payloads, 60, None))


def payload_of_the_log_erased(log: RealLog) -> None:
    edit_payloads(log.folder, 0, lambda payloads: put(payloads, 42, None))


def hand_over_erased(log: RealLog) -> None:
    edit_payloads(log.folder, 1, lambda payloads: put(payloads, 364 - 256, None))


def payload_bundle_removed(log: RealLog) -> None:
    (log.folder / "payload" / "001").unlink()


def payload_bundle_cut(log: RealLog) -> None:
    path = log.folder / "payload" / "001"
    path.write_bytes(path.read_bytes()[:-1])


def expired_payload_restored(log: RealLog) -> None:
    """From a copy that somebody kept: salt and payload are authentic."""
    edit_payloads(log.folder, 0, lambda payloads: put(payloads, 7, StoredPayload(bytes(32), b"{}")))


def rewritten_without_the_key(log: RealLog) -> None:
    rebuild(log.folder, lambda leaves, payloads: built.reseal(leaves, payloads, 400, camera="cam-9"), key=None)


def signed_with_a_strange_key(log: RealLog) -> None:
    rebuild(log.folder, lambda leaves, payloads: None, key=STRANGER)


def public_key_replaced(log: RealLog) -> None:
    (log.folder / "log.pub").write_text(STRANGER.log_key.text())


def checkpoint_removed(log: RealLog) -> None:
    (log.folder / "checkpoint").unlink()


def checkpoint_scribbled_on(log: RealLog) -> None:
    (log.folder / "checkpoint").write_bytes(b"656\n")


def checkpoint_of_another_size(log: RealLog) -> None:
    path = log.folder / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n656\n", b"\n655\n"))


def checkpoint_of_another_log(log: RealLog) -> None:
    note = NEW_KEY.sign(Checkpoint(ORIGIN, SIZE, bytes(32))).replace(ORIGIN.encode(), b"journal.other")
    (log.folder / "checkpoint").write_bytes(note)


def rolled_back_to_an_old_checkpoint(log: RealLog) -> None:
    """The checkpoint is authentic, and only old."""
    (log.folder / "checkpoint").write_bytes(log.notes[344])
    shutil.rmtree(log.folder / "sequence")


def kept_checkpoint_signed_by_a_stranger(log: RealLog) -> None:
    (log.folder / "checkpoints" / "344").write_bytes(STRANGER.sign(Checkpoint(ORIGIN, 344, bytes(32))))


def pending_entry_changed(log: RealLog) -> None:
    """With the digest of its batch made to fit."""
    path = _pending(log)
    *whole, last = split_sequence_file(path.read_bytes())
    payloads = [StoredPayload(each.salt, each.payload.replace(b"cam-902", b"cam-903")) for each in last.payloads]
    path.write_bytes(b"".join(map(encode_batch, [*whole, replace(last, payloads=tuple(payloads))])))


def pending_batch_left_out(log: RealLog) -> None:
    """The first of two."""
    path = _pending(log, batches=2)
    batches = split_sequence_file(path.read_bytes())
    path.write_bytes(b"".join(map(encode_batch, [batch for batch in batches if batch.first != SIZE])))


def split_sequence_file(content: bytes) -> list[Batch]:
    batches: list[Batch] = []
    position = 0
    while position < len(content):
        batch, position = decode_batch(content, position)
        batches.append(batch)
    return batches


def pending_entries_cut_off(log: RealLog) -> dict[str, Any]:
    path = _pending(log)
    path.write_bytes(path.read_bytes()[:-1])
    return {"receipts": log.receipts[-3:]}


def _pending(log: RealLog, batches: int = 1) -> Path:
    """Three more entries at a time that are durable, receipted and not yet published."""
    ledger = Ledger(log.folder, NEW_KEY, ManualClock(log.clock_ns))
    for _ in range(batches):
        log.receipts = [each.to_json() for each in built.record(ledger, built.looks(3, 900))]
    return max((log.folder / "sequence").glob("*.seq"))


TAMPERS = [
    (field_changed, Flaw.ENTRY_CHANGED, 260),
    (field_changed_in_leaf_and_tile, Flaw.ENTRY_CHANGED, 256),
    (entry_deleted, Flaw.ENTRY_DELETED, 300),
    (entry_deleted_and_rest_moved_up, Flaw.ENTRY_DELETED, 100),
    (entry_inserted, Flaw.ENTRY_INSERTED, 50),
    (entries_swapped, Flaw.ENTRIES_SWAPPED, 515),
    (tail_truncated, Flaw.ENTRY_DELETED, 612),
    (tile_without_bundle, Flaw.BUNDLE_MISSING, 256),
    (bundle_without_tile, Flaw.TILE_MISSING, 0),
    (bundle_cut, Flaw.BUNDLE_MALFORMED, 256),
    (tile_changed, Flaw.TILE_CHANGED, 263),
    (tile_above_changed, Flaw.TILE_CHANGED, 256),
    (bundle_after_the_end, Flaw.FILE_FOREIGN, 768),
    (payloads_after_the_end, Flaw.FILE_FOREIGN, 768),
    (payload_changed, Flaw.PAYLOAD_CHANGED, 515),
    (salt_changed, Flaw.PAYLOAD_CHANGED, 59),
    (payloads_swapped, Flaw.PAYLOAD_CHANGED, 266),
    (payload_erased, Flaw.PAYLOAD_MISSING, 60),
    (payload_of_the_log_erased, Flaw.PAYLOAD_MISSING, 42),
    (hand_over_erased, Flaw.HAND_OVER, 364),
    (payload_bundle_removed, Flaw.PAYLOAD_MISSING, 256),
    (payload_bundle_cut, Flaw.PAYLOAD_MALFORMED, 256),
    (expired_payload_restored, Flaw.PAYLOAD_CHANGED, 7),
    (rewritten_without_the_key, Flaw.LOG_REWRITTEN, 366),
    (signed_with_a_strange_key, Flaw.CHECKPOINT_SIGNATURE, None),
    (public_key_replaced, Flaw.KEY_MISMATCH, None),
    (checkpoint_removed, Flaw.CHECKPOINT_MISSING, None),
    (checkpoint_scribbled_on, Flaw.CHECKPOINT_MALFORMED, None),
    (checkpoint_of_another_size, Flaw.CHECKPOINT_SIGNATURE, None),
    (checkpoint_of_another_log, Flaw.CHECKPOINT_SIGNATURE, None),
    (rolled_back_to_an_old_checkpoint, Flaw.LOG_ROLLED_BACK, 344),
    (kept_checkpoint_signed_by_a_stranger, Flaw.HISTORY_SIGNATURE, 344),
    (pending_entry_changed, Flaw.PENDING_CHANGED, 658),
    (pending_batch_left_out, Flaw.PENDING_GAP, 656),
    (pending_entries_cut_off, Flaw.RECEIPT_ABSENT, 656),
]
