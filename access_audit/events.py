"""The closed catalogue of what is logged (LAW-25 to LAW-29).

Each kind is `subject.action`, belongs to one of the five operations of R. 253-5 CSI or is technical, and says whether
the act waits for its receipt or is spooled by a node that records on. No field can hold an image, a plate or the name
of a filmed person: values are identifiers, codes, instants and one short free text, all bounded.

The kinds `log.*` describe the log itself. Only its writer makes them; they name no person and are never erased.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_REASON_CHARS = 200
MAX_DETAIL_CHARS = 120
MAX_FIELD_CHARS = 120
MAX_RECIPIENTS = 16


class LegalOperation(StrEnum):
    """The operations of R. 253-5 CSI, and what is logged beside them."""

    COLLECTION = "collection"
    MODIFICATION = "modification"
    CONSULTATION = "consultation"
    COMMUNICATION = "communication"
    ERASURE = "erasure"
    TECHNICAL = "technical"


class Delivery(StrEnum):
    """Whether the act waits for the entry."""

    BEFORE_ACT = "before_act"
    SPOOLED = "spooled"


@dataclass(frozen=True, slots=True)
class _Kind:
    operation: LegalOperation
    delivery: Delivery
    details: frozenset[str] = frozenset()


def _before(operation: LegalOperation, *details: str) -> _Kind:
    return _Kind(operation, Delivery.BEFORE_ACT, frozenset(details))


def _spooled(operation: LegalOperation, *details: str) -> _Kind:
    return _Kind(operation, Delivery.SPOOLED, frozenset(details))


class EventKind(StrEnum):
    """Every kind of entry that the log can hold."""

    LIVE_OPENED = "live.opened"
    LIVE_CLOSED = "live.closed"
    LIVE_REFUSED = "live.refused"
    PLAYBACK_OPENED = "playback.opened"
    PLAYBACK_CLOSED = "playback.closed"
    PLAYBACK_REFUSED = "playback.refused"
    VIEWING_UNEXPLAINED = "viewing.unexplained"
    SESSION_OPENED = "session.opened"
    SESSION_REFUSED = "session.refused"
    SESSION_CLOSED = "session.closed"
    JOURNAL_CONSULTED = "journal.consulted"
    REPORT_ISSUED = "report.issued"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESTORED = "account.restored"
    CAMERA_ONBOARDED = "camera.onboarded"
    CAMERA_CHANGED = "camera.changed"
    RECORDING_STARTED = "recording.started"
    RECORDING_STOPPED = "recording.stopped"
    RECORDING_COLLECTED = "recording.collected"
    RECORDING_ERASED = "recording.erased"
    RECORDING_CLOCK_DOUBTED = "recording.clock_doubted"
    RECORDING_CAPACITY_CHANGED = "recording.capacity_changed"
    HOLD_PLACED = "hold.placed"
    HOLD_CONFIRMED = "hold.confirmed"
    HOLD_FAILED = "hold.failed"
    HOLD_LOST = "hold.lost"
    HOLD_REFUSED = "hold.refused"
    HOLD_RELEASE_ASKED = "hold.release_asked"
    HOLD_RELEASE_WITHDRAWN = "hold.release_withdrawn"
    HOLD_RELEASED = "hold.released"
    HOLD_EXPIRED = "hold.expired"
    LOG_STARTED = "log.started"
    LOG_CLOCK_STEPPED = "log.clock_stepped"
    LOG_EXPIRED = "log.expired"
    LOG_KEY_CHANGED = "log.key_changed"
    LOG_TAKEN_OVER = "log.taken_over"

    @property
    def control(self) -> bool:
        """Whether this kind describes the log itself, so that only the writer may make it."""
        return self in _CONTROL


_OP = LegalOperation
CATALOGUE: dict[EventKind, _Kind] = {
    EventKind.LIVE_OPENED: _before(_OP.CONSULTATION, "session", "streams"),
    EventKind.LIVE_CLOSED: _before(_OP.CONSULTATION, "session", "cause", "seconds"),
    EventKind.LIVE_REFUSED: _before(_OP.CONSULTATION, "cause"),
    EventKind.PLAYBACK_OPENED: _before(_OP.CONSULTATION, "session"),
    EventKind.PLAYBACK_CLOSED: _before(_OP.CONSULTATION, "session", "cause", "seconds"),
    EventKind.PLAYBACK_REFUSED: _before(_OP.CONSULTATION, "cause"),
    EventKind.VIEWING_UNEXPLAINED: _before(_OP.CONSULTATION, "session", "cause", "seconds", "excess_s", "bytes", "day"),
    EventKind.SESSION_OPENED: _before(_OP.TECHNICAL, "session", "address"),
    EventKind.SESSION_REFUSED: _before(_OP.TECHNICAL, "cause", "address"),
    EventKind.SESSION_CLOSED: _before(_OP.TECHNICAL, "session", "cause"),
    EventKind.JOURNAL_CONSULTED: _before(_OP.CONSULTATION, "search", "requisition"),
    EventKind.REPORT_ISSUED: _before(_OP.CONSULTATION, "month", "digest"),
    EventKind.ACCOUNT_CREATED: _before(_OP.MODIFICATION, "account", "role"),
    EventKind.ACCOUNT_SUSPENDED: _before(_OP.MODIFICATION, "account"),
    EventKind.ACCOUNT_RESTORED: _before(_OP.MODIFICATION, "account"),
    EventKind.CAMERA_ONBOARDED: _before(_OP.MODIFICATION, "hardware", "authorisation"),
    EventKind.CAMERA_CHANGED: _before(_OP.MODIFICATION, "field"),
    EventKind.RECORDING_STARTED: _spooled(_OP.COLLECTION, "authorisation", "times", "since"),
    EventKind.RECORDING_STOPPED: _spooled(_OP.COLLECTION, "cause", "times", "since"),
    EventKind.RECORDING_COLLECTED: _spooled(_OP.COLLECTION, "segments", "bytes", "digest", "previous", "last"),
    EventKind.RECORDING_ERASED: _spooled(_OP.ERASURE, "segments", "bytes", "digest", "cause", "kept", "seal"),
    EventKind.RECORDING_CLOCK_DOUBTED: _spooled(_OP.TECHNICAL, "state", "leap_s", "times", "since"),
    EventKind.RECORDING_CAPACITY_CHANGED: _spooled(
        _OP.TECHNICAL, "disk", "state", "required_days", "reached_days", "forced_at", "times", "since"
    ),
    EventKind.HOLD_PLACED: _before(_OP.MODIFICATION, "hold", "basis", "signatory", "expires"),
    EventKind.HOLD_CONFIRMED: _before(_OP.TECHNICAL, "hold", "bytes"),
    EventKind.HOLD_FAILED: _before(_OP.TECHNICAL, "hold", "cause"),
    EventKind.HOLD_LOST: _before(_OP.TECHNICAL, "hold", "cause"),
    EventKind.HOLD_REFUSED: _before(_OP.MODIFICATION, "hold", "cause"),
    EventKind.HOLD_RELEASE_ASKED: _before(_OP.MODIFICATION, "hold"),
    EventKind.HOLD_RELEASE_WITHDRAWN: _before(_OP.MODIFICATION, "hold"),
    EventKind.HOLD_RELEASED: _before(_OP.MODIFICATION, "hold", "asked_by", "asked_by_name"),
    EventKind.HOLD_EXPIRED: _before(_OP.MODIFICATION, "hold"),
    EventKind.LOG_STARTED: _before(_OP.TECHNICAL, "version", "recovered", "dropped", "writer", "epoch"),
    EventKind.LOG_TAKEN_OVER: _before(_OP.TECHNICAL, "writer", "epoch", "from"),
    EventKind.LOG_CLOCK_STEPPED: _before(_OP.TECHNICAL, "from", "to"),
    EventKind.LOG_EXPIRED: _before(_OP.ERASURE, "before_ns", "controller", "count"),
    EventKind.LOG_KEY_CHANGED: _before(_OP.TECHNICAL, "from", "to", "signature", "acceptance"),
}
_CONTROL = frozenset(kind for kind in EventKind if kind.value.startswith("log."))


@dataclass(frozen=True, slots=True)
class Author:
    """Who acts: a named person, or a part of the system (`role` = `system`)."""

    person_id: str
    name: str
    role: str

    def __post_init__(self) -> None:
        if not self.person_id or not self.role:
            raise ValueError("an author has an identifier and a role")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the code of a purpose (LAW-04, LAW-27) and a short text without the facts of a case."""

    code: str
    text: str = ""

    def __post_init__(self) -> None:
        if not self.code:
            raise ValueError("a reason has a code")
        if len(self.text) > MAX_REASON_CHARS:
            raise ValueError(f"the text of a reason holds at most {MAX_REASON_CHARS} characters")


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """One entry before it is in the log. Instants are UTC nanoseconds; the range is of the images, end excluded.

    Raises ValueError on a detail that its kind does not have, or a value that is too long or holds a control character.
    """

    kind: EventKind
    author: Author
    at_ns: int
    reason: Reason
    recipients: tuple[str, ...] = ()
    commune: str = ""
    authority: str = ""
    camera_id: str = ""
    range_start_ns: int = 0
    range_end_ns: int = 0
    requisition: str = ""
    details: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        author = self.author
        short = (
            author.person_id, author.name, author.role, self.reason.code, self.commune, self.authority, self.camera_id,
            self.requisition, *self.recipients,
        )  # fmt: skip
        if max(map(len, short)) > MAX_FIELD_CHARS:
            raise ValueError(f"a field of an entry holds at most {MAX_FIELD_CHARS} characters")
        if len(self.recipients) > MAX_RECIPIENTS:
            raise ValueError(f"an entry names at most {MAX_RECIPIENTS} recipients")
        if self.at_ns <= 0 or self.range_start_ns < 0 or self.range_end_ns < self.range_start_ns:
            raise ValueError("an instant is after 1970 and a range does not end before it starts")
        if not "".join((*short, self.reason.text)).isprintable():
            raise ValueError("an entry holds no control character")
        if self.details:
            self._check_details()

    def _check_details(self) -> None:
        strange = set(self.details) - CATALOGUE[self.kind].details
        if strange:
            raise ValueError(f"{self.kind} has no detail {', '.join(sorted(strange))}")
        for name, value in self.details.items():
            if len(value) > MAX_DETAIL_CHARS or not value.isprintable():
                raise ValueError(f"the detail {name} of {self.kind} holds at most {MAX_DETAIL_CHARS} plain characters")

    @property
    def operation(self) -> LegalOperation:
        """The operation of R. 253-5 that this entry stands for."""
        return CATALOGUE[self.kind].operation
