"""On what an investigator may require images: articles of the code of criminal procedure as dated data (LAW-52).

A version is never changed once holds were placed under it: another wording of the code is another version with its own
dates, and a hold keeps the article that it was placed with. On 1 January 2029 the code is rewritten with decimal
numbers (ordonnance n° 2025-1091 of 19 November 2025). Until the table of concordance is entered here, an article of
the new code is named by the frame of the inquiry and by the number that it replaces: no number is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from vms.base.clock import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """One basis: its stable code, the frame of the inquiry as people read it, and the article."""

    code: str
    label: str
    article: str


@dataclass(frozen=True, slots=True)
class LegalBases:
    """The bases of one version of the code; UTC nanoseconds, `until_ns` None while no end is known."""

    code_version: str
    from_ns: int
    until_ns: int | None
    bases: tuple[LegalBasis, ...]


def _day(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * NS_PER_SECOND


_REWRITTEN_NS = _day(2029, 1, 1)

VERSIONS: tuple[LegalBases, ...] = (
    LegalBases(
        "Code de procédure pénale",
        _day(2020, 1, 1),
        _REWRITTEN_NS,
        (
            LegalBasis("flagrance", "Enquête de flagrance", "art. 60-1 CPP"),
            LegalBasis("preliminary", "Enquête préliminaire", "art. 77-1-1 CPP"),
            LegalBasis("rogatory", "Information judiciaire, sur commission rogatoire", "art. 99-3 CPP"),
            LegalBasis("rogatory_remote", "Information judiciaire, par voie électronique", "art. 99-4 CPP"),
        ),
    ),
    LegalBases(
        "Code de procédure pénale (ordonnance n° 2025-1091)",
        _REWRITTEN_NS,
        None,
        (
            LegalBasis("flagrance", "Enquête de flagrance", "nouveau CPP (ancien art. 60-1)"),
            LegalBasis("preliminary", "Enquête préliminaire", "nouveau CPP (ancien art. 77-1-1)"),
            LegalBasis(
                "rogatory", "Information judiciaire, sur commission rogatoire", "nouveau CPP (ancien art. 99-3)"
            ),
            LegalBasis(
                "rogatory_remote", "Information judiciaire, par voie électronique", "nouveau CPP (ancien art. 99-4)"
            ),
        ),
    ),
)


def bases_at(now_ns: int) -> tuple[LegalBasis, ...]:
    """The bases that may be chosen at an instant."""
    for version in VERSIONS:
        if version.from_ns <= now_ns and (version.until_ns is None or now_ns < version.until_ns):
            return version.bases
    return ()


def basis_label(code: str) -> str:
    """The French label of a basis of any version; the code itself when it is foreign."""
    for version in reversed(VERSIONS):
        for basis in version.bases:
            if basis.code == code:
                return basis.label
    return code
