"""The gateway's end of the stills process: coded key frames go out, JPEG images come back.

The gateway never decodes. The process is `recorder.decoding.stills`, behind a Unix socket, one worker for one
connection. Frames (`vms.base.framing`), for each picture in turn:

    J {"codec", "vps", "sps", "pps", "width"} (parameter sets in hexadecimal), then the sample bytes
    I + JPEG, or J {"code"}                                           its answer
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog

from vms.base.errors import ErrorKind, VmsError
from vms.base.framing import FrameError, frame, json_frame, read_frame
from vms.media.access_unit import ParameterSets

log = structlog.get_logger(__name__)

DECODES_AT_ONCE: Final = 4
WAIT_S: Final = 5.0
PICTURE_TIMEOUT_S: Final = 8.0
"""Longer than the deadline of a worker, whose own end says more."""
MAX_JPEG_BYTES: Final = 8 * 1024 * 1024
IMAGE_FRAME = b"I"


class StillsClient:
    """Decodes through the stills process, a few pictures at a time; `socket` None where there is no such process."""

    def __init__(self, socket: Path | None) -> None:
        self._socket = socket
        self._turn = asyncio.Semaphore(DECODES_AT_ONCE)

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[StillWorker]:
        """A worker of one's own. Raises VmsError `stills.unavailable` or `stills.busy`."""
        if self._socket is None:
            raise _unavailable("no stills process on this node")
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "stills.busy",
                "Trop d'images fixes sont demandées en même temps.",
                hint="Réessayez dans un instant.",
            ) from None
        worker = StillWorker(self._socket)
        try:
            yield worker
        finally:
            worker.close()
            self._turn.release()


class StillWorker:
    """One connection, made when it is needed, and made anew after a picture that was too much for a worker."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def decode(self, parameters: ParameterSets, sample: bytes, width: int) -> bytes | None:
        """The JPEG of one key frame, at most `width` pixels wide; None when it cannot be decoded.

        Raises VmsError `stills.unavailable`.
        """
        try:
            async with asyncio.timeout(PICTURE_TIMEOUT_S):
                reader, writer = self._streams or await self._connect()
                asked = {
                    "codec": parameters.codec.value,
                    "vps": parameters.vps.hex(),
                    "sps": parameters.sps.hex(),
                    "pps": [one.hex() for one in parameters.pps],
                    "width": width,
                }
                writer.write(json_frame(asked) + frame(sample))
                await writer.drain()
                answer = await read_frame(reader, MAX_JPEG_BYTES)
        except (TimeoutError, FrameError, ConnectionError):
            # A picture that ends its worker is the picture's fault: the next one gets another.
            log.warning("no answer to a still")
            self.close()
            return None
        if answer is None or not answer.startswith(IMAGE_FRAME):
            self.close()
            return None
        return answer[len(IMAGE_FRAME) :]

    def close(self) -> None:
        """Let the worker go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            self._streams = await asyncio.open_unix_connection(str(self._socket))
        except OSError as away:
            raise _unavailable(repr(away)) from None
        return self._streams


def _unavailable(detail: str) -> VmsError:
    return VmsError(
        ErrorKind.UNAVAILABLE,
        "stills.unavailable",
        "Les images fixes ne sont pas disponibles sur cet enregistreur.",
        hint="La lecture et l'enregistrement continuent. Si cela dure, prévenez l'administrateur.",
        detail=detail,
    )
