"""What somebody can do who has the signing key: what the log itself forbids shows, and what others hold."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from access_audit.checkpoint import Checkpoint, SigningKey
from access_audit.events import EventKind
from access_audit.format import (
    SpoolMark,
    StoredPayload,
    chain_next,
    chain_start,
    commitment,
    decode_payloads,
    parse_leaf,
)
from access_audit.handover import hand_over_details
from access_audit.spool import Spool
from access_audit.verify import Flaw
from tests.access_audit import built
from tests.access_audit.built import STRANGER, forge, rebuild, renumber, reseal
from tests.access_audit.logs import ORIGIN
from tests.access_audit.verify.real_log import (
    HAND_OVER,
    NEW_KEY,
    OLD_KEY,
    SIZE,
    RealLog,
    append,
    draft,
    own_event,
)
from vms.base.clock import NS_PER_SECOND, ManualClock

Change = Callable[[list[bytes], list[StoredPayload | None]], None]
DAY_S = 86_400


def _alone(log: RealLog, change: Change) -> None:
    """Rewrite the log, and remove whatever of others stands beside it."""
    rebuild(log.folder, change)
    shutil.rmtree(log.folder / "anchors")
    shutil.rmtree(log.folder / "checkpoints")


def _camera_changed(index: int) -> Change:
    return lambda leaves, payloads: reseal(leaves, payloads, index, camera="cam-9")


def back_dated(log: RealLog) -> None:
    _alone(log, lambda leaves, _: leaves.__setitem__(70, forge(leaves[70], at_ns=5)))


def clock_stepped_back(log: RealLog) -> None:
    """The statement says that the clock went back, and its entry goes back with it."""

    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        for index in range(353, 364):
            leaves[index] = forge(leaves[index], at_ns=parse_leaf(leaves[352]).at_ns - 120 * NS_PER_SECOND)

    _alone(log, change)


def clock_statement_reversed(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        stored = payloads[353]
        assert stored is not None
        details = json.loads(stored.payload)["details"]
        reseal(leaves, payloads, 353, details={"from": details["to"], "to": details["from"]})

    _alone(log, change)


def plate_smuggled_in(log: RealLog) -> None:
    _alone(log, lambda leaves, payloads: reseal(leaves, payloads, 60, plate="AB-123-CD"))


def author_left_out(log: RealLog) -> None:
    author = {"id": "", "name": "", "role": "operator"}
    _alone(log, lambda leaves, payloads: reseal(leaves, payloads, 61, author=author))


def kind_hidden(log: RealLog) -> None:
    _alone(log, lambda leaves, _: leaves.__setitem__(41, forge(leaves[41], control="")))


def entry_deleted_and_signed(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[200], payloads[200]

    _alone(log, change)


def entry_added_and_signed(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        leaves.insert(200, leaves[199])
        payloads.insert(200, payloads[199])

    _alone(log, change)


def leaf_of_another_form(log: RealLog) -> None:
    _alone(log, lambda leaves, _: leaves.__setitem__(70, leaves[70].replace(b'"v":1', b'"v":1 ')))


def spool_replayed(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        leaves.append(forge(leaves[346], index=SIZE, at_ns=parse_leaf(leaves[-1]).at_ns))
        payloads.append(payloads[346])

    _alone(log, change)


def spool_entry_left_out(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[346], payloads[346]
        leaves.insert(350, forge(leaves[60], at_ns=parse_leaf(leaves[349]).at_ns))
        payloads.insert(350, payloads[60])
        renumber(leaves)

    _alone(log, change)


def spool_reordered(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        leaves[346], leaves[347] = leaves[347], leaves[346]
        payloads[346], payloads[347] = payloads[347], payloads[346]
        renumber(leaves)

    _alone(log, change)


def spool_entry_changed(log: RealLog) -> None:
    _alone(log, _camera_changed(346))


def spool_cut_against_its_node(log: RealLog) -> dict[str, Any]:
    """The last of what a node delivered is left out, and its place filled, so that no gap is seen."""

    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        for index in (351, 352):
            leaves[index] = forge(leaves[60], at_ns=parse_leaf(leaves[350]).at_ns)
            payloads[index] = payloads[60]
        renumber(leaves)

    _alone(log, change)
    return {"spools": [_node(log, forget=9)]}


def spool_entry_of_another_node(log: RealLog) -> dict[str, Any]:
    """An entry that the node never made, chained as it should be."""

    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        mark, stored = parse_leaf(leaves[352]).spool, payloads[352]
        assert mark is not None
        assert stored is not None
        sealed = commitment(stored.salt, stored.payload)
        forged = SpoolMark(mark.spool_id, 10, chain_next(mark.chain, sealed))
        leaves.append(forge(leaves[352], index=SIZE, at_ns=parse_leaf(leaves[-1]).at_ns, spool=forged))
        payloads.append(stored)

    _alone(log, change)
    return {"spools": [_node(log)]}


def spool_rewritten_with_its_chain(log: RealLog) -> dict[str, Any]:
    """The whole spool again with another camera: the chain fits, and is not that of the node."""

    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        first = parse_leaf(leaves[344]).spool
        assert first is not None
        chain = chain_start(first.spool_id)
        for number, index in enumerate(range(344, 353), 1):
            if number == 4:
                reseal(leaves, payloads, index, camera="cam-9")
            chain = chain_next(chain, parse_leaf(leaves[index]).commitment)
            leaves[index] = forge(leaves[index], spool=SpoolMark(first.spool_id, number, chain))

    _alone(log, change)
    return {"spools": [_node(log)]}


def spool_file_changed(log: RealLog) -> dict[str, Any]:
    folder = _node(log)
    path = next(folder.glob("*.spl"))
    path.write_bytes(path.read_bytes().replace(b"cam-1", b"cam-2", 1))
    return {"spools": [folder]}


def _node(log: RealLog, forget: int = 0) -> Path:
    """The spool as the node has it; `forget` has it remove what was delivered, as it does when a file is full."""
    folder = log.folder.parent / "node"
    shutil.copytree(log.spool, folder)
    if forget:
        spool = Spool(folder)
        whole = spool._chain
        spool.close()
        for path in folder.glob("*.spl"):
            path.unlink()
        (folder / f"{forget + 1:016d}.spl").write_bytes(whole)
    return folder


def past_rewritten(log: RealLog) -> None:
    rebuild(log.folder, _camera_changed(150))


def past_rewritten_under_anchors(log: RealLog) -> None:
    rebuild(log.folder, _camera_changed(150))
    shutil.rmtree(log.folder / "checkpoints")


def recent_rewritten_under_cosignatures(log: RealLog) -> None:
    """The witness saw 364 entries as they are, and 656 as they were."""
    rebuild(log.folder, _camera_changed(500))
    shutil.rmtree(log.folder / "checkpoints")
    shutil.rmtree(log.folder / "anchors" / "timestamps")


def tail_cut_under_anchors(log: RealLog) -> None:
    rebuild(log.folder, _cut(500))
    shutil.rmtree(log.folder / "checkpoints")
    shutil.rmtree(log.folder / "anchors" / "cosigned")


def tail_cut_against_a_receipt(log: RealLog) -> dict[str, Any]:
    _alone(log, _cut(500))
    return {"receipts": [each for each in log.receipts if each["index"] >= 490]}


def tail_cut_against_a_known_checkpoint(log: RealLog) -> dict[str, Any]:
    _alone(log, _cut(500))
    return {"known": [log.notes[SIZE]]}


def _cut(size: int) -> Change:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[size:], payloads[size:]

    return change


def fork_shown_to_two_auditors(log: RealLog) -> dict[str, Any]:
    """One auditor comes with what he was shown; what both were shown before is the same."""
    _alone(log, _camera_changed(600))
    return {"known": list(log.notes.values())}


def fork_shown_to_a_caller(log: RealLog) -> dict[str, Any]:
    _alone(log, _camera_changed(600))
    return {"receipts": log.receipts}


def kept_checkpoint_of_another_tree(log: RealLog) -> None:
    (log.folder / "checkpoints" / "364").write_bytes(OLD_KEY.sign(Checkpoint(ORIGIN, 364, bytes(32))))


def signed_with_the_retired_key(log: RealLog) -> None:
    root = built.read_root((log.folder / "checkpoint").read_bytes())
    (log.folder / "checkpoint").write_bytes(OLD_KEY.sign(Checkpoint(ORIGIN, SIZE, root)))


def kept_checkpoint_signed_before_its_time(log: RealLog) -> None:
    """The new key signs a past in which it was not in force."""
    root = built.read_root(log.notes[344])
    (log.folder / "checkpoints" / "344").write_bytes(NEW_KEY.sign(Checkpoint(ORIGIN, 344, root)))


def _hand_over_with(details: dict[str, str]) -> Change:
    return lambda leaves, payloads: reseal(leaves, payloads, HAND_OVER, details=details)


def hand_over_forged(log: RealLog) -> None:
    """A stranger names himself the successor, without the old key."""
    forged = hand_over_details(HAND_OVER, SigningKey(ORIGIN, STRANGER._private_key), NEW_KEY)
    genuine = hand_over_details(HAND_OVER, OLD_KEY, NEW_KEY)
    _alone(log, _hand_over_with({**genuine, "signature": forged["signature"]}))


def hand_over_without_the_new_key(log: RealLog) -> None:
    genuine = hand_over_details(HAND_OVER, OLD_KEY, NEW_KEY)
    _alone(log, _hand_over_with({**genuine, "acceptance": base64.b64encode(bytes(64)).decode()}))


def hand_over_played_again(log: RealLog) -> None:
    """The statement names its own place, so that it holds nowhere else."""
    genuine = hand_over_details(HAND_OVER - 20, OLD_KEY, NEW_KEY)
    _alone(log, _hand_over_with(genuine))


def hand_over_of_a_stranger(log: RealLog) -> None:
    """A second hand-over, from a key that the log never had."""
    clock = ManualClock(log.clock_ns)
    details = hand_over_details(SIZE, STRANGER, OLD_KEY)
    append(log, [draft(own_event(EventKind.LOG_KEY_CHANGED, clock, **details))], clock)


def expired_payload_restored(log: RealLog) -> None:
    """A payload that comes back from a copy, with its salt: authentic, and there against the law."""
    folder = log.folder

    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        model = decode_payloads((folder / "payload" / "000").read_bytes())[60]
        assert model is not None
        payloads[7] = model
        leaves[7] = forge(leaves[7], commitment=commitment(model.salt, model.payload))

    _alone(log, change)


def erased_without_a_statement(log: RealLog) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        payloads[44:64] = [None] * 20

    _alone(log, change)


def erased_before_the_floor(log: RealLog) -> None:
    """Stated, and a day after the act instead of six months."""
    clock = ManualClock(log.clock_ns + DAY_S * NS_PER_SECOND)
    statement = own_event(
        EventKind.LOG_EXPIRED, clock, before_ns=str(log.clock_ns - 3_600 * NS_PER_SECOND), controller="*", count="1"
    )
    append(log, [draft(statement)], clock)
    built.edit_payloads(log.folder, 0, lambda payloads: payloads.__setitem__(slice(44, 256), [None] * 212))


def kept_against_a_statement_for_its_authority(log: RealLog) -> None:
    """A controller's payloads are stated as erased, and days later they are there."""
    later = ManualClock(log.clock_ns + 400 * DAY_S * NS_PER_SECOND)
    statement = own_event(
        EventKind.LOG_EXPIRED, later, before_ns=str(log.clock_ns), controller="Maire d'Évreux", count="9"
    )
    append(log, [draft(statement)], later)
    later.step_utc(3 * DAY_S)
    append(log, built.looks(1, 900), later)


TAMPERS = [
    (back_dated, Flaw.TIME_WENT_BACK, 70),
    (clock_stepped_back, Flaw.TIME_WENT_BACK, 353),
    (clock_statement_reversed, Flaw.TIME_STATEMENT, 353),
    (plate_smuggled_in, Flaw.PAYLOAD_CATALOGUE, 60),
    (author_left_out, Flaw.PAYLOAD_CATALOGUE, 61),
    (kind_hidden, Flaw.PAYLOAD_CATALOGUE, 41),
    (entry_deleted_and_signed, Flaw.ENTRY_DELETED, 200),
    (entry_added_and_signed, Flaw.ENTRY_INSERTED, 200),
    (leaf_of_another_form, Flaw.ENTRY_MALFORMED, 70),
    (spool_replayed, Flaw.SPOOL_REPLAYED, SIZE),
    (spool_entry_left_out, Flaw.SPOOL_GAP, 346),
    (spool_reordered, Flaw.SPOOL_REORDERED, 346),
    (spool_entry_changed, Flaw.SPOOL_CHAIN, 346),
    (spool_cut_against_its_node, Flaw.SPOOL_CUT, SIZE),
    (spool_entry_of_another_node, Flaw.SPOOL_UNKNOWN, SIZE),
    (spool_rewritten_with_its_chain, Flaw.SPOOL_CONTRADICTED, 347),
    (spool_file_changed, Flaw.SPOOL_FILE, None),
    (past_rewritten, Flaw.HISTORY_INCONSISTENT, 44),
    (past_rewritten_under_anchors, Flaw.TIMESTAMP_OTHER_ROOT, 0),
    (recent_rewritten_under_cosignatures, Flaw.COSIGNED_OTHER_ROOT, 364),
    (tail_cut_under_anchors, Flaw.LOG_ROLLED_BACK, 500),
    (tail_cut_against_a_receipt, Flaw.RECEIPT_ABSENT, 500),
    (tail_cut_against_a_known_checkpoint, Flaw.LOG_ROLLED_BACK, 500),
    (fork_shown_to_two_auditors, Flaw.LOG_FORKED, 364),
    (fork_shown_to_a_caller, Flaw.RECEIPT_CONTRADICTED, 600),
    (kept_checkpoint_of_another_tree, Flaw.HISTORY_INCONSISTENT, 44),
    (signed_with_the_retired_key, Flaw.KEY_OUT_OF_TURN, None),
    (kept_checkpoint_signed_before_its_time, Flaw.KEY_OUT_OF_TURN, 344),
    (hand_over_forged, Flaw.HAND_OVER, HAND_OVER),
    (hand_over_without_the_new_key, Flaw.HAND_OVER, HAND_OVER),
    (hand_over_played_again, Flaw.HAND_OVER, HAND_OVER),
    (hand_over_of_a_stranger, Flaw.HAND_OVER, SIZE),
    (expired_payload_restored, Flaw.PAYLOAD_RESTORED, 7),
    (erased_without_a_statement, Flaw.PAYLOAD_MISSING, 44),
    (erased_before_the_floor, Flaw.PAYLOAD_EXPIRED_EARLY, 44),
    (kept_against_a_statement_for_its_authority, Flaw.PAYLOAD_RESTORED, 44),
]
