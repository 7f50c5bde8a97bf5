"""`vms recorder verify` and `vms recorder times`: what proves a recording, and how its hours may be trusted."""

from __future__ import annotations

import functools
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from vms.app.cli.place import ConfigOption, DataOption, JsonOption, installation
from vms.base.clock import NS_PER_SECOND, parse_utc
from vms.base.errors import ErrorKind, VmsError
from vms.base.log import configure_logging

if TYPE_CHECKING:
    from recorder.store.sealing import SealBook
    from recorder.store.times import ClockDay
    from recorder.store.verify import Verification

KINDS = {
    "missing_file": "fichier absent",
    "truncated": "fichier tronqué",
    "wrong_size": "fichier plus long qu'à l'enregistrement",
    "altered": "contenu modifié depuis l'enregistrement",
    "exchanged": "fichier d'un autre segment sous ce nom",
    "index_altered": "l'index ne dit pas la même chose que le fichier",
    "missing_segment": "un segment manque avant celui-ci",
    "unknown_file": "fichier inconnu de l'index",
    "seal_broken": "cette heure n'est pas celle que le journal a scellée",
    "missing_sealed": "des segments scellés dans le journal manquent",
}
NOTES = {
    "erased": "segments effacés à leur échéance",
    "chain_start": "débuts de chaîne",
    "unsealed": "segments que le journal ne scelle pas encore",
    "closed_late": "segments fermés en retard par un disque qui refusait",
    "disk_away": "disques illisibles",
    "behind_disk_away": "segments qui peuvent être sur un disque illisible",
    "index_old": "disques dont l'index est d'une version antérieure : démarrez l'enregistreur une fois",
}
CLOCKS = {"sender_report": "mesurée", "unset": "jamais réglée"}
SOURCES = {"arrival": "réception", "sender_report": "caméra", "unknown": "inconnue"}

CameraOption = Annotated[list[str] | None, typer.Option(help="Identifiant d'une caméra (répétable) ; toutes sinon.")]
FromOption = Annotated[str | None, typer.Option("--from", help="Début, comme 2026-07-01 ou 2026-07-01T08:00:00Z.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Fin, non comprise.")]


def verify(
    config: ConfigOption = None,
    data: DataOption = None,
    camera: CameraOption = None,
    since: FromOption = None,
    until: ToOption = None,
    content: Annotated[
        bool, typer.Option("--content/--no-content", help="Relit chaque fichier pour comparer son empreinte.")
    ] = True,
    journal: Annotated[
        Path | None, typer.Option(help="Dossier du journal des accès, au lieu de celui de l'installation.")
    ] = None,
    sealed: Annotated[
        bool, typer.Option("--seals/--no-seals", help="Confronte les segments aux scellés du journal.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Prouve que rien n'a changé : index, empreintes, chaîne de chaque caméra, scellés. Code 8 sinon."""
    from recorder.node.seals import read_seals
    from recorder.store.verify import Scope, verify_stores

    configure_logging("recorder", level="error", as_json=False)
    folder = installation(config, data)
    scope = Scope(frozenset(camera or ()), instant_of(since, 0), instant_of(until, 1 << 62), content)
    with progress_bar(hidden=as_json) as progress:
        seals: SealBook | None = None
        if sealed:
            task = progress.add_task("Journal des accès", total=None)
            seals = read_seals(journal or folder.audit, functools.partial(update, progress, task))
        task = progress.add_task("Segments", total=None)
        result = verify_stores(folder.stores, seals, scope, functools.partial(update, progress, task))
    if as_json:
        json.dump(asdict(result), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        _print_verification(result)
    if result.findings:
        raise typer.Exit(VmsError(ErrorKind.CORRUPT, "store.altered", "").exit_code)


def times(
    config: ConfigOption = None,
    data: DataOption = None,
    camera: CameraOption = None,
    since: FromOption = None,
    until: ToOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dit, par caméra et par jour (UTC), l'écart et la dérive de son horloge, et l'incertitude des heures."""
    from recorder.store.times import clock_days

    configure_logging("recorder", level="error", as_json=False)
    folder = installation(config, data)
    stores = [store for store in folder.stores if (store / "index.sqlite").exists()]
    days = clock_days(stores, camera or (), instant_of(since, 0), instant_of(until, 1 << 62))
    if as_json:
        json.dump([asdict(day) for day in days], sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        Console().print(_table(days))


def instant_of(text: str | None, default_ns: int) -> int:
    """UTC nanoseconds of a day or an RFC 3339 instant. Raises VmsError `time.unreadable`."""
    if text is None:
        return default_ns
    try:
        if len(text) == len("2026-07-01"):
            return round(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND
        return parse_utc(text)
    except ValueError as wrong:
        raise VmsError(
            ErrorKind.INVALID_INPUT,
            "time.unreadable",
            f"« {text[:40]} » n'est ni un jour ni un instant.",
            hint="Écrivez 2026-07-01, ou 2026-07-01T08:00:00Z.",
            detail=str(wrong),
        ) from None


def progress_bar(*, hidden: bool) -> Progress:
    """A bar on standard error, for work that counts what it does."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=hidden)


def update(progress: Progress, task: TaskID, done: int, total: int) -> None:
    """Move the bar on."""
    progress.update(task, completed=done, total=total)


def _print_verification(result: Verification) -> None:
    from recorder.store.verify import when

    console = Console(highlight=False)
    console.print(
        f"{result.cameras} caméras, {result.segments} segments, {result.size_bytes / 1e9:.2f} Go,"
        f" {result.seals} heures scellées."
    )
    for kind, count in sorted(result.notes.items()):
        console.print(f"  {count} {NOTES[kind]}")
    if not result.findings:
        console.print("[green]Tout est là, entier, dans l'ordre et conforme aux scellés.[/green]")
    for finding in result.findings:
        what = " ".join(part for part in (finding.camera_id, finding.segment_id, when(finding)) if part)
        detail = f" ({finding.detail})" if finding.detail else ""
        console.print(f"[red]✘[/red] {what} — {KINDS[finding.kind]}{detail}")


def _table(days: list[ClockDay]) -> Table:
    table = Table("Caméra", "Jour", "Segments", "Heure donnée par", "Horloge", "Écart max.", "Dérive", "Incertitude")
    for day in days:
        table.add_row(
            day.camera_id,
            day.day,
            str(day.segments),
            ", ".join(SOURCES.get(source, source) for source in day.dated_by),
            ", ".join(CLOCKS.get(clock, clock) for clock in day.camera_clock) or "non mesurée",
            "" if day.largest_offset_ms is None else f"{day.largest_offset_ms:+d} ms",
            "" if day.drift_ms is None else f"{day.drift_ms:+d} ms",
            f"± {day.uncertainty_ms} ms",
        )
    return table
