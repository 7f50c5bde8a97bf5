"""`vms simulate`: cameras that are real on the wire, for the demonstration, for training and for tests."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cameras.simulator.spec import CameraSpec

app = typer.Typer(help="Simule des caméras ONVIF et RTSP sur cette machine.", no_args_is_help=True)

_DEFAULT_BASE = "127.27.0.0/16"
_Json = Annotated[bool, typer.Option("--json", help="Affiche la liste des caméras en JSON.")]
_Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="NOM[@CAMÉRA]", help="Défaut simulé, par exemple freezes@2.1 ; à répéter au besoin."
    ),
]
_Username = Annotated[str, typer.Option("--username", help="Compte des caméras.")]
_Password = Annotated[
    str, typer.Option("--password", envvar="VMS_SIMULATE_PASSWORD", show_default=False, help="Mot de passe du compte.")
]
_HttpPort = Annotated[int, typer.Option("--http-port", min=1, max=65535, help="Port ONVIF.")]
_RtspPort = Annotated[int, typer.Option("--rtsp-port", min=1, max=65535, help="Port RTSP.")]
_Interface = Annotated[
    str, typer.Option("--interface", metavar="ADRESSE", help="Adresse de l'interface où répondre à WS-Discovery.")
]
_InstantKey = Annotated[
    bool, typer.Option("--instant-key", help="Commence chaque flux aussitôt, sans attendre l'image clé suivante.")
]
_Sha256 = Annotated[bool, typer.Option("--sha256", help="Propose aussi SHA-256 pour l'authentification RTSP.")]
_Rtsps = Annotated[bool, typer.Option("--rtsps", help="Chiffre les flux (RTSPS, certificat autosigné).")]


@app.command("department", help="Simule un département : des communes et leurs caméras.")
def simulate_department(
    communes: Annotated[int, typer.Option("--communes", min=1, help="Nombre de communes.")] = 6,
    cameras: Annotated[int, typer.Option("--cameras", min=1, help="Nombre de caméras en tout.")] = 12,
    base: Annotated[str, typer.Option("--base", metavar="PLAGE", help="Plage d'adresses des caméras.")] = _DEFAULT_BASE,
    fault: _Faults = None,
    username: _Username = "vms-install",
    password: _Password = "vms-demo",  # noqa: S107 - the public password of simulated cameras
    http_port: _HttpPort = 8899,
    rtsp_port: _RtspPort = 8554,
    interface: _Interface = "127.0.0.1",
    instant_key: _InstantKey = False,
    sha256: _Sha256 = False,
    rtsps: _Rtsps = False,
    as_json: _Json = False,
) -> None:
    """Run a simulated department in the foreground."""
    from cameras.simulator.department import compose_department, parse_faults
    from cameras.simulator.spec import CameraSpec

    template = CameraSpec(
        name="",
        username=username,
        password=password,
        http_port=http_port,
        rtsp_port=rtsp_port,
        instant_key=instant_key,
        rtsp_sha256=sha256,
        rtsps=rtsps,
    )
    department = compose_department(communes, cameras, base=base, faults=parse_faults(fault or ()), template=template)
    _run(department.cameras, interface, as_json=as_json)


@app.command("camera", help="Simule une seule caméra.")
def simulate_camera(
    name: Annotated[str, typer.Option("--name", help="Nom de la caméra.")] = "Place de la mairie",
    address: Annotated[str, typer.Option("--address", help="Adresse de la caméra.")] = "127.27.1.1",
    main: Annotated[Path | None, typer.Option("--main", metavar="MP4", help="Film du flux principal.")] = None,
    sub: Annotated[Path | None, typer.Option("--sub", metavar="MP4", help="Film du flux secondaire.")] = None,
    no_sub: Annotated[bool, typer.Option("--no-sub", help="Pas de flux secondaire.")] = False,
    offset: Annotated[float, typer.Option("--offset", metavar="SECONDES", help="Décalage dans le film.")] = 0.0,
    fault: _Faults = None,
    username: _Username = "vms-install",
    password: _Password = "vms-demo",  # noqa: S107 - the public password of simulated cameras
    http_port: _HttpPort = 8899,
    rtsp_port: _RtspPort = 8554,
    interface: _Interface = "127.0.0.1",
    instant_key: _InstantKey = False,
    sha256: _Sha256 = False,
    rtsps: _Rtsps = False,
    as_json: _Json = False,
) -> None:
    """Run one simulated camera in the foreground."""
    from cameras.simulator.department import parse_faults
    from cameras.simulator.spec import MAIN_FILE, SUB_FILE, CameraSpec

    faults = frozenset().union(*parse_faults(fault or ()).values())
    spec = CameraSpec(
        name=name,
        address=address,
        http_port=http_port,
        rtsp_port=rtsp_port,
        username=username,
        password=password,
        main=main or MAIN_FILE,
        sub=None if no_sub else sub or SUB_FILE,
        offset_s=offset,
        instant_key=instant_key,
        rtsp_sha256=sha256,
        rtsps=rtsps,
        faults=faults,
    )
    _run((spec,), interface, as_json=as_json)


@app.command("faults", help="Liste les défauts qui peuvent être simulés.")
def list_faults(as_json: _Json = False) -> None:
    """Print the closed list of faults."""
    from cameras.simulator.spec import FAULT_SENTENCES

    if as_json:
        typer.echo(json.dumps([{"name": fault, "description": text} for fault, text in FAULT_SENTENCES.items()]))
        return
    for fault, sentence in FAULT_SENTENCES.items():
        typer.echo(f"{fault:<24} {sentence}")


def _run(specs: Sequence[CameraSpec], interface: str, *, as_json: bool) -> None:
    """Run until Ctrl-C or SIGTERM."""
    from cameras.simulator.fleet import run_cameras
    from vms.base.clock import SystemClock
    from vms.base.log import configure_logging

    configure_logging("simulator", level="warning", as_json=as_json)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await run_cameras(specs, SystemClock(), stop, lambda: _say_ready(specs, as_json=as_json), interface=interface)

    import uvloop

    uvloop.run(main())
    if not as_json:
        typer.echo("Simulation arrêtée.")


def _say_ready(specs: Sequence[CameraSpec], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"cameras": [_as_json(spec) for spec in specs]}, ensure_ascii=False))
        return
    typer.echo(f"{len(specs)} caméra{'s' if len(specs) > 1 else ''} simulée{'s' if len(specs) > 1 else ''}.")
    for spec in specs:
        troubles = f"  [défauts : {', '.join(sorted(spec.faults))}]" if spec.faults else ""
        typer.echo(f"  {spec.address:<15} {spec.place.commune_name:<26} {spec.name}{troubles}")
    first = specs[0]
    typer.echo(f"ONVIF : http://{first.address}:{first.http_port}/onvif/device_service (compte {first.username})")
    typer.echo(f"RTSP  : rtsp://{first.address}:{first.rtsp_port}/main")
    typer.echo("Ctrl-C pour arrêter.")


def _as_json(spec: CameraSpec) -> dict[str, object]:
    base = f"rtsp://{spec.address}:{spec.rtsp_port}"
    return {
        "name": spec.name,
        "commune": spec.place.commune,
        "commune_name": spec.place.commune_name,
        "latitude": spec.place.latitude,
        "longitude": spec.place.longitude,
        "orientation_deg": spec.place.orientation_deg,
        "address": spec.address,
        "mac": spec.mac,
        "serial": spec.serial,
        "onvif": f"http://{spec.address}:{spec.http_port}/onvif/device_service",
        "main": f"{base}/main",
        "sub": f"{base}/sub" if spec.sub is not None else None,
        "username": spec.username,
        "offset_s": spec.offset_s,
        "faults": sorted(spec.faults),
    }
