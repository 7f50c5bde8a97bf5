"""What keeps the nodes and the table of holds of one mind, whatever stops or forgets in between (LAW-10).

1. A hold or a release that the node has not confirmed is told again until it has; telling twice does no harm. 2. A hold
that has come to its end is closed here with its entry; the node lets go of it by itself. 3. From time to time the node
is asked for what it holds: a hold that it lost is an alarm and is placed again, a released one that it still has is
released again, one that nobody here knows of is shown, and never released by a machine. 4. Each hour every hold is
placed again, in silence: a disk or a shard that joined the node since learns of it. Several processes may do this: each
change has one winner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from recorder.contract.hold import HeldRange, HoldRelease
from supervision_centre.access.owed import Deliverer
from supervision_centre.holds import rows
from supervision_centre.holds.policy import HoldState
from supervision_centre.holds.tables import HoldRow
from supervision_centre.services import CentreServices
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

TURN_S = 5.0
COMPARE_EVERY_NS = 60 * NS_PER_SECOND
AGAIN_EVERY_NS = 3_600 * NS_PER_SECOND
NODE_DEADLINE_S = 5.0
LOST = "hold.missing_at_node"
DIFFERENT = "hold.different_at_node"


class HoldUpkeep:
    """The upkeep of one process. `strangers` are the holds that a node has and the table of the centre has not."""

    def __init__(self, services: CentreServices, deliverer: Deliverer) -> None:
        self._services = services
        self._deliverer = deliverer
        self._compared_at_ns: int | None = None
        self._placed_again_at_ns = services.clock.utc_ns()
        self.strangers: Mapping[str, HeldRange] = {}

    async def run(self) -> None:
        """Keep up for ever."""
        while True:
            await self.once()
            await self._services.clock.sleep(TURN_S)

    async def once(self) -> None:
        """One turn."""
        database, now_ns = self._services.database, self._services.clock.utc_ns()
        async with database.reading() as reading:
            over = await rows.any_expired(reading, now_ns)
            untold = await rows.untold(reading)
        if over:
            async with database.writing() as session:
                count = await rows.expire(session, now_ns)
            log.info("holds came to their end", holds=count)
            self._deliverer.wake()
        for row in untold:
            if row.state == HoldState.RELEASED or now_ns < row.expires_at_ns:
                await self.tell(row)
        if self._compared_at_ns is None or now_ns - self._compared_at_ns >= COMPARE_EVERY_NS:
            self._compared_at_ns = now_ns
            await self.compare()
        if now_ns - self._placed_again_at_ns >= AGAIN_EVERY_NS:
            self._placed_again_at_ns = now_ns
            await self.place_again()

    async def place_again(self) -> None:
        """Place every confirmed hold once more; what the node holds is as it was, or more."""
        async with self._services.database.reading() as reading:
            confirmed = [row for row in await rows.standing(reading) if row.node_told]
        now_ns = self._services.clock.utc_ns()
        for row in confirmed:
            if row.expires_at_ns <= now_ns:
                continue
            try:
                async with asyncio.timeout(NODE_DEADLINE_S):
                    held = await self._services.node.place_hold(rows.hold_of(row))
            except (VmsError, TimeoutError) as refused:
                log.warning("node did not take a hold again", hold_id=row.hold_id, error=repr(refused))
                return
            await self._refresh(row, held, now_ns)

    async def tell(self, row: HoldRow) -> HeldRange | None:
        """Tell the node the present state of a hold; what it holds, or None when it let go or did not answer."""
        try:
            async with asyncio.timeout(NODE_DEADLINE_S):
                if row.state == HoldState.RELEASED:
                    await self._let_go(row)
                    return None
                held = await self._services.node.place_hold(rows.hold_of(row))
        except (VmsError, TimeoutError) as failed:
            await self._failed(row, failed)
            return None
        async with self._services.database.writing() as session:
            await rows.confirm_held(session, row, held, self._services.clock.utc_ns())
        self._deliverer.wake()
        return held

    async def compare(self) -> None:
        """Compare what the node holds with what it should, and mend the difference."""
        database = self._services.database
        async with database.reading() as reading:
            expected = [row for row in await rows.standing(reading) if row.node_told]
        try:
            async with asyncio.timeout(NODE_DEADLINE_S):
                at_node = {held.hold.hold_id: held for held in await self._services.node.holds()}
        except (VmsError, TimeoutError) as away:
            log.warning("node does not say what it holds", error=repr(away))
            return
        now_ns = self._services.clock.utc_ns()
        lost: list[HoldRow] = []
        for row in expected:
            held = at_node.get(row.hold_id)
            if held is not None and held.hold == rows.hold_of(row):
                await self._refresh(row, held, now_ns)
            elif now_ns < row.expires_at_ns and await self._lost(row, LOST if held is None else DIFFERENT, now_ns):
                lost.append(row)
        for row in lost:
            await self.tell(row)
        await self._mind_the_rest(at_node)

    async def _let_go(self, row: HoldRow) -> None:
        try:
            await self._services.node.release_hold(HoldRelease(row.hold_id, row.asked_by or "", row.confirmed_by or ""))
        except VmsError as refused:
            if refused.kind is not ErrorKind.NOT_FOUND:
                raise
        async with self._services.database.writing() as session:
            await rows.mark_let_go(session, row.hold_id)

    async def _failed(self, row: HoldRow, failed: VmsError | TimeoutError) -> None:
        code = failed.code if isinstance(failed, VmsError) else "node.timeout"
        detail = failed.detail if isinstance(failed, VmsError) else f"no answer within {NODE_DEADLINE_S} s"
        log.warning("node did not confirm a hold", hold_id=row.hold_id, state=row.state, code=code, detail=detail)
        async with self._services.database.writing() as session:
            await rows.mark_failed(session, row, code, self._services.clock.utc_ns())
        self._deliverer.wake()

    async def _lost(self, row: HoldRow, cause: str, now_ns: int) -> bool:
        async with self._services.database.writing() as session:
            won = await rows.mark_lost(session, row, cause, now_ns)
        if won:
            log.error("node lost a hold, which is placed again", hold_id=row.hold_id, camera_id=row.camera_id)
            self._deliverer.wake()
        return won

    async def _refresh(self, row: HoldRow, held: HeldRange, now_ns: int) -> None:
        known = (row.held_bytes, row.held_start_ns, row.held_end_ns)
        if known == (held.size_bytes, held.held_start_ns, held.held_end_ns):
            return
        async with self._services.database.writing() as session:
            await rows.refresh_held(session, row, held, now_ns)

    async def _mind_the_rest(self, at_node: Mapping[str, HeldRange]) -> None:
        async with self._services.database.reading() as reading:
            known = await rows.by_ids(reading, list(at_node))
        for hold_id in (one for one, row in known.items() if row.state == HoldState.RELEASED and row.node_told):
            async with self._services.database.writing() as session:
                await rows.tell_release_again(session, hold_id)
        strangers = {hold_id: held for hold_id, held in at_node.items() if hold_id not in known}
        for hold_id in strangers.keys() - self.strangers.keys():
            log.error("node has a hold that the centre does not know", hold_id=hold_id)
        self.strangers = strangers
