"""The faults that a client meets on ONVIF, each seen on the wire."""

from __future__ import annotations

import pytest
from defusedxml import ElementTree
from defusedxml.common import EntitiesForbidden

from cameras.simulator.onvif.markup import NAMESPACES, SOAP_11, tag
from cameras.simulator.spec import FACTORY_ADDRESS, WRONG_CLOCK_NS, Fault
from tests.cameras.simulator.wire import anonymous, between, call, operation, token
from tests.simulated import simulated_camera
from vms.base.clock import NS_PER_SECOND, ManualClock

INFORMATION = operation("tds:GetDeviceInformation")
TIME = operation("tds:GetSystemDateAndTime")
STREAM = operation("trt:GetStreamUri", tag("trt:ProfileToken", "profile_main"))


async def test_wrong_clock_refuses_our_time_and_accepts_its_own():
    async with simulated_camera(faults=[Fault.WRONG_CLOCK]) as camera:
        ours_ns = camera.device.clock.utc_ns()
        ours = await call(camera, INFORMATION, token(ours_ns))
        its_own = await call(camera, INFORMATION, token(ours_ns + WRONG_CLOCK_NS))
        camera.set_fault(Fault.WRONG_CLOCK, False)
        repaired = await call(camera, INFORMATION, token(camera.device.clock.utc_ns()))
    assert [each.status_code for each in (ours, its_own, repaired)] == [400, 200, 200]


async def test_wrong_clock_is_told_as_it_is_and_mended_by_setting_it():
    clock = ManualClock(1_800_000_000 * NS_PER_SECOND)
    async with simulated_camera(faults=[Fault.WRONG_CLOCK], clock=clock) as camera:
        wrong = await anonymous(camera, TIME)
        ntp = operation("tds:SetSystemDateAndTime", tag("tds:DateTimeType", "NTP"), tag("tds:DaylightSavings", "false"))
        assert (await call(camera, ntp)).status_code == 200
        right = await anonymous(camera, TIME)
    clock_of = [(between(each.text, "tt:Hour"), between(each.text, "tt:Minute")) for each in (wrong, right)]
    assert clock_of == [("6", "50"), ("8", "0")]


async def test_wrong_xaddr_names_the_factory_address_everywhere():
    async with simulated_camera(faults=[Fault.WRONG_XADDR]) as camera:
        services = await anonymous(camera, operation("tds:GetServices", tag("tds:IncludeCapability", "false")))
        capabilities = await anonymous(camera, operation("tds:GetCapabilities"))
        stream = await call(camera, STREAM)
        subscription = await call(camera, operation("tev:CreatePullPointSubscription"))
    for answer in (services, capabilities, stream, subscription):
        assert answer.status_code == 200
        assert f"://{FACTORY_ADDRESS}:" in answer.text
        assert "://127.0.0.1:" not in answer.text


async def test_bad_password_refuses_the_password_on_record_until_it_is_mended():
    async with simulated_camera(faults=[Fault.BAD_PASSWORD]) as camera:
        refused = await call(camera, INFORMATION)
        camera.set_fault(Fault.BAD_PASSWORD, False)
        accepted = await call(camera, INFORMATION)
    assert (refused.status_code, accepted.status_code) == (400, 200)


async def test_nonconforming_soap_is_another_soap_with_vendor_elements():
    async with simulated_camera(faults=[Fault.NONCONFORMING_SOAP]) as camera:
        answer = await call(camera, INFORMATION)
    root = ElementTree.fromstring(answer.content)
    assert answer.headers["Content-Type"] == "text/html"
    assert root.tag == f"{{{SOAP_11}}}Envelope"
    body = root.find(f"{{{SOAP_11}}}Body")
    assert body is not None
    assert body[0].tag == f"{{{NAMESPACES['tds']}}}GetDeviceInformationResponse"
    assert body[0][0].tag == "{urn:videosim:firmware}Vendor"
    assert "VS0101" in answer.text


async def test_entity_bomb_is_a_real_one():
    async with simulated_camera(faults=[Fault.ENTITY_BOMB]) as camera:
        answer = await anonymous(camera, TIME)
    assert answer.status_code == 200
    assert len(answer.content) < 8_000
    assert "&lol9;</env:Body>" in answer.text
    with pytest.raises(EntitiesForbidden):
        ElementTree.fromstring(answer.content)
