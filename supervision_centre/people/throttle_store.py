"""Failed log-ins as the database keeps them, so that every process of the centre counts the same tries."""

from __future__ import annotations

from sqlalchemy import delete, select

from supervision_centre.people.tables import LoginFailureRow
from supervision_centre.people.throttle import Rule, Tries, counted, taken_back
from vms.base.clock import NS_PER_SECOND
from vms.base.database import WriteSession

_FORGET_NS = 24 * 3600 * NS_PER_SECOND


async def count_try(session: WriteSession, subject: str, now_ns: int, rule: Rule) -> int:
    """Count a try and return zero, or the seconds to wait when it comes too soon and is not heard at all."""
    row = await _row(session, subject)
    before = _tries(row) if row else Tries()
    wait_s = before.wait_s(now_ns)
    if wait_s:
        return wait_s
    if row is None:
        row = LoginFailureRow(subject=subject)
        session.add(row)
    _keep(row, counted(before, now_ns, rule))
    return 0


async def take_back_try(session: WriteSession, subject: str) -> None:
    """Take back the try that was counted for a success."""
    row = await _row(session, subject)
    if row is not None:
        _keep(row, taken_back(_tries(row)))


async def forget_tries(session: WriteSession, subject: str) -> None:
    """Forget the tries of a subject, after a success."""
    await session.execute(delete(LoginFailureRow).where(LoginFailureRow.subject == subject))


async def forget_old_tries(session: WriteSession, now_ns: int) -> None:
    """Forget the tries of the day before."""
    await session.execute(delete(LoginFailureRow).where(LoginFailureRow.last_at_ns < now_ns - _FORGET_NS))


async def _row(session: WriteSession, subject: str) -> LoginFailureRow | None:
    question = select(LoginFailureRow).where(LoginFailureRow.subject == subject)
    return await session.one_or_none(question.with_for_update())


def _tries(row: LoginFailureRow) -> Tries:
    return Tries(row.failures, row.last_at_ns, row.locked_until_ns)


def _keep(row: LoginFailureRow, tries: Tries) -> None:
    row.failures, row.last_at_ns, row.locked_until_ns = tries.failures, tries.last_at_ns, tries.locked_until_ns
