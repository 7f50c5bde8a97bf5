"""What it takes to look: the wait from the click to the first picture, and the price of the watched pace.

In the demonstration, with a key frame every two seconds, a browser enlarges one tile after another: the wait ends when
the first frame of the main stream is presented, whose width tells it from the sub-stream. Then readers come to a stream
that is recorded anyway and leave it again: between two of its units there must never be one missing, nor may the
recording have a hole. At last one stream is kept watched, and the shard's processor time is read beside its usual one.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from recorder.contract.assignment import StreamRole
from recorder.node.client import ShardClient
from recorder.node.protocol import LiveUnit
from vms.app.bench.clock_film import NUMBERS_A_SECOND, require_encoder, write_clock_film
from vms.app.bench.console import open_wall, require_browser
from vms.app.bench.demonstration import BASE, RunningDemonstration, demonstration
from vms.app.bench.live import MAIN_SIZE, SUB_SIZE, percentile
from vms.app.bench.recorded import holes_ms
from vms.app.bench.usage import usage_of
from vms.base.clock import NS_PER_SECOND

if TYPE_CHECKING:
    from playwright.sync_api import Page

KEY_EVERY_S: Final = 2
TARGET_MS: Final = 300
TICKS_A_FRAME: Final = 90_000 // NUMBERS_A_SECOND
SHARD: Final = "shard-0"
BETWEEN_CLICKS_MS: Final = 1_300
LOOK_S: Final = 0.8
PAUSE_S: Final = 1.7

_FIRST_PICTURE = f"""async place => {{
  const tile = document.querySelectorAll(".tile")[place];
  const shown = () => [...document.querySelectorAll("video[data-camera]")].find(v => v.videoWidth === {MAIN_SIZE[0]});
  const before = performance.now();
  tile.click();
  return await new Promise((done, failed) => {{
    const look = () => {{
      const video = shown();
      if (video) video.requestVideoFrameCallback(now => done(performance.now() - before));
      else if (performance.now() - before > 10000) failed(new Error("no picture"));
      else requestAnimationFrame(look);
    }};
    look();
  }});
}}"""


@dataclass(frozen=True, slots=True)
class WatchBenchOptions:
    """How many clicks, how many comings and goings, and how long the price is measured each time."""

    clicks: int = 20
    changes: int = 10
    seconds: float = 20.0
    tiles: int = 6
    base: str = BASE
    folder: Path | None = None


def run_watch_bench(options: WatchBenchOptions) -> dict[str, Any]:
    """Measure, and return the figures as a JSON object.

    Raises VmsError when the tools of development are missing, or the demonstration does not start.
    """
    require_encoder()
    require_browser()
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as place:
        main, sub = Path(place, "main.mp4"), Path(place, "sub.mp4")
        write_clock_film(main, *MAIN_SIZE, 1, key_every_s=KEY_EVERY_S)
        write_clock_film(sub, *SUB_SIZE, 2, key_every_s=KEY_EVERY_S)
        settings = f"[demonstration]\ncommunes = {min(6, options.tiles)}\ncameras = {options.tiles}\n"
        settings += f"main_film = {json.dumps(str(main))}\nsub_film = {json.dumps(str(sub))}\n"
        with demonstration(Path(place, "data"), settings=settings, base=options.base) as running:
            with open_wall(running.console_url) as page:
                waits_ms = sorted(_enlarge(page, number % options.tiles) for number in range(options.clicks))
            at_node = asyncio.run(_at_node(running, options))
    late = percentile(waits_ms, 95)
    complete = not (at_node["units_missing"] or at_node["recording_gap_ms"])
    return {
        "key_frame_every_s": KEY_EVERY_S,
        "clicks": options.clicks,
        "click_to_picture_median_ms": round(statistics.median(waits_ms)),
        "click_to_picture_p95_ms": round(late),
        "click_to_picture_largest_ms": round(waits_ms[-1]),
        **at_node,
        "target_ms": TARGET_MS,
        "target_met": late < TARGET_MS and complete,
    }


def watch_text(result: dict[str, Any]) -> str:
    """The figures in French."""
    met = "tenu" if result["target_met"] else "NON tenu"
    median_ms, late_ms = result["click_to_picture_median_ms"], result["click_to_picture_p95_ms"]
    lines = [
        f"Du clic à l’image : médiane {median_ms} ms, 95 % sous {late_ms} ms",
        f"  ({result['clicks']} clics, une image clé toutes les {result['key_frame_every_s']} s)",
        f"Changements d’allure : {result['pace_changes']}",
        f"  images manquantes : {result['units_missing']}, trou d’enregistrement : {result['recording_gap_ms']} ms",
        f"Une caméra regardée : {result['watched_cpu_percent']:.3f} % d’un cœur",
        f"  au lieu de {result['relaxed_cpu_percent_per_camera']:.3f} %, rapport {result['watched_ratio']}",
        f"Objectif, 95 % sous {result['target_ms']} ms et rien de perdu : {met}.",
    ]
    return "\n".join(lines)


def missing_units(timestamps_90k: Sequence[int]) -> int:
    """How many frames of a stream of NUMBERS_A_SECOND are absent between these RTP time stamps, in rising order."""
    steps = (after - before for before, after in itertools.pairwise(timestamps_90k))
    return sum(max(0, round(step / TICKS_A_FRAME) - 1) for step in steps)


def _enlarge(page: Page, place: int) -> float:
    page.wait_for_timeout(BETWEEN_CLICKS_MS)
    waited_ms = float(page.evaluate(_FIRST_PICTURE, place))
    page.keyboard.press("Escape")
    page.wait_for_function(
        f"() => [...document.querySelectorAll('video[data-camera]')].every(v => v.videoWidth !== {MAIN_SIZE[0]})"
    )
    return waited_ms


async def _at_node(running: RunningDemonstration, options: WatchBenchOptions) -> dict[str, Any]:
    client = ShardClient(running.data / "run" / f"{SHARD}.sock", timeout_s=10.0)
    try:
        cameras = sorted({status.camera_id for status in await client.statuses()})
        started_ns = time.time_ns()
        missing, first_ms = 0, []
        for _ in range(options.changes):
            units, waited_ms = await _look(client, cameras[0], LOOK_S)
            missing += missing_units(units)
            first_ms.append(waited_ms)
            await asyncio.sleep(PAUSE_S)
        timeline = await client.timeline(cameras[0], started_ns, time.time_ns() - 3 * NS_PER_SECOND)
        pid = running.processes()[SHARD]
        relaxed = await _cpu_percent(pid, options.seconds)
        watching = asyncio.create_task(_look(client, cameras[0], options.seconds + 2))
        await asyncio.sleep(1)
        watched = await _cpu_percent(pid, options.seconds)
        units, _ = await watching
        missing += missing_units(units)
    finally:
        await client.close()
    share = relaxed / len(cameras)
    return {
        "pace_changes": options.changes + 1,
        "units_missing": missing,
        "recording_gap_ms": holes_ms(timeline),
        "first_unit_at_node_median_ms": round(statistics.median(first_ms), 1),
        "relaxed_cpu_percent_per_camera": round(share, 4),
        "watched_cpu_percent": round(share + watched - relaxed, 4),
        "watched_ratio": round((share + watched - relaxed) / share, 2) if share else None,
    }


async def _look(client: ShardClient, camera_id: str, seconds: float) -> tuple[list[int], float]:
    """The time stamps of all units of the main stream in so many seconds, and the wait for the first, in ms."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    first_ms = 0.0
    timestamps: list[int] = []
    subscription = await client.subscribe(camera_id, StreamRole.MAIN)
    try:
        async with asyncio.timeout(seconds):
            async for event in subscription:
                if isinstance(event, LiveUnit):
                    first_ms = first_ms or (loop.time() - began) * 1000
                    timestamps.append(event.rtp_timestamp)
    except TimeoutError:
        pass
    finally:
        await subscription.close()
    return timestamps, first_ms


async def _cpu_percent(pid: int, seconds: float) -> float:
    before = await asyncio.to_thread(usage_of, pid)
    await asyncio.sleep(seconds)
    after = await asyncio.to_thread(usage_of, pid)
    return (after.cpu_s - before.cpu_s) / seconds * 100
