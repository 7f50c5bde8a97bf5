"""Which cameras the demonstration simulates: the same list for the simulator and for those who look for them."""

from __future__ import annotations

from cameras.simulator.department import compose_department
from cameras.simulator.spec import MAIN_FILE, SUB_FILE, CameraSpec
from vms.app.settings import DemonstrationSettings


def expected_cameras(settings: DemonstrationSettings) -> list[CameraSpec]:
    """The cameras of the simulated department. Raises VmsError when the settings make no sense together."""
    template = CameraSpec(name="", main=settings.main_film or MAIN_FILE, sub=settings.sub_film or SUB_FILE)
    return list(compose_department(settings.communes, settings.cameras, base=settings.base, template=template).cameras)
