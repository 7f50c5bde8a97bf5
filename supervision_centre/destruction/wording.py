"""The certificate in French: conclusions, states, causes, dates of Europe/Paris."""

from __future__ import annotations

from datetime import UTC, date, datetime

from supervision_centre.destruction.certificate import Conclusion, HourState, paris_time
from vms.base.clock import NS_PER_SECOND

CONCLUSIONS: dict[Conclusion, str] = {
    Conclusion.DESTROYED: "Toutes les images enregistrées ce jour-là sont détruites.",
    Conclusion.HELD: "Toutes les images de ce jour sont détruites, sauf celles qu'une conservation judiciaire retient.",
    Conclusion.REMAINING: "Des images de ce jour ne sont pas encore détruites.",
    Conclusion.CONTRADICTED: (
        "Le journal se contredit : ce qui a été effacé n'est pas ce qui avait été enregistré."
        " Une vérification s'impose."
    ),
    Conclusion.UNTOLD: (
        "L'enregistreur n'a plus d'image de ce jour, mais le journal ne porte pas encore toutes les inscriptions"
        " d'effacement."
    ),
    Conclusion.UNKNOWN: (
        "L'enregistreur n'a pas répondu : seul le journal est certifié, non ce qui resterait sur les disques."
    ),
    Conclusion.NOTHING: "Aucune image n'a été enregistrée ce jour-là, et l'enregistreur n'en a aucune.",
}
HOURS: dict[HourState, str] = {
    HourState.DESTROYED: "Détruite",
    HourState.HELD: "Détruite, sauf images conservées",
    HourState.PARTIAL: "Détruite en partie",
    HourState.STANDING: "Non détruite",
    HourState.CONTRADICTED: "Empreintes discordantes",
}
_CAUSES = {
    "retention": "fin de la durée de conservation",
    "disk_full": "disque plein, effacement anticipé",
    "trimmed": "fin de la durée de conservation, hors images conservées",
}
_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip


def cause_label(cause: str) -> str:
    """Why images were erased; an unknown cause is shown as its code rather than hidden."""
    return _CAUSES.get(cause, cause)


def day_text(day: date) -> str:
    """`mardi 24 novembre 2026`."""
    return f"{_WEEKDAYS[day.weekday()]} {day.day}{'er' if day.day == 1 else ''} {_MONTHS[day.month - 1]} {day.year}"


def local_text(utc_ns: int) -> str:
    """`24/11/2026 à 08:26:12`, in Europe/Paris."""
    return paris_time(utc_ns).strftime("%d/%m/%Y à %H:%M:%S")


def hour_text(utc_ns: int) -> str:
    """`08:26`, in Europe/Paris; the offset from UTC tells the doubled hour of October apart."""
    local = paris_time(utc_ns)
    return f"{local:%H:%M} (UTC{local:%z})".replace("00)", ")")


def utc_clock(utc_ns: int) -> str:
    """`2026-11-24 07:26:12 UTC`."""
    return datetime.fromtimestamp(utc_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def bytes_text(size: int) -> str:
    """`8,00 To`, `1,24 Go`, `48,0 Mo`."""
    if size >= 1e12:
        value, unit, digits = size / 1e12, "To", 2
    else:
        value, unit, digits = (size / 1e9, "Go", 2) if size >= 1e9 else (size / 1e6, "Mo", 1)
    return f"{value:.{digits}f}\u00a0{unit}".replace(".", ",")


def month_name(number: int) -> str:
    """`octobre`, for 10."""
    return _MONTHS[number - 1]


def duration_text(seconds: int) -> str:
    """`3 j 4 h`, `2 h 05 min`, `12 min 30 s`."""
    if seconds >= 86_400:
        return f"{seconds // 86_400} j {seconds % 86_400 // 3_600} h"
    if seconds >= 3_600:
        return f"{seconds // 3_600} h {seconds % 3_600 // 60:02d} min"
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"


def of_text(name: str) -> str:
    """`d'Évreux`, `de Vernon`, `des Andelys`, `du Neubourg`, `d'octobre`."""
    for article, contracted in (("Les ", "des "), ("Le ", "du ")):
        if name.startswith(article):
            return contracted + name.removeprefix(article)
    return f"d'{name}" if name[:1].lower() in "aeiouyàâéèêëîïôœùû" else f"de {name}"
