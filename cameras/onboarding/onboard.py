"""Onboarding one camera: ask it what it can tell, keep it in the inventory, put it in service when the law allows.

Nothing here shows an image (LAW-57). The entry in the access log is durable before the inventory changes (LAW-25).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog

from access_audit.events import AccessEvent, Author, EventKind, Reason
from cameras.inventory.repository import CameraRecord, Change, Inventory, StreamRecord
from cameras.onboarding.pins import pins_for, spoken
from cameras.onvif.device import DeviceStream, open_device
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError

log = structlog.get_logger(__name__)

PLAYABLE_CODECS = frozenset({"h264", "h265"})
OLD_CODECS = frozenset({"mpeg4", "mpv4-es", "jpeg"})
"""What a recorder takes where a camera has nothing better: recorded as it is, and no browser plays it."""
MAX_CLOCK_OFFSET_S = 2.0
RecordEvent = Callable[[AccessEvent], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Placement:
    """What the camera cannot tell: its name, where it stands, who answers for it."""

    name: str
    commune: str
    authority: str
    site: str = ""
    latitude: float | None = None
    longitude: float | None = None
    orientation_deg: float | None = None
    field_type: str = "narrow"


@dataclass(frozen=True, slots=True)
class CameraAccess:
    """How to reach a camera."""

    service_url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Onboarded:
    """The outcome: the camera, whether it is in service or what stands against it, and warnings in French."""

    camera_id: str
    hardware_id: str
    in_service: bool
    obstacle: str
    streams: tuple[DeviceStream, ...]
    warnings: tuple[str, ...]


class Onboarder:
    """Onboards cameras into an inventory, in the name of one person."""

    def __init__(self, inventory: Inventory, record: RecordEvent, author: Author, clock: Clock) -> None:
        self._inventory = inventory
        self._record = record
        self._author = author
        self._clock = clock

    async def onboard(self, access: CameraAccess, placement: Placement) -> Onboarded:
        """Onboard one camera; the same device again is an update.

        Raises VmsError of kind camera when it cannot be reached, refuses the account, does not speak ONVIF, offers
        no stream that can be recorded, or shows another key than the recorded one.
        """
        async with open_device(access.service_url, access.username, access.password) as device:
            identity = await device.identity()
            main, sub = choose_streams(await device.streams(), access.service_url)
            offset_s = device.clock_offset_s
        chosen = {role: stream for role, stream in (("main", main), ("sub", sub)) if stream is not None}
        pins = await self._pins(identity.hardware_id, chosen)
        authorisation = await self._inventory.authorisation_of_commune(placement.commune)
        await self._record(
            AccessEvent(
                kind=EventKind.CAMERA_ONBOARDED,
                author=self._author,
                at_ns=self._clock.utc_ns(),
                reason=Reason("commissioning"),
                commune=placement.commune,
                authority=placement.authority,
                details={
                    "hardware": identity.hardware_id[:120],
                    "authorisation": authorisation.reference if authorisation else "",
                },
            )
        )
        change = Change(self._author.name, "mise en service")
        camera_id = await self._inventory.put_camera(
            CameraRecord(
                hardware_id=identity.hardware_id,
                name=placement.name,
                commune=placement.commune,
                authority=placement.authority,
                address=access.service_url.split("/")[2],
                service_url=access.service_url,
                username=access.username,
                password=access.password,
                streams=tuple(_record_of(role, stream, pins.get(role, ())) for role, stream in chosen.items()),
                site=placement.site,
                latitude=placement.latitude,
                longitude=placement.longitude,
                orientation_deg=placement.orientation_deg,
                field_type=placement.field_type,
                manufacturer=identity.manufacturer,
                model=identity.model,
                firmware=identity.firmware,
                serial=identity.serial,
            ),
            change,
        )
        obstacle = ""
        try:
            await self._inventory.put_in_service(
                camera_id, authorisation.authorisation_id if authorisation else "", change
            )
        except VmsError as refused:
            if refused.code != "camera.not_authorised":
                raise
            obstacle = refused.message
        log.info("camera onboarded", camera_id=camera_id, hardware=identity.hardware_id, in_service=not obstacle)
        return Onboarded(
            camera_id,
            identity.hardware_id,
            in_service=not obstacle,
            obstacle=obstacle,
            streams=tuple(chosen.values()),
            warnings=(*_warnings(offset_s, main, sub), *_told_pins(pins)),
        )

    async def _pins(self, hardware_id: str, streams: Mapping[str, DeviceStream]) -> dict[str, tuple[str, ...]]:
        """The keys of encrypted streams: those on record, or the first ones that the camera shows."""
        camera_id = (await self._inventory.hardware_ids()).get(hardware_id)
        kept = await self._inventory.streams(camera_id) if camera_id is not None else []
        known = {stream.role: stream.tls_pins for stream in kept}
        return await pins_for({role: stream.url for role, stream in streams.items()}, known)


def choose_streams(streams: list[DeviceStream], service_url: str) -> tuple[DeviceStream, DeviceStream | None]:
    """The stream to record (the largest picture) and the one for small tiles (the smallest other one, if any).

    Old codecs are taken only from a camera that offers nothing else. Raises VmsError `camera.no_stream` when nothing
    can be recorded as it is.
    """
    usable = [stream for stream in streams if stream.codec in PLAYABLE_CODECS]
    usable = usable or [stream for stream in streams if stream.codec in OLD_CODECS]
    if not usable:
        offered = ", ".join(sorted({stream.codec for stream in streams})) or "aucun flux"
        raise VmsError(
            ErrorKind.CAMERA,
            "camera.no_stream",
            f"La caméra {service_url} n'offre aucun flux H.264 ou H.265 (elle offre : {offered}).",
            hint="Réglez un de ses profils en H.264 ou H.265.",
        )
    main = max(usable, key=lambda stream: (stream.pixels, stream.frame_rate))
    smaller = [stream for stream in usable if stream.pixels < main.pixels]
    return main, min(smaller, key=lambda stream: stream.pixels, default=None)


def _record_of(role: str, stream: DeviceStream, pins: tuple[str, ...]) -> StreamRecord:
    return StreamRecord(role, stream.url, stream.codec, stream.width, stream.height, stream.frame_rate, pins)


def _told_pins(pins: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    shown = dict.fromkeys(pin for kept in pins.values() for pin in kept)
    return tuple(
        f"liaison chiffrée, empreinte retenue {spoken(pin)} : comparez-la à celle qu'affiche la caméra" for pin in shown
    )


def _warnings(offset_s: float, main: DeviceStream, sub: DeviceStream | None) -> tuple[str, ...]:
    found = []
    if abs(offset_s) > MAX_CLOCK_OFFSET_S:
        side = "en avance" if offset_s > 0 else "en retard"
        found.append(f"l'horloge de la caméra est {side} de {abs(offset_s):.0f} s : réglez son serveur de temps (NTP)")
    if main.codec in OLD_CODECS:
        found.append(
            f"la caméra n'offre que du {main.codec.upper()} : elle sera enregistrée telle quelle, sans direct ni"
            " relecture dans le navigateur (images fixes et exports seulement)"
        )
    if sub is None:
        found.append("la caméra n'a pas de second flux : le mur d'images montrera le flux principal")
    return tuple(found)
