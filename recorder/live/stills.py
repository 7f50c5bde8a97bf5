"""Still pictures of a recording: one key frame, or a strip of them to search by eye.

    GET /still?at=&width=                 image/jpeg; `X-Still-At-Ns` is the instant of the key frame (UTC nanoseconds)
    GET /strip?from=&to=&count=&width=    {"stills": [{"at": "<ns>", "jpeg": "<base64>"}, …]}

Both under `Authorization: Bearer <playback ticket>`: a still is a consultation, under the same lease as playback and
within the range of its ticket.

Rules
1. Nothing is decoded here; the stills process does it, and without it playback goes on.
2. A still lives in memory for a minute, for the session that asked for it alone, and goes at once when that session is
   revoked. It is never on a disk (LAW-06).
3. Where nothing is recorded there is no still; a strip leaves it out.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recorder.contract.ticket import MediaAct
from recorder.live.http import Header, HttpConnection, HttpRequest, invalid_request
from recorder.live.leases import Lease, LeaseBook, refusal
from recorder.live.playback_http import bearer, covers
from recorder.live.still_client import StillsClient, StillWorker
from recorder.playback.key_pictures import KeyPicture, KeyPictures
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.errors import ErrorKind, VmsError

NARROWEST, WIDEST = 16, 3_840
DEFAULT_WIDTH: Final = 640
STRIP_WIDTH: Final = 160
WIDEST_IN_STRIP: Final = 480
MAX_STRIP: Final = 60
KEPT_NS: Final = 60 * NS_PER_SECOND
KEPT_BYTES: Final = 48 * 1024 * 1024
EXPOSED_HEADER: Final = "x-still-at-ns"
_NUMBER = re.compile(r"[0-9]{1,19}")

_Key = tuple[str, str, int]


class StillCache:
    """The stills of the last minute, by session. Bounded in bytes; the oldest goes first."""

    def __init__(self, clock: Clock) -> None:
        self.size_bytes = 0
        self._clock = clock
        self._stills: OrderedDict[_Key, tuple[bytes, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._stills)

    def get(self, session_id: str, name: str, width: int) -> bytes | None:
        """A still that this session was given."""
        self.drop_old()
        found = self._stills.get((session_id, name, width))
        return found[0] if found is not None else None

    def keep(self, session_id: str, name: str, width: int, jpeg: bytes) -> None:
        """Remember a still for a minute."""
        self._remove((session_id, name, width))
        self._stills[session_id, name, width] = (jpeg, self._clock.monotonic_ns() + KEPT_NS)
        self.size_bytes += len(jpeg)
        while self.size_bytes > KEPT_BYTES:
            self._remove(next(iter(self._stills)))

    def drop_session(self, session_id: str) -> None:
        """Forget what a session was given."""
        for key in [key for key in self._stills if key[0] == session_id]:
            self._remove(key)

    def drop_old(self) -> None:
        """Forget what is older than a minute."""
        now_ns = self._clock.monotonic_ns()
        while self._stills and next(iter(self._stills.values()))[1] <= now_ns:
            self._remove(next(iter(self._stills)))

    def _remove(self, key: _Key) -> None:
        found = self._stills.pop(key, None)
        if found is not None:
            self.size_bytes -= len(found[0])


class StillPages:
    """Answers `/still` and `/strip`. `watch` belongs to the life of the gateway."""

    def __init__(self, book: LeaseBook, folders: Sequence[Path], socket: Path | None, clock: Clock) -> None:
        self.cache = StillCache(clock)
        self._book = book
        self._pictures = KeyPictures(folders)
        self._client = StillsClient(socket)
        self._clock = clock
        book.when_revoked(self.cache.drop_session)

    async def watch(self) -> None:
        """Forget old stills, for ever."""
        while True:
            self.cache.drop_old()
            await self._clock.sleep(1.0)

    async def close(self) -> None:
        """Close the indexes."""
        await asyncio.to_thread(self._pictures.close)

    async def still(self, connection: HttpConnection, request: HttpRequest, headers: list[Header]) -> None:
        """Answer `/still`; VmsError when there is nothing to show, or no right to it."""
        at_ns = _number(request.query, "at")
        width = _width(request.query, DEFAULT_WIDTH, WIDEST)
        lease = self._open(request, at_ns, at_ns + 1)
        try:
            picture = await self._picture(lease, at_ns)
            if picture is None:
                raise _nothing_there()
            async with self._client.worker() as worker:
                jpeg = await self._decoded(lease, picture, width, worker)
            if jpeg is None:
                raise _undecodable()
            _require(lease)
            lease.count(len(jpeg), 1)
            about: list[Header] = [("content-type", "image/jpeg"), (EXPOSED_HEADER, str(picture.at_ns))]
            await connection.answer(200, [*headers, *about], jpeg)
        finally:
            self._book.close(lease)

    async def strip(self, connection: HttpConnection, request: HttpRequest, headers: list[Header]) -> None:
        """Answer `/strip`; VmsError when there is no right to it, or nobody to decode."""
        start_ns, end_ns = _number(request.query, "from"), _number(request.query, "to")
        count = _number(request.query, "count")
        width = _width(request.query, STRIP_WIDTH, WIDEST_IN_STRIP)
        if not (start_ns < end_ns and 1 <= count <= MAX_STRIP):
            raise invalid_request(f"a strip of {count} stills from {start_ns} to {end_ns}")
        lease = self._open(request, start_ns, end_ns)
        try:
            instants = [start_ns + (end_ns - start_ns) * number // count for number in range(count)]
            stills = await self._strip(lease, instants, width)
            _require(lease)
            lease.count(sum(len(jpeg) for _, jpeg in stills), len(stills))
            told = [{"at": str(at_ns), "jpeg": base64.b64encode(jpeg).decode("ascii")} for at_ns, jpeg in stills]
            await connection.answer_json(200, headers, {"stills": told})
        finally:
            self._book.close(lease)

    def _open(self, request: HttpRequest, start_ns: int, end_ns: int) -> Lease:
        return self._book.open(
            bearer(request), MediaAct.PLAYBACK, lambda _: None, lambda claims: covers(claims, start_ns, end_ns)
        )

    async def _strip(self, lease: Lease, instants: Sequence[int], width: int) -> list[tuple[int, bytes]]:
        stills: list[tuple[int, bytes]] = []
        last = ""
        async with self._client.worker() as worker:
            for instant_ns in instants:
                _require(lease)
                picture = await self._picture(lease, instant_ns)
                if picture is None or picture.name == last:
                    continue
                last = picture.name
                jpeg = await self._decoded(lease, picture, width, worker)
                if jpeg is not None:
                    stills.append((picture.at_ns, jpeg))
        return stills

    async def _picture(self, lease: Lease, instant_ns: int) -> KeyPicture | None:
        camera_id, pictures = lease.claims.camera_id, self._pictures
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pictures.threads, lambda: pictures.at(camera_id, instant_ns))

    async def _decoded(self, lease: Lease, picture: KeyPicture, width: int, worker: StillWorker) -> bytes | None:
        session_id = lease.claims.session_id
        known = self.cache.get(session_id, picture.name, width)
        if known is not None:
            return known
        jpeg = await worker.decode(picture.parameters, picture.sample, width)
        if jpeg is not None and lease.running:
            self.cache.keep(session_id, picture.name, width, jpeg)
        return jpeg


def _require(lease: Lease) -> None:
    """Nothing goes out once the lease has ended."""
    if not lease.running:
        raise refusal(lease.cause, "the lease ended while stills were decoded")


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "")
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
        raise invalid_request(f"{name} is no number: {text[:40]!r}")
    return int(text)


def _width(query: dict[str, str], default: int, widest: int) -> int:
    width = _number(query, "width") if "width" in query else default
    if not NARROWEST <= width <= widest:
        raise invalid_request(f"width of {width} pixels")
    return width


def _nothing_there() -> VmsError:
    return VmsError(
        ErrorKind.NOT_FOUND,
        "playback.nothing_recorded",
        "Rien n'est enregistré pour cette caméra à ce moment.",
        hint="La frise de la caméra montre les périodes enregistrées et la cause des absences.",
    )


def _undecodable() -> VmsError:
    return VmsError(
        ErrorKind.CORRUPT,
        "still.undecodable",
        "L'image de cet instant ne peut pas être décodée.",
        hint="Choisissez un autre instant ; l'enregistrement lui-même n'est pas modifié.",
    )
