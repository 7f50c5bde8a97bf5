"""`vms bench all`: a short version of each measurement, one after the other, on cameras that it simulates itself."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import uvloop

from cameras.simulator.fleet import running_cameras
from cameras.simulator.spec import CameraSpec
from vms.app.bench.audit import AuditBenchOptions, audit_text, run_audit_bench
from vms.app.bench.clock_film import require_encoder
from vms.app.bench.console import require_browser
from vms.app.bench.demonstration import BASE
from vms.app.bench.endurance import DemoBenchOptions, demo_text, run_demo_bench
from vms.app.bench.ingest import IngestBenchOptions, run_ingest_bench
from vms.app.bench.live import LiveBenchOptions, live_text, run_live_bench
from vms.app.bench.playback import PlaybackBenchOptions, playback_text, run_playback_bench
from vms.app.bench.start import StartBenchOptions, run_start_bench, start_text
from vms.base.clock import SystemClock

INGEST_CAMERAS = 20
INGEST_S = 10.0
PLAYBACK_CAMERAS = 50
LIVE_S = 10.0
DEMO_MINUTES = 1.0


def run_every_bench(base: str = BASE, folder: Path | None = None) -> dict[str, Any]:
    """The results by the name of the command. Raises VmsError, before measuring, when a tool is missing."""
    require_encoder()
    require_browser()
    return {
        "ingest": asyncio.run(_ingest(folder)),
        "audit": uvloop.run(run_audit_bench(AuditBenchOptions(1.0, folder=folder))),
        "playback": asyncio.run(run_playback_bench(PlaybackBenchOptions(PLAYBACK_CAMERAS, 1.0, 60, folder))),
        "start": run_start_bench(StartBenchOptions(1, base, folder)),
        "live": run_live_bench(LiveBenchOptions(LIVE_S, base=base, folder=folder)),
        "demo": run_demo_bench(DemoBenchOptions(DEMO_MINUTES, True, base, folder)),
    }


def every_text(result: dict[str, Any], ingest_text: str) -> str:
    """The figures in French, one section a measurement."""
    sections = {
        "Enregistrement": ingest_text,
        "Journal des accès": audit_text(result["audit"]),
        "Relecture": playback_text(result["playback"]),
        "Démarrage": start_text(result["start"]),
        "Direct": live_text(result["live"]),
        "Démonstration": demo_text(result["demo"]),
    }
    return "\n\n".join(f"— {title}\n{text}" for title, text in sections.items())


async def _ingest(folder: Path | None) -> dict[str, Any]:
    spec = CameraSpec(name="Mesure", http_port=0, rtsp_port=0, discovery_port=None, instant_key=True)
    baseline = "ffmpeg" if shutil.which("ffmpeg") else ""
    async with running_cameras([spec], SystemClock(), multicast=False) as cameras:
        url = cameras[0].stream_url("main")
        options = IngestBenchOptions(url, INGEST_CAMERAS, INGEST_S, baseline, spec.username, spec.password, folder)
        return await run_ingest_bench(options)
