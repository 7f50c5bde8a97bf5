"""Why a second is missing, in French."""

from __future__ import annotations

from recorder.contract.timeline import Gap, GapCause

_CAUSES: dict[GapCause, str] = {
    GapCause.CAMERA: "Caméra en défaut",
    GapCause.LINK: "Liaison interrompue",
    GapCause.RECORDER: "Enregistreur arrêté",
    GapCause.DISK: "Disque plein ou en défaut",
    GapCause.MAINTENANCE: "Maintenance",
    GapCause.AUTHORISATION: "Hors autorisation préfectorale",
}
_DETAILS = {
    "unreachable": "caméra injoignable",
    "refused": "connexion refusée",
    "bad_password": "mot de passe refusé par la caméra",
    "timeout": "la caméra ne répond pas",
    "silent": "plus d'images",
    "closed_by_camera": "connexion fermée par la caméra",
    "protocol": "dialogue non conforme",
    "unsupported_codec": "codage vidéo non pris en charge",
    "reader_unavailable": "lecteur des caméras UDP et des anciens codecs arrêté",
    "tls_pin_mismatch": "certificat de la caméra changé",
    "tls_no_pin": "aucune empreinte enregistrée pour la liaison chiffrée",
    "redirected": "la caméra renvoie vers une autre adresse",
    "flood": "débit anormal, liaison coupée",
    "not_authorised": "aucune autorisation en vigueur",
    "disk_full": "espace disque insuffisant",
    "packets_lost": "paquets perdus",
    "damaged": "images endommagées",
    "pause": "pause dans les images",
    "killed": "arrêt brutal",
    "stopped": "arrêt demandé",
    "supervisor_lost": "superviseur arrêté brutalement",
    "unexplained": "cause inconnue",
    "index_rebuilt": "index reconstruit",
    "disk_error": "erreur du disque",
    "disk_hung": "disque qui ne répond plus",
    "disk_missing": "disque absent",
    "disk_retired": "disque retiré",
    "queue_full": "disque trop lent",
    "reassigned": "réglages de la caméra changés",
    "unassigned": "caméra retirée de l'enregistreur",
}


def gap_label(gap: Gap) -> str:
    """One line for a gap; an unknown detail is left out rather than shown as a code."""
    detail = _DETAILS.get(gap.detail)
    return f"{_CAUSES[gap.cause]} : {detail}" if detail else _CAUSES[gap.cause]
