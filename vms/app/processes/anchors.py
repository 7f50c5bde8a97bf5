"""The anchors: what has authorities time-stamp the access log, and witnesses cosign it. It holds no key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from access_audit.anchors.cosignatures import WitnessAddress
from access_audit.anchors.process import AnchorSettings, run_anchors
from access_audit.anchors.timestamps import Authority
from access_audit.verify.notes import WITNESS_KEY, Unreadable, read_key
from vms.app.layout import DataFolder
from vms.app.settings import AuditSettings
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError


async def run(folder: DataFolder, stop: asyncio.Event, on_ready: Callable[[], None], _: int) -> None:
    """Have the log anchored until asked to stop."""
    audit = folder.settings.audit
    settings = AnchorSettings(
        folder=folder.audit,
        authorities=tuple(Authority(each.name, each.url, each.ca_file) for each in audit.timestamp_authorities),
        witnesses=_witnesses(audit),
        interval_s=audit.anchor_interval_minutes * 60,
    )
    await run_anchors(settings, SystemClock(), stop, on_ready)


def _witnesses(audit: AuditSettings) -> tuple[WitnessAddress, ...]:
    found: dict[str, WitnessAddress] = {}
    for each in audit.witnesses:
        try:
            key = read_key(each.key, WITNESS_KEY)
            if key.name in found:
                raise Unreadable("two witnesses of one name")
        except Unreadable as wrong:
            raise VmsError(
                ErrorKind.CONFIGURATION,
                "audit.witness",
                f"La clé du témoin {each.url} n'est pas celle d'un témoin, ou son nom est déjà pris.",
                hint="Donnez dans « key » la ligne de son fichier witness.pub, telle quelle.",
                detail=str(wrong),
            ) from None
        found[key.name] = WitnessAddress(each.url, key)
    return tuple(found.values())
