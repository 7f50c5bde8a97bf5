"""The playback of one camera: exact to the picture at every speed, both ways, under a look (LAW-26, LAW-27)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.playing import (
    FRAME_S,
    consult,
    go_to,
    number_at,
    open_playback,
    picture,
    point,
    recent,
    shows,
    state,
    tiles,
    true_to_itself,
)
from tests.supervision_centre.console.screens import until

pytestmark = pytest.mark.browser


def begin(page: Page, utc_s: float, camera: str = "cam_1") -> None:
    open_playback(page, camera)
    go_to(page, utc_s, camera)
    consult(page)
    shows(page)


def test_a_click_on_the_time_line_asks_why_and_plays_from_there(page: Page, stub: Stub) -> None:
    """LAW-27: the purpose is confirmed for the look, and its entry is shown."""
    open_playback(page)
    entries, at = stub.tell()["entries"], recent()
    point(page, at)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Consulter des images enregistrées")
    assert stub.tell()["entries"] == entries
    dialog.get_by_label("Précision", exact=False).fill("Objet trouvé")
    consult(page)
    shows(page)
    first = picture(page)
    until(lambda: picture(page)["shown"] > first["shown"] + 0.2, 30, page.wait_for_timeout)
    expect(state(page)).to_have_text("Avant 1 ×")
    expect(page.locator(".head-line__receipt")).to_contain_text("inscrite au journal")
    assert abs(first["shown"] - at) < 8
    assert stub.tell()["entries"] == entries + 1


@pytest.mark.parametrize("camera", ["cam_1", "cam_2"], ids=["in order", "reordered"])
def test_the_asked_picture_comes_first_and_steps_are_exact_both_ways(page: Page, camera: str) -> None:
    at = recent() + 7.5
    begin(page, at, camera)
    first = picture(page)
    assert first["shown"] == pytest.approx(at - 0.02, abs=0.0005)
    assert first["burnt"] == number_at(at)
    for key, times in (("ArrowRight", 14), ("ArrowLeft", 20)):
        for _ in range(times):
            before = picture(page)["shown"]
            page.keyboard.press(key)
            after = moved_from(page, before)
            step = FRAME_S if key == "ArrowRight" else -FRAME_S
            assert after["shown"] - before == pytest.approx(step, abs=0.0005)
            assert true_to_itself(after)


def moved_from(page: Page, shown_s: float) -> dict[str, Any]:
    until(lambda: picture(page)["shown"] != shown_s, 30, page.wait_for_timeout)
    return picture(page)


def test_speeds_both_ways_show_true_pictures_at_the_pace_that_is_said(page: Page, stub: Stub) -> None:
    """Every picture up to 4×, key frames alone above it."""
    at = recent()
    begin(page, at)
    for keys, words, rate in (("l", "Avant 1 ×", 1), ("lll", "Avant 8 ×", 8), ("l", "Avant 16 ×", 16)):
        for key in keys:
            page.keyboard.press(key)
        expect(state(page)).to_have_text(words)
        keeps_pace(page, rate)
    assert ["forward", "key"] in [fetch[:2] for fetch in stub.tell()["fetches"]]
    for keys, words, rate in (("j", "Arrière 1 ×", -1), ("jj", "Arrière 4 ×", -4), ("jj", "Arrière 16 ×", -16)):
        for key in keys:
            page.keyboard.press(key)
        expect(state(page)).to_have_text(words)
        keeps_pace(page, rate)
    assert ["reverse", "key"] in [fetch[:2] for fetch in stub.tell()["fetches"]]
    page.keyboard.press("k")
    expect(state(page)).to_have_text("Arrêt sur image")
    shows(page)
    assert true_to_itself(picture(page))


def keeps_pace(page: Page, rate: float) -> None:
    sample = """() => new Promise(resolve => {
      const seen = [], tile = document.querySelector('.review-tile'), from = performance.now();
      const look = () => {
        seen.push([performance.now() / 1000, Number(tile.dataset.shownMs) / 1000]);
        if (performance.now() - from < 1200) requestAnimationFrame(look);
        else resolve(seen);
      };
      look();
    })"""
    shows(page)
    seen = page.evaluate(sample)
    assert true_to_itself(picture(page))
    (begun, first), (ended, last) = seen[0], seen[-1]
    shown = (last - first) / (ended - begun)
    assert 0.4 < shown / rate < 1.5, f"{shown} instead of {rate}"
    steps = [after - before for (_, before), (_, after) in pairwise(seen) if after != before]
    assert all((step > 0) == (rate > 0) for step in steps)


def test_ten_seconds_back_stays_under_the_same_look_and_can_be_undone(page: Page, stub: Stub) -> None:
    at = recent() + 15
    begin(page, at)
    entries = stub.tell()["entries"]
    page.keyboard.press("Shift+ArrowLeft")
    until(lambda: picture(page)["shown"] == pytest.approx(at - 10, abs=0.001), 30, page.wait_for_timeout)
    page.keyboard.press("Alt+ArrowLeft")
    until(lambda: picture(page)["shown"] == pytest.approx(at, abs=0.001), 30, page.wait_for_timeout)
    page.get_by_role("button", name="Refaire le saut").click()
    until(lambda: picture(page)["shown"] == pytest.approx(at - 10, abs=0.001), 30, page.wait_for_timeout)
    assert stub.tell()["entries"] == entries


def test_markers_bring_back_to_an_instant(page: Page) -> None:
    at = recent() + 5
    begin(page, at)
    page.keyboard.press("m")
    page.keyboard.press("Shift+ArrowRight")
    until(lambda: picture(page)["shown"] == pytest.approx(at + 10, abs=0.001), 30, page.wait_for_timeout)
    page.keyboard.press("b")
    until(lambda: picture(page)["shown"] == pytest.approx(at, abs=0.001), 30, page.wait_for_timeout)
    page.get_by_role("list", name="Repères").get_by_role("button", name="Ôter").click()
    expect(page.get_by_role("list", name="Repères")).to_be_hidden()


def test_missing_images_are_explained_and_jumped_over_both_ways(page: Page, stub: Stub) -> None:
    gap_start, gap_end, _ = stub.tell()["gaps"][1]
    open_playback(page)
    point(page, (gap_start + gap_end) / 2, click=False)
    expect(page.locator(".timeline__tip")).to_contain_text("Caméra sans réponse")
    go_to(page, gap_start - 0.4)
    consult(page)
    shows(page)
    page.keyboard.press("l")
    expect(page.locator(".review__jump")).to_contain_text("Images manquantes de")
    until(lambda: picture(page)["shown"] >= gap_end, 30, page.wait_for_timeout)
    page.keyboard.press("j")
    until(lambda: picture(page)["shown"] < gap_start, 30, page.wait_for_timeout)
    page.keyboard.press("k")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".review-tile__cover")).to_contain_text("Caméra sans réponse")
    page.get_by_role("button", name="Images suivantes").click()
    until(lambda: picture(page)["shown"] >= gap_end, 30, page.wait_for_timeout)


def test_an_instant_without_recording_says_so_and_offers_the_nearest_images(page: Page, stub: Stub) -> None:
    gap_start, gap_end, _ = stub.tell()["gaps"][0]
    open_playback(page)
    entries = stub.tell()["entries"]
    go_to(page, (gap_start + gap_end) / 2)
    cover = page.locator(".review-tile__cover")
    expect(cover).to_contain_text("Rien n’est enregistré le")
    expect(cover).to_contain_text("Liaison avec la commune interrompue")
    assert stub.tell()["entries"] == entries
    cover.get_by_role("button", name="Images suivantes").click()
    consult(page)
    shows(page)
    assert gap_end <= picture(page)["shown"] < gap_end + 2


def test_the_strip_and_the_still_under_the_hand_come_from_the_node(page: Page, stub: Stub) -> None:
    stub.tell(stills_down=False)
    at = recent()
    begin(page, at)
    expect(page.locator(".strip__still").first).to_be_visible()
    x, y = point(page, at, click=False)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    expect(page.locator(".timeline__still")).to_be_visible()
    until(lambda: len(stub.tell()["stills"]) > 0, 30, page.wait_for_timeout)
    page.mouse.up()
    until(lambda: picture(page)["shown"] > at + 60, 30, page.wait_for_timeout)


def test_without_stills_the_playback_goes_on(page: Page) -> None:
    begin(page, recent())
    page.keyboard.press("l")
    first = picture(page)["shown"]
    until(lambda: picture(page)["shown"] > first + 0.5, 30, page.wait_for_timeout)
    expect(page.locator(".strip")).to_be_hidden()
    assert len(tiles(page)) == 1
