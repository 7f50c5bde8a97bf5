from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from access_audit.events import Author, EventKind, LegalOperation
from access_audit.journal import JournalPage, JournalQuery
from access_audit.merkle import leaf_hash, root_from_consistency
from access_audit.receipt import AuditReceipt
from access_audit.search import JournalIndex
from access_audit.sequence import read_batches
from tests.access_audit.logs import OPERATOR, client_of, look, running_writer, settings_of
from vms.base import durable
from vms.base.clock import ManualClock
from vms.base.errors import ErrorKind, VmsError


def sequenced_leaves(folder: Path) -> list[bytes]:
    files = sorted((folder / "sequence").glob("*.seq"))
    batches = [batch for file in files for batch in read_batches(file)]
    return [leaf for batch in batches if not isinstance(batch, int) for leaf in batch.leaves]


async def test_a_receipt_stands_for_an_entry_that_is_on_the_disk(tmp_path: Path):
    """LAW-25, LAW-30, A1: when the receipt is there, so is the entry, synced."""
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        receipt = await client.record(look())
        leaves = await asyncio.to_thread(sequenced_leaves, settings.folder)
    assert receipt.index == 1
    assert receipt.leaf_hash in {leaf_hash(leaf) for leaf in leaves}


def test_a_receipt_cannot_be_made_by_hand():
    with pytest.raises(TypeError, match="not by hand"):
        AuditReceipt(1, b"", "", b"", 0, b"", b"", None, object())  # type: ignore[arg-type]


async def test_entries_and_receipts_survive_a_restart(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        receipts = await client.record_all([look(f"cam-{number}") for number in range(300)])
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        for receipt in (receipts[0], receipts[254], receipts[255], receipts[299]):
            proof = await client.proof(receipt.index)
            assert leaf_hash(proof["leaf"].encode()) == receipt.leaf_hash
        checkpoint, path = await client.consistency(receipts[0].tree_size)
        old = receipts[0]
        assert root_from_consistency(old.tree_size, old.root, checkpoint.size, path) == checkpoint.root


async def test_many_callers_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    syncs = 0
    real = durable.sync_data

    def counted(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        real(descriptor)

    monkeypatch.setattr(durable, "sync_data", counted)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        before = syncs
        receipts = await asyncio.gather(*(client.record(look(f"cam-{number}")) for number in range(200)))
        assert syncs - before < 20
    assert sorted(receipt.index for receipt in receipts) == list(range(1, 201))


async def test_a_disk_that_refuses_fails_the_caller_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        first = await client.record(look())
        with monkeypatch.context() as patch:
            patch.setattr(durable, "sync_data", _full)
            with pytest.raises(VmsError) as refused:
                await client.record(look("cam-lost"))
        assert refused.value.code == "audit.unavailable"
        second = await client.record(look("cam-2"))
        assert second.index == first.index + 1
        page = await client.search(JournalQuery())
    cameras = [entry.event.camera_id for entry in page.entries if entry.event]
    assert "cam-lost" not in cameras
    assert "cam-2" in cameras


def _full(_: int) -> None:
    raise OSError(errno.ENOSPC, "no space left on device")


async def test_a_second_writer_is_refused_in_french(tmp_path: Path):
    async with running_writer(tmp_path):
        with pytest.raises(VmsError) as refused:
            async with running_writer(tmp_path):
                pass
    assert refused.value.kind is ErrorKind.CONFLICT
    assert "déjà utilisé" in refused.value.message


async def test_a_writer_that_is_away_is_unavailable_within_the_deadline(tmp_path: Path):
    async with running_writer(tmp_path) as settings:
        pass
    async with client_of(settings, timeout_s=0.2) as client:
        with pytest.raises(VmsError) as refused:
            await client.record(look())
    assert refused.value.code == "audit.unavailable"
    assert "aucune image" in refused.value.message


async def test_a_client_goes_on_with_a_restarted_writer(tmp_path: Path):
    async with running_writer(tmp_path) as settings:
        client_block = client_of(settings)
        client = await client_block.__aenter__()
        await client.record(look())
    async with running_writer(tmp_path):
        receipt = await client.record(look())
    assert receipt.index == 3
    await client_block.__aexit__(None, None, None)


async def test_a_clock_that_goes_back_is_said_and_time_never_does(tmp_path: Path):
    clock = ManualClock()
    async with running_writer(tmp_path, clock) as settings, client_of(settings) as client:
        before = await client.record(look())
        clock.step_utc(-3600)
        after = await client.record(look())
        page = await client.search(JournalQuery(kinds=frozenset({EventKind.LOG_CLOCK_STEPPED})))
    assert after.at_ns >= before.at_ns
    assert len(page.entries) == 1


async def test_nobody_else_makes_entries_about_the_log(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        with pytest.raises(VmsError, match=r"audit\.event"):
            await client.record(look(kind=EventKind.LOG_STARTED, details={}))


async def test_the_journal_is_searched_by_every_key(tmp_path: Path):
    """LAW-31."""
    other = Author("per-2", "Ursule", "operator")
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await client.record_all(
            [
                look("cam-1", "27229"),
                look("cam-2", "27681", author=other),
                look("cam-1", "27229", kind=EventKind.PLAYBACK_OPENED, details={"session": "view-2"}),
            ]
        )

        async def numbers(**fields: object) -> list[int]:
            page = await client.search(JournalQuery(**fields))  # type: ignore[arg-type]
            return [entry.index for entry in page.entries]

        assert await numbers() == [3, 2, 1, 0]
        assert await numbers(person_id=other.person_id) == [2]
        assert await numbers(camera_id="cam-1") == [3, 1]
        assert await numbers(communes=frozenset({"27681"})) == [2]
        assert await numbers(communes=frozenset()) == []
        assert await numbers(operations=frozenset({LegalOperation.CONSULTATION})) == [3, 2, 1]
        assert await numbers(operations=frozenset({LegalOperation.ERASURE})) == []
        assert await numbers(until_ns=1) == []
        page = await client.search(JournalQuery(limit=2))
        assert page.next_before == 2
        assert await numbers(limit=2, before_index=page.next_before) == [1, 0]
        assert page.entries[0].event is not None
        assert page.entries[0].event.author == OPERATOR


async def test_a_long_search_holds_up_nobody_who_renews_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """LAW-26: a lease is prolonged while the log answers, whatever else it is asked."""
    begun, go_on = threading.Event(), threading.Event()
    search = JournalIndex.search

    def slow(index: JournalIndex, query: JournalQuery, published: int) -> JournalPage:
        if not query.kinds:  # the writer itself looks for kinds when it starts
            begun.set()
            assert go_on.wait(20)
        return search(index, query, published)

    monkeypatch.setattr(JournalIndex, "search", slow)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await client.record(look())
        searching = asyncio.create_task(client.search(JournalQuery()))
        assert await asyncio.to_thread(begun.wait, 10)
        head = await client.head()
        assert not searching.done()
        go_on.set()
        page = await searching
    assert head.size > page.entries[-1].index


async def test_a_lost_or_broken_index_is_made_again(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await client.record(look())
        await client.search(JournalQuery())
    index = settings_of(tmp_path).folder / "index.sqlite"
    await asyncio.to_thread(index.write_bytes, b"this is no database, and never was one" * 100)
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        page = await client.search(JournalQuery(camera_id="cam-1"))
    assert len(page.entries) == 1


async def test_an_entry_that_is_not_there_is_said_so(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        with pytest.raises(VmsError) as missing:
            await client.proof(99)
    assert missing.value.kind is ErrorKind.NOT_FOUND


async def test_a_log_without_its_key_is_never_given_another(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await client.record(look())
    await asyncio.to_thread(durable.remove, settings.key_file)
    with pytest.raises(VmsError) as refused:
        async with running_writer(tmp_path):
            pass
    assert refused.value.code == "audit.key"
    assert not settings.key_file.exists()
