"""One browser: its tiles, and the one connection that they share.

The reading side follows what the browser asks; the sending side goes round the tiles and takes one message of each, so
that no tile starves another, and waits when the browser is slow. Nothing else waits: tiles queue and drop by
themselves.
"""

from __future__ import annotations

import asyncio

import structlog

from recorder.contract.assignment import StreamRole
from recorder.contract.ticket import MediaAct, TicketClaims
from recorder.live import messages
from recorder.live.conversation import Notices, converse, until_idle
from recorder.live.leases import LeaseBook, refusal
from recorder.live.messages import CloseTile, MessageError, OpenTile, RenewTile, SwitchRole
from recorder.live.tile import Tile
from recorder.live.upstream import UpstreamPool
from recorder.live.websocket import WebSocket
from vms.base.clock import Clock
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

MAX_TILES = 64


class WallConnection:
    """Serves one browser until it leaves, is idle without a tile (`until_idle`), or breaks the protocol."""

    def __init__(self, peer: WebSocket, book: LeaseBook, pool: UpstreamPool, clock: Clock) -> None:
        self._peer = peer
        self._book = book
        self._pool = pool
        self._clock = clock
        self._tiles: dict[int, Tile] = {}
        self._something = asyncio.Event()
        self._notices = Notices(self._something.set)
        self._person_id = ""
        self._busy_ns = clock.monotonic_ns()

    async def serve(self) -> None:
        """Run the connection to its end; afterwards every lease that it held is closed."""
        works = {"reads": self._read(), "sends": self._send(), "idles": self._watch_idle()}
        await converse("wall", self._peer, works, self._let_go)

    def _let_go(self) -> tuple[()]:
        for tile in list(self._tiles.values()):
            self._book.close(tile.lease)
        return ()

    async def _read(self) -> None:
        async for text in self._peer.messages():
            try:
                self._follow(messages.parse_client_message(text))
            except MessageError as wrong:
                log.info("bad message from a browser", detail=str(wrong))
                self._notices.put(messages.error_text("message.malformed", "La console a envoyé un message inconnu."))

    def _follow(self, message: messages.ClientMessage) -> None:
        tile = self._tiles.get(message.tile)
        match message:
            case OpenTile():
                self._open(message)
            case CloseTile():
                if tile is not None:
                    self._book.close(tile.lease)
            case _ if tile is None:
                self._notices.put(
                    messages.error_text("tile.unknown", "Cette vignette n'est pas ouverte.", message.tile),
                )
            case RenewTile():
                self._renew(tile, message.ticket)
            case SwitchRole():
                self._switch(tile, message)

    def _open(self, message: OpenTile) -> None:
        previous = self._tiles.get(message.tile)
        if previous is None and len(self._tiles) >= MAX_TILES:
            self._notices.put(messages.ended_text(message.tile, "tile.too_many"))
            return
        if previous is not None:
            self._book.close(previous.lease, "replaced")
        tile = Tile(message.tile, self._something.set)
        try:
            lease = self._book.open(
                message.ticket,
                MediaAct.LIVE,
                lambda cause: self._end(tile, cause),
                lambda claims: self._check(claims, message.role),
            )
        except VmsError as refused:
            log.info("tile refused", code=refused.code, detail=refused.detail)
            self._notices.put(messages.ended_text(message.tile, refused.code))
            return
        self._tiles[message.tile] = tile
        self._person_id = lease.claims.person_id
        tile.begin(lease, message.role, self._pool.get(lease.claims.camera_id, message.role))
        log.info("tile opened", session_id=lease.claims.session_id, camera_id=lease.claims.camera_id)

    def _check(self, claims: TicketClaims, role: StreamRole) -> None:
        if role not in claims.roles:
            raise refusal("ticket.role", f"the ticket does not open the {role} stream")
        if self._person_id and claims.person_id != self._person_id:
            raise refusal("ticket.person", "one wall shows the images of one person's rights")

    def _renew(self, tile: Tile, ticket: str) -> None:
        try:
            self._book.renew(tile.lease, ticket)
        except VmsError as refused:
            log.info("renewal refused", code=refused.code, session_id=tile.lease.claims.session_id)
            self._notices.put(messages.error_text(refused.code, refused.message, tile.number))

    def _switch(self, tile: Tile, message: SwitchRole) -> None:
        if message.role not in tile.lease.claims.roles:
            self._notices.put(
                messages.error_text("ticket.role", "Ce flux n'est pas couvert par le droit accordé.", tile.number),
            )
        elif message.role is not tile.role:
            tile.switch(message.role, self._pool.get(tile.lease.claims.camera_id, message.role))

    def _end(self, tile: Tile, cause: str) -> None:
        tile.stop()
        if self._tiles.get(tile.number) is tile:
            del self._tiles[tile.number]
        self._busy_ns = self._clock.monotonic_ns()
        self._notices.put(messages.ended_text(tile.number, cause))

    async def _send(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            while await self._send_round():
                pass

    async def _send_round(self) -> bool:
        sent = False
        while (notice := self._notices.take()) is not None:
            sent = True
            self._peer.send_text(notice)
            await self._peer.drain()
        for tile in list(self._tiles.values()):
            outgoing = tile.take()
            if outgoing is None:
                continue
            sent = True
            if isinstance(outgoing, str):
                self._peer.send_text(outgoing)
            else:
                self._peer.send_binary(*outgoing)
            await self._peer.drain()
        return sent

    async def _watch_idle(self) -> None:
        await until_idle(self._clock, lambda: bool(self._tiles), lambda: self._busy_ns)
