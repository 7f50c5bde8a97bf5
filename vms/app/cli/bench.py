"""`vms bench`: measurements on the machine at hand."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Mesure les performances sur cette machine."""


@app.command("ingest")
def ingest(
    url: Annotated[str, typer.Option(help="Adresse RTSP ; {i} est remplacé par le numéro de la caméra, depuis 1.")],
    cameras: Annotated[int, typer.Option(min=1, max=2000, help="Nombre de caméras enregistrées.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="Durée de la mesure.")] = 30.0,
    baseline: Annotated[str, typer.Option(help="Référence mesurée ensuite : ffmpeg.")] = "",
    user: Annotated[str, typer.Option(help="Compte des caméras.")] = "",
    password: Annotated[str, typer.Option(envvar="VMS_BENCH_PASSWORD", help="Mot de passe des caméras.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Dossier où enregistrer pendant la mesure.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Coût d'une caméra enregistrée : processeur, mémoire, images perdues."""
    from vms.app.bench.ingest import IngestBenchOptions, run_ingest_bench

    options = IngestBenchOptions(url, cameras, seconds, baseline, user, password, folder)
    result = asyncio.run(run_ingest_bench(options))
    typer.echo(json.dumps(result, indent=2) if as_json else _text(result))


@app.command("audit")
def audit(
    seconds: Annotated[float, typer.Option(min=0.2, help="Durée de la mesure à chaque palier.")] = 3.0,
    folder: Annotated[Path | None, typer.Option(help="Dossier sur le disque à mesurer.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Journal des accès : inscriptions durables par seconde et attente, à côté du disque nu et de SQLite."""
    from vms.app.bench.audit import AuditBenchOptions, audit_text, run_audit_bench

    result = asyncio.run(run_audit_bench(AuditBenchOptions(seconds, folder=folder)))
    typer.echo(json.dumps(result, indent=2) if as_json else audit_text(result))


@app.command("live")
def live(
    seconds: Annotated[float, typer.Option(min=2, help="Durée de chaque observation.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Retard du direct, de la caméra à l'écran, par une horloge incrustée et relue sur le mur d'images."""
    from vms.app.bench.live import run_live_bench

    result = run_live_bench(seconds)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for name, label in (("small_tiles", "vignettes"), ("enlarged_tile", "caméra agrandie")):
        found = result[name]
        typer.echo(f"{label} : médiane {found['median_ms']} ms, 95 % sous {found['p95_ms']} ms")


@app.command("demo")
def demo(
    minutes: Annotated[float, typer.Option(min=0.1, help="Durée de la mesure.")] = 10.0,
    watched: Annotated[bool, typer.Option("--wall/--no-wall", help="Avec un mur d'images ouvert.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Processeur et mémoire de toute la démonstration, et sa croissance sur la seconde moitié."""
    from vms.app.bench.endurance import run_demo_bench

    result = run_demo_bench(minutes, watched=watched)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    for name, found in {**result["processes"], "total": result["total"]}.items():
        growth = found["growth_mib_per_minute"]
        typer.echo(f"{name:14} {found['cpu_percent']:6.1f} %  {found['memory_mib']:7.1f} Mio  {growth:+.2f} Mio/min")


@app.command("start")
def start(
    starts: Annotated[int, typer.Option(min=1, help="Nombre de démarrages après le premier.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Attente au premier démarrage de la démonstration, et aux suivants."""
    from vms.app.bench.start import run_start_bench

    result = run_start_bench(starts)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"premier démarrage : {result['first_s']} s ; suivants : {result['later_median_s']} s (médiane)")


@app.command("all")
def everything(as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False) -> None:
    """Une version courte de chaque mesure qui ne demande pas de matériel."""
    from vms.app.bench.audit import AuditBenchOptions, run_audit_bench
    from vms.app.bench.endurance import run_demo_bench
    from vms.app.bench.live import run_live_bench
    from vms.app.bench.start import run_start_bench

    result = {
        "audit": asyncio.run(run_audit_bench(AuditBenchOptions(1.0, folder=None))),
        "start": run_start_bench(2),
        "live": run_live_bench(10.0),
        "demo": run_demo_bench(1.0, watched=True),
    }
    typer.echo(json.dumps(result, indent=2 if not as_json else None))


def _text(result: dict[str, Any]) -> str:
    ours, reference = result["vms"], result.get("baseline")
    lines = [
        f"{result['cameras']} caméras pendant {result['seconds']:g} s :",
        f"  processeur : {ours['cpu_percent_per_camera']:.3f} % d'un cœur par caméra",
        f"  mémoire    : {ours['memory_mib_per_camera']:.1f} Mio par caméra",
        f"  images     : {ours['frames']}, paquets perdus : {ours['lost_packets']}",
        f"  enregistré : {ours['recorded_bytes'] / 1e6:.0f} Mo",
    ]
    if reference:
        cpu, memory = reference["cpu_percent_per_camera"], reference["memory_mib_per_camera"]
        lines.append(f"  ffmpeg     : {cpu:.3f} % et {memory:.1f} Mio par caméra")
        lines.append(f"  rapport    : {result['cpu_ratio']}")
    return "\n".join(lines)
