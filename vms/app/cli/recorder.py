"""`vms recorder`: what an administrator asks of what is recorded."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from recorder.node.local import LocalNode
from recorder.store.fsck import Finding, examine
from vms.app.cli import recorder_proof, retention
from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.base.clock import SystemClock, utc_text
from vms.base.log import configure_logging

app = typer.Typer(no_args_is_help=True)
app.command()(recorder_proof.verify)
app.command()(recorder_proof.times)
app.command()(retention.capacity)
app.command()(retention.certificate)

_KINDS = {
    "missing_file": "fichier absent",
    "wrong_size": "taille différente de celle de l'index",
    "wrong_digest": "contenu modifié depuis l'enregistrement",
    "unknown_file": "fichier inconnu de l'index",
    "unreadable": "fichier illisible",
    "missing_held": "des images placées sous conservation manquent",
}


@app.callback()
def recorder() -> None:
    """Contrôle ce qui est enregistré."""


@app.command()
def fsck(
    config: ConfigOption = None,
    data: DataOption = None,
    content: Annotated[
        bool, typer.Option("--content/--no-content", help="Relit chaque fichier et compare son empreinte.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Vérifie que chaque segment enregistré est là, entier et inchangé. Ne modifie rien."""
    configure_logging("recorder", level="error", as_json=False)
    folder = installation(config, data)
    segments = size_bytes = 0
    findings: list[tuple[str, Finding]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=as_json) as progress:
        for shard in folder.stores:
            task = progress.add_task(f"Enregistreur {shard.name}", total=None)
            examined = examine(
                shard,
                content=content,
                progress=functools.partial(_update, progress, task),
                utc_ns=SystemClock().utc_ns(),
            )
            segments += examined.segments
            size_bytes += examined.size_bytes
            findings += [(shard.name, finding) for finding in examined.findings]
    if as_json:
        found = [{"shard": shard, **asdict(finding)} for shard, finding in findings]
        json.dump({"segments": segments, "size_bytes": size_bytes, "findings": found}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _print(segments, size_bytes, findings)
    if findings:
        raise typer.Exit(8)


@app.command("confirm-clock")
def confirm_clock(config: ConfigOption = None, data: DataOption = None) -> None:
    """Confirme que l'horloge de cette machine est juste : l'effacement, suspendu par un saut de l'heure, reprend."""
    configure_logging("recorder", level="error", as_json=False)
    folder = installation(config, data)
    asyncio.run(_confirm_clock(folder.shard_sockets))
    moment = utc_text(SystemClock().utc_ns())
    Console(highlight=False).print(f"Horloge confirmée à {moment[:19].replace('T', ' ')} UTC.")


async def _confirm_clock(sockets: Sequence[Path]) -> None:
    node = LocalNode(sockets, None)
    try:
        await node.confirm_clock()
    finally:
        await node.close()


def _update(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _print(segments: int, size_bytes: int, findings: list[tuple[str, Finding]]) -> None:
    console = Console(highlight=False)
    console.print(f"{segments} segments, {size_bytes / 1e9:.2f} Go.")
    if not findings:
        console.print("[green]Tout est là, entier et inchangé.[/green]")
    for shard, finding in findings:
        detail = f" ({finding.detail})" if finding.detail else ""
        console.print(f"[red]✘[/red] {shard} : {finding.file} — {_KINDS[finding.kind]}{detail}")
