"""Who may hold images, and let go of them: one pure module, values and a time in (LAW-10, LAW-18, LAW-21).

- A hold rests on a requisition: its reference, who signed it, the article, and an end within a year. Without one of
  them images are kept no longer than their retention.
- It is placed by a person of the centre whose role has the right, for a camera of their territories; the investigator
  who asks for it has no such function here (LAW-24).
- It is let go of before its end by two persons who both have the right: whoever asked does not confirm.
- `HoldGrant` has one maker: `decide_hold`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from cameras.contract import CameraView
from recorder.contract.hold import MAX_HOLD_NS
from supervision_centre.access.policy import (
    Refusal,
    Right,
    may,
    no_such_camera,
    reaches,
    reaches_commune,
    without_agrement,
)
from supervision_centre.holds.bases import LegalBasis, bases_at
from supervision_centre.holds.tables import HoldRow
from supervision_centre.people.person import Person
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError

MAX_RANGE_NS = 31 * 86_400 * NS_PER_SECOND
"""One hold covers at most what any authorisation keeps: a longer period is several decisions."""
_MAKER = object()


class HoldState(StrEnum):
    """Where a hold stands. `requested` waits for the node, `release_asked` for the second person."""

    REQUESTED = "requested"
    PLACED = "placed"
    RELEASE_ASKED = "release_asked"
    RELEASED = "released"
    EXPIRED = "expired"


STANDING = frozenset({HoldState.REQUESTED, HoldState.PLACED, HoldState.RELEASE_ASKED})


@dataclass(frozen=True, slots=True)
class HoldWish:
    """What a person asks to keep, and on what requisition. UTC nanoseconds, the end of the images excluded."""

    camera_id: str
    start_ns: int
    end_ns: int
    expires_at_ns: int
    reference: str
    authority: str
    basis: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HoldGrant:
    """The centre's decision that these images are to be held. Made by `decide_hold` only: TypeError otherwise."""

    person: Person
    camera: CameraView
    wish: HoldWish
    basis: LegalBasis
    at_ns: int
    maker: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.maker is not _MAKER:
            raise TypeError("a hold is granted by holds.policy.decide_hold only")


def decide_hold(person: Person, camera: CameraView | None, wish: HoldWish, now_ns: int) -> HoldGrant | Refusal:
    """Grant the hold, or say why not. `camera` is None when no camera has that identifier.

    The state of the camera does not matter: what it recorded is there after it was suspended or taken down.
    """
    refusal = may_hold(person, now_ns)
    if refusal is not None:
        return refusal
    if camera is None or not reaches(person, camera, now_ns):
        return no_such_camera()
    refusal = _requisition(wish) or _times(wish, now_ns)
    if refusal is not None:
        return refusal
    for basis in bases_at(now_ns):
        if basis.code == wish.basis:
            return HoldGrant(person, camera, wish, basis, now_ns, _MAKER)
    return _no(
        "basis",
        ErrorKind.INVALID_INPUT,
        "Le fondement de la réquisition manque ou n'est pas l'un de ceux que prévoit la loi.",
        "Choisissez le cadre de l'enquête dans la liste.",
    )


def may_hold(person: Person, now_ns: int) -> Refusal | None:
    """Why a person may neither place a hold nor let go of one, or None."""
    return may(person, Right.HOLD, now_ns) or without_agrement(person, now_ns)


def may_see(person: Person, row: HoldRow | None, now_ns: int) -> Refusal | None:
    """Why a hold does not exist for this person, or None."""
    if row is not None and reaches_commune(person, row.commune, now_ns):
        return None
    return _no(
        "out_of_scope",
        ErrorKind.NOT_FOUND,
        "Cette conservation n'existe pas dans votre périmètre.",
        "Choisissez une conservation de la liste.",
        code="hold.unknown",
    )


def may_ask_release(row: HoldRow, reason: str, now_ns: int) -> Refusal | None:
    """Why the release of a hold may not be asked for, or None."""
    refusal = _over(row, now_ns)
    if refusal is None and not reason.strip():
        return _no(
            "reason",
            ErrorKind.INVALID_INPUT,
            "Le motif de la levée manque.",
            "Indiquez pourquoi ces images n'ont plus à être conservées, sans les faits de l'affaire.",
        )
    if refusal is None and row.state == HoldState.RELEASE_ASKED:
        return _no(
            "already_asked",
            ErrorKind.CONFLICT,
            f"La levée est déjà demandée par {row.asked_by_name}.",
            "Une autre personne habilitée peut la confirmer.",
        )
    return refusal


def may_withdraw(row: HoldRow, now_ns: int) -> Refusal | None:
    """Why a release that was asked for may not be taken back, or None."""
    return _over(row, now_ns) or _not_asked(row)


def may_confirm(person: Person, row: HoldRow, now_ns: int) -> Refusal | None:
    """Why this person may not confirm a release, or None: it takes somebody else than who asked (LAW-10)."""
    refusal = _over(row, now_ns) or _not_asked(row)
    if refusal is None and person.person_id == row.asked_by:
        return _no(
            "same_person",
            ErrorKind.CONFLICT,
            "La levée doit être confirmée par une autre personne que celle qui l'a demandée.",
            "Demandez à un autre superviseur habilité de la confirmer.",
        )
    return refusal


def _not_asked(row: HoldRow) -> Refusal | None:
    if row.state == HoldState.RELEASE_ASKED:
        return None
    return _no(
        "not_asked",
        ErrorKind.CONFLICT,
        "La levée de cette conservation n'est pas demandée.",
        "Rechargez la liste : elle a peut-être changé.",
    )


def _over(row: HoldRow, now_ns: int) -> Refusal | None:
    if row.state in STANDING and now_ns < row.expires_at_ns:
        return None
    return _no(
        "over",
        ErrorKind.CONFLICT,
        "Cette conservation a déjà pris fin.",
        "Rechargez la liste.",
    )


def _requisition(wish: HoldWish) -> Refusal | None:
    if not wish.reference.strip():
        return _no(
            "reference",
            ErrorKind.INVALID_INPUT,
            "La référence de la réquisition manque : sans elle, aucune image n'est conservée au-delà de sa durée.",
            "Indiquez le numéro de procédure ou de réquisition.",
        )
    if not wish.authority.strip():
        return _no(
            "authority",
            ErrorKind.INVALID_INPUT,
            "L'autorité qui signe la réquisition manque.",
            "Indiquez sa qualité, son nom et son service.",
        )
    return None


def _times(wish: HoldWish, now_ns: int) -> Refusal | None:
    if not 0 < wish.start_ns < wish.end_ns:
        return _no(
            "range",
            ErrorKind.INVALID_INPUT,
            "La période à conserver n'est pas valable.",
            "Indiquez un début, puis une fin.",
        )
    if wish.end_ns - wish.start_ns > MAX_RANGE_NS:
        return _no(
            "range",
            ErrorKind.INVALID_INPUT,
            "La période à conserver dépasse trente et un jours.",
            "Limitez-la à ce que la réquisition demande.",
        )
    if wish.expires_at_ns <= max(now_ns, wish.end_ns):
        return _no(
            "expiry",
            ErrorKind.INVALID_INPUT,
            "Le terme de la conservation doit être à venir, et suivre la fin des images.",
            "Indiquez jusqu'à quand la réquisition demande de les conserver.",
        )
    if wish.expires_at_ns > now_ns + MAX_HOLD_NS:
        return _no(
            "expiry",
            ErrorKind.INVALID_INPUT,
            "Une conservation dure au plus un an.",
            "Choisissez un terme plus proche ; une nouvelle décision pourra la prolonger.",
        )
    return None


def _no(cause: str, kind: ErrorKind, message: str, hint: str, code: str = "") -> Refusal:
    return Refusal(cause, VmsError(kind, code or f"hold.{cause}", message, hint=hint))
