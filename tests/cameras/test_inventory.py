"""What the inventory gives away, whatever stands in its rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from cameras.authorisation import Authorisation, AuthorisationKind
from cameras.contract import CameraState
from cameras.credentials import open_vault
from cameras.inventory.communes import Commune, load_communes
from cameras.inventory.repository import CameraRecord, Change, Inventory, StreamRecord
from cameras.inventory.tables import AuthorisationRow
from vms.app.inventory import assignment_of
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.database import Database, Table

EVREUX, VERNON = "27229", "27681"
YEAR_NS = 365 * 86_400 * NS_PER_SECOND
CHANGE = Change("test", "test")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await asyncio.to_thread(Database, f"sqlite+aiosqlite:///{tmp_path / 'centre.sqlite'}")
    async with database.engine.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    communes = [
        Commune(code, name, 1, "27000", "212702294", "200071454", "EPCI")
        for code, name in ((EVREUX, "Évreux"), (VERNON, "Vernon"))
    ]
    await load_communes(database, communes)
    yield database
    await database.close()


@pytest.fixture
async def inventory(database: Database, tmp_path: Path) -> Inventory:
    vault = await asyncio.to_thread(open_vault, tmp_path / "keys" / "credentials.key")
    return Inventory(database, vault, SystemClock())


async def put_in_service(inventory: Inventory, commune: str) -> str:
    """A camera of this commune under a decision of fifteen days."""
    now_ns = SystemClock().utc_ns()
    decision = Authorisation(
        f"auth-{commune}", f"27-2026-{commune}", "Préfet de l'Eure", AuthorisationKind.ORDINARY, commune, ("p",), 15,
        now_ns - YEAR_NS, now_ns + YEAR_NS, now_ns - YEAR_NS, now_ns - YEAR_NS, minimum_days=10,
    )  # fmt: skip
    stream = StreamRecord("main", "rtsp://127.0.0.1/main", "h264", 1920, 1080, 25.0)
    camera = CameraRecord(
        f"serial-{commune}", "Place", commune, "Maire", "127.0.0.1", "http://127.0.0.1/", "user", "secret", (stream,)
    )
    camera_id = await inventory.put_camera(camera, CHANGE)
    await inventory.put_in_service(camera_id, await inventory.add_authorisation(decision), CHANGE)
    return camera_id


async def test_a_decision_over_the_legal_month_leaves_its_cameras_out_and_the_others_in(
    database: Database, inventory: Inventory
) -> None:
    """LAW-07: also when somebody writes it into the database behind the program."""
    await put_in_service(inventory, EVREUX)
    lawful = await put_in_service(inventory, VERNON)
    async with database.writing() as session:
        await session.execute(
            update(AuthorisationRow).where(AuthorisationRow.commune == EVREUX).values(retention_days=31)
        )
    (recordable,) = await inventory.recordable()
    assert recordable.camera_id == lawful
    assert assignment_of(recordable).authorisation.retention_days == 15


async def test_the_minimum_of_a_decision_reaches_the_recorder(inventory: Inventory) -> None:
    """LAW-08."""
    await put_in_service(inventory, EVREUX)
    (recordable,) = await inventory.recordable()
    assert assignment_of(recordable).authorisation.minimum_days == 10


async def test_a_camera_that_is_taken_down_is_listed_no_more_and_still_known(inventory: Inventory) -> None:
    """LAW-09, LAW-48: holds and certificates of destruction concern what it recorded."""
    camera_id = await put_in_service(inventory, EVREUX)
    await inventory.set_state(camera_id, CameraState.RETIRED, CHANGE)
    assert await inventory.all() == []
    view = await inventory.get(camera_id)
    assert view is not None
    assert view.state is CameraState.RETIRED
