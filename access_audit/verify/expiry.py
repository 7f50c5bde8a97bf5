"""Erasure at the legal end: stated before, not too early, complete, and for ever (LAW-28).

A payload may be missing only where a later `log.expired` covers its instant, made six months after it or more. A
payload that a statement covers may be there only while the erasure runs: it goes by rising index and ends within a day,
so that one in front of an erased one, or an old one, has come back.
"""

from __future__ import annotations

from collections.abc import Sequence

from access_audit.verify.notes import Unreadable
from access_audit.verify.reading import WIDTH, number_path, read_leaf, split_payloads
from access_audit.verify.report import Flaw, Step
from access_audit.verify.scan import Chunk, Expired, Run
from access_audit.verify.view import LogView

_DAY_NS = 86_400 * 1_000_000_000
FLOOR_NS = 180 * _DAY_NS
CEILING_NS = (3 * 366 + 1) * _DAY_NS
EVERYBODY = "*"


def judge_expiry(step: Step, chunks: Sequence[Chunk], view: LogView) -> None:
    """Compare what is missing, and what is there, with what the log states."""
    statements = [each for chunk in chunks for each in chunk.expired]
    runs = [run for chunk in chunks for run in chunk.runs]
    now = max((chunk.last_ns for chunk in chunks), default=0)
    expired = sum(run.end - run.first for run in runs if not run.present)
    for run in runs:
        if not run.present:
            _judge_missing(step, run, statements)
    _judge_present(step, runs, statements, now, view)
    _judge_controllers(step, chunks, statements, now)
    if expired:
        step.note("expired", expired)
    old = [index for chunk in chunks for index, at_ns in chunk.kept.values() if at_ns < now - CEILING_NS]
    if old:
        step.note("overdue", min(old))


def _judge_missing(step: Step, run: Run, statements: Sequence[Expired]) -> None:
    later = [each for each in statements if each.index >= run.end and each.before_ns > run.first_ns]
    if not later:
        step.fail(Flaw.PAYLOAD_MISSING, run.first, "without a statement of expiry")
    elif not any(each.before_ns > run.last_ns for each in later):
        step.fail(Flaw.PAYLOAD_MISSING, run.end - 1, "later than the statement of expiry")
    elif all(each.at_ns - run.last_ns < FLOOR_NS for each in later):
        step.fail(Flaw.PAYLOAD_EXPIRED_EARLY, run.first)


def _judge_present(step: Step, runs: Sequence[Run], statements: Sequence[Expired], now: int, view: LogView) -> None:
    """Payloads that a statement for everybody covers."""
    everywhere = [each for each in statements if each.controller == EVERYBODY]
    before = max((each.before_ns for each in everywhere), default=0)
    settled = max((each.before_ns for each in everywhere if now - each.at_ns > _DAY_NS), default=0)
    # What an authority's own statement covers went in its own turn, and says nothing about the order of the others.
    apart = max((each.before_ns for each in statements if each.controller != EVERYBODY), default=0)
    last_erased = max((run.first for run in runs if not run.present and run.last_ns >= apart), default=-1)
    expiring = 0
    for run in runs:
        if not run.present or run.first_ns >= before:
            continue
        first = _first_covered(run, before, view)
        if first is None:
            continue
        back = run.first < last_erased and _there(view, first)
        if back or _first_covered(run, settled, view) is not None:
            step.fail(Flaw.PAYLOAD_RESTORED, first, "the log says that it has been erased")
        else:
            expiring += _covered(run, before, view)
    if expiring:
        step.note("expiring", expiring)


def _judge_controllers(step: Step, chunks: Sequence[Chunk], statements: Sequence[Expired], now: int) -> None:
    """Payloads that a statement for their own authority covers."""
    settled: dict[str, int] = {}
    for each in statements:
        if each.controller != EVERYBODY and now - each.at_ns > _DAY_NS:
            settled[each.controller] = max(settled.get(each.controller, 0), each.before_ns)
    for chunk in chunks if settled else ():
        for authority, (index, at_ns) in sorted(chunk.kept.items()):
            if at_ns < settled.get(authority, 0):
                step.fail(Flaw.PAYLOAD_RESTORED, index, "the log says that it has been erased")


def _there(view: LogView, index: int) -> bool:
    """Whether a payload is there now: an erasure that runs may have come to it since it was read."""
    number, place = divmod(index, WIDTH)
    try:
        return split_payloads((view.folder / "payload" / number_path(number)).read_bytes())[place] is not None
    except (OSError, Unreadable, IndexError):
        return True


def _first_covered(run: Run, before_ns: int, view: LogView) -> int | None:
    """The first entry of a run that a statement covers: those about the log itself keep their payload."""
    for index in range(run.first, run.end):
        try:
            leaf = read_leaf(view.leaf_at(index) or b"")
        except Unreadable:
            continue
        if leaf.at_ns >= before_ns:
            return None
        if not leaf.control:
            return index
    return None


def _covered(run: Run, before_ns: int, view: LogView) -> int:
    """How many entries of a run are older than an instant."""
    if run.last_ns < before_ns:
        return run.end - run.first
    low, high = run.first, run.end
    while low < high:
        middle = (low + high) // 2
        if (view.instant_at(middle) or 0) < before_ns:
            low = middle + 1
        else:
            high = middle
    return low - run.first
