"""Each test of the centre runs on SQLite and on PostgreSQL, each time on a migrated database of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.services import PostgresServer, postgres, redis_server  # noqa: F401 — fixtures
from tests.supervision_centre.centre import TestCentre, running_centre
from vms.app.migrations.run import upgrade_now
from vms.base.database import Database


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose name leaves room for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="vms-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "centre.sqlite"
    upgrade_now(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(request: pytest.FixtureRequest) -> tuple[PostgresServer, str]:
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database()
    upgrade_now(server.url(name))
    return server, name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, short_folder: Path) -> Iterator[str]:
    """A migrated database of this test's own."""
    if request.param == "sqlite":
        path = short_folder / "centre.sqlite"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    server, template = request.getfixturevalue("migrated_postgres")
    name = server.new_database(template)
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def closed_database(database_url: str) -> Database:
    """The database, made before the event loop begins: its driver resolves paths."""
    return Database(database_url)


@pytest.fixture
async def database(closed_database: Database) -> AsyncIterator[Database]:
    yield closed_database
    await closed_database.close()


@pytest.fixture
async def centre(database: Database, short_folder: Path) -> AsyncIterator[TestCentre]:
    """A centre at work, its clock in the hand of the test."""
    async with running_centre(database, short_folder) as running:
        yield running
