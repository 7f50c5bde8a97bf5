"""From decisions to entries of the journal: pure (LAW-20, LAW-25, LAW-26, LAW-27).

One function makes the entry of a grant, so that a ticket can check that its receipt speaks of that grant and no other.
"""

from __future__ import annotations

from access_audit.events import AccessEvent, Author, EventKind, Reason
from cameras.contract import CameraView
from recorder.contract.ticket import MediaAct
from supervision_centre.access.policy import Grant, Wish
from supervision_centre.access.purposes import ACCOUNT, CONTROL, SESSION
from supervision_centre.access.tables import ViewingSessionRow
from supervision_centre.people.person import Person
from vms.base.clock import NS_PER_SECOND
from vms.base.ids import is_id

_OPENED = {MediaAct.LIVE: EventKind.LIVE_OPENED, MediaAct.PLAYBACK: EventKind.PLAYBACK_OPENED}
_CLOSED = {MediaAct.LIVE: EventKind.LIVE_CLOSED, MediaAct.PLAYBACK: EventKind.PLAYBACK_CLOSED}
_REFUSED = {MediaAct.LIVE: EventKind.LIVE_REFUSED, MediaAct.PLAYBACK: EventKind.PLAYBACK_REFUSED}
NOBODY = Author("unknown", "Compte inconnu", "unknown")


def author_of(person: Person) -> Author:
    """A person as the journal names them."""
    return Author(person.person_id, person.name, person.role.value)


def opened(grant: Grant, session_id: str) -> AccessEvent:
    """The entry that stands in the journal before the first image."""
    wish, camera = grant.wish, grant.camera
    details = {"session": session_id}
    if wish.act is MediaAct.LIVE:
        details["streams"] = "main,sub" if camera.has_sub else "main"
    return AccessEvent(
        kind=_OPENED[wish.act],
        author=author_of(grant.person),
        at_ns=grant.at_ns,
        reason=Reason(wish.purpose, wish.note),
        recipients=(grant.person.name,),
        commune=camera.commune,
        authority=camera.authority,
        camera_id=camera.camera_id,
        range_start_ns=wish.start_ns,
        range_end_ns=wish.end_ns,
        details=details,
    )


def refused(person: Person, camera: CameraView | None, wish: Wish, cause: str, now_ns: int) -> AccessEvent:
    """The entry of a look that was refused. A camera is named only when it exists or could."""
    in_order = 0 < wish.start_ns < wish.end_ns
    return AccessEvent(
        kind=_REFUSED[wish.act],
        author=author_of(person),
        at_ns=now_ns,
        reason=Reason(wish.purpose or "none", wish.note),
        commune=camera.commune if camera else "",
        authority=camera.authority if camera else "",
        camera_id=wish.camera_id if camera or is_id(wish.camera_id, "cam") else "",
        range_start_ns=wish.start_ns if in_order else 0,
        range_end_ns=wish.end_ns if in_order else 0,
        details={"cause": cause},
    )


def closed(row: ViewingSessionRow, at_ns: int, cause: str) -> AccessEvent:
    """The entry that ends a look, with its length in whole seconds."""
    act = MediaAct(row.act)
    return AccessEvent(
        kind=_CLOSED[act],
        author=Author(row.person_id, row.person_name, row.person_role),
        at_ns=at_ns,
        reason=Reason(row.purpose, row.note),
        recipients=(row.person_name,),
        commune=row.commune,
        authority=row.authority,
        camera_id=row.camera_id,
        range_start_ns=row.start_ns,
        range_end_ns=row.end_ns,
        details={
            "session": row.session_id,
            "cause": cause,
            "seconds": str(max(0, at_ns - row.opened_at_ns) // NS_PER_SECOND),
        },
    )


def session_event(kind: EventKind, author: Author, now_ns: int, **details: str) -> AccessEvent:
    """The entry of a log-in, a refused log-in or a log-out."""
    return AccessEvent(kind, author, now_ns, Reason(SESSION), details=details)


def account_event(kind: EventKind, author: Author, now_ns: int, account: Person) -> AccessEvent:
    """The entry of a change to an account."""
    details = {"account": account.login}
    if kind is EventKind.ACCOUNT_CREATED:
        details["role"] = account.role.value
    return AccessEvent(kind, author, now_ns, Reason(ACCOUNT), recipients=(account.name,), details=details)


def journal_consulted(person: Person, now_ns: int, search: str, requisition: str = "") -> AccessEvent:
    """The entry of a look at the journal itself. It belongs to the commune of a reader who has one only."""
    communes = sorted(person.communes)
    return AccessEvent(
        kind=EventKind.JOURNAL_CONSULTED,
        author=author_of(person),
        at_ns=now_ns,
        reason=Reason(CONTROL),
        recipients=(person.name,),
        commune=communes[0] if len(communes) == 1 else "",
        details={"search": search} | ({"requisition": requisition} if requisition else {}),
    )
