"""Entries that are owed to the journal.

Showing an image waits for its receipt. Taking a right away, closing a look, refusing, logging in must not wait, or a
silent journal would keep a suspended agent at the screen (LAW-17). Such an act keeps its entry in its own transaction;
a deliverer brings it to the journal as soon as that answers. A crash between delivery and forgetting delivers an entry
twice, which the law allows; none is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import structlog
from sqlalchemy import delete, select, update

from access_audit.client import AuditClient
from access_audit.events import AccessEvent
from access_audit.format import event_payload, parse_payload
from supervision_centre.access.tables import OwedEntryRow
from vms.base.clock import NS_PER_SECOND, Clock
from vms.base.database import Database, WriteSession
from vms.base.errors import VmsError

log = structlog.get_logger(__name__)

_BATCH = 200
_CLAIM_NS = 15 * NS_PER_SECOND
_PAUSE_S = 1.0


def owe(session: WriteSession, events: Iterable[AccessEvent]) -> None:
    """Keep entries in the transaction of the act that they describe."""
    for event in events:
        session.add(OwedEntryRow(payload=event_payload(event)))


class Deliverer:
    """Brings owed entries to the journal, in order; several processes may run one each."""

    def __init__(self, database: Database, audit: AuditClient, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Deliver now rather than at the next turn."""
        self._wanted.set()

    async def run(self) -> None:
        """Deliver for ever; a journal that does not answer is asked again each second."""
        while True:
            self._wanted.clear()
            try:
                while await self.deliver():
                    pass
            except VmsError as refused:
                log.warning("entries owed to the journal wait", code=refused.code, detail=refused.detail)
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_S):
                    await self._wanted.wait()

    async def deliver(self) -> int:
        """Deliver one batch and say how many entries it held. Raises VmsError when the journal does not answer."""
        claimed = await self._claim()
        if not claimed:
            return 0
        try:
            await self._audit.record_all([parse_payload(payload) for _, payload in claimed])
        except VmsError:
            async with self._database.writing() as session:
                numbers = [number for number, _ in claimed]
                await session.execute(
                    update(OwedEntryRow).where(OwedEntryRow.number.in_(numbers)).values(claimed_until_ns=0)
                )
            raise
        async with self._database.writing() as session:
            await session.execute(delete(OwedEntryRow).where(OwedEntryRow.number.in_([n for n, _ in claimed])))
        return len(claimed)

    async def _claim(self) -> list[tuple[int, bytes]]:
        now_ns = self._clock.utc_ns()
        free = OwedEntryRow.claimed_until_ns <= now_ns
        async with self._database.reading() as session:
            if await session.one_or_none(select(OwedEntryRow.number).where(free).limit(1)) is None:
                return []
        oldest = select(OwedEntryRow.number).where(free).order_by(OwedEntryRow.number).limit(_BATCH)
        async with self._database.writing() as session:
            rows = await session.returned(
                update(OwedEntryRow)
                .where(OwedEntryRow.number.in_(oldest.scalar_subquery()), free)
                .values(claimed_until_ns=now_ns + _CLAIM_NS)
                .returning(OwedEntryRow.number, OwedEntryRow.payload)
                .execution_options(synchronize_session=False)
            )
        return sorted((row.number, row.payload) for row in rows)
