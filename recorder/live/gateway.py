"""The live gateway: one process of a node that shows pictures and owns nothing.

One TCP port carries the walls (WebSocket) and playback (HTTP), see `front`; one Unix socket takes revocations, see
`control`. Live pictures come from the shards' sockets, recorded ones from their folders, which are only ever read. When
it stops or dies, viewers reconnect and recording goes on untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from recorder.contract.ticket import TicketVerifier
from recorder.live.control import ControlServer
from recorder.live.front import Front
from recorder.live.leases import LeaseBook
from recorder.live.served import ServedBook
from recorder.live.stills import StillPages
from recorder.live.upstream import UpstreamPool
from recorder.node.client import ShardClient
from recorder.playback.service import PlaybackService
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tasks import supervise

log = structlog.get_logger(__name__)

_STREAM_BUFFER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway needs to know to start.

    `port` 0 takes any free one. `shard_sockets` and `shard_folders` are those of this node's shards. `allowed_origins`
    are the addresses of the console as a browser names them (`https://console.example.fr`). `stills_socket` is where
    key frames are decoded, None where nobody does.
    """

    host: str
    port: int
    shard_sockets: tuple[Path, ...]
    shard_folders: tuple[Path, ...]
    control_socket: Path
    ticket_public_key: Path
    allowed_origins: tuple[str, ...]
    max_connections: int = 512
    max_playback_streams: int = 64
    stills_socket: Path | None = None
    served_folder: Path | None = None
    """Where it is kept what viewers were sent, for the comparison with the access log; None keeps nothing."""


class Gateway:
    """A gateway that is started and closed; `port` is known once it is started."""

    def __init__(self, settings: GatewaySettings, clock: Clock, key: Ed25519PublicKey) -> None:
        self.port = settings.port
        self._settings = settings
        self._shards = [ShardClient(path) for path in settings.shard_sockets]
        self._book = LeaseBook(TicketVerifier(key, clock), clock)
        self._pool = UpstreamPool(self._shards, clock)
        self._playback = PlaybackService(settings.shard_folders, settings.max_playback_streams, clock)
        self._stills = StillPages(self._book, settings.shard_folders, settings.stills_socket, clock)
        self._front = Front(
            self._book,
            self._pool,
            self._playback,
            self._stills,
            clock,
            allowed_origins=frozenset(settings.allowed_origins),
            max_connections=settings.max_connections,
        )
        self._control = ControlServer(settings.control_socket, self._book, self._pool, settings.served_folder)
        folder = settings.served_folder
        self._served = None if folder is None else ServedBook(folder, self._book, clock)
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen. Raises VmsError `port.taken` or `gateway.control_socket`."""
        watches = [("leases", self._book.watch), ("stills", self._stills.watch)]
        if self._served is not None:
            watches.append(("served", self._served.run))
        for name, watch in watches:
            self._watching.append(asyncio.create_task(supervise(name, watch, self._clock), name=name))
        try:
            await self._control.start()
        except OSError as refused:
            raise VmsError(
                ErrorKind.CONFIGURATION,
                "gateway.control_socket",
                f"La passerelle vidéo ne peut pas ouvrir {self._settings.control_socket} ({refused.strerror}).",
                hint="Vérifiez que ce dossier existe et que le compte du service peut y écrire.",
                detail=repr(refused),
            ) from None
        try:
            self._server = await asyncio.start_server(
                self._front.accept, self._settings.host, self._settings.port, limit=_STREAM_BUFFER_BYTES
            )
        except OSError as refused:
            raise VmsError(
                ErrorKind.CONFLICT,
                "port.taken",
                f"Le port {self._settings.port} de la passerelle vidéo n'est pas disponible ({refused.strerror}).",
                hint="Arrêtez le programme qui l'occupe, ou changez gateway.port.",
                detail=repr(refused),
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("gateway listens", host=self._settings.host, port=self.port)

    async def close(self) -> None:
        """End every wall, playback and subscription."""
        if self._server is not None:
            self._server.close()
        await self._front.close()
        await self._control.close()
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        if self._served is not None:
            await self._served.write()
        for shard in self._shards:
            await shard.close()
        await self._playback.close()
        await self._stills.close()


async def run_gateway(
    settings: GatewaySettings, clock: Clock, stop: asyncio.Event, on_ready: Callable[[], None]
) -> None:
    """Run a gateway until `stop` is set; `on_ready` is called when it listens.

    Raises VmsError `gateway.ticket_key`, `port.taken`, `gateway.control_socket`.
    """
    key = await asyncio.to_thread(load_ticket_key, settings.ticket_public_key)
    gateway = Gateway(settings, clock, key)
    try:
        await gateway.start()
        on_ready()
        await stop.wait()
    finally:
        await gateway.close()


def load_ticket_key(path: Path) -> Ed25519PublicKey:
    """The centre's public key out of a PEM file. Raises VmsError `gateway.ticket_key`."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as wrong:
        raise _no_ticket_key(path, repr(wrong)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_ticket_key(path, "not an Ed25519 key")
    return key


def _no_ticket_key(path: Path, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "gateway.ticket_key",
        f"La clé publique des droits d'accès est illisible : {path}.",
        hint="Copiez sur ce nœud la clé publique que le centre a produite (keys/ticket.pub).",
        detail=detail,
    )
