"""Holds as JSON, with what a person must be warned of in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from access_audit.events import EventKind
from cameras.contract import CameraView
from recorder.contract.hold import HeldRange
from supervision_centre.holds import upkeep
from supervision_centre.holds.bases import basis_label
from supervision_centre.holds.policy import STANDING, HoldState, may_confirm, may_hold
from supervision_centre.holds.tables import HoldRow, HoldStepRow
from supervision_centre.journal.labels import kind_label, role_label
from supervision_centre.people.person import Person
from vms.base.clock import utc_text

STATES: dict[HoldState, str] = {
    HoldState.REQUESTED: "Demandée, non confirmée",
    HoldState.PLACED: "En place",
    HoldState.RELEASE_ASKED: "Levée demandée",
    HoldState.RELEASED: "Levée",
    HoldState.EXPIRED: "Arrivée à son terme",
}
_CAUSES = {
    "node.unavailable": "l'enregistreur ne répond pas",
    "node.timeout": "l'enregistreur ne répond pas à temps",
    "recorder.unavailable": "l'enregistreur ne répond pas",
    "hold.disk_away": "un disque de l'enregistreur ne répond pas",
    "hold.differs": "l'enregistreur en a une autre version",
    "camera.unknown": "l'enregistreur ne connaît pas cette caméra",
    upkeep.LOST: "l'enregistreur l'avait perdue",
    upkeep.DIFFERENT: "l'enregistreur en avait une autre version",
}


def hold_json(row: HoldRow, person: Person, communes: Mapping[str, str], now_ns: int) -> dict[str, Any]:
    """One hold as this person sees it."""
    state = HoldState(row.state)
    return {
        "id": row.hold_id,
        "camera": row.camera_id,
        "camera_name": row.camera_name,
        "commune": row.commune,
        "commune_name": communes.get(row.commune, row.commune),
        "camera_authority": row.camera_authority,
        "from": utc_text(row.start_ns),
        "to": utc_text(row.end_ns),
        "expires_at": utc_text(row.expires_at_ns),
        "reference": row.reference,
        "authority": row.authority,
        "basis": row.legal_basis,
        "basis_label": basis_label(row.legal_basis),
        "article": row.legal_article,
        "reason": row.reason,
        "state": state.value,
        "state_label": STATES[state],
        "standing": state in STANDING,
        "node_told": row.node_told,
        "warning": warning_of(row, now_ns),
        "held": _held_json(row),
        "placed_by": row.placed_by_name,
        "placed_at": utc_text(row.placed_at_ns),
        "asked_by": row.asked_by_name,
        "asked_at": utc_text(row.asked_at_ns) if row.asked_at_ns is not None else None,
        "ask_reason": row.ask_reason,
        "confirmed_by": row.confirmed_by_name,
        "ended_at": utc_text(row.ended_at_ns) if row.ended_at_ns is not None else None,
        "may_hold": may_hold(person, now_ns) is None,
        "may_confirm": may_hold(person, now_ns) is None and may_confirm(person, row, now_ns) is None,
        "receipt": {"index": row.receipt_index, "leaf": row.receipt_leaf},
    }


def warning_of(row: HoldRow, now_ns: int) -> str:
    """What is not as it should be, in one French sentence; empty when all is well."""
    if row.state == HoldState.RELEASED and not row.node_told:
        return "Levée décidée, mais l'enregistreur ne l'a pas encore apprise : elle lui est redite automatiquement."
    if row.state not in STANDING:
        return ""
    if not row.node_told:
        cause = _CAUSES.get(row.node_code, "l'enregistreur l'a refusée") if row.node_code else "réponse attendue"
        return f"Non confirmée par l'enregistreur ({cause}) : nouvelle tentative automatique."
    if row.held_bytes == 0 and row.start_ns >= now_ns:
        return "Images à venir : elles seront conservées à mesure de leur enregistrement."
    if row.held_bytes == 0:
        return "Rien n'est enregistré sur cette période : aucune image n'est conservée."
    return ""


def steps_json(steps: Sequence[HoldStepRow]) -> list[dict[str, Any]]:
    """The life of a hold, oldest first."""
    return [
        {
            "at": utc_text(step.at_ns),
            "kind": step.kind,
            "label": kind_label(EventKind(step.kind)),
            "person": step.person_name,
            "role_label": role_label(step.person_role),
            "note": _note(step),
        }
        for step in steps
    ]


def stranger_json(held: HeldRange, cameras: Mapping[str, CameraView]) -> dict[str, Any]:
    """A hold that a node has and the centre does not know."""
    hold = held.hold
    view = cameras.get(hold.camera_id)
    return {
        "id": hold.hold_id,
        "camera": hold.camera_id,
        "camera_name": view.name if view else hold.camera_id,
        "from": utc_text(hold.start_ns),
        "to": utc_text(hold.end_ns),
        "expires_at": utc_text(hold.expires_at_ns),
        "reference": hold.reference,
    }


def communes_of(cameras: Iterable[CameraView]) -> dict[str, str]:
    """The names of communes by their code."""
    return {camera.commune: camera.commune_name for camera in cameras}


def _held_json(row: HoldRow) -> dict[str, Any] | None:
    if row.held_bytes is None:
        return None
    there = bool(row.held_start_ns and row.held_end_ns)
    return {
        "bytes": row.held_bytes,
        "from": utc_text(row.held_start_ns or 0) if there else None,
        "to": utc_text(row.held_end_ns or 0) if there else None,
        "seen_at": utc_text(row.node_seen_at_ns) if row.node_seen_at_ns is not None else None,
    }


def _note(step: HoldStepRow) -> str:
    if step.kind == EventKind.HOLD_CONFIRMED:
        return f"{int(step.note) / 1e6:.1f} Mo".replace(".", ",") if step.note.isdecimal() else ""
    if step.kind in {EventKind.HOLD_FAILED, EventKind.HOLD_LOST}:
        return _CAUSES.get(step.note, step.note)
    return step.note
