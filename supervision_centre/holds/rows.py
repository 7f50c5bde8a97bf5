"""Questions to the table of holds, and its changes; each change has one winner and owes its entry with it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Update, case, select, update

from access_audit.events import Author, EventKind
from access_audit.receipt import AuditReceipt
from recorder.contract.hold import HeldRange, Hold
from supervision_centre.access.entries import author_of
from supervision_centre.access.owed import owe
from supervision_centre.holds.entries import UPKEEP, of_hold
from supervision_centre.holds.policy import STANDING, HoldGrant, HoldState
from supervision_centre.holds.tables import HoldRow, HoldStepRow
from supervision_centre.people.person import Person
from vms.base.database import ReadSession, WriteSession

MAX_LISTED = 1_000
_STANDING = HoldRow.state.in_([state.value for state in STANDING])


def hold_of(row: HoldRow) -> Hold:
    """The hold as nodes know it."""
    return Hold(
        hold_id=row.hold_id,
        camera_id=row.camera_id,
        start_ns=row.start_ns,
        end_ns=row.end_ns,
        placed_at_ns=row.placed_at_ns,
        expires_at_ns=row.expires_at_ns,
        reference=row.reference,
        authority=row.authority,
        legal_basis=row.legal_article,
    )


def add_hold(session: WriteSession, hold_id: str, grant: HoldGrant, receipt: AuditReceipt) -> HoldRow:
    """Keep a hold that the journal knows of and the node does not yet."""
    wish, camera, person = grant.wish, grant.camera, grant.person
    row = HoldRow(
        hold_id=hold_id,
        camera_id=camera.camera_id,
        camera_name=camera.name,
        commune=camera.commune,
        camera_authority=camera.authority,
        start_ns=wish.start_ns,
        end_ns=wish.end_ns,
        reference=wish.reference,
        authority=wish.authority,
        legal_basis=grant.basis.code,
        legal_article=grant.basis.article,
        reason=wish.reason,
        placed_by=person.person_id,
        placed_by_name=person.name,
        placed_by_role=person.role.value,
        placed_at_ns=grant.at_ns,
        expires_at_ns=wish.expires_at_ns,
        receipt_index=receipt.index,
        receipt_leaf=receipt.leaf_hash.hex(),
        state=HoldState.REQUESTED.value,
        node_told=False,
        node_code="",
    )
    session.add(row)
    return row


def add_step(session: WriteSession, hold_id: str, kind: EventKind, at_ns: int, author: Author, note: str = "") -> None:
    """Keep one step of a hold."""
    session.add(
        HoldStepRow(
            hold_id=hold_id,
            kind=kind.value,
            at_ns=at_ns,
            person_name=author.name,
            person_role=author.role,
            note=note,
        )
    )


async def one(session: ReadSession, hold_id: str) -> HoldRow | None:
    """A hold by its identifier."""
    return await session.one_or_none(select(HoldRow).where(HoldRow.hold_id == hold_id))


async def steps_of(session: ReadSession, hold_id: str) -> Sequence[HoldStepRow]:
    """The steps of a hold, oldest first."""
    return await session.all(
        select(HoldStepRow).where(HoldStepRow.hold_id == hold_id).order_by(HoldStepRow.at_ns, HoldStepRow.number)
    )


async def standing(session: ReadSession, camera_id: str | None = None) -> Sequence[HoldRow]:
    """The holds that stand, the next to end first."""
    question = select(HoldRow).where(_STANDING)
    if camera_id is not None:
        question = question.where(HoldRow.camera_id == camera_id)
    return await session.all(question.order_by(HoldRow.expires_at_ns, HoldRow.hold_id).limit(MAX_LISTED))


async def ended(session: ReadSession) -> Sequence[HoldRow]:
    """The holds that are over, the last to end first."""
    question = select(HoldRow).where(~_STANDING).order_by(HoldRow.ended_at_ns.desc(), HoldRow.hold_id)
    return await session.all(question.limit(MAX_LISTED))


async def overlapping(session: ReadSession, camera_id: str, start_ns: int, end_ns: int) -> Sequence[HoldRow]:
    """The holds that stand on images of this camera and range."""
    return [row for row in await standing(session, camera_id) if row.start_ns < end_ns and row.end_ns > start_ns]


async def untold(session: ReadSession) -> Sequence[HoldRow]:
    """The holds whose present state the node has not confirmed; an expired hold ends by itself."""
    wanted = [HoldRow.state != HoldState.EXPIRED.value, HoldRow.node_told.is_(False)]
    return await session.all(select(HoldRow).where(*wanted).order_by(HoldRow.placed_at_ns).limit(MAX_LISTED))


async def by_ids(session: ReadSession, hold_ids: Sequence[str]) -> dict[str, HoldRow]:
    """Holds of any state, by identifier."""
    rows = await session.all(select(HoldRow).where(HoldRow.hold_id.in_(hold_ids)))
    return {row.hold_id: row for row in rows}


async def confirm_held(session: WriteSession, row: HoldRow, held: HeldRange, now_ns: int) -> None:
    """The node holds it: keep what it really holds."""
    placed = case((HoldRow.state == HoldState.REQUESTED.value, HoldState.PLACED.value), else_=HoldRow.state)
    won = await session.changed(
        _change(row.hold_id, _STANDING, HoldRow.node_told.is_(False)).values(
            state=placed, node_told=True, node_code="", **_seen(held, now_ns)
        )
    )
    if won:
        size = str(held.size_bytes)
        owe(session, [of_hold(EventKind.HOLD_CONFIRMED, UPKEEP, now_ns, row, bytes=size)])
        add_step(session, row.hold_id, EventKind.HOLD_CONFIRMED, now_ns, UPKEEP, size)


async def refresh_held(session: WriteSession, row: HoldRow, held: HeldRange, now_ns: int) -> None:
    """What the node holds now: it grows while a camera still records into the range."""
    await session.execute(_change(row.hold_id, _STANDING).values(**_seen(held, now_ns)))


async def mark_failed(session: WriteSession, row: HoldRow, code: str, now_ns: int) -> None:
    """The node did not confirm; its entry is owed once for each new cause, not at each try."""
    code = code[:80]
    won = await session.changed(
        _change(row.hold_id, HoldRow.node_told.is_(False), HoldRow.node_code != code).values(node_code=code)
    )
    if won:
        owe(session, [of_hold(EventKind.HOLD_FAILED, UPKEEP, now_ns, row, cause=code)])
        add_step(session, row.hold_id, EventKind.HOLD_FAILED, now_ns, UPKEEP, code)


async def mark_lost(session: WriteSession, row: HoldRow, cause: str, now_ns: int) -> bool:
    """The node does not hold what it confirmed: it is to be placed again."""
    requested = case((HoldRow.state == HoldState.PLACED.value, HoldState.REQUESTED.value), else_=HoldRow.state)
    won = await session.changed(
        _change(row.hold_id, _STANDING, HoldRow.node_told.is_(True)).values(
            state=requested, node_told=False, node_code=cause
        )
    )
    if won:
        owe(session, [of_hold(EventKind.HOLD_LOST, UPKEEP, now_ns, row, cause=cause)])
        add_step(session, row.hold_id, EventKind.HOLD_LOST, now_ns, UPKEEP, cause)
    return bool(won)


async def ask_release(session: WriteSession, row: HoldRow, person: Person, reason: str, now_ns: int) -> bool:
    """Somebody asks that the hold end; whether nobody was faster."""
    won = await session.changed(
        _change(row.hold_id, HoldRow.state.in_([HoldState.REQUESTED.value, HoldState.PLACED.value])).values(
            state=HoldState.RELEASE_ASKED.value,
            asked_by=person.person_id,
            asked_by_name=person.name,
            asked_at_ns=now_ns,
            ask_reason=reason,
        )
    )
    if won:
        add_step(session, row.hold_id, EventKind.HOLD_RELEASE_ASKED, now_ns, author_of(person), reason)
    return bool(won)


async def withdraw_release(session: WriteSession, row: HoldRow, person: Person, now_ns: int) -> bool:
    """Nobody asks any more; whether the release was still asked for."""
    before = case((HoldRow.node_told.is_(True), HoldState.PLACED.value), else_=HoldState.REQUESTED.value)
    won = await session.changed(
        _change(row.hold_id, HoldRow.state == HoldState.RELEASE_ASKED.value).values(
            state=before, asked_by=None, asked_by_name=None, asked_at_ns=None, ask_reason=None
        )
    )
    if won:
        add_step(session, row.hold_id, EventKind.HOLD_RELEASE_WITHDRAWN, now_ns, author_of(person))
    return bool(won)


async def release(session: WriteSession, row: HoldRow, person: Person, now_ns: int) -> bool:
    """The second person confirms; whether the release that they saw was still asked for."""
    won = await session.changed(
        _change(row.hold_id, HoldRow.state == HoldState.RELEASE_ASKED.value, HoldRow.asked_by == row.asked_by).values(
            state=HoldState.RELEASED.value,
            confirmed_by=person.person_id,
            confirmed_by_name=person.name,
            ended_at_ns=now_ns,
            node_told=False,
            node_code="",
        )
    )
    if won:
        add_step(session, row.hold_id, EventKind.HOLD_RELEASED, now_ns, author_of(person))
    return bool(won)


async def mark_let_go(session: WriteSession, hold_id: str) -> None:
    """The node has let go of a released hold."""
    released = HoldRow.state == HoldState.RELEASED.value
    await session.execute(_change(hold_id, released).values(node_told=True, node_code=""))


async def tell_release_again(session: WriteSession, hold_id: str) -> None:
    """The node still holds what was released."""
    released = HoldRow.state == HoldState.RELEASED.value
    await session.execute(_change(hold_id, released, HoldRow.node_told.is_(True)).values(node_told=False))


async def any_expired(session: ReadSession, now_ns: int) -> bool:
    """Whether a hold has come to its end without its entry."""
    question = select(HoldRow.hold_id).where(_STANDING, HoldRow.expires_at_ns <= now_ns).limit(1)
    return await session.one_or_none(question) is not None


async def expire(session: WriteSession, now_ns: int) -> int:
    """End the holds that have come to their end, which the node does by itself; how many."""
    count = 0
    for row in await session.all(select(HoldRow).where(_STANDING, HoldRow.expires_at_ns <= now_ns).limit(MAX_LISTED)):
        won = await session.changed(
            _change(row.hold_id, _STANDING).values(state=HoldState.EXPIRED.value, ended_at_ns=row.expires_at_ns)
        )
        if won:
            count += 1
            owe(session, [of_hold(EventKind.HOLD_EXPIRED, UPKEEP, now_ns, row)])
            add_step(session, row.hold_id, EventKind.HOLD_EXPIRED, row.expires_at_ns, UPKEEP)
    return count


def _change(hold_id: str, *conditions: ColumnElement[bool]) -> Update:
    changes = update(HoldRow).where(HoldRow.hold_id == hold_id, *conditions)
    return changes.execution_options(synchronize_session=False)


def _seen(held: HeldRange, now_ns: int) -> dict[str, int]:
    return {
        "held_bytes": held.size_bytes,
        "held_start_ns": held.held_start_ns,
        "held_end_ns": held.held_end_ns,
        "node_seen_at_ns": now_ns,
    }
