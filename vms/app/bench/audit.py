"""`vms bench audit`: durable entries a second and how long a caller waits, beside the bare disk and beside SQLite.

A real writer process on a real socket; the callers are tasks of this process. Ratios are of one run on one disk, so
they mean the same on every machine; the rates do not.
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
from dataclasses import dataclass
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from typing import Any

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import event_payload
from access_audit.keys import load_log_key
from access_audit.writer import WriterSettings, run_writer
from vms.base import durable
from vms.base.clock import SystemClock
from vms.base.log import configure_logging

_START_S = 15.0


@dataclass(frozen=True, slots=True)
class AuditBenchOptions:
    """How long to measure at each number of callers, and on which disk (None: that of temporary files)."""

    seconds: float = 3.0
    callers: tuple[int, ...] = (1, 16, 256)
    folder: Path | None = None


async def run_audit_bench(options: AuditBenchOptions) -> dict[str, Any]:
    """Measure the bare disk, SQLite, then the log; rates are entries a second, times milliseconds."""
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="vms-bench-audit-") as name:
        folder = Path(name)
        payload = event_payload(_event(0))
        sync_s = await asyncio.to_thread(_bare_sync, folder, payload, options.seconds / 2)
        sqlite_rate = await asyncio.to_thread(_sqlite, folder, payload, options.seconds / 2)
        levels = await _log(folder, options)
    for level in levels:
        level["against_sqlite"] = round(level["entries_per_s"] / sqlite_rate, 1)
        level["share_of_possible"] = round(level["entries_per_s"] * sync_s / level["entries_per_sync"], 2)
        level["p50_in_syncs"] = round(level["p50_ms"] / (sync_s * 1_000), 2)
    return {
        "seconds": options.seconds,
        "sync_ms": round(sync_s * 1_000, 3),
        "syncs_per_s": round(1 / sync_s),
        "sqlite_commits_per_s": round(sqlite_rate),
        "levels": levels,
    }


def audit_text(result: dict[str, Any]) -> str:
    """The figures as lines of French."""
    lines = [
        f"Disque nu : {result['syncs_per_s']} synchronisations/s ({result['sync_ms']} ms)",
        f"SQLite, une transaction par inscription : {result['sqlite_commits_per_s']}/s",
    ]
    lines += [
        f"{level['callers']:4d} appelants : {level['entries_per_s']} inscriptions/s, médiane {level['p50_ms']} ms, "
        f"99e centile {level['p99_ms']} ms, {level['entries_per_sync']} par synchronisation, "
        f"{level['against_sqlite']} × SQLite"
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


def _bare_sync(folder: Path, payload: bytes, seconds: float) -> float:
    """The median time of an append and its sync, in seconds."""
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
    return statistics.median(times)


def _sqlite(folder: Path, payload: bytes, seconds: float) -> float:
    """Commits a second, one entry each, as durable as the log."""
    database = sqlite3.connect(folder / "entries.sqlite", isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            database.execute("INSERT INTO entry (payload) VALUES (?)", (payload,))
            count += 1
        return count / (time.perf_counter() - start)
    finally:
        database.close()


async def _log(folder: Path, options: AuditBenchOptions) -> list[dict[str, Any]]:
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
            return [await _measure(client, callers, options.seconds) for callers in options.callers]
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
    asyncio.run(run())


async def _measure(client: AuditClient, callers: int, seconds: float) -> dict[str, Any]:
    times: list[float] = []
    checkpoints: set[int] = set()
    end = time.perf_counter() + seconds

    async def call(number: int) -> None:
        while (start := time.perf_counter()) < end:
            receipt = await client.record(_event(number))
            times.append(time.perf_counter() - start)
            checkpoints.add(receipt.tree_size)

    began = time.perf_counter()
    await asyncio.gather(*(call(number) for number in range(callers)))
    elapsed = time.perf_counter() - began
    times.sort()
    return {
        "callers": callers,
        "entries_per_s": round(len(times) / elapsed),
        "entries_per_sync": round(len(times) / len(checkpoints), 1),
        "p50_ms": round(times[len(times) // 2] * 1_000, 3),
        "p99_ms": round(times[len(times) * 99 // 100] * 1_000, 3),
    }
