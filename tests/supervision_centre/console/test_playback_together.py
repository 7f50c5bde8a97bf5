"""Several cameras in step (LAW-27): one purpose, one look each, one instant for all; a gap of one stops no other."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.playing import (
    FRAME_S,
    LOOP_S,
    consult,
    go_to,
    open_playback,
    recent,
    shows,
    tiles,
    true_to_itself,
)
from tests.supervision_centre.console.screens import until

pytestmark = pytest.mark.browser

FOUR = ("cam_1", "cam_2", "cam_3", "cam_4")
_WATCH = """() => new Promise(resolve => {
  const seen = [], from = performance.now();
  const look = () => {
    seen.push([...document.querySelectorAll('.review-tile')].map(tile => Number(tile.dataset.shownMs)));
    if (performance.now() - from < 1500) requestAnimationFrame(look);
    else resolve(seen);
  };
  look();
})"""


def begin(page: Page, utc_s: float, *cameras: str) -> None:
    open_playback(page, *cameras)
    go_to(page, utc_s, ",".join(cameras))
    consult(page)
    shows(page, count=len(cameras))


def test_four_cameras_show_the_same_instant_within_one_picture(page: Page, stub: Stub) -> None:
    """Measured by the burnt-in number of the pictures and by the instant that is written over them, both ways."""
    open_playback(page, *FOUR)
    entries = stub.tell()["entries"]
    go_to(page, recent(), ",".join(FOUR))
    consult(page)
    shows(page, count=len(FOUR))
    assert stub.tell()["entries"] == entries + 4
    expect(page.locator(".head-line__receipt")).to_contain_text("Consultations inscrites au journal")
    for key, rate in (("l", 1), ("l", 2), ("j", -1)):
        page.keyboard.press(key)
        until(lambda: all(one["condition"] == "shown" for one in tiles(page)), 30, page.wait_for_timeout)
        page.wait_for_timeout(300)
        seen = page.evaluate(_WATCH)
        spread = max(max(instants) - min(instants) for instants in seen)
        assert spread <= 1000 * FRAME_S + 0.5
        assert (seen[-1][0] - seen[0][0]) * rate > 700
        shown = tiles(page)
        assert all(true_to_itself(one) for one in shown)
        numbers = [one["burnt"] for one in shown]
        assert max((number - numbers[0] + 250) % (25 * LOOP_S) - 250 for number in numbers) <= 1
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")
    until(lambda: len({one["burnt"] for one in tiles(page)}) == 1, 30, page.wait_for_timeout)


def test_a_gap_of_one_camera_says_why_and_stops_no_other(page: Page, stub: Stub) -> None:
    at = recent()
    stub.tell(own_gaps={"cam_3": [[at + 2, at + 5, "disk"]]})
    begin(page, at + 1, "cam_1", "cam_3")
    page.keyboard.press("l")
    cover = page.locator('[data-review="cam_3"] .review-tile__cover')
    expect(cover).to_contain_text("Images manquantes : disque")
    first = tiles(page)[0]["shown"]
    until(lambda: tiles(page)[0]["shown"] > first + 0.5, 30, page.wait_for_timeout)
    assert tiles(page)[1]["condition"] == "gap"
    until(lambda: tiles(page)[1]["condition"] == "shown", 30, page.wait_for_timeout)
    one, other = tiles(page)
    assert abs(one["shown"] - other["shown"]) <= FRAME_S + 0.001
    assert other["shown"] >= at + 5


def test_a_damaged_stretch_says_so_and_is_passed_over(page: Page, stub: Stub) -> None:
    """LAW-14, LAW-40: what is damaged is never shown as if it were whole."""
    at = recent()
    stub.tell(own_gaps={"cam_1": [[at + 2, at + 4, "damaged"]]})
    begin(page, at + 1.5, "cam_1")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("l")
    until(lambda: tiles(page)[0]["shown"] >= at + 4, 30, page.wait_for_timeout)
    expect(page.locator(".review__jump")).to_be_visible()


def test_what_turns_out_not_to_be_what_was_recorded_is_withdrawn_and_said(page: Page, stub: Stub) -> None:
    """LAW-14, LAW-40: pictures that the node disowns after it gave them are shown no more."""
    at = recent()
    begin(page, at + 1, "cam_1")
    stub.tell(disown=[at, at + 3])
    expect(page.locator(".review-tile__cover")).to_contain_text("Images endommagées")
    notice = page.locator('[data-notice="disowned"]')
    expect(notice).to_contain_text("ne sont pas celles qui ont été enregistrées")
    notice.get_by_role("button", name="Compris").click()
    expect(notice).to_be_hidden()
    page.keyboard.press("l")
    until(lambda: tiles(page)[0]["shown"] >= at + 3, 30, page.wait_for_timeout)


def test_a_slow_camera_is_waited_for_a_moment_and_then_catches_up(page: Page, stub: Stub) -> None:
    begin(page, recent(), "cam_1", "cam_3")
    stub.tell(slow_s={"cam_3": 2.5})
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("l")
    first = tiles(page)[0]["shown"]
    until(lambda: tiles(page)[0]["shown"] > first + 0.3, 30, page.wait_for_timeout)
    stub.tell(slow_s={})
    until(lambda: all(one["condition"] == "shown" for one in tiles(page)), 30, page.wait_for_timeout)
    one, other = tiles(page)
    assert abs(one["shown"] - other["shown"]) <= FRAME_S + 0.001


def test_cameras_come_and_go_while_the_others_play(page: Page, stub: Stub) -> None:
    begin(page, recent(), "cam_1")
    page.keyboard.press("l")
    for camera in FOUR[1:]:
        page.locator(f'[data-add="{camera}"]').click()
    shows(page, count=4)
    closed = len(stub.tell()["closed"])
    page.locator('[data-add="cam_5"]').click()
    expect(page.locator(".passing")).to_contain_text("Au plus 4 caméras")
    page.locator('[data-review="cam_2"]').get_by_role("button", name="Retirer").click()
    shows(page, count=3)
    assert len(tiles(page)) == 3
    until(lambda: len(stub.tell()["closed"]) == closed + 1, 30, page.wait_for_timeout)
