"""From entries of the journal to a certificate of destruction: pure (LAW-09, R. 254-1 CSI).

An hour of images is counted by UTC, as the nodes tell it; the day is that of Europe/Paris, so that it has 23 or 25
hours twice a year. Of each hour the journal says what was collected (one digest over the digests of its segments) and
what was erased, in one entry or several, each with its cause. The hour is destroyed when its last erasure bears a seal
that is the digest of its collection: what was recorded and what is gone are the same segments. Entries of nodes that
give no seal are judged by their bytes. The certificate adds what the node still has and which holds explain it; it
names neither the requisition of a hold nor who placed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from access_audit.events import AccessEvent, EventKind
from access_audit.journal import JournalEntry
from recorder.contract.timeline import Timeline
from supervision_centre.holds.tables import HoldRow
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

HOUR_NS: Final = 3_600 * NS_PER_SECOND
KINDS: Final = frozenset({EventKind.RECORDING_COLLECTED, EventKind.RECORDING_ERASED})


def _paris() -> ZoneInfo | None:
    try:
        return ZoneInfo("Europe/Paris")
    except ZoneInfoNotFoundError:
        return None


_PARIS: Final = _paris()  # reads a file, once and now, rather than in the event loop


class HourState(StrEnum):
    """What became of one hour of images."""

    DESTROYED = "destroyed"
    HELD = "held"
    PARTIAL = "partial"
    STANDING = "standing"
    CONTRADICTED = "contradicted"


class Conclusion(StrEnum):
    """What the certificate says of the whole day.

    `untold`: the node has nothing more, and the entry of an erasure is not in the journal yet. `unknown`: the node did
    not answer, so that only the journal speaks.
    """

    DESTROYED = "destroyed"
    HELD = "held"
    REMAINING = "remaining"
    CONTRADICTED = "contradicted"
    UNTOLD = "untold"
    UNKNOWN = "unknown"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Cited:
    """One entry of the journal that the certificate rests on: its place, its leaf hash and what it says."""

    index: int
    leaf: str
    logged_at_ns: int
    start_ns: int
    end_ns: int
    segments: int
    size_bytes: int
    digest: str
    at_ns: int
    cause: str = ""
    kept: int = 0
    seal: str = ""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of images, by its first nanosecond (UTC): what was collected, what was erased, what became of it."""

    start_ns: int
    collected: tuple[Cited, ...]
    erased: tuple[Cited, ...]
    state: HourState


@dataclass(frozen=True, slots=True)
class StillThere:
    """A stretch of the day that the node still has; UTC nanoseconds."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class StandingHold:
    """A hold that explains why images of the day are kept. The requisition is not for this page."""

    hold_id: str
    start_ns: int
    end_ns: int
    expires_at_ns: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """One camera, one day. `remaining` is None when the node did not answer: the journal alone speaks then."""

    camera_id: str
    day: date
    start_ns: int
    end_ns: int
    made_at_ns: int
    hours: tuple[Hour, ...]
    remaining: tuple[StillThere, ...] | None
    holds: tuple[StandingHold, ...]
    conclusion: Conclusion

    @property
    def cited(self) -> list[Cited]:
        """Every entry that it rests on, in the order of the journal."""
        return sorted(
            (entry for hour in self.hours for entry in (*hour.collected, *hour.erased)), key=lambda entry: entry.index
        )

    @property
    def collected_bytes(self) -> int:
        """What was recorded that day, as far as the journal was told."""
        return sum(entry.size_bytes for hour in self.hours for entry in hour.collected)

    @property
    def erased_bytes(self) -> int:
        """What is gone of it."""
        return sum(entry.size_bytes for hour in self.hours for entry in hour.erased)


def bounds_of(day: date) -> tuple[int, int]:
    """The first nanosecond of a day of Europe/Paris and of the next, UTC."""
    return _midnight_ns(day), _midnight_ns(day + timedelta(days=1))


def certify(
    camera_id: str,
    day: date,
    entries: Iterable[JournalEntry],
    remaining: Timeline | None,
    holds: Sequence[HoldRow],
    now_ns: int,
) -> Certificate:
    """The certificate of a camera and a day, from the entries of `KINDS` that the journal has of that camera."""
    start_ns, end_ns = bounds_of(day)
    collected: dict[int, list[Cited]] = {}
    erased: dict[int, list[Cited]] = {}
    for entry in sorted(entries, key=lambda entry: entry.index):
        event = entry.event
        if event is None or not start_ns <= event.range_start_ns < end_ns:
            continue
        found = collected if event.kind is EventKind.RECORDING_COLLECTED else erased
        _add(found.setdefault(event.range_start_ns // HOUR_NS * HOUR_NS, []), _cited(entry, event))
    hours = tuple(
        Hour(hour, one := tuple(collected.get(hour, ())), gone := tuple(erased.get(hour, ())), _state(one, gone))
        for hour in sorted(collected.keys() | erased.keys())
    )
    there = None if remaining is None else _there(remaining, start_ns, end_ns)
    standing = tuple(
        StandingHold(row.hold_id, row.start_ns, row.end_ns, row.expires_at_ns)
        for row in holds
        if row.start_ns < end_ns and row.end_ns > start_ns
    )
    conclusion = _conclusion(hours, there, standing)
    return Certificate(camera_id, day, start_ns, end_ns, now_ns, hours, there, standing, conclusion)


def _add(entries: list[Cited], entry: Cited) -> None:
    """A node that crashed tells an hour twice in the same words: the first telling counts."""
    same = (entry.start_ns, entry.end_ns, entry.segments, entry.size_bytes, entry.digest, entry.cause)
    if all((one.start_ns, one.end_ns, one.segments, one.size_bytes, one.digest, one.cause) != same for one in entries):
        entries.append(entry)


def _cited(entry: JournalEntry, event: AccessEvent) -> Cited:
    details = event.details
    return Cited(
        index=entry.index,
        leaf=entry.leaf_hash,
        logged_at_ns=entry.at_ns,
        start_ns=event.range_start_ns,
        end_ns=event.range_end_ns,
        segments=_count(details.get("segments", "")),
        size_bytes=_count(details.get("bytes", "")),
        digest=details.get("digest", ""),
        at_ns=event.at_ns,
        cause=details.get("cause", ""),
        kept=_count(details.get("kept", "")),
        seal=details.get("seal", ""),
    )


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0


def _state(collected: Sequence[Cited], erased: Sequence[Cited]) -> HourState:
    if not erased:
        return HourState.STANDING
    seal = erased[-1].seal
    if seal:
        told = {entry.digest for entry in collected}
        return HourState.DESTROYED if not told or seal in told else HourState.CONTRADICTED
    if erased[-1].kept:
        return HourState.HELD
    whole = sum(entry.size_bytes for entry in collected)
    return HourState.DESTROYED if sum(entry.size_bytes for entry in erased) >= whole else HourState.PARTIAL


def _there(remaining: Timeline, start_ns: int, end_ns: int) -> tuple[StillThere, ...]:
    return tuple(
        StillThere(max(span.start_ns, start_ns), min(span.end_ns, end_ns))
        for span in remaining.spans
        if span.start_ns < end_ns and span.end_ns > start_ns
    )


def _conclusion(hours: Sequence[Hour], there: Sequence[StillThere] | None, holds: Sequence[StandingHold]) -> Conclusion:
    states = {hour.state for hour in hours}
    if HourState.CONTRADICTED in states:
        return Conclusion.CONTRADICTED
    if not hours and not there:
        return Conclusion.NOTHING if there is not None else Conclusion.UNKNOWN
    if there:
        explained = all(
            any(hold.start_ns < one.end_ns and hold.end_ns > one.start_ns for hold in holds) for one in there
        )
        only_held = states <= {HourState.DESTROYED, HourState.HELD}
        return Conclusion.HELD if explained and only_held and states else Conclusion.REMAINING
    if states == {HourState.DESTROYED}:
        return Conclusion.DESTROYED if there is not None else Conclusion.UNKNOWN
    return Conclusion.REMAINING if there is None else Conclusion.UNTOLD


def paris_time(utc_ns: int) -> datetime:
    """An instant as the clocks of Europe/Paris show it. VmsError `machine.time_zones` where no zones are installed."""
    return datetime.fromtimestamp(utc_ns // NS_PER_SECOND, _zone())


def _midnight_ns(day: date) -> int:
    return int(datetime.combine(day, time(), _zone()).timestamp()) * NS_PER_SECOND


def _zone() -> ZoneInfo:
    if _PARIS is None:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "machine.time_zones",
            "Les fuseaux horaires ne sont pas installés sur cette machine.",
            hint="Installez le paquet « tzdata », puis redémarrez.",
        )
    return _PARIS
