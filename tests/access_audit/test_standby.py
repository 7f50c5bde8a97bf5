"""One log, one writer, whatever is copied, killed, restored and started again: nothing forks."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from access_audit.client import AuditClient
from access_audit.events import EventKind
from access_audit.journal import JournalQuery
from access_audit.keys import open_signing_key
from access_audit.ledger import Ledger
from access_audit.rotation import LOG_WRITER
from access_audit.seen import Seen, SeenState, read_seen
from access_audit.standby import FENCE, Standing, copy_log, take_over
from access_audit.verify import Report, verify_log
from access_audit.writer import WriterSettings
from tests.access_audit.logs import ORIGIN, client_of, look, running_writer, settings_of
from tests.access_audit.test_faults import Fault, Saboteur
from vms.base.clock import SystemClock
from vms.base.errors import VmsError

THERE = "standby"


def place(folder: Path) -> Path:
    """A second place: its own keys folder, to which the key came by another way."""
    there = folder / THERE
    (there / "keys").mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "keys" / "log.key", there / "keys" / "log.key")
    return there


def take(there: Path, old: Path | None = None, seen: list[SeenState] | None = None) -> Standing:
    settings = settings_of(there)
    key = open_signing_key(settings.key_file, settings.folder, ORIGIN)
    return take_over(
        settings.folder, key, settings.key_file.parent, SystemClock(), LOG_WRITER, old=old, seen=seen or []
    )


def judge(settings: WriterSettings, known: list[bytes] | None = None) -> Report:
    return verify_log(settings.folder, (settings.folder / "log.pub").read_text(), known=known or [], workers=1)


async def watch(client: AuditClient, count: int = 1) -> None:
    for number in range(count):
        await client.record(look(f"camera-{number}"))


async def test_a_copy_takes_over_and_the_old_writer_is_refused_by_all_and_by_itself(tmp_path: Path):
    """Copied, killed, taken over; the old one comes back: its folder is fenced, and no client takes it."""
    seen = tmp_path / "centre.seen"
    async with running_writer(tmp_path) as old, client_of(old, seen=seen) as client:
        await watch(client, 3)
        there = await asyncio.to_thread(place, tmp_path)
        await asyncio.to_thread(copy_log, old.folder, there / "log")
        await watch(client, 2)
    with pytest.raises(VmsError, match=r"audit\.other_writer"):
        async with running_writer(there):
            pass
    await asyncio.to_thread(copy_log, old.folder, there / "log")
    state = await asyncio.to_thread(read_seen, seen)
    assert state is not None
    assert (await asyncio.to_thread(take, there, old.folder, [state])).epoch == 2
    async with running_writer(there) as new:
        async with client_of(new, seen=seen) as client:
            await watch(client)
            found = await client.search(JournalQuery(kinds=frozenset({EventKind.LOG_TAKEN_OVER})))
            assert len(found.entries) == 1
        with pytest.raises(VmsError, match=r"audit\.fenced"):
            async with running_writer(tmp_path):
                pass
    assert (await asyncio.to_thread(judge, new, [await asyncio.to_thread((old.folder / "checkpoint").read_bytes)])).ok
    assert (await asyncio.to_thread(judge, old)).ok


async def test_an_old_writer_that_was_not_reached_ends_when_a_client_shows_it_the_new_epoch(tmp_path: Path):
    """The old folder could not be fenced; one client that has seen the new writer is enough."""
    seen = tmp_path / "centre.seen"
    async with running_writer(tmp_path) as old, client_of(old, seen=seen) as client:
        await watch(client, 3)
    there = await asyncio.to_thread(place, tmp_path)
    await asyncio.to_thread(copy_log, old.folder, there / "log")
    state = await asyncio.to_thread(read_seen, seen)
    assert state is not None
    await asyncio.to_thread(take, there, None, [state])
    async with running_writer(there) as new, client_of(new, seen=seen) as client:
        await watch(client)
    with pytest.raises(VmsError, match=r"audit\.fenced"):  # noqa: PT012 - the writer ends inside
        async with running_writer(tmp_path), client_of(old, seen=seen) as client:
            before = await asyncio.to_thread((old.folder / "checkpoint").read_bytes)
            with pytest.raises(VmsError, match=r"audit\.(superseded|unavailable)"):
                await watch(client)
            assert await asyncio.to_thread((old.folder / FENCE).exists)
            assert await asyncio.to_thread((old.folder / "checkpoint").read_bytes) == before
    assert (await asyncio.to_thread(judge, new)).ok


async def test_a_copy_that_lacks_receipts_is_refused(tmp_path: Path):
    """By what a client has seen, and by the old folder; the copy stays as it was."""
    seen = tmp_path / "centre.seen"
    async with running_writer(tmp_path) as old, client_of(old, seen=seen) as client:
        await watch(client, 3)
        there = await asyncio.to_thread(place, tmp_path)
        await asyncio.to_thread(copy_log, old.folder, there / "log")
        await watch(client, 1)
    state = await asyncio.to_thread(read_seen, seen)
    assert state is not None
    before = await asyncio.to_thread((there / "log" / "checkpoint").read_bytes)
    with pytest.raises(VmsError, match=r"audit\.stale_copy"):
        await asyncio.to_thread(take, there, None, [state])
    with pytest.raises(VmsError, match=r"audit\.stale_copy"):
        await asyncio.to_thread(take, there, old.folder)
    with pytest.raises(VmsError, match=r"audit\.take_over"):
        await asyncio.to_thread(take, there)
    assert await asyncio.to_thread((there / "log" / "checkpoint").read_bytes) == before
    async with running_writer(tmp_path) as again, client_of(again, seen=seen) as client:
        await watch(client)


async def test_nothing_is_taken_over_from_a_writer_that_lives(tmp_path: Path):
    async with running_writer(tmp_path) as old, client_of(old) as client:
        await watch(client)
        there = await asyncio.to_thread(place, tmp_path)
        await asyncio.to_thread(copy_log, old.folder, there / "log")
        with pytest.raises(VmsError, match=r"folder\.in_use"):
            await asyncio.to_thread(take, there, old.folder)


async def test_a_log_that_was_set_back_is_refused_by_its_clients(tmp_path: Path):
    """A restored backup in the old place: even its own writer may start, no client records with it."""
    seen = tmp_path / "centre.seen"
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await watch(client)
    await asyncio.to_thread(shutil.copytree, settings.folder, tmp_path / "backup")
    async with running_writer(tmp_path), client_of(settings, seen=seen) as client:
        await watch(client, 3)

    def restore() -> None:
        for path in settings.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(tmp_path / "backup", settings.folder, dirs_exist_ok=True)

    await asyncio.to_thread(restore)
    async with running_writer(tmp_path), client_of(settings, seen=seen) as client:
        with pytest.raises(VmsError, match=r"audit\.other_log"):
            await watch(client)
    async with running_writer(tmp_path), client_of(settings) as honest:
        await watch(honest, 10)
        async with client_of(settings, seen=seen) as client:
            with pytest.raises(VmsError, match=r"audit\.other_log"):
                await watch(client)


async def test_nobody_but_the_log_fences_its_writer(tmp_path: Path):
    async with running_writer(tmp_path) as settings, client_of(settings) as client:
        await watch(client)
        proof = await client.proof(1)
        for lie in ({}, proof, {**await client.proof(0), "payload": "{}"}, None):
            with pytest.raises(VmsError, match=r"audit\.event"):
                await client._ask_json("fence", proof=lie)
        await client._ask_json("fence", proof=await client.proof(0))
        await watch(client)
    assert not await asyncio.to_thread((settings.folder / FENCE).exists)


def test_what_was_seen_survives_a_kill_and_never_goes_back(tmp_path: Path):
    notes = [f"log\n{size}\n{'AAAA' * 11}=\n\n— x\n".encode() for size in (5, 9, 7)]
    seen = Seen(tmp_path / "a.seen")
    seen.open()
    for note in notes:
        seen.keep(note, 1, {"index": 1})
    state = read_seen(tmp_path / "a.seen")
    assert state is not None
    assert (state.checkpoint.size, state.epoch, state.proof) == (9, 1, {"index": 1})
    content = bytearray((tmp_path / "a.seen").read_bytes())
    content[60] ^= 1
    (tmp_path / "a.seen").write_bytes(content)
    older = read_seen(tmp_path / "a.seen")
    assert older is not None
    assert older.checkpoint.size in {5, 9}
    seen.close()


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.FAILS_AFTER])
async def test_a_take_over_that_breaks_off_leaves_one_writer_or_none(tmp_path: Path, fault: Fault):
    async with running_writer(tmp_path) as old, client_of(old) as client:
        await watch(client, 2)

    def again(number: int) -> None:
        home = tmp_path / f"try-{number}"
        shutil.copytree(old.folder, home / "old")
        (home / "keys").mkdir()
        shutil.copy(tmp_path / "keys" / "log.key", home / "keys" / "log.key")
        copy_log(home / "old", home / "log")
        with Saboteur(number, fault).at_work(), suppress(BaseException):
            take(home, home / "old")
        taken = take(home, home / "old")
        assert taken.epoch >= 2
        assert (home / "old" / FENCE).exists()
        report = judge(settings_of(home), [(home / "old" / "checkpoint").read_bytes()])
        assert report.ok, report.findings
        key = open_signing_key(home / "keys" / "log.key", home / "log", ORIGIN)
        Ledger(home / "log", key, SystemClock()).close()

    for number in range(0, 30, 4):
        await asyncio.to_thread(again, number)
