"""Glass to glass: from the instant at which a picture is due at the camera to its pixels on a canvas of the wall.

Every simulated camera plays a film with a clock in it, in phase with the clock of this machine: the picture of number n
is due when (Unix time + the camera's offset) modulo the length of the loop is n divided by the numbers a second. The
browser reads the number back from each presented frame, together with its own time, which is the same clock.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vms.app.bench.clock_film import BITS, BLOCKS, NUMBERS_A_SECOND, SECONDS, number_of, write_clock_film
from vms.app.bench.console import open_wall
from vms.app.bench.demonstration import BASE, demonstration
from vms.app.demonstration.cameras import expected_cameras
from vms.app.settings import DemonstrationSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page

MAIN_STEP, SUB_STEP = 2, 4
SETTLE_S = 6.0

_WATCH = f"""() => {{
  window.seen = [];
  const pen = Object.assign(document.createElement("canvas"), {{ width: {BLOCKS}, height: 1 }})
    .getContext("2d", {{ willReadFrequently: true }});
  const watch = video => {{
    if (video.watched) return;
    video.watched = true;
    const look = () => {{
      const at = Date.now();
      const block = video.videoWidth / {BLOCKS};
      const blocks = [];
      for (let place = 0; place < {BLOCKS}; place++) {{
        pen.drawImage(video, (place + 0.4) * block, video.videoHeight / 10, block / 5, video.videoHeight / 20,
                      place, 0, 1, 1);
      }}
      const data = pen.getImageData(0, 0, {BLOCKS}, 1).data;
      for (let place = 0; place < {BLOCKS}; place++) blocks.push(data[4 * place] > 128);
      window.seen.push([video.dataset.camera, video.videoWidth, at, blocks]);
      video.requestVideoFrameCallback(look);
    }};
    video.requestVideoFrameCallback(look);
  }};
  window.watcher = setInterval(() => document.querySelectorAll("video[data-camera]").forEach(watch), 100);
}}"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One presented frame: whose, how wide, when (Unix seconds), and the number in it."""

    camera: str
    width: int
    at_s: float
    number: int


def latency_s(sighting: Sighting, offset_s: float) -> float:
    """How long ago this picture was due at its camera, in seconds, modulo the length of the film."""
    position = (sighting.at_s + offset_s) % SECONDS
    return (position - sighting.number / NUMBERS_A_SECOND) % SECONDS


def summary(latencies_s: Sequence[float]) -> dict[str, Any]:
    """Median and 95th percentile in milliseconds, and the latter in frame intervals of the main stream."""
    if len(latencies_s) < 2:
        return {"samples": len(latencies_s)}
    ordered = sorted(latencies_s)
    median, high = statistics.median(ordered), ordered[int(len(ordered) * 0.95)]
    return {
        "samples": len(ordered),
        "median_ms": round(median * 1000),
        "p95_ms": round(high * 1000),
        "p95_in_frame_intervals": round(high * NUMBERS_A_SECOND / MAIN_STEP, 1),
    }


def run_live_bench(seconds: float, folder: Path | None = None) -> dict[str, Any]:
    """Measure the wall of the demonstration, all small tiles first, then with one enlarged."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=folder) as place:
        main, sub = Path(place, "main.mp4"), Path(place, "sub.mp4")
        write_clock_film(main, 768, 576, MAIN_STEP)
        write_clock_film(sub, 384, 288, SUB_STEP)
        settings = f'[demonstration]\nmain_film = "{main}"\nsub_film = "{sub}"\n'
        with demonstration(Path(place, "data"), settings) as running, open_wall(running.console_url) as page:
            offsets = _offsets(page)
            small = _watch(page, seconds)
            page.locator(".tile").first.click()
            enlarged = _watch(page, seconds)
    wide = [one for one in enlarged if one.width > 500]
    return {
        "seconds": seconds,
        "tiles": len({one.camera for one in small}),
        "small_tiles": summary([latency_s(one, offsets[one.camera]) for one in small]),
        "enlarged_tile": summary([latency_s(one, offsets[one.camera]) for one in wide]),
        "small_tiles_beside_it": summary([latency_s(one, offsets[one.camera]) for one in enlarged if one.width <= 500]),
    }


def _offsets(page: Page) -> dict[str, float]:
    """The place of each camera in the film, by its id."""
    listed = page.evaluate("async () => (await (await fetch('/api/cameras')).json()).cameras")
    by_name = {
        (spec.place.commune, spec.name): spec.offset_s for spec in expected_cameras(DemonstrationSettings(base=BASE))
    }
    return {camera["id"]: by_name[camera["commune"], camera["name"]] for camera in listed}


def _watch(page: Page, seconds: float) -> list[Sighting]:
    page.wait_for_timeout(SETTLE_S * 1000)
    page.evaluate(_WATCH)
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate(
        "() => { clearInterval(window.watcher); const seen = window.seen; window.seen = []; return seen; }"
    )
    found = []
    for camera, width, at_ms, blocks in seen:
        number = number_of([bool(block) for block in blocks])
        if number is not None and number < 1 << BITS:
            found.append(Sighting(str(camera), int(width), at_ms / 1000, number))
    return found
