"""What a test does in the console, and how it reads decoded pixels."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

PURPOSE = "Prévention des atteintes à la sécurité des personnes et des biens"

_SAMPLE = """video => {
  const canvas = document.createElement("canvas");
  canvas.width = 64;
  canvas.height = 48;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0, 64, 48);
  return Array.from(pen.getImageData(0, 0, 64, 48).data);
}"""


def log_in(page: Page, login: str = "operatrice", password: str = "demonstration") -> None:
    """Fill in the login."""
    page.get_by_label("Identifiant").fill(login)
    page.get_by_label("Mot de passe").fill(password)
    page.get_by_role("button", name="Se connecter").click()


def choose_purpose(page: Page, label: str = PURPOSE) -> None:
    """Answer the dialog that stands before the first image."""
    page.get_by_role("dialog").get_by_text(label).click()
    page.get_by_role("dialog").get_by_role("button", name="Voir les images").click()


def open_wall(page: Page) -> None:
    """The wall of the operator."""
    log_in(page)
    choose_purpose(page)


def tile(page: Page, camera: str) -> Locator:
    """The tile of a camera."""
    return page.locator(f'[data-tile="{camera}"]')


def video(page: Page, camera: str) -> Locator:
    """The picture of a camera on the wall."""
    return page.locator(f'.tile video[data-camera="{camera}"]')


def until(condition: Callable[[], bool], seconds: float = 15.0, pause: Callable[[int], None] | None = None) -> None:
    """Wait until a condition holds; AssertionError after a deadline. `pause` takes milliseconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        (pause or (lambda ms: time.sleep(ms / 1000)))(60)


def pixels(element: Locator) -> list[int]:
    """A decoded picture, as 64x48 RGBA samples."""
    values: list[int] = element.evaluate(_SAMPLE)
    return values


def moves(page: Page, element: Locator, seconds: float = 15.0) -> None:
    """Assert that the decoded picture is no plain surface and changes."""
    page.wait_for_timeout(0)
    until(lambda: len(set(pixels(element))) > 40, seconds, page.wait_for_timeout)
    first = pixels(element)
    until(lambda: difference(first, pixels(element)) > 2_000, seconds, page.wait_for_timeout)


def difference(one: list[int], other: list[int]) -> int:
    """The sum of absolute differences of two pictures."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def expect_live(page: Page, *cameras: str) -> None:
    """Wait until these tiles are live and show a frame."""
    for camera in cameras:
        expect(tile(page, camera)).to_have_attribute("data-condition", "live", timeout=15_000)
        expect(video(page, camera)).to_have_attribute("data-shown-utc", re.compile("Z$"), timeout=15_000)


def renew_now(page: Page) -> None:
    """Have the leases renewed at once, as when the page is seen again, rather than at their next turn."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def from_module(page: Page, module: str, expression: str) -> Any:
    """What an expression over a module of the console (`m`) gives."""
    return page.evaluate(f"async () => {{ const m = await import('/js/{module}'); return {expression}; }}")
