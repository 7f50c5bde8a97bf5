"""A real writer process, really killed, really stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from access_audit.client import AuditClient
from access_audit.receipt import AuditReceipt
from access_audit.verify import Report, verify_log
from access_audit.writer import WriterSettings
from tests.access_audit.logs import client_of, look, settings_of
from tests.writer_faults import Silence, no_byte_more
from vms.base.errors import VmsError

PROGRAM = """
import asyncio, sys
from pathlib import Path
from access_audit.writer import WriterSettings, run_writer
from vms.base.clock import SystemClock

settings = WriterSettings(*map(Path, sys.argv[1:4]), sys.argv[4])
ready = lambda: print("ready", flush=True)
asyncio.run(run_writer(settings, SystemClock(), asyncio.Event(), ready))
"""


@asynccontextmanager
async def writer_process(settings: WriterSettings) -> AsyncIterator[Process]:
    """A writer of its own process, killed at the end of the block."""
    paths = [str(settings.folder), str(settings.socket), str(settings.key_file)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *paths, settings.origin, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            while (line := await process.stdout.readline()).strip() != b"ready":
                assert line, "the writer ended before it was ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def verified(settings: WriterSettings, receipts: list[AuditReceipt]) -> Report:
    key = await asyncio.to_thread((settings.folder / "log.pub").read_text)
    given = [receipt.to_json() for receipt in receipts]
    return await asyncio.to_thread(verify_log, settings.folder, key, receipts=given, workers=1)


async def record_until_killed(client: AuditClient, receipts: list[AuditReceipt]) -> None:
    while True:
        try:
            receipts.append(await client.record(look()))
        except VmsError as refused:
            if refused.code != "audit.unavailable":
                raise
            return


async def test_every_receipt_holds_after_kill_9(tmp_path: Path):
    """A1: three lives, each ended by SIGKILL while sixteen callers wait."""
    settings = settings_of(tmp_path)
    receipts: list[AuditReceipt] = []
    for life in range(1, 4):
        async with writer_process(settings) as process, client_of(settings, timeout_s=1.0) as client:
            callers = [asyncio.create_task(record_until_killed(client, receipts)) for _ in range(16)]
            async with asyncio.timeout(20):
                while len(receipts) < life * 400:  # noqa: ASYNC110 - a count has no event
                    await asyncio.sleep(0.005)
            process.kill()
            await process.wait()
            await asyncio.gather(*callers)
        report = await verified(settings, receipts)
        assert report.findings == []
    assert len({receipt.index for receipt in receipts}) == len(receipts)
    async with writer_process(settings), client_of(settings) as client:
        await client.head()
        report = await verified(settings, receipts)
    assert report.findings == []
    assert report.pending == 0


async def test_a_stopped_writer_refuses_within_the_deadline_and_recovers_by_itself(tmp_path: Path):
    """Fail closed (LAW-26): SIGSTOP, one clear sentence, then SIGCONT."""
    settings = settings_of(tmp_path)
    async with writer_process(settings) as process, client_of(settings, timeout_s=0.3) as client:
        before = await client.record(look())
        os.kill(process.pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(VmsError) as refused:
            await client.record(look())
        assert loop.time() - start < 1.0
        assert refused.value.code == "audit.unavailable"
        assert refused.value.message.startswith("Le journal des accès ne répond pas")
        assert refused.value.hint
        os.kill(process.pid, signal.SIGCONT)
        after = await _soon(client)
        assert after.index > before.index
        report = await verified(settings, [before, after])
    assert report.findings == []


async def test_a_writer_without_room_says_so_to_whoever_asks_and_goes_on_when_there_is_some(tmp_path: Path):
    """Fail closed (LAW-26): a log that cannot write does not say that it is there, and nothing of it is lost."""
    settings = settings_of(tmp_path)
    async with writer_process(settings) as process, client_of(settings) as client:
        before = await client.record(look())
        with no_byte_more(process.pid):
            for call in (client.record(look()), client.head(), client.record(look()), client.head()):
                with pytest.raises(VmsError) as refused:
                    await call
                assert refused.value.code == "audit.unavailable"
                assert "ne peut plus écrire sur son disque" in refused.value.message
        assert (await client.head()).size >= before.tree_size
        after = await client.record(look())
        report = await verified(settings, [before, after])
    assert report.findings == []


async def test_a_connection_that_leads_nowhere_is_left_for_one_that_answers(tmp_path: Path):
    """A partition that swallowed a connection: the first call fails in time, the next one gets through."""
    settings = settings_of(tmp_path)
    async with writer_process(settings):
        silence = await asyncio.to_thread(Silence, settings.socket)
        async with client_of(settings, timeout_s=0.3) as client:
            for call in (client.record(look()), client.head()):
                with pytest.raises(VmsError, match=r"audit\.unavailable"):
                    await call
            first = asyncio.create_task(client.record(look()))
            while silence.taken < 3:  # noqa: ASYNC110 - a count has no event
                await asyncio.sleep(0.01)
            await asyncio.to_thread(silence.step_aside)
            with pytest.raises(VmsError, match=r"audit\.unavailable"):
                await first
            assert (await client.record(look())).index > 0
        silence.close()


async def _soon(client: AuditClient) -> AuditReceipt:
    async with asyncio.timeout(10):
        while True:
            try:
                return await client.record(look())
            except VmsError:
                await asyncio.sleep(0.02)


async def test_sixty_four_callers_are_served_by_few_syncs(tmp_path: Path):
    """Greedy group commit: what waits is synced together, and every caller has a receipt of its own."""
    settings = settings_of(tmp_path)
    async with writer_process(settings), client_of(settings) as client:
        receipts = await asyncio.gather(*(client.record(look(f"cam-{number}")) for number in range(64)))
        again = await asyncio.gather(*(client.record(look(f"cam-{number}")) for number in range(64)))
        report = await verified(settings, [*receipts, *again])
    assert report.findings == []
    assert len({receipt.index for receipt in (*receipts, *again)}) == 128
    assert len({receipt.tree_size for receipt in receipts}) <= 4


async def test_the_log_is_verified_while_it_is_written(tmp_path: Path):
    settings = settings_of(tmp_path)
    async with writer_process(settings) as process, client_of(settings) as client:
        receipts: list[AuditReceipt] = []
        callers = [asyncio.create_task(record_until_killed(client, receipts)) for _ in range(8)]
        for _ in range(5):
            held = receipts[-50:]
            report = await verified(settings, held)
            assert [found for found in report.findings if not _later(found.index, report)] == []
        process.kill()
        await asyncio.gather(*callers)


def _later(index: int | None, report: Report) -> bool:
    """A receipt given after the verifier had read the checkpoint is not yet in what it judges."""
    return index is not None and index >= report.size + report.pending


async def test_the_verifier_runs_without_the_product(tmp_path: Path):
    """LAW-31: on a machine that has Python and `cryptography`, and nothing of ours but the verifier."""
    settings = settings_of(tmp_path)
    async with writer_process(settings), client_of(settings) as client:
        receipt = await client.record(look())
        proof = await client.proof(receipt.index)
    alone = tmp_path / "alone"
    await asyncio.to_thread(_carry_off, alone, receipt, proof)
    runs = {
        "fr": [str(settings.folder), "--receipt", "receipt.json"],
        "en": ["proof.json", "--lang", "en"],
        "json": [str(settings.folder), "--json"],
    }
    said = {}
    for name, arguments in runs.items():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "access_audit.verify", *arguments, "--key", str(settings.folder / "log.pub"),
            cwd=alone, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        assert process.returncode == 0, errors
        said[name] = output.decode()
    assert "Le journal est intègre." in said["fr"]
    assert "14. Reçus fournis : conforme" in said["fr"]
    assert "Proof of inclusion: passed" in said["en"]
    assert json.loads(said["json"])["ok"] is True


def _carry_off(alone: Path, receipt: AuditReceipt, proof: dict[str, object]) -> None:
    source = Path(verify_log.__code__.co_filename).parent
    target = alone / "access_audit" / "verify"
    target.mkdir(parents=True)
    (alone / "access_audit" / "__init__.py").touch()
    for file in source.glob("*.py"):
        (target / file.name).write_bytes(file.read_bytes())
    (alone / "receipt.json").write_text(json.dumps(receipt.to_json()))
    (alone / "proof.json").write_text(json.dumps(proof))
