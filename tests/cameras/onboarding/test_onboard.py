from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from access_audit.events import AccessEvent, Author, EventKind
from cameras.authorisation import Authorisation, AuthorisationKind
from cameras.contract import CameraState
from cameras.credentials import open_vault
from cameras.inventory.communes import Commune, load_communes
from cameras.inventory.repository import Inventory
from cameras.onboarding.onboard import CameraAccess, Onboarder, Placement
from cameras.simulator.spec import Fault
from tests.foreign_films import foreign_film
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.base.clock import NS_PER_SECOND, SystemClock
from vms.base.database import Database, Table
from vms.base.errors import VmsError

EVREUX = "27229"
YEAR_NS = 365 * 86_400 * NS_PER_SECOND


async def _make_tables(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)


@pytest.fixture
async def inventory(tmp_path: Path) -> AsyncIterator[Inventory]:
    database = await asyncio.to_thread(Database, f"sqlite+aiosqlite:///{tmp_path / 'centre.sqlite'}")
    await _make_tables(database.engine)
    await load_communes(database, [Commune(EVREUX, "Évreux", 47_000, "27000", "212702294", "200071454", "CA EPN")])
    vault = await asyncio.to_thread(open_vault, tmp_path / "keys" / "credentials.key")
    yield Inventory(database, vault, SystemClock())
    await database.close()


def _authorisation(**fields: object) -> Authorisation:
    now = SystemClock().utc_ns()
    given = {
        "authorisation_id": "auth-00000000000000000000000001",
        "reference": "27-2026-0042",
        "prefect": "Préfet de l'Eure",
        "kind": AuthorisationKind.ORDINARY,
        "commune": EVREUX,
        "purposes": ("security",),
        "retention_days": 15,
        "starts_at_ns": now - YEAR_NS,
        "ends_at_ns": now + YEAR_NS,
        "cnil_commitment_at_ns": now - YEAR_NS,
        "prefect_informed_at_ns": now - YEAR_NS,
    }
    return Authorisation(**{**given, **fields})  # type: ignore[arg-type]


class Journal:
    """Keeps what would be logged, and how many cameras the inventory held at that moment."""

    def __init__(self, inventory: Inventory) -> None:
        self.events: list[AccessEvent] = []
        self.cameras_before: list[int] = []
        self._inventory = inventory

    async def record(self, event: AccessEvent) -> None:
        self.events.append(event)
        self.cameras_before.append(len(await self._inventory.all()))


def _onboarder(inventory: Inventory, journal: Journal) -> Onboarder:
    return Onboarder(inventory, journal.record, Author("per-1", "Inès Installatrice", "installer"), SystemClock())


PLACEMENT = Placement("Place de la Mairie", EVREUX, "Maire d'Évreux", latitude=49.02, longitude=1.15)


async def test_a_camera_is_onboarded_and_put_in_service(inventory: Inventory):
    """LAW-01, LAW-25: recorded under the prefect's decision, and the entry stands before the camera does."""
    await inventory.add_authorisation(_authorisation())
    journal = Journal(inventory)
    async with simulated_camera() as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, journal).onboard(access, PLACEMENT)
        main_url = camera.stream_url("main")
    assert done.in_service
    assert [event.kind for event in journal.events] == [EventKind.CAMERA_ONBOARDED]
    assert journal.cameras_before == [0]
    view = await inventory.get(done.camera_id)
    assert view is not None
    assert (view.state, view.commune_name, view.has_sub) == (CameraState.IN_SERVICE, "Évreux", True)
    recordable = (await inventory.recordable())[0]
    assert {stream.role: stream.url for stream in recordable.streams}["main"] == main_url
    assert (recordable.username, recordable.password, recordable.retention_days) == (USERNAME, PASSWORD, 15)
    assert PASSWORD not in repr(recordable)


@pytest.mark.parametrize(
    ("decision", "sentence"),
    [
        (None, "aucune autorisation"),
        ({"cnil_commitment_at_ns": 0}, "CNIL"),
        ({"prefect_informed_at_ns": 0}, "préfet"),
    ],
)
async def test_without_a_complete_decision_a_camera_is_kept_but_not_recorded(
    inventory: Inventory, decision: dict[str, int] | None, sentence: str
):
    """LAW-01, LAW-33: no authorisation, no commitment, no information of the prefect: no recording."""
    if decision is not None:
        await inventory.add_authorisation(_authorisation(**decision))
    async with simulated_camera() as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert not done.in_service
    assert sentence in done.obstacle
    assert await inventory.recordable() == []


async def test_the_same_device_again_is_an_update_with_its_history(inventory: Inventory):
    await inventory.add_authorisation(_authorisation())
    onboarder = _onboarder(inventory, Journal(inventory))
    moved = Placement("Place du Théâtre", EVREUX, "Maire d'Évreux")
    async with simulated_camera() as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        first = await onboarder.onboard(access, PLACEMENT)
        second = await onboarder.onboard(access, moved)
    assert first.camera_id == second.camera_id
    assert [view.name for view in await inventory.all()] == ["Place du Théâtre"]
    changed = {(row.field, row.before, row.after) for row in await inventory.history(first.camera_id)}
    assert ("name", "Place de la Mairie", "Place du Théâtre") in changed


async def test_a_wrong_password_is_said_and_nothing_is_kept(inventory: Inventory):
    journal = Journal(inventory)
    async with simulated_camera() as camera:
        with pytest.raises(VmsError) as refused:
            await _onboarder(inventory, journal).onboard(CameraAccess(camera.device_url, USERNAME, "faux"), PLACEMENT)
    assert refused.value.code == "camera.bad_password"
    assert "mot de passe" in refused.value.message
    assert journal.events == []
    assert await inventory.all() == []


async def test_a_camera_that_is_not_there_is_said_to_be_away(inventory: Inventory):
    access = CameraAccess("http://127.0.0.1:9/onvif/device_service", USERNAME, PASSWORD)
    with pytest.raises(VmsError) as refused:
        await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert refused.value.code == "camera.unreachable"


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.NONCONFORMING_SOAP, "camera.soap"), (Fault.ENTITY_BOMB, "camera.soap")]
)
async def test_hostile_soap_is_refused_with_a_sentence(inventory: Inventory, fault: Fault, code: str):
    async with simulated_camera(faults=[fault]) as camera:
        with pytest.raises(VmsError) as refused:
            await _onboarder(inventory, Journal(inventory)).onboard(
                CameraAccess(camera.device_url, USERNAME, PASSWORD), PLACEMENT
            )
    assert refused.value.code == code
    assert await inventory.all() == []


async def test_a_wrong_clock_does_not_keep_a_camera_out_but_is_said(inventory: Inventory):
    """LAW-39: the digest is signed in the camera's own time, and its offset is named."""
    await inventory.add_authorisation(_authorisation())
    async with simulated_camera(faults=[Fault.WRONG_CLOCK]) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert done.in_service
    assert any("horloge" in warning for warning in done.warnings)


@pytest.mark.parametrize(("film", "name"), [("mjpeg", "JPEG"), ("mpeg4", "MPEG4")])
async def test_a_camera_with_nothing_but_an_old_codec_is_taken_with_a_warning(
    inventory: Inventory, film: str, name: str
):
    await inventory.add_authorisation(_authorisation())
    async with simulated_camera(main=foreign_film(film), sub=None) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert done.in_service
    assert any(name in warning and "navigateur" in warning for warning in done.warnings)


async def test_an_old_codec_is_not_chosen_where_a_better_one_is_offered(inventory: Inventory):
    await inventory.add_authorisation(_authorisation())
    async with simulated_camera(main=foreign_film("mjpeg")) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert {stream.codec for stream in done.streams} == {"h264"}


async def test_an_address_that_a_camera_claims_is_put_where_it_answered(inventory: Inventory):
    await inventory.add_authorisation(_authorisation())
    async with simulated_camera(faults=[Fault.WRONG_XADDR]) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    urls = [stream.url for stream in (await inventory.recordable())[0].streams]
    assert all(url.startswith("rtsp://127.0.0.1:") for url in urls)
