"""Who may do what: one pure module, values and a time in, a grant or a refusal out.

- Rights follow from the role alone, by one matrix. An operator reports facts: no judicial act is in reach (LAW-21).
  A gendarme looks and records nothing (LAW-24). An installer sees no image (LAW-57). Mayors and the data protection
  officer read the journal. An administrator manages people and sees no image.
- An inspector of the commission or of the CNIL reads the journal, the lists and the settings, sees no image and
  changes nothing (LAW-31).
- Holds are a judicial function of the supervisor; what investigators asked for is read by the data protection officer
  besides, and by no elected official. What was destroyed is told to all who answer for it (LAW-09).
- A right is used only by a person in force: not suspended, habilitated today, with the prefect's agrément where the
  role needs one (LAW-15, LAW-16), with a delegation where the mandate needs one (LAW-19).
- A camera exists for a person only within their territories, and for agents only where the agrément holds. Elsewhere
  the answer is the same as for a camera that does not exist (LAW-18).
- `Grant` has one maker: `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cameras.contract import CameraState, CameraView
from recorder.contract.ticket import MediaAct
from supervision_centre.access.purposes import purposes_at
from supervision_centre.people.person import ROLES_WITH_AGREMENT, Person, Role
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

MAX_PLAYBACK_NS = 24 * 3600 * NS_PER_SECOND
_FUTURE_TOLERANCE_NS = 60 * NS_PER_SECOND
_MAKER = object()


class Right(StrEnum):
    """What a role may do. The values reach the console."""

    CAMERAS = "cameras"
    LIVE = "live"
    PLAYBACK = "playback"
    PRESENCE = "presence"
    JOURNAL = "journal"
    INSTALL = "install"
    PEOPLE_LIST = "people.list"
    PEOPLE_SUSPEND = "people.suspend"
    PEOPLE_MANAGE = "people.manage"
    EXPORT = "export"
    HOLD = "hold"
    HOLD_LIST = "hold.list"
    DESTRUCTION = "destruction"
    CAPACITY = "capacity"
    INVENTORY = "inventory"
    REQUISITION = "requisition"


JUDICIAL_RIGHTS = frozenset({Right.EXPORT, Right.HOLD, Right.REQUISITION})
IMAGE_RIGHTS = frozenset({Right.LIVE, Right.PLAYBACK, Right.EXPORT})

_MATRIX: dict[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset({Right.CAMERAS, Right.LIVE, Right.PLAYBACK}),
    Role.SUPERVISOR: frozenset(
        {Right.CAMERAS, Right.LIVE, Right.PLAYBACK, Right.PRESENCE, Right.PEOPLE_LIST, Right.PEOPLE_SUSPEND}
    )
    | {Right.HOLD_LIST, Right.DESTRUCTION, Right.CAPACITY}
    | JUDICIAL_RIGHTS,
    Role.GENDARME: frozenset({Right.CAMERAS, Right.LIVE}),
    Role.INSTALLER: frozenset({Right.CAMERAS, Right.INSTALL}),
    Role.MAYOR: frozenset({Right.CAMERAS, Right.JOURNAL, Right.DESTRUCTION}),
    Role.DELEGATE: frozenset({Right.CAMERAS, Right.JOURNAL, Right.DESTRUCTION}),
    Role.DPO: frozenset({Right.CAMERAS, Right.JOURNAL, Right.PEOPLE_LIST, Right.HOLD_LIST, Right.DESTRUCTION})
    | {Right.INVENTORY},
    Role.INSPECTOR: frozenset({Right.CAMERAS, Right.JOURNAL, Right.PEOPLE_LIST, Right.HOLD_LIST, Right.DESTRUCTION})
    | {Right.CAPACITY, Right.INVENTORY},
    Role.ADMINISTRATOR: frozenset(
        {Right.CAMERAS, Right.PRESENCE, Right.PEOPLE_LIST, Right.PEOPLE_SUSPEND, Right.PEOPLE_MANAGE, Right.CAPACITY}
    ),
}
_RIGHT_OF_ACT = {MediaAct.LIVE: Right.LIVE, MediaAct.PLAYBACK: Right.PLAYBACK}
_STATES_OF_ACT = {
    MediaAct.LIVE: frozenset({CameraState.IN_SERVICE}),
    MediaAct.PLAYBACK: frozenset({CameraState.IN_SERVICE, CameraState.SUSPENDED}),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for. The range is of images, UTC nanoseconds, the end excluded; zero for live."""

    act: MediaAct
    camera_id: str
    purpose: str
    note: str = ""
    start_ns: int = 0
    end_ns: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """The centre's decision that this person may do this now. Made by `decide` only: TypeError otherwise."""

    person: Person
    camera: CameraView
    wish: Wish
    at_ns: int
    maker: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TypeError("a grant is made by access.policy.decide only")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the cause for the journal, and what the person reads."""

    cause: str
    error: VmsError


def rights_of(role: Role) -> frozenset[Right]:
    """The rights of a role."""
    return _MATRIX[role]


def in_force(person: Person, now_ns: int) -> Refusal | None:
    """Why a person may not use their account at this instant, or None."""
    if person.suspended_at_ns is not None:
        return _no(
            "suspended",
            ErrorKind.FORBIDDEN,
            "Votre compte est suspendu.",
            "Adressez-vous au responsable du centre.",
        )
    if not person.habilitation.in_force(now_ns):
        return _no(
            "habilitation",
            ErrorKind.FORBIDDEN,
            "Votre habilitation n'est pas en cours de validité.",
            "Demandez son renouvellement au responsable du centre.",
        )
    if person.delegation is not None and not person.delegation.in_force(now_ns):
        return _no(
            "delegation",
            ErrorKind.FORBIDDEN,
            "Votre délégation n'est pas en cours de validité.",
            "Transmettez le nouvel arrêté de délégation au responsable du centre.",
        )
    return None


def may(person: Person, right: Right, now_ns: int) -> Refusal | None:
    """Why a person may not use a right at this instant, or None."""
    refusal = in_force(person, now_ns)
    if refusal is not None:
        return refusal
    if right not in _MATRIX[person.role]:
        return _no(
            "role",
            ErrorKind.FORBIDDEN,
            "Votre rôle ne permet pas cette opération.",
            "Adressez-vous au responsable du centre si elle entre dans vos fonctions.",
        )
    return None


def reaches(person: Person, camera: CameraView, now_ns: int) -> bool:
    """Whether a camera exists for this person (LAW-16, LAW-18)."""
    return reaches_commune(person, camera.commune, now_ns)


def reaches_commune(person: Person, commune: str, now_ns: int) -> bool:
    """Whether what concerns a commune, a camera that has left it included, exists for this person."""
    if not person.competent_for(commune):
        return False
    if person.role not in ROLES_WITH_AGREMENT:
        return True
    agrement = person.agrement
    return agrement is not None and agrement.in_force(now_ns) and agrement.covers(commune)


def decide(person: Person, camera: CameraView | None, wish: Wish, now_ns: int) -> Grant | Refusal:
    """Grant the wish, or say why not. `camera` is None when no camera has that identifier."""
    refusal = may(person, _RIGHT_OF_ACT[wish.act], now_ns) or without_agrement(person, now_ns)
    if refusal is not None:
        return refusal
    if camera is None or not reaches(person, camera, now_ns):
        return no_such_camera()
    if camera.state not in _STATES_OF_ACT[wish.act]:
        return _no(
            "not_in_service",
            ErrorKind.CONFLICT,
            f"La caméra « {camera.name} » n'est pas en service.",
            "Consultez son autorisation et sa mise en service.",
        )
    refusal = _purpose(wish, now_ns) or _range(wish, now_ns)
    return refusal or Grant(person, camera, wish, now_ns, _MAKER)


def no_such_camera() -> Refusal:
    """The one answer for a camera that does not exist, or not for this person."""
    return Refusal(
        "out_of_scope",
        VmsError(
            ErrorKind.NOT_FOUND,
            "camera.unknown",
            "Cette caméra n'existe pas dans votre périmètre.",
            hint="Choisissez une caméra de la liste.",
        ),
    )


def without_agrement(person: Person, now_ns: int) -> Refusal | None:
    """Why an agent without the prefect's agrément is refused, or None (LAW-16)."""
    if person.role in ROLES_WITH_AGREMENT and (person.agrement is None or not person.agrement.in_force(now_ns)):
        return _no(
            "agrement",
            ErrorKind.FORBIDDEN,
            "Votre agrément préfectoral n'est pas en cours de validité.",
            "Aucune image ne peut vous être montrée avant son renouvellement.",
        )
    return None


def _purpose(wish: Wish, now_ns: int) -> Refusal | None:
    if wish.purpose in {purpose.code for purpose in purposes_at(now_ns)}:
        return None
    return _no(
        "purpose",
        ErrorKind.INVALID_INPUT,
        "Le motif de consultation manque ou n'est pas l'une des finalités prévues par la loi.",
        "Choisissez un motif dans la liste.",
    )


def _range(wish: Wish, now_ns: int) -> Refusal | None:
    if wish.act is MediaAct.LIVE:
        return None
    if not 0 < wish.start_ns < wish.end_ns or wish.end_ns > now_ns + _FUTURE_TOLERANCE_NS:
        return _no(
            "range",
            ErrorKind.INVALID_INPUT,
            "La période demandée n'est pas valable.",
            "Indiquez un début et une fin, dans le passé.",
        )
    if wish.end_ns - wish.start_ns > MAX_PLAYBACK_NS:
        return _no(
            "range",
            ErrorKind.INVALID_INPUT,
            "La période demandée dépasse vingt-quatre heures.",
            "Demandez une période plus courte.",
        )
    return None


def _no(cause: str, kind: ErrorKind, message: str, hint: str) -> Refusal:
    return Refusal(cause, VmsError(kind, f"access.{cause}", message, hint=hint))
