"""`vms audit expiry`: what of the access log falls when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.base.clock import SystemClock, utc_text
from vms.base.errors import ErrorKind, VmsError


def register(app: typer.Typer) -> None:
    """Add the commands of this file to `vms audit`."""
    app.command("expiry")(expiry)


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
