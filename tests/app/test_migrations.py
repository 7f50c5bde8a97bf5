"""The schema, up and down, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from tests.services import PostgresServer, postgres  # noqa: F401 — fixture
from vms.app.migrations import run
from vms.app.migrations.schema import whole_schema
from vms.base.errors import VmsError

_TAKE_SQLITE = "BEGIN IMMEDIATE"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'centre.sqlite'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database()
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    url = make_url(empty_url)
    engine = create_engine(url.set(drivername="sqlite") if url.drivername == "sqlite+aiosqlite" else url)
    yield engine
    engine.dispose()


def test_models_and_migrations_agree(empty_url: str, engine: Engine) -> None:
    run.upgrade_now(empty_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, whole_schema()) == []


def test_every_step_goes_up_and_down(empty_url: str, engine: Engine) -> None:
    with engine.connect() as connection:
        steps = [step.revision for step in ScriptDirectory.from_config(run.configuration(connection)).walk_revisions()][
            ::-1
        ]
    for step in steps:
        run.upgrade_now(empty_url, step)
    run.upgrade_now(empty_url)
    for step in [*steps[-2::-1], "base"]:
        run.downgrade_now(empty_url, step)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    run.upgrade_now(empty_url)
    assert "person" in inspect(engine).get_table_names()


def test_two_processes_that_migrate_at_once_both_succeed(empty_url: str, engine: Engine) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        try:
            run.upgrade_now(empty_url)
        except Exception as failure:  # noqa: BLE001 — whatever it is, the test tells
            failures.append(failure)

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert "owed_entry" in inspect(engine).get_table_names()


def test_a_step_that_fails_leaves_nothing_behind(
    empty_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = command.upgrade

    def broken(config: Config, revision: str) -> None:
        real(config, revision)
        raise RuntimeError("power lost")

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        run.upgrade_now(empty_url)
    assert inspect(engine).get_table_names() == []


def test_a_locked_database_is_given_up_with_a_sentence(
    empty_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LOCK_WAIT_S", 1)
    take = (
        f"SELECT pg_advisory_xact_lock({run._ADVISORY_LOCK})" if engine.dialect.name == "postgresql" else _TAKE_SQLITE
    )
    with engine.connect() as other, other.begin():
        other.execute(text(take))
        with pytest.raises(VmsError) as refused:
            run.upgrade_now(empty_url)
    assert refused.value.code == "database.migration"
