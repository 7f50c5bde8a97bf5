"""When anchors are asked for: every interval, at each change of the log's key, and again until they are had.

This runs beside the writer and reads the published log like anybody else; what it waits for, and whatever a third party
sends, never holds up a commit. One task notices checkpoints that are due; each third party has a task of its own, so
that one that hangs keeps no other waiting. Time-stamps are asked for newest first, and the queue is on the disk; to a
witness only the newest checkpoint is submitted, which covers all before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from cryptography import x509

from access_audit import layout
from access_audit.anchors import files
from access_audit.anchors.cosignatures import WitnessAddress, ask_for_cosignature, show_hand_overs
from access_audit.anchors.files import AnchorError, AnchorState, PartyState, StateKeeper
from access_audit.anchors.http import TIMEOUT_S
from access_audit.anchors.published import read_hand_overs, read_published
from access_audit.anchors.timestamps import Authority, ask_for_timestamp, read_certificates
from access_audit.checkpoint import SignedCheckpoint
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import Backoff

log = structlog.get_logger(__name__)

POLL_S = 2.0
RETRY_FIRST_S = 5.0
RETRY_MAXIMUM_S = 900.0


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """The folder of the log, who attests it, and how often. `poll_s`: how soon a changed key is noticed."""

    folder: Path
    authorities: tuple[Authority, ...] = ()
    witnesses: tuple[WitnessAddress, ...] = ()
    interval_s: float = 3_600.0
    poll_s: float = POLL_S
    retry_first_s: float = RETRY_FIRST_S


async def run_anchors(
    settings: AnchorSettings, clock: Clock, stop: asyncio.Event, on_ready: Callable[[], None]
) -> None:
    """Have the log anchored until `stop` is set. VmsError `audit.authority` when a CA file cannot be read."""
    names = [authority.name for authority in settings.authorities]
    for name in names:
        if not files.NAME.fullmatch(name) or names.count(name) > 1:
            raise _bad_name(name)
    certificates = [await asyncio.to_thread(read_certificates, authority) for authority in settings.authorities]
    await asyncio.to_thread(_prepare, settings.folder)
    async with await asyncio.to_thread(httpx.AsyncClient, timeout=TIMEOUT_S) as client:
        anchoring = await asyncio.to_thread(Anchoring, settings, client, clock)
        work = [anchoring.notice_for_ever()]
        for authority, (pem, found) in zip(settings.authorities, certificates, strict=True):
            work.append(anchoring.stamp_for_ever(authority, pem, found))
        work += [anchoring.submit_for_ever(witness) for witness in settings.witnesses]
        tasks = [asyncio.create_task(each) for each in work]
        stopped = asyncio.create_task(stop.wait())
        try:
            on_ready()
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
        finally:
            for task in (stopped, *tasks):
                task.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)


def _prepare(folder: Path) -> None:
    for name in (layout.TIMESTAMPS, layout.AUTHORITIES, layout.COSIGNED, layout.WITNESSES, layout.ANCHOR_QUEUE):
        durable.make_folder(folder / name)


def _bad_name(name: str) -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "audit.authority",
        f"« {name} » ne peut pas nommer une autorité d'horodatage.",
        hint="Donnez à chacune un nom court et différent, en minuscules, chiffres, points et tirets.",
    )


class Anchoring:
    """The tasks of one log. Made in a thread, used in one event loop."""

    def __init__(self, settings: AnchorSettings, client: httpx.AsyncClient, clock: Clock) -> None:
        self._folder = settings.folder
        self._settings = settings
        self._client = client
        self._clock = clock
        self._keeper = StateKeeper(
            settings.folder,
            AnchorState(
                interval_s=round(settings.interval_s),
                authorities={each.name: PartyState(each.name) for each in settings.authorities},
                witnesses={each.key.name: PartyState(each.key.name) for each in settings.witnesses},
            ),
        )
        self._turn = asyncio.Lock()
        self._due = {name: asyncio.Event() for name in self._keeper.state.authorities}
        self._due_witnesses = {name: asyncio.Event() for name in self._keeper.state.witnesses}
        for event in self._due.values():
            event.set()

    async def notice_for_ever(self) -> None:
        """Give the published checkpoint out to be anchored, whenever one is due."""
        while True:
            try:
                async with self._turn:
                    signed = await asyncio.to_thread(self._take_due)
            except OSError as refused:
                log.error("a checkpoint could not be queued for its anchors", error=repr(refused))
                signed = None
            if signed is not None:
                for event in (*self._due.values(), *self._due_witnesses.values()):
                    event.set()
            await self._clock.sleep(self._settings.poll_s)

    def _take_due(self) -> SignedCheckpoint | None:
        """Queue the published checkpoint if it is due; None otherwise, or while the log is not there or changes key."""
        state, now = self._keeper.state, self._clock.utc_ns()
        published = read_published(self._folder)
        if published is None:
            return None
        key, signed = published
        apart = now - state.noticed_ns
        if key.short_text == state.key and 0 <= apart < self._settings.interval_s * NS_PER_SECOND:
            return None
        checkpoint = signed.checkpoint
        for name in self._due:
            files.put_in_queue(self._folder, name, checkpoint.size, checkpoint.text().encode())
        self._keeper.change(noticed_ns=now, key=key.short_text)
        return signed

    async def stamp_for_ever(self, authority: Authority, pem: bytes, certificates: list[x509.Certificate]) -> None:
        """Have every queued checkpoint time-stamped by one authority."""
        await self._in_turn(files.store_authority, self._folder, authority.name, pem)

        async def stamp(size: int) -> None:
            text = await asyncio.to_thread(files.read_queued, self._folder, authority.name, size)
            answer, at_ns = await ask_for_timestamp(self._client, authority, certificates, text, self._clock)
            await self._in_turn(files.store_timestamp, self._folder, authority.name, size, answer)
            await self._reached("authorities", authority.name, size, at_ns)

        async def stamp_all() -> None:
            while sizes := await asyncio.to_thread(files.waiting, self._folder, authority.name):
                await stamp(sizes[0])

        await self._whenever(self._due[authority.name], "authorities", authority.name, stamp_all)

    async def submit_for_ever(self, witness: WitnessAddress) -> None:
        """Have the newest checkpoint cosigned by one witness."""
        name = witness.key.name
        await self._in_turn(files.store_witness, self._folder, name, witness.key.text)

        async def submit() -> None:
            published = await asyncio.to_thread(read_published, self._folder)
            if published is None:
                return
            _, signed = published
            size = signed.checkpoint.size
            if (await asyncio.to_thread(self._cosigned_by, size, witness.key.name)) or size == 0:
                return
            line, seconds = await self._cosigned(witness, signed)
            await self._in_turn(files.store_cosigned, self._folder, size, signed.note, line)
            await self._reached("witnesses", name, size, seconds * NS_PER_SECOND)

        self._due_witnesses[name].set()
        await self._whenever(self._due_witnesses[name], "witnesses", name, submit)

    async def _cosigned(self, witness: WitnessAddress, signed: SignedCheckpoint) -> tuple[bytes, int]:
        known = self._keeper.party("witnesses", witness.key.name).size

        async def ask() -> tuple[bytes, int]:
            return await ask_for_cosignature(
                self._client, witness, self._folder, signed.checkpoint, signed.note, known, self._clock
            )

        try:
            return await ask()
        except AnchorError as refused:
            if refused.cause != "refused":
                raise
            found = await asyncio.to_thread(read_hand_overs, self._folder)
            if not found:
                raise
            await show_hand_overs(self._client, witness, signed.checkpoint.origin, found)
            return await ask()

    def _cosigned_by(self, size: int, name: str) -> bool:
        try:
            note = (self._folder / layout.cosigned_path(size)).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return False
        return f"\u2014 {name} " in note

    async def _whenever(
        self, due: asyncio.Event, group: str, name: str, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Work each time that it is due, and until it succeeds."""
        backoff = Backoff(self._settings.retry_first_s, RETRY_MAXIMUM_S)
        while True:
            await due.wait()
            due.clear()
            while True:
                try:
                    await work()
                except AnchorError as failed:
                    await self._failed(group, name, failed)
                except OSError as refused:
                    await self._failed(group, name, AnchorError("storage", repr(refused)))
                else:
                    backoff.reset()
                    break
                await self._clock.sleep(backoff.next_pause_s())

    async def _reached(self, group: str, name: str, size: int, at_ns: int) -> None:
        log.info("checkpoint anchored", by=name, size=size)

        def change(party: PartyState) -> PartyState:
            return party.reached(size, at_ns)

        await self._in_turn(self._keeper.change_party, group, name, change)

    async def _failed(self, group: str, name: str, failed: AnchorError) -> None:
        alarm = log.error if failed.cause in {"inconsistent", "ahead", "unverified", "clock"} else log.warning
        alarm("a checkpoint could not be anchored", by=name, cause=failed.cause, detail=failed.detail)
        now = self._clock.utc_ns()

        def change(party: PartyState) -> PartyState:
            return party.failed(failed.cause, failed.detail, now)

        await self._in_turn(self._keeper.change_party, group, name, change)

    async def _in_turn(self, work: Callable[..., None], *given: Any) -> None:  # noqa: ANN401
        """One change of the files at a time, in a thread."""
        async with self._turn:
            await asyncio.to_thread(work, *given)
