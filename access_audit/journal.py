"""What is asked of the journal of accesses, and what it answers (LAW-31).

An answer is read from the log and carries the leaf hash of each entry, so that its reader can ask for the proof.
There is no question that counts the acts of a person (LAW-29).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from access_audit.events import AccessEvent, EventKind, LegalOperation
from access_audit.format import FormatError, event_payload, parse_payload

MAX_PAGE_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which entries, newest first. Empty fields ask for everything.

    `communes` is the reader's scope: None for all, otherwise only entries of these communes (INSEE codes) are shown,
    and entries of no commune are not. Times are the writer's, start included, end excluded. `before_index` is the
    `next_before` of the page before.
    """

    person_id: str = ""
    camera_id: str = ""
    requisition: str = ""
    communes: frozenset[str] | None = None
    kinds: frozenset[EventKind] = field(default_factory=frozenset)
    operations: frozenset[LegalOperation] = field(default_factory=frozenset)
    since_ns: int | None = None
    until_ns: int | None = None
    before_index: int | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_PAGE_ENTRIES:
            raise ValueError(f"a page holds 1 to {MAX_PAGE_ENTRIES} entries")

    def to_json(self) -> dict[str, Any]:
        """The query as it travels to the writer."""
        return {
            "person": self.person_id,
            "camera": self.camera_id,
            "requisition": self.requisition,
            "communes": None if self.communes is None else sorted(self.communes),
            "kinds": sorted(kind.value for kind in self.kinds),
            "operations": sorted(operation.value for operation in self.operations),
            "since_ns": self.since_ns,
            "until_ns": self.until_ns,
            "before": self.before_index,
            "limit": self.limit,
        }

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> JournalQuery:
        """The query of a message; ValueError, KeyError or TypeError when it is none."""
        return cls(
            person_id=str(raw["person"]),
            camera_id=str(raw["camera"]),
            requisition=str(raw["requisition"]),
            communes=None if raw["communes"] is None else frozenset(map(str, raw["communes"])),
            kinds=frozenset(map(EventKind, raw["kinds"])),
            operations=frozenset(map(LegalOperation, raw["operations"])),
            since_ns=_instant(raw["since_ns"]),
            until_ns=_instant(raw["until_ns"]),
            before_index=_instant(raw["before"]),
            limit=int(raw["limit"]),
        )


def _instant(value: int | None) -> int | None:
    return None if value is None else min(max(int(value), -(2**63)), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry as a reader of the journal sees it. `event` is None once its payload has expired."""

    index: int
    leaf_hash: str
    at_ns: int
    event: AccessEvent | None

    def to_json(self) -> dict[str, Any]:
        """The entry as it travels from the writer."""
        payload = None if self.event is None else event_payload(self.event).decode()
        return {"index": self.index, "leaf": self.leaf_hash, "at_ns": self.at_ns, "payload": payload}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> JournalEntry:
        """The entry of a message; ValueError, KeyError or TypeError when it is none."""
        event = None if raw["payload"] is None else parse_payload(raw["payload"].encode())
        return cls(int(raw["index"]), str(raw["leaf"]), int(raw["at_ns"]), event)


@dataclass(frozen=True, slots=True)
class JournalPage:
    """Some entries, newest first. `next_before` continues the search; None when nothing is left."""

    entries: tuple[JournalEntry, ...]
    next_before: int | None

    def to_json(self) -> dict[str, Any]:
        """The page as it travels from the writer."""
        return {"entries": [entry.to_json() for entry in self.entries], "next": self.next_before}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> JournalPage:
        """The page of a message; FormatError when it is none."""
        try:
            return cls(tuple(map(JournalEntry.from_json, raw["entries"])), _instant(raw["next"]))
        except (KeyError, TypeError, AttributeError) as wrong:
            raise FormatError(f"no page of the journal: {wrong}") from None
