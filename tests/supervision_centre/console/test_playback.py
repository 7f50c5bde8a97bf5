"""The playback: the time line, one entry for each look, the clock of the picture, its controls."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.screens import choose_purpose, log_in, moves, pixels, until

pytestmark = pytest.mark.browser


def open_playback(page: Page, camera: str = "cam_1") -> None:
    log_in(page)
    choose_purpose(page)
    page.get_by_role("link", name="Relecture").click()
    page.locator(f'[data-pick="{camera}"]').click()
    expect(page.get_by_text("Images manquantes", exact=False)).to_be_visible()


def point(page: Page, share: float, click: bool = True) -> None:
    box = page.get_by_role("slider", name="Ligne de temps").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + 40)
    if click:
        page.mouse.click(box["x"] + box["width"] * share, box["y"] + 40)


def play(page: Page, share: float) -> Locator:
    point(page, share)
    page.get_by_role("dialog").get_by_role("button", name="Consulter").click()
    picture = page.locator(".player__video")
    until(lambda: bool(picture.get_attribute("data-shown-utc")), pause=page.wait_for_timeout)
    return picture


def shown_s(picture: Locator) -> float:
    return datetime.fromisoformat(picture.get_attribute("data-shown-utc") or "").timestamp()


def test_a_click_on_the_time_line_asks_why_and_plays_from_there(page: Page, stub: Stub) -> None:
    """LAW-27: the purpose is confirmed for the look, and its entry is shown."""
    open_playback(page)
    entries = stub.tell()["entries"]
    point(page, 0.75)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Consulter des images enregistrées")
    assert stub.tell()["entries"] == entries
    dialog.get_by_label("Précision", exact=False).fill("Objet trouvé")
    dialog.get_by_role("button", name="Consulter").click()
    picture = page.locator(".player__video")
    moves(page, picture)
    expect(page.locator(".player__receipt")).to_contain_text("inscrite au journal")
    assert stub.tell()["entries"] == entries + 1
    asked = stub.tell()["playbacks"][0][0]
    until(lambda: shown_s(picture) >= asked - 0.1, pause=page.wait_for_timeout)
    assert shown_s(picture) < asked + 15


def test_the_clock_follows_the_picture_and_its_speed(page: Page) -> None:
    open_playback(page)
    picture = play(page, 0.75)
    clock = page.locator('[data-clock="playback"]')
    before = clock.inner_text()
    until(lambda: clock.inner_text() != before, pause=page.wait_for_timeout)
    assert "UTC" in (clock.get_attribute("title") or "")
    page.get_by_role("button", name="8 ×").click()
    start = shown_s(picture)
    page.wait_for_timeout(1_500)
    assert shown_s(picture) - start > 5


def test_pause_holds_the_picture_and_a_step_moves_it_by_one_image(page: Page) -> None:
    open_playback(page)
    picture = play(page, 0.75)
    page.wait_for_timeout(600)
    page.keyboard.press("Space")
    until(lambda: bool(picture.evaluate("v => v.paused")), pause=page.wait_for_timeout)
    page.wait_for_timeout(300)
    held, image = shown_s(picture), pixels(picture)
    page.wait_for_timeout(300)
    assert pixels(picture) == image
    page.keyboard.press(";")
    until(lambda: shown_s(picture) > held, pause=page.wait_for_timeout)
    assert shown_s(picture) - held == pytest.approx(0.08, abs=0.005)
    page.keyboard.press(",")
    until(lambda: shown_s(picture) == pytest.approx(held, abs=0.005), pause=page.wait_for_timeout)


def test_ten_seconds_back_is_within_the_same_look(page: Page, stub: Stub) -> None:
    open_playback(page)
    picture = play(page, 0.75)
    entries, start = stub.tell()["entries"], shown_s(picture)
    page.get_by_role("button", name="Reculer de 10 secondes").click()
    until(lambda: shown_s(picture) < start - 7, pause=page.wait_for_timeout)
    moves(page, picture)
    assert stub.tell()["entries"] == entries


def test_missing_images_are_explained_on_the_time_line_and_jumped_over(page: Page, stub: Stub) -> None:
    open_playback(page)
    gap_start, gap_end, _ = stub.tell()["gaps"][0]
    page_now = page.evaluate("Date.now() / 1000")
    point(page, 1 - (page_now - (gap_start + gap_end) / 2) / 3600, click=False)
    expect(page.locator(".timeline__tip")).to_contain_text("Liaison avec la commune interrompue")
    expect(page.get_by_role("list", name="Légende")).to_contain_text("Manque : réseau")
    picture = play(page, 1 - (page_now - gap_start + 8) / 3600)
    page.get_by_role("button", name="4 ×").click()
    until(lambda: shown_s(picture) > gap_end, 20, page.wait_for_timeout)
    expect(page.locator(".player__jump")).to_contain_text("Images manquantes de")


def test_leaving_ends_the_look(page: Page, stub: Stub) -> None:
    open_playback(page)
    play(page, 0.75)
    page.keyboard.press("d")
    expect(page.locator(".tile--enlarged")).to_have_attribute("data-tile", "cam_1")
    until(lambda: any(one.startswith("view_") for one in stub.tell()["closed"]), pause=page.wait_for_timeout)


def test_without_the_journal_no_recorded_image_is_shown(page: Page, stub: Stub) -> None:
    open_playback(page)
    stub.tell(audit_down=True)
    point(page, 0.75)
    page.get_by_role("dialog").get_by_role("button", name="Consulter").click()
    expect(page.locator(".player__cover")).to_contain_text("Le journal des accès ne répond pas")
    assert page.locator(".player__video").evaluate("v => v.videoWidth") == 0
