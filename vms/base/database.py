"""The database of the centre: SQLite on one machine, PostgreSQL in a department (LAW-14).

A read session cannot write: `ReadSession` has no `add`, no `commit`. A write session commits as a whole when its block
ends without an error. Under SQLite it takes the write lock when it begins, so that what it reads still holds when it
writes. Recorder processes never import this module.

Source: SQLAlchemy 2, "Serializable isolation / Savepoints / Transactional DDL" of the SQLite dialect.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar, TypeVarTuple

from sqlalchemy import Connection, CursorResult, Engine, Executable, MetaData, Row, Select, event
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WRITING = "vms_writing"

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    """The base of every table; names of constraints follow one rule, so that migrations can name them."""

    metadata = MetaData(naming_convention=NAMING)


class ReadSession:
    """Questions only."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, question: Select[T]) -> Sequence[T]:
        """Every answer of a question about one entity or column."""
        return (await self._session.scalars(question)).all()

    async def one_or_none(self, question: Select[T]) -> T | None:
        """The only answer, or None."""
        return (await self._session.scalars(question)).one_or_none()

    async def rows(self, question: Select[*Ts]) -> Sequence[Row[*Ts]]:
        """Every answer of a question about several entities or columns."""
        return (await self._session.execute(question)).all()


class WriteSession(ReadSession):
    """Questions and changes; everything or nothing is kept."""

    def add(self, entity: Table) -> None:
        """Keep a new entity."""
        self._session.add(entity)

    async def delete(self, entity: Table) -> None:
        """Remove an entity."""
        await self._session.delete(entity)

    async def flush(self) -> None:
        """Send what has been added, so that constraints speak now."""
        await self._session.flush()

    async def execute(self, statement: Executable) -> None:
        """Run an update, insert or delete."""
        await self._session.execute(statement)

    async def changed(self, statement: Executable) -> int:
        """Run an update or delete, and say how many rows it reached."""
        result = await self._session.execute(statement)
        return result.rowcount if isinstance(result, CursorResult) else 0

    async def returned(self, statement: TypedReturnsRows[*Ts]) -> Sequence[Row[*Ts]]:
        """Run a statement with RETURNING, and give what it returned."""
        return (await self._session.execute(statement)).all()


class Database:
    """One engine and its sessions. `url` is `sqlite+aiosqlite:///…` or `postgresql+psycopg://…`."""

    def __init__(self, url: str) -> None:
        self.engine: AsyncEngine = create_async_engine(url)
        prepare_engine(self.engine.sync_engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadSession]:
        """A session for questions."""
        async with self._sessions() as session:
            yield ReadSession(session)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriteSession]:
        """A session whose changes are committed together at the end of the block, or not at all."""
        async with self._sessions.begin() as session:
            await session.connection(execution_options={WRITING: True})
            yield WriteSession(session)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def prepare_engine(engine: Engine, lock_wait_s: int = 5) -> None:
    """Give an engine the durability and the transactions of this module; SQLite alone needs to be told."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, lock_wait_s=lock_wait_s))
        event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry, *, lock_wait_s: int) -> None:
    connection.isolation_level = None  # the driver would begin late, and never before a question
    cursor = connection.cursor()
    for pragma in (f"busy_timeout = {lock_wait_s * 1_000}", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    _use_write_ahead_log(cursor, lock_wait_s)
    cursor.close()


def _use_write_ahead_log(cursor: DBAPICursor, lock_wait_s: int) -> None:
    """Change the journal mode of a new file. SQLite does not wait for locks here, so this does."""
    deadline = time.monotonic() + lock_wait_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
