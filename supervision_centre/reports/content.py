"""From entries of the journal to what a report says: pure (LAW-18, LAW-25, LAW-29).

What was looked at live is told by day, person and purpose, with the cameras and the first and last hour; what was
played back is told look by look, with its images. Nothing counts the acts of a person or adds up their time: a mayor
learns who looked at what and why, not how much anybody works. Holds are told without what investigators asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from access_audit.events import AccessEvent, EventKind, LegalOperation
from access_audit.journal import JournalEntry
from supervision_centre.access.purposes import reason_label
from supervision_centre.destruction.certificate import paris_time
from supervision_centre.destruction.wording import cause_label
from supervision_centre.journal.answers import Names
from supervision_centre.journal.labels import kind_label, role_label
from supervision_centre.reports.availability import Availability
from supervision_centre.reports.month import Month
from vms.base.clock import NS_PER_SECOND, utc_text

FORMAT: Final = "vms-departemental/report/v1"
_REFUSED: Final = frozenset({EventKind.LIVE_REFUSED, EventKind.PLAYBACK_REFUSED})
_ALARMS: Final = frozenset({EventKind.VIEWING_UNEXPLAINED})
_HOLDS: Final = frozenset(
    {
        EventKind.HOLD_PLACED,
        EventKind.HOLD_RELEASED,
        EventKind.HOLD_EXPIRED,
        EventKind.HOLD_LOST,
        EventKind.HOLD_FAILED,
    }
)
_CHANGES: Final = frozenset({EventKind.CAMERA_ONBOARDED, EventKind.CAMERA_CHANGED})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: the commune, the month, the state of the log that it was drawn from."""

    commune: str
    commune_name: str
    authorities: tuple[str, ...]
    month: Month
    made_at_ns: int
    made_for: str
    log: Mapping[str, Any]


def report_content(
    subject: Subject,
    entries: Iterable[JournalEntry],
    names: Names,
    cameras: Mapping[str, tuple[str, Availability]],
    node_answered: bool,
) -> dict[str, Any]:
    """The report as JSON values, from the entries of the commune in the month, newest first or not.

    `cameras` gives the name and the availability of each camera by its identifier.
    """
    start_ns, end_ns = subject.month.bounds_ns
    ordered = sorted(entries, key=lambda entry: entry.index)
    told = [(entry, entry.event) for entry in ordered if entry.event is not None]
    return {
        "format": FORMAT,
        "commune": subject.commune,
        "commune_name": subject.commune_name,
        "authorities": list(subject.authorities),
        "month": subject.month.text,
        "from": utc_text(start_ns),
        "to": utc_text(end_ns),
        "made_at": utc_text(subject.made_at_ns),
        "made_for": subject.made_for,
        "log": dict(subject.log),
        "entries": [ordered[0].index, ordered[-1].index] if ordered else [],
        "expired": any(entry.event is None for entry in ordered),
        "live": _live(told, names),
        "playback": [_act(entry, event, names) for entry, event in told if event.kind is EventKind.PLAYBACK_OPENED],
        "refused": [_act(entry, event, names) for entry, event in told if event.kind in _REFUSED],
        "alarms": [_act(entry, event, names) for entry, event in told if event.kind in _ALARMS],
        "communications": [
            _act(entry, event, names) | {"recipients": list(event.recipients)}
            for entry, event in told
            if event.operation is LegalOperation.COMMUNICATION
        ],
        "holds": [_hold(entry, event, names) for entry, event in told if event.kind in _HOLDS],
        "changes": [_act(entry, event, names) for entry, event in told if event.kind in _CHANGES],
        "erasures": _erasures(told, names),
        "recorder_answered": node_answered,
        "cameras": [_camera(name, camera_id, one) for camera_id, (name, one) in sorted(cameras.items(), key=_by_name)],
    }


Told = list[tuple[JournalEntry, AccessEvent]]


def _by_name(item: tuple[str, tuple[str, Availability]]) -> tuple[str, str]:
    return item[1][0], item[0]


def _live(told: Told, names: Names) -> list[dict[str, Any]]:
    days: dict[tuple[str, str, str], list[tuple[JournalEntry, AccessEvent]]] = {}
    for entry, event in told:
        if event.kind is EventKind.LIVE_OPENED:
            day = paris_time(event.at_ns).date().isoformat()
            days.setdefault((day, event.author.person_id, event.reason.code), []).append((entry, event))
    return [
        {
            "day": day,
            "person": looks[-1][1].author.name,
            "role_label": role_label(looks[-1][1].author.role),
            "cameras": sorted({names.camera(event.camera_id) for _, event in looks}),
            "reason": reason,
            "reason_label": reason_label(reason),
            "notes": sorted({event.reason.text for _, event in looks if event.reason.text}),
            "first": utc_text(looks[0][1].at_ns),
            "last": utc_text(looks[-1][1].at_ns),
            "entries": [looks[0][0].index, looks[-1][0].index],
        }
        for (day, _, reason), looks in sorted(days.items(), key=lambda item: (item[0][0], item[1][0][0].index))
    ]


def _act(entry: JournalEntry, event: AccessEvent, names: Names) -> dict[str, Any]:
    return {
        "entry": entry.index,
        "at": utc_text(event.at_ns),
        "kind": event.kind.value,
        "kind_label": kind_label(event.kind),
        "person": event.author.name,
        "role_label": role_label(event.author.role),
        "camera": event.camera_id,
        "camera_name": names.camera(event.camera_id),
        "range": _range(event),
        "reason": event.reason.code,
        "reason_label": reason_label(event.reason.code),
        "note": event.reason.text,
    }


def _hold(entry: JournalEntry, event: AccessEvent, names: Names) -> dict[str, Any]:
    return {
        "entry": entry.index,
        "at": utc_text(event.at_ns),
        "kind": event.kind.value,
        "kind_label": kind_label(event.kind),
        "camera": event.camera_id,
        "camera_name": names.camera(event.camera_id),
        "range": _range(event),
    }


def _erasures(told: Told, names: Names) -> list[dict[str, Any]]:
    """By camera and cause: a node tells each hour, and a month has hundreds."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry, event in told:
        if event.kind is not EventKind.RECORDING_ERASED:
            continue
        cause = event.details.get("cause", "")
        start, end = event.range_start_ns, event.range_end_ns
        line = found.setdefault(
            (event.camera_id, cause),
            {
                "camera": event.camera_id,
                "camera_name": names.camera(event.camera_id),
                "cause": cause,
                "cause_label": cause_label(cause),
                "start": start,
                "end": end,
                "bytes": 0,
                "entries": [entry.index, entry.index],
            },
        )
        line["start"], line["end"] = min(line["start"], start), max(line["end"], end)
        line["bytes"] += _count(event.details.get("bytes", ""))
        line["entries"][1] = entry.index
    return [
        {name: value for name, value in line.items() if name not in {"start", "end"}}
        | {"range": {"start": utc_text(line["start"]), "end": utc_text(line["end"])}}
        for line in sorted(found.values(), key=lambda line: (line["camera_name"], line["camera"], line["cause"]))
    ]


def _camera(name: str, camera_id: str, one: Availability) -> dict[str, Any]:
    share = one.share
    return {
        "camera": camera_id,
        "camera_name": name,
        "availability_percent": None if share is None else round(share * 100, 2),
        "expected_s": one.expected_ns // NS_PER_SECOND,
        "missing_s": one.missing_ns // NS_PER_SECOND,
        "interruptions": [
            {"start": utc_text(gap.start_ns), "end": utc_text(gap.end_ns), "label": gap.label}
            for gap in one.interruptions
        ],
    }


def _range(event: AccessEvent) -> dict[str, str] | None:
    if not event.range_end_ns:
        return None
    return {"start": utc_text(event.range_start_ns), "end": utc_text(event.range_end_ns)}


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
