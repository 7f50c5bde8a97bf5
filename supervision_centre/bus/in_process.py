"""The bus of one process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from supervision_centre.bus.port import QUEUE_MESSAGES, Message, Topic

log = structlog.get_logger(__name__)


class Mailbox:
    """The bounded queue of one subscriber: the oldest message gives way."""

    def __init__(self, topics: frozenset[Topic], limit: int = QUEUE_MESSAGES) -> None:
        self.topics = topics
        self.dropped = 0
        self._waiting: deque[Message] = deque()
        self._limit = limit
        self._arrived = asyncio.Event()

    def put(self, message: Message) -> None:
        """Take a message in."""
        if len(self._waiting) == self._limit:
            self._waiting.popleft()
            self.dropped += 1
            log.warning("slow subscriber lost a message", dropped=self.dropped)
        self._waiting.append(message)
        self._arrived.set()

    async def messages(self) -> AsyncIterator[Message]:
        """Every message as it comes."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._arrived.clear()
            await self._arrived.wait()


class InProcessBus:
    """A bus for a centre that is one process."""

    def __init__(self) -> None:
        self._mailboxes: set[Mailbox] = set()

    async def publish(self, message: Message) -> None:
        for mailbox in self._mailboxes:
            if message.topic in mailbox.topics:
                mailbox.put(message)

    @asynccontextmanager
    async def subscribe(self, *topics: Topic) -> AsyncIterator[AsyncIterator[Message]]:
        """The messages of these topics from now on."""
        mailbox = Mailbox(frozenset(topics))
        self._mailboxes.add(mailbox)
        try:
            yield mailbox.messages()
        finally:
            self._mailboxes.discard(mailbox)

    async def close(self) -> None:
        self._mailboxes.clear()
