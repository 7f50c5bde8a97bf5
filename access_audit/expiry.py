"""Erasure at the legal end: payloads go, hashes and proofs stay (LAW-28).

Rules.

X1. Stated, then done: the entry `log.expired` is on the disk before the first payload that it covers is erased.
X2. One bundle after the other, by rising index, each rewritten whole or not at all. What a failure or a kill leaves is
    erased by the next round: within an hour, or at the next start.
X3. No copy stays in the log's folder. The append file is begun anew with the statement, so that the files before it go;
    what a crash left beside a payload bundle goes too; the journal's index loses the keys of what has been erased.
X4. Entries about the log itself keep their payload: it names nobody, and later checks read it.
X5. A clock that leaps ahead erases nothing. Nothing is stated when it has moved a day further than the monotonic one
    since the start of the writer, nor before the log has an entry of the last month that is a day old by this clock.
    What is stated already is erased.

A payload falls when it is as old as its controller's setting says, and is gone within about an hour.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from enum import Enum, auto
from pathlib import Path

import structlog

from access_audit import layout
from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.format import Leaf, StoredPayload, event_payload, parse_leaf
from access_audit.journal import MAX_PAGE_ENTRIES, JournalQuery
from access_audit.ledger import Draft, Ledger
from access_audit.retention import DAY_NS, EVERYBODY, Retention, falls
from access_audit.search import JournalIndex
from access_audit.tiles import read_leaves, read_payloads
from vms.base import durable
from vms.base.clock import Clock

log = structlog.get_logger(__name__)

ROUND_S = 3_600.0
MONTH_NS = 31 * DAY_NS
_WIDTH = layout.TILE_WIDTH


class Turn(Enum):
    """In which of the writer's threads the next step of a round has to be made."""

    PUBLISHING = auto()
    COMMITTING = auto()
    SEARCHING = auto()


class Expiry:
    """The rounds over one open log. `author` signs the statements; `settle_ns` is how long a clock is doubted (X5)."""

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        index: JournalIndex,
        retention: Retention,
        clock: Clock,
        author: Author,
        settle_ns: int = DAY_NS,
    ) -> None:
        self._settle_ns = settle_ns
        self._folder = folder
        self._ledger = ledger
        self._index = index
        self._retention = retention
        self._clock = clock
        self._author = author
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()
        self._stated: dict[str, int] | None = None
        self._newest = -1
        # By full bundle, the oldest payload of each authority that is there; read once, and again after an erasure.
        self._oldest: dict[int, dict[str, int]] = {}

    def round(self) -> Generator[Turn, None, None]:
        """One round: each step is made in the thread that the step before it named, the first one in `SEARCHING`.

        Raises OSError, TileError or FormatError out of a step; a new round goes on where this one stopped.
        """
        if self._stated is None:
            self._read_statements()
            yield Turn.PUBLISHING
            self._remove_parts()
        else:
            yield Turn.PUBLISHING
        now_ns, before = self._clock.utc_ns(), self._newest
        if not self._leapt(now_ns):
            bounds = self._retention.bounds(now_ns, (yield from self._authorities(now_ns)))
            due = yield from self._due(bounds)
            if due:
                yield Turn.COMMITTING
                self._state(bounds, due)
                yield Turn.PUBLISHING
        self._ledger.publish()
        self._ledger.forget_sequenced()
        erased = yield from self._erase()
        yield Turn.SEARCHING
        self._index.forget(erased, before, self._newest)

    def _leapt(self, now_ns: int) -> bool:
        ahead_ns = now_ns - self._clock.monotonic_ns() - self._offset_ns
        if ahead_ns > DAY_NS:
            log.error("the clock has leapt ahead: nothing more of the access log expires", ahead_s=ahead_ns // 10**9)
            return True
        if not self._settle_ns:
            return False
        low, high = 0, self._ledger.published
        while low < high:
            middle = (low + high) // 2
            if self._instant(middle) < now_ns - MONTH_NS:
                low = middle + 1
            else:
                high = middle
        settled = low < self._ledger.published and self._instant(low) <= now_ns - self._settle_ns
        if not settled:
            log.info("no entry of the last month is a day old: nothing of the access log expires yet")
        return not settled

    def _instant(self, index: int) -> int:
        return parse_leaf(self._leaves(index // _WIDTH)[index % _WIDTH]).at_ns

    def _read_statements(self) -> None:
        """In the asking thread: what the log has stated so far."""
        stated: dict[str, int] = {}
        newest, before = -1, None
        while True:
            query = JournalQuery(kinds=frozenset({EventKind.LOG_EXPIRED}), before_index=before, limit=MAX_PAGE_ENTRIES)
            page = self._index.search(query, self._ledger.published)
            for entry in page.entries:
                newest = max(newest, entry.index)
                if entry.event is not None:
                    controller = entry.event.details["controller"]
                    stated[controller] = max(stated.get(controller, 0), int(entry.event.details["before_ns"]))
            before = page.next_before
            if before is None:
                break
        self._stated, self._newest = stated, newest

    def _remove_parts(self) -> None:
        """What a crash left of a bundle that was being written: it may hold payloads that have expired since."""
        for part in (self._folder / layout.PAYLOADS).rglob("*.part"):
            durable.remove(part)

    def _authorities(self, now_ns: int) -> Generator[Turn, None, set[str]]:
        """Every authority that a payload names which may be due."""
        found: set[str] = set()
        for number in self._bundles(now_ns - self._retention.shortest * DAY_NS):
            if number not in self._oldest:
                yield Turn.PUBLISHING
            found |= self._oldest_in(number).keys()
        return found

    def _due(self, bounds: Mapping[str, int]) -> Generator[Turn, None, dict[str, int]]:
        """How many payloads fall now and are not stated yet, by the statement that takes them."""
        assert self._stated is not None
        due: dict[str, int] = {}
        for number in self._bundles(max(bounds.values())):
            if not _any_falls(bounds, self._oldest_in(number)):
                continue
            for leaf, stored in self._present(number):
                authority = authority_of(stored)
                if falls(bounds, authority, leaf.at_ns) and not falls(self._stated, authority, leaf.at_ns):
                    controller = EVERYBODY if leaf.at_ns < bounds[EVERYBODY] else authority
                    due[controller] = due.get(controller, 0) + 1
            yield Turn.PUBLISHING
        return due

    def _state(self, bounds: Mapping[str, int], due: Mapping[str, int]) -> None:
        """In the committing thread: state it, in an append file that begins with the statement."""
        assert self._stated is not None
        drafts = []
        for controller, count in sorted(due.items()):
            details = {"before_ns": str(bounds[controller]), "controller": controller, "count": str(count)}
            event = AccessEvent(
                EventKind.LOG_EXPIRED, self._author, self._clock.utc_ns(), Reason("operation"), details=details
            )
            drafts.append(Draft(event_payload(event), control=event.kind.value))
        self._newest = self._ledger.record_afresh(drafts) + len(drafts) - 1
        for controller in due:
            self._stated[controller] = max(self._stated.get(controller, 0), bounds[controller])
        log.info("payloads of the access log expire", payloads=sum(due.values()), controllers=len(due))

    def _erase(self) -> Generator[Turn, None, list[int]]:
        """Erase all that is stated, and say which entries."""
        assert self._stated is not None
        stated = self._stated
        erased: list[int] = []
        for number in self._bundles(max(stated.values(), default=0)):
            if not _any_falls(stated, self._oldest_in(number)):
                continue

            def expired(leaf: Leaf, stored: StoredPayload) -> bool:
                return not leaf.control and falls(stated, authority_of(stored), leaf.at_ns)

            erased += self._ledger.erase(number, expired)
            self._oldest.pop(number, None)
            yield Turn.PUBLISHING
        return erased

    def _bundles(self, before_ns: int) -> Iterator[int]:
        """The published bundles whose first entry is older than an instant."""
        for number in range(-(-self._ledger.published // _WIDTH)):
            if number not in self._oldest and parse_leaf(self._leaves(number)[0]).at_ns >= before_ns:
                return
            yield number

    def _oldest_in(self, number: int) -> dict[str, int]:
        oldest = self._oldest.get(number)
        if oldest is None:
            oldest = {}
            for leaf, stored in self._present(number):
                oldest.setdefault(authority_of(stored), leaf.at_ns)
            if (number + 1) * _WIDTH <= self._ledger.published:
                self._oldest[number] = oldest
        return oldest

    def _present(self, number: int) -> Iterator[tuple[Leaf, StoredPayload]]:
        """The erasable payloads of a bundle that are there."""
        for content, stored in zip(self._leaves(number), read_payloads(self._folder, number), strict=False):
            leaf = parse_leaf(content) if stored is not None else None
            if leaf is not None and stored is not None and not leaf.control:
                yield leaf, stored

    def _leaves(self, number: int) -> list[bytes]:
        return read_leaves(self._folder, number, min(_WIDTH, self._ledger.published - number * _WIDTH))


def authority_of(stored: StoredPayload) -> str:
    """The authority that a payload names; empty when it names none."""
    return str(json.loads(stored.payload).get("authority", ""))


def _any_falls(bounds: Mapping[str, int], oldest: Mapping[str, int]) -> bool:
    return any(falls(bounds, authority, at_ns) for authority, at_ns in oldest.items())
