"""`vms serve`: every process of this machine, in the foreground, for systemd or a container."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from vms.app.processes.machine import check_ports, open_folder, running
from vms.app.settings import Settings, read_settings
from vms.base.log import configure_logging

app = typer.Typer(invoke_without_command=True)


@app.callback()
def serve(
    config: Annotated[Path | None, typer.Option(help="Fichier de configuration TOML.")] = None,
    data: Annotated[Path | None, typer.Option(help="Dossier de données, au lieu de celui du fichier.")] = None,
) -> None:
    """Démarre tous les processus de cette machine et les garde en marche jusqu'à Ctrl-C ou SIGTERM."""
    settings = read_settings(config)
    if data is not None:
        settings = settings.model_copy(update={"data": data})
    configure_logging("supervisor", level=settings.log.level, as_json=settings.log.json_lines)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    folder, lock = await asyncio.to_thread(open_folder, settings)
    with lock:
        check_ports(folder.settings)
        async with running(folder, simulated=False, logs=None):
            await until_asked_to_stop()


async def until_asked_to_stop() -> None:
    """Wait for SIGINT or SIGTERM."""
    await stop_when_asked().wait()


def stop_when_asked() -> asyncio.Event:
    """What SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
