"""Time-stamps of checkpoints, from a real authority over HTTP: asked for, verified, kept, waited for."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from access_audit import layout
from access_audit.anchors import files
from access_audit.anchors.process import AnchorSettings
from access_audit.anchors.timestamps import Authority
from access_audit.verify import Report, Trust, verify_log
from tests.access_audit import built
from tests.access_audit.anchors.parties import Service, anchoring, cause_of, serving, until
from tests.access_audit.logs import client_of, look, running_writer
from tests.access_audit.test_faults import Fault, Killed, Saboteur
from tests.access_audit.verify.third_parties import Authority as OpensslAuthority
from vms.app.cli.audit_anchors import anchors_code, anchors_text
from vms.app.cli.main import main as vms
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.errors import VmsError


class ClockApart(SystemClock):
    """A machine that is ten minutes ahead."""

    def utc_ns(self) -> int:
        return super().utc_ns() + 600 * NS_PER_SECOND


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> OpensslAuthority:
    return OpensslAuthority(tmp_path_factory.mktemp("authorities") / "horodatage")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return built.build(tmp_path / "log").folder


def settings_of(folder: Path, url: str, root: bytes, **given: Any) -> AnchorSettings:
    ca_file = folder.parent / "ca.pem"
    ca_file.write_bytes(root)
    authority = Authority("horodatage", url, ca_file)
    return AnchorSettings(folder, (authority,), **{"poll_s": 0.02, "retry_first_s": 0.02, **given})


def judge(folder: Path, trust: Trust) -> Report:
    return verify_log(folder, (folder / "log.pub").read_text(), trust=trust, workers=1)


def attested(folder: Path) -> int:
    state = files.read_state(folder)
    return 0 if state is None else state.authorities["horodatage"].size


def stamp_of(folder: Path, size: int) -> Path:
    return folder / layout.timestamp_path(size, "horodatage")


async def test_a_published_checkpoint_is_time_stamped_and_the_verifier_accepts_it(
    tmp_path: Path, real: OpensslAuthority
):
    """LAW-51: the state of the log is attested by a third party that the operator does not control."""
    with serving(Service(real.answer)) as service:
        async with running_writer(tmp_path) as log, client_of(log) as client:
            await client.record(look())
            size = (await client.head()).size
            async with anchoring(settings_of(log.folder, service.url, real.root, interval_s=0.2)):
                await until(stamp_of(log.folder, size).exists)
                await client.record_all([look()] * 5)
                later = (await client.head()).size
                await until(stamp_of(log.folder, later).exists)
                await until(lambda: attested(log.folder) >= later)
    report = await asyncio.to_thread(judge, log.folder, Trust([real.root]))
    assert report.findings == []
    assert dict(next(step for step in report.steps if step.name == "timestamps").notes)["timestamps"] >= 2
    state = await asyncio.to_thread(files.read_state, log.folder)
    assert anchors_code(state, SystemClock().utc_ns()) == 0


async def test_what_waits_for_an_authority_survives_restarts_until_it_is_back(folder: Path, real: OpensslAuthority):
    with serving(Service(real.answer)) as gone:
        settings = settings_of(folder, gone.url, real.root)
    async with anchoring(settings):
        await until(lambda: cause_of(folder, "authorities", "horodatage") == "unreachable")
    assert await asyncio.to_thread(files.waiting, folder, "horodatage") == [600]
    earlier = b"journal.test\n301\n" + b"x" * 44 + b"\n"
    await asyncio.to_thread(files.put_in_queue, folder, "horodatage", 301, earlier)
    service = Service(real.answer)
    async with anchoring(settings):
        with serving(service, port=int(gone.url.rstrip("/").rpartition(":")[2])):
            await until(lambda: not list((folder / layout.ANCHOR_QUEUE).iterdir()))
            await until(stamp_of(folder, 600).exists)
            await until(stamp_of(folder, 301).exists)
            await until(lambda: cause_of(folder, "authorities", "horodatage") == "")
    assert not await asyncio.to_thread(files.put_in_queue, folder, "horodatage", 600, b"text")
    state = await asyncio.to_thread(files.read_state, folder)
    assert state is not None
    assert (state.authorities["horodatage"].cause, state.authorities["horodatage"].waiting) == ("", 0)


@pytest.mark.parametrize("answer", ["another authority", "another text", "replayed", "garbage", "refused"])
async def test_an_answer_that_proves_nothing_is_not_kept(
    folder: Path, real: OpensslAuthority, tmp_path: Path, answer: str
):
    stranger = OpensslAuthority(tmp_path / "inconnue") if answer == "another authority" else real
    answers = {
        "another authority": stranger.answer,
        "another text": lambda _: real.stamp(b"something else"),
        "replayed": lambda _: real.stamp(b"journal.test\n600\n", "-no_nonce"),
        "garbage": lambda _: b"\x30\x82\xff\xff" + bytes(100),
        "refused": lambda _: None,
    }
    with serving(Service(answers[answer])) as service:
        async with anchoring(settings_of(folder, service.url, real.root)):
            expected = "refused" if answer == "refused" else "unverified"
            await until(lambda: cause_of(folder, "authorities", "horodatage") == expected)
    assert not list((folder / layout.TIMESTAMPS).iterdir())
    assert (folder / layout.ANCHOR_QUEUE / "600-horodatage").exists()


async def test_an_authority_whose_clock_is_apart_is_an_alarm_and_not_an_anchor(folder: Path, real: OpensslAuthority):
    """LAW-30: the log never contradicts its own anchor, and a wrong clock is told."""
    with serving(Service(real.answer)) as service:
        async with anchoring(settings_of(folder, service.url, real.root), ClockApart()):
            await until(lambda: cause_of(folder, "authorities", "horodatage") == "clock")
    assert not list((folder / layout.TIMESTAMPS).iterdir())


async def test_an_answer_without_end_is_cut(folder: Path, real: OpensslAuthority):
    with serving(Service(lambda _: bytes(1_000_000))) as service:
        async with anchoring(settings_of(folder, service.url, real.root)):
            await until(lambda: cause_of(folder, "authorities", "horodatage") == "refused")


async def test_an_authority_without_certificates_is_refused_at_the_start(folder: Path):
    with pytest.raises(VmsError) as refused:
        async with anchoring(settings_of(folder, "http://127.0.0.1:9/", b"nothing")):
            pass
    assert refused.value.code == "audit.authority"


def test_a_new_certificate_of_an_authority_joins_the_old_one(tmp_path: Path, folder: Path, real: OpensslAuthority):
    renewed = OpensslAuthority(tmp_path / "suivante")
    (folder / layout.AUTHORITIES).mkdir(parents=True)
    for pem in (real.root, renewed.root, renewed.root):
        files.store_authority(folder, "horodatage", pem)
    kept = (folder / layout.AUTHORITIES / "horodatage.pem").read_bytes()
    assert kept.count(b"BEGIN CERTIFICATE") == 2


def test_of_a_long_outage_the_newest_checkpoints_wait(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "QUEUE_LIMIT", 3)
    (folder / layout.ANCHOR_QUEUE).mkdir(parents=True)
    for size in range(1, 6):
        files.put_in_queue(folder, "horodatage", size, b"text")
    assert files.waiting(folder, "horodatage") == [5, 4, 3]


@pytest.mark.parametrize("fault", list(Fault))
def test_no_fault_loses_what_waits_for_its_time_stamp(folder: Path, fault: Fault):
    """At every call of the disk: what was queued waits, or has its time-stamp; it is asked for twice at worst."""
    for name in (layout.ANCHOR_QUEUE, layout.TIMESTAMPS):
        (folder / name).mkdir(parents=True)

    def spoilt(size: int, saboteur: Saboteur) -> bool:
        queued = False
        with saboteur.at_work(), suppress(Killed, OSError):
            queued = files.put_in_queue(folder, "horodatage", size, b"text")
            files.store_timestamp(folder, "horodatage", size, b"answer")
        return queued

    counted = Saboteur()
    assert spoilt(1, counted)
    assert counted.calls >= 8
    for at in range(counted.calls):
        size = at + 2
        queued = spoilt(size, Saboteur(at, fault))
        waits, stamped = size in files.waiting(folder, "horodatage"), stamp_of(folder, size).exists()
        assert waits or stamped or not queued
        if waits:
            assert files.read_queued(folder, "horodatage", size) == b"text"
        if stamped:
            assert stamp_of(folder, size).read_bytes() == b"answer"


def test_the_state_of_the_anchors_is_a_few_french_lines_and_a_code(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / layout.ANCHOR_QUEUE).mkdir(parents=True)
    now = SystemClock().utc_ns()
    hours = 3_600 * NS_PER_SECOND
    party = files.PartyState("horodatage", 600, now - 9 * hours).failed("unreachable", "no route", now - 8 * hours)
    state = files.AnchorState(now, "", 3_600, {"horodatage": party}, {})
    files.store_state(folder, state)
    with pytest.raises(SystemExit) as ended:
        vms(["audit", "status", "--folder", str(folder)])
    said = capsys.readouterr().out
    assert ended.value.code == 6
    assert "600 inscriptions publiées" in said
    assert "depuis 480 min, ne répond pas" in said
    forked = files.AnchorState(now, "", 3_600, {}, {"t": files.PartyState("t").failed("inconsistent", "", now)})
    assert anchors_code(forked, now) == 8
    assert "UN AUTRE JOURNAL" in anchors_text(forked, now)
    assert "aucune autorité" in anchors_text(None, now)
    with pytest.raises(SystemExit):
        vms(["audit", "head", "--folder", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out)["anchors"]["authorities"]["horodatage"]["size"] == 600
