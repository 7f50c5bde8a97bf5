"""The inventory of an instance, opened for a command or a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cameras.contract import RecordableCamera
from cameras.credentials import open_vault
from cameras.inventory.repository import Inventory
from recorder.contract.assignment import CameraAssignment, RecordingAuthorisation, StreamAddress, StreamRole
from vms.app.layout import DataFolder
from vms.base.clock import SystemClock
from vms.base.database import Database


@asynccontextmanager
async def open_inventory(folder: DataFolder) -> AsyncIterator[tuple[Inventory, Database]]:
    """The inventory and its database, closed at the end of the block."""
    database = await asyncio.to_thread(Database, folder.database_url)
    try:
        yield Inventory(database, await asyncio.to_thread(open_vault, folder.credential_key), SystemClock()), database
    finally:
        await database.close()


def assignment_of(camera: RecordableCamera) -> CameraAssignment:
    """What a recorder node is asked to do for this camera."""
    return CameraAssignment(
        camera_id=camera.camera_id,
        name=camera.name,
        commune=camera.commune,
        streams=tuple(
            StreamAddress(StreamRole(stream.role), stream.url, tls_pins=stream.tls_pins) for stream in camera.streams
        ),
        authorisation=RecordingAuthorisation(
            reference=camera.authorisation_reference,
            starts_at_ns=camera.starts_at_ns,
            ends_at_ns=camera.ends_at_ns,
            retention_days=camera.retention_days,
            minimum_days=camera.minimum_days,
        ),
        username=camera.username,
        password=camera.password,
    )
