"""Logs built without a process, and hands that tamper with them."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.checkpoint import Checkpoint, LogKey, SigningKey
from access_audit.events import AccessEvent, EventKind, Reason
from access_audit.format import (
    SpoolMark,
    StoredPayload,
    chain_next,
    chain_start,
    commitment,
    decode_bundle,
    decode_payloads,
    encode_bundle,
    encode_payloads,
    event_payload,
    leaf_bytes,
    parse_leaf,
)
from access_audit.ledger import Draft, Ledger
from access_audit.merkle import leaf_hash, root
from access_audit.receipt import AuditReceipt, ReceiptVerifier
from access_audit.writer import _WRITER
from tests.access_audit.logs import ORIGIN, collected, look
from vms.base import durable
from vms.base.clock import ManualClock

KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"k" * 32))
STRANGER = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
SPOOL = "spool-1"
DAY_S = 86_400


@dataclass(frozen=True)
class Built:
    """A log of known content, and the receipts that were given out."""

    folder: Path
    receipts: list[AuditReceipt]

    @property
    def key(self) -> str:
        return KEY.log_key.text()


def record(ledger: Ledger, drafts: Sequence[Draft], key: LogKey = KEY.log_key) -> list[AuditReceipt]:
    """Record as a client would: with every receipt verified."""
    (batch,) = ledger.record([drafts])
    marks = [draft.mark for draft in drafts]
    known = None if None in marks else [mark for mark in marks if mark]
    return ReceiptVerifier(key).verify(batch, [draft.payload for draft in drafts], known)


def looks(count: int, start: int = 0) -> list[Draft]:
    return [Draft(event_payload(look(f"cam-{number}"))) for number in range(start, start + count)]


def spooled(count: int) -> list[Draft]:
    drafts, chain = [], chain_start(SPOOL)
    for number in range(1, count + 1):
        payload, salt = event_payload(collected(number)), bytes([number]) * 32
        chain = chain_next(chain, commitment(salt, payload))
        drafts.append(Draft(payload, salt, SpoolMark(SPOOL, number, chain)))
    return drafts


def control(kind: EventKind, clock: ManualClock, **details: str) -> list[Draft]:
    event = AccessEvent(kind, _WRITER, clock.utc_ns(), Reason("operation"), details=details)
    return [Draft(event_payload(event), control=kind.value)]


def build(folder: Path, key: SigningKey = KEY) -> Built:
    """600 published entries: one control, 300 looks, 9 spooled, 290 looks; a checkpoint kept at 301 and at 600."""
    durable.make_folder(folder)
    durable.write_atomic(folder / "log.pub", key.log_key.text().encode())
    clock = ManualClock()
    ledger = Ledger(folder, key, clock)
    receipts: list[AuditReceipt] = []

    def later(seconds: int) -> None:
        clock.step_utc(seconds)

    ledger.record([control(EventKind.LOG_STARTED, clock, version="0", recovered="0", dropped="0")])
    receipts += record(ledger, looks(300), key.log_key)
    ledger.publish()
    later(3700)
    receipts += record(ledger, spooled(9), key.log_key)
    later(5)
    receipts += record(ledger, looks(290, 300), key.log_key)
    ledger.publish()
    ledger.close()
    return Built(folder, receipts)


def copy(built: Built, folder: Path) -> Built:
    shutil.copytree(built.folder, folder)
    return replace(built, folder=folder)


def entries_file(folder: Path, bundle: int) -> Path:
    base = folder / "tile" / "entries" / f"{bundle:03d}"
    return base if base.exists() else max(base.with_name(base.name + ".p").iterdir(), key=lambda path: int(path.name))


def tile_file(folder: Path, bundle: int) -> Path:
    base = folder / "tile" / "0" / f"{bundle:03d}"
    return base if base.exists() else max(base.with_name(base.name + ".p").iterdir(), key=lambda path: int(path.name))


def edit_entries(folder: Path, bundle: int, change: Callable[[list[bytes]], object]) -> None:
    path = entries_file(folder, bundle)
    leaves = decode_bundle(path.read_bytes())
    change(leaves)
    path.write_bytes(encode_bundle(leaves))


def edit_payloads(folder: Path, bundle: int, change: Callable[[list[StoredPayload | None]], object]) -> None:
    path = folder / "payload" / f"{bundle:03d}"
    payloads = decode_payloads(path.read_bytes())
    change(payloads)
    path.write_bytes(encode_payloads(payloads))


def edit_tile(folder: Path, bundle: int, place: int) -> None:
    path = tile_file(folder, bundle)
    content = bytearray(path.read_bytes())
    content[place * 32] ^= 1
    path.write_bytes(content)


def all_leaves(folder: Path) -> list[bytes]:
    leaves: list[bytes] = []
    for bundle in range(3):
        leaves += decode_bundle(entries_file(folder, bundle).read_bytes())
    return leaves


def rebuild(
    folder: Path, change: Callable[[list[bytes], list[StoredPayload | None]], None], key: SigningKey | None = KEY
) -> None:
    """Write the whole log again after a change, hash tiles and checkpoint included: what an insider can do.

    Without a key the old checkpoint stays: what somebody can do who has the disk alone.
    """
    leaves = all_leaves(folder)
    payloads: list[StoredPayload | None] = []
    for bundle in range(3):
        payloads += decode_payloads((folder / "payload" / f"{bundle:03d}").read_bytes())
    change(leaves, payloads)
    old = (folder / "checkpoint").read_bytes()
    for name in ("tile", "payload", "sequence"):
        shutil.rmtree(folder / name)
    hashes = [leaf_hash(leaf) for leaf in leaves]
    for bundle in range(-(-len(leaves) // 256)):
        part = slice(bundle * 256, bundle * 256 + 256)
        width = len(leaves[part])
        name = f"{bundle:03d}" if width == 256 else f"{bundle:03d}.p/{width}"
        _write(folder / "tile" / "entries" / name, encode_bundle(leaves[part]))
        _write(folder / "tile" / "0" / name, b"".join(hashes[part]))
        _write(folder / "payload" / f"{bundle:03d}", encode_payloads(payloads[part]))
    full = len(leaves) // 256
    upper = [root(hashes[bundle * 256 : bundle * 256 + 256]) for bundle in range(full)]
    _write(folder / "tile" / "1" / f"000.p/{full}", b"".join(upper))
    note = old if key is None else key.sign(Checkpoint(ORIGIN, len(leaves), root(hashes)))
    (folder / "checkpoint").write_bytes(note)


def read_root(note: bytes) -> bytes:
    """The root that a checkpoint names."""
    return base64.b64decode(note.split(b"\n")[2])


def forge(leaf: bytes, **fields: object) -> bytes:
    """A leaf with other fields."""
    return leaf_bytes(replace(parse_leaf(leaf), **fields))  # type: ignore[arg-type]


def reseal(leaves: list[bytes], payloads: list[StoredPayload | None], index: int, **changes: object) -> None:
    """Change a payload and everything that commits to it."""
    stored = payloads[index]
    assert stored is not None
    payload = json.dumps(
        {**json.loads(stored.payload), **changes}, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ).encode()
    payloads[index] = StoredPayload(stored.salt, payload)
    leaves[index] = forge(leaves[index], commitment=commitment(stored.salt, payload))


def renumber(leaves: list[bytes]) -> None:
    """Give every leaf the index at which it stands."""
    leaves[:] = [forge(leaf, index=place) for place, leaf in enumerate(leaves)]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
