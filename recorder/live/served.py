"""What was sent to viewers, kept on the disk of the node for the daily comparison with the access log.

- One file a UTC day, `<day>.jsonl`; every 15 seconds a line for each session that was sent something since its last
  line, and one when it ended. Lines repeat the whole count: the last one of a session counts. A kill loses 15 seconds.
- A session that goes on after a restart of the gateway is a second view of the same session.
- Who watched is in the access log for its legal time; here it is forgotten after eight days (LAW-28, LAW-29).
- Showing images does not wait for this file: a disk that refuses is logged, and what was not written is written later.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog

from recorder.contract.served import ServedView
from recorder.live.leases import LeaseBook, SessionUse
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)

WRITE_EVERY_S = 15.0
KEEP_DAYS = 8
_MAX_FILE_BYTES = 256 * 1024 * 1024


class ServedBook:
    """Keeps the uses of a lease book. `run` until cancelled, `write` once more at the end."""

    def __init__(self, folder: Path, book: LeaseBook, clock: Clock) -> None:
        self._folder = folder
        self._book = book
        self._clock = clock
        self._written: dict[tuple[str, int], tuple[int, int]] = {}
        self._day = ""

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self.write()
            await self._clock.sleep(WRITE_EVERY_S)

    async def write(self) -> None:
        """Write what has changed since the last time."""
        now_ns = self._clock.utc_ns()
        changed = [
            use
            for use in self._book.uses()
            if use.sent_bytes and self._written.get(_name(use)) != (use.sent_bytes, use.ended_at_ns)
        ]
        day = day_of(now_ns)
        try:
            if changed:
                lines = b"".join(_line(view_of(use, now_ns)) for use in changed)
                await asyncio.to_thread(_append, self._folder, day, lines)
            if day != self._day:
                await asyncio.to_thread(_forget, self._folder, day)
        except OSError as refused:
            log.error("what is served cannot be kept", error=repr(refused))
            return
        self._day = day
        known = {_name(use) for use in self._book.uses()}
        self._written = {name: kept for name, kept in self._written.items() if name in known}
        self._written |= {_name(use): (use.sent_bytes, use.ended_at_ns) for use in changed}


def view_of(use: SessionUse, now_ns: int) -> ServedView:
    """A use as the contract has it."""
    return ServedView(
        use.session_id,
        use.person_id,
        use.camera_id,
        use.act,
        use.receipt_index,
        use.opened_at_ns,
        use.ended_at_ns or now_ns,
        not use.ended_at_ns,
        use.sent_bytes,
    )


def day_of(utc_ns: int) -> str:
    """The UTC day of an instant, `YYYY-MM-DD`."""
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_SECOND, UTC):%Y-%m-%d}"


def read_day(folder: Path, day: str) -> list[ServedView]:
    """What was served on a UTC day, each view as it was last measured. ValueError when `day` is none.

    A line that was cut by a kill is left out: the one before it speaks of the same view.
    """
    path = folder / f"{date.fromisoformat(day).isoformat()}.jsonl"
    views: dict[tuple[str, int], ServedView] = {}
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    view = ServedView.from_json(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    log.warning("a line of what was served cannot be read", file=path.name)
                    continue
                views[view.session_id, view.opened_at_ns] = view
    except FileNotFoundError:
        return []
    return list(views.values())


def _name(use: SessionUse) -> tuple[str, int]:
    return use.session_id, use.opened_at_ns


def _line(view: ServedView) -> bytes:
    return json.dumps(asdict(view), separators=(",", ":")).encode() + b"\n"


def _append(folder: Path, day: str, lines: bytes) -> None:
    durable.make_folder(folder)
    path = folder / f"{day}.jsonl"
    fresh = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(descriptor).st_size
        if size > _MAX_FILE_BYTES:
            raise OSError(f"{path} has grown to {size} bytes")
        # After a cut line the next one starts afresh.
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        durable.write_all(descriptor, [start + lines])
        durable.sync_data(descriptor)
    finally:
        os.close(descriptor)
    if fresh:
        durable.sync_folder(folder)


def _forget(folder: Path, day: str) -> None:
    oldest = (date.fromisoformat(day) - timedelta(days=KEEP_DAYS)).isoformat()
    for path in folder.glob("*.jsonl"):
        if path.stem < oldest:
            durable.remove(path)
