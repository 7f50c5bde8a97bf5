"""The caller's side of the log: record an event, hold its receipt.

- Calls that are made in the same turn of the loop travel in one message, and the writer syncs once for all that wait.
- No answer within `timeout_s` is an error: viewing fails closed. A lost connection is made again by the next call, and
  so is one on which nothing at all came while a caller waited: it may lead to nobody any more.
- A request whose answer was lost is not sent again. Its entry may stand in the log without an act, which is
  acceptable; an act without an entry is not.
- An answer that does not prove what was sent is treated as no answer.
- When the log has changed its key, its hand-overs are asked for, verified from the key that is known, and followed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access_audit import wire
from access_audit.checkpoint import Checkpoint, LogKey, SignedCheckpoint
from access_audit.events import AccessEvent, EventKind
from access_audit.format import FormatError, SpoolMark, StoredPayload, event_payload
from access_audit.greeting import greet
from access_audit.handover import HandOver
from access_audit.journal import MAX_PAGE_ENTRIES, JournalEntry, JournalPage, JournalQuery
from access_audit.receipt import AuditReceipt, OtherSignerError, ReceiptError, ReceiptVerifier, RecordedBatch
from access_audit.refusals import bad_event
from access_audit.seen import Seen
from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, frame, json_content, parse_json_frame, read_frame

log = structlog.get_logger(__name__)
T = TypeVar("T")

_RETRY_S = 0.05
# Small enough that the writer works on one message while this side makes or checks another.
_MESSAGE_ENTRIES = 64
_MAX_REQUEST_BYTES = 4 * 1024 * 1024
_HAND_OVERS = JournalQuery(kinds=frozenset({EventKind.LOG_KEY_CHANGED}), limit=MAX_PAGE_ENTRIES)


def unavailable(detail: str) -> VmsError:
    """The error of a log that does not answer: what cannot be logged is not shown."""
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "audit.unavailable",
        "Le journal des accès ne répond pas : aucune image ne peut être montrée.",
        hint="L'enregistrement continue. Réessayez dans une minute ; si le message persiste, prévenez l'exploitant.",
        detail=detail,
    )


def no_answer_within(timeout_s: float) -> VmsError:
    """The error of a log that was waited for."""
    return unavailable(f"no answer within {timeout_s} s")


@dataclass(slots=True)
class _Call:
    """One caller who waits, and what it gave to record."""

    payloads: Sequence[bytes]
    waiter: asyncio.Future[list[AuditReceipt]]


class _Connection:
    """One open connection: requests that wait for their answer, by number."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        verifier: ReceiptVerifier,
        follow: Callable[[], Coroutine[Any, Any, None]],
        timeout_s: float,
    ) -> None:
        self._timeout_s = timeout_s
        self._writer = writer
        self._verifier = verifier
        self._follow = follow
        self._following: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._waiting: dict[int, Callable[[bytes | VmsError], None]] = {}
        self._gathered: list[_Call] = []
        self.closed = False
        self._heard_s = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._read(reader), name="audit client")

    def gather(self, call: _Call) -> None:
        """Take a call into the message that leaves at the end of this turn of the loop."""
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)
        self._gathered.append(call)

    def _flush(self) -> None:
        calls, self._gathered = self._gathered, []
        while calls:
            count, length, taken = 0, 0, 0
            for call in calls:
                count += len(call.payloads)
                length += sum(map(len, call.payloads))
                if taken and (count > _MESSAGE_ENTRIES or length > _MAX_REQUEST_BYTES):
                    break
                taken += 1
            self._send_record(calls[:taken])
            calls = calls[taken:]

    def _send_record(self, calls: list[_Call]) -> None:
        payloads = [payload for call in calls for payload in call.payloads]

        def done(answer: bytes | VmsError) -> None:
            late.cancel()
            try:
                if isinstance(answer, VmsError):
                    raise answer
                _, batch = wire.decode_answer(answer)
                self._give(calls, self._verifier.verify(batch, payloads))
            except VmsError as error:
                _fail(calls, error)
            except OtherSignerError:
                task = asyncio.create_task(self._give_later(calls, batch, payloads))
                self._following.add(task)
                task.add_done_callback(self._following.discard)
            except (ReceiptError, wire.WireError) as wrong:
                _fail(calls, _unproved(wrong))

        late = asyncio.get_running_loop().call_later(self._timeout_s, self._late, calls)
        self._send(lambda number: wire.encode_record(number, payloads), done)

    def _late(self, calls: list[_Call]) -> None:
        """One timer for all the calls of a message."""
        _fail(calls, no_answer_within(self._timeout_s))
        self.leave_if_silent()

    async def _give_later(self, calls: list[_Call], batch: RecordedBatch, payloads: Sequence[bytes]) -> None:
        """The same once the hand-overs of the log's key have been followed."""
        try:
            await self._follow()
            self._give(calls, self._verifier.verify(batch, payloads))
        except VmsError as error:
            _fail(calls, error)
        except ReceiptError as wrong:
            _fail(calls, _unproved(wrong))

    @staticmethod
    def _give(calls: list[_Call], receipts: list[AuditReceipt]) -> None:
        start = 0
        for call in calls:
            end = start + len(call.payloads)
            if not call.waiter.done():
                call.waiter.set_result(receipts[start:end])
            start = end

    def ask(self, encode: Callable[[int], bytes]) -> asyncio.Future[bytes]:
        """Send one message and give a future of its raw answer."""
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def done(answer: bytes | VmsError) -> None:
            if waiter.done():
                return
            if isinstance(answer, VmsError):
                waiter.set_exception(answer)
            else:
                waiter.set_result(answer)

        self._send(encode, done)
        return waiter

    def _send(self, encode: Callable[[int], bytes], done: Callable[[bytes | VmsError], None]) -> None:
        if self.closed:
            done(unavailable("connection lost"))
            return
        self._numbers += 1
        self._waiting[self._numbers] = done
        self._writer.write(frame(encode(self._numbers)))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        why = "connection closed by the writer"
        try:
            while (content := await read_frame(reader)) is not None:
                self._heard_s = asyncio.get_running_loop().time()
                self._dispatch(content)
        except (OSError, FrameError) as broken:
            why = str(broken)
        finally:
            self.closed = True
            self._writer.close()
            for done in self._waiting.values():
                done(unavailable(why))
            self._waiting.clear()

    def _dispatch(self, content: bytes) -> None:
        if content[:1] == wire.ANSWER:
            done = self._waiting.pop(int.from_bytes(content[1:5], "big"), None)
            if done is not None:
                done(content)
            return
        message = parse_json_frame(content[1:])
        done = self._waiting.pop(message.get("id", 0), None)
        if done is None:
            return
        done(content if message.get("ok") else _error_of(message))

    def leave_if_silent(self) -> None:
        """Give up a connection on which nothing has come for long while a call waited: it may lead to nobody."""
        if asyncio.get_running_loop().time() - self._heard_s > self._timeout_s / 2:
            self.abandon()

    def abandon(self) -> None:
        """Give up a connection that leads nowhere; those who wait on it get their error at once."""
        if self.closed:
            return
        self.closed = True
        self._writer.transport.abort()
        self._task.cancel()

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


def _fail(calls: list[_Call], error: VmsError) -> None:
    for call in calls:
        if not call.waiter.done():
            call.waiter.set_exception(error)


def _unproved(wrong: Exception) -> VmsError:
    log.error("audit writer gave an answer that proves nothing", detail=str(wrong))
    return unavailable(f"unproved answer: {wrong}")


def _error_of(message: dict[str, Any]) -> VmsError:
    try:
        return VmsError(
            ErrorKind(message["kind"]),
            str(message["code"]),
            str(message["message"]),
            hint=str(message["hint"]),
            detail=str(message["detail"]),
        )
    except (KeyError, ValueError):
        return unavailable("malformed error of the writer")


class AuditClient:
    """Records events and asks the journal. One per process and event loop; any number of callers at once.

    `log_key` is the key of the log (`log.pub`); with a bare public key the origin is learned from the first answer.
    `seen` is the file of what this process has seen of the log: a log that does not continue it is refused.
    Every call raises VmsError `audit.unavailable` when there is no proved answer within `timeout_s`.
    """

    def __init__(
        self, socket: Path, log_key: LogKey | Ed25519PublicKey, timeout_s: float = 3.0, seen: Path | None = None
    ) -> None:
        self._seen = None if seen is None else Seen(seen)
        self._socket = socket
        self._timeout_s = timeout_s
        self._verifier = ReceiptVerifier(log_key)
        self._connection: _Connection | None = None
        self._connecting = asyncio.Lock()
        self._following = asyncio.Lock()

    async def record(self, event: AccessEvent) -> AuditReceipt:
        """Put one event in the log and wait until it is on the disk."""
        return (await self.record_all((event,)))[0]

    async def record_all(self, events: Sequence[AccessEvent]) -> list[AuditReceipt]:
        """Put several events in the log, in order and side by side. At most 512; VmsError `audit.event` otherwise."""
        payloads = _payloads(events)
        call = _Call(payloads, asyncio.get_running_loop().create_future())
        if self._connection is not None and not self._connection.closed:
            self._connection.gather(call)
            return await call.waiter

        async def exchange() -> list[AuditReceipt]:
            (await self._connect()).gather(call)
            return await call.waiter

        return await self._within(exchange())

    async def search(self, query: JournalQuery) -> JournalPage:
        """Entries of the journal, newest first."""
        answer = await self._ask_json("search", query=query.to_json())
        try:
            return JournalPage.from_json(answer["page"])
        except (KeyError, FormatError) as wrong:
            raise unavailable(f"malformed page: {wrong}") from None

    async def entries(self, query: JournalQuery) -> AsyncIterator[JournalEntry]:
        """Every entry that a query asks for, newest first, whatever its `limit`: page after page."""
        before = query.before_index
        while True:
            page = await self.search(replace(query, before_index=before, limit=MAX_PAGE_ENTRIES))
            for entry in page.entries:
                yield entry
            before = page.next_before
            if before is None:
                return

    async def proof(self, index: int) -> dict[str, Any]:
        """The proof file of one entry (see `access_audit.proof`); VmsError `audit.no_entry` when there is none."""
        answer = await self._ask_json("proof", index=index)
        proof = answer.get("proof")
        if not isinstance(proof, dict):
            raise unavailable("malformed proof")
        return proof

    async def head(self) -> Checkpoint:
        """The newest signed state of the log, its signature verified."""
        answer = await self._ask_json("head")
        try:
            return (await self._opened(str(answer.get("note")).encode())).checkpoint
        except ReceiptError as wrong:
            raise unavailable(f"unproved head: {wrong}") from None

    async def consistency(self, old_size: int) -> tuple[Checkpoint, list[bytes]]:
        """The newest checkpoint and the RFC 6962 proof that the log of `old_size` is its beginning."""
        answer = await self._ask_json("consistency", old_size=old_size)
        try:
            checkpoint = (await self._opened(str(answer["note"]).encode())).checkpoint
            return checkpoint, [bytes.fromhex(part) for part in answer["path"]]
        except (KeyError, TypeError, ValueError, ReceiptError) as wrong:
            raise unavailable(f"malformed consistency proof: {wrong}") from None

    async def spool_head(self, spool_id: str) -> SpoolMark | None:
        """The newest entry that the log proves to have of a spool; None when it says that it has none."""
        answer = await self._ask_json("spool_head", spool=spool_id)
        if not answer.get("sequence"):
            return None
        try:
            await self._opened(str(answer["proof"]["checkpoint"]).encode())
            mark = self._verifier.verify_entry(answer["proof"]).spool
            if mark is None or mark.spool_id != spool_id or mark.sequence != answer["sequence"]:
                raise ReceiptError("the proof is about another entry")
        except (KeyError, TypeError, ReceiptError) as wrong:
            raise unavailable(f"unproved head of a spool: {wrong}") from None
        return mark

    async def record_spooled(self, entries: Sequence[StoredPayload], marks: Sequence[SpoolMark]) -> list[AuditReceipt]:
        """Deliver consecutive entries of one spool, with the salts that the spool gave them."""
        spool_id, first = marks[0].spool_id, marks[0].sequence

        async def exchange() -> bytes:
            connection = await self._connect()
            return await connection.ask(lambda number: wire.encode_spooled(number, spool_id, first, entries))

        content = await self._within(exchange())
        try:
            batch = wire.decode_answer(content)[1]
            if batch.salts != tuple(entry.salt for entry in entries):
                raise ReceiptError("other salts than those of the spool")
            await self._opened(batch.note)
            return self._verifier.verify(batch, [entry.payload for entry in entries], marks)
        except (wire.WireError, ReceiptError) as wrong:
            raise unavailable(f"unproved answer: {wrong}") from None

    async def rotate_key(self) -> dict[str, Any]:
        """Have the writer hand over to the key that was prepared: `{"key": its vkey line}`.

        VmsError `audit.no_next_key` when none was.
        """
        return await self._ask_json("rotate_key")

    async def _opened(self, note: bytes) -> SignedCheckpoint:
        """The checkpoint of a note, by the key that is known or one that it has handed over to."""
        try:
            return self._verifier.open(note)
        except OtherSignerError:
            await self._follow()
            return self._verifier.open(note)

    async def _follow(self) -> None:
        """Learn of the hand-overs of the log's key. What is said of them proves itself, or counts for nothing."""
        async with self._following:
            found = _hand_overs_of(await self.search(_HAND_OVERS))
            if self._verifier.follow(found):
                log.warning("the access log has changed its key", entries=len(found))

    async def close(self) -> None:
        """Close the connection; callers that still wait get their error."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        self._verifier.when_opened = None
        if self._seen is not None:
            self._seen.close()

    async def _ask_json(self, operation: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
        async def exchange() -> bytes:
            connection = await self._connect()
            return await connection.ask(
                lambda number: wire.JSON + json_content({"id": number, "op": operation, **fields})
            )

        content = await self._within(exchange())
        try:
            return parse_json_frame(content[1:])
        except FrameError as wrong:
            raise unavailable(str(wrong)) from None

    async def _within(self, exchange: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await exchange
        except TimeoutError:
            if self._connection is not None:
                self._connection.leave_if_silent()
            raise no_answer_within(self._timeout_s) from None

    async def _connect(self) -> _Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        async with self._connecting:
            while self._connection is None or self._connection.closed:
                try:
                    reader, writer = await asyncio.open_unix_connection(self._socket)
                except OSError as refused:
                    # A writer that is being started again is waited for, within the caller's own deadline.
                    log.debug("audit writer does not listen", socket=str(self._socket), detail=str(refused))
                    await asyncio.sleep(_RETRY_S)
                    continue
                connection = _Connection(reader, writer, self._verifier, self._follow, self._timeout_s)
                if self._seen is not None:
                    await self._greet(connection, self._seen)
                self._connection = connection
            return self._connection

    async def _greet(self, connection: _Connection, seen: Seen) -> None:
        """See that the log and its writer are those that were seen last, and see what they show from now on."""

        async def ask(operation: str, fields: dict[str, Any]) -> dict[str, Any]:
            question = {"op": operation, **fields}
            content = await connection.ask(lambda number: wire.JSON + json_content({"id": number, **question}))
            return parse_json_frame(content[1:])

        async def opened(note: bytes) -> None:
            try:
                self._verifier.open(note)
            except OtherSignerError:
                answer = await ask("search", {"query": _HAND_OVERS.to_json()})
                self._verifier.follow(_hand_overs_of(JournalPage.from_json(answer["page"])))
                self._verifier.open(note)

        self._verifier.when_opened = None
        try:
            await asyncio.to_thread(seen.open)
            epoch = await greet(ask, opened, self._verifier, seen)
        except (OSError, FrameError, FormatError, KeyError, ReceiptError) as wrong:
            connection.abandon()
            raise unavailable(f"no greeting: {wrong}") from None
        except BaseException:
            connection.abandon()
            raise
        proof = {} if seen.state is None else seen.state.proof
        self._verifier.when_opened = lambda note: seen.keep(note, epoch, proof)


def _hand_overs_of(page: JournalPage) -> list[HandOver]:
    return [HandOver(each.index, each.event.details) for each in page.entries if each.event is not None]


def _payloads(events: Sequence[AccessEvent]) -> list[bytes]:
    if not 1 <= len(events) <= wire.MAX_REQUEST_ENTRIES:
        raise bad_event(f"{len(events)} events at once")
    if any(event.kind.control for event in events):
        raise bad_event("an entry about the log itself is made by its writer alone")
    try:
        return [event_payload(event) for event in events]
    except FormatError as wrong:
        raise bad_event(str(wrong)) from None
