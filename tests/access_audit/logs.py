"""A real log for the tests: a writer in a task, a client on its socket, and events to record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.keys import load_log_key
from access_audit.retention import Retention
from access_audit.writer import WriterSettings, run_writer
from vms.base.clock import Clock, SystemClock

ORIGIN = "journal.test"
OPERATOR = Author("per-1", "Odile Opératrice", "operator")


def settings_of(folder: Path) -> WriterSettings:
    """A log in `folder`, its key outside of it."""
    return WriterSettings(folder / "log", folder / "audit.sock", folder / "keys" / "log.key", ORIGIN)


@asynccontextmanager
async def running_writer(
    folder: Path, clock: Clock | None = None, retention: Retention | None = None
) -> AsyncIterator[WriterSettings]:
    """A writer that answers at the start of the block and is gone at its end."""
    settings = replace(settings_of(folder), retention=retention)
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_writer(settings, clock or SystemClock(), stop, ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if task.done():
            task.result()
        yield settings
    finally:
        stop.set()
        if not task.done() or not task.exception():
            await task


@asynccontextmanager
async def client_of(
    settings: WriterSettings, timeout_s: float = 3.0, seen: Path | None = None
) -> AsyncIterator[AuditClient]:
    """A client of a running writer."""
    key = await asyncio.to_thread(load_log_key, settings.folder / "log.pub")
    client = AuditClient(settings.socket, key, timeout_s, seen)
    try:
        yield client
    finally:
        await client.close()


def look(camera: str = "cam-1", commune: str = "27229", **fields: object) -> AccessEvent:
    """A look at a camera by an operator."""
    given: dict[str, object] = {
        "kind": EventKind.LIVE_OPENED,
        "author": OPERATOR,
        "at_ns": 1_790_000_000_000_000_000,
        "reason": Reason("security_of_persons_and_property", "ronde de nuit"),
        "recipients": (OPERATOR.person_id,),
        "commune": commune,
        "authority": "Maire d'Évreux",
        "camera_id": camera,
        "details": {"session": "view-1", "streams": "main"},
    }
    return AccessEvent(**{**given, **fields})  # type: ignore[arg-type]


def collected(number: int) -> AccessEvent:
    """What a node says of an hour of recording."""
    return AccessEvent(
        kind=EventKind.RECORDING_COLLECTED,
        author=Author("shard-0", "Enregistreur", "system"),
        at_ns=1_790_000_000_000_000_000 + number,
        reason=Reason("recording"),
        commune="27229",
        camera_id="cam-1",
        details={"segments": "60", "bytes": str(number), "digest": "ab"},
    )
