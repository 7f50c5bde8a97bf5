"""What the judge says of logs at the edges: cut, forked, expired, and written while it reads."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access_audit.checkpoint import Checkpoint
from access_audit.events import EventKind
from access_audit.format import StoredPayload, parse_leaf
from access_audit.ledger import Ledger
from access_audit.merkle import leaf_hash, root
from access_audit.verify import Flaw, Report, verify_log
from tests.access_audit import built
from tests.access_audit.built import KEY, STRANGER, Built, edit_payloads, rebuild
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
    assert [step.number for step in report.steps] == list(range(1, 17))


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
