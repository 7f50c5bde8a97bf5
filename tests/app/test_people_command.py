"""`vms people`: what an administrator of the machine does with accounts."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine, select
from typer.testing import CliRunner, Result

from access_audit.client import AuditClient
from access_audit.events import AccessEvent, EventKind
from access_audit.format import parse_payload
from access_audit.journal import JournalQuery
from supervision_centre.access.tables import OwedEntryRow
from supervision_centre.people.passwords import Passwords
from supervision_centre.people.person import ROLES_WITH_AGREMENT, Role
from supervision_centre.people.provision import DEMONSTRATION_ACCOUNTS, create_demonstration_people
from supervision_centre.people.tables import PersonRow
from tests.system.demo_process import until
from vms.app.cli.people import app
from vms.app.layout import DataFolder, read_audit_key
from vms.app.migrations.run import upgrade_now
from vms.app.settings import Settings
from vms.base.clock import ManualClock
from vms.base.database import Database
from vms.base.errors import VmsError

PASSWORD = "quatre mots bien choisis"
TITLES = ["--territory", "27", "--habilitation", "D-1", "--until", "2099-01-01"]
DPO = ["--role", "dpo", "--name", "Antoine Morel", *TITLES]


@pytest.fixture
def data() -> Iterator[Path]:
    """An installation without a journal, in a folder whose name leaves room for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="vms-"))
    (folder / "centre").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def journal(data: Path) -> Iterator[Path]:
    """The same, with its journal at work."""
    place = DataFolder(data, Settings())
    place.run.mkdir()
    command = [sys.executable, "-m", "vms.app.processes", "audit-writer", str(place.effective_settings)]
    place.effective_settings.write_text(Settings(data=data).model_dump_json())
    writer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(place.audit_socket.exists, 20, "the journal")
    yield data
    writer.terminate()
    writer.wait(10)


def vms_people(data: Path, *words: str, password: str = "") -> Result:
    given = [*words, "--data", str(data)]
    return CliRunner().invoke(app, given + (["--password-stdin"] if password else []), input=password + "\n")


def owed(data: Path) -> list[EventKind]:
    engine = create_engine(f"sqlite:///{data / 'centre' / 'centre.sqlite'}")
    with engine.connect() as connection:
        kinds = [
            parse_payload(payload).kind
            for payload in connection.scalars(select(OwedEntryRow.payload).order_by(OwedEntryRow.number))
        ]
    engine.dispose()
    return kinds


def recorded(data: Path) -> list[EventKind]:
    async def kinds() -> list[EventKind]:
        place = DataFolder(data, Settings())
        client = AuditClient(place.audit_socket, await asyncio.to_thread(read_audit_key, place.audit_public_key))
        try:
            page = await client.search(JournalQuery(limit=50))
        finally:
            await client.close()
        return [entry.event.kind for entry in reversed(page.entries) if entry.event and not entry.event.kind.control]

    return asyncio.run(kinds())


def test_a_person_is_created_listed_suspended_and_restored_with_their_entries(journal: Path) -> None:
    """LAW-15, LAW-17, LAW-25: a right that is given waits for its entry, one that is taken away owes it."""
    data = journal
    made = vms_people(data, "create", "dpo", *DPO, password=PASSWORD)
    assert made.exit_code == 0, made.output
    assert "Compte créé : Antoine Morel (dpo)." in made.output
    assert "Compte suspendu" in vms_people(data, "suspend", "DPO").output
    (person,) = json.loads(vms_people(data, "list", "--json").stdout)
    assert person["suspended_at"] is not None
    assert "Compte rétabli" in vms_people(data, "restore", "dpo").output
    assert "Mot de passe changé" in vms_people(data, "set-password", "dpo", password="cinq autres mots choisis").output
    assert owed(data) == [EventKind.ACCOUNT_SUSPENDED]
    assert recorded(data) == [EventKind.ACCOUNT_CREATED, EventKind.ACCOUNT_RESTORED]
    assert PASSWORD.encode() not in (data / "centre" / "centre.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("words", "password", "code"),
    [
        (["create", "dpo", *DPO], "court", "password.weak"),
        (["create", "agent", *DPO, "--role", "operator"], PASSWORD, "person.agrement"),
        (["create", "elu", *DPO, "--role", "delegate", "--territory", "27229"], PASSWORD, "person.territory"),
        (["create", "x", *DPO, "--role", "boss"], PASSWORD, "person.role"),
        (["suspend", "nobody"], "", "person.unknown"),
    ],
)
def test_what_may_not_be_is_refused_with_a_sentence(data: Path, words: list[str], password: str, code: str) -> None:
    """LAW-16, LAW-19."""
    refused = vms_people(data, *words, password=password).exception
    assert isinstance(refused, VmsError)
    assert refused.code == code


def test_without_the_journal_nobody_gets_a_right_and_anybody_loses_theirs(journal: Path) -> None:
    """LAW-17, LAW-25: the journal of this installation is stopped between the two."""
    assert vms_people(journal, "create", "dpo", *DPO, password=PASSWORD).exit_code == 0
    socket = DataFolder(journal, Settings()).audit_socket
    socket.rename(socket.with_suffix(".away"))
    assert vms_people(journal, "suspend", "dpo").exit_code == 0
    for words, password in (("restore", "dpo"), ""), (("create", "other", *DPO), PASSWORD):
        refused = vms_people(journal, *words, password=password).exception
        assert isinstance(refused, VmsError)
        assert (refused.code, bool(refused.hint)) == ("audit.unavailable", True)
    (person,) = json.loads(vms_people(journal, "list", "--json").stdout)
    assert person["suspended_at"] is not None


def test_an_installation_that_was_never_started_has_no_journal_to_write_in(data: Path) -> None:
    refused = vms_people(data, "create", "dpo", *DPO, password=PASSWORD).exception
    assert isinstance(refused, VmsError)
    assert refused.code == "audit.not_started"


def test_a_folder_that_holds_no_installation_is_not_made_one(tmp_path: Path) -> None:
    refused = vms_people(tmp_path / "elsewhere", "list").exception
    assert isinstance(refused, VmsError)
    assert refused.code == "data.missing"
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def empty_database(tmp_path: Path) -> Database:
    url = f"sqlite+aiosqlite:///{tmp_path / 'centre.sqlite'}"
    upgrade_now(url)
    return Database(url)


async def test_the_people_of_the_demonstration_are_made_once(empty_database: Database) -> None:
    """LAW-16: they go through the door of real people, agents with an agrément."""
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    clock = ManualClock()
    told: list[AccessEvent] = []

    async def record(event: AccessEvent) -> None:
        told.append(event)

    assert await create_demonstration_people(empty_database, passwords, clock, record) == len(DEMONSTRATION_ACCOUNTS)
    assert await create_demonstration_people(empty_database, passwords, clock, record) == 0
    assert [event.kind for event in told] == [EventKind.ACCOUNT_CREATED] * len(DEMONSTRATION_ACCOUNTS)
    async with empty_database.reading() as session:
        rows = await session.all(select(PersonRow))
    assert {row.login for row in rows} == {
        "operatrice", "superviseur", "adjointe", "gendarme", "installateur", "maire", "dpo",
        "inspecteur", "administrateur",
    }  # fmt: skip
    assert {Role(row.role) for row in rows if row.agrement_number} == ROLES_WITH_AGREMENT
    passwords.close()
    await empty_database.close()
