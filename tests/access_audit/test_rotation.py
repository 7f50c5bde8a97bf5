"""The key of the log changes while it is written: everybody follows, and a fault anywhere loses nothing."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from access_audit import layout
from access_audit.checkpoint import LogKey
from access_audit.client import AuditClient
from access_audit.handover import HandOver, hand_over_details
from access_audit.keys import KeyRing, load_log_key, read_secret
from access_audit.ledger import Ledger
from access_audit.receipt import AuditReceipt, ReceiptVerifier
from access_audit.rotation import Rotation, rotate_alone
from access_audit.spool import Spool
from access_audit.verify import Report, verify_log
from access_audit.verify.handovers import find_hand_overs
from tests.access_audit import built
from tests.access_audit.logs import client_of, collected, look, running_writer, settings_of
from tests.access_audit.test_faults import Fault, Killed, Saboteur
from vms.app.cli.main import main as vms
from vms.base import durable
from vms.base.clock import ManualClock
from vms.base.errors import VmsError

DAY_NS = 86_400 * 1_000_000_000


def ring_of(folder: Path) -> KeyRing:
    settings = settings_of(folder)
    return KeyRing(settings.key_file, settings.folder, settings.origin)


def judge(folder: Path, key: LogKey, receipts: list[AuditReceipt]) -> Report:
    given = [each.to_json() for each in receipts]
    return verify_log(folder / "log", key.text(), receipts=given, workers=1)


def key_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "keys").iterdir()} - {"writer.json"}


def lines_of(folder: Path) -> int:
    return (folder / "log" / layout.CHECKPOINT).read_bytes().count("\u2014 ".encode())


@pytest.mark.parametrize("overlap_ns", [0, DAY_NS])
async def test_everybody_follows_a_change_of_key_without_a_restart(tmp_path: Path, overlap_ns: int):
    """LAW-26: clients and spools that know only the old key go on, with both signatures or with the new one alone."""
    async with running_writer(tmp_path) as settings, client_of(settings) as client, client_of(settings) as other:
        first = await asyncio.to_thread(load_log_key, settings.folder / "log.pub")
        spool = await asyncio.to_thread(Spool, tmp_path / "spool")
        await asyncio.to_thread(spool.append, collected(1))
        await spool.deliver(other)
        receipts = [await client.record(look())]
        with pytest.raises(VmsError) as refused:
            await client.rotate_key()
        assert refused.value.code == "audit.no_next_key"
        ring = ring_of(tmp_path)
        second = await asyncio.to_thread(ring.prepare, "", overlap_ns)
        assert (await client.rotate_key())["key"] == second.text()
        receipts += await client.record_all([look()] * 3)
        await asyncio.to_thread(spool.append, collected(2))
        await spool.deliver(other)
        assert (await other.head()).size == (await client.head()).size
        assert await asyncio.to_thread(load_log_key, settings.folder / "log.pub") == second
        assert await asyncio.to_thread(lines_of, tmp_path) == (2 if overlap_ns else 1)
        assert await asyncio.to_thread(key_files, tmp_path) == {"log.key", *(["log.key.old"] if overlap_ns else [])}
        third = await asyncio.to_thread(ring.prepare, "", 0)
        await client.rotate_key()
        async with client_of(settings) as fresh:
            receipts.append(await fresh.record(look()))
        receipts.append(await client.record(look()))
        late = AuditClient(settings.socket, first)
        receipts.append(await late.record(look()))
        await late.close()
        await asyncio.to_thread(spool.close)
    for key in (first, second, third):
        report = await asyncio.to_thread(judge, tmp_path, key, receipts)
        assert report.findings == []
        assert dict(report.steps[1].notes) == {"hand_overs": 2}


def test_a_forged_hand_over_is_not_followed(tmp_path: Path):
    verifier = ReceiptVerifier(built.KEY.log_key)
    good = hand_over_details(5, built.KEY, built.STRANGER)
    for forged in ({**good, "signature": good["acceptance"]}, {**good, "from": good["to"]}, {"from": "x"}, {}):
        assert not verifier.follow([HandOver(5, forged)])
    assert not verifier.follow([HandOver(6, good)])
    assert verifier.follow([HandOver(5, good)])


def test_the_old_key_signs_for_as_long_as_it_was_to_and_is_erased(tmp_path: Path):
    clock = ManualClock()
    settings = settings_of(tmp_path)
    durable.make_folder(settings.folder)
    ring = ring_of(tmp_path)
    first = ring.open().log_key
    ring.prepare("", DAY_NS)
    rotate_alone(settings.folder, ring, clock)
    assert lines_of(tmp_path) == 2
    assert "log.key.old" in key_files(tmp_path)
    for hours, lines in ((23, 2), (2, 1)):
        clock.step_utc(hours * 3_600)
        ledger = Ledger(settings.folder, ring.open(), clock)
        Rotation(ring, ledger, clock).settle()
        ledger.record([built.looks(1)])
        ledger.close()
        assert lines_of(tmp_path) == lines
    assert key_files(tmp_path) == {"log.key"}
    assert judge(tmp_path, first, []).findings == []


def test_the_key_of_a_copy_is_not_changed(tmp_path: Path):
    """A hand-over in a copy would fork the log."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    durable.make_folder(home / "log")
    ring = ring_of(home)
    first = ring.open().log_key
    ring.prepare("", 0)
    rotate_alone(home / "log", ring, ManualClock())
    shutil.copytree(home, copy)
    ring = ring_of(copy)
    ring.prepare("", 0)
    durable.write_atomic(copy / "log" / "fence", b"{}")
    with pytest.raises(VmsError) as refused:
        rotate_alone(copy / "log", ring, ManualClock())
    assert refused.value.code == "audit.fenced"
    assert len(find_hand_overs(copy / "log", ())) == 1
    assert judge(copy, first, []).findings == []


def test_a_prepared_key_is_never_replaced(tmp_path: Path):
    """The log may have been handed over to it already."""
    durable.make_folder(tmp_path / "log")
    ring = ring_of(tmp_path)
    ring.open()
    prepared = ring.prepare("", 0)
    assert ring.prepare("", DAY_NS) == prepared
    with pytest.raises(VmsError) as refused:
        ring.prepare("pkcs11:token=a;object=b", 0)
    assert refused.value.code == "audit.key_prepared"


@pytest.mark.parametrize("name", ["log.key", "log.key.next", "log.key.old"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_can_read_is_refused_at_the_start(tmp_path: Path, name: str, mode: int):
    durable.make_folder(tmp_path / "log")
    ring = ring_of(tmp_path)
    ring.open()
    ring.prepare("", DAY_NS)
    shutil.copy(tmp_path / "keys" / "log.key", tmp_path / "keys" / "log.key.old")
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(VmsError) as refused:
        ring.open()
    assert refused.value.code == "audit.key"
    assert "est lisible par d'autres utilisateurs" in refused.value.message
    assert "chmod 600" in refused.value.hint
    (tmp_path / "keys" / name).chmod(0o600)
    ring.open()


def test_the_command_changes_the_key_while_no_writer_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "run").mkdir()
    folder = tmp_path / "audit"
    durable.make_folder(folder)
    ring = KeyRing(folder / "keys" / "log.key", folder, "journal.vms-departemental.example")
    before = ring.open().log_key
    vms_words = ["audit", "rotate-key", "--data", str(tmp_path), "--overlap-days", "3"]
    with pytest.raises(SystemExit) as ended:
        vms(vms_words)
    said = capsys.readouterr().out
    assert not ended.value.code
    assert "signe encore pendant 3 jours" in said
    after = load_log_key(folder / "log.pub")
    assert after != before
    assert after.text() in said
    assert read_secret(folder / "keys" / "log.key.old").startswith(b"until-ns ")
    report = verify_log(folder, before.text(), workers=1)
    assert report.findings == []


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small log, some of it not yet published, and the key that is to follow."""
    folder = tmp_path_factory.mktemp("start")
    settings = settings_of(folder)
    durable.make_folder(settings.folder)
    ring = ring_of(folder)
    key = ring.open()
    ledger = Ledger(settings.folder, key, ManualClock())
    built.record(ledger, built.looks(2), key.log_key)
    ledger.publish()
    built.record(ledger, built.looks(1), key.log_key)
    ledger._sequence.close()
    ring.prepare("", DAY_NS)
    return folder


def live(folder: Path, receipts: list[AuditReceipt], first: LogKey) -> None:
    """One life of a writer that is asked to change its key, by a client that knows the first one only."""
    clock, ring = ManualClock(), ring_of(folder)
    ledger = Ledger(folder / "log", ring.open(), clock)
    rotation = Rotation(ring, ledger, clock)

    def record() -> None:
        with suppress(OSError):
            receipts.extend(built.record(ledger, built.looks(1), first))

    try:
        with suppress(OSError):
            ledger.publish()
            rotation.settle()
        record()
        with suppress(OSError):
            try:
                rotation.hand_over()
            except VmsError as refused:
                if refused.code != "audit.no_next_key":
                    raise
            record()
            ledger.publish()
            rotation.settle()
        record()
        with suppress(OSError):
            ledger.close()
    finally:
        ledger._sequence.close()


def sabotage(start: Path, folder: Path, first: LogKey, at: int, fault: Fault) -> None:
    shutil.copytree(start, folder)
    receipts: list[AuditReceipt] = []
    with Saboteur(at, fault).at_work(), suppress(Killed, OSError):
        live(folder, receipts, first)
    when = f"call {at} {fault.value}"
    assert judge(folder, first, receipts).findings == [], when
    live(folder, receipts, first)
    assert judge(folder, first, receipts).findings == [], f"{when}, then a restart"
    newest = load_log_key(folder / "log" / "log.pub")
    assert newest != first, when
    assert judge(folder, newest, receipts).findings == [], when
    assert len(find_hand_overs(folder / "log", ())) == 1, when
    assert {name for name in key_files(folder) if not name.endswith(".part")} == {"log.key", "log.key.old"}, when
    assert ring_of(folder).open().log_key == newest, when
    shutil.rmtree(folder)


def count_calls(start: Path, folder: Path, first: LogKey) -> int:
    shutil.copytree(start, folder)
    saboteur = Saboteur()
    receipts: list[AuditReceipt] = []
    with saboteur.at_work():
        live(folder, receipts, first)
    assert len(receipts) == 3
    shutil.rmtree(folder)
    return saboteur.calls


@pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.FAILS_BEFORE])
def test_a_change_of_key_survives_a_fault(start: Path, tmp_path: Path, fault: Fault):
    """A1: what fails or is killed costs no receipt, the log goes on, and the change is made exactly once."""
    first = load_log_key(start / "log" / "log.pub")
    for at in range(0, count_calls(start, tmp_path / "counted", first), 3):
        sabotage(start, tmp_path / "log", first, at, fault)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", list(Fault))
def test_a_change_of_key_survives_a_fault_at_every_call(start: Path, tmp_path: Path, fault: Fault):
    """A1: the same at each of its calls, with every fault."""
    first = load_log_key(start / "log" / "log.pub")
    for at in range(count_calls(start, tmp_path / "counted", first)):
        sabotage(start, tmp_path / "log", first, at, fault)
