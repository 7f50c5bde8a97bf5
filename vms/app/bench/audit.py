"""`vms bench audit`: durable entries a second and how long a caller waits, beside the bare disk and beside SQLite.

A real writer process on a real socket; the callers are tasks of this process. The three take turns in short rounds on
one disk, so that whatever else the machine does weighs on all of them: ratios mean the same everywhere, rates do not.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from typing import Any

import uvloop

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import event_payload
from access_audit.keys import load_log_key
from access_audit.writer import WriterSettings, run_writer
from vms.base import durable
from vms.base.clock import SystemClock
from vms.base.log import configure_logging

_START_S = 15.0
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class AuditBenchOptions:
    """How long to measure at each number of callers, and on which disk (None: that of temporary files)."""

    seconds: float = 3.0
    callers: tuple[int, ...] = (1, 16, 256)
    folder: Path | None = None


@dataclass(slots=True)
class _Level:
    """What was measured at one number of callers, over all rounds."""

    callers: int
    times: list[float] = field(default_factory=list)
    checkpoints: set[int] = field(default_factory=set)
    seconds: float = 0.0


async def run_audit_bench(options: AuditBenchOptions) -> dict[str, Any]:
    """Measure the bare disk, SQLite and the log in turns; rates are entries a second, times milliseconds.

    `share_of_possible` is the rate against that of a bare sync for each batch of that size; `p50_in_syncs` the median
    wait in bare syncs; `against_sqlite` the rate against one SQLite transaction (synchronous FULL, rollback journal) an
    entry, `against_sqlite_wal` the same with its write-ahead log.
    """
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="vms-bench-audit-") as name:
        folder = Path(name)
        payload = event_payload(_event(0))
        syncs: list[float] = []
        commits: dict[str, list[float]] = {"delete": [], "wal": []}
        levels = [_Level(callers) for callers in options.callers]
        async with _log(folder) as client:
            for _ in range(_ROUNDS):
                syncs += await asyncio.to_thread(_bare_sync, folder, payload, options.seconds / 2 / _ROUNDS)
                for journal in commits:
                    turn_s = options.seconds / 2 / _ROUNDS
                    commits[journal] += await asyncio.to_thread(_sqlite, folder, payload, turn_s, journal)
                for level in levels:
                    await _measure(client, level, options.seconds / _ROUNDS)
                    await client.head()  # publishes what is left, so that the next turn has the disk to itself
    sync_s = statistics.median(syncs)
    rates = {journal: len(times) / sum(times) for journal, times in commits.items()}
    return {
        "seconds": options.seconds,
        "sync_ms": round(sync_s * 1_000, 3),
        "syncs_per_s": round(1 / sync_s),
        "sqlite_commits_per_s": round(rates["delete"]),
        "sqlite_wal_commits_per_s": round(rates["wal"]),
        "levels": [_figures(level, sync_s, rates) for level in levels],
    }


def _figures(level: _Level, sync_s: float, rates: dict[str, float]) -> dict[str, Any]:
    times, rate = sorted(level.times), len(level.times) / level.seconds
    batch = len(times) / len(level.checkpoints)
    return {
        "callers": level.callers,
        "entries_per_s": round(rate),
        "entries_per_sync": round(batch, 1),
        "p50_ms": round(times[len(times) // 2] * 1_000, 3),
        "p99_ms": round(times[len(times) * 99 // 100] * 1_000, 3),
        "against_sqlite": round(rate / rates["delete"], 1),
        "against_sqlite_wal": round(rate / rates["wal"], 1),
        "share_of_possible": round(rate * sync_s / batch, 2),
        "p50_in_syncs": round(times[len(times) // 2] / sync_s, 2),
    }


def audit_text(result: dict[str, Any]) -> str:
    """The figures as lines of French."""
    lines = [
        f"Disque nu : {result['syncs_per_s']} synchronisations/s ({result['sync_ms']} ms)",
        f"SQLite, une transaction par inscription : {result['sqlite_commits_per_s']}/s",
        f"SQLite en mode WAL : {result['sqlite_wal_commits_per_s']}/s",
    ]
    lines += [
        f"{level['callers']:4d} appelants : {level['entries_per_s']} inscriptions/s, médiane {level['p50_ms']} ms, "
        f"99e centile {level['p99_ms']} ms, {level['entries_per_sync']} par synchronisation, "
        f"{level['against_sqlite']} × SQLite ({level['against_sqlite_wal']} × en mode WAL), "
        f"médiane de {level['p50_in_syncs']} synchronisations nues"
        for level in result["levels"]
    ]
    return "\n".join(lines)


def _event(number: int) -> AccessEvent:
    return AccessEvent(
        kind=EventKind.LIVE_OPENED,
        author=Author("per-bench", "Mesure", "operator"),
        at_ns=time.time_ns(),
        reason=Reason("bench", "mesure de performance"),
        recipients=("per-bench",),
        commune="27229",
        authority="Maire d'Évreux",
        camera_id=f"cam-{number % 100}",
        details={"session": f"view-{number}", "streams": "main"},
    )


def _bare_sync(folder: Path, payload: bytes, seconds: float) -> list[float]:
    """The times of an append and its sync, in seconds."""
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    times: list[float] = []
    end = time.perf_counter() + seconds
    try:
        while (start := time.perf_counter()) < end:
            durable.write_all(descriptor, [payload])
            durable.sync_data(descriptor)
            times.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
    return times


def _sqlite(folder: Path, payload: bytes, seconds: float, journal: str) -> list[float]:
    """The times of commits of one entry each, as durable as the log, in seconds."""
    database = sqlite3.connect(folder / f"entries-{journal}.sqlite", isolation_level=None)
    try:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE IF NOT EXISTS entry (number INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
        times: list[float] = []
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            database.execute("INSERT INTO entry (payload) VALUES (?)", (payload,))
            times.append(time.perf_counter() - start)
        return times
    finally:
        database.close()


@asynccontextmanager
async def _log(folder: Path) -> AsyncIterator[AuditClient]:
    """A log at work, and its client."""
    context = multiprocessing.get_context("spawn")
    settings = WriterSettings(folder / "log", folder / "audit.sock", folder / "log.key", "bench")
    ready = context.Event()
    process = context.Process(target=_writer_process, args=(settings, ready))
    await asyncio.to_thread(process.start)
    try:
        if not await asyncio.to_thread(ready.wait, _START_S):
            raise TimeoutError("the audit writer did not start")
        key = await asyncio.to_thread(load_log_key, settings.folder / "log.pub")
        client = AuditClient(settings.socket, key, timeout_s=30.0)
        try:
            await client.record(_event(0))
            yield client
        finally:
            await client.close()
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)


def _writer_process(settings: WriterSettings, ready: ProcessEvent) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await run_writer(settings, SystemClock(), stop, ready.set)

    configure_logging("audit-bench", level="warning")  # to standard error: the figures own standard output
    uvloop.run(run())  # as the processes of the product do


async def _measure(client: AuditClient, level: _Level, seconds: float) -> None:
    end = time.perf_counter() + seconds

    async def call(number: int) -> None:
        while (start := time.perf_counter()) < end:
            receipt = await client.record(_event(number))
            level.times.append(time.perf_counter() - start)
            level.checkpoints.add(receipt.tree_size)

    began = time.perf_counter()
    await asyncio.gather(*(call(number) for number in range(level.callers)))
    level.seconds += time.perf_counter() - began
