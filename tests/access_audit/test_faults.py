"""Every file-system call of an append, a publication and a start: once failing, once killed; the verifier judges.

The writer's promise (A1, A2): whatever happens, every receipt that was given out holds, and the log goes on.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from access_audit.ledger import Ledger
from access_audit.receipt import AuditReceipt
from access_audit.verify import verify_log
from tests.access_audit import built
from tests.access_audit.built import KEY
from vms.base import durable
from vms.base.clock import ManualClock


class Fault(Enum):
    FAILS_BEFORE = "fails before its effect"
    FAILS_AFTER = "fails after its effect"
    FAILS_HALFWAY = "writes half and fails"
    KILLED_BEFORE = "killed before its effect"
    KILLED_AFTER = "killed after its effect"
    KILLED_HALFWAY = "killed after half a write"

    @property
    def kills(self) -> bool:
        return self.name.startswith("KILLED")


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Saboteur:
    """Counts the calls that change the disk, and spoils the one of a given number."""

    def __init__(self, at: int = -1, fault: Fault = Fault.FAILS_BEFORE) -> None:
        self.calls = 0
        self._at = at
        self._fault = fault
        self._dead = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with ExitStack() as patches:
            for name in ("writev", "fsync", "fdatasync", "ftruncate", "link"):
                patches.enter_context(patch.object(os, name, self._spoiled(getattr(os, name))))
            for name in ("replace", "unlink", "mkdir", "rmdir"):
                patches.enter_context(patch.object(Path, name, self._spoiled(getattr(Path, name))))
            yield

    def _spoiled(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if self._dead:
                raise Killed
            number, self.calls = self.calls, self.calls + 1
            if number != self._at:
                return real(*arguments, **named)
            if self._fault in {Fault.FAILS_AFTER, Fault.KILLED_AFTER}:
                real(*arguments, **named)
            if self._fault in {Fault.FAILS_HALFWAY, Fault.KILLED_HALFWAY} and real.__name__ == "writev":
                chunk = bytes(arguments[1][0])
                os.write(arguments[0], chunk[: len(chunk) // 2])
            self._dead = self._fault.kills
            raise Killed if self._dead else OSError(errno.EIO, "input/output error")

        return call


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 250 entries, published but for the last three: the next ones cross the border of a tile."""
    folder = tmp_path_factory.mktemp("start") / "log"
    durable.make_folder(folder)
    durable.write_atomic(folder / "log.pub", KEY.log_key.text().encode())
    ledger = Ledger(folder, KEY, ManualClock())
    built.record(ledger, built.looks(247))
    ledger.publish()
    built.record(ledger, built.looks(3))
    ledger._sequence.close()
    return folder


def live(folder: Path, receipts: list[AuditReceipt]) -> None:
    """One life of a writer: start with a recovery, append, publish across the border of a tile, append, stop."""
    ledger = Ledger(folder, KEY, ManualClock())
    try:
        for count in (2, 5, 1):
            with suppress(OSError):
                receipts += built.record(ledger, built.looks(count))
            with suppress(OSError):
                ledger.publish()
        with suppress(OSError):
            receipts += built.record(ledger, built.looks(1))
        with suppress(OSError):
            ledger.close()
    finally:
        ledger._sequence.close()


def sabotage(start: Path, folder: Path, at: int, fault: Fault) -> None:
    shutil.copytree(start, folder)
    receipts: list[AuditReceipt] = []
    with Saboteur(at, fault).at_work(), suppress(Killed, OSError):
        live(folder, receipts)
    judge(folder, receipts, f"call {at} {fault.value}")
    live(folder, receipts)
    judge(folder, receipts, f"call {at} {fault.value}, then a restart")
    assert not list((folder / "tile").rglob("*.part")) or fault.kills
    shutil.rmtree(folder)


def judge(folder: Path, receipts: list[AuditReceipt], when: str) -> None:
    report = verify_log(folder, KEY.log_key.text(), receipts=[each.to_json() for each in receipts], workers=1)
    assert report.findings == [], when


def count_calls(start: Path, folder: Path) -> int:
    shutil.copytree(start, folder)
    saboteur = Saboteur()
    receipts: list[AuditReceipt] = []
    with saboteur.at_work():
        live(folder, receipts)
    assert len(receipts) == 9
    judge(folder, receipts, "without a fault")
    shutil.rmtree(folder)
    return saboteur.calls


@pytest.mark.parametrize("fault", list(Fault))
def test_no_fault_breaks_a_promise(start: Path, tmp_path: Path, fault: Fault):
    """A1, A2: a part of the calls; all of them in the long run."""
    calls = count_calls(start, tmp_path / "log")
    assert calls > 60
    stride = 11
    for at in range(list(Fault).index(fault), calls, stride):
        sabotage(start, tmp_path / "log", at, fault)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", list(Fault))
def test_no_fault_at_any_call_breaks_a_promise(start: Path, tmp_path: Path, fault: Fault):
    """A1, A2."""
    for at in range(count_calls(start, tmp_path / "log")):
        sabotage(start, tmp_path / "log", at, fault)


def test_a_full_disk_refuses_and_the_log_goes_on_when_there_is_room(start: Path, tmp_path: Path):
    folder = tmp_path / "log"
    shutil.copytree(start, folder)
    ledger = Ledger(folder, KEY, ManualClock())
    full = OSError(errno.ENOSPC, "no space left on device")
    with patch.object(os, "writev", side_effect=full), patch.object(os, "ftruncate", side_effect=full):
        for _ in range(3):
            with pytest.raises(OSError, match="no space"):
                built.record(ledger, built.looks(1))
    receipts = built.record(ledger, built.looks(2))
    assert [receipt.index for receipt in receipts] == [250, 251]
    ledger.close()
    judge(folder, receipts, "after a full disk")
