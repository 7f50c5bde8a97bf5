"""One log, one writer: epochs, the place of a log, fences, cold copies and take-over.

S1. A writer has an identity, kept beside its key and bound to the folder of the log. The newest `log.started` or
    `log.taken_over` says whose the log is. A folder that was copied, moved or restored has another identity: its writer
    refuses to start, so that a copy never goes on by itself.
S2. Only a take-over makes it another's. It raises the epoch by an entry `log.taken_over`, signed like any other.
S3. A take-over asks for the old folder, whose lock proves that its writer is gone and which gets a fence, or for what
    clients have seen (`seen.py`). The copy is verified whole, and has to continue every checkpoint that the old folder
    and the clients have. One that lacks receipts that were given out is refused: it would fork the log.
S4. A client that has seen an epoch refuses a writer of a lower one, and one whose log does not continue what it has
    seen. It shows the old writer the proof of the new epoch; that writer fences itself and stops for good.

A copy holds the log as of some checkpoint, and is made again over itself. The signing key does not travel with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access_audit import layout
from access_audit.checkpoint import SigningKey
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import Leaf, commitment, parse_payload
from access_audit.journal import JournalQuery
from access_audit.ledger import Ledger
from access_audit.search import JournalIndex
from access_audit.seen import SeenState
from access_audit.sequence import files_of, read_batches
from access_audit.verify import verify_log
from access_audit.verify.report import Flaw
from vms.base import durable
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

FENCE = "fence"
IDENTITY = "writer.json"
FIRST_EPOCH = 1
_KINDS = frozenset({EventKind.LOG_STARTED, EventKind.LOG_TAKEN_OVER})
_MACHINE = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a log is: the epoch and the writer that its newest statement names; no writer when none was named yet."""

    epoch: int
    writer: str


def standing(index: JournalIndex, published: int) -> Standing:
    """The standing of a log as its entries state it."""
    before: int | None = None
    while True:
        page = index.search(JournalQuery(kinds=_KINDS, before_index=before, limit=50), published)
        for entry in page.entries:
            if entry.event is not None and "epoch" in entry.event.details:
                return Standing(int(entry.event.details["epoch"]), entry.event.details["writer"])
        before = page.next_before
        if before is None:
            return Standing(FIRST_EPOCH, "")


def admit(folder: Path, keys: Path, found: Standing) -> Standing:
    """The standing under which the writer of this place may go on. VmsError `audit.fenced` or `audit.other_writer`."""
    if (folder / FENCE).exists():
        raise fenced(folder)
    identity = _identity(keys / IDENTITY)
    if not found.writer:
        return Standing(found.epoch, identity["writer"] if _is_here(identity, folder) else _settle(folder, keys))
    if identity.get("writer") == found.writer and _is_here(identity, folder):
        return found
    raise VmsError(
        ErrorKind.CONFLICT,
        "audit.other_writer",
        f"Le journal des accès du dossier {folder} appartient à un autre emplacement : c'est une copie.",
        hint="S'il doit prendre la suite, arrêtez l'ancien puis lancez « vms audit take-over ».",
        detail=f"the log is of {found.writer}, this place is {identity.get('writer', 'nobody')}",
    )


def epoch_of(proof: Mapping[str, Any], leaf: Leaf) -> int:
    """The epoch that a proved entry states; ValueError, KeyError or TypeError when it states none."""
    payload = str(proof["payload"]).encode()
    if commitment(base64.b64decode(proof["salt"], validate=True), payload) != leaf.commitment:
        raise ValueError("the payload is not that of the entry")
    event = parse_payload(payload)
    if event.kind not in _KINDS or event.kind.value != leaf.control:
        raise ValueError("the entry states no epoch")
    return int(event.details["epoch"])


def fence(folder: Path, why: Mapping[str, Any]) -> None:
    """Forbid every later start of a writer in a folder; durable when it returns."""
    durable.write_atomic(folder / FENCE, json.dumps(why, separators=(",", ":")).encode())


def fenced(folder: Path) -> VmsError:
    """The error of a log that another place has taken over."""
    return VmsError(
        ErrorKind.CONFLICT,
        "audit.fenced",
        f"Le journal des accès du dossier {folder} a été repris ailleurs : plus rien ne s'y inscrit.",
        hint="Gardez ce dossier comme preuve, et dirigez ce centre vers le nouveau journal.",
        detail=f"{folder / FENCE} is there",
    )


def take_over(
    folder: Path,
    key: SigningKey,
    keys: Path,
    clock: Clock,
    author: Author,
    *,
    old: Path | None = None,
    seen: Sequence[SeenState] = (),
) -> Standing:
    """Make the log in `folder` that of this place (S2, S3). `keys` is where the signing key is.

    Raises VmsError `folder.in_use` when a writer has one of the folders, `audit.take_over` when there is neither the
    old folder nor anything seen, `audit.stale_copy` when the copy lacks what was given out, `audit.tampered`.
    """
    if old is None and not seen:
        raise VmsError(
            ErrorKind.CONFLICT,
            "audit.take_over",
            "Rien ne dit que cette copie du journal est complète.",
            hint="Donnez l'ancien dossier (--old), ou ce que les clients ont vu du journal (--seen).",
        )
    with ExitStack() as locks:
        locks.enter_context(durable.FolderLock(folder))
        if old is not None and old.resolve() != folder.resolve():
            locks.enter_context(durable.FolderLock(old))
        known = [each.note for each in seen] + ([] if old is None else _notes_of(old))
        _check(folder, key, known)
        return _make_ours(folder, key, keys, clock, author, old, max((each.epoch for each in seen), default=0))


def _check(folder: Path, key: SigningKey, known: Sequence[bytes]) -> None:
    report = verify_log(folder, key.log_key.text(), known=known)
    flaws = {found.flaw for found in report.findings}
    if flaws and flaws <= {Flaw.LOG_ROLLED_BACK}:
        raise VmsError(
            ErrorKind.CONFLICT,
            "audit.stale_copy",
            "Cette copie du journal est trop ancienne : il lui manque des inscriptions dont des reçus ont été donnés.",
            hint="Recopiez l'ancien dossier (« vms audit copy »), puis recommencez.",
            detail="; ".join(found.detail for found in report.findings),
        )
    if flaws:
        raise VmsError(
            ErrorKind.CORRUPT,
            "audit.tampered",
            "Cette copie du journal est altérée, incomplète, ou d'un autre journal.",
            hint="Lancez « vms audit verify » sur la copie pour savoir ce qui ne va pas.",
            detail="; ".join(sorted(flaw.value for flaw in flaws)),
        )


def _make_ours(
    folder: Path, key: SigningKey, keys: Path, clock: Clock, author: Author, old: Path | None, seen_epoch: int
) -> Standing:
    ledger = Ledger(folder, key, clock)
    index = JournalIndex(folder)
    try:
        found = standing(index, ledger.published)
        epoch = max(found.epoch, seen_epoch) + 1
        if old is not None and old.resolve() != folder.resolve():
            # Before the entry: a crash in between leaves a log that nobody writes, and this can be done again.
            fence(old, {"epoch": epoch})
        writer = _settle(folder, keys)
        details = {"epoch": str(epoch), "writer": writer, "from": found.writer or "unknown"}
        ledger.record_own(
            AccessEvent(EventKind.LOG_TAKEN_OVER, author, clock.utc_ns(), Reason("operation"), details=details)
        )
        ledger.close()
        durable.remove(folder / FENCE)
    finally:
        index.close()
    return Standing(epoch, writer)


def _notes_of(folder: Path) -> list[bytes]:
    """The newest checkpoints of a folder: the published one, and those of what is only sequenced."""
    notes = [path.read_bytes() for path in (folder / layout.CHECKPOINT,) if path.exists()]
    for path in files_of(folder / layout.SEQUENCE):
        notes += [batch.note for batch in read_batches(path) if not isinstance(batch, int)]
    return notes


def copy_log(folder: Path, target: Path) -> int:
    """Bring a cold copy up to date; how many files were written. The log may be written meanwhile.

    The append files go first, the checkpoint last: the copy is at every moment a log of which the verifier says that it
    holds, or one that the next call finishes. OSError when a disk refuses.
    """
    durable.make_folder(target)
    with durable.FolderLock(target):
        written = _copy_tree(folder, target, [layout.SEQUENCE])
        note = (folder / layout.CHECKPOINT).read_bytes()
        names = [layout.PAYLOADS, layout.TILES, layout.CHECKPOINTS, "anchors", layout.LOG_KEY]
        written += _copy_tree(folder, target, names)
        durable.write_atomic(target / layout.CHECKPOINT, note)
    return written + 1


def _copy_tree(folder: Path, target: Path, names: Sequence[str]) -> int:
    written = 0
    for name in names:
        top = folder / name
        sources = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        kept = set()
        for path in sources:
            if path.suffix == ".part":
                continue
            place = target / path.relative_to(folder)
            kept.add(place)
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # published or completed meanwhile
                continue
            if not place.exists() or place.read_bytes() != content:
                durable.make_folder(place.parent)
                durable.write_atomic(place, content)
                written += 1
        for place in sorted((target / name).rglob("*")) if (target / name).is_dir() else ():
            if place.is_file() and place not in kept:
                durable.remove(place)
    return written


def _settle(folder: Path, keys: Path) -> str:
    """Give this place an identity of its own."""
    writer = new_id("writer")
    content = {"writer": writer, **_place(folder)}
    durable.make_folder(keys)
    durable.write_atomic(keys / IDENTITY, json.dumps(content).encode(), mode=0o600)
    return writer


def _identity(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_here(identity: Mapping[str, Any], folder: Path) -> bool:
    place = {name: identity.get(name) for name in ("folder", "machine")}
    return bool(identity.get("writer")) and place == _place(folder)


def _place(folder: Path) -> dict[str, Any]:
    machine = _MACHINE.read_bytes() if _MACHINE.exists() else b""
    return {"folder": folder.stat().st_ino, "machine": hashlib.sha256(machine).hexdigest()}
