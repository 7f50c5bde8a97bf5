"""The battery: every tamper that we can think of is made on a log of the product, found, named and located (LAW-30)."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from access_audit.verify import Flaw, verify_log
from tests.access_audit.verify import tampers_of_attestations, tampers_of_files, tampers_of_insiders
from tests.access_audit.verify.real_log import (
    HAND_OVER,
    NEW_KEY,
    OLD_KEY,
    SIZE,
    RealLog,
    kinds_of,
)

BATTERY: list[Any] = [*tampers_of_files.TAMPERS, *tampers_of_insiders.TAMPERS, *tampers_of_attestations.TAMPERS]


def test_an_untouched_log_passes_with_everything_that_others_hold(real_log: RealLog):
    """LAW-30: keys that changed, expiry, a spool, a clock that stepped, time-stamps, cosignatures and receipts."""
    report = real_log.judge(receipts=real_log.receipts, known=list(real_log.notes.values()))
    assert report.findings == []
    assert report.ok
    assert report.size == SIZE
    assert [step.number for step in report.steps] == list(range(1, 16))
    assert {step.verdict.value for step in report.steps} == {"passed"}
    notes = dict(note for step in report.steps for note in step.notes)
    assert notes["hand_overs"] == notes["clock_steps"] == 1
    assert (notes["expired"], notes["spooled"], notes["anchored"]) == (40, 9, SIZE - 1)


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
