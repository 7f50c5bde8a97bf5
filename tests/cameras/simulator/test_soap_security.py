"""Who may call what, and what hostile bytes do: nothing."""

from __future__ import annotations

import httpx
import pytest

from cameras.simulator.onvif.markup import envelope, tag
from cameras.simulator.onvif.request import MAXIMUM_REQUEST_BYTES
from cameras.simulator.onvif.security import MAXIMUM_NONCES, Account, Level, TokenGate
from tests.cameras.simulator.wire import anonymous, call, operation, post, token
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.base.clock import NS_PER_SECOND

INFORMATION = operation("tds:GetDeviceInformation")
TIME = operation("tds:GetSystemDateAndTime")


async def test_the_time_is_told_to_anybody_and_the_serial_number_is_not():
    async with simulated_camera() as camera:
        time, refused = await anonymous(camera, TIME), await anonymous(camera, INFORMATION)
    assert time.status_code == 200
    assert refused.status_code == 401
    assert "ter:NotAuthorized" in refused.text
    assert refused.headers["WWW-Authenticate"].startswith("Digest ")


async def test_a_good_token_opens_and_a_wrong_password_does_not():
    async with simulated_camera() as camera:
        now_ns = camera.device.utc_ns()
        good = await call(camera, INFORMATION, token(now_ns))
        wrong = await call(camera, INFORMATION, token(now_ns, password="1234"))
        unknown = await call(camera, INFORMATION, token(now_ns, username="admin"))
    assert good.status_code == 200
    assert "VS0101" in good.text
    assert [wrong.status_code, unknown.status_code] == [400, 400]
    assert "ter:NotAuthorized" in wrong.text


async def test_a_token_is_good_once():
    async with simulated_camera() as camera:
        replayed = token(camera.device.utc_ns(), nonce=b"sixteen bytes ok")
        answers = [(await call(camera, INFORMATION, replayed)).status_code for _ in range(2)]
    assert answers == [200, 400]


@pytest.mark.parametrize(("age_s", "status"), [(-299, 200), (299, 200), (-302, 400), (302, 400)])
async def test_a_token_is_good_within_five_minutes_of_the_camera_s_clock(age_s: int, status: int):
    async with simulated_camera() as camera:
        answer = await call(camera, INFORMATION, token(camera.device.utc_ns() + age_s * NS_PER_SECOND))
    assert answer.status_code == status


async def test_http_digest_opens_as_well():
    async with simulated_camera() as camera, httpx.AsyncClient() as client:
        good = await client.post(
            camera.device_url, content=envelope(INFORMATION), auth=httpx.DigestAuth(USERNAME, PASSWORD)
        )
        wrong = await client.post(
            camera.device_url, content=envelope(INFORMATION), auth=httpx.DigestAuth(USERNAME, "1234")
        )
    assert (good.status_code, wrong.status_code) == (200, 401)


async def test_an_account_without_the_right_is_refused():
    async with simulated_camera() as camera:
        camera.device.accounts["regard"] = Account("regard", Level.USER, "regarder")
        now_ns = camera.device.utc_ns()
        read = await call(camera, INFORMATION, token(now_ns, username="regard", password="regarder"))
        write = await call(camera, operation("tds:SystemReboot"), token(now_ns, username="regard", password="regarder"))
    assert (read.status_code, write.status_code) == (200, 400)
    assert not camera.device.reboot_wanted


async def test_media2_names_h265_and_its_address():
    from cameras.simulator.spec import H265_FILE

    async with simulated_camera(main=H265_FILE) as camera:
        profiles = await call(camera, operation("tr2:GetProfiles", tag("tr2:Type", "All")))
        uri = await call(
            camera,
            operation("tr2:GetStreamUri", tag("tr2:Protocol", "RTSP"), tag("tr2:ProfileToken", "profile_main")),
        )
        options = await call(camera, operation("tr2:GetVideoEncoderConfigurationOptions"))
    assert profiles.text.count("<tt:Encoding>H265</tt:Encoding>") == 1
    assert profiles.text.count("<tr2:PTZ ") == 2
    assert camera.stream_url("main") in uri.text
    assert "<tt:Encoding>H265</tt:Encoding>" in options.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"\x00\xff\xfe",
        b'<?xml version="1.0" encoding="nothing"?><a/>',
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'/>",
        b"<a>" * 20_000,
        b"<a>" * 20_000 + b"</a>" * 20_000,
    ],
)
async def test_what_is_no_soap_is_a_fault_and_the_camera_goes_on(data: bytes):
    async with simulated_camera() as camera:
        hostile = await post(camera, data)
        assert hostile.status_code == 400
        assert "ter:WellFormed" in hostile.text
        assert (await anonymous(camera, TIME)).status_code == 200


async def test_a_request_over_its_bound_is_cut_off():
    async with simulated_camera() as camera:
        answer = await post(camera, b"x" * (MAXIMUM_REQUEST_BYTES + 1))
    assert answer.status_code == 413


async def test_other_methods_and_unknown_operations_are_refused_by_name():
    async with simulated_camera() as camera, httpx.AsyncClient() as client:
        get = await client.get(camera.device_url)
        unknown = await call(camera, operation("tds:FormatEverything"))
    assert (get.status_code, get.headers["Allow"]) == (405, "POST")
    assert "ter:ActionNotSupported" in unknown.text


@pytest.mark.parametrize(
    "body",
    [
        operation("tds:SetSystemDateAndTime", tag("tds:DateTimeType", "Sundial")),
        operation("tds:CreateUsers", tag("tds:User", tag("tt:Username", "x"))),
        operation("tds:SetUser", tag("tds:User", tag("tt:Username", "nobody"), tag("tt:UserLevel", "User"))),
        operation("tds:DeleteUsers", tag("tds:Username", USERNAME)),
        operation("tptz:AbsoluteMove", tag("tptz:ProfileToken", "profile_main")),
        operation("tptz:GotoPreset", tag("tptz:ProfileToken", "profile_main"), tag("tptz:PresetToken", "9")),
        operation("tev:PullMessages", tag("tev:Timeout", "PT1S")),
        operation("tev:CreatePullPointSubscription", tag("tev:InitialTerminationTime", "soon")),
        operation("trt:GetStreamUri", tag("trt:ProfileToken", "none")),
    ],
)
async def test_arguments_that_cannot_be_are_faults(body):
    async with simulated_camera() as camera:
        answer = await call(camera, body)
    assert answer.status_code == 400
    assert "<env:Value>env:Sender</env:Value>" in answer.text
    assert list(camera.device.accounts) == [USERNAME]


async def test_one_connection_serves_several_calls():
    async with simulated_camera() as camera, httpx.AsyncClient() as client:
        for _ in range(3):
            assert (await client.post(camera.device_url, content=envelope(TIME))).status_code == 200
        pool = client._transport._pool  # type: ignore[attr-defined]
        assert len(pool.connections) == 1


def test_a_full_memory_of_nonces_refuses_and_then_forgets_the_old_ones():

    from xml.etree.ElementTree import fromstring

    accounts = {USERNAME: Account(USERNAME, Level.USER, PASSWORD)}
    gate, start_ns = TokenGate(), 1_800_000_000 * NS_PER_SECOND

    def check(number: int, at_ns: int) -> bool:
        written = envelope(TIME, token(at_ns, nonce=number.to_bytes(16, "big")))
        header = fromstring(written)[0]
        return gate.check(header, accounts, at_ns) is not None

    assert all(check(number, start_ns) for number in range(MAXIMUM_NONCES))
    assert not check(MAXIMUM_NONCES, start_ns + NS_PER_SECOND)
    assert check(MAXIMUM_NONCES + 1, start_ns + 400 * NS_PER_SECOND)
