"""`vms recorder capacity` and `vms recorder certificate`: what the disks promise, and what was destroyed."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Column, Table

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.app.layout import DataFolder, read_audit_key
from vms.base.clock import SystemClock
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

if TYPE_CHECKING:
    from supervision_centre.destruction.service import Proved

TIGHT: Final = 1
LACKING: Final = 7
"""The exit code of what has no room left, as everywhere."""


def capacity(config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Dit combien de jours tient chaque disque.

    Code 1 si l'un tient de justesse, 7 s'il ne suffit pas ou ne répond plus.
    """
    from recorder.contract.capacity import CapacityState
    from supervision_centre.capacity.report import report_json

    configure_logging("recorder", level="error", as_json=False)
    report = asyncio.run(_capacity(installation(config, data), report_json))
    if as_json:
        _print_json(report)
    else:
        _print_disks(report)
    if report["state"] in {CapacityState.SHORT, CapacityState.DEAD}:
        raise typer.Exit(LACKING)
    if report["state"] == CapacityState.TIGHT:
        raise typer.Exit(TIGHT)


def certificate(
    camera_id: Annotated[str, typer.Argument(help="Identifiant de la caméra.")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Journée passée, comme 2026-07-01.")],
    html: Annotated[Path | None, typer.Option(help="Écrit la page à imprimer dans ce fichier.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Certifie ce qui est détruit des images d'une caméra et d'un jour, d'après le journal et l'enregistreur."""
    from supervision_centre.destruction.answers import certificate_json
    from supervision_centre.destruction.page import certificate_page, inline_style
    from supervision_centre.destruction.wording import CONCLUSIONS, bytes_text
    from supervision_centre.settings import CONSOLE_FILES

    configure_logging("recorder", level="error", as_json=False)
    folder = installation(config, data)
    proved = asyncio.run(_certificate(folder, camera_id, day))
    if html is not None:
        style = inline_style((CONSOLE_FILES / "css" / "certificate.css").read_text(encoding="utf-8"))
        page = certificate_page(
            proved, centre_name=folder.settings.centre_name, author_name=getpass.getuser(), style=style
        )
        _write(html, page)
    if as_json:
        _print_json(certificate_json(proved))
        return
    made = proved.certificate
    console = Console(highlight=False)
    console.print(f"[bold]{proved.camera.name}[/bold] ({proved.camera.commune_name}), {made.day.isoformat()}")
    console.print(f"  enregistré {bytes_text(made.collected_bytes)}, effacé {bytes_text(made.erased_bytes)}")
    console.print(f"  {CONCLUSIONS[made.conclusion]}")
    console.print(f"  {len(made.cited)} inscription(s) du journal, chacune avec sa preuve (--json).")
    if html is not None:
        console.print(f"  Page à imprimer : {html}")


async def _capacity(folder: DataFolder, report: Any) -> dict[str, Any]:  # noqa: ANN401 — a function that is loaded late
    from recorder.node.local import LocalNode

    node = LocalNode(folder.shard_sockets, None)
    try:
        told: dict[str, Any] = report(await node.capacity(), SystemClock().utc_ns())
        return told
    finally:
        await node.close()


async def _certificate(folder: DataFolder, camera_id: str, day: datetime) -> Proved:
    from access_audit.client import AuditClient
    from recorder.node.local import LocalNode
    from supervision_centre.destruction.service import Destruction
    from supervision_centre.people.provision import system_author
    from vms.app.inventory import open_inventory

    audit = AuditClient(folder.audit_socket, await asyncio.to_thread(read_audit_key, folder.audit_public_key))
    node = LocalNode(folder.shard_sockets, None)
    try:
        async with open_inventory(folder) as (inventory, database):
            camera = await inventory.get(camera_id)
            if camera is None:
                raise VmsError(
                    ErrorKind.NOT_FOUND,
                    "camera.unknown",
                    f"La caméra « {camera_id} » n'existe pas.",
                    hint="« vms cameras list » donne les identifiants.",
                )
            destruction = Destruction(audit, node, database, SystemClock())
            return await destruction.certify(system_author(getpass.getuser()), camera, day.date())
    finally:
        await node.close()
        await audit.close()


def _print_disks(report: dict[str, Any]) -> None:
    from supervision_centre.destruction.wording import bytes_text

    figures = (Column(name, justify="right") for name in ("Libre", "Par jour", "Jours tenus / exigés"))
    table = Table("Disque", "État", *figures)
    for disk in report["disks"]:
        dead = disk["state"] == "dead"
        table.add_row(
            disk["name"],
            disk["state_label"],
            "" if dead else bytes_text(disk["free_bytes"]),
            "" if dead else bytes_text(disk["bytes_per_day"]),
            "" if dead else f"{disk['reached_days']:.0f} / {disk['required_days']:.0f}",
        )
    console = Console(highlight=False)
    console.print(table)
    for disk in report["disks"]:
        console.print(f"{disk['sentence']} {disk['advice']}".rstrip())


def _print_json(content: dict[str, Any]) -> None:
    json.dump(content, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as refused:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "file.unwritable",
            f"La page ne peut pas être écrite dans {path}.",
            hint="Choisissez un autre fichier.",
            detail=str(refused),
        ) from None
