"""`vms audit rotate-key`: changes the key of the access log, whether its writer runs or not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from vms.app.cli.place import ConfigOption, DataOption, installation
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from access_audit.keys import KeyRing
    from vms.app.layout import DataFolder

_DAY_NS: Final = 86_400 * 1_000_000_000
_PATIENCE_S: Final = 15.0


def register(app: typer.Typer) -> None:
    """Add the command to `vms audit`."""
    app.command("rotate-key")(rotate_key)


def rotate_key(
    data: DataOption = None,
    config: ConfigOption = None,
    to: Annotated[str, typer.Option(help="Clé suivante dans un jeton, « pkcs11:… » ; sinon une clé neuve.")] = "",
    overlap_days: Annotated[
        int, typer.Option(min=0, max=365, help="Jours pendant lesquels les deux clés signent.")
    ] = 7,
) -> None:
    """Change la clé du journal sans l'arrêter : la passation est inscrite, et signée des deux clés."""
    from access_audit.keys import KeyRing, load_log_key

    place = installation(config, data)
    if not place.audit_public_key.exists():
        raise VmsError(
            ErrorKind.NOT_FOUND,
            "audit.no_log",
            f"Il n'y a pas de journal des accès dans {place.audit}.",
            hint="Indiquez le dossier de données de la machine du journal avec --data.",
        )
    _check_account(place.audit_key)
    ring = KeyRing(place.audit_key, place.audit, place.settings.audit.origin)
    prepared = ring.prepare(to, overlap_days * _DAY_NS)
    try:
        asyncio.run(_by_the_writer(place))
    except VmsError as refused:
        if refused.code != "audit.unavailable":
            raise
        _alone(place, ring, refused)
    current = load_log_key(place.audit_public_key)
    typer.echo(f"Clé du journal : {current.text()}")
    if current != prepared:
        raise VmsError(
            ErrorKind.CONFLICT,
            "audit.key_unsettled",
            "Le changement de clé est commencé, mais pas terminé.",
            hint="Le processus du journal le termine seul dans la minute ; sinon, voyez ses messages techniques.",
        )
    if overlap_days:
        typer.echo(f"L'ancienne clé signe encore pendant {overlap_days} jours, puis elle est effacée.")
    typer.echo("Remettez cette clé publique à ceux qui vérifient le journal ; la précédente leur suffit aussi.")


async def _by_the_writer(place: DataFolder) -> None:
    from access_audit.client import AuditClient
    from vms.app.layout import read_audit_key

    socket = place.audit_socket
    patience_s = _PATIENCE_S if await asyncio.to_thread(socket.exists) else 0.5
    key = await asyncio.to_thread(read_audit_key, place.audit_public_key)
    client = AuditClient(socket, key, patience_s)
    try:
        await client.rotate_key()
    finally:
        await client.close()


def _alone(place: DataFolder, ring: KeyRing, refused: VmsError) -> None:
    from access_audit.rotation import rotate_alone

    try:
        rotate_alone(place.audit, ring, SystemClock())
    except VmsError as locked:
        raise (refused if locked.code == "folder.in_use" else locked) from None


def _check_account(key_file: Path) -> None:
    """A key that the writer's account cannot read would stop the log at its next start."""
    try:
        owner = key_file.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        raise VmsError(
            ErrorKind.FORBIDDEN,
            "audit.key_account",
            "La clé du journal se change sous le compte de son processus.",
            hint="Relancez cette commande sous ce compte, par exemple avec « sudo -u vms ».",
            detail=f"{key_file} belongs to user {owner}",
        )
