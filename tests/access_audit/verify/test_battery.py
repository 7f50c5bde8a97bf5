"""The battery: every tamper that we can think of is made on a log of the product, found, named and located (LAW-30)."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from access_audit.proof import proof_of
from access_audit.verify import Flaw, verify_log, verify_proof
from tests.access_audit import built
from tests.access_audit.verify import tampers_of_attestations, tampers_of_files, tampers_of_insiders
from tests.access_audit.verify.real_log import (
    HAND_OVER,
    NEW_KEY,
    OLD_KEY,
    SIZE,
    RealLog,
    anchor,
    append,
    kinds_of,
)
from vms.base.clock import ManualClock

BATTERY: list[Any] = [*tampers_of_files.TAMPERS, *tampers_of_insiders.TAMPERS, *tampers_of_attestations.TAMPERS]


def test_an_untouched_log_passes_with_everything_that_others_hold(real_log: RealLog):
    """LAW-30: keys that changed, expiry, a spool, a clock that stepped, time-stamps, cosignatures and receipts."""
    report = real_log.judge(receipts=real_log.receipts, known=list(real_log.notes.values()), spools=[real_log.spool])
    assert report.findings == []
    assert report.ok
    assert report.size == SIZE
    assert [step.number for step in report.steps] == list(range(1, 17))
    assert {step.verdict.value for step in report.steps} == {"passed"}
    notes = dict(note for step in report.steps for note in step.notes)
    assert notes["hand_overs"] == notes["clock_steps"] == 1
    assert (notes["expired"], notes["spooled"], notes["anchored"]) == (40, 9, SIZE - 1)
    assert "waiting" not in notes


def test_the_log_of_the_battery_is_as_it_is_described(real_log: RealLog):
    assert kinds_of(real_log.folder) == {
        0: "log.started", 41: "log.started", 42: "log.expired", 43: "log.started", 353: "log.clock_stepped",
        HAND_OVER: "log.key_changed", 365: "log.started",
    }  # fmt: skip


@pytest.mark.parametrize("key", [OLD_KEY, NEW_KEY], ids=["first key", "newest key"])
def test_any_key_of_the_log_verifies_all_of_it(real_log: RealLog, key: Any):
    assert verify_log(real_log.folder, key.log_key.text(), workers=1, trust=real_log.trust).findings == []


def test_third_parties_beside_the_log_are_used_and_said_so(real_log: RealLog):
    report = real_log.judge(trust=None)
    assert report.findings == []
    assert [note for step in report.steps for note, _ in step.notes].count("from_the_folder") == 2


@pytest.mark.parametrize(("tamper", "flaw", "index"), BATTERY, ids=[each[0].__name__ for each in BATTERY])
def test_a_tamper_is_named_and_located(
    real_log: RealLog, one_file: ModuleType, tmp_path: Path, tamper: Any, flaw: Flaw, index: int | None
):
    """LAW-30; and LAW-51: the verifier in one file says the same, finding by finding."""
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    given = tamper(copied) or {}
    report = copied.judge(**given)
    assert not report.ok
    assert [found.index for found in report.findings if found.flaw is flaw][:1] == [index], report.findings[:5]
    trust = one_file.Trust(copied.trust.authorities, copied.trust.witnesses)
    again = one_file.verify_log(copied.folder, copied.key, workers=1, **{"trust": trust, **given})
    assert again.to_json() == report.to_json()


def test_the_battery_is_large_and_knows_every_flaw():
    named = {flaw for _, flaw, _ in BATTERY}
    assert len({tamper for tamper, _, _ in BATTERY}) >= 80
    assert set(Flaw) == named


def test_no_flipped_bit_passes(real_log: RealLog, tmp_path: Path):
    """LAW-30: whatever the verifier reads of the log itself, each of its bits counts."""
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    chance = random.Random(4)
    names = ["checkpoint", *(f"tile/entries/00{n}" for n in range(2)), *(f"payload/00{n}" for n in range(3))]
    names += ["tile/entries/002.p/144", "tile/0/000", "tile/0/002.p/144", "tile/1/000.p/2", "checkpoints/364"]
    for name in names * 3:
        path = copied.folder / name
        content = path.read_bytes()
        changed = bytearray(content)
        changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        assert not copied.judge().ok, name
        path.write_bytes(content)
    assert copied.judge().ok


def test_a_folder_full_of_rubbish_is_judged_without_an_error(real_log: RealLog, tmp_path: Path):
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    chance = random.Random(5)
    for path in sorted(path for path in copied.folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        path.write_bytes(chance.randbytes(len(content)))
        assert copied.judge().steps
        path.write_bytes(content[: len(content) // 2])
        assert copied.judge(trust=None).steps
        path.write_bytes(content)


def test_a_log_that_is_written_and_anchored_meanwhile_passes(real_log: RealLog, tmp_path: Path):
    """A1 and A2 hold at every moment, so that an auditor may come at any."""
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    clock = ManualClock(copied.clock_ns)
    once: list[int] = []

    def grow(done: int, whole: int) -> None:
        if not once:
            once.append(done)
            append(copied, built.looks(400), clock)
            note = (copied.folder / "checkpoint").read_bytes()
            anchor(copied, SIZE + 400, note, int(time.time()) + 5)

    report = copied.judge(progress=grow)
    assert once
    assert report.findings == []
    assert report.size == SIZE
    assert copied.judge().size == SIZE + 400


def test_a_proof_from_before_a_change_of_key_holds_with_the_log_at_hand(real_log: RealLog):
    proof = proof_of(real_log.folder, 100, 344, real_log.notes[344])
    assert verify_proof(proof, OLD_KEY.log_key.text()).ok
    assert verify_proof(proof, NEW_KEY.log_key.text()).findings[0].flaw is Flaw.CHECKPOINT_SIGNATURE
    assert verify_proof(proof, NEW_KEY.log_key.text(), real_log.folder).ok


def test_a_proof_that_was_taken_away_is_set_beside_the_log_like_a_receipt(real_log: RealLog, tmp_path: Path):
    proof = proof_of(real_log.folder, 600, SIZE, real_log.notes[SIZE])
    assert real_log.judge(receipts=[proof]).findings == []
    copied = real_log.at(tmp_path / "log")
    shutil.copytree(real_log.folder, copied.folder)
    tampers_of_insiders.fork_shown_to_a_caller(copied)
    found = copied.judge(receipts=[proof]).findings
    assert (found[0].flaw, found[0].index) == (Flaw.RECEIPT_CONTRADICTED, 600)
