"""One ONVIF device behind one adapter: identity, clock and streams, each call with a deadline.

Rules: the camera's own clock signs the digest (WS-UsernameToken is dated), every address that it gives is put at the
address that answered, and whatever the camera or the library does wrong becomes one VmsError of kind camera with a
French sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import structlog
import zeep.exceptions
from defusedxml.common import DefusedXmlException
from lxml.etree import LxmlError
from onvif import ONVIFCamera, ONVIFError
from onvif.exceptions import ONVIFAuthError

from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

T = TypeVar("T")
CALL_DEADLINE_S: Final = 10.0
MAX_PROFILES: Final = 32
_SETUP: Final = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who the device is. `hardware_id` is its MAC address, or its serial number where it hides the MAC."""

    hardware_id: str
    manufacturer: str
    model: str
    firmware: str
    serial: str


@dataclass(frozen=True, slots=True)
class DeviceStream:
    """One profile that can be fetched. The address holds no credentials; `codec` is `h264`, `h265` or another word."""

    profile: str
    url: str
    codec: str
    width: int
    height: int
    frame_rate: float

    @property
    def pixels(self) -> int:
        """The number of pixels of a picture."""
        return self.width * self.height


class OnvifDevice:
    """An open conversation with one device; made by `open_device`."""

    def __init__(self, client: Any, host: str) -> None:  # noqa: ANN401 — the library has no types
        self._client = client
        self._host = host

    @property
    def clock_offset_s(self) -> float:
        """Seconds by which the camera's clock is ahead of ours (LAW-39)."""
        offset = self._client.dt_diff
        return float(offset.total_seconds()) if offset is not None else 0.0

    async def identity(self) -> DeviceIdentity:
        """Maker, model, firmware, serial number and hardware identity."""
        device = await self._call(self._client.create_devicemgmt_service())
        information = await self._call(device.GetDeviceInformation())
        serial = _text(information.SerialNumber)
        return DeviceIdentity(
            hardware_id=await self._hardware_address(device) or f"sn:{_text(information.Manufacturer)}:{serial}",
            manufacturer=_text(information.Manufacturer),
            model=_text(information.Model),
            firmware=_text(information.FirmwareVersion),
            serial=serial,
        )

    async def streams(self) -> list[DeviceStream]:
        """Every video profile, the largest picture first."""
        found = await self._media_streams()
        return sorted(found, key=lambda stream: -stream.pixels)

    async def _media_streams(self) -> list[DeviceStream]:
        media = await self._call(self._client.create_media_service())
        profiles = await self._call(media.GetProfiles())
        found = []
        for profile in list(profiles or [])[:MAX_PROFILES]:
            encoder = profile.VideoEncoderConfiguration
            if encoder is not None:
                answer = await self._call(media.GetStreamUri({"StreamSetup": _SETUP, "ProfileToken": profile.token}))
                found.append(self._stream(profile.token, _text(answer.Uri), encoder))
        return found

    def _stream(self, profile: str, uri: str, encoder: Any) -> DeviceStream:  # noqa: ANN401
        rate = getattr(encoder.RateControl, "FrameRateLimit", 0) if encoder.RateControl is not None else 0
        return DeviceStream(
            profile=_text(profile),
            url=at_host(uri, self._host),
            codec=_text(encoder.Encoding).lower().replace("hevc", "h265"),
            width=int(encoder.Resolution.Width),
            height=int(encoder.Resolution.Height),
            frame_rate=float(rate or 0),
        )

    async def _hardware_address(self, device: Any) -> str:  # noqa: ANN401
        try:
            interfaces = await self._call(device.GetNetworkInterfaces())
        except VmsError:
            return ""
        for interface in interfaces or []:
            address = _text(interface.Info.HwAddress) if interface.Info is not None else ""
            if address:
                return "mac:" + address.lower().replace("-", ":")
        return ""

    async def _call(self, call: Awaitable[T]) -> T:
        return await _guarded(call, self._host)


@asynccontextmanager
async def open_device(service_url: str, username: str, password: str) -> AsyncIterator[OnvifDevice]:
    """Open a device at its service address.

    Raises VmsError `camera.bad_address`, `camera.unreachable`, `camera.bad_password` or `camera.soap`.
    """
    parts = urlsplit(service_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "camera.bad_address",
            f"« {service_url} » n'est pas l'adresse d'un service ONVIF.",
            hint="Écrivez par exemple http://10.27.4.12/onvif/device_service.",
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    client = ONVIFCamera(parts.hostname, port, username, password, adjust_time=True, nat_override=True, no_cache=True)
    try:
        await _guarded(client.update_xaddrs(), parts.hostname)
        yield OnvifDevice(client, parts.hostname)
    finally:
        await client.close()


def at_host(url: str, host: str) -> str:
    """A stream address at the host that answered, without credentials and without a fragment.

    Raises VmsError `camera.soap` when it is no RTSP address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"rtsp", "rtsps"}:
        raise _soap_error(host, f"stream address {url[:120]!r}")
    return urlunsplit((parts.scheme, f"{host}:{port}" if port else host, parts.path, parts.query, ""))


async def _guarded(call: Awaitable[T], host: str) -> T:
    try:
        async with asyncio.timeout(CALL_DEADLINE_S):
            return await call
    except ONVIFAuthError as refused:
        raise _bad_password(host, repr(refused)) from None
    except zeep.exceptions.Fault as fault:
        if "notauthorized" in str(fault.subcodes).lower() or "not authorized" in str(fault).lower():
            raise _bad_password(host, str(fault)) from None
        raise _soap_error(host, str(fault)) from None
    except (TimeoutError, aiohttp.ClientConnectionError, OSError) as unreachable:
        raise VmsError(
            ErrorKind.CAMERA,
            "camera.unreachable",
            f"La caméra {host} ne répond pas.",
            hint="Vérifiez son alimentation, son adresse et le lien jusqu'à elle.",
            detail=repr(unreachable),
        ) from None
    except (ONVIFError, zeep.exceptions.Error, aiohttp.ClientError, DefusedXmlException, LxmlError) as wrong:
        if "401" in str(wrong) or "Unauthorized" in str(wrong):
            raise _bad_password(host, str(wrong)) from None
        raise _soap_error(host, repr(wrong)) from None
    except (AttributeError, KeyError, TypeError, ValueError, AssertionError) as misread:
        raise _soap_error(host, f"reply of an unknown shape: {misread!r}") from None


def _text(value: object) -> str:
    return str(value if value is not None else "").strip()[:500]


def _bad_password(host: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CAMERA,
        "camera.bad_password",
        f"La caméra {host} refuse le compte ou le mot de passe.",
        hint="Vérifiez-les ; après plusieurs refus, certaines caméras bloquent le compte quelques minutes.",
        detail=detail,
    )


def _soap_error(host: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CAMERA,
        "camera.soap",
        f"La caméra {host} répond d'une façon qui n'est pas conforme à ONVIF.",
        hint="Mettez à jour son micrologiciel, ou déclarez-la à la main.",
        detail=detail,
    )
