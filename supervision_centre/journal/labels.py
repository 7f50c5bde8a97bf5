"""The journal in French: kinds of entry and the operations of R. 253-5 CSI."""

from __future__ import annotations

from access_audit.events import EventKind, LegalOperation
from supervision_centre.people.person import ROLE_LABELS, Role

OPERATIONS: dict[LegalOperation, str] = {
    LegalOperation.COLLECTION: "Collecte",
    LegalOperation.MODIFICATION: "Modification",
    LegalOperation.CONSULTATION: "Consultation",
    LegalOperation.COMMUNICATION: "Communication",
    LegalOperation.ERASURE: "Effacement",
    LegalOperation.TECHNICAL: "Technique",
}

KINDS: dict[EventKind, str] = {
    EventKind.LIVE_OPENED: "Consultation en direct ouverte",
    EventKind.LIVE_CLOSED: "Consultation en direct fermée",
    EventKind.LIVE_REFUSED: "Consultation en direct refusée",
    EventKind.PLAYBACK_OPENED: "Relecture ouverte",
    EventKind.PLAYBACK_CLOSED: "Relecture fermée",
    EventKind.PLAYBACK_REFUSED: "Relecture refusée",
    EventKind.VIEWING_UNEXPLAINED: "ALARME : images transmises sans consultation inscrite",
    EventKind.SESSION_OPENED: "Connexion",
    EventKind.SESSION_REFUSED: "Connexion ou opération refusée",
    EventKind.SESSION_CLOSED: "Déconnexion",
    EventKind.JOURNAL_CONSULTED: "Journal consulté",
    EventKind.REPORT_ISSUED: "Rapport mensuel établi",
    EventKind.ACCOUNT_CREATED: "Compte créé",
    EventKind.ACCOUNT_SUSPENDED: "Compte suspendu",
    EventKind.ACCOUNT_RESTORED: "Compte rétabli",
    EventKind.CAMERA_ONBOARDED: "Caméra mise en service",
    EventKind.CAMERA_CHANGED: "Caméra modifiée",
    EventKind.RECORDING_STARTED: "Enregistrement démarré",
    EventKind.RECORDING_STOPPED: "Enregistrement arrêté",
    EventKind.RECORDING_COLLECTED: "Images enregistrées",
    EventKind.RECORDING_ERASED: "Images effacées",
    EventKind.RECORDING_CLOCK_DOUBTED: "Horloge d'un enregistreur mise en doute ou rétablie",
    EventKind.RECORDING_CAPACITY_CHANGED: "Capacité d'un disque d'enregistrement",
    EventKind.HOLD_PLACED: "Conservation judiciaire demandée",
    EventKind.HOLD_CONFIRMED: "Conservation en place sur l'enregistreur",
    EventKind.HOLD_FAILED: "Conservation non confirmée par l'enregistreur",
    EventKind.HOLD_LOST: "Conservation disparue de l'enregistreur",
    EventKind.HOLD_REFUSED: "Conservation ou levée refusée",
    EventKind.HOLD_RELEASE_ASKED: "Levée de conservation demandée",
    EventKind.HOLD_RELEASE_WITHDRAWN: "Demande de levée retirée",
    EventKind.HOLD_RELEASED: "Conservation levée par deux personnes",
    EventKind.HOLD_EXPIRED: "Conservation arrivée à son terme",
    EventKind.LOG_STARTED: "Journal démarré",
    EventKind.LOG_CLOCK_STEPPED: "Horloge du journal corrigée",
    EventKind.LOG_EXPIRED: "Entrées arrivées à échéance effacées",
    EventKind.LOG_KEY_CHANGED: "Clé de signature du journal changée",
    EventKind.LOG_TAKEN_OVER: "Journal repris à un autre emplacement",
}


def kind_label(kind: EventKind) -> str:
    """The French label of a kind of entry."""
    return KINDS.get(kind, kind.value)


def role_label(role: str) -> str:
    """The French label of the role of an author."""
    try:
        return ROLE_LABELS[Role(role)]
    except ValueError:
        return "Système" if role == "system" else role
