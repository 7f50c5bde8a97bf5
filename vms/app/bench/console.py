"""The console in a real browser, for measurements: a wall that is open, and what its canvases show."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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


@contextlib.contextmanager
def open_wall(console_url: str) -> Iterator[Page]:
    """The wall of the operator at 1920x1080, with every tile live. Raises VmsError when there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise VmsError(
            ErrorKind.CONFIGURATION,
            "bench.no_browser",
            "Cette mesure demande Playwright et Chromium, qui ne sont pas installés.",
            hint="Lancez « make bench », qui les installe.",
        ) from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            page = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="fr-FR").new_page()
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
                timeout=30_000,
            )
            yield page
        finally:
            browser.close()
