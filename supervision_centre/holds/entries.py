"""From holds to entries of the journal: pure (LAW-10, LAW-25).

Each entry bears the requisition, the camera and its authority, and the range of images, so that one search by
requisition tells the whole life of a hold. The reason is the judicial requisition and no purpose of L. 251-2.
"""

from __future__ import annotations

from access_audit.events import AccessEvent, Author, EventKind, Reason
from cameras.contract import CameraView
from supervision_centre.access.entries import author_of
from supervision_centre.access.purposes import REQUISITION
from supervision_centre.holds.policy import HoldGrant, HoldWish
from supervision_centre.holds.tables import HoldRow
from supervision_centre.people.person import Person
from vms.base.clock import utc_text
from vms.base.ids import is_id

UPKEEP = Author("centre", "Centre (automatique)", "system")
_MAX_CAUSE_CHARS = 120


def placed(grant: HoldGrant, hold_id: str) -> AccessEvent:
    """The entry that stands in the journal before the node is told."""
    wish, camera = grant.wish, grant.camera
    return AccessEvent(
        kind=EventKind.HOLD_PLACED,
        author=author_of(grant.person),
        at_ns=grant.at_ns,
        reason=Reason(REQUISITION, wish.reason),
        commune=camera.commune,
        authority=camera.authority,
        camera_id=camera.camera_id,
        range_start_ns=wish.start_ns,
        range_end_ns=wish.end_ns,
        requisition=wish.reference,
        details={
            "hold": hold_id,
            "basis": grant.basis.article,
            "signatory": wish.authority,
            "expires": utc_text(wish.expires_at_ns),
        },
    )


def refused_wish(person: Person, camera: CameraView | None, wish: HoldWish, cause: str, now_ns: int) -> AccessEvent:
    """The entry of a hold that was refused. A camera is named only when it exists or could."""
    in_order = 0 < wish.start_ns < wish.end_ns
    return AccessEvent(
        kind=EventKind.HOLD_REFUSED,
        author=author_of(person),
        at_ns=now_ns,
        reason=Reason(REQUISITION, wish.reason),
        commune=camera.commune if camera else "",
        authority=camera.authority if camera else "",
        camera_id=wish.camera_id if camera or is_id(wish.camera_id, "cam") else "",
        range_start_ns=wish.start_ns if in_order else 0,
        range_end_ns=wish.end_ns if in_order else 0,
        requisition=wish.reference,
        details={"cause": cause},
    )


def of_hold(kind: EventKind, author: Author, now_ns: int, row: HoldRow, note: str = "", **details: str) -> AccessEvent:
    """The entry of a later step of a hold."""
    return AccessEvent(
        kind=kind,
        author=author,
        at_ns=now_ns,
        reason=Reason(REQUISITION, note),
        commune=row.commune,
        authority=row.camera_authority,
        camera_id=row.camera_id,
        range_start_ns=row.start_ns,
        range_end_ns=row.end_ns,
        requisition=row.reference,
        details={"hold": row.hold_id} | {name: value[:_MAX_CAUSE_CHARS] for name, value in details.items()},
    )


def refused_step(person: Person, row: HoldRow | None, hold_id: str, cause: str, now_ns: int) -> AccessEvent:
    """The entry of a release that was refused, or of a hold of another commune that was asked for."""
    if row is not None:
        return of_hold(EventKind.HOLD_REFUSED, author_of(person), now_ns, row, cause=cause)
    named = {"hold": hold_id} if is_id(hold_id, "hold") else {}
    return AccessEvent(
        EventKind.HOLD_REFUSED, author_of(person), now_ns, Reason(REQUISITION), details={"cause": cause} | named
    )
