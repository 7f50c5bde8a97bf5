"""`vms cameras`: what an installer and an administrator do with cameras. No command shows an image (LAW-57)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Column, Table

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.app.layout import DataFolder
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")

_STATES = {
    "discovered": "découverte",
    "commissioned": "installée",
    "authorised": "autorisée",
    "in_service": "en service",
    "suspended": "suspendue",
    "retired": "retirée",
}


@app.command()
def discover(
    ranges: Annotated[
        list[str] | None, typer.Argument(help="Plages à sonder au-delà des routeurs : 10.27.4.0/24 …")
    ] = None,
    interface: Annotated[
        str, typer.Option(help="Adresse IPv4 de cette machine dans le réseau des caméras.")
    ] = "0.0.0.0",  # noqa: S104
    wait: Annotated[float, typer.Option(min=0.2, max=60, help="Secondes d'attente des réponses.")] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Cherche les caméras ONVIF du réseau, par diffusion et par plages d'adresses."""
    from cameras.discovery.probe import Sweep
    from cameras.discovery.probe import discover as sweep

    configure_logging("cameras", level="error", as_json=False)
    console = Console(stderr=True)
    with console.status("Recherche de caméras…") as status:
        count = 0

        def seen(_: object) -> None:
            nonlocal count
            count += 1
            status.update(f"Recherche de caméras… {count} trouvée(s)")

        devices = _run(sweep(ranges or (), Sweep(interface=interface, wait_s=wait), seen))
    if as_json:
        _print_json([asdict(device) for device in devices])
        return
    if not devices:
        Console().print(
            "Aucune caméra n'a répondu. Vérifiez le câble, l'adresse de l'interface, et que ONVIF est activé."
        )
        return
    table = Table("Adresse", "Nom", "Matériel", "Lieu", title=f"{len(devices)} caméra(s)")
    for device in devices:
        table.add_row(device.address, device.name, device.hardware, device.location)
    Console().print(table)


@app.command()
def onboard(
    address: Annotated[str, typer.Argument(help="Adresse de la caméra, ou de son service ONVIF.")],
    name: Annotated[str, typer.Option(help="Nom de la caméra, celui qu'on lira au mur d'images.", prompt="Nom")],
    commune: Annotated[str, typer.Option(help="Code INSEE de la commune.", prompt="Commune (code INSEE)")],
    installer: Annotated[str, typer.Option(help="Votre identifiant de personne habilitée.", prompt="Installateur")],
    username: Annotated[str, typer.Option(help="Compte de la caméra.", prompt="Compte")] = "vms-install",
    authority: Annotated[str, typer.Option(help="Autorité dont relèvent les images.")] = "",
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Met une caméra en service : l'identifie, choisit ses flux et l'inscrit, sans montrer d'image.

    Le mot de passe est demandé au clavier, ou lu dans la variable VMS_CAMERA_PASSWORD ; il n'est jamais affiché.
    """
    from cameras.onboarding.onboard import CameraAccess, Placement

    configure_logging("cameras", level="error", as_json=False)
    password = os.environ.get("VMS_CAMERA_PASSWORD") or typer.prompt("Mot de passe de la caméra", hide_input=True)
    url = address if "://" in address else f"http://{address}/onvif/device_service"
    folder = installation(config, data)
    placement = Placement(name, commune, authority, latitude=latitude, longitude=longitude)
    done = _run(_onboard(folder, installer, CameraAccess(url, username, password), placement))
    if as_json:
        _print_json(asdict(done))
        return
    console = Console()
    console.print(f"[bold]{name}[/bold] est inscrite ({done.camera_id}).")
    for stream in done.streams:
        console.print(f"  flux {stream.width}x{stream.height} {stream.codec.upper()} {stream.frame_rate:g} images/s")
    for warning in done.warnings:
        console.print(f"  [yellow]Attention[/yellow] : {warning}.")
    if done.in_service:
        console.print("  [green]En service[/green] : l'enregistrement commence dans quelques secondes.")
    else:
        console.print(f"  [red]Pas encore en service[/red] : {done.obstacle}")


@app.command()
def trust(
    camera_id: Annotated[str, typer.Argument(help="Identifiant de la caméra.")],
    installer: Annotated[str, typer.Option(help="Votre identifiant de personne habilitée.", prompt="Installateur")],
    replace: Annotated[bool, typer.Option("--replace", help="Oublie les empreintes précédentes.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accepte le certificat que la caméra présente maintenant pour ses flux chiffrés.

    Sans --replace, l'empreinte précédente reste acceptée, le temps d'un renouvellement.
    """
    from cameras.onboarding.pins import spoken

    configure_logging("cameras", level="error", as_json=False)
    pins = _run(_trust(installation(config, data), installer, camera_id, replace=replace))
    if as_json:
        _print_json({"camera_id": camera_id, "pins": pins})
        return
    for pin in pins:
        Console().print(f"Empreinte acceptée : {spoken(pin)}", soft_wrap=True)


@app.command("list")
def list_cameras(
    commune: Annotated[str, typer.Option(help="Seulement cette commune (code INSEE).")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les caméras de l'inventaire."""
    configure_logging("cameras", level="error", as_json=False)
    views = [view for view in _run(_all(installation(config, data))) if not commune or view.commune == commune]
    if as_json:
        _print_json([asdict(view) for view in views])
        return
    table = Table("Commune", "Caméra", "État", Column("Identifiant", no_wrap=True), title=f"{len(views)} caméra(s)")
    for view in views:
        table.add_row(view.commune_name, view.name, _STATES[view.state], view.camera_id)
    Console().print(table)


@app.command()
def show(
    camera_id: Annotated[str, typer.Argument(help="Identifiant de la caméra.")],
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Montre la fiche d'une caméra et l'historique de ses changements."""
    from cameras.onboarding.pins import spoken

    configure_logging("cameras", level="error", as_json=False)
    view, streams, history = _run(_show(installation(config, data), camera_id))
    if as_json:
        _print_json({**asdict(view), "streams": [asdict(stream) for stream in streams], "history": history})
        return
    table = Table("Rubrique", "Valeur", title=view.name)
    for label, value in (
        ("Identifiant", view.camera_id),
        ("Commune", f"{view.commune_name} ({view.commune})"),
        ("Autorité", view.authority),
        ("État", _STATES[view.state]),
        ("Position", f"{view.latitude}, {view.longitude}" if view.latitude is not None else "inconnue"),
        ("Second flux", "oui" if view.has_sub else "non"),
        *((f"Empreinte ({stream.role})", spoken(pin)) for stream in streams for pin in stream.tls_pins),
    ):
        table.add_row(label, value)
    Console().print(table)
    for change in history:
        Console().print(
            f"  {change['at']}  {change['author']} : {change['field']} « {change['before']} » → « {change['after']} »"
        )


async def _onboard(folder: DataFolder, installer: str, access: Any, placement: Any) -> Any:  # noqa: ANN401 — lazy types
    from access_audit.client import AuditClient
    from access_audit.events import Author
    from cameras.onboarding.onboard import Onboarder
    from vms.app.inventory import open_inventory
    from vms.app.layout import read_audit_key
    from vms.base.clock import SystemClock

    audit = AuditClient(folder.audit_socket, read_audit_key(folder.audit_public_key))
    try:
        async with open_inventory(folder) as (inventory, _):
            author = Author(installer, installer, "installer")
            return await Onboarder(inventory, audit.record, author, SystemClock()).onboard(access, placement)
    finally:
        await audit.close()


async def _trust(folder: DataFolder, installer: str, camera_id: str, *, replace: bool) -> tuple[str, ...]:
    from access_audit.client import AuditClient
    from access_audit.events import Author
    from cameras.onboarding.pins import trust_presented
    from vms.app.inventory import open_inventory
    from vms.app.layout import read_audit_key
    from vms.base.clock import SystemClock

    audit = AuditClient(folder.audit_socket, read_audit_key(folder.audit_public_key))
    try:
        async with open_inventory(folder) as (inventory, _):
            author = Author(installer, installer, "installer")
            return await trust_presented(inventory, audit.record, author, SystemClock(), camera_id, replace=replace)
    finally:
        await audit.close()


async def _all(folder: DataFolder) -> Any:  # noqa: ANN401
    from vms.app.inventory import open_inventory

    async with open_inventory(folder) as (inventory, _):
        return await inventory.all()


async def _show(folder: DataFolder, camera_id: str) -> Any:  # noqa: ANN401
    from vms.app.inventory import open_inventory
    from vms.base.clock import utc_text

    async with open_inventory(folder) as (inventory, _):
        view = await inventory.get(camera_id)
        if view is None:
            raise VmsError(
                ErrorKind.NOT_FOUND,
                "camera.unknown",
                f"La caméra « {camera_id} » n'existe pas.",
                hint="« vms cameras list » donne les identifiants.",
            )
        return (
            view,
            await inventory.streams(camera_id),
            [
                {
                    "at": utc_text(row.at_ns),
                    "author": row.author,
                    "reason": row.reason,
                    "field": row.field,
                    "before": row.before,
                    "after": row.after,
                }
                for row in await inventory.history(camera_id)
            ],
        )


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
