"""Erasure at the legal end, judged by the verifier: stated before, complete, resumable, and the proofs hold."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from access_audit.events import EventKind
from access_audit.expiry import Expiry
from access_audit.format import event_payload
from access_audit.journal import JournalQuery
from access_audit.ledger import Draft, Ledger
from access_audit.proof import proof_of
from access_audit.receipt import AuditReceipt
from access_audit.retention import Retention
from access_audit.search import JournalIndex
from access_audit.tiles import read_payloads
from access_audit.verify import verify_log, verify_proof
from access_audit.writer import _WRITER
from tests.access_audit import built
from tests.access_audit.built import DAY_S, KEY
from tests.access_audit.logs import client_of, look, running_writer
from tests.access_audit.test_faults import Fault, Saboteur
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, ManualClock

YEARS_S = 3 * 366 * DAY_S
SHORT = "Maire de Vernon"


class Life:
    """A log under a clock, without a process."""

    def __init__(self, folder: Path, clock: ManualClock, retention: Retention, settle_ns: int = 0) -> None:
        self.folder = folder
        self.ledger = Ledger(folder, KEY, clock)
        self.index = JournalIndex(folder)
        self.expiry = Expiry(folder, self.ledger, self.index, retention, clock, _WRITER, settle_ns)

    def round(self) -> None:
        for _ in self.expiry.round():
            pass

    def close(self) -> None:
        self.index.close()
        self.ledger.close()


def start(folder: Path) -> None:
    durable.make_folder(folder)
    durable.write_atomic(folder / "log.pub", KEY.log_key.text().encode())


def looks(count: int, authority: str = "Maire d'Évreux") -> list[Draft]:
    return [Draft(event_payload(look(f"camera-{number}", authority=authority))) for number in range(count)]


def judge(folder: Path, receipts: list[AuditReceipt], when: str = "") -> dict[str, int]:
    report = verify_log(folder, KEY.log_key.text(), receipts=[each.to_json() for each in receipts], workers=1)
    assert report.findings == [], when
    step = next(each for each in report.to_json()["steps"] if each["name"] == "expiry")
    return {each["note"]: each["count"] for each in step["notes"]}


def present(folder: Path, size: int) -> set[int]:
    found: set[int] = set()
    for number in range(-(-size // 256)):
        payloads = read_payloads(folder, number)
        found |= {number * 256 + place for place, stored in enumerate(payloads) if stored is not None}
    return found


def test_what_is_three_years_old_goes_and_every_proof_holds(tmp_path: Path):
    """LAW-28: payloads fall at the legal end, everywhere in the folder; receipts and proofs stay what they were."""
    folder, clock = tmp_path / "log", ManualClock()
    start(folder)
    first = Life(folder, clock, Retention())
    receipts = built.record(first.ledger, looks(300))
    first.index.search(JournalQuery(person_id="per-1"), first.ledger.publish())
    first.round()
    assert len(present(folder, 300)) == 300
    first.close()
    clock.step_utc(1095 * DAY_S + 60)
    later = Life(folder, clock, Retention())
    receipts += built.record(later.ledger, looks(5))
    later.ledger.publish()
    later.round()
    assert present(folder, 306) == {*range(300, 306)}
    assert judge(folder, receipts) == {"expired": 300}
    page = later.index.search(JournalQuery(limit=500), later.ledger.published)
    assert [entry.event is None for entry in page.entries] == [False] * 6 + [True] * 300
    assert len(later.index.search(JournalQuery(person_id="per-1"), later.ledger.published).entries) == 5
    (statement,) = later.index.search(JournalQuery(kinds=frozenset({EventKind.LOG_EXPIRED})), 306).entries
    assert statement.event is not None
    assert statement.event.details["count"] == "300"
    proof = proof_of(folder, 7, 306, (folder / "checkpoint").read_bytes())
    assert "payload" not in proof
    assert verify_proof(proof, KEY.log_key.text()).ok
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"camera-4" in kept
    assert b"camera-44" not in kept
    later.round()
    assert later.ledger.size == 306
    later.close()
    judge(folder, receipts)


def test_a_publication_after_the_erasure_brings_nothing_back(tmp_path: Path):
    """LAW-28: the bundle that is still being filled is erased as well."""
    folder, clock = tmp_path / "log", ManualClock()
    start(folder)
    life = Life(folder, clock, Retention())
    receipts = built.record(life.ledger, looks(20))
    life.ledger.publish()
    life.close()
    clock.step_utc(YEARS_S)
    life = Life(folder, clock, Retention())
    life.round()
    receipts += built.record(life.ledger, looks(300))
    life.ledger.publish()
    life.close()
    assert present(folder, 321) == {*range(20, 321)}
    judge(folder, receipts)


def test_each_controller_has_its_own_days(tmp_path: Path):
    """LAW-28: the setting is per controller; the longest one is stated for everybody."""
    folder, clock = tmp_path / "log", ManualClock()
    start(folder)
    retention = Retention(400, {SHORT: 183})
    life = Life(folder, clock, retention)
    receipts = built.record(life.ledger, looks(10))
    receipts += built.record(life.ledger, looks(10, SHORT))
    receipts += built.record(life.ledger, looks(10))
    life.ledger.publish()
    life.close()
    for days, kept, expired in ((182, 30, {}), (2, 20, {"expired": 10}), (217, 0, {"expired": 30})):
        clock.step_utc(days * DAY_S)
        life = Life(folder, clock, retention)
        life.round()
        life.close()
        assert len(present(folder, 30) & {*range(30)}) == kept
        assert judge(folder, receipts) == expired


def test_a_clock_that_leaps_ahead_erases_nothing(tmp_path: Path):
    folder, clock = tmp_path / "log", ManualClock()
    start(folder)
    life = Life(folder, clock, Retention())
    built.record(life.ledger, looks(3))
    life.ledger.publish()
    clock.step_utc(YEARS_S)
    life.round()
    assert life.ledger.size == 3
    life.close()


def test_a_machine_that_starts_with_a_clock_far_ahead_erases_nothing_for_a_day(tmp_path: Path):
    """However often it is started meanwhile."""
    folder, clock = tmp_path / "log", ManualClock()
    start(folder)
    life = Life(folder, clock, Retention())
    built.record(life.ledger, looks(3))
    life.close()
    clock.step_utc(YEARS_S)
    for hours, kept in ((0, 3), (12, 3), (13, 0)):
        clock.step_utc(hours * 3600)
        life = Life(folder, clock, Retention(), settle_ns=DAY_S * NS_PER_SECOND)
        built.record(life.ledger, looks(1))
        life.ledger.publish()
        life.round()
        life.close()
        assert len(present(folder, 4) & {0, 1, 2}) == kept


@pytest.mark.parametrize("days", [0, 182, 1097])
def test_days_outside_the_law_are_refused(days: int):
    """LAW-28: three years at most, six months at least."""
    with pytest.raises(ValueError, match="183"):
        Retention(days)
    with pytest.raises(ValueError, match="183"):
        Retention(controllers={SHORT: days})


async def test_the_writer_erases_at_its_start_and_every_hour(tmp_path: Path):
    """LAW-28, with the process: clock + 3 years and a day, chain and proof consistent."""
    clock = ManualClock()
    async with running_writer(tmp_path, clock) as settings, client_of(settings) as client:
        await client.record_all([look("camera-1", at_ns=clock.utc_ns())] * 3)
        old = await client.head()
    clock.step_utc(YEARS_S)
    async with running_writer(tmp_path, clock, Retention()), client_of(settings) as client:
        async with asyncio.timeout(10):
            while "payload" in await client.proof(1):
                await clock.advance(3600)
        head, path = await client.consistency(old.size)
        assert head.size == 6
        assert path
    key = await asyncio.to_thread((settings.folder / "log.pub").read_text)
    report = await asyncio.to_thread(verify_log, settings.folder, key, workers=1)
    assert report.ok


# Faults


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 260 old entries of two controllers, searched once, and a few new ones."""
    folder, clock = tmp_path_factory.mktemp("aged") / "log", ManualClock()
    start(folder)
    life = Life(folder, clock, Retention())
    for part in range(4):
        built.record(life.ledger, looks(65, SHORT if part % 2 else "Maire d'Évreux"))
        life.ledger.publish()
    life.index.search(JournalQuery(), life.ledger.published)
    life.close()
    return folder


def live(folder: Path, days: int) -> None:
    """One life of a writer: recover, append, expire, append."""
    clock = ManualClock()
    clock.step_utc(days * DAY_S)
    ledger = Ledger(folder, KEY, clock)
    index = JournalIndex(folder)
    expiry = Expiry(folder, ledger, index, Retention(400, {SHORT: 300}), clock, _WRITER, settle_ns=0)
    attempts: list[Callable[[], object]] = [
        lambda: built.record(ledger, looks(2)),
        lambda: list(expiry.round()),
        lambda: list(expiry.round()),
        lambda: built.record(ledger, looks(1)),
        ledger.close,
    ]
    try:
        for attempt in attempts:
            with suppress(OSError):
                attempt()
    finally:
        index.close()
        ledger._sequence.close()


def sabotage(aged: Path, folder: Path, days: int, at: int, fault: Fault) -> None:
    shutil.copytree(aged, folder)
    with Saboteur(at, fault).at_work(), suppress(BaseException):
        live(folder, days)
    judge(folder, [], f"call {at} {fault.value}")
    live(folder, days)
    notes = judge(folder, [], f"call {at} {fault.value}, then a restart")
    assert notes["expired"] == (260 if days > 400 else 130)
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert days < 400 or b"camera-44" not in kept, f"call {at} {fault.value}"
    shutil.rmtree(folder)


def count_calls(aged: Path, folder: Path, days: int) -> int:
    shutil.copytree(aged, folder)
    saboteur = Saboteur()
    with saboteur.at_work():
        live(folder, days)
    shutil.rmtree(folder)
    return saboteur.calls


@pytest.mark.parametrize("fault", list(Fault))
def test_an_expiry_that_breaks_off_is_finished(aged: Path, tmp_path: Path, fault: Fault):
    """LAW-28, A1: a part of the calls; all of them in the long run."""
    days = 301 if fault.kills else 401
    calls = count_calls(aged, tmp_path / "log", days)
    assert calls > 40
    for at in range(list(Fault).index(fault), calls, 9):
        sabotage(aged, tmp_path / "log", days, at, fault)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("days", [301, 401])
@pytest.mark.parametrize("fault", list(Fault))
def test_an_expiry_that_breaks_off_at_any_call_is_finished(aged: Path, tmp_path: Path, fault: Fault, days: int):
    """LAW-28, A1."""
    for at in range(count_calls(aged, tmp_path / "log", days)):
        sabotage(aged, tmp_path / "log", days, at, fault)
