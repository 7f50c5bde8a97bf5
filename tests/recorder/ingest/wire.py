"""What goes over the wire between a recorder and a camera: listened to, kept as a transcript, and played again.

A transcript is a line of JSON (what it is), then records: a letter for who speaks (`C` client, `S` server, `E` the
server closes), when (milliseconds since the connection, 4 bytes), how much (4 bytes), and the bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vms.media.rtsp import RtspItem, RtspParser, RtspRequest

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FOLDER = Path(__file__).parent / "transcripts"
_RECORD = struct.Struct(">cII")
_FIRST_LINE = b"\n"


@dataclass(slots=True)
class Transcript:
    """One connection. `records` are (who, milliseconds, bytes)."""

    about: dict[str, str] = field(default_factory=dict)
    records: list[tuple[str, int, bytes]] = field(default_factory=list)

    def said_by(self, who: str) -> bytes:
        """All that one side said."""
        return b"".join(data for speaker, _, data in self.records if speaker == who)

    def requests(self) -> list[RtspRequest]:
        """What the client asked."""
        return [item for item in self.client_items() if isinstance(item, RtspRequest)]

    def client_items(self) -> list[RtspItem]:
        """Requests and frames of the client."""
        return RtspParser().feed(self.said_by("C"))

    def merged(self) -> Transcript:
        """The same, with what one side said at one time in one record."""
        found: list[tuple[str, int, bytes]] = []
        for who, at_ms, data in self.records:
            if found and found[-1][0] == who and (who == "C" or at_ms == found[-1][1]):
                found[-1] = (who, found[-1][1], found[-1][2] + data)
            else:
                found.append((who, at_ms, data))
        return Transcript(self.about, found)

    def encode(self) -> bytes:
        """The file."""
        parts = [json.dumps(self.about, sort_keys=True).encode(), _FIRST_LINE]
        for who, at_ms, data in self.records:
            parts += [_RECORD.pack(who.encode(), at_ms, len(data)), data]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> Transcript:
        """The transcript in a file."""
        first, _, rest = data.partition(_FIRST_LINE)
        found = cls(json.loads(first))
        place = 0
        while place < len(rest):
            who, at_ms, size = _RECORD.unpack_from(rest, place)
            place += _RECORD.size
            found.records.append((who.decode(), at_ms, rest[place : place + size]))
            place += size
        return found


def kept(name: str) -> list[Transcript]:
    """The kept connections of a name, in their order. Blocks on the disk."""
    paths = sorted(FOLDER.glob(f"{name}.*.bin"), key=lambda path: int(path.suffixes[0][1:]))
    return [Transcript.decode(path.read_bytes()) for path in paths]


def keep(name: str, connections: Iterable[Transcript]) -> int:
    """Keep the connections of a name instead of those before; the number of bytes. Blocks on the disk."""
    for path in FOLDER.glob(f"{name}.*.bin"):
        path.unlink()
    total = 0
    for number, transcript in enumerate(connections, 1):
        total += (FOLDER / f"{name}.{number}.bin").write_bytes(transcript.merged().encode())
    return total


def names() -> set[str]:
    """The names that are kept."""
    return {path.name.partition(".")[0] for path in FOLDER.glob("*.bin")}


class Tap:
    """A relay in front of a server that keeps what passes, one transcript a connection."""

    def __init__(self, port: int) -> None:
        self.transcripts: list[Transcript] = []
        self._behind = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        transcript = Transcript()
        self.transcripts.append(transcript)
        started = time.monotonic()

        async def pump(who: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    transcript.records.append((who, int((time.monotonic() - started) * 1_000), data))
                    sink.write(data)
            if who == "S":
                transcript.records.append(("E", int((time.monotonic() - started) * 1_000), b""))
            sink.close()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pump("C", reader, back))
                group.create_task(pump("S", there, writer))
        finally:
            back.transport.abort()
            writer.transport.abort()


@contextlib.asynccontextmanager
async def tapped(port: int, host: str = "127.0.0.1", own_port: int = 0) -> AsyncIterator[tuple[Tap, int]]:
    """A tap in front of a local port, and its own port."""
    tap = Tap(port)
    async with serving(tap.serve, host, own_port) as own:
        yield tap, own


class Player:
    """Serves transcripts, one a connection, the last one again and again: what was said is said again in its time.

    Where the client spoke in the transcript, it is waited for, whatever it says now. `speed` 0 waits for nothing else.
    """

    def __init__(self, played: Iterable[Transcript], speed: float = 1.0) -> None:
        self._played = list(played)
        self._speed = speed
        self.connections = 0
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        transcript = self._played[min(self.connections, len(self._played) - 1)]
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._play(transcript, reader, writer)
                if not any(who == "E" for who, _, _ in transcript.records):
                    await reader.read()
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _play(self, transcript: Transcript, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        behind_s = loop.time()
        answered = False
        for who, at_ms, data in transcript.records:
            if who == "C" and not answered:
                await _request(reader)
                answered = data.startswith(b"PLAY ")
                if self._speed:
                    behind_s = loop.time() - at_ms / 1_000 / self._speed
            elif who == "S":
                if answered and self._speed:
                    await asyncio.sleep(max(0.0, behind_s + at_ms / 1_000 / self._speed - loop.time()))
                writer.write(data)
                await writer.drain()
        self.ended.set()


@contextlib.asynccontextmanager
async def playing(player: Player, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """The port where a player serves."""
    async with serving(player.serve, host, port) as port:
        yield port


async def _request(reader: asyncio.StreamReader) -> None:
    """Wait for one whole request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)


@contextlib.asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """The port of a server that serves each client so, until the context ends."""
    clients: set[asyncio.Task[None]] = set()

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await serve(reader, writer)

    server = await asyncio.start_server(client, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
