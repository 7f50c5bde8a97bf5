"""Holds: place, ask for the end, confirm it, in the one order that the law allows (LAW-10, LAW-25).

Place:    1. decide; 2. put the hold in the journal and wait for its receipt; 3. keep it; 4. tell the node. Whatever
          fails before 3 leaves at most an entry without an act. A node that does not answer leaves the hold
          `requested`, and the upkeep tells it again: nothing is shown as held before the node has confirmed it.
Release:  one person asks, another confirms; each act waits for its receipt, then for its row, and the node hears of it
          last.
A refusal is owed to the journal and does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from access_audit.events import AccessEvent, EventKind
from supervision_centre.access.entries import author_of
from supervision_centre.access.owed import Deliverer, owe
from supervision_centre.access.policy import Refusal, reaches_commune
from supervision_centre.holds import entries, rows
from supervision_centre.holds.policy import (
    HoldGrant,
    HoldWish,
    decide_hold,
    may_ask_release,
    may_confirm,
    may_hold,
    may_see,
    may_withdraw,
)
from supervision_centre.holds.tables import HoldRow, HoldStepRow
from supervision_centre.holds.upkeep import HoldUpkeep
from supervision_centre.people.person import Person
from supervision_centre.services import CentreServices
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id


class Holds:
    """The holds of one centre."""

    def __init__(self, services: CentreServices, deliverer: Deliverer, upkeep: HoldUpkeep) -> None:
        self._services = services
        self._deliverer = deliverer
        self.upkeep = upkeep

    async def list(self, person: Person, *, ended: bool = False) -> Sequence[HoldRow]:
        """The holds of the person's territories: those that stand, or those that are over."""
        async with self._services.database.reading() as session:
            found = await (rows.ended(session) if ended else rows.standing(session))
        now_ns = self._services.clock.utc_ns()
        return [row for row in found if reaches_commune(person, row.commune, now_ns)]

    async def one(self, person: Person, hold_id: str) -> tuple[HoldRow, Sequence[HoldStepRow]]:
        """A hold and its steps. VmsError `hold.unknown`, which the journal is told."""
        async with self._services.database.reading() as session:
            row = await rows.one(session, hold_id)
            steps = await rows.steps_of(session, hold_id)
        refusal = may_see(person, row, self._services.clock.utc_ns())
        if row is None or refusal is not None:
            raise await self._refused(person, row, hold_id, refusal)
        return row, steps

    async def place(self, person: Person, wish: HoldWish) -> HoldRow:
        """Place a hold; its state says whether the node has confirmed it.

        VmsError `hold.…` or `access.…` when it is refused, `audit.unavailable` when the journal does not answer.
        """
        services = self._services
        camera = await services.cameras.get(wish.camera_id)
        now_ns = services.clock.utc_ns()
        decision = decide_hold(person, camera, wish, now_ns)
        if isinstance(decision, HoldGrant):
            decision = await self._twice(decision) or decision
        if isinstance(decision, Refusal):
            await self._owe(entries.refused_wish(person, camera, wish, decision.cause, now_ns))
            raise decision.error
        hold_id = new_id("hold")
        receipt = await services.audit.record(entries.placed(decision, hold_id))
        async with services.database.writing() as session:
            row = rows.add_hold(session, hold_id, decision, receipt)
            await session.flush()
            rows.add_step(session, hold_id, EventKind.HOLD_PLACED, now_ns, author_of(person), wish.reason)
        await self.upkeep.tell(row)
        return (await self.one(person, hold_id))[0]

    async def ask_release(self, person: Person, hold_id: str, reason: str) -> HoldRow:
        """Ask for the end of a hold, which another person confirms. VmsError `hold.…`."""
        row = await self._steppable(person, hold_id, lambda row, now_ns: may_ask_release(row, reason, now_ns))
        now_ns = self._services.clock.utc_ns()
        entry = entries.of_hold(EventKind.HOLD_RELEASE_ASKED, author_of(person), now_ns, row, reason)
        await self._services.audit.record(entry)
        async with self._services.database.writing() as session:
            won = await rows.ask_release(session, row, person, reason, now_ns)
        return await self._stepped(person, row, won)

    async def withdraw_release(self, person: Person, hold_id: str) -> HoldRow:
        """Take back a release that was asked for: the hold goes on. VmsError `hold.…`."""
        row = await self._steppable(person, hold_id, may_withdraw)
        now_ns = self._services.clock.utc_ns()
        entry = entries.of_hold(EventKind.HOLD_RELEASE_WITHDRAWN, author_of(person), now_ns, row)
        await self._services.audit.record(entry)
        async with self._services.database.writing() as session:
            won = await rows.withdraw_release(session, row, person, now_ns)
        return await self._stepped(person, row, won)

    async def confirm_release(self, person: Person, hold_id: str) -> HoldRow:
        """Confirm, as another person than who asked, that a hold ends; the node is told. VmsError `hold.…`."""
        row = await self._steppable(person, hold_id, lambda row, now_ns: may_confirm(person, row, now_ns))
        now_ns = self._services.clock.utc_ns()
        entry = entries.of_hold(
            EventKind.HOLD_RELEASED,
            author_of(person),
            now_ns,
            row,
            row.ask_reason or "",
            asked_by=row.asked_by or "",
            asked_by_name=row.asked_by_name or "",
        )
        await self._services.audit.record(entry)
        async with self._services.database.writing() as session:
            won = await rows.release(session, row, person, now_ns)
        released = await self._stepped(person, row, won)
        await self.upkeep.tell(released)
        return (await self.one(person, hold_id))[0]

    async def _steppable(
        self, person: Person, hold_id: str, allowed: Callable[[HoldRow, int], Refusal | None]
    ) -> HoldRow:
        async with self._services.database.reading() as session:
            row = await rows.one(session, hold_id)
        now_ns = self._services.clock.utc_ns()
        refusal = may_hold(person, now_ns) or may_see(person, row, now_ns)
        if row is None or refusal is not None:
            raise await self._refused(person, row, hold_id, refusal)
        refusal = allowed(row, now_ns)
        if refusal is not None:
            raise await self._refused(person, row, hold_id, refusal)
        return row

    async def _stepped(self, person: Person, row: HoldRow, won: bool) -> HoldRow:
        """The hold as it is now; the entry of an act that came too late is followed by that of its refusal."""
        if not won:
            late = VmsError(
                ErrorKind.CONFLICT,
                "hold.changed",
                "Cette conservation vient d'être modifiée par une autre personne.",
                hint="Rechargez la liste.",
            )
            raise await self._refused(person, row, row.hold_id, Refusal("changed", late))
        return (await self.one(person, row.hold_id))[0]

    async def _twice(self, grant: HoldGrant) -> Refusal | None:
        """Refuse the same hold a second time, as a form that was sent twice asks for it."""
        wish = grant.wish
        async with self._services.database.reading() as session:
            standing = await rows.standing(session, wish.camera_id)
        wanted = (wish.start_ns, wish.end_ns, wish.reference, wish.expires_at_ns)
        if all((row.start_ns, row.end_ns, row.reference, row.expires_at_ns) != wanted for row in standing):
            return None
        same = VmsError(
            ErrorKind.CONFLICT,
            "hold.already_placed",
            "Ces images sont déjà conservées au titre de cette réquisition.",
            hint="La conservation existante est dans la liste.",
        )
        return Refusal("already_placed", same)

    async def _refused(self, person: Person, row: HoldRow | None, hold_id: str, refusal: Refusal | None) -> VmsError:
        assert refusal is not None
        now_ns = self._services.clock.utc_ns()
        await self._owe(entries.refused_step(person, row, hold_id, refusal.cause, now_ns))
        return refusal.error

    async def _owe(self, entry: AccessEvent) -> None:
        async with self._services.database.writing() as session:
            owe(session, [entry])
        self._deliverer.wake()
