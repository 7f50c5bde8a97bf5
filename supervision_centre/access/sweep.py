"""The sweep: each second, what nobody else has done.

1. Close looks whose lease has ended: the browser is gone, the person was suspended from the command line, the centre
   was killed and came back. 2. Tell the node of closes that it does not know of. 3. Now and then, forget what has
ended. A message on the bus makes the next turn come at once. Several processes may sweep: each close has one winner.
"""

from __future__ import annotations

import asyncio

import structlog

from supervision_centre.access import looks
from supervision_centre.access.owed import Deliverer
from supervision_centre.access.viewing import Viewing
from supervision_centre.bus.port import Topic
from supervision_centre.people.throttle_store import forget_old_tries
from supervision_centre.people.web_sessions import WebSessions
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND

log = structlog.get_logger(__name__)

TURN_S = 1.0
_FORGET_EVERY_NS = 600 * NS_PER_SECOND


class Sweep:
    """The sweep of one process."""

    def __init__(
        self, services: CentreServices, viewing: Viewing, web_sessions: WebSessions, deliverer: Deliverer
    ) -> None:
        self._services = services
        self._viewing = viewing
        self._web_sessions = web_sessions
        self._deliverer = deliverer
        self._forgotten_at_ns: int | None = None
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Sweep for ever, each second of the clock or when nudged."""
        while True:
            self._nudged.clear()
            await self.once()
            pause = asyncio.create_task(self._services.clock.sleep(TURN_S))
            nudge = asyncio.create_task(self._nudged.wait())
            try:
                await asyncio.wait({pause, nudge}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()
                nudge.cancel()

    async def listen(self) -> None:
        """Let messages of other processes nudge the sweep."""
        async with self._services.bus.subscribe(Topic.REVOCATIONS, Topic.PEOPLE) as messages:
            async for _ in messages:
                self._nudged.set()

    async def once(self) -> None:
        """One turn."""
        database, now_ns = self._services.database, self._services.clock.utc_ns()
        async with database.reading() as reading:
            lapsed = await looks.any_lapsed(reading, now_ns)
            untold = await looks.untold(reading, now_ns)
        if lapsed:
            async with database.writing() as session:
                closed = await looks.close_lapsed(session, now_ns)
            log.info("looks ended with their lease", looks=len(closed))
            self._deliverer.wake()
        if untold:  # without the bus: its message would bring the next turn at once, and so on while the node is away
            await self._viewing.tell_node(untold)
            self._deliverer.wake()  # a command line that closed them has no deliverer
        if self._forgotten_at_ns is None or now_ns - self._forgotten_at_ns >= _FORGET_EVERY_NS:
            self._forgotten_at_ns = now_ns
            async with database.writing() as session:
                await looks.forget_closed(session, now_ns)
                await forget_old_tries(session, now_ns)
            await self._web_sessions.forget_old()
