"""The wall: decoded pixels that change, tiles that say why they show nothing, keys, leases."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.screens import expect_live, moves, open_wall, renew_now, tile, until, video

pytestmark = pytest.mark.browser

ALL = [f"cam_{number}" for number in range(1, 7)]
_LATENCIES = """async seconds => {
  const found = [];
  for (const video of document.querySelectorAll(".tile video")) {
    const follow = () => {
      video.requestVideoFrameCallback(follow);
      found.push(Date.now() - Date.parse(video.dataset.shownUtc));
    };
    video.requestVideoFrameCallback(follow);
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  return found.filter(Number.isFinite).sort((one, other) => one - other);
}"""


def test_every_tile_shows_decoded_pixels_that_change(page: Page, stub: Stub) -> None:
    """LAW-26: each tile has an entry in the journal before its first image."""
    open_wall(page)
    expect_live(page, *ALL)
    for camera in ALL:
        moves(page, video(page, camera))
        assert video(page, camera).evaluate("video => video.videoWidth") == 352
    assert stub.tell()["walls"] == 1


def test_frames_are_on_the_screen_within_half_a_second_of_their_capture(page: Page) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    page.wait_for_timeout(1_000)
    found = page.evaluate(_LATENCIES, 2)
    assert len(found) > 40
    assert found[int(len(found) * 0.95)] < 500
    assert 0 < found[len(found) // 2] < 400


def test_a_tile_without_signal_says_why_and_since_when_and_comes_back(page: Page, stub: Stub) -> None:
    stub.tell(silent={"cam_2": "unreachable", "cam_4": "bad_password"})
    open_wall(page)
    expect_live(page, "cam_1")
    expect(tile(page, "cam_2")).to_have_attribute("data-condition", "no_signal")
    expect(tile(page, "cam_2")).to_contain_text("La caméra ne répond pas sur le réseau.")
    expect(tile(page, "cam_2")).to_contain_text("Depuis ")
    expect(tile(page, "cam_4")).to_contain_text("La caméra refuse le mot de passe enregistré.")
    expect(page.locator('[data-pick="cam_4"]')).to_contain_text("Pas de signal")
    stub.tell(silent={})
    expect_live(page, "cam_2", "cam_4")
    expect(tile(page, "cam_2").locator(".tile__cover")).to_be_hidden()
    moves(page, video(page, "cam_2"))


def test_a_frozen_picture_is_covered_as_soon_as_the_signal_is_lost(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_3")
    stub.tell(silent={"cam_3": "timeout"})
    expect(tile(page, "cam_3").locator(".tile__cover")).to_be_visible()
    expect(tile(page, "cam_3")).to_contain_text("La caméra met trop de temps à répondre.")
    expect(tile(page, "cam_3").locator(".tile__time")).to_have_text("")


def test_a_click_enlarges_on_the_main_stream_and_escape_returns_to_the_small_one(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    tile(page, "cam_5").click()
    until(lambda: video(page, "cam_5").evaluate("v => v.videoWidth") == 768, pause=page.wait_for_timeout)
    moves(page, video(page, "cam_5"))
    expect(tile(page, "cam_5")).to_contain_text("Autorité")
    expect(tile(page, "cam_5").locator(".tile__receipt")).to_contain_text("inscrite au journal")
    large, small = tile(page, "cam_5").bounding_box(), tile(page, "cam_1").bounding_box()
    assert large is not None
    assert small is not None
    assert large["width"] > 4 * small["width"]
    moves(page, video(page, "cam_1"))
    page.keyboard.press("Escape")
    until(lambda: video(page, "cam_5").evaluate("v => v.videoWidth") == 352, pause=page.wait_for_timeout)
    moves(page, video(page, "cam_5"))
    assert stub.tell()["opened"][-2:] == [["cam_5", "main"], ["cam_5", "sub"]]


def test_the_keyboard_alone_moves_enlarges_and_explains(page: Page) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    for key, expected in (("ArrowRight", "cam_2"), ("ArrowDown", "cam_5"), ("ArrowLeft", "cam_4"), ("Home", "cam_1")):
        page.keyboard.press(key)
        expect(tile(page, expected)).to_be_focused()
    page.keyboard.press("Enter")
    expect(tile(page, "cam_1")).to_have_class("tile tile--enlarged")
    page.keyboard.press("ArrowRight")
    expect(tile(page, "cam_2")).to_have_class("tile tile--enlarged")
    page.keyboard.press("Escape")
    expect(page.locator(".tile--enlarged")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Passer d’une image à l’autre")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    until(lambda: bool(page.evaluate("document.fullscreenElement !== null")), pause=page.wait_for_timeout)
    page.keyboard.press("f")
    until(lambda: bool(page.evaluate("document.fullscreenElement === null")), pause=page.wait_for_timeout)
    page.keyboard.press("/")
    expect(page.get_by_label("Chercher une caméra")).to_be_focused()


def test_a_search_without_accents_leaves_fewer_tiles_and_ends_the_other_sessions(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    page.get_by_label("Chercher une caméra").fill("evreux")
    expect(page.locator(".tile")).to_have_count(2)
    until(lambda: len(stub.tell()["closed"]) == 4, pause=page.wait_for_timeout)
    assert len({session for session, _ in stub.tell()["sessions"]}) == 2
    page.get_by_label("Commune").select_option(label="Vernon")
    expect(page.get_by_text("Aucune caméra ne correspond.")).to_be_visible()


def test_leaving_the_wall_ends_every_session(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    page.get_by_role("link", name="Relecture").click()
    until(lambda: stub.tell()["sessions"] == [], pause=page.wait_for_timeout)
    until(lambda: stub.tell()["walls"] == 0, pause=page.wait_for_timeout)


def test_closing_the_window_ends_every_session(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    page.close()
    until(lambda: stub.tell()["sessions"] == [])


def test_a_lease_is_renewed_while_one_watches(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    before = len(stub.tell()["sessions"])
    renew_now(page)
    until(lambda: len(stub.tell()["sessions"]) >= 2 * before, pause=page.wait_for_timeout)
    moves(page, video(page, "cam_1"))


def test_another_purpose_ends_the_sessions_and_opens_them_under_the_new_one(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, *ALL)
    page.locator(".bar__purpose").click()
    page.get_by_role("dialog").get_by_text("Régulation des flux de transport").click()
    page.get_by_role("dialog").get_by_role("button", name="Changer").click()
    expect(page.locator(".bar__purpose")).to_contain_text("Régulation")
    until(lambda: len(stub.tell()["closed"]) == 6, pause=page.wait_for_timeout)
    expect_live(page, *ALL)
