"""Glass to glass: from the instant at which a picture is due at the camera to its pixels on a canvas of the wall.

Every simulated camera plays a film with a clock in it, in phase with the clock of this machine: the picture of number n
is due when (Unix time + the camera's offset) modulo the length of the loop is n divided by the numbers a second. The
browser reads the number back from each presented frame, together with its own time, which is the same clock.

A frame is dropped when it was due and the browser did not present it, wherever it was lost. A slow page is called back
for some presented frames only: the others are unread, and say nothing of the product.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vms.app.bench.clock_film import (
    BLOCKS,
    NUMBERS_A_SECOND,
    SECONDS,
    number_of,
    require_encoder,
    write_clock_film,
)
from vms.app.bench.console import open_wall, require_browser
from vms.app.bench.demonstration import BASE, demonstration
from vms.app.demonstration.cameras import expected_cameras
from vms.app.settings import DemonstrationSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page

NUMBERS: Final = SECONDS * NUMBERS_A_SECOND
TARGET_MS: Final = 500
MAIN_SIZE: Final = (768, 576)
SUB_SIZE: Final = (352, 288)
SETTLE_S = 6.0
_EARLY_S = 2.0
_LABELS: Final = {
    "small_tiles": "vignettes",
    "enlarged_tile": "caméra agrandie",
    "small_tiles_beside_it": "vignettes à côté",
}
_PIXELS_A_BLOCK = 4

_WATCH = f"""() => {{
  window.seen = [];
  const width = {BLOCKS * _PIXELS_A_BLOCK};
  const pen = Object.assign(document.createElement("canvas"), {{ width, height: 1 }})
    .getContext("2d", {{ willReadFrequently: true }});
  const watch = video => {{
    if (video.watched) return;
    video.watched = true;
    const look = (_, frame) => {{
      const at = Date.now();
      const coded = Math.floor(video.videoWidth / {BLOCKS}) * {BLOCKS};
      pen.drawImage(video, 0, video.videoHeight / 12, coded, video.videoHeight / 12, 0, 0, width, 1);
      const data = pen.getImageData(0, 0, width, 1).data;
      let blocks = "";
      for (let place = 0; place < {BLOCKS}; place++) {{
        const middle = 4 * (place * {_PIXELS_A_BLOCK} + 1);
        blocks += data[middle] + data[middle + 4] > 255 ? "1" : "0";
      }}
      window.seen.push([video.dataset.camera, video.videoWidth, at, blocks, frame.presentedFrames]);
      video.requestVideoFrameCallback(look);
    }};
    video.requestVideoFrameCallback(look);
  }};
  window.watcher ??= setInterval(() => document.querySelectorAll("video[data-camera]").forEach(watch), 100);
}}"""


@dataclass(frozen=True, slots=True)
class LiveBenchOptions:
    """How long to look each time, at how many tiles, and on which addresses.

    Main streams have every `main_step`-th of NUMBERS_A_SECOND pictures, sub-streams half as many. `folder` receives the
    recordings for the time of the measurement (None: temporary files).
    """

    seconds: float = 60.0
    tiles: int = 12
    main_step: int = 1
    base: str = BASE
    folder: Path | None = None

    @property
    def settings(self) -> DemonstrationSettings:
        """The department that stands on the wall, but for its films."""
        return DemonstrationSettings(base=self.base, communes=min(6, self.tiles), cameras=self.tiles)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One presented frame: whose, how wide, when (Unix seconds), and the number in it; None where it is unreadable.

    `presented` counts the frames that the browser has presented of this stream, those it did not call back for too.
    """

    camera: str
    width: int
    at_s: float
    number: int | None
    presented: int

    @property
    def main(self) -> bool:
        """Whether it came from a main stream."""
        return self.width == MAIN_SIZE[0]


def latency_s(sighting: Sighting, offset_s: float) -> float:
    """How long ago this picture was due at its camera, in seconds, modulo the length of the film.

    A little below zero is possible: the camera and the browser read the same clock at different moments.
    """
    assert sighting.number is not None
    position = (sighting.at_s + offset_s) % SECONDS
    return (position - sighting.number / NUMBERS_A_SECOND + _EARLY_S) % SECONDS - _EARLY_S


def losses(sightings: Iterable[Sighting], step: int) -> tuple[int, int]:
    """How many frames of one stream were dropped, and how many presented but unread, between the first and the last."""
    dropped = unread = 0
    last: Sighting | None = None
    for one in sightings:
        if one.number is None:
            continue
        if last is not None and last.number is not None:
            due = (one.number - last.number) % NUMBERS // step
            presented = one.presented - last.presented
            # A player that was built anew counts from zero, and a clock that jumped says nothing.
            if 0 < due < NUMBERS // step // 2 and presented > 0:
                dropped += max(0, due - presented)
                unread += min(due, presented) - 1
        last = one
    return dropped, unread


def summary(sightings: Sequence[Sighting], offsets_s: Mapping[str, float], step: int) -> dict[str, Any]:
    """What one kind of stream showed: latencies in milliseconds and in intervals of its frames, and lost frames."""
    streams: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        if one.number is not None:
            streams[one.camera].append(one)
    latencies = [sorted(latency_s(one, offsets_s[camera]) for one in stream) for camera, stream in streams.items()]
    ordered = sorted(latency for stream in latencies for latency in stream)
    said: dict[str, Any] = {
        "streams": len(streams),
        "samples": len(ordered),
        "unreadable": len(sightings) - len(ordered),
    }
    if not ordered:
        return said
    high_s = percentile(ordered, 95)
    lost = [losses(stream, step) for stream in streams.values()]
    dropped, unread = (sum(kind) for kind in zip(*lost, strict=True))
    return said | {
        "median_ms": round(statistics.median(ordered) * 1000),
        "p95_ms": round(high_s * 1000),
        "largest_ms": round(ordered[-1] * 1000),
        "worst_stream_p95_ms": round(max(percentile(stream, 95) for stream in latencies) * 1000),
        "p95_in_frame_intervals": round(high_s * NUMBERS_A_SECOND / step, 1),
        "dropped_frames": dropped,
        "dropped_percent": round(100 * dropped / (dropped + unread + len(ordered)), 2),
        "unread_frames": unread,
    }


def percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest of these values, in rising order, below or at which so many percent of them lie."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def run_live_bench(options: LiveBenchOptions) -> dict[str, Any]:
    """Measure the wall of the demonstration, all small tiles first, then with one enlarged.

    Raises VmsError when the tools of development are missing, or the demonstration does not start.
    """
    require_encoder()
    require_browser()
    steps = options.main_step, 2 * options.main_step
    with tempfile.TemporaryDirectory(prefix="vms-bench-", dir=options.folder) as place:
        main, sub = Path(place, "main.mp4"), Path(place, "sub.mp4")
        write_clock_film(main, *MAIN_SIZE, steps[0])
        write_clock_film(sub, *SUB_SIZE, steps[1])
        settings = f"[demonstration]\ncommunes = {options.settings.communes}\ncameras = {options.tiles}\n"
        settings += f"main_film = {json.dumps(str(main))}\nsub_film = {json.dumps(str(sub))}\n"
        with (
            demonstration(Path(place, "data"), settings=settings, base=options.base) as running,
            open_wall(running.console_url) as page,
        ):
            offsets_s = _offsets(page, options.settings)
            small = _watch(page, options.seconds)
            page.locator(".tile").first.click()
            enlarged = _watch(page, options.seconds)
    return report(options, small, enlarged, offsets_s)


def report(
    options: LiveBenchOptions, small: Sequence[Sighting], enlarged: Sequence[Sighting], offsets_s: Mapping[str, float]
) -> dict[str, Any]:
    """The figures of both looks. A tile that showed nothing counts against the target, as one that is late."""
    main, sub = options.main_step, 2 * options.main_step
    kinds = {
        "small_tiles": summary([one for one in small if not one.main], offsets_s, sub),
        "enlarged_tile": summary([one for one in enlarged if one.main], offsets_s, main),
        "small_tiles_beside_it": summary([one for one in enlarged if not one.main], offsets_s, sub),
    }
    complete = kinds["small_tiles"]["streams"] == options.tiles and kinds["enlarged_tile"]["streams"] == 1
    late = any(kind.get("p95_ms", 0) >= TARGET_MS for kind in kinds.values())
    return {
        "seconds": options.seconds,
        "tiles": options.tiles,
        "main_frames_per_second": NUMBERS_A_SECOND / main,
        "sub_frames_per_second": NUMBERS_A_SECOND / sub,
        **kinds,
        "target_ms": TARGET_MS,
        "target_met": complete and not late,
    }


def live_text(result: dict[str, Any]) -> str:
    """The figures as a table in French."""
    lines = [f"{'retard, de la caméra à l’écran':32} {'médiane':>9} {'95 %':>9} {'images':>8} {'perdues':>8}"]
    labels = {
        "small_tiles": "vignettes",
        "enlarged_tile": "caméra agrandie",
        "small_tiles_beside_it": "vignettes à côté",
    }
    for name, label in labels.items():
        found = result[name]
        if "p95_ms" in found:
            lines.append(
                f"{label:32} {found['median_ms']:6d} ms {found['p95_ms']:6d} ms {found['samples']:8d}"
                f" {found['dropped_percent']:6.1f} %"
            )
        else:
            lines.append(f"{label:32} aucune image lue")
    lines.append(f"Objectif, 95 % sous {result['target_ms']} ms : {'tenu' if result['target_met'] else 'NON tenu'}.")
    return "\n".join(lines)


def _offsets(page: Page, settings: DemonstrationSettings) -> dict[str, float]:
    """The place of each camera in the film, by its id."""
    listed = page.evaluate("async () => (await (await fetch('/api/cameras')).json()).cameras")
    by_name = {(spec.place.commune, spec.name): spec.offset_s for spec in expected_cameras(settings)}
    return {camera["id"]: by_name[camera["commune"], camera["name"]] for camera in listed}


def _watch(page: Page, seconds: float) -> list[Sighting]:
    page.wait_for_timeout(SETTLE_S * 1000)
    page.evaluate(_WATCH)
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate("() => { const seen = window.seen; window.seen = []; return seen; }")
    return [
        Sighting(str(camera), int(width), at_ms / 1000, _number(str(blocks)), int(presented))
        for camera, width, at_ms, blocks, presented in seen
    ]


def _number(blocks: str) -> int | None:
    number = number_of([block == "1" for block in blocks])
    return number if number is not None and number < NUMBERS else None
