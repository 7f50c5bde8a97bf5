"""The keys of encrypted streams: trusted when the installer first meets a camera, and changed by a person only.

A camera signs its certificate itself, so the first one that it shows is taken, and its fingerprint is told to the
installer, who stands before the camera and can compare. From then on another key is refused, here and by the recorder,
until somebody with the right says that the change was meant (`trust_presented`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

import structlog

from access_audit.events import AccessEvent, Author, EventKind, Reason
from cameras.inventory.repository import Change, Inventory
from vms.base.clock import Clock
from vms.base.errors import ErrorKind, VmsError
from vms.base.tls import presented_pin

log = structlog.get_logger(__name__)

DEFAULT_PORT = 322
MAX_PINS = 4
RecordEvent = Callable[[AccessEvent], Awaitable[object]]


def is_encrypted(url: str) -> bool:
    """Whether a stream comes over TLS."""
    return url.lower().startswith("rtsps:")


def spoken(pin: str) -> str:
    """A fingerprint as cameras and browsers show it: `3A:7F:…`."""
    return ":".join(pin[place : place + 2] for place in range(0, len(pin), 2)).upper()


async def pins_for(streams: Mapping[str, str], known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The pins to keep for the addresses of a camera, both by role; `known` are those that are kept already.

    Raises VmsError `camera.tls_pin_mismatch` for a key other than those known, `camera.tls` when there is no TLS.
    """
    found = {}
    for role, url in streams.items():
        if not is_encrypted(url):
            continue
        presented = await _presented(url)
        pins = known.get(role, ())
        if pins and presented not in pins:
            raise VmsError(
                ErrorKind.CAMERA,
                "camera.tls_pin_mismatch",
                f"La caméra {urlsplit(url).hostname} ne présente plus le certificat enregistré : {spoken(presented)}.",
                hint="Vérifiez sur place pourquoi, puis acceptez la nouvelle empreinte par « vms cameras trust ».",
            )
        found[role] = pins or (presented,)
    return found


async def trust_presented(
    inventory: Inventory, record: RecordEvent, author: Author, clock: Clock, camera_id: str, *, replace: bool = False
) -> tuple[str, ...]:
    """Accept the keys that a camera shows now, beside those it had or, with `replace`, instead of them.

    Returns the pins of its streams. The entry in the access log is durable before anything changes (LAW-25). Raises
    VmsError `camera.unknown`, `camera.not_encrypted` or `camera.tls`.
    """
    streams = [stream for stream in await inventory.streams(camera_id) if is_encrypted(stream.url)]
    view = await inventory.get(camera_id)
    if view is None or not streams:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "camera.not_encrypted",
            "Cette caméra n'a pas de flux chiffré.",
            hint="Seules les adresses rtsps:// ont une empreinte.",
        )
    wanted = {}
    for stream in streams:
        presented = await _presented(stream.url)
        kept = () if replace else tuple(pin for pin in stream.tls_pins if pin != presented)
        wanted[stream.role] = (presented, *kept)[:MAX_PINS]
    await record(
        AccessEvent(
            kind=EventKind.CAMERA_CHANGED,
            author=author,
            at_ns=clock.utc_ns(),
            reason=Reason("commissioning"),
            camera_id=camera_id,
            commune=view.commune,
            authority=view.authority,
            details={"field": "tls_pins"},
        )
    )
    await inventory.set_pins(camera_id, wanted, Change(author.name, "certificat accepté"))
    log.info("camera key trusted", camera_id=camera_id, replaced=replace)
    return tuple(dict.fromkeys(pin for pins in wanted.values() for pin in pins))


async def _presented(url: str) -> str:
    parts = urlsplit(url)
    try:
        return await presented_pin(parts.hostname or "", parts.port or DEFAULT_PORT)
    except (OSError, ValueError) as failed:
        raise VmsError(
            ErrorKind.CAMERA,
            "camera.tls",
            f"La caméra {parts.hostname} annonce un flux chiffré, mais la liaison TLS échoue.",
            hint="Vérifiez son certificat et sa version de TLS (1.2 au moins), ou désactivez RTSPS.",
            detail=repr(failed),
        ) from None
