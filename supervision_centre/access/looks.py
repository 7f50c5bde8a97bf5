"""Questions and changes about open looks; each close keeps its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, update

from supervision_centre.access.entries import closed
from supervision_centre.access.owed import owe
from supervision_centre.access.tables import ViewingSessionRow
from vms.base.clock import NS_PER_SECOND
from vms.base.database import ReadSession, WriteSession

_KEEP_CLOSED_NS = 24 * 3600 * NS_PER_SECOND
_BATCH = 500


async def open_looks(
    session: ReadSession,
    *,
    person_id: str | None = None,
    web_session_id: str | None = None,
    session_ids: Collection[str] | None = None,
) -> Sequence[ViewingSessionRow]:
    """The looks that are open: of a person, of a log-in, or of these identifiers; all of them when nothing is said."""
    question = select(ViewingSessionRow).where(ViewingSessionRow.closed_at_ns.is_(None))
    if person_id is not None:
        question = question.where(ViewingSessionRow.person_id == person_id)
    if web_session_id is not None:
        question = question.where(ViewingSessionRow.web_session_id == web_session_id)
    if session_ids is not None:
        question = question.where(ViewingSessionRow.session_id.in_(session_ids))
    return await session.all(question.order_by(ViewingSessionRow.opened_at_ns, ViewingSessionRow.session_id))


async def close_looks(
    session: WriteSession,
    at_ns: int,
    cause: str,
    *,
    person_id: str | None = None,
    web_session_id: str | None = None,
    session_ids: Collection[str] | None = None,
) -> Sequence[str]:
    """Close open looks, owing each its entry, and give their identifiers, which the node must be told."""
    rows = await open_looks(session, person_id=person_id, web_session_id=web_session_id, session_ids=session_ids)
    return await _close(session, rows, at_ns, cause)


async def close_lapsed(session: WriteSession, now_ns: int) -> Sequence[str]:
    """Close the looks whose lease has ended, at the instant at which it ended. The node ended them by itself."""
    lapsed = (
        select(ViewingSessionRow)
        .where(ViewingSessionRow.closed_at_ns.is_(None), ViewingSessionRow.lease_until_ns <= now_ns)
        .limit(_BATCH)
    )
    return await _close(session, await session.all(lapsed), now_ns, "lease_expired")


async def any_lapsed(session: ReadSession, now_ns: int) -> bool:
    """Whether a lease has ended without its look being closed."""
    lapsed = select(ViewingSessionRow.session_id).where(
        ViewingSessionRow.closed_at_ns.is_(None), ViewingSessionRow.lease_until_ns <= now_ns
    )
    return await session.one_or_none(lapsed.limit(1)) is not None


async def untold(session: ReadSession, now_ns: int) -> Sequence[str]:
    """Closed looks whose ticket would still open images at a node that has not been told."""
    return await session.all(
        select(ViewingSessionRow.session_id).where(
            ViewingSessionRow.closed_at_ns.is_not(None),
            ViewingSessionRow.node_told.is_(False),
            ViewingSessionRow.lease_until_ns > now_ns,
        )
    )


async def mark_told(session: WriteSession, session_ids: Collection[str]) -> None:
    """Remember that the node knows of these closes."""
    await session.execute(
        update(ViewingSessionRow).where(ViewingSessionRow.session_id.in_(session_ids)).values(node_told=True)
    )


async def renew_leases(session: WriteSession, session_ids: Collection[str], now_ns: int, until_ns: int) -> set[str]:
    """Prolong the leases that still run, and say which ones those are."""
    rows = await session.returned(
        update(ViewingSessionRow)
        .where(
            ViewingSessionRow.session_id.in_(session_ids),
            ViewingSessionRow.closed_at_ns.is_(None),
            ViewingSessionRow.lease_until_ns > now_ns,
        )
        .values(lease_until_ns=until_ns)
        .returning(ViewingSessionRow.session_id)
        .execution_options(synchronize_session=False)
    )
    return {row.session_id for row in rows}


async def forget_closed(session: WriteSession, now_ns: int) -> None:
    """Remove looks closed for a day: the journal is the one record of what was looked at (LAW-29)."""
    await session.execute(delete(ViewingSessionRow).where(ViewingSessionRow.closed_at_ns < now_ns - _KEEP_CLOSED_NS))


async def _close(session: WriteSession, rows: Sequence[ViewingSessionRow], at_ns: int, cause: str) -> Sequence[str]:
    ended: list[str] = []
    for row in rows:
        ends_ns = min(at_ns, row.lease_until_ns)
        won = await session.changed(
            update(ViewingSessionRow)
            .where(ViewingSessionRow.session_id == row.session_id, ViewingSessionRow.closed_at_ns.is_(None))
            .values(closed_at_ns=ends_ns)
            .execution_options(synchronize_session=False)
        )
        if won:
            owe(session, [closed(row, ends_ns, cause)])
            ended.append(row.session_id)
    return ended
