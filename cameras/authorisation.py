"""The prefect's decisions as data (LAW-01 to LAW-04, LAW-07, LAW-33): values and pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vms.base.clock import NS_PER_SECOND

MAX_RETENTION_DAYS = 30
_DAY_NS = 86_400 * NS_PER_SECOND
MAX_ORDINARY_DAYS = 5 * 366
MAX_PROVISIONAL_DAYS = 124
RENEWAL_ALARM_MONTHS = (12, 9, 6, 3)


class AuthorisationKind(StrEnum):
    """An ordinary decision (five years), or a provisional one (four months, L. 252-6 and L. 252-7)."""

    ORDINARY = "ordinary"
    PROVISIONAL = "provisional"


class Obstacle(StrEnum):
    """Why a camera may not be recorded, or not be in service."""

    NO_AUTHORISATION = "no_authorisation"
    NOT_YET = "authorisation_not_yet_in_force"
    EXPIRED = "authorisation_expired"
    CNIL_COMMITMENT = "cnil_commitment_missing"
    PREFECT_INFORMED = "prefect_information_missing"


@dataclass(frozen=True, slots=True)
class Authorisation:
    """One arrêté. Instants are UTC nanoseconds, the end excluded; the dates of entry into service are 0 while missing.

    `minimum_days` is the least retention that it may set (LAW-08), 0 where it sets none. Raises ValueError on a
    retention over the legal month (LAW-07), a minimum over it, or a duration over the legal one (LAW-02, LAW-03).
    """

    authorisation_id: str
    reference: str
    prefect: str
    kind: AuthorisationKind
    commune: str
    purposes: tuple[str, ...]
    retention_days: int
    starts_at_ns: int
    ends_at_ns: int
    cnil_commitment_at_ns: int = 0
    prefect_informed_at_ns: int = 0
    minimum_days: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.retention_days <= MAX_RETENTION_DAYS:
            raise ValueError(f"la durée de conservation est de 1 à {MAX_RETENTION_DAYS} jours")
        if not 0 <= self.minimum_days <= self.retention_days:
            raise ValueError(f"la durée minimale de conservation est de 0 à {self.retention_days} jours")
        if self.ends_at_ns <= self.starts_at_ns:
            raise ValueError("une autorisation finit après son début")
        longest = MAX_PROVISIONAL_DAYS if self.kind is AuthorisationKind.PROVISIONAL else MAX_ORDINARY_DAYS
        if self.ends_at_ns - self.starts_at_ns > longest * _DAY_NS:
            raise ValueError(f"une autorisation de ce type dure au plus {longest} jours")

    def obstacle(self, utc_ns: int) -> Obstacle | None:
        """What stands against recording at this instant, or None (LAW-01, LAW-33)."""
        if utc_ns < self.starts_at_ns:
            return Obstacle.NOT_YET
        if utc_ns >= self.ends_at_ns:
            return Obstacle.EXPIRED
        if not self.cnil_commitment_at_ns:
            return Obstacle.CNIL_COMMITMENT
        if not self.prefect_informed_at_ns:
            return Obstacle.PREFECT_INFORMED
        return None

    def renewal_alarm_months(self, utc_ns: int) -> int | None:
        """The tightest alarm reached before the end: 12, 9, 6 or 3 months, or None (LAW-02)."""
        left_days = (self.ends_at_ns - utc_ns) / _DAY_NS
        reached = [months for months in RENEWAL_ALARM_MONTHS if left_days <= months * 30.5]
        return min(reached) if reached else None
