"""Forged attestations: time-stamps, cosignatures, receipts and checkpoints that are not what they say."""

from __future__ import annotations

import base64
import shutil
import time
from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.checkpoint import Checkpoint, SigningKey
from access_audit.verify import Flaw
from access_audit.verify.notes import checkpoint_text
from tests.access_audit import built
from tests.access_audit.built import STRANGER
from tests.access_audit.logs import ORIGIN
from tests.access_audit.verify.real_log import NEW_KEY, OTHER_WITNESS, SIZE, WITNESS, RealLog
from tests.access_audit.verify.third_parties import Authority


def _stamp(log: RealLog) -> Path:
    return log.folder / layout.timestamp_path(SIZE, "horodatage")


def _cosigned(log: RealLog, size: int = SIZE) -> Path:
    return log.folder / layout.cosigned_path(size)


def timestamp_of_another_root(log: RealLog) -> None:
    _stamp(log).write_bytes(log.authority.stamp(checkpoint_text(ORIGIN, SIZE, bytes(32))))


def timestamp_of_another_size(log: RealLog) -> None:
    shutil.copy(log.folder / layout.timestamp_path(364, "horodatage"), _stamp(log))


def timestamp_of_another_log(log: RealLog) -> None:
    root = built.read_root(log.notes[SIZE])
    _stamp(log).write_bytes(log.authority.stamp(checkpoint_text("journal.other", SIZE, root)))


def timestamp_changed(log: RealLog) -> None:
    """The year of the time-stamp, and not its signature."""
    content = _stamp(log).read_bytes()
    year = time.strftime("%Y", time.gmtime()).encode()
    assert year in content
    _stamp(log).write_bytes(content.replace(year, b"2019", 1))


def timestamp_signature_changed(log: RealLog) -> None:
    """The last byte of a response with nothing after its signature."""
    content = bytearray(_stamp(log).read_bytes())
    content[-1] ^= 1
    _stamp(log).write_bytes(content)


def timestamp_cut(log: RealLog) -> None:
    _stamp(log).write_bytes(_stamp(log).read_bytes()[:-100])


def timestamp_of_an_unknown_authority(log: RealLog) -> None:
    """The insider makes an authority of his own, and puts its certificate beside the log."""
    own = Authority(log.folder.parent / "own")
    _stamp(log).write_bytes(own.stamp(checkpoint_text(ORIGIN, SIZE, built.read_root(log.notes[SIZE]))))
    (log.folder / layout.AUTHORITIES / "horodatage.pem").write_bytes(own.root)


def timestamp_by_a_certificate_for_something_else(log: RealLog) -> None:
    """The extended usage of the certificate inside says servers instead of time-stamping."""
    content = _stamp(log).read_bytes()
    _stamp(log).write_bytes(content.replace(b"\x2b\x06\x01\x05\x05\x07\x03\x08", b"\x2b\x06\x01\x05\x05\x07\x03\x01"))


def cosignature_of_another_log(log: RealLog) -> None:
    other = SigningKey("journal.other", NEW_KEY._private_key)
    note = other.sign(Checkpoint("journal.other", SIZE, built.read_root(log.notes[SIZE])))
    _cosigned(log).write_bytes(WITNESS.cosign(note, int(time.time())))


def cosignature_moved_to_another_checkpoint(log: RealLog) -> None:
    line = _cosigned(log, 364).read_bytes().splitlines(keepends=True)[-1]
    _cosigned(log).write_bytes(log.notes[SIZE] + line)


def cosignature_antedated(log: RealLog) -> None:
    lines = _cosigned(log).read_bytes().splitlines(keepends=True)
    name, _, encoded = lines[-1].strip().rpartition(b" ")
    raw = bytearray(base64.b64decode(encoded))
    raw[11] ^= 1
    _cosigned(log).write_bytes(b"".join(lines[:-1]) + name + b" " + base64.b64encode(raw) + b"\n")


def cosignature_of_an_unknown_witness(log: RealLog) -> None:
    _cosigned(log).write_bytes(OTHER_WITNESS.cosign(log.notes[SIZE], int(time.time())))
    (log.folder / layout.WITNESSES / "temoin.pub").write_text(OTHER_WITNESS.key.text)


def cosigned_checkpoint_of_a_fork(log: RealLog) -> None:
    note = NEW_KEY.sign(Checkpoint(ORIGIN, 600, bytes(32)))
    _cosigned(log, 600).write_bytes(WITNESS.cosign(note, int(time.time())))


def cosigned_checkpoint_without_the_logs_signature(log: RealLog) -> None:
    note = STRANGER.sign(Checkpoint(ORIGIN, SIZE, built.read_root(log.notes[SIZE])))
    _cosigned(log).write_bytes(WITNESS.cosign(note, int(time.time())))


def cosigned_checkpoint_under_another_size(log: RealLog) -> None:
    _cosigned(log).rename(_cosigned(log, 600))


def witness_saw_the_log_shrink(log: RealLog) -> None:
    _cosigned(log, 364).write_bytes(WITNESS.cosign(log.notes[364], int(time.time()) + 900))


def entries_dated_after_they_were_seen(log: RealLog) -> None:
    """The clock of the log was set forward: a witness had seen its entries an hour before they say."""
    hour_ago = int(time.time()) - 3 * 3600
    _cosigned(log, 344).write_bytes(WITNESS.cosign(log.notes[344], hour_ago - 2))
    for path in (log.folder / layout.TIMESTAMPS).iterdir():
        path.unlink()
    _cosigned(log, 364).write_bytes(WITNESS.cosign(log.notes[364], hour_ago))


def receipt_for_an_absent_entry(log: RealLog) -> dict[str, Any]:
    """Signed by the log's key for a tree that the log never became."""
    receipt = dict(log.receipts[-1])
    note = NEW_KEY.sign(Checkpoint(ORIGIN, 900, bytes(32)))
    return {"receipts": [{**receipt, "index": 899, "checkpoint": note.decode()}]}


def receipt_of_another_entry(log: RealLog) -> dict[str, Any]:
    return {"receipts": [{**log.receipts[50], "leaf_hash": log.receipts[51]["leaf_hash"]}]}


def receipt_signed_by_a_stranger(log: RealLog) -> dict[str, Any]:
    note = STRANGER.sign(Checkpoint(ORIGIN, SIZE, bytes(32))).decode()
    return {"receipts": [{**log.receipts[50], "checkpoint": note}]}


def receipt_of_another_instant(log: RealLog) -> dict[str, Any]:
    return {"receipts": [{**log.receipts[50], "at_ns": "5"}]}


def receipt_scribbled_on(log: RealLog) -> dict[str, Any]:
    return {"receipts": [{**log.receipts[50], "leaf_hash": "zz"}]}


def known_checkpoint_of_a_fork(log: RealLog) -> dict[str, Any]:
    return {"known": [*log.notes.values(), NEW_KEY.sign(Checkpoint(ORIGIN, 500, bytes(32)))]}


def known_checkpoint_of_a_stranger(log: RealLog) -> dict[str, Any]:
    return {"known": [STRANGER.sign(Checkpoint(ORIGIN, 500, bytes(32)))]}


TAMPERS = [
    (timestamp_of_another_root, Flaw.TIMESTAMP_OTHER_ROOT, 364),
    (timestamp_of_another_size, Flaw.TIMESTAMP_OTHER_ROOT, 364),
    (timestamp_of_another_log, Flaw.TIMESTAMP_OTHER_ROOT, 364),
    (timestamp_changed, Flaw.TIMESTAMP_SIGNATURE, SIZE - 1),
    (timestamp_signature_changed, Flaw.TIMESTAMP_SIGNATURE, SIZE - 1),
    (timestamp_cut, Flaw.TIMESTAMP_MALFORMED, SIZE - 1),
    (timestamp_of_an_unknown_authority, Flaw.TIMESTAMP_AUTHORITY, SIZE - 1),
    (timestamp_by_a_certificate_for_something_else, Flaw.TIMESTAMP_SIGNATURE, SIZE - 1),
    (cosignature_of_another_log, Flaw.COSIGNED_FOREIGN, SIZE - 1),
    (cosignature_moved_to_another_checkpoint, Flaw.COSIGNATURE_WRONG, SIZE - 1),
    (cosignature_antedated, Flaw.COSIGNATURE_WRONG, SIZE - 1),
    (cosignature_of_an_unknown_witness, Flaw.COSIGNATURE_UNKNOWN, SIZE - 1),
    (cosigned_checkpoint_of_a_fork, Flaw.COSIGNED_OTHER_ROOT, 364),
    (cosigned_checkpoint_without_the_logs_signature, Flaw.COSIGNED_SIGNATURE, SIZE - 1),
    (cosigned_checkpoint_under_another_size, Flaw.COSIGNED_MALFORMED, 599),
    (witness_saw_the_log_shrink, Flaw.COSIGNATURE_ORDER, 364),
    (entries_dated_after_they_were_seen, Flaw.TIME_AHEAD, 344),
    (receipt_for_an_absent_entry, Flaw.RECEIPT_PATH, 899),
    (receipt_of_another_entry, Flaw.RECEIPT_PATH, 54),
    (receipt_signed_by_a_stranger, Flaw.RECEIPT_SIGNATURE, 54),
    (receipt_of_another_instant, Flaw.RECEIPT_CONTRADICTED, 54),
    (receipt_scribbled_on, Flaw.RECEIPT_MALFORMED, 54),
    (known_checkpoint_of_a_fork, Flaw.LOG_FORKED, 364),
    (known_checkpoint_of_a_stranger, Flaw.HISTORY_SIGNATURE, None),
]
