from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from access_audit import spool as spool_module
from access_audit.events import EventKind
from access_audit.journal import JournalQuery
from access_audit.spool import Spool
from tests.access_audit.logs import client_of, collected, look, running_writer
from vms.base.errors import VmsError

KINDS = frozenset({EventKind.RECORDING_COLLECTED})


async def _fill(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        await asyncio.to_thread(spool.append, collected(number))


async def test_what_was_kept_while_the_writer_was_away_arrives_once_and_in_order(tmp_path: Path):
    """Recording depends on nobody; its entries are late, never lost and never twice."""
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, 1, 2, 3)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        assert await spool.deliver(client) == 3
        await _fill(spool, 4)
        assert await spool.deliver(client) == 1
        assert await spool.deliver(client) == 0
        page = await client.search(JournalQuery(kinds=KINDS))
    assert [entry.event.details["bytes"] for entry in page.entries if entry.event] == ["4", "3", "2", "1"]


async def test_a_spool_goes_on_after_a_restart_of_node_and_writer(tmp_path: Path):
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, 1, 2)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await spool.deliver(client)
    await asyncio.to_thread(spool.close)
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    assert spool.sequence == 2
    await _fill(spool, 3)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        assert await spool.deliver(client) == 1


async def test_a_lost_answer_leads_to_no_second_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, 1, 2)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        real = client.record_spooled

        async def lost(*arguments):
            await real(*arguments)
            raise spool_module._forked("answer lost on the way")

        monkeypatch.setattr(client, "record_spooled", lost)
        with pytest.raises(VmsError):
            await spool.deliver(client)
        monkeypatch.setattr(client, "record_spooled", real)
        assert await spool.deliver(client) == 0
        assert len((await client.search(JournalQuery(kinds=KINDS))).entries) == 2


async def test_a_torn_end_is_dropped_and_the_spool_goes_on(tmp_path: Path):
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, 1, 2)
    await asyncio.to_thread(spool.close)
    file = next((tmp_path / "spool").glob("*.spl"))
    content = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, content[:-5])
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    assert spool.sequence == 1
    await _fill(spool, 3)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        assert await spool.deliver(client) == 2


async def test_files_that_the_log_has_wholly_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spool_module, "ROLL_BYTES", 500)
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, *range(20))
    before = len(list((tmp_path / "spool").glob("*.spl")))
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await spool.deliver(client)
        assert before > len(list((tmp_path / "spool").glob("*.spl"))) == 1
        await _fill(spool, 21)
        assert await spool.deliver(client) == 1


async def test_a_spool_that_was_rolled_back_is_found_out(tmp_path: Path):
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, 1, 2)
    file = next((tmp_path / "spool").glob("*.spl"))
    old = await asyncio.to_thread(file.read_bytes)
    await _fill(spool, 3)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await spool.deliver(client)
        await asyncio.to_thread(spool.close)
        await asyncio.to_thread(file.write_bytes, old)
        restored = await asyncio.to_thread(Spool, tmp_path / "spool")
        with pytest.raises(VmsError, match=r"audit\.spool_forked"):
            await restored.deliver(client)


@pytest.mark.parametrize("lie", ["without a proof", "with the proof of another entry", "with a broken proof"])
async def test_the_spool_forgets_nothing_on_the_word_of_the_writer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
):
    """LAW-25: what a node has collected is let go of only when the log has proved to have it."""
    monkeypatch.setattr(spool_module, "ROLL_BYTES", 500)
    spool = await asyncio.to_thread(Spool, tmp_path / "spool")
    await _fill(spool, *range(6))
    files = sorted((tmp_path / "spool").glob("*.spl"))
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await client.record(look())
        proof = await client.proof(1)
        if lie == "without a proof":
            answer: dict[str, object] = {"sequence": 6, "proof": None}
        elif lie == "with the proof of another entry":
            answer = {"sequence": 6, "proof": proof}
        else:
            answer = {"sequence": 6, "proof": {**proof, "path": []}}

        async def lying(*_: object, **__: object) -> dict[str, object]:
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(client, "_ask_json", lying)
            with pytest.raises(VmsError, match=r"audit\.unavailable"):
                await spool.deliver(client)
        assert sorted((tmp_path / "spool").glob("*.spl")) == files
        assert await spool.deliver(client) == 6


async def test_a_log_with_other_entries_of_the_spool_is_found_out(tmp_path: Path):
    """Two nodes that bear one identity, as after a restored copy: the second one forgets nothing."""
    first = await asyncio.to_thread(Spool, tmp_path / "first")
    identity = await asyncio.to_thread((tmp_path / "first" / "id").read_bytes)
    await asyncio.to_thread((tmp_path / "second").mkdir)
    await asyncio.to_thread((tmp_path / "second" / "id").write_bytes, identity)
    second = await asyncio.to_thread(Spool, tmp_path / "second")
    await _fill(first, 1, 2)
    await _fill(second, 3, 4, 5)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        assert await first.deliver(client) == 2
        with pytest.raises(VmsError, match=r"audit\.spool_forked"):
            await second.deliver(client)
