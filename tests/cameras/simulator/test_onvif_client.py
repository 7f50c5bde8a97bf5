"""The camera before the client library that installers' tools are built on (onvif-zeep-async)."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from onvif import ONVIFCamera, ONVIFError
from zeep.exceptions import Fault as ZeepFault

from cameras.simulator.camera import SimulatedCamera
from cameras.simulator.spec import H265_FILE
from tests.cameras.simulator.wire import until
from tests.simulated import PASSWORD, USERNAME, simulated_camera


@contextlib.asynccontextmanager
async def client_of(
    camera: SimulatedCamera, username: str = USERNAME, password: str = PASSWORD
) -> AsyncIterator[ONVIFCamera]:
    client = ONVIFCamera(camera.device.spec.address, camera.http_port, username, password, no_cache=True)
    try:
        await client.update_xaddrs()
        yield client
    finally:
        await client.close()


async def test_the_client_reads_identity_and_hardware_address():
    async with simulated_camera(model="VS-9", serial="S1", mac="02564d53abcd") as camera, client_of(camera) as client:
        device = await client.create_devicemgmt_service()
        information = await device.GetDeviceInformation()
        interfaces = await device.GetNetworkInterfaces()
        hostname = await device.GetHostname()
        scopes = await device.GetScopes()
    assert (information.Model, information.SerialNumber) == ("VS-9", "S1")
    assert interfaces[0].Info.HwAddress == "02:56:4D:53:AB:CD"
    assert hostname.Name == "camera-s1"
    assert "onvif://www.onvif.org/location/city/%C3%89vreux" in [scope.ScopeItem for scope in scopes]


async def test_the_client_reads_profiles_and_stream_addresses():
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    async with simulated_camera() as camera, client_of(camera) as client:
        media = await client.create_media_service()
        profiles = await media.GetProfiles()
        uris = [(await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": each.token})).Uri for each in profiles]
        sources = await media.GetVideoSources()
        configurations = await media.GetVideoEncoderConfigurations()
        options = await media.GetVideoEncoderConfigurationOptions({"ProfileToken": "profile_main"})
    assert uris == [camera.stream_url("main"), camera.stream_url("sub")]
    sizes = [(each.Resolution.Width, each.Resolution.Height) for each in configurations]
    assert sizes == [(768, 576), (352, 288)]
    assert [each.VideoEncoderConfiguration.H264.H264Profile for each in profiles] == ["Main", "Baseline"]
    assert sources[0].Framerate == pytest.approx(12.5)
    assert options.H264.FrameRateRange.Max == 12


async def test_a_profile_that_is_not_there_is_a_fault_with_its_subcode():
    async with simulated_camera() as camera, client_of(camera) as client:
        media = await client.create_media_service()
        with pytest.raises(ZeepFault) as refused:
            await media.GetProfile({"ProfileToken": "nothing"})
    assert [each.localname for each in refused.value.subcodes] == ["InvalidArgVal", "NoProfile"]


async def test_an_h265_stream_is_listed_without_h264_settings():
    async with simulated_camera(main=H265_FILE, sub=None) as camera, client_of(camera) as client:
        media = await client.create_media_service()
        (configuration,) = await media.GetVideoEncoderConfigurations()
    assert configuration.H264 is None


async def test_the_head_moves_over_time_and_finds_its_preset():
    async with simulated_camera() as camera, client_of(camera) as client:
        ptz = await client.create_ptz_service()
        nodes, configurations = await ptz.GetNodes(), await ptz.GetConfigurations()
        assert nodes[0].token == configurations[0].NodeToken
        profile = {"ProfileToken": "profile_main"}
        preset = await ptz.SetPreset({**profile, "PresetName": "Entrée"})
        position = {"PanTilt": {"x": 0.2, "y": -0.1}, "Zoom": {"x": 0.05}}
        await ptz.AbsoluteMove({**profile, "Position": position})
        moving = await ptz.GetStatus(profile)
        arrived = await _when_idle(ptz, profile)
        await ptz.ContinuousMove({**profile, "Velocity": {"PanTilt": {"x": -1.0, "y": 0.0}}})
        await ptz.Stop({**profile, "PanTilt": True, "Zoom": True})
        stopped = await ptz.GetStatus(profile)
        await ptz.GotoPreset({**profile, "PresetToken": preset})
        home = await _when_idle(ptz, profile)
        presets = await ptz.GetPresets(profile)
    assert moving.MoveStatus.PanTilt == "MOVING"
    assert (arrived.Position.PanTilt.x, arrived.Position.PanTilt.y) == (0.2, -0.1)
    assert arrived.Position.Zoom.x == 0.05
    assert stopped.MoveStatus.PanTilt == "IDLE"
    assert stopped.Position.PanTilt.x < 0.2
    assert home.Position.PanTilt.x == 0.0
    assert [each.Name for each in presets] == ["Entrée"]


async def _when_idle(ptz, profile):
    async with asyncio.timeout(5):
        while True:
            status = await ptz.GetStatus(profile)
            if status.MoveStatus.PanTilt == status.MoveStatus.Zoom == "IDLE":
                return status


async def test_a_pull_point_reports_motion_as_it_happens_and_ends_when_told():
    lost: list[bool] = []
    async with simulated_camera() as camera, client_of(camera) as client:
        manager = await client.create_pullpoint_manager(dt.timedelta(seconds=90), lambda: lost.append(True))
        service = manager.get_service()
        ask = {"MessageLimit": 10, "Timeout": dt.timedelta(seconds=8)}
        first = await service.PullMessages(ask)
        poll = asyncio.create_task(service.PullMessages(ask))
        await asyncio.sleep(0.05)
        assert not poll.done()
        camera.set_motion(True)
        second = await poll
        await manager.shutdown()
        with pytest.raises(ZeepFault):
            await service.PullMessages(ask)
    assert [_motion(each) for each in first.NotificationMessage] == [("Initialized", "false")]
    assert [_motion(each) for each in second.NotificationMessage] == [("Changed", "true")]
    assert not lost


def _motion(notification) -> tuple[str, str]:
    message = notification.Message._value_1
    return message.PropertyOperation, message.Data.SimpleItem[0].Value


async def test_a_password_is_rotated_without_closing_the_door():
    async with simulated_camera() as camera:
        async with client_of(camera) as client:
            device = await client.create_devicemgmt_service()
            second = {"Username": "vms-2", "Password": "deuxieme-secret", "UserLevel": "Administrator"}
            await device.CreateUsers({"User": [second]})
            with pytest.raises(ZeepFault):
                await device.CreateUsers({"User": [second]})
        async with client_of(camera, "vms-2", "deuxieme-secret") as client:
            device = await client.create_devicemgmt_service()
            first = {"Username": USERNAME, "Password": "tout-nouveau", "UserLevel": "User"}
            await device.SetUser({"User": [first]})
            users = {each.Username: each.UserLevel for each in await device.GetUsers()}
        async with client_of(camera, USERNAME, "tout-nouveau") as client:
            device = await client.create_devicemgmt_service()
            assert (await device.GetDeviceInformation()).Model == "VS-2M"
            with pytest.raises(ZeepFault):
                await device.SystemReboot()
    assert users == {USERNAME: "User", "vms-2": "Administrator"}


async def test_the_clock_is_set_and_the_time_server_is_kept():
    async with simulated_camera() as camera, client_of(camera) as client:
        device = await client.create_devicemgmt_service()
        moment = {"Date": {"Year": 2027, "Month": 3, "Day": 4}, "Time": {"Hour": 5, "Minute": 6, "Second": 7}}
        settings = {"DateTimeType": "Manual", "DaylightSavings": False, "UTCDateTime": moment}
        await device.SetSystemDateAndTime(settings)
        read = await device.authless_GetSystemDateAndTime()
        assert (read.UTCDateTime.Date.Year, read.UTCDateTime.Time.Hour) == (2027, 5)
        camera.device.synchronise_clock()
        server = {"Type": "IPv4", "IPv4Address": "10.27.0.1"}
        await device.SetNTP({"FromDHCP": False, "NTPManual": [server]})
        ntp = await device.GetNTP()
    assert ntp.NTPManual[0].IPv4Address == "10.27.0.1"


async def test_a_reboot_makes_the_camera_vanish_and_come_back_at_the_same_place():
    async with simulated_camera() as camera:
        async with client_of(camera) as client:
            device = await client.create_devicemgmt_service()
            await device.SystemReboot()
        port = camera.http_port
        await until(lambda: not camera.device.reboot_wanted)
        assert camera.device.boots == 2
        await _connect(port)
        async with client_of(camera) as client:
            device = await client.create_devicemgmt_service()
            assert (await device.GetDeviceInformation()).Model == "VS-2M"


async def _connect(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()


async def test_a_camera_without_a_head_offers_no_ptz():
    async with simulated_camera(ptz=False) as camera, client_of(camera) as client:
        with pytest.raises(ONVIFError):
            await client.create_ptz_service()
        media = await client.create_media_service()
        assert (await media.GetProfiles())[0].PTZConfiguration is None
