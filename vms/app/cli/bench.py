"""`vms bench`: measurements on the machine at hand."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vms.app.bench.demonstration import BASE
from vms.base.log import configure_logging

Base = Annotated[str, typer.Option(help="Plage d'adresses de bouclage des caméras simulées.")]
Folder = Annotated[Path | None, typer.Option(help="Dossier sur le disque à mesurer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Résultat en JSON.")]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Mesure les performances sur cette machine."""
    configure_logging("bench", level="error", as_json=False)


@app.command("ingest")
def ingest(
    url: Annotated[str, typer.Option(help="Adresse RTSP ; {i} est remplacé par le numéro de la caméra, depuis 1.")],
    cameras: Annotated[int, typer.Option(min=1, max=2000, help="Nombre de caméras enregistrées.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="Durée de la mesure.")] = 30.0,
    baseline: Annotated[str, typer.Option(help="Références mesurées ensuite : ffmpeg, c, ou ffmpeg,c.")] = "",
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
    verify: Annotated[
        int, typer.Option(min=0, help="Mesure plutôt la vérification d'un journal de tant d'inscriptions.")
    ] = 0,
    folder: Annotated[Path | None, typer.Option(help="Dossier sur le disque à mesurer.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Résultat en JSON.")] = False,
) -> None:
    """Journal des accès : inscriptions durables par seconde et attente, à côté du disque nu et de SQLite."""
    if verify:
        from vms.app.bench.verification import VerificationBenchOptions, run_verification_bench, verification_text

        figures = run_verification_bench(VerificationBenchOptions(verify, folder))
        typer.echo(json.dumps(figures, indent=2) if as_json else verification_text(figures))
        return
    import uvloop

    from vms.app.bench.audit import AuditBenchOptions, audit_text, run_audit_bench

    result = uvloop.run(run_audit_bench(AuditBenchOptions(seconds, folder=folder)))
    typer.echo(json.dumps(result, indent=2) if as_json else audit_text(result))


@app.command("live")
def live(
    seconds: Annotated[float, typer.Option(min=2, help="Durée de chacune des deux observations.")] = 60.0,
    tiles: Annotated[int, typer.Option(min=2, max=16, help="Nombre de caméras sur le mur d'images.")] = 12,
    demonstration_rate: Annotated[
        bool, typer.Option("--demo-rate", help="12,5 et 6,25 images/s comme les films fournis, et non 25 et 12,5.")
    ] = False,
    base: Base = BASE,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Retard du direct, de la caméra à l'écran, par une horloge incrustée et relue sur le mur d'images."""
    from vms.app.bench.live import LiveBenchOptions, live_text, run_live_bench

    result = run_live_bench(LiveBenchOptions(seconds, tiles, 2 if demonstration_rate else 1, base, folder))
    typer.echo(json.dumps(result, indent=2) if as_json else live_text(result))


@app.command("watch")
def watch(
    clicks: Annotated[int, typer.Option(min=2, help="Nombre d'agrandissements mesurés.")] = 20,
    seconds: Annotated[float, typer.Option(min=2, help="Durée de chaque mesure du processeur.")] = 20.0,
    base: Base = BASE,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Attente du clic à la première image, et coût d'une caméra regardée."""
    from vms.app.bench.watch import WatchBenchOptions, run_watch_bench, watch_text

    result = run_watch_bench(WatchBenchOptions(clicks, seconds=seconds, base=base, folder=folder))
    typer.echo(json.dumps(result, indent=2) if as_json else watch_text(result))


@app.command("demo")
def demo(
    minutes: Annotated[float, typer.Option(min=0.1, help="Durée de la mesure.")] = 10.0,
    watched: Annotated[bool, typer.Option("--wall/--no-wall", help="Avec un mur d'images ouvert.")] = True,
    base: Base = BASE,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Processeur et mémoire de toute la démonstration, et sa croissance sur la seconde moitié."""
    from vms.app.bench.endurance import DemoBenchOptions, demo_text, run_demo_bench

    result = run_demo_bench(DemoBenchOptions(minutes, watched, base, folder))
    typer.echo(json.dumps(result, indent=2) if as_json else demo_text(result))


@app.command("playback")
def playback(
    cameras: Annotated[int, typer.Option(min=1, max=2000, help="Nombre de caméras dans l'index.")] = 250,
    days: Annotated[float, typer.Option(min=0.1, max=31, help="Jours d'enregistrement dans l'index.")] = 30.0,
    looks: Annotated[int, typer.Option(min=20, help="Nombre d'instants demandés de chaque manière.")] = 400,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Première image d'un instant quelconque, et vitesse de lecture dans les deux sens."""
    from vms.app.bench.playback import PlaybackBenchOptions, playback_text, run_playback_bench

    result = asyncio.run(run_playback_bench(PlaybackBenchOptions(cameras, days, looks, folder)))
    typer.echo(json.dumps(result, indent=2) if as_json else playback_text(result))


@app.command("index")
def index(
    cameras: Annotated[int, typer.Option(min=1, max=2000, help="Nombre de caméras dans l'index.")] = 250,
    days: Annotated[float, typer.Option(min=0.1, max=31, help="Jours d'enregistrement dans l'index.")] = 30.0,
    questions: Annotated[int, typer.Option(min=20, help="Nombre de questions de chaque sorte.")] = 1_000,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Taille de l'index d'un mois, et temps pour dire ce qu'il y a d'une caméra entre deux instants."""
    import functools

    from vms.app.bench.index import IndexBenchOptions, index_text, run_index_bench
    from vms.app.cli.recorder_proof import progress_bar, update

    with progress_bar(hidden=as_json) as progress:
        told = functools.partial(update, progress, progress.add_task("Lignes", total=None))
        result = run_index_bench(IndexBenchOptions(cameras, days, questions, folder), told)
    typer.echo(json.dumps(result, indent=2) if as_json else index_text(result))


@app.command("erasure")
def erasure(
    cameras: Annotated[int, typer.Option(min=1, max=2000, help="Nombre de caméras dont un jour est effacé.")] = 250,
    hours: Annotated[float, typer.Option(min=0.05, max=24, help="Heures de ce jour qui sont enregistrées.")] = 24.0,
    recorded: Annotated[int, typer.Option(min=1, max=500, help="Nombre de caméras enregistrées en même temps.")] = 50,
    seconds: Annotated[float, typer.Option(min=2, help="Durée de chacune des deux observations.")] = 30.0,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Effacement d'un jour de toutes les caméras pendant l'enregistrement : débit, attente du disque, manques."""
    from vms.app.bench.erasure import ErasureBenchOptions, erasure_text, run_erasure_bench

    result = run_erasure_bench(ErasureBenchOptions(cameras, hours, recorded, seconds, folder))
    typer.echo(json.dumps(result, indent=2) if as_json else erasure_text(result))


@app.command("start")
def start(
    rounds: Annotated[int, typer.Option(min=1, help="Nombre de dossiers, chacun démarré deux fois.")] = 3,
    base: Base = BASE,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Attente au premier démarrage de la démonstration, et au second."""
    from vms.app.bench.start import StartBenchOptions, run_start_bench, start_text

    result = run_start_bench(StartBenchOptions(rounds, base, folder))
    typer.echo(json.dumps(result, indent=2) if as_json else start_text(result))


@app.command("all")
def everything(base: Base = BASE, folder: Folder = None, as_json: AsJson = False) -> None:
    """Une version courte de chaque mesure, sur des caméras simulées."""
    from vms.app.bench.everything import every_text, run_every_bench

    result = run_every_bench(base, folder)
    typer.echo(json.dumps(result, indent=2) if as_json else every_text(result, _text(result["ingest"])))


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
    for name, words in (("c_on_arrival", "C, à l'arrivée"), ("c_paced", "C, par seconde")):
        if name in result:
            cpu = result[name]["cpu_percent_per_camera"]
            lines.append(f"  {words} : {cpu:.3f} % par caméra, rapport {result[f'cpu_ratio_{name}']}")
    return "\n".join(lines)
