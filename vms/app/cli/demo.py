"""`vms demo`: the whole product on one machine, with simulated communes and cameras, in the foreground."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vms.app.cli.place import DEMONSTRATION_DATA, record_in_journal
from vms.app.layout import DataFolder
from vms.app.processes.machine import check_ports, open_folder, running
from vms.app.processes.supervisor import ChildSpec, Observers
from vms.app.settings import Settings, read_settings
from vms.base import durable
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

app = typer.Typer(invoke_without_command=True)
out = Console(highlight=False)


@app.callback()
def demo(
    data: Annotated[Path, typer.Option(help="Dossier de données de la démonstration.")] = DEMONSTRATION_DATA,
    config: Annotated[Path | None, typer.Option(help="Fichier de configuration TOML.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port de la console (8080).")] = None,
    media_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port de la passerelle vidéo (8081).")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Plage d'adresses de bouclage des caméras simulées (127.27.0.0/16).")
    ] = None,
) -> None:
    """Démarre la démonstration et la garde en marche jusqu'à Ctrl-C."""
    from vms.app.demonstration.cameras import expected_cameras

    configure_logging("demo", level="critical", as_json=False)
    settings = _settings(read_settings(config), data, (port, media_port), base)
    expected_cameras(settings.demonstration)  # refuses a range that is none before anything starts
    asyncio.run(_demo(settings))


def _settings(settings: Settings, data: Path, ports: tuple[int | None, int | None], base: str | None) -> Settings:
    """What the file says, and over it what the command line says."""
    console, media = ports
    return settings.model_copy(
        update={
            "data": data,
            "demonstration": settings.demonstration.model_copy(
                update={"enabled": True, "base": base or settings.demonstration.base}
            ),
            "centre": settings.centre.model_copy(update={"port": console or settings.centre.port}),
            "gateway": settings.gateway.model_copy(update={"port": media or settings.gateway.port}),
        }
    )


async def _demo(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    started = time.monotonic()
    folder, lock = await asyncio.to_thread(open_folder, settings)
    with lock:
        check_ports(folder.settings)
        _check_range(folder)
        out.print("[bold]VMS départemental — démonstration[/bold] (caméras simulées, décisions fictives)\n")
        async with running(folder, simulated=True, logs=folder.logs, observers=_observers()):
            starting = asyncio.create_task(_provision(folder))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                starting.cancel()
            else:
                await starting
                _welcome(folder, time.monotonic() - started)
                await stopping
            out.print("\nArrêt en cours : les segments ouverts sont fermés proprement…")
    out.print("La démonstration est arrêtée. Ce qui est enregistré reste dans", str(folder.root))


async def _provision(folder: DataFolder) -> None:
    if _marker(folder).exists():
        return
    from supervision_centre.people.provision import provision_demonstration
    from vms.app.demonstration.department import provision_department

    with out.status("  Découverte des caméras…") as status:
        await provision_demonstration(folder, partial(record_in_journal, folder))
        await provision_department(folder, lambda done, all_: status.update(f"  Mise en service : {done} / {all_}"))
    content = json.dumps({"base": folder.settings.demonstration.base}).encode()
    await asyncio.to_thread(durable.write_atomic, _marker(folder), content)


def _marker(folder: DataFolder) -> Path:
    """The file that says that this folder has its department, and in which range."""
    return folder.root / "demonstration.json"


def _check_range(folder: DataFolder) -> None:
    """The cameras of a department stay at the addresses at which they were onboarded."""
    asked = folder.settings.demonstration.base
    known = json.loads(_marker(folder).read_bytes()).get("base", asked) if _marker(folder).exists() else asked
    if known != asked:
        raise VmsError(
            ErrorKind.CONFLICT,
            "demonstration.other_range",
            f"Les caméras de cette démonstration ont été inscrites dans la plage {known}, non {asked}.",
            hint=f"Relancez avec --base {known}, ou choisissez un autre dossier avec --data.",
        )


def _observers() -> Observers:
    def say(mark: str, text: str) -> None:
        out.print(f"  {mark} {text}")

    def ready(child: ChildSpec) -> None:
        say("[green]✔[/green]", child.label)

    def died(child: ChildSpec, reason: VmsError | None) -> None:
        say("[red]✘[/red]", f"{child.label} : arrêt inattendu, redémarrage…")
        if reason is not None:
            out.print(f"    {escape(reason.message)}\n    → {escape(reason.hint)}")

    def back(child: ChildSpec) -> None:
        say("[green]✔[/green]", f"{child.label} : de nouveau en marche")

    return Observers(ready, died, back)


def _welcome(folder: DataFolder, seconds: float) -> None:
    from supervision_centre.people.provision import DEMONSTRATION_ACCOUNTS, DEMONSTRATION_PASSWORD

    table = Table("Compte", "Mot de passe", "Rôle", title="Comptes de démonstration", title_justify="left")
    for account in DEMONSTRATION_ACCOUNTS:
        table.add_row(account.login, DEMONSTRATION_PASSWORD, account.role_label)
    out.print(f"\n  Prêt en {seconds:.1f} s.")
    out.print(f"  Console : [bold]{folder.settings.console_url}[/bold]\n")
    out.print(table)
    out.print("\n  Ctrl-C pour arrêter.")
