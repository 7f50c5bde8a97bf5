"""The state of a stream, as a tile says it in French."""

from __future__ import annotations

from recorder.contract.status import StreamCondition, StreamStatus

NODE_AWAY = "node_unavailable"

CAUSES: dict[str, str] = {
    "unreachable": "La caméra est injoignable.",
    "refused": "La caméra refuse la connexion.",
    "bad_password": "La caméra refuse le mot de passe.",
    "timeout": "La caméra ne répond pas à temps.",
    "silent": "La caméra n'envoie plus d'images.",
    "closed_by_camera": "La caméra a fermé la connexion.",
    "protocol": "La caméra ne respecte pas le protocole.",
    "unsupported_codec": "Le codage vidéo de la caméra n'est pas pris en charge.",
    "unplayable_codec": "Codec non lisible dans le navigateur : la caméra reste enregistrée.",
    "reader_unavailable": "Le lecteur des caméras UDP et des anciens codecs ne répond pas.",
    "tls_pin_mismatch": "Le certificat de la caméra a changé : à vérifier sur place.",
    "tls_no_pin": "Aucune empreinte n'est enregistrée pour la liaison chiffrée de la caméra.",
    "redirected": "La caméra renvoie vers une autre adresse : à vérifier sur place.",
    "flood": "La caméra envoie bien plus qu'une vidéo : liaison coupée.",
    "not_authorised": "Aucune autorisation préfectorale n'est en vigueur.",
    "disk_full": "Le disque de l'enregistreur est plein.",
    NODE_AWAY: "L'enregistreur ne répond pas.",
}
_CONDITIONS = {
    StreamCondition.CONNECTING: "Connexion en cours…",
    StreamCondition.LIVE: "En direct",
    StreamCondition.NO_SIGNAL: "Pas de signal.",
    StreamCondition.STOPPED: "À l'arrêt.",
}


def status_message(status: StreamStatus) -> str:
    """One French sentence for a state."""
    if status.condition is StreamCondition.LIVE:
        return _CONDITIONS[status.condition]
    return CAUSES.get(status.cause, _CONDITIONS[status.condition])
