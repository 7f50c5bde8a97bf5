"""Playback over HTTP: a range of a camera as one fragmented MP4 (RFC 9110, sections 13 and 14).

    GET, HEAD /playback?from=&to=      UTC nanoseconds; `Authorization: Bearer <playback ticket>`
    POST      /playback/renew          {"ticket": …}: prolongs the lease of the session's running answers

A range whose segments are all closed has a length and an entity tag, and is given in any pieces that are asked for, one
range at a time. One that still grows is streamed without a length. What its lease no longer covers is not sent: an
answer without a length ends between two fragments, one with a length breaks off there.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from recorder.contract.ticket import MediaAct, TicketClaims
from recorder.live.http import Header, HttpConnection, HttpRequest, invalid_request
from recorder.live.leases import Lease, LeaseBook, refusal
from recorder.playback.codecs import refuse_unplayable
from recorder.playback.range_file import RangeFile
from recorder.playback.reader import Chunk
from recorder.playback.segment_file import DamagedSegmentError
from recorder.playback.service import PlaybackService, Steps
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

LEASE_END_GRACE_S = 0.5
EXPOSED_HEADERS = "accept-ranges, content-length, content-range, etag, x-media-start-ns"
_INSTANT = re.compile(r"[0-9]{1,19}")
_BYTE_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")

NextChunk = Callable[[], Awaitable[Chunk | None]]


class PlaybackPages:
    """Answers the requests of playback."""

    def __init__(self, book: LeaseBook, playback: PlaybackService) -> None:
        self._book = book
        self._playback = playback

    async def play(self, connection: HttpConnection, request: HttpRequest, headers: list[Header]) -> None:
        """Answer GET and HEAD; VmsError when there is nothing to show, or no right to it."""
        start_ns, end_ns = _range(request.query)
        ended = asyncio.Event()
        lease = self._book.open(
            bearer(request), MediaAct.PLAYBACK, lambda _: ended.set(), lambda claims: covers(claims, start_ns, end_ns)
        )
        answer = _Answer(connection, request, headers, lease, ended)
        try:
            file = await self._playback.file(lease.claims.camera_id, start_ns, end_ns)
            if file is not None:
                await self._play_file(answer, file)
            else:
                await self._play_growing(answer, start_ns, end_ns)
        finally:
            self._book.close(lease)

    def renew(self, request: HttpRequest) -> dict[str, object]:
        """Answer a renewal; VmsError when its ticket is none."""
        return {"streams": self._book.renew_session(_ticket_in_body(request.body), MediaAct.PLAYBACK)}

    async def _play_growing(self, answer: _Answer, start_ns: int, end_ns: int) -> None:
        stream = await self._playback.open(answer.lease.claims.camera_id, start_ns, end_ns)
        try:
            await answer.begin(200, stream.mime, stream.start_ns, [("connection", "close")])
            if answer.with_body:
                await answer.copy(stream.next, stream.init, whole=True)
            else:
                await answer.finish()
        finally:
            await stream.close()

    async def _play_file(self, answer: _Answer, file: RangeFile) -> None:
        damage = next((one for share in file.shares if (one := self._playback.digests.damage_of(share.found))), None)
        if damage is not None:
            raise VmsError(
                ErrorKind.CORRUPT,
                damage.code,
                "L'enregistrement de cette période est endommagé : ces images ne font pas foi.",
                hint="Demandez une période sans cette partie, et prévenez l'administrateur.",
                detail=f"{damage.segment_id}: {damage.detail}",
            )
        asked = _asked_range(answer.request, file)
        if asked is not None and asked[0] >= asked[1]:
            await answer.refuse_range(file)
            return
        begin, end = asked or (0, file.size)
        head: list[Header] = [("accept-ranges", "bytes"), ("etag", file.etag), ("content-length", str(end - begin))]
        if asked is not None:
            head.append(("content-range", f"bytes {begin}-{end - 1}/{file.size}"))
        pieces = self._playback.open_file(file, begin, end)
        try:
            await answer.begin(200 if asked is None else 206, file.mime, file.start_ns, head)
            if answer.with_body:
                await answer.copy(self._checked(answer, file, begin, pieces), b"", whole=False)
            else:
                await answer.finish()
        finally:
            await self._playback.close_file(pieces)

    def _checked(self, answer: _Answer, file: RangeFile, begin: int, pieces: Steps[Chunk]) -> NextChunk:
        """The pieces, each segment of them checked from its first byte on; a wrong one breaks the answer off."""
        position = begin
        shares = deque(share for share in file.shares if share.offset + share.size > begin)

        async def next_chunk() -> Chunk | None:
            nonlocal position
            while shares and shares[0].offset <= position:
                self._playback.digests.check(shares.popleft().found, lambda _: answer.ended.set())
            chunk = await pieces.next()
            position += len(chunk.data) if chunk is not None else 0
            return chunk

        return next_chunk


class _Answer:
    """One answer under one lease; `ended` once nothing more of it may be sent."""

    def __init__(
        self,
        connection: HttpConnection,
        request: HttpRequest,
        headers: list[Header],
        lease: Lease,
        ended: asyncio.Event,
    ) -> None:
        self.request = request
        self.lease = lease
        self.ended = ended
        self.with_body = request.method != "HEAD"
        self._connection = connection
        self._headers = headers

    async def begin(self, status: int, mime: str, start_ns: int, more: list[Header]) -> None:
        """Send the head. A browser is told when it cannot play this; a program gets it as it is."""
        if self.request.header("origin") is not None:
            refuse_unplayable(mime)
        about = [("content-type", mime), ("x-media-start-ns", str(start_ns))]
        await self._connection.begin(status, [*self._headers, *about, *more])

    async def finish(self) -> None:
        """End the answer."""
        await self._connection.finish()

    async def refuse_range(self, file: RangeFile) -> None:
        """There are no such bytes."""
        refused: dict[str, object] = {
            "code": "range.unsatisfiable",
            "message": "Cette partie du fichier n'existe pas.",
            "hint": "Reprenez le téléchargement depuis le début.",
        }
        head = [*self._headers, ("content-range", f"bytes */{file.size}"), ("etag", file.etag)]
        await self._connection.answer_json(416, head, refused)

    async def copy(self, next_chunk: NextChunk, init: bytes, *, whole: bool) -> None:
        """Send the body until it or the lease ends; a peer that is stuck inside a fragment then is cut off.

        `whole` says that an answer may end early, which one with a length cannot.
        """
        copying = asyncio.create_task(self._copy(next_chunk, init, whole=whole), name="playback copies")
        ending = asyncio.create_task(self.ended.wait(), name="playback waits for the end of its lease")
        try:
            await asyncio.wait({copying, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not copying.done():
                await asyncio.wait({copying}, timeout=LEASE_END_GRACE_S)
            if copying.done():
                copying.result()
            else:
                log.info("playback cut off", session_id=self.lease.claims.session_id, cause=self.lease.cause)
                self._connection.abort()
        finally:
            copying.cancel()
            ending.cancel()
            await asyncio.gather(copying, ending, return_exceptions=True)

    async def _copy(self, next_chunk: NextChunk, init: bytes, *, whole: bool) -> None:
        if init:
            await self._connection.send(init)
            self.lease.count(len(init), 0)
        inside = False
        while inside or not self.ended.is_set():
            try:
                chunk = await next_chunk()
            except (DamagedSegmentError, FileNotFoundError) as broken:
                log.error("playback broken off", session_id=self.lease.claims.session_id, error=str(broken))
                self._connection.abort()
                return
            if chunk is None:
                await self._connection.finish()
                return
            inside = not chunk.ends_fragment
            await self._connection.send(chunk.data)
            self.lease.count(len(chunk.data), int(chunk.ends_fragment))
        cause = self.lease.cause or "segment.damaged"
        log.info("playback ended before its end", session_id=self.lease.claims.session_id, cause=cause)
        if whole:
            await self._connection.finish()


def bearer(request: HttpRequest) -> str:
    """The ticket that comes with a request; VmsError `ticket.missing`."""
    scheme, _, ticket = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "bearer" or not ticket:
        raise VmsError(
            ErrorKind.UNAUTHENTICATED,
            "ticket.missing",
            "Aucun droit d'accès n'accompagne la demande.",
            hint="Rouvrez la lecture depuis la console.",
        )
    return ticket.strip()


def covers(claims: TicketClaims, start_ns: int, end_ns: int) -> None:
    """Refuse a ticket whose range is not around `[start_ns, end_ns)`: VmsError `ticket.range`."""
    if not claims.start_ns <= start_ns < end_ns <= claims.end_ns:
        raise refusal("ticket.range", "the ticket does not cover the range that was asked")


def _asked_range(request: HttpRequest, file: RangeFile) -> tuple[int, int] | None:
    """The bytes `[begin, end)` that are asked for, empty when there are none; None for all.

    What is no single byte range, or belongs to other bytes than these (`If-Range`), is ignored (RFC 9110, 14.2).
    """
    condition = request.header("if-range")
    if any(name == "if-range" for name, _ in request.headers) and condition != file.etag:
        return None
    asked = _BYTE_RANGE.fullmatch((request.header("range") or "").replace(" ", "").lower())
    if asked is None or asked.groups() == ("", ""):
        return None
    first, last = asked.groups()
    if not first:
        return max(file.size - int(last), 0), file.size if int(last) else 0
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, file.size) if last else file.size


def _range(query: dict[str, str]) -> tuple[int, int]:
    texts = query.get("from", ""), query.get("to", "")
    if set(query) != {"from", "to"} or not all(_INSTANT.fullmatch(text) for text in texts):
        raise invalid_request("`from` and `to` must be UTC nanoseconds, and alone")
    start_ns, end_ns = int(texts[0]), int(texts[1])
    if not start_ns < end_ns < 1 << 63:
        raise invalid_request("the range is empty or out of this world")
    return start_ns, end_ns


def _ticket_in_body(body: bytes) -> str:
    try:
        ticket = json.loads(body)["ticket"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise invalid_request("no ticket in the body") from None
    if not isinstance(ticket, str):
        raise invalid_request("the ticket is no text")
    return ticket
