"""One log as the product writes it over four years: the real writer, client and spool, keys that change, anchors.

0            log.started, four years ago
1 - 40       looks, whose payloads have expired
41           log.started, three hours ago
42           log.expired
43           log.started
44 - 343     looks
344 - 352    nine entries of a spool
353          log.clock_stepped
354 - 363    looks
364          log.key_changed
365          log.started, with the new key
366 - 655    looks
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from access_audit import layout
from access_audit.checkpoint import OverlappingKey, SigningKey
from access_audit.events import AccessEvent, EventKind, Reason
from access_audit.expiry import Expiry
from access_audit.format import event_payload
from access_audit.handover import hand_over_details
from access_audit.ledger import Draft, Ledger
from access_audit.retention import Retention
from access_audit.search import JournalIndex
from access_audit.spool import Spool
from access_audit.verify import Report, Trust, verify_log
from access_audit.verify.notes import checkpoint_text
from access_audit.writer import _WRITER
from tests.access_audit import built
from tests.access_audit.logs import ORIGIN, client_of, collected, look, running_writer, settings_of
from tests.access_audit.verify.third_parties import Authority, Witness
from vms.base.clock import NS_PER_SECOND, ManualClock

NEW_KEY = built.KEY
OLD_KEY = SigningKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"o" * 32))
HAND_OVER = 364
SIZE = 656
ANCHORED = (344, 364, SIZE)
YEAR_S = 365 * 86_400
WITNESS = Witness("temoin.test/1", b"w")
OTHER_WITNESS = Witness("temoin.test/2", b"x")


@dataclass
class RealLog:
    """The folder of the log, and what others hold: an authority, the spool of a node, receipts, checkpoints."""

    folder: Path
    authority: Authority
    spool: Path
    receipts: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[int, bytes] = field(default_factory=dict)
    clock_ns: int = 0

    @property
    def key(self) -> str:
        """The key that an auditor was given when the log began."""
        return OLD_KEY.log_key.text()

    @property
    def trust(self) -> Trust:
        """The third parties that the auditor knows."""
        return Trust([self.authority.root], [WITNESS.key.text])

    def judge(self, **given: Any) -> Report:
        """The verdict with the auditor's own knowledge of third parties."""
        return verify_log(self.folder, self.key, workers=1, **{"trust": self.trust, **given})

    def at(self, folder: Path) -> RealLog:
        """The same log, elsewhere."""
        return replace(self, folder=folder)


def build_real_log(folder: Path) -> RealLog:
    """Write the log, then have it anchored."""
    log = RealLog(settings_of(folder).folder, Authority(folder / "horodatage"), folder / "spool")
    asyncio.run(_write(folder, log))
    for size in ANCHORED:
        anchor(log, size, log.notes[size], int(time.time()) + 1)
    _store(log.folder / layout.AUTHORITIES / "horodatage.pem", log.authority.root)
    _store(log.folder / layout.WITNESSES / "temoin.pub", WITNESS.key.text.encode())
    return log


def anchor(log: RealLog, size: int, note: bytes, seconds: int) -> None:
    """Have a checkpoint time-stamped and cosigned."""
    root = built.read_root(note)
    stamp = log.authority.stamp(checkpoint_text(ORIGIN, size, root))
    _store(log.folder / layout.timestamp_path(size, "horodatage"), stamp)
    _store(log.folder / layout.cosigned_path(size), WITNESS.cosign(note, seconds))


async def _write(folder: Path, log: RealLog) -> None:
    clock = ManualClock(time.time_ns() - 4 * YEAR_S * NS_PER_SECOND)
    await asyncio.to_thread(_put_key, folder, OLD_KEY)
    async with running_writer(folder, clock) as settings, client_of(settings) as client:
        log.receipts += [each.to_json() for each in await client.record_all(_looks(40, clock))]
    clock.step_utc(4 * YEAR_S - 3 * 3600)
    async with running_writer(folder, clock):
        pass
    await asyncio.to_thread(_expire, log.folder, clock)
    async with running_writer(folder, clock) as settings, client_of(settings) as client:
        log.receipts += [each.to_json() for each in await client.record_all(_looks(300, clock))]
        await _keep(log, client)
        clock.step_utc(3700)
        spool = await asyncio.to_thread(Spool, folder / "spool")
        for number in range(9):
            await asyncio.to_thread(spool.append, collected(number))
        await spool.deliver(client)
        await asyncio.to_thread(spool.close)
        clock.step_utc(-120)
        log.receipts += [each.to_json() for each in await client.record_all(_looks(10, clock))]
        clock.step_utc(125)
        await _keep(log, client)
    await asyncio.to_thread(_hand_over, log.folder, clock)
    await asyncio.to_thread(_put_key, folder, NEW_KEY)
    async with running_writer(folder, clock) as settings, client_of(settings) as client:
        clock.step_utc(3700)
        log.receipts += [each.to_json() for each in await client.record_all(_looks(290, clock))]
        await _keep(log, client)
    log.clock_ns = clock.utc_ns()


def _looks(count: int, clock: ManualClock) -> list[AccessEvent]:
    return [look(f"cam-{number}", at_ns=clock.utc_ns()) for number in range(count)]


async def _keep(log: RealLog, client: Any) -> None:
    head = await client.head()
    log.notes[head.size] = await asyncio.to_thread((log.folder / "checkpoint").read_bytes)


def _put_key(folder: Path, key: SigningKey) -> None:
    """What a hand-over does with the files of the keys."""
    path = folder / "keys" / "log.key"
    assert isinstance(key._private_key, Ed25519PrivateKey)
    _store(path, key._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    if (folder / "log").exists():
        _store(folder / "log" / "log.pub", key.log_key.text().encode())


def _expire(folder: Path, clock: ManualClock) -> None:
    """What the writer does every hour."""
    ledger, index = Ledger(folder, OLD_KEY, clock), JournalIndex(folder)
    for _ in Expiry(folder, ledger, index, Retention(), clock, _WRITER, settle_ns=0).round():
        pass
    index.close()
    ledger.close()


def _hand_over(folder: Path, clock: ManualClock) -> None:
    ledger = Ledger(folder, OverlappingKey(NEW_KEY, OLD_KEY), clock)
    details = hand_over_details(ledger.size, OLD_KEY, NEW_KEY)
    ledger.record_own(own_event(EventKind.LOG_KEY_CHANGED, clock, **details))
    ledger.close()


def own_event(kind: EventKind, clock: ManualClock, **details: str) -> AccessEvent:
    """An entry that the writer makes about the log."""
    return AccessEvent(kind, _WRITER, clock.utc_ns(), Reason("operation"), details=details)


def append(log: RealLog, drafts: list[Draft], clock: ManualClock) -> None:
    """Record more entries, with the newest key."""
    ledger = Ledger(log.folder, NEW_KEY, clock)
    ledger.record([drafts])
    ledger.close()


def draft(event: AccessEvent) -> Draft:
    """An event as the writer takes it."""
    return Draft(event_payload(event), control=event.kind.value if event.kind.control else "")


def kinds_of(folder: Path) -> dict[int, str]:
    """The kind of each entry about the log itself."""
    leaves = [json.loads(leaf) for leaf in built.all_leaves(folder)]
    return {index: leaf["control"] for index, leaf in enumerate(leaves) if "control" in leaf}


def _store(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
