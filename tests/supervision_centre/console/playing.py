"""What a test does on the playback, and how it reads the instant that is burnt into a picture."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.supervision_centre.console.screens import choose_purpose, log_in, until
from tests.supervision_centre.console.stub_clock_film import RATE, SECONDS

FRAME_S = 1 / RATE
LOOP_S = SECONDS

_READ = """tiles => tiles.map(tile => {
  const picture = tile.querySelector('.picture');
  const canvas = document.createElement('canvas');
  canvas.width = 640;
  canvas.height = 360;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.drawImage(picture, 0, 0, 640, 360);
  let number = 0;
  for (let block = 0; block < 10; block += 1) {
    if (pen.getImageData(block * 64 + 32, 30, 1, 1).data[0] > 128) number += 2 ** block;
  }
  return { condition: tile.dataset.condition, shown: Number(tile.dataset.shownMs ?? NaN) / 1000, burnt: number };
})"""


def open_playback(page: Page, *cameras: str) -> None:
    """The playback of some cameras, before anything is shown."""
    log_in(page)
    choose_purpose(page)
    page.get_by_role("link", name="Relecture").click()
    first, *others = cameras or ("cam_1",)
    page.locator(f'[data-pick="{first}"]').click()
    for camera in others:
        page.locator(f'[data-add="{camera}"]').click()
    expect(page.get_by_text("Images manquantes", exact=False)).to_be_visible()


def go_to(page: Page, utc_s: float, camera: str = "cam_1") -> None:
    """Have the screen go to an instant, as a link from elsewhere does."""
    at = datetime.fromtimestamp(utc_s).astimezone().isoformat()
    page.evaluate("at => { location.hash = `#/relecture?${new URLSearchParams(at)}`; }", {"camera": camera, "at": at})


def consult(page: Page) -> None:
    """Confirm the purpose."""
    page.get_by_role("dialog").get_by_role("button", name="Consulter").click()


def point(page: Page, utc_s: float, *, click: bool = True) -> tuple[float, float]:
    """Point at an instant of the time line, which shows the last hour; where that is on the page."""
    line = page.get_by_role("slider", name="Ligne de temps")
    box = line.bounding_box()
    assert box is not None
    low, high = (int(line.get_attribute(f"aria-value{name}") or 0) for name in ("min", "max"))
    x, y = box["x"] + box["width"] * (utc_s - low) / (high - low), box["y"] + 40
    page.mouse.move(x, y)
    if click:
        page.mouse.click(x, y)
    return x, y


def tiles(page: Page) -> list[dict[str, Any]]:
    """Condition, instant (UTC seconds) and burnt-in number of every picture, read in one go."""
    seen: list[dict[str, Any]] = page.locator(".review-tile").evaluate_all(_READ)
    return seen


def picture(page: Page) -> dict[str, Any]:
    """The only picture."""
    (one,) = tiles(page)
    return one


def shows(page: Page, condition: str = "shown", count: int = 1) -> None:
    """Wait until so many tiles show this condition."""
    until(lambda: [one["condition"] for one in tiles(page)].count(condition) >= count, 30, page.wait_for_timeout)


def number_at(utc_s: float) -> int:
    """What is burnt into the picture of an instant."""
    return int(round(utc_s % LOOP_S * 1000, 3) / 40 + 1e-6) % (LOOP_S * RATE)


def true_to_itself(one: dict[str, Any]) -> bool:
    """Whether a picture is that of the instant that is written over it."""
    return bool(one["burnt"] == number_at(one["shown"]))


def recent() -> int:
    """A second that was recorded a while ago, at the start of the film."""
    return (int(time.time()) - 900) // LOOP_S * LOOP_S


def state(page: Page) -> Locator:
    """What the head does, in words."""
    return page.locator(".head-line__state")
