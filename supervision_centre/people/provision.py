"""People made without the console: the persons of the demonstration, and the author who stands for a command line.

Demonstration accounts go through the same door as real ones: same checks, same entries in the journal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from access_audit.events import Author
from supervision_centre.people.accounts import Accounts, RecordEvent
from supervision_centre.people.passwords import Passwords
from supervision_centre.people.person import (
    ROLE_LABELS,
    ROLES_WITH_AGREMENT,
    Agrement,
    Habilitation,
    Person,
    Role,
)
from vms.base.clock import NS_PER_SECOND, Clock, SystemClock
from vms.base.database import Database

DEMONSTRATION_PASSWORD = "videoprotection-27"  # noqa: S105 — printed on the screen of every demonstration
_DAY_NS = 86_400 * NS_PER_SECOND
_YEAR_NS = 365 * _DAY_NS
_DEPARTMENT = "27"
_EVREUX = "27229"


@dataclass(frozen=True, slots=True)
class DemonstrationAccount:
    """One account of the demonstration."""

    login: str
    name: str
    role: Role
    territories: frozenset[str] = frozenset({_DEPARTMENT})

    @property
    def role_label(self) -> str:
        """The role as people read it."""
        return ROLE_LABELS[self.role]


DEMONSTRATION_ACCOUNTS: tuple[DemonstrationAccount, ...] = (
    DemonstrationAccount("operatrice", "Camille Lefèvre", Role.OPERATOR),
    DemonstrationAccount("superviseur", "Julien Marchand", Role.SUPERVISOR),
    DemonstrationAccount("adjointe", "Claire Fontaine", Role.SUPERVISOR),
    DemonstrationAccount("gendarme", "Adjudant Sophie Renault", Role.GENDARME),
    DemonstrationAccount("installateur", "Karim Benali", Role.INSTALLER),
    DemonstrationAccount("maire", "Hélène Duval", Role.MAYOR, frozenset({_EVREUX})),
    DemonstrationAccount("dpo", "Antoine Morel", Role.DPO),
    DemonstrationAccount("inspecteur", "Isabelle Roy", Role.INSPECTOR),
    DemonstrationAccount("administrateur", "Nadia Petit", Role.ADMINISTRATOR),
)


class HasDatabase(Protocol):
    """A place that knows its database, such as the data folder of a machine."""

    @property
    def database_url(self) -> str:
        """The address of the database."""


def system_author(name: str) -> Author:
    """The author of what is done at the command line, for the journal: the account of the operating system."""
    return Author("command-line", f"Ligne de commande ({name})"[:120], "system")


async def provision_demonstration(place: HasDatabase, record: RecordEvent) -> int:
    """Create the people of the demonstration who are missing, and return how many were; `record` is the journal's."""
    database = await asyncio.to_thread(Database, place.database_url)
    passwords = await asyncio.to_thread(Passwords)
    try:
        return await create_demonstration_people(database, passwords, SystemClock(), record)
    finally:
        passwords.close()
        await database.close()


async def create_demonstration_people(
    database: Database, passwords: Passwords, clock: Clock, record: RecordEvent
) -> int:
    """The same in an open database, at the time of a clock."""
    accounts = Accounts(database, clock, passwords, record)
    known = {person.login for person in await accounts.everybody()}
    missing = [account for account in DEMONSTRATION_ACCOUNTS if account.login not in known]
    for account in missing:
        person = _person(account, clock.utc_ns())
        await accounts.create(person, DEMONSTRATION_PASSWORD, system_author("démonstration"))
    return len(missing)


def _person(account: DemonstrationAccount, now_ns: int) -> Person:
    agrement = Agrement(
        number=f"DEMO-{account.login.upper()}",
        prefect="Préfet de l'Eure (décision fictive de démonstration)",
        departments=frozenset({_DEPARTMENT}),
        issued_at_ns=now_ns - 30 * _DAY_NS,
        reinquiry_at_ns=now_ns + 4 * _YEAR_NS,
    )
    return Person(
        person_id="",
        login=account.login,
        name=account.name,
        role=account.role,
        territories=account.territories,
        habilitation=Habilitation(
            f"Décision fictive DEMO-{account.login}", now_ns - 30 * _DAY_NS, now_ns + 2 * _YEAR_NS
        ),
        agrement=agrement if account.role in ROLES_WITH_AGREMENT else None,
    )
