"""A person, what habilitates them, and where: values without I/O.

An account is a named person, never a function or a post (LAW-15, LAW-24). Who watches images for a syndicat needs the
prefect's agrément besides (LAW-16); an elected delegate acts on a delegation with dates (LAW-19). A territory is the
INSEE code of a commune (`27229`) or the code of a department (`27`), which stands for all its communes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from vms.base.errors import ErrorKind, VmsError

_COMMUNE = re.compile(r"(?:[0-9]{2}|2[AB])[0-9]{3}")
_DEPARTMENT = re.compile(r"0[1-9]|[1-8][0-9]|9[0-5]|2[AB]|97[1-8]|98[6-8]")
_LOGIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
MAX_NAME_CHARS = 120
MAX_REFERENCE_CHARS = 120


class Role(StrEnum):
    """What a person is at the centre; the rights that follow stand in `access.policy`."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    GENDARME = "gendarme"
    INSTALLER = "installer"
    MAYOR = "mayor"
    DELEGATE = "delegate"
    DPO = "dpo"
    INSPECTOR = "inspector"
    ADMINISTRATOR = "administrator"


ROLE_LABELS: dict[Role, str] = {
    Role.OPERATOR: "Opérateur de vidéoprotection",
    Role.SUPERVISOR: "Superviseur du centre",
    Role.GENDARME: "Gendarmerie nationale",
    Role.INSTALLER: "Installateur",
    Role.MAYOR: "Maire",
    Role.DELEGATE: "Élu délégataire",
    Role.DPO: "Délégué à la protection des données",
    Role.INSPECTOR: "Contrôle (commission départementale ou CNIL)",
    Role.ADMINISTRATOR: "Administrateur de la plateforme",
}

ROLES_WITH_AGREMENT = frozenset({Role.OPERATOR, Role.SUPERVISOR})
CONTROL_ROOM = frozenset({Role.OPERATOR, Role.SUPERVISOR})
ELECTED = frozenset({Role.MAYOR, Role.DELEGATE})


@dataclass(frozen=True, slots=True)
class Habilitation:
    """The written decision that habilitates a person; UTC nanoseconds, the end excluded (LAW-15)."""

    reference: str
    starts_at_ns: int
    ends_at_ns: int

    def in_force(self, now_ns: int) -> bool:
        """Whether it habilitates at this instant."""
        return self.starts_at_ns <= now_ns < self.ends_at_ns


@dataclass(frozen=True, slots=True)
class Agrement:
    """The prefect's agrément of an agent (L. 132-14-1 CSI, LAW-16).

    `departments` are the codes where it holds; past `reinquiry_at_ns`, five years after its date unless the prefect
    says otherwise, it holds no more.
    """

    number: str
    prefect: str
    departments: frozenset[str]
    issued_at_ns: int
    reinquiry_at_ns: int

    def in_force(self, now_ns: int) -> bool:
        """Whether it holds at this instant, somewhere."""
        return self.issued_at_ns <= now_ns < self.reinquiry_at_ns

    def covers(self, commune: str) -> bool:
        """Whether it holds in the department of this commune."""
        return department_of(commune) in self.departments


@dataclass(frozen=True, slots=True)
class Delegation:
    """The mayor's delegation to an elected member of the council (LAW-19)."""

    reference: str
    starts_at_ns: int
    ends_at_ns: int

    def in_force(self, now_ns: int) -> bool:
        """Whether it holds at this instant."""
        return self.starts_at_ns <= now_ns < self.ends_at_ns


@dataclass(frozen=True, slots=True)
class Person:
    """A named person with an account. `territories` bound every read that this person makes (LAW-18)."""

    person_id: str
    login: str
    name: str
    role: Role
    territories: frozenset[str]
    habilitation: Habilitation
    agrement: Agrement | None = None
    delegation: Delegation | None = None
    suspended_at_ns: int | None = None

    def competent_for(self, commune: str) -> bool:
        """Whether a commune lies in the territories of this person."""
        return commune in self.territories or department_of(commune) in self.territories

    @property
    def communes(self) -> frozenset[str]:
        """The communes that are named one by one."""
        return frozenset(code for code in self.territories if is_commune(code))


def is_commune(code: str) -> bool:
    """Whether a text is the INSEE code of a commune."""
    return bool(_COMMUNE.fullmatch(code))


def is_department(code: str) -> bool:
    """Whether a text is the code of a department."""
    return bool(_DEPARTMENT.fullmatch(code))


def department_of(commune: str) -> str:
    """The department of a commune, by its INSEE code."""
    return commune[:3] if commune.startswith(("97", "98")) else commune[:2]


def normal_login(text: str) -> str:
    """The one spelling of a login, so that no two accounts differ by case only."""
    return text.strip().lower()


def check_person(person: Person) -> None:
    """Refuse a person who may not exist: VmsError of kind invalid_input, code `person.…`."""
    if not _LOGIN.fullmatch(person.login):
        raise _invalid(
            "person.login",
            f"L'identifiant « {person.login[:64]} » n'est pas valide.",
            "Utilisez des lettres sans accent, des chiffres, des points ou des tirets (64 caractères au plus).",
        )
    if not 3 <= len(person.name.strip()) <= MAX_NAME_CHARS:
        raise _invalid("person.name", "Le nom de la personne manque.", "Indiquez son prénom et son nom.")
    _check_territories(person)
    _check_titles(person)


def _check_territories(person: Person) -> None:
    strange = sorted(code for code in person.territories if not (is_commune(code) or is_department(code)))
    if strange:
        raise _invalid(
            "person.territory",
            f"Le territoire « {strange[0][:10]} » n'existe pas.",
            "Indiquez le code INSEE d'une commune (27229) ou le code d'un département (27).",
        )
    if not person.territories:
        raise _invalid(
            "person.no_territory",
            "Aucun territoire n'est indiqué.",
            "Indiquez au moins une commune ou un département.",
        )
    if person.role in ELECTED and person.communes != person.territories:
        raise _invalid(
            "person.territory",
            "Un élu est compétent pour sa commune, non pour un département.",
            "Indiquez le code INSEE de sa commune.",
        )


def _check_titles(person: Person) -> None:
    habilitation, agrement, delegation = person.habilitation, person.agrement, person.delegation
    if not habilitation.reference.strip() or habilitation.ends_at_ns <= habilitation.starts_at_ns:
        raise _invalid(
            "person.habilitation",
            "L'habilitation n'a pas de référence, ou se termine avant de commencer.",
            "Indiquez la décision d'habilitation et ses dates.",
        )
    if person.role in ROLES_WITH_AGREMENT and agrement is None:
        raise _invalid(
            "person.agrement",
            "Ce rôle exige un agrément du préfet.",
            "Indiquez le numéro d'agrément, le préfet, les départements et la date.",
        )
    if agrement is not None and not (
        agrement.number.strip() and agrement.departments and all(map(is_department, agrement.departments))
    ):
        raise _invalid(
            "person.agrement",
            "L'agrément est incomplet.",
            "Indiquez son numéro et les départements où il est valable.",
        )
    if person.role is Role.DELEGATE and (delegation is None or not delegation.reference.strip()):
        raise _invalid(
            "person.delegation",
            "Un élu délégataire ne peut être enregistré sans délégation du maire.",
            "Indiquez la référence de l'arrêté de délégation et ses dates.",
        )


def _invalid(code: str, message: str, hint: str) -> VmsError:
    return VmsError(ErrorKind.INVALID_INPUT, code, message, hint=hint)
