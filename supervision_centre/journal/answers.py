"""An entry of the journal as one reader may see it: JSON for the console, and what is kept from elected officials.

A mayor reads every act on the images of their commune, and nothing of what investigators asked for: of a hold they see
that there is one, who acted and when, without requisition, signatory, basis or note (article 11 CPP). What has expired
is told as such, with its place and its leaf hash, which last longer (LAW-28).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from access_audit.events import AccessEvent
from access_audit.journal import JournalEntry
from cameras.contract import CameraView
from supervision_centre.access.purposes import reason_label
from supervision_centre.journal.labels import OPERATIONS, kind_label, role_label
from supervision_centre.people.person import ELECTED, Person
from vms.base.clock import utc_text

EXPIRED_LABEL: Final = "Inscription arrivée à échéance, contenu effacé"
_JUDICIAL_DETAILS: Final = frozenset({"basis", "requisition", "signatory"})


@dataclass(frozen=True, slots=True)
class Names:
    """What cameras and communes are called today."""

    cameras: Mapping[str, str]
    communes: Mapping[str, str]

    @classmethod
    def of(cls, views: Iterable[CameraView]) -> Names:
        """The names in a directory of cameras."""
        known = list(views)
        return cls({view.camera_id: view.name for view in known}, {view.commune: view.commune_name for view in known})

    def camera(self, camera_id: str) -> str:
        """The name of a camera; its identifier once nobody knows it any more."""
        return self.cameras.get(camera_id, camera_id)

    def commune(self, code: str) -> str:
        """The name of a commune, or its code."""
        return self.communes.get(code, code)


def may_read_requisitions(person: Person) -> bool:
    """Whether what investigators asked for may be read by this person."""
    return person.role not in ELECTED


def hides(person: Person, event: AccessEvent) -> bool:
    """Whether parts of an entry are kept from this reader."""
    return bool(event.requisition or event.details.get("requisition")) and not may_read_requisitions(person)


def seen_by(person: Person, entry: JournalEntry) -> JournalEntry:
    """The entry without what is kept from this reader."""
    event = entry.event
    if event is None or not hides(person, event):
        return entry
    details = {name: value for name, value in event.details.items() if name not in _JUDICIAL_DETAILS}
    return replace(entry, event=replace(event, requisition="", reason=replace(event.reason, text=""), details=details))


def entry_json(entry: JournalEntry, names: Names) -> dict[str, Any]:
    """One entry. `kind` is `expired` when its payload has reached its legal end."""
    base: dict[str, Any] = {"index": entry.index, "at": utc_text(entry.at_ns), "leaf": entry.leaf_hash}
    event = entry.event
    if event is None:
        return base | {
            "kind": "expired",
            "kind_label": EXPIRED_LABEL,
            "operation": "",
            "operation_label": "",
            "range": None,
        }
    return base | {
        "kind": event.kind.value,
        "kind_label": kind_label(event.kind),
        "operation": event.operation.value,
        "operation_label": OPERATIONS[event.operation],
        "person": event.author.name,
        "person_id": event.author.person_id,
        "role": event.author.role,
        "role_label": role_label(event.author.role),
        "recipients": list(event.recipients),
        "reason": event.reason.code,
        "reason_label": reason_label(event.reason.code),
        "note": event.reason.text,
        "requisition": event.requisition,
        "camera": event.camera_id,
        "camera_name": names.camera(event.camera_id),
        "commune": event.commune,
        "commune_name": names.commune(event.commune),
        "authority": event.authority,
        "range": {"start": utc_text(event.range_start_ns), "end": utc_text(event.range_end_ns)}
        if event.range_end_ns
        else None,
        "details": event.details,
    }
