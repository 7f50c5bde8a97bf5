"""Why images may be looked at: the purposes of L. 251-2 CSI as dated data (LAW-04, LAW-27, LAW-52).

Every look chooses one. A version of the list is never changed once looks were made under it: a new version of the
article is a new list with its own dates, and old entries keep the code that they were made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from vms.base.clock import NS_PER_SECOND

MAX_NOTE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose: stable code, its number in the article, and the label that people read."""

    code: str
    number: int
    label: str


@dataclass(frozen=True, slots=True)
class PurposeList:
    """The purposes of one version of the article; UTC nanoseconds, `until_ns` None while it is in force."""

    article: str
    from_ns: int
    until_ns: int | None
    purposes: tuple[Purpose, ...]


def _day(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * NS_PER_SECOND


_ELEVEN = (
    Purpose("public_buildings", 1, "Protection des bâtiments et installations publics et de leurs abords"),
    Purpose("national_defence", 2, "Sauvegarde des installations utiles à la défense nationale"),
    Purpose("traffic_flow", 3, "Régulation des flux de transport"),
    Purpose("road_offences", 4, "Constatation des infractions aux règles de la circulation"),
    Purpose("security_of_persons_and_property", 5, "Prévention des atteintes à la sécurité des personnes et des biens"),
    Purpose("terrorism", 6, "Prévention d'actes de terrorisme"),
    Purpose("natural_technological_risks", 7, "Prévention des risques naturels ou technologiques"),
    Purpose("rescue_fire", 8, "Secours aux personnes et défense contre l'incendie"),
    Purpose("amusement_parks", 9, "Sécurité des installations accueillant du public dans les parcs d'attraction"),
    Purpose("vehicle_insurance", 10, "Respect de l'obligation d'assurance des véhicules terrestres à moteur"),
    Purpose("illegal_dumping", 11, "Prévention et constatation des infractions relatives à l'abandon de déchets"),
)

VERSIONS: tuple[PurposeList, ...] = (
    PurposeList("L. 251-2 CSI", _day(2020, 2, 12), _day(2023, 5, 21), _ELEVEN),
    PurposeList("L. 251-2 CSI", _day(2023, 5, 21), None, _ELEVEN),
)

CONTROL = "control"
ACCOUNT = "account"
SESSION = "session"
REQUISITION = "requisition"
_OTHER_LABELS = {
    CONTROL: "Contrôle du journal des accès",
    ACCOUNT: "Gestion des comptes et habilitations",
    SESSION: "Ouverture ou fermeture de session",
    REQUISITION: "Réquisition judiciaire",
    "none": "Aucun motif indiqué",
    "recording": "Enregistrement autorisé par arrêté",
    "retention": "Terme de la durée de conservation",
    "commissioning": "Mise en service d'une caméra",
    "operation": "Fonctionnement du système",
}


def purposes_at(now_ns: int) -> tuple[Purpose, ...]:
    """The purposes in force at an instant."""
    for version in VERSIONS:
        if version.from_ns <= now_ns and (version.until_ns is None or now_ns < version.until_ns):
            return version.purposes
    return ()


def reason_label(code: str) -> str:
    """The French label of a reason in the journal, of any version; the code itself when it is foreign."""
    for version in reversed(VERSIONS):
        for purpose in version.purposes:
            if purpose.code == code:
                return purpose.label
    return _OTHER_LABELS.get(code, code)
