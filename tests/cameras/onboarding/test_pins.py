"""The keys of encrypted streams: first taken on trust, then changed by a person only."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_audit.client import AuditClient
from access_audit.events import Author, EventKind
from cameras.inventory.repository import Inventory
from cameras.onboarding.onboard import CameraAccess, Onboarder
from cameras.onboarding.pins import spoken, trust_presented
from cameras.simulator.spec import Fault
from tests.cameras.onboarding.test_onboard import (
    PLACEMENT,
    Journal,
    _authorisation,
    _onboarder,
    inventory,  # noqa: F401 — fixture
)
from tests.simulated import PASSWORD, USERNAME, simulated_camera
from vms.app.inventory import assignment_of
from vms.base.clock import SystemClock
from vms.base.errors import VmsError
from vms.base.tls import is_pin

AUTHOR = Author("per-1", "Inès Installatrice", "installer")


async def test_the_first_key_of_an_encrypted_stream_is_kept_and_told(inventory: Inventory):  # noqa: F811
    """What the recorder will trust is settled at onboarding, before the first image."""
    await inventory.add_authorisation(_authorisation())
    async with simulated_camera(rtsps=True) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    streams = await inventory.streams(done.camera_id)
    assert [stream.role for stream in streams] == ["main", "sub"]
    assert streams[0].url.startswith("rtsps://")
    (pin,) = streams[0].tls_pins
    assert is_pin(pin)
    assert any(spoken(pin) in warning for warning in done.warnings)
    (recordable,) = await inventory.recordable()
    assert [stream.tls_pins for stream in assignment_of(recordable).streams] == [(pin,), (pin,)]


async def test_a_stream_in_the_clear_has_no_key(inventory: Inventory):  # noqa: F811
    async with simulated_camera() as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
        assert [stream.tls_pins for stream in await inventory.streams(done.camera_id)] == [(), ()]
        with pytest.raises(VmsError) as refused:
            await trust_presented(inventory, Journal(inventory).record, AUTHOR, SystemClock(), done.camera_id)
        assert refused.value.code == "camera.not_encrypted"


async def test_another_key_is_refused_until_somebody_accepts_it(inventory: Inventory):  # noqa: F811
    """LAW-25: the acceptance is in the access log before the inventory changes; both keys hold for a while."""
    journal = Journal(inventory)
    onboarder = _onboarder(inventory, journal)
    async with simulated_camera(rtsps=True) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        done = await onboarder.onboard(access, PLACEMENT)
        again = await onboarder.onboard(access, PLACEMENT)
        (first,) = (await inventory.streams(again.camera_id))[0].tls_pins
        camera.set_fault(Fault.CERTIFICATE_CHANGED)
        with pytest.raises(VmsError) as refused:
            await onboarder.onboard(access, PLACEMENT)
        assert refused.value.code == "camera.tls_pin_mismatch"
        assert (await inventory.streams(done.camera_id))[0].tls_pins == (first,)
        both = await trust_presented(inventory, journal.record, AUTHOR, SystemClock(), done.camera_id)
        assert len(both) == 2
        assert both[1] == first
        await onboarder.onboard(access, PLACEMENT)
        only = await trust_presented(inventory, journal.record, AUTHOR, SystemClock(), done.camera_id, replace=True)
        assert only == both[:1]
    assert [event.kind for event in journal.events].count(EventKind.CAMERA_CHANGED) == 2
    changed = [row.field for row in await inventory.history(done.camera_id)]
    assert changed.count("tls_pins main") == 3


async def test_without_the_log_no_camera_is_onboarded_and_no_key_accepted(inventory: Inventory, tmp_path: Path):  # noqa: F811
    """LAW-25: a configuration that cannot be logged does not change."""
    nobody = AuditClient(tmp_path / "nobody.sock", Ed25519PrivateKey.generate().public_key(), timeout_s=0.2)
    journal = Journal(inventory)
    async with simulated_camera(rtsps=True) as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        with pytest.raises(VmsError, match=r"audit\.unavailable"):
            await Onboarder(inventory, nobody.record, AUTHOR, SystemClock()).onboard(access, PLACEMENT)
        assert await inventory.all() == []
        done = await _onboarder(inventory, journal).onboard(access, PLACEMENT)
        before = [stream.tls_pins for stream in await inventory.streams(done.camera_id)]
        camera.set_fault(Fault.CERTIFICATE_CHANGED)
        with pytest.raises(VmsError, match=r"audit\.unavailable"):
            await trust_presented(inventory, nobody.record, AUTHOR, SystemClock(), done.camera_id)
        assert [stream.tls_pins for stream in await inventory.streams(done.camera_id)] == before
    await nobody.close()


async def test_a_camera_that_promises_tls_and_has_none_is_refused(inventory: Inventory):  # noqa: F811
    async with simulated_camera() as camera:
        access = CameraAccess(camera.device_url, USERNAME, PASSWORD)
        object.__setattr__(camera.device.spec, "rtsps", True)
        with pytest.raises(VmsError) as refused:
            await _onboarder(inventory, Journal(inventory)).onboard(access, PLACEMENT)
    assert refused.value.code == "camera.tls"
    assert await inventory.all() == []
