from __future__ import annotations

import pytest

from cameras.discovery.probe import Sweep, addresses_of, discover
from tests.simulated import simulated_camera
from vms.base.errors import VmsError


async def test_a_unicast_probe_finds_a_camera_and_names_it():
    async with simulated_camera(name="Place d'Armes") as camera:
        assert camera.discovery_port is not None
        sweep = Sweep(interface="127.0.0.1", port=camera.discovery_port, wait_s=0.4)
        heard: list[str] = []
        found = await discover(["127.0.0.1"], sweep, lambda device: heard.append(device.name))
    assert [device.name for device in found] == ["Place d'Armes"]
    assert found[0].service_url == camera.device_url
    assert heard == ["Place d'Armes"]


async def test_nobody_there_is_an_empty_answer():
    assert await discover(["127.0.0.1"], Sweep(interface="127.0.0.1", port=9, wait_s=0.2)) == []


def test_ranges_become_addresses():
    assert addresses_of(["10.27.4.0/30", "10.27.5.7"]) == ["10.27.4.1", "10.27.4.2", "10.27.5.7"]


@pytest.mark.parametrize("text", ["10.27.4.0/8", "10.27.4.999", "caméra", "fe80::/64"])
def test_a_bad_range_is_refused_by_name(text: str):
    with pytest.raises(VmsError) as refused:
        addresses_of([text])
    assert text in refused.value.message


async def test_an_interface_of_another_machine_is_refused():
    with pytest.raises(VmsError, match=r"discovery\.no_network"):
        await discover([], Sweep(interface="192.0.2.1"))
