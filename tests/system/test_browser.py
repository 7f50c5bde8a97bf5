"""The whole product before a real Chromium: decoded pixels that move, playback, the journal, and its offline proof."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from supervision_centre.people.provision import DEMONSTRATION_PASSWORD
from tests.supervision_centre.console.conftest import ARGUMENTS, CHROMIUM
from tests.supervision_centre.console.screens import choose_purpose, difference, log_in, moves, pixels, until
from tests.system.demo_process import Demo, running_demo
from tests.writer_faults import stopped

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(180)]

CAMERAS = 12
TILES_THAT_MUST_MOVE = 10


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield window
        window.close()


@pytest.fixture
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="fr-FR", accept_downloads=True)
    window = context.new_page()
    window.set_default_timeout(20_000)
    failures: list[str] = []
    window.on("pageerror", lambda error: failures.append(str(error)))
    window.goto(demo.console_url)
    yield window
    context.close()
    assert failures == []


def open_wall(page: Page) -> None:
    log_in(page, "operatrice", DEMONSTRATION_PASSWORD)
    choose_purpose(page)
    expect(page.locator('.tile[data-condition="live"]')).to_have_count(CAMERAS, timeout=30_000)


def videos(page: Page) -> list[Locator]:
    return page.locator(".tile video").all()


def test_the_wall_shows_pictures_that_move_and_differ(page: Page):
    """Twelve live tiles: decoded pixels that change, clocks that run, and no two pictures alike."""
    open_wall(page)
    expect(page.get_by_text("Démonstration : caméras simulées")).to_be_visible()
    tiles = videos(page)
    assert len(tiles) == CAMERAS
    until(lambda: all(tile.evaluate("v => v.videoWidth") > 0 for tile in tiles), 20, page.wait_for_timeout)
    clocks = [tile.evaluate("v => v.currentTime") for tile in tiles]
    before = [pixels(tile) for tile in tiles]
    assert sum(len(set(picture)) > 40 for picture in before) >= TILES_THAT_MUST_MOVE

    def moved() -> int:
        return sum(difference(old, pixels(tile)) > 2_000 for old, tile in zip(before, tiles, strict=True))

    until(lambda: moved() >= TILES_THAT_MUST_MOVE, 20, page.wait_for_timeout)
    running = [tile.evaluate("v => v.currentTime") > clock for tile, clock in zip(tiles, clocks, strict=True)]
    assert sum(running) >= TILES_THAT_MUST_MOVE
    alike = [difference(one, other) for place, one in enumerate(before) for other in before[:place]]
    assert min(alike) > 5_000


def test_a_tile_enlarges_to_the_main_stream(page: Page):
    open_wall(page)
    first = page.locator(".tile").first
    camera = first.get_attribute("data-tile")
    small = page.locator(f'.tile video[data-camera="{camera}"]')
    until(lambda: small.evaluate("v => v.videoWidth") == 352, 20, page.wait_for_timeout)
    first.click()
    large = page.locator(f'video[data-camera="{camera}"]')
    until(lambda: large.evaluate("v => v.videoWidth") == 768, 20, page.wait_for_timeout)
    moves(page, large)
    page.keyboard.press("Escape")
    until(lambda: small.evaluate("v => v.videoWidth") == 352, 20, page.wait_for_timeout)


def test_the_wall_says_that_the_log_is_away_and_comes_back_by_itself(page: Page, demo: Demo):
    """LAW-26: the writer is stopped; one sentence, no picture once the leases have ended, and all of them later."""
    open_wall(page)
    live, notice = page.locator('.tile[data-condition="live"]'), page.locator('[data-notice="audit"]')
    with stopped(demo.numbers()["audit-writer"]):
        expect(notice).to_contain_text(
            "Le journal des accès ne répond pas : aucune image ne peut être montrée.", timeout=30_000
        )
        expect(notice).to_contain_text("prévenez l'exploitant")
        expect(live).to_have_count(0, timeout=30_000)
        shown = [tile.evaluate("video => video.videoWidth") for tile in videos(page)]
        assert not any(shown), shown
    expect(live).to_have_count(CAMERAS, timeout=30_000)
    expect(notice).to_have_count(0)


def test_looks_stand_in_the_journal_with_a_proof_that_holds_offline(page: Page, demo: Demo, tmp_path: Path):
    """LAW-25, LAW-26, LAW-31: live and playback are both in the journal, and the log proves itself without us."""
    open_wall(page)
    page.get_by_role("link", name="Relecture").click()
    page.locator("[data-pick]").first.click()
    line = page.get_by_role("slider", name="Ligne de temps")
    demo.wait_until_recorded(seconds=12)
    box = line.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.9975, box["y"] + 40)
    page.get_by_role("dialog").get_by_role("button", name="Consulter").click()
    moves(page, page.locator(".picture"))
    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_label("Identifiant")).to_be_visible()
    log_in(page, "dpo", DEMONSTRATION_PASSWORD)
    rows = page.locator("tr.row")
    expect(rows.filter(has_text="Camille Lefèvre").first).to_be_visible()
    acts = {row.strip() for row in rows.locator("td:nth-child(4)").all_inner_texts()}
    assert any("direct" in act for act in acts), acts
    assert any("enregistr" in act or "electure" in act for act in acts), acts
    look = rows.filter(has_text="Camille Lefèvre").first
    with page.expect_download() as download:
        look.get_by_role("button", name="Télécharger la preuve").click()
    proof = tmp_path / "preuve.json"
    download.value.save_as(proof)
    assert json.loads(proof.read_text())["index"] == int(look.get_attribute("data-entry") or -1)
    verified = subprocess.run(
        [sys.executable, "-m", "vms.app.cli.main", "audit", "verify", "--data", str(demo.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
