"""What the processes of the centre tell each other.

A message is a nudge, never the truth: it may be lost, and then the next turn of a sweep finds in the database what it
would have said. So nothing is kept for absent subscribers, and a slow one loses its oldest messages, counted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

QUEUE_MESSAGES = 256


class Topic(StrEnum):
    """What a message is about."""

    REVOCATIONS = "revocations"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: identifiers and codes only, never an image or a secret."""

    topic: Topic
    fields: Mapping[str, str]


class Bus(Protocol):
    """Publish and subscribe, within a process or across them."""

    async def publish(self, message: Message) -> None:
        """Tell everybody who listens now. VmsError `bus.unavailable` when that cannot be done."""

    def subscribe(self, *topics: Topic) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """The messages of these topics from now on, for as long as the block lasts; a broken link is made again."""

    async def close(self) -> None:
        """Let go of every connection."""
