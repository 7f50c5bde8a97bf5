"""What the demonstration adds to an empty installation: communes, decisions of a prefect, cameras found and onboarded.

It runs once; a second start finds everything and adds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from access_audit.client import AuditClient
from access_audit.events import Author
from cameras.authorisation import Authorisation, AuthorisationKind
from cameras.discovery.probe import Sweep, discover
from cameras.inventory.communes import communes_of_the_eure, load_communes
from cameras.onboarding.onboard import CameraAccess, Onboarder, Placement
from cameras.simulator.spec import CameraSpec
from vms.app.demonstration.cameras import expected_cameras
from vms.app.inventory import open_inventory
from vms.app.layout import DataFolder, read_audit_key
from vms.base.clock import NS_PER_SECOND, Clock, SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.ids import new_id

RETENTION_DAYS = 1
"""So that a small disk holds what the demonstration promises, and erasure can be seen the next day."""
_DAY_NS = 86_400 * NS_PER_SECOND
_AT_ONCE = 4
_INSTALLER = Author("demonstration", "Installation de démonstration", "system")


async def provision_department(folder: DataFolder, on_progress: Callable[[int, int], None]) -> int:
    """Find and onboard the simulated cameras that the inventory lacks; the number of cameras onboarded.

    `on_progress` hears of (done, all). Raises VmsError when a camera cannot be found or onboarded.
    """
    clock = SystemClock()
    audit = AuditClient(folder.audit_socket, read_audit_key(folder.audit_public_key))
    try:
        async with open_inventory(folder) as (inventory, database):
            await load_communes(database, communes_of_the_eure())
            expected = {spec.address: spec for spec in expected_cameras(folder.settings.demonstration)}
            for commune in sorted({spec.place.commune for spec in expected.values()}):
                await inventory.add_authorisation(_decision(commune, clock))
            if len(await inventory.all()) >= len(expected):
                return 0
            onboarder = Onboarder(inventory, audit.record, _INSTALLER, clock)
            return await _onboard_found(onboarder, expected, on_progress)
    finally:
        await audit.close()


async def _onboard_found(
    onboarder: Onboarder, expected: dict[str, CameraSpec], on_progress: Callable[[int, int], None]
) -> int:
    found = await discover(expected, Sweep(interface="127.0.0.1", wait_s=1.2))
    devices = [device for device in found if device.address in expected]
    if len(devices) < len(expected):
        raise VmsError(
            ErrorKind.CAMERA,
            "demonstration.cameras_missing",
            f"{len(devices)} caméras simulées sur {len(expected)} ont répondu à la découverte.",
            hint="Vérifiez qu'aucun pare-feu ne filtre l'interface de bouclage, puis relancez « make demo ».",
        )
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def onboard(url: str, spec: CameraSpec) -> None:
        nonlocal done
        async with gate:
            await onboarder.onboard(CameraAccess(url, spec.username, spec.password), _placement(spec))
        done += 1
        on_progress(done, len(devices))

    async with asyncio.TaskGroup() as group:
        for device in devices:
            group.create_task(onboard(device.service_url, expected[device.address]))
    return done


def _placement(spec: CameraSpec) -> Placement:
    return Placement(
        name=spec.name,
        commune=spec.place.commune,
        authority=f"Maire {_of(spec.place.commune_name)}",
        latitude=spec.place.latitude,
        longitude=spec.place.longitude,
        orientation_deg=spec.place.orientation_deg,
    )


def _of(commune: str) -> str:
    """The commune after « de », as French writes it: « d'Évreux », « des Andelys », « de Vernon »."""
    if commune.startswith("Les "):
        return f"des {commune.removeprefix('Les ')}"
    if commune.startswith("Le "):
        return f"du {commune.removeprefix('Le ')}"
    return f"d'{commune}" if commune[0] in "AEIOUYÉÈÊÎÔ" else f"de {commune}"


def _decision(commune: str, clock: Clock) -> Authorisation:
    now = clock.utc_ns()
    return Authorisation(
        authorisation_id=new_id("auth"),
        reference=f"DEMO-{commune}",
        prefect="Préfet de l'Eure (décision fictive de démonstration)",
        kind=AuthorisationKind.ORDINARY,
        commune=commune,
        purposes=("security_of_persons_and_property",),
        retention_days=RETENTION_DAYS,
        starts_at_ns=now - 30 * _DAY_NS,
        ends_at_ns=now + 4 * 365 * _DAY_NS,
        cnil_commitment_at_ns=now - 30 * _DAY_NS,
        prefect_informed_at_ns=now - 29 * _DAY_NS,
    )
