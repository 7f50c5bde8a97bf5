"""`vms people`: named persons and their accounts, for whoever administers the machine.

A password is asked twice or read from standard input; it is never a word of the command line, which others can read.
Who gets an account or is restored waits for the journal. A suspension is owed to it in its own transaction, and the
running centre acts on it within a second (LAW-17).
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation, record_in_journal
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

if TYPE_CHECKING:
    from supervision_centre.people.accounts import Accounts
    from supervision_centre.people.person import Agrement, Delegation

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True)
out = Console()

StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Lit le mot de passe sur l'entrée standard, au lieu de le demander.")
]
LoginArgument = Annotated[str, typer.Argument(help="Identifiant de connexion.")]
Day = datetime
DAY_FORMATS = ["%Y-%m-%d"]
_YEARS_OF_AGREMENT = 5


@app.command()
def create(
    login: LoginArgument,
    name: Annotated[str, typer.Option(help="Prénom et nom de la personne.")],
    role: Annotated[
        str,
        typer.Option(
            help="operator, supervisor, gendarme, installer, mayor, delegate, dpo, inspector ou administrator."
        ),
    ],
    territory: Annotated[
        list[str], typer.Option(help="Code INSEE d'une commune, ou code d'un département ; répétable.")
    ],
    habilitation: Annotated[str, typer.Option(help="Référence de la décision d'habilitation.")],
    until: Annotated[Day, typer.Option(formats=DAY_FORMATS, help="Fin de l'habilitation.")],
    start: Annotated[Day | None, typer.Option("--from", formats=DAY_FORMATS, help="Début ; aujourd'hui sinon.")] = None,
    agrement: Annotated[str, typer.Option(help="Numéro d'agrément du préfet, si le rôle l'exige.")] = "",
    agrement_prefect: Annotated[str, typer.Option(help="Préfet qui l'a délivré.")] = "",
    agrement_department: Annotated[list[str] | None, typer.Option(help="Département couvert ; répétable.")] = None,
    agrement_date: Annotated[Day | None, typer.Option(formats=DAY_FORMATS, help="Date de l'agrément.")] = None,
    delegation: Annotated[str, typer.Option(help="Arrêté de délégation d'un élu délégataire.")] = "",
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Crée le compte d'une personne habilitée."""
    from supervision_centre.people.person import Delegation, Habilitation, Person, Role
    from supervision_centre.people.provision import system_author

    if role not in set(Role):
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "person.role",
            f"Le rôle « {role} » n'existe pas.",
            hint=f"Rôles possibles : {', '.join(Role)}.",
        )
    starts_ns = _day_ns(start) if start else SystemClock().utc_ns()
    ends_ns = _day_ns(until)
    delegated: Delegation | None = Delegation(delegation, starts_ns, ends_ns) if delegation else None
    person = Person(
        person_id="",
        login=login,
        name=name,
        role=Role(role),
        territories=frozenset(territory),
        habilitation=Habilitation(habilitation, starts_ns, ends_ns),
        agrement=_agrement(agrement, agrement_prefect, agrement_department or [], agrement_date),
        delegation=delegated,
    )
    password = _new_password(read_stdin=password_stdin)
    made = _run(config, data, lambda accounts: accounts.create(person, password, system_author(getpass.getuser())))
    out.print(f"Compte créé : {made.name} ({made.login}).")


@app.command("list")
def list_people(
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Liste les personnes, leur rôle, leur territoire et leur état."""
    from supervision_centre.people.schemas import PersonOut

    people = [PersonOut.of(person) for person in _run(config, data, lambda accounts: accounts.everybody())]
    if as_json:
        sys.stdout.write(json.dumps([person.model_dump() for person in people], ensure_ascii=False, indent=1) + "\n")
        return
    table = Table("Identifiant", "Nom", "Rôle", "Territoire", "Habilitation jusqu'au", "État")
    for person in people:
        state = "suspendu" if person.suspended_at else "en fonction"
        table.add_row(
            person.login,
            person.name,
            person.role_label,
            ", ".join(person.territories),
            person.habilitation_ends_at[:10],
            state,
        )
    out.print(table)


@app.command()
def suspend(login: LoginArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Suspend une personne : ses sessions et ses images s'arrêtent aussitôt."""
    from supervision_centre.people.provision import system_author

    async def work(accounts: Accounts) -> str:
        person = await accounts.by_login(login)
        await accounts.suspend(person.person_id, system_author(getpass.getuser()))
        return person.name

    out.print(f"Compte suspendu : {_run(config, data, work)}.")


@app.command()
def restore(login: LoginArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Rétablit une personne suspendue."""
    from supervision_centre.people.provision import system_author

    async def work(accounts: Accounts) -> str:
        person = await accounts.by_login(login)
        await accounts.restore(person.person_id, system_author(getpass.getuser()))
        return person.name

    out.print(f"Compte rétabli : {_run(config, data, work)}.")


@app.command("set-password")
def set_password(
    login: LoginArgument, password_stdin: StdinOption = False, config: ConfigOption = None, data: DataOption = None
) -> None:
    """Donne un nouveau mot de passe ; les sessions ouvertes avec l'ancien se ferment."""
    password = _new_password(read_stdin=password_stdin)

    async def work(accounts: Accounts) -> str:
        person = await accounts.by_login(login)
        await accounts.set_password(person.person_id, password)
        return person.name

    out.print(f"Mot de passe changé : {_run(config, data, work)}.")


def _run(config: Path | None, data: Path | None, work: Callable[[Accounts], Awaitable[T]]) -> T:
    from supervision_centre.people.accounts import Accounts
    from supervision_centre.people.passwords import Passwords
    from vms.app.migrations.run import upgrade_now
    from vms.base.database import Database

    configure_logging("people", level="error", as_json=False)
    folder = installation(config, data)

    upgrade_now(folder.database_url)
    database, passwords = Database(folder.database_url), Passwords()

    async def inside() -> T:
        try:
            return await work(Accounts(database, SystemClock(), passwords, partial(record_in_journal, folder)))
        finally:
            passwords.close()
            await database.close()

    return asyncio.run(inside())


def _agrement(number: str, prefect: str, departments: list[str], date: datetime | None) -> Agrement | None:
    from supervision_centre.people.person import Agrement

    if not number:
        return None
    issued = date or datetime.now(UTC)
    # The 29th of February has no anniversary: the day before stands in.
    day = min(issued.day, 28) if issued.month == 2 else issued.day
    reinquiry = issued.replace(year=issued.year + _YEARS_OF_AGREMENT, day=day)
    return Agrement(number, prefect, frozenset(departments), _day_ns(issued), _day_ns(reinquiry))


def _day_ns(day: datetime) -> int:
    moment = day if day.tzinfo else day.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_SECOND


def _new_password(*, read_stdin: bool) -> str:
    if read_stdin:
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Mot de passe", hide_input=True, confirmation_prompt="Mot de passe, une seconde fois"))
