"""Migrating: one process at a time, everything or nothing, and never for ever.

All steps run in one transaction, which both databases can roll back. PostgreSQL holds an advisory lock for as long;
waiting for any lock and any single statement have limits, so that a migration gives up before the centre stands still.
SQLite takes its write lock when the transaction begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from vms.base.database import WRITING, prepare_engine
from vms.base.errors import ErrorKind, VmsError

LOCK_WAIT_S = 10
STATEMENT_S = 300
_ADVISORY_LOCK = 0x766D_7301


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring a database to a revision. VmsError `database.migration` when it is locked or cannot be reached."""
    await asyncio.to_thread(upgrade_now, database_url, revision)


def upgrade_now(database_url: str, revision: str = "head") -> None:
    """The same, blocking."""
    _in_one_transaction(database_url, lambda config: command.upgrade(config, revision))


def downgrade_now(database_url: str, revision: str) -> None:
    """Take a database back to a revision, blocking; `base` empties it."""
    _in_one_transaction(database_url, lambda config: command.downgrade(config, revision))


def configuration(connection: Connection) -> Config:
    """What Alembic needs to work on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _in_one_transaction(database_url: str, work: Callable[[Config], None]) -> None:
    url = make_url(database_url)
    if url.drivername == "sqlite+aiosqlite":
        url = url.set(drivername="sqlite")
    engine = create_engine(url)
    prepare_engine(engine, lock_wait_s=LOCK_WAIT_S)
    try:
        with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
                connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_S}s'"))
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            work(configuration(connection))
    except OperationalError as refused:
        raise VmsError(
            ErrorKind.UNAVAILABLE,
            "database.migration",
            "La base de données n'a pas pu être mise à niveau : elle est verrouillée ou injoignable.",
            hint="Vérifiez qu'elle répond et qu'aucune autre mise à niveau n'est en cours, puis recommencez.",
            detail=str(refused.orig),
        ) from None
    finally:
        engine.dispose()
