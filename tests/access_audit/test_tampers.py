"""Every tamper that we can think of is found, named, and located (LAW-30)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access_audit.checkpoint import Checkpoint
from access_audit.events import EventKind
from access_audit.format import StoredPayload, decode_bundle, parse_leaf
from access_audit.ledger import Ledger
from access_audit.merkle import leaf_hash, root
from access_audit.verify import Flaw, Report, verify_log
from tests.access_audit import built
from tests.access_audit.built import KEY, STRANGER, Built, edit_entries, edit_payloads, edit_tile, rebuild
from tests.access_audit.logs import ORIGIN
from vms.base.clock import NS_PER_SECOND, ManualClock

Tamper = Callable[[Path], None]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return built.build(tmp_path_factory.mktemp("built") / "log")


def judge(log: Built, **given: Any) -> Report:
    return verify_log(log.folder, log.key, workers=1, **given)


def receipts_of(log: Built) -> list[dict[str, Any]]:
    return [receipt.to_json() for receipt in log.receipts]


def test_an_untouched_log_passes_with_every_receipt_given_out(log: Built):
    """LAW-30, A1 and A2."""
    report = judge(log, receipts=receipts_of(log), known=[(log.folder / "checkpoint").read_bytes()])
    assert report.findings == []
    assert report.ok
    assert report.size == 600
    assert [step.number for step in report.steps] == list(range(1, 16))


def swap(leaves: list[bytes], one: int, other: int) -> None:
    leaves[one], leaves[other] = leaves[other], leaves[one]


def move(leaves: list[bytes], gone: int, added: bytes) -> None:
    del leaves[gone]
    leaves.append(added)


def squeeze(leaves: list[bytes], place: int, leaf: bytes) -> None:
    leaves.insert(place, leaf)
    leaves.pop()


def set_at(items: list[Any], place: int, item: Any) -> None:
    items[place] = item


def changed_field(folder: Path) -> None:
    edit_entries(folder, 1, lambda leaves: set_at(leaves, 4, built.forge(leaves[4], at_ns=1)))


def deleted_entry(folder: Path) -> None:
    edit_entries(folder, 1, lambda leaves: leaves.pop(44))


def deleted_and_shifted(folder: Path) -> None:
    second = decode_bundle(built.entries_file(folder, 1).read_bytes())
    edit_entries(folder, 0, lambda leaves: move(leaves, 100, second[0]))


def inserted_entry(folder: Path) -> None:
    edit_entries(folder, 0, lambda leaves: squeeze(leaves, 50, leaves[9]))


def swapped_entries(folder: Path) -> None:
    edit_entries(folder, 2, lambda leaves: swap(leaves, 3, 8))


def bundle_removed(folder: Path) -> None:
    built.entries_file(folder, 1).unlink()


def bundle_cut(folder: Path) -> None:
    path = built.entries_file(folder, 1)
    path.write_bytes(path.read_bytes()[:-5])


def tile_changed(folder: Path) -> None:
    edit_tile(folder, 1, 7)


def tile_removed(folder: Path) -> None:
    built.tile_file(folder, 0).unlink()


def upper_tile_changed(folder: Path) -> None:
    path = max((folder / "tile" / "1" / "000.p").iterdir())
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def entry_and_tile_changed(folder: Path) -> None:
    changed_field(folder)
    edit_tile(folder, 0, 3)


def payload_changed(folder: Path) -> None:
    def change(payloads: list[StoredPayload | None]) -> None:
        stored = payloads[3]
        assert stored is not None
        payloads[3] = StoredPayload(stored.salt, stored.payload.replace(b"Odile", b"Olive"))

    edit_payloads(folder, 2, change)


def salt_changed(folder: Path) -> None:
    def change(payloads: list[StoredPayload | None]) -> None:
        stored = payloads[9]
        assert stored is not None
        payloads[9] = StoredPayload(bytes(32), stored.payload)

    edit_payloads(folder, 0, change)


def payload_erased(folder: Path) -> None:
    edit_payloads(folder, 0, lambda payloads: set_at(payloads, 20, None))


def payload_bundle_removed(folder: Path) -> None:
    (folder / "payload" / "001").unlink()


def payload_bundle_cut(folder: Path) -> None:
    path = folder / "payload" / "001"
    path.write_bytes(path.read_bytes()[:-1])


def payloads_swapped(folder: Path) -> None:
    edit_payloads(folder, 1, lambda payloads: swap(payloads, 10, 11))  # type: ignore[arg-type]


def plate_smuggled_in(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: built.reseal(leaves, payloads, 60, plate="AB-123-CD"))


def kind_hidden(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: set_at(leaves, 0, built.forge(leaves[0], control="")))


def back_dated(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: set_at(leaves, 70, built.forge(leaves[70], at_ns=5)))


def spool_replayed(folder: Path) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        leaves.append(built.forge(leaves[303], index=600, at_ns=parse_leaf(leaves[-1]).at_ns))
        payloads.append(payloads[303])

    rebuild(folder, change)


def spool_gap(folder: Path) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[304], payloads[304]
        built.renumber(leaves)

    rebuild(folder, change)


def spool_changed(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: built.reseal(leaves, payloads, 305, camera="cam-other"))


def rewritten_without_the_key(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: built.reseal(leaves, payloads, 400, camera="cam-9"), key=None)


def rewritten_by_an_insider(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: built.reseal(leaves, payloads, 150, camera="cam-9"))


def shifted_with_the_key(folder: Path) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[200], payloads[200]

    rebuild(folder, change)


def resigned_with_another_key(folder: Path) -> None:
    rebuild(folder, lambda leaves, payloads: None, key=STRANGER)


def key_replaced(folder: Path) -> None:
    (folder / "log.pub").write_text(STRANGER.log_key.text())


def checkpoint_removed(folder: Path) -> None:
    (folder / "checkpoint").unlink()


def checkpoint_scribbled_on(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(b"600\n")


def checkpoint_of_another_size(folder: Path) -> None:
    path = folder / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"\n600\n", b"\n599\n"))


def rolled_back(folder: Path) -> None:
    shutil.copy(folder / "checkpoints" / "301", folder / "checkpoint")
    shutil.rmtree(folder / "sequence")


def kept_checkpoint_resigned(folder: Path) -> None:
    (folder / "checkpoints" / "301").write_bytes(STRANGER.sign(Checkpoint(ORIGIN, 301, bytes(32))))


def kept_checkpoint_of_another_tree(folder: Path) -> None:
    (folder / "checkpoints" / "301").write_bytes(KEY.sign(Checkpoint(ORIGIN, 301, bytes(32))))


def foreign_bundle(folder: Path) -> None:
    shutil.copy(built.entries_file(folder, 0), folder / "tile" / "entries" / "003")


TAMPERS: list[tuple[Tamper, Flaw, int | None]] = [
    (changed_field, Flaw.ENTRY_CHANGED, 260),
    (deleted_entry, Flaw.ENTRY_DELETED, 300),
    (deleted_and_shifted, Flaw.ENTRY_DELETED, 100),
    (inserted_entry, Flaw.ENTRY_INSERTED, 50),
    (swapped_entries, Flaw.ENTRIES_SWAPPED, 515),
    (bundle_removed, Flaw.BUNDLE_MISSING, 256),
    (bundle_cut, Flaw.BUNDLE_MALFORMED, 256),
    (tile_changed, Flaw.TILE_CHANGED, 263),
    (tile_removed, Flaw.TILE_MISSING, 0),
    (upper_tile_changed, Flaw.TILE_CHANGED, 256),
    (payload_changed, Flaw.PAYLOAD_CHANGED, 515),
    (salt_changed, Flaw.PAYLOAD_CHANGED, 9),
    (payload_erased, Flaw.PAYLOAD_MISSING, 20),
    (payload_bundle_removed, Flaw.PAYLOAD_MISSING, 256),
    (payload_bundle_cut, Flaw.PAYLOAD_MALFORMED, 256),
    (payloads_swapped, Flaw.PAYLOAD_CHANGED, 266),
    (plate_smuggled_in, Flaw.PAYLOAD_CATALOGUE, 60),
    (kind_hidden, Flaw.PAYLOAD_CATALOGUE, 0),
    (back_dated, Flaw.TIME_WENT_BACK, 70),
    (spool_replayed, Flaw.SPOOL_REPLAYED, 600),
    (spool_gap, Flaw.SPOOL_GAP, 304),
    (spool_changed, Flaw.SPOOL_CHAIN, 305),
    (rewritten_without_the_key, Flaw.LOG_REWRITTEN, 301),
    (rewritten_by_an_insider, Flaw.HISTORY_INCONSISTENT, 0),
    (shifted_with_the_key, Flaw.ENTRY_DELETED, 200),
    (resigned_with_another_key, Flaw.CHECKPOINT_SIGNATURE, None),
    (key_replaced, Flaw.KEY_MISMATCH, None),
    (checkpoint_removed, Flaw.CHECKPOINT_MISSING, None),
    (checkpoint_scribbled_on, Flaw.CHECKPOINT_MALFORMED, None),
    (checkpoint_of_another_size, Flaw.CHECKPOINT_SIGNATURE, None),
    (rolled_back, Flaw.LOG_ROLLED_BACK, 301),
    (kept_checkpoint_resigned, Flaw.HISTORY_SIGNATURE, 301),
    (kept_checkpoint_of_another_tree, Flaw.HISTORY_INCONSISTENT, 1),
    (foreign_bundle, Flaw.FILE_FOREIGN, 768),
]


@pytest.mark.parametrize(("tamper", "flaw", "index"), TAMPERS, ids=[tamper.__name__ for tamper, _, _ in TAMPERS])
def test_a_tamper_is_named_and_located(log: Built, tmp_path: Path, tamper: Tamper, flaw: Flaw, index: int | None):
    copied = built.copy(log, tmp_path / "log")
    tamper(copied.folder)
    report = judge(copied)
    assert not report.ok
    assert (flaw, index) in [(found.flaw, found.index) for found in report.findings]
    of_this_flaw = [found.index for found in report.findings if found.flaw is flaw]
    assert of_this_flaw[0] == index


def test_two_tampers_are_both_located(log: Built, tmp_path: Path):
    copied = built.copy(log, tmp_path / "log")
    entry_and_tile_changed(copied.folder)
    found = {(each.flaw, each.index) for each in judge(copied).findings}
    assert {(Flaw.ENTRY_CHANGED, 260), (Flaw.TILE_CHANGED, 3)} <= found


def cut_with_the_key(folder: Path, size: int) -> None:
    def change(leaves: list[bytes], payloads: list[StoredPayload | None]) -> None:
        del leaves[size:], payloads[size:]

    rebuild(folder, change)
    for path in (folder / "checkpoints").iterdir():
        path.unlink()


def test_a_log_cut_by_an_insider_is_given_away_by_a_receipt_and_by_a_witness(log: Built, tmp_path: Path):
    copied = built.copy(log, tmp_path / "log")
    cut_with_the_key(copied.folder, 500)
    assert judge(copied).ok
    by_receipt = judge(copied, receipts=receipts_of(log)[490:]).findings
    assert (by_receipt[0].flaw, by_receipt[0].index) == (Flaw.RECEIPT_ABSENT, 500)
    by_witness = judge(copied, known=[(log.folder / "checkpoint").read_bytes()]).findings
    assert (by_witness[0].flaw, by_witness[0].index) == (Flaw.LOG_ROLLED_BACK, 500)


def test_a_fork_shown_to_two_auditors_is_given_away(log: Built, tmp_path: Path):
    copied = built.copy(log, tmp_path / "log")
    rebuild(copied.folder, lambda leaves, payloads: built.reseal(leaves, payloads, 599, camera="cam-9"))
    shutil.rmtree(copied.folder / "checkpoints")
    found = judge(copied, known=[(log.folder / "checkpoint").read_bytes()]).findings
    assert (found[0].flaw, found[0].index) == (Flaw.LOG_FORKED, 0)
    by_receipt = judge(copied, receipts=receipts_of(log)[-1:]).findings
    assert (by_receipt[0].flaw, by_receipt[0].index) == (Flaw.RECEIPT_CONTRADICTED, 599)


def test_forged_receipts_are_named(log: Built):
    good = receipts_of(log)[40]
    stranger = STRANGER.sign(Checkpoint(ORIGIN, 600, bytes(32))).decode()
    forgeries = {
        Flaw.RECEIPT_SIGNATURE: {**good, "checkpoint": stranger},
        Flaw.RECEIPT_PATH: {**good, "path": good["path"][:-1]},
        Flaw.RECEIPT_MALFORMED: {**good, "leaf_hash": "zz"},
    }
    for flaw, forged in forgeries.items():
        found = judge(log, receipts=[forged]).findings
        assert (found[0].flaw, found[0].index) == (flaw, 41)


def _expire(folder: Path, *, before_ns: int, controller: str = "*", clock: ManualClock) -> None:
    """What the writer will do at the legal end: state it, then erase."""
    ledger = Ledger(folder, KEY, clock)
    ledger.record(
        [built.control(EventKind.LOG_EXPIRED, clock, before_ns=str(before_ns), controller=controller, count="300")]
    )
    ledger.close()


def _erase(folder: Path, before_ns: int) -> None:
    leaves = built.all_leaves(folder)
    for bundle in range(3):

        def change(payloads: list[StoredPayload | None], first: int = bundle * 256) -> None:
            for place in range(len(payloads)):
                leaf = parse_leaf(leaves[first + place])
                if leaf.at_ns < before_ns and not leaf.control:
                    payloads[place] = None

        edit_payloads(folder, bundle, change)


def _after(days: int) -> ManualClock:
    clock = ManualClock()
    clock.step_utc(days * built.DAY_S)
    return clock


def test_what_has_expired_by_law_is_said_and_the_proofs_hold(log: Built, tmp_path: Path):
    """LAW-28: after three years the payloads are gone; tree, receipts and proofs stand."""
    copied = built.copy(log, tmp_path / "log")
    clock = _after(3 * 365)
    _expire(copied.folder, before_ns=clock.utc_ns(), clock=clock)
    _erase(copied.folder, clock.utc_ns())
    report = judge(copied, receipts=receipts_of(log))
    assert report.findings == []
    assert ("expired", 599) in [note for step in report.steps for note in step.notes]


def test_a_payload_that_comes_back_after_its_expiry_is_found(log: Built, tmp_path: Path):
    copied = built.copy(log, tmp_path / "log")
    clock = _after(3 * 365)
    _expire(copied.folder, before_ns=clock.utc_ns(), clock=clock)
    _erase(copied.folder, clock.utc_ns())
    shutil.copy(log.folder / "payload" / "001", copied.folder / "payload" / "001")
    found = judge(copied).findings
    assert (found[0].flaw, found[0].index) == (Flaw.PAYLOAD_RESTORED, 256)


def test_an_erasure_before_the_floor_is_found(log: Built, tmp_path: Path):
    copied = built.copy(log, tmp_path / "log")
    clock = _after(30)
    _expire(copied.folder, before_ns=clock.utc_ns(), clock=clock)
    _erase(copied.folder, clock.utc_ns())
    found = judge(copied).findings
    assert (found[0].flaw, found[0].index) == (Flaw.PAYLOAD_EXPIRED_EARLY, 1)


def test_a_tamper_with_what_is_not_yet_published_is_found(tmp_path: Path):
    original = built.build(tmp_path / "log")
    ledger = Ledger(original.folder, KEY, _after(1))
    built.record(ledger, built.looks(3, 900))
    path = max((original.folder / "sequence").glob("*.seq"))
    report = judge(original)
    assert report.findings == []
    assert report.pending == 3
    receipt = built.record(ledger, built.looks(1, 950))[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    found = judge(original, receipts=[receipt.to_json()]).findings
    assert (found[0].flaw, found[0].index) == (Flaw.RECEIPT_ABSENT, 603)


def test_the_checkpoint_is_that_of_rfc_6962(log: Built):
    hashes = [leaf_hash(leaf) for leaf in built.all_leaves(log.folder)]
    assert judge(log).root == root(hashes).hex()


def test_nothing_is_asked_of_time_but_that_it_does_not_go_back(log: Built):
    instants = [parse_leaf(leaf).at_ns for leaf in built.all_leaves(log.folder)]
    assert instants == sorted(instants)
    assert instants[301] - instants[300] == 3700 * NS_PER_SECOND
