"""What was served against what was logged: pure (LAW-25, LAW-26).

A view that the gateway measured is explained by an entry `live.opened` or `playback.opened` of the same session,
camera, person and act, made before it, and by the entry that closes it, if there is one. It is unexplained when

- `no_entry`      the log has no such entry, or one of another camera, person or act;
- `before_entry`  images went out more than `TOLERANCE_NS` before the entry;
- `longer`        images went out more than `TOLERANCE_NS` after the entry that closes the session.

The tolerance is that of two clocks and a lease: ten seconds of lease, two of its own tolerance, the rest for clocks.
A session that the log has not closed is being watched still: nothing is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from access_audit.events import AccessEvent, EventKind
from access_audit.journal import JournalEntry
from recorder.contract.served import ServedView
from recorder.contract.ticket import MediaAct
from vms.base.clock import NS_PER_SECOND

TOLERANCE_NS = 30 * NS_PER_SECOND
OPENED = {EventKind.LIVE_OPENED: MediaAct.LIVE, EventKind.PLAYBACK_OPENED: MediaAct.PLAYBACK}
CLOSED = {EventKind.LIVE_CLOSED: MediaAct.LIVE, EventKind.PLAYBACK_CLOSED: MediaAct.PLAYBACK}


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A view that the log does not explain: `no_entry`, `before_entry` or `longer`, by `excess_s` seconds."""

    view: ServedView
    cause: str
    excess_s: int


def compare(views: Iterable[ServedView], entries: Collection[JournalEntry]) -> list[Unexplained]:
    """The views that these entries do not explain, in the order of the views."""
    opened = _by_session(entries, OPENED)
    closed = _by_session(entries, CLOSED)
    found: list[Unexplained] = []
    for view in views:
        if not view.sent_bytes:
            continue
        entry = opened.get(view.session_id)
        if entry is None or not _same(view, entry):
            found.append(Unexplained(view, "no_entry", view.seconds))
            continue
        if view.opened_at_ns < entry.at_ns - TOLERANCE_NS:
            found.append(Unexplained(view, "before_entry", (entry.at_ns - view.opened_at_ns) // NS_PER_SECOND))
            continue
        end = closed.get(view.session_id)
        if end is not None and view.until_ns > end.at_ns + TOLERANCE_NS:
            found.append(Unexplained(view, "longer", (view.until_ns - end.at_ns) // NS_PER_SECOND))
    return found


def _by_session(entries: Collection[JournalEntry], kinds: Collection[EventKind]) -> dict[str, AccessEvent]:
    """By session the event that counts: of several openings the first, of several closings the last."""
    found: dict[str, AccessEvent] = {}
    for entry in sorted(entries, key=lambda each: each.index):
        event = entry.event
        if event is not None and event.kind in kinds:
            session = event.details.get("session", "")
            if event.kind in CLOSED or session not in found:
                found[session] = event
    return found


def _same(view: ServedView, event: AccessEvent) -> bool:
    return (view.camera_id, view.person_id, view.act) == (
        event.camera_id,
        event.author.person_id,
        OPENED[event.kind],
    )
