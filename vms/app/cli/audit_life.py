"""`vms audit expiry` and `compare`: what of the access log falls when, and whether it explains what was served."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.base.clock import NS_PER_SECOND, SystemClock, utc_text
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from recorder.contract.served import ServedView
    from supervision_centre.served.comparison import Unexplained
    from vms.app.layout import DataFolder

_CAUSES: Final = {
    "no_entry": "aucune consultation inscrite ({seconds} s d'images)",
    "before_entry": "images transmises {seconds} s avant l'inscription",
    "longer": "images transmises {seconds} s après la fin inscrite",
}


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `vms audit`."""
    app.command("expiry")(expiry)
    app.command("compare")(compare)


def expiry(
    folder: Annotated[Path | None, typer.Option(help="Dossier du journal, au lieu de celui de l'installation.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Montre quels contenus du journal seront effacés, et quand, par responsable."""
    from access_audit.format import FormatError
    from access_audit.outlook import outlook
    from access_audit.tiles import TileError
    from vms.app.cli.audit import folder_of
    from vms.app.settings import AuditSettings

    place = folder_of(folder, config, data)
    # Where a folder alone is named there may be no installation: the default holds then.
    named = folder is not None and config is None and data is None
    retention = (AuditSettings() if named else installation(config, data).settings.audit).retention
    now_ns = SystemClock().utc_ns()
    try:
        size = int((place / "checkpoint").read_bytes().split(b"\n")[1])
        found = outlook(place, size, retention, now_ns)
    except (OSError, ValueError, IndexError, TileError, FormatError) as wrong:
        raise VmsError(
            ErrorKind.CORRUPT,
            "audit.tampered",
            "Le journal des accès est altéré ou incomplet.",
            hint="Lancez « vms audit verify » pour savoir ce qui a changé ; gardez une copie du dossier.",
            detail=str(wrong),
        ) from None
    if as_json:
        shown = [each.to_json() for each in found.controllers]
        typer.echo(json.dumps({"erased": found.erased, "controllers": shown}, ensure_ascii=False, indent=2))
        return
    typer.echo(f"Contenus déjà effacés à l'échéance légale : {found.erased}")
    for each in found.controllers:
        first = utc_text(each.oldest_ns + each.days * 86_400 * 1_000_000_000)
        typer.echo(f"{each.authority or 'sans responsable nommé'} : {each.payloads} contenus, {each.days} jours")
        typer.echo(f"  premier effacement le {first}" + (f" ; {each.due} échus" if each.due else ""))


def compare(
    day: Annotated[str, typer.Option(help="Jour UTC, AAAA-MM-JJ ; hier si rien n'est dit.")] = "",
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare ce que la passerelle a transmis à ce que le journal dit. Code 8 si une transmission est inexpliquée."""
    from recorder.live.served import day_of, read_day

    folder = installation(config, data)
    now_ns = SystemClock().utc_ns()
    try:
        chosen = date.fromisoformat(day or day_of(now_ns - 86_400 * NS_PER_SECOND))
    except ValueError:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "audit.day",
            f"« {day} » n'est pas un jour.",
            hint="Écrivez-le AAAA-MM-JJ, par exemple 2026-11-24.",
        ) from None
    views = [view for view in read_day(folder.served, chosen.isoformat()) if view.sent_bytes]
    found = asyncio.run(_unexplained(folder, chosen, views, now_ns))
    if as_json:
        shown = [
            {**asdict(each.view), "cause": each.cause, "excess_s": each.excess_s, "seconds": each.view.seconds}
            for each in found
        ]
        total = {"views": len(views), "bytes": sum(view.sent_bytes for view in views)}
        typer.echo(json.dumps({"day": chosen.isoformat(), **total, "unexplained": shown}, indent=2))
    else:
        typer.echo(f"{chosen} : {len(views)} transmissions, {len(found)} que le journal n'explique pas.")
        for each in found:
            view = each.view
            typer.echo(f"  {view.session_id} {view.camera_id} : {_CAUSES[each.cause].format(seconds=each.excess_s)}")
    if found:
        sys.exit(VmsError(ErrorKind.CORRUPT, "audit.unexplained", "").exit_code)


async def _unexplained(folder: DataFolder, day: date, views: Sequence[ServedView], now_ns: int) -> list[Unexplained]:
    from access_audit.client import AuditClient
    from supervision_centre.served.comparison import CLOSED, OPENED
    from supervision_centre.served.comparison import compare as compared
    from supervision_centre.served.service import journal_of
    from vms.app.layout import read_audit_key

    if not views:
        return []
    audit = AuditClient(folder.audit_socket, read_audit_key(folder.audit_public_key))
    try:
        return compared(views, await journal_of(audit, day, {*OPENED, *CLOSED}, now_ns))
    finally:
        await audit.close()
