"""A running camera: its device state and its two servers, with the reboot that a client may ask for."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

import structlog

from cameras.simulator.certificate import new_context
from cameras.simulator.certificate import present as present_certificate
from cameras.simulator.device import Device
from cameras.simulator.digest import DigestGate
from cameras.simulator.discovery import Responder
from cameras.simulator.http import HttpRequest, HttpResponse, HttpServer
from cameras.simulator.onvif.endpoint import OnvifEndpoint
from cameras.simulator.rtsp_server import RtspServer
from cameras.simulator.spec import Fault
from cameras.simulator.wheel import Wheel
from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError
from vms.media.rtsp_auth import Algorithm

log = structlog.get_logger(__name__)

MOTION_LASTS_S = 3.0


@dataclass(slots=True)
class SimulatedCamera:
    """One camera on the network. Ports are known after `start`."""

    device: Device
    wheel: Wheel
    responder: Responder
    _http: HttpServer | None = None
    _rtsp: RtspServer | None = None
    _reboot: asyncio.Task[None] | None = None
    _has_motion: bool = False
    _gates: tuple[DigestGate, DigestGate] = field(init=False)
    _tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        device = self.device
        if device.spec.rtsps:
            self._tls = new_context(device.spec.mac, changed=Fault.CERTIFICATE_CHANGED in device.faults)
        realm = f"{device.spec.manufacturer.encode('ascii', 'ignore').decode()} {device.spec.serial}"
        algorithms = (Algorithm.SHA256, Algorithm.MD5) if device.spec.rtsp_sha256 else (Algorithm.MD5,)
        self._gates = (
            DigestGate(realm, device.clock, device.usable_accounts, qop=True),
            DigestGate(realm, device.clock, device.usable_accounts, algorithms),
        )

    @property
    def http_port(self) -> int:
        """The port of the ONVIF services."""
        return self.device.http_port

    @property
    def rtsp_port(self) -> int:
        """The port of the streams."""
        return self.device.rtsp_port

    @property
    def discovery_port(self) -> int | None:
        """The UDP port of WS-Discovery, None when the camera does not answer."""
        return self.responder.ports.get(self.device.endpoint)

    @property
    def device_url(self) -> str:
        """Where the ONVIF device service really answers."""
        return f"http://{self.device.spec.address}:{self.http_port}/onvif/device_service"

    def stream_url(self, role: str = "main") -> str:
        """Where a stream really plays, without credentials."""
        return f"{self.device.spec.rtsp_scheme}://{self.device.spec.address}:{self.rtsp_port}/{role}"

    @property
    def clients(self) -> int:
        """How many RTSP connections are open."""
        return len(self._rtsp.connections) if self._rtsp is not None else 0

    def set_fault(self, fault: Fault, present: bool = True) -> None:
        """Switch a fault on or off while the camera runs."""
        self.device.set_fault(fault, present)
        if fault is Fault.CERTIFICATE_CHANGED and self._tls is not None:
            present_certificate(self._tls, self.device.spec.mac, changed=present)

    def set_motion(self, motion: bool) -> None:
        """Let the motion detector see something, or nothing more."""
        self.device.pull_points.set_motion(self.device.utc_ns(), motion)

    async def start(self) -> None:
        """Listen on all ports and say hello; after a `stop`, on the same TCP ports as before.

        Raises VmsError(UNAVAILABLE) when an address or a port is taken.
        """
        spec = self.device.spec
        try:
            await self._listen(self.device.http_port or spec.http_port, self.device.rtsp_port or spec.rtsp_port)
        except OSError as error:
            await self._close(say_bye=False)
            raise VmsError(
                ErrorKind.UNAVAILABLE,
                "simulator.address_in_use",
                f"La caméra simulée « {spec.name} » ne peut pas écouter sur {spec.address}.",
                hint="Vérifiez qu'aucun autre simulateur ne tourne, ou choisissez une autre plage avec --base.",
                detail=str(error),
            ) from None
        if spec.motion_every_s > 0 and not self._has_motion:
            self._has_motion = True
            self._schedule_motion(self.wheel.clock.monotonic_ns(), motion=True)

    async def stop(self) -> None:
        """Say goodbye and close everything."""
        if self._reboot is not None:
            self._reboot.cancel()
            await asyncio.gather(self._reboot, return_exceptions=True)
        await self._close(say_bye=True)

    async def _listen(self, http_port: int, rtsp_port: int) -> None:
        device = self.device
        self._http = HttpServer(self._answer)
        self._rtsp = RtspServer(device, self.wheel, self._gates[1])
        device.rtsp_port = await self._rtsp.start(device.spec.address, rtsp_port, self._tls)
        device.http_port = await self._http.start(device.spec.address, http_port)
        await self.responder.add(device)

    async def _close(self, *, say_bye: bool) -> None:
        self.responder.remove(self.device, say_bye=say_bye)
        self.device.pull_points.close()
        if self._http is not None:
            await self._http.stop()
        if self._rtsp is not None:
            await self._rtsp.stop(say_bye=say_bye)
        self._http = self._rtsp = None

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        response = await OnvifEndpoint(self.device, self._gates[0]).handle(request)
        if self.device.reboot_wanted and self._reboot is None:
            self._reboot = asyncio.create_task(self._restart())
        return response

    async def _restart(self) -> None:
        device = self.device
        await device.clock.sleep(0.1)  # the answer to SystemReboot leaves first
        log.info("camera reboots", camera=device.spec.address)
        await self._close(say_bye=True)
        await device.clock.sleep(device.spec.reboot_s)
        device.boots += 1
        try:
            await self._listen(device.http_port, device.rtsp_port)
        except OSError as error:
            log.error("camera lost its address while it rebooted", camera=device.spec.address, error=str(error))
            await self._close(say_bye=False)
        device.reboot_wanted = False
        self._reboot = None

    def _schedule_motion(self, now_ns: int, *, motion: bool) -> None:
        pause_s = max(0.0, self.device.spec.motion_every_s - MOTION_LASTS_S) if motion else MOTION_LASTS_S

        def notice(at_ns: int) -> None:
            if self._http is not None:
                self.set_motion(motion)
            self._schedule_motion(at_ns, motion=not motion)

        self.wheel.at(now_ns + round(pause_s * NS_PER_SECOND), notice)
