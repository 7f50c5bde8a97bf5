"""The audit writer: the one process that writes the access log.

- Greedy group commit: whatever waits when the disk is free is synced together; there is no timer, so a lone caller
  waits for one sync and no longer.
- An answer leaves only when its entries are on the disk (A1). A disk that refuses fails every caller of that commit,
  and nothing of it stays. From then on `head` tries the disk before it answers, so that nobody who asks whether the log
  is there is told so by one that cannot write.
- Publishing into tiles follows in a thread of its own, when the callers are quiet or after a second at most, since its
  many small syncs would hold up theirs. A question about the log publishes first.
- Entries about the log itself (`log.*`) are made here and nowhere else. Time in the log never goes back: when the
  clock of the machine does, the entries that follow carry the newest instant so far, and one of them says so.
- Questions are read from what is published, in a third thread; searches in a fourth, as a search may first have much to
  take into its index.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog

from access_audit import wire
from access_audit.checkpoint import KeyUnavailableError, SigningKey
from access_audit.events import AccessEvent, EventKind, Reason
from access_audit.expiry import ROUND_S, Expiry, Turn
from access_audit.format import (
    FormatError,
    SpoolMark,
    chain_next,
    chain_start,
    commitment,
    event_payload,
    parse_payload,
)
from access_audit.keys import KeyRing
from access_audit.ledger import Draft, Ledger
from access_audit.questions import Questions
from access_audit.receipt import ReceiptError, ReceiptVerifier, RecordedBatch
from access_audit.refusals import bad_event
from access_audit.retention import Retention
from access_audit.rotation import LOG_WRITER, Rotation
from access_audit.search import SpoolHead
from access_audit.standby import admit, epoch_of, fence, fenced, standing
from access_audit.tiles import TileError
from vms.base import durable
from vms.base.clock import NS_PER_SECOND, Clock, utc_text
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, frame, json_content, parse_json_frame, read_frame

log = structlog.get_logger(__name__)

MAX_COMMIT_ENTRIES = 8_192
CLOCK_TOLERANCE_NS = NS_PER_SECOND
QUIET_S = 0.05
PUBLISH_WITHIN_S = 1.0
KEY_ROUND_S = 60.0
_WRITER = LOG_WRITER
_MAX_REQUEST_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """Where the log is, where the writer listens, where its key is, and the name of the log for its whole life."""

    folder: Path
    socket: Path
    key_file: Path
    origin: str
    retention: Retention | None = None
    """How long payloads are kept; None keeps them, for a log that only tests read."""
    key: str = ""
    """The key that a new log begins with, as the URI of a token; empty for one that is made. See `keys.py`."""


@dataclass(slots=True)
class _Waiting:
    """One request that waits for its commit, and the way back for its answer."""

    request: wire.RecordRequest
    send: Callable[[bytes], None]


async def run_writer(settings: WriterSettings, clock: Clock, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    """Write until `stop` is set; then answer what waits, publish and return.

    Raises VmsError `folder.in_use` when another writer has the folder, `audit.corrupt` when the log cannot be gone on
    with, `audit.key` when its key does not fit, `audit.unavailable` when the disk refuses.
    """
    await asyncio.to_thread(durable.make_folder, settings.folder)
    lock = await asyncio.to_thread(durable.FolderLock, settings.folder)
    try:
        ring = KeyRing(settings.key_file, settings.folder, settings.origin, settings.key)
        key = await asyncio.to_thread(ring.open)
        keys = settings.key_file.parent
        try:
            writer = await asyncio.to_thread(Writer, settings.folder, key, clock, settings.retention, ring, keys)
        except OSError as refused:
            raise _disk(refused) from None
        try:
            await _serve(writer, settings.socket, stop, on_ready)
        finally:
            await writer.close()
    finally:
        lock.release()


async def _serve(writer: Writer, socket: Path, stop: asyncio.Event, on_ready: Callable[[], None]) -> None:
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_converse(writer, reader, answers))
        connections.add(task)
        task.add_done_callback(connections.discard)

    await asyncio.to_thread(durable.remove, socket)
    server = await asyncio.start_unix_server(connected, socket, limit=1024 * 1024)
    rounds = (
        writer.commit_for_ever(),
        writer.publish_for_ever(),
        writer.expire_for_ever(),
        writer.settle_keys_for_ever(),
        writer.until_fenced(),
    )
    loops = [asyncio.create_task(each) for each in rounds]
    try:
        on_ready()
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in done - {stopped}:
            task.result()
    finally:
        server.close()
        for task in (*loops, *connections):
            task.cancel()
        await asyncio.gather(*loops, *connections, return_exceptions=True)


async def _converse(writer: Writer, reader: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    """One client: each request is taken as it comes, and answered when it can be."""
    pending: set[asyncio.Task[None]] = set()

    def send(answer: bytes) -> None:
        if not answers.is_closing():
            answers.write(frame(answer))

    async def respond(content: bytes) -> None:
        send(await writer.answer(content))
        with suppress(OSError):
            await answers.drain()

    try:
        while (content := await read_frame(reader, _MAX_REQUEST_BYTES)) is not None:
            if content[:1] in (wire.RECORD, wire.SPOOLED):
                writer.take(content, send)
                continue
            task = asyncio.create_task(respond(content))
            pending.add(task)
            task.add_done_callback(pending.discard)
    except (FrameError, OSError) as broken:
        log.warning("audit client broke off", detail=str(broken))
    finally:
        for task in list(pending):
            task.cancel()
        answers.close()


class Writer:
    """An open log and the requests that wait for it. Made in a thread, used in one event loop."""

    def __init__(
        self,
        folder: Path,
        key: SigningKey,
        clock: Clock,
        retention: Retention | None = None,
        ring: KeyRing | None = None,
        keys: Path | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._ledger = Ledger(folder, key, clock)
        self._questions = Questions(folder)
        self._heads: dict[str, SpoolHead] = self._questions.spool_heads(self._ledger.published)
        self._stepped = False
        self._refused = False
        recovery = self._ledger.recovery
        stands = standing(self._questions.index, self._ledger.published)
        if keys is not None:
            stands = admit(folder, keys, stands)
        self._epoch, self._started = stands.epoch, self._ledger.size
        self._fenced = asyncio.Event()
        self._own(
            EventKind.LOG_STARTED,
            version=version("vms-departemental"),
            recovered=str(recovery.published),
            dropped=str(recovery.dropped),
            epoch=str(stands.epoch),
            writer=stands.writer,
        )
        self._ledger.publish()
        self._rotation = None if ring is None else Rotation(ring, self._ledger, clock)
        if self._rotation is not None:
            self._rotation.settle_soon()
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._publish = asyncio.Event()
        self._committing = ThreadPoolExecutor(1, "audit-commit")
        self._publishing = ThreadPoolExecutor(1, "audit-publish")
        self._asking = ThreadPoolExecutor(1, "audit-ask")
        self._searching = ThreadPoolExecutor(1, "audit-search")
        self._expiry = (
            None
            if retention is None
            else Expiry(folder, self._ledger, self._questions.index, retention, clock, _WRITER)
        )
        log.info("access log open", size=self._ledger.size, recovered=recovery.published, dropped=recovery.dropped)

    def take(self, content: bytes, send: Callable[[bytes], None]) -> None:
        """Take a request to record. Its answer is sent when its entries are on the disk, or refused."""
        try:
            request = wire.decode_record(content)
        except (wire.WireError, ValueError) as wrong:
            send(_error(int.from_bytes(content[1:5], "big"), bad_event(str(wrong))))
            return
        self._waiting.append(_Waiting(request, send))
        self._wake.set()

    async def answer(self, content: bytes) -> bytes:
        """The answer of one question, whatever it holds."""
        number = 0
        try:
            message = parse_json_frame(content[1:])
            number = int(message.get("id", 0))
            answer = await self._asked(message)
            return wire.JSON + json_content({"id": number, "ok": True, **answer})
        except VmsError as refused:
            return _error(number, refused)
        except OSError as refused:
            log.error("the disk refuses an answer", error=repr(refused))
            return _error(number, _disk(refused))
        except (FrameError, FormatError, KeyError, TypeError, ValueError) as wrong:
            return _error(number, bad_event(str(wrong)))

    async def commit_for_ever(self) -> None:
        """Sync what waits, all of it at once, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                taken = self._take()
                outcomes = await loop.run_in_executor(self._committing, self._commit, [each.request for each in taken])
                for each, outcome in zip(taken, outcomes, strict=True):
                    number = each.request.request
                    if isinstance(outcome, VmsError):
                        each.send(_error(number, outcome))
                    else:
                        each.send(wire.encode_answer(number, outcome))
                self._publish.set()

    async def publish_for_ever(self) -> None:
        """Publish what has been committed, behind the callers' backs."""
        loop = asyncio.get_running_loop()
        while True:
            await self._publish.wait()
            self._publish.clear()
            await self._quiet()
            try:
                await loop.run_in_executor(self._publishing, self._ledger.publish)
            except OSError as refused:
                log.error("publishing failed, and is tried again", error=repr(refused))
                await self._clock.sleep(1.0)
                self._publish.set()

    async def expire_for_ever(self) -> None:
        """Erase what has reached its legal end, at the start and every hour (LAW-28)."""
        while True:
            if self._expiry is not None:
                try:
                    await self._expire(self._expiry)
                except (OSError, TileError, FormatError, sqlite3.Error) as refused:
                    log.error("expiry failed, and is tried again", error=repr(refused))
            await self._clock.sleep(ROUND_S)

    async def _expire(self, expiry: Expiry) -> None:
        pools = {
            Turn.PUBLISHING: self._publishing,
            Turn.COMMITTING: self._committing,
            Turn.SEARCHING: self._searching,
        }
        steps, turn = expiry.round(), Turn.SEARCHING
        loop = asyncio.get_running_loop()
        while (following := await loop.run_in_executor(pools[turn], next, steps, None)) is not None:
            turn = following

    async def settle_keys_for_ever(self) -> None:
        """Finish what is left of a change of key, and end the time in which both keys sign."""
        while self._rotation is not None:
            await self._clock.sleep(KEY_ROUND_S)
            await asyncio.get_running_loop().run_in_executor(self._committing, self._rotation.settle_soon)
        await asyncio.Event().wait()

    async def rotate_key(self) -> dict[str, Any]:
        """Hand over to the key that was prepared beside the one in force; what the log says of it then."""
        if self._rotation is None:
            raise ValueError("a log without key files has no key to change")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._committing, self._rotation.hand_over)
        await loop.run_in_executor(self._publishing, self._ledger.publish)
        await loop.run_in_executor(self._committing, self._rotation.settle)
        return {"key": self._ledger.key.log_key.text()}

    async def _quiet(self) -> None:
        for _ in range(round(PUBLISH_WITHIN_S / QUIET_S)):
            size = self._ledger.size
            await self._clock.sleep(QUIET_S)
            if self._ledger.size == size:
                return

    async def close(self) -> None:
        """Publish the rest and let go of the files."""
        for pool in (self._committing, self._publishing, self._asking, self._searching):
            await asyncio.to_thread(pool.shutdown)
        await asyncio.to_thread(self._ledger.close)
        await asyncio.to_thread(self._questions.close)

    def _take(self) -> list[_Waiting]:
        taken, entries = [], 0
        while self._waiting and entries < MAX_COMMIT_ENTRIES:
            each = self._waiting.popleft()
            entries += len(each.request.payloads)
            taken.append(each)
        return taken

    def _commit(self, requests: list[wire.RecordRequest]) -> list[RecordedBatch | VmsError]:
        """In the committing thread: what can be recorded is, with one sync; the outcome of each request."""
        outcomes: list[RecordedBatch | VmsError | None] = []
        drafts: list[list[Draft]] = []
        heads = dict(self._heads)
        for request in requests:
            try:
                drafts.append(self._drafts(request, heads))
                outcomes.append(None)
            except (FormatError, ValueError) as wrong:
                outcomes.append(bad_event(str(wrong)))
            except VmsError as refused:
                outcomes.append(refused)
        try:
            self._note_clock_step()
            answers = iter(self._ledger.record(drafts) if drafts else [])
        except OSError as refused:
            log.error("the disk refuses entries", error=repr(refused))
            self._refused = True
            failure = _disk(refused)
            return [failure if outcome is None else outcome for outcome in outcomes]
        if drafts:
            self._refused = False
        done: list[RecordedBatch | VmsError] = []
        for request, outcome in zip(requests, outcomes, strict=True):
            if outcome is None:
                answer = next(answers)
                self._follow_spool(request, heads, answer)
                done.append(answer)
            else:
                done.append(outcome)
        return done

    def _drafts(self, request: wire.RecordRequest, heads: dict[str, SpoolHead]) -> list[Draft]:
        for payload in request.payloads:
            if parse_payload(payload).kind.control:
                raise FormatError("an entry about the log itself is made by its writer alone")
        if not request.spool_id:
            return [Draft(payload) for payload in request.payloads]
        head = heads.get(request.spool_id) or SpoolHead(0, chain_start(request.spool_id), -1)
        if request.first_sequence != head.sequence + 1:
            raise VmsError(
                ErrorKind.CONFLICT,
                "audit.spool_order",
                "Des inscriptions différées arrivent dans le désordre.",
                detail=f"spool {request.spool_id} brings {request.first_sequence}, the log has {head.sequence}",
            )
        drafts = []
        sequence, chain = head.sequence, head.chain
        for salt, payload in zip(request.salts, request.payloads, strict=True):
            sequence, chain = sequence + 1, chain_next(chain, commitment(salt, payload))
            drafts.append(Draft(payload, salt, SpoolMark(request.spool_id, sequence, chain)))
        heads[request.spool_id] = SpoolHead(sequence, chain, -1)
        return drafts

    def _follow_spool(self, request: wire.RecordRequest, heads: dict[str, SpoolHead], answer: RecordedBatch) -> None:
        if request.spool_id:
            newest = heads[request.spool_id]
            last = answer.first + len(answer.leaves) - 1
            self._heads[request.spool_id] = SpoolHead(newest.sequence, newest.chain, last)

    def _note_clock_step(self) -> None:
        now, newest = self._clock.utc_ns(), self._ledger.last_ns
        if now + CLOCK_TOLERANCE_NS >= newest:
            self._stepped = False
        elif not self._stepped:
            self._stepped = True
            log.warning("the clock went back", now=utc_text(now), newest=utc_text(newest))
            self._own(EventKind.LOG_CLOCK_STEPPED, **{"from": utc_text(newest), "to": utc_text(now)})

    def _own(self, kind: EventKind, **details: str) -> None:
        event = AccessEvent(kind, _WRITER, self._clock.utc_ns(), Reason("operation"), details=details)
        self._ledger.record([[Draft(event_payload(event), control=kind.value)]])

    async def _asked(self, message: dict[str, Any]) -> dict[str, Any]:
        """A question about the log. It is answered from all that is committed: publishing is waited for."""
        if message.get("op") == "rotate_key":
            return await self.rotate_key()
        loop = asyncio.get_running_loop()
        if message.get("op") == "fence":
            await loop.run_in_executor(self._committing, self._fence, message.get("proof"), loop)
            return {}
        message = {**message, "started": self._started}
        if self._refused and message.get("op") == "head":
            await loop.run_in_executor(self._committing, self._try_disk)
        published = await loop.run_in_executor(self._publishing, self._ledger.publish)
        head = self._heads.get(str(message.get("spool", "")))
        # A search may first have much to take into its index; whoever renews a look asks for the head meanwhile.
        thread = self._searching if message.get("op") == "search" else self._asking
        return await loop.run_in_executor(thread, self._questions.answer, message, published, head)

    async def until_fenced(self) -> None:
        """Wait until somebody shows that this log has been taken over; then VmsError `audit.fenced`."""
        await self._fenced.wait()
        raise fenced(self._folder)

    def _fence(self, proof: Any, loop: asyncio.AbstractEventLoop) -> None:  # noqa: ANN401
        """In the committing thread: believe the proof of a higher epoch under the log's own key, and nothing else."""
        try:
            epoch = epoch_of(proof, ReceiptVerifier(self._ledger.key.log_key).verify_entry(proof))
        except (ReceiptError, TypeError, KeyError, ValueError) as wrong:
            raise bad_event(f"no proof of an epoch: {wrong}") from None
        if epoch > self._epoch:
            log.error("this log has been taken over: its writer ends", epoch=epoch, own=self._epoch)
            fence(self._folder, {"epoch": epoch, "proof": proof})
            loop.call_soon_threadsafe(self._fenced.set)

    def _try_disk(self) -> None:
        self._ledger.try_disk()
        self._ledger.key.sign_statement(b"")
        self._refused = False


def _error(number: int, error: VmsError) -> bytes:
    body = {
        "id": number,
        "ok": False,
        "kind": error.kind.value,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "detail": error.detail,
    }
    return wire.JSON + json_content(body)


def _disk(refused: OSError) -> VmsError:
    if isinstance(refused, KeyUnavailableError):
        return VmsError(
            ErrorKind.UNAVAILABLE,
            "audit.unavailable",
            "Le journal des accès ne peut plus signer : son jeton ne répond pas ; aucune image ne peut être montrée.",
            hint="L'enregistrement continue. Prévenez l'exploitant : le jeton PKCS#11 du journal est en cause.",
            detail=repr(refused),
        )
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "audit.unavailable",
        "Le journal des accès ne peut plus écrire sur son disque : aucune image ne peut être montrée.",
        hint="L'enregistrement continue. Prévenez l'exploitant : l'espace ou le disque du journal est en cause.",
        detail=repr(refused),
    )
