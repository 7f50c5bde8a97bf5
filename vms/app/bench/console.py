"""The console in a real browser, for measurements: a wall that is open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from supervision_centre.people.provision import DEMONSTRATION_PASSWORD
from vms.base.errors import ErrorKind, VmsError

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
)
ALL_LIVE_MS = 30_000


def require_browser() -> None:
    """Raise VmsError(CONFIGURATION) when no wall can be opened here: Playwright serves development only."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as missing:
        raise _no_browser("Playwright", str(missing)) from None
    if not Path(CHROMIUM).exists():
        raise _no_browser("Chromium", f"{CHROMIUM} is absent")


@contextlib.contextmanager
def open_wall(console_url: str) -> Iterator[Page]:
    """The wall of the operator at 1920x1080, with every tile live.

    Raises VmsError when there is no browser, or when a tile does not come to life.
    """
    require_browser()
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            page = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="fr-FR").new_page()
            try:
                _enter(page, console_url)
            except Error as error:
                raise VmsError(
                    ErrorKind.UNAVAILABLE,
                    "bench.no_wall",
                    "Le mur d'images ne s'est pas ouvert avec toutes ses caméras en direct.",
                    hint="La machine est peut-être trop chargée : relancez la mesure quand elle est au repos.",
                    detail=str(error),
                ) from None
            yield page
        finally:
            browser.close()


def moving_tiles(page: Page, seconds: float = 2.0) -> int:
    """How many tiles of the wall are live and go on showing new frames."""
    count = page.evaluate(
        """async pause => {
          const live = [...document.querySelectorAll('.tile[data-condition="live"] video')];
          const before = live.map(video => video.currentTime);
          await new Promise(done => setTimeout(done, pause));
          return live.filter((video, place) => video.currentTime > before[place]).length;
        }""",
        seconds * 1000,
    )
    return int(count)


def _enter(page: Page, console_url: str) -> None:
    page.goto(console_url)
    page.get_by_label("Identifiant").fill("operatrice")
    page.get_by_label("Mot de passe").fill(DEMONSTRATION_PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Prévention des atteintes à la sécurité des personnes et des biens").click()
    dialog.get_by_role("button", name="Voir les images").click()
    page.wait_for_function(
        "() => document.querySelectorAll('.tile').length > 0 &&"
        " [...document.querySelectorAll('.tile')].every(tile => tile.dataset.condition === 'live')",
        timeout=ALL_LIVE_MS,
    )


def _no_browser(name: str, detail: str) -> VmsError:
    return VmsError(
        ErrorKind.CONFIGURATION,
        "bench.no_browser",
        f"Cette mesure ouvre le mur d'images dans un navigateur, et {name} n'est pas installé.",
        hint="Lancez « make bench », qui installe ce qui manque.",
        detail=detail,
    )
