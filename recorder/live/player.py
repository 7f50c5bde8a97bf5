"""One player on `/playback`: its streams, and the one connection that they share.

Rules:

1. Nothing is sent that was not asked for: a player that takes nothing gets nothing, and costs what is on its way.
2. A stream answers one request after the other; streams take turns, one message each.
3. What may be asked is bounded: streams of a connection, requests that wait, groups of a request, messages a second.
4. When a lease ends, nothing more of its stream is sent. A message that is on its way then is finished within
   `LEASE_END_GRACE_S`, or the connection is dropped with it (LAW-17).
"""

from __future__ import annotations

import asyncio

import structlog

from recorder.contract.ticket import MediaAct, TicketClaims
from recorder.live import playback_messages as messages
from recorder.live.conversation import Notices, converse, until_idle
from recorder.live.leases import LeaseBook, refusal
from recorder.live.messages import MessageError
from recorder.live.playback_messages import CancelFetches, CloseStream, FetchGroups, OpenStream, RenewStream
from recorder.live.player_stream import PlayerStream
from recorder.live.websocket import WebSocket
from recorder.playback.service import PlaybackService
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

MAX_STREAMS = 8
LEASE_END_GRACE_S = 0.5


class PlayerConnection:
    """Serves one player until it leaves, is idle without a stream (`until_idle`), or breaks the protocol."""

    def __init__(self, peer: WebSocket, book: LeaseBook, playback: PlaybackService, clock: Clock) -> None:
        self._peer = peer
        self._book = book
        self._playback = playback
        self._clock = clock
        self._streams: dict[int, PlayerStream] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._noticed = asyncio.Event()
        self._notices = Notices(self._noticed.set)
        self._turn = asyncio.Lock()
        self._person_id = ""
        self._busy_ns = clock.monotonic_ns()

    async def serve(self) -> None:
        """Run the connection to its end; afterwards every lease and every place that it held is given back."""
        works = {"reads": self._read(), "is told": self._tell(), "idles": self._watch_idle()}
        await converse("player", self._peer, works, self._let_go)

    def _let_go(self) -> list[asyncio.Task[None]]:
        answering = [stream.task for stream in self._streams.values() if stream.task is not None]
        for task in answering:
            task.cancel()
        for stream in list(self._streams.values()):
            self._book.close(stream.lease)
        return [*answering, *self._ending]

    async def say(self, stream: PlayerStream, text: str) -> None:
        """See `Outlet`."""
        async with self._turn:
            if stream.lease.running:
                self._peer.send_text(text)
                await self._peer.drain()

    async def give(self, stream: PlayerStream, pieces: list[bytes | memoryview]) -> None:
        """See `Outlet`."""
        async with self._turn:
            if not stream.lease.running:
                return
            stream.sending = True
            try:
                await self._peer.send_pieces(pieces)
            finally:
                stream.sending = False

    async def _tell(self) -> None:
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            while (notice := self._notices.take()) is not None:
                async with self._turn:
                    self._peer.send_text(notice)
                    await self._peer.drain()

    def notice(self, text: str) -> None:
        """See `Outlet`."""
        self._notices.put(text)

    def _refuse(self, code: str, message: str, stream: int | None = None, request: int | None = None) -> None:
        refused = VmsError(ErrorKind.INVALID_INPUT, code, message, hint="Rechargez la page de la console.")
        self.notice(messages.refusal_text(stream, request, refused))

    async def _read(self) -> None:
        async for text in self._peer.messages():
            try:
                self._follow(messages.parse_player_message(text))
            except MessageError as wrong:
                log.info("bad message from a player", detail=str(wrong))
                self._refuse("message.malformed", "La console a envoyé un message inconnu.")

    def _follow(self, message: messages.PlayerMessage) -> None:
        stream = self._streams.get(message.stream)
        match message:
            case OpenStream():
                self._open(message)
            case CloseStream():
                if stream is not None:
                    self._book.close(stream.lease)
            case _ if stream is None:
                request = message.request if isinstance(message, FetchGroups) else None
                self._refuse("stream.unknown", "Cette lecture n'est pas ouverte.", message.stream, request)
            case FetchGroups():
                self._fetch(stream, message)
            case CancelFetches():
                stream.cancel()
            case RenewStream():
                self._renew(stream, message.ticket)

    def _open(self, message: OpenStream) -> None:
        previous = self._streams.get(message.stream)
        if previous is not None:
            self._book.close(previous.lease, "replaced")
        if len(self._streams) >= MAX_STREAMS:
            self.notice(messages.ended_text(message.stream, "stream.too_many"))
            return
        stream = PlayerStream(message.stream, self, self._playback)
        try:
            lease = self._book.open(
                message.ticket, MediaAct.PLAYBACK, lambda cause: self._end(stream, cause), self._check
            )
        except VmsError as refused:
            log.info("playback stream refused", code=refused.code, detail=refused.detail)
            self.notice(messages.ended_text(message.stream, refused.code))
            return
        claims = lease.claims
        try:
            source = self._playback.open_groups(claims.camera_id, claims.start_ns, claims.end_ns)
        except VmsError as refused:
            self._book.close(lease, refused.code)
            return
        self._streams[message.stream] = stream
        self._person_id = claims.person_id
        self.notice(messages.opened_text(message.stream, claims.start_ns, claims.end_ns))
        task = stream.begin(lease, source)
        task.add_done_callback(lambda _: self._answered(stream, task))
        log.info("playback stream opened", session_id=claims.session_id, camera_id=claims.camera_id)

    def _check(self, claims: TicketClaims) -> None:
        if not 0 <= claims.start_ns < claims.end_ns < 1 << 63:
            raise refusal("ticket.range", "the ticket covers no range")
        if self._person_id and claims.person_id != self._person_id:
            raise refusal("ticket.person", "one player shows the images of one person's rights")

    def _fetch(self, stream: PlayerStream, message: FetchGroups) -> None:
        fetch = message.fetch
        first_ns, last_ns = (fetch.to_ns, fetch.from_ns) if fetch.backward else (fetch.from_ns, fetch.to_ns)
        if first_ns > last_ns:
            self._refuse("fetch.range", "Cette période n'est pas valable.", message.stream, message.request)
        elif not stream.ask(message):
            self._refuse("fetch.too_many", "Trop de demandes attendent déjà.", message.stream, message.request)

    def _renew(self, stream: PlayerStream, ticket: str) -> None:
        try:
            self._book.renew(stream.lease, ticket)
        except VmsError as refused:
            log.info("renewal refused", code=refused.code, session_id=stream.lease.claims.session_id)
            self.notice(messages.refusal_text(stream.number, None, refused))

    def _end(self, stream: PlayerStream, cause: str) -> None:
        """The lease is over: nothing more of this stream is sent."""
        self._busy_ns = self._clock.monotonic_ns()
        self.notice(messages.ended_text(stream.number, cause))
        if self._streams.get(stream.number) is not stream:
            return
        del self._streams[stream.number]
        ending = asyncio.create_task(self._finish(stream), name="playback stream ends")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _answered(self, stream: PlayerStream, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not isinstance(failure, ConnectionError):
            log.error("playback stream failed", error=repr(failure), exc_info=failure)
            self._book.close(stream.lease, "internal")

    async def _finish(self, stream: PlayerStream) -> None:
        task = stream.task
        assert task is not None
        try:
            if stream.sending:
                await asyncio.wait({task}, timeout=LEASE_END_GRACE_S)
            if stream.sending:
                log.info("player cut off", session_id=stream.lease.claims.session_id, cause=stream.lease.cause)
                self._peer.abort()
            task.cancel()
            await asyncio.wait({task})
        finally:
            self._playback.close_groups()

    async def _watch_idle(self) -> None:
        await until_idle(self._clock, lambda: bool(self._streams), lambda: self._busy_ns)
