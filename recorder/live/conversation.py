"""What every conversation with a browser is made of: works that end together, and a bounded queue of short answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import structlog
from websockets.frames import CloseCode

from recorder.live.websocket import WebSocket
from vms.base.clock import NS_PER_SECOND, Clock

log = structlog.get_logger(__name__)

MAX_NOTICES: Final = 256
IDLE_LIMIT_S: Final = 60.0
_IDLE_CHECK_S: Final = 5.0


class Notices:
    """Texts that wait to be sent, at most `MAX_NOTICES`; `wake` is called when there is one."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._texts: deque[str] = deque()
        self._wake = wake

    def put(self, text: str) -> None:
        """Queue a text."""
        if len(self._texts) >= MAX_NOTICES:
            # A browser that asks and never takes the answers: the oldest is the one it needs least.
            self._texts.popleft()
        self._texts.append(text)
        self._wake()

    def take(self) -> str | None:
        """The next text, or None."""
        return self._texts.popleft() if self._texts else None


async def converse(
    name: str,
    peer: WebSocket,
    works: Mapping[str, Coroutine[Any, Any, None]],
    let_go: Callable[[], Iterable[asyncio.Task[None]]],
) -> None:
    """Run these works, and keep the connection alive, until one of them ends; then close the connection.

    `let_go` gives back what the conversation held, and tells which tasks of its own have still to end.
    """
    tasks = [asyncio.create_task(work, name=f"{name} {does}") for does, work in works.items()]
    tasks.append(asyncio.create_task(peer.keep_alive(), name=f"{name} keeps alive"))
    code = CloseCode.NORMAL_CLOSURE
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            failure = task.exception()
            if failure is not None and not isinstance(failure, ConnectionError):
                log.error("connection failed", conversation=name, error=repr(failure), exc_info=failure)
                code = CloseCode.INTERNAL_ERROR
    except asyncio.CancelledError:
        code = CloseCode.SERVICE_RESTART
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *let_go(), return_exceptions=True)
        await peer.close(code)


async def until_idle(clock: Clock, shows: Callable[[], bool], busy_ns: Callable[[], int]) -> None:
    """Return when nothing has been shown for `IDLE_LIMIT_S`; `busy_ns` is the monotonic instant of the last end."""
    while shows() or clock.monotonic_ns() - busy_ns() < IDLE_LIMIT_S * NS_PER_SECOND:
        await clock.sleep(_IDLE_CHECK_S)
