"""The playback when something is refused, lost, or lacking: no image without a right, and no dead end."""

from __future__ import annotations

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


def session(stub: Stub) -> str:
    found: str = stub.tell()["sessions"][-1][0]
    return found


def test_without_the_journal_no_recorded_image_is_shown(page: Page, stub: Stub) -> None:
    """LAW-26: the entry comes before the act."""
    open_playback(page)
    stub.tell(audit_down=True)
    go_to(page, recent())
    consult(page)
    expect(page.locator(".review-tile__cover")).to_contain_text("Le journal des accès ne répond pas")
    assert "shown" not in [one["condition"] for one in tiles(page)]
    stub.tell(audit_down=False)
    page.evaluate("location.hash = '#/relecture'")
    go_to(page, recent() + 1)
    shows(page)


def test_a_revoked_look_leaves_no_picture_and_says_why(page: Page, stub: Stub) -> None:
    """LAW-17: at once, and for good."""
    begin(page, recent())
    entries = stub.tell()["entries"]
    stub.tell(end=session(stub), cause="revoked")
    expect(page.locator(".review-tile__cover")).to_contain_text("La consultation a été interrompue par le centre.")
    assert page.locator(".picture").evaluate("canvas => canvas.width") == 16
    page.keyboard.press("l")
    page.wait_for_timeout(900)
    assert picture(page)["condition"] == "ended"
    assert stub.tell()["entries"] == entries


def test_a_lease_that_ran_out_is_taken_up_again_at_the_same_instant(page: Page, stub: Stub) -> None:
    at = recent() + 3
    begin(page, at)
    stub.tell(end=session(stub), cause="lease_expired")
    shows(page, "resuming")
    shows(page)
    assert picture(page)["shown"] == pytest.approx(at, abs=0.001)
    assert true_to_itself(picture(page))


def test_the_playback_comes_back_by_itself_after_a_loss_of_the_network(page: Page, stub: Stub) -> None:
    begin(page, recent())
    page.keyboard.press("l")
    stub.tell(gateway_down=True)
    expect(page.get_by_text("La liaison avec l’enregistreur est interrompue.", exact=False)).to_be_visible()
    stub.tell(gateway_down=False)
    lost = picture(page)["shown"]
    expect(page.get_by_text("La liaison avec l’enregistreur est interrompue.", exact=False)).to_be_hidden()
    until(lambda: picture(page)["shown"] > lost + 1, 30, page.wait_for_timeout)
    assert true_to_itself(picture(page))


def test_leaving_ends_the_look(page: Page, stub: Stub) -> None:
    begin(page, recent())
    page.keyboard.press("d")
    expect(page.locator(".tile--enlarged")).to_have_attribute("data-tile", "cam_1")
    until(lambda: any(one.startswith("view_") for one in stub.tell()["closed"]), 30, page.wait_for_timeout)
    until(lambda: stub.tell()["players"] == 0, 30, page.wait_for_timeout)


def test_the_head_goes_on_under_a_new_look_where_the_former_one_ends(page: Page, stub: Stub) -> None:
    """LAW-27: each stretch that is looked at has its own entry; the purpose is asked once."""
    at = recent()
    begin(page, at)
    entries, (start_ns, _) = stub.tell()["entries"], list(stub.tell()["ranges"].values())[-1]
    begins = start_ns / 1e9
    go_to(page, begins + 2)
    until(lambda: picture(page)["shown"] == pytest.approx(begins + 2, abs=0.001), 30, page.wait_for_timeout)
    for key in "jjj":
        page.keyboard.press(key)
    until(lambda: picture(page)["shown"] < begins - 2, 30, page.wait_for_timeout)
    assert stub.tell()["entries"] == entries + 1


def test_without_webcodecs_the_browser_itself_plays_and_steps(page: Page) -> None:
    page.add_init_script("delete window.VideoDecoder;")
    page.reload()
    at = recent() + 4.5
    begin(page, at)
    assert page.locator(".picture").evaluate("one => one.tagName") == "VIDEO"
    first = picture(page)
    assert first["burnt"] == number_at(at)
    page.keyboard.press("ArrowLeft")
    until(
        lambda: picture(page)["shown"] == pytest.approx(first["shown"] - FRAME_S, abs=0.001),
        pause=page.wait_for_timeout,
    )
    assert true_to_itself(picture(page))
    page.keyboard.press("l")
    expect(state(page)).to_have_text("Avant 1 ×")
    until(lambda: picture(page)["shown"] > at + 1, 30, page.wait_for_timeout)
    page.keyboard.press("j")
    until(lambda: picture(page)["shown"] < at, 30, page.wait_for_timeout)


def test_a_format_that_the_browser_cannot_read_is_said_in_a_sentence(page: Page) -> None:
    page.add_init_script("VideoDecoder.isConfigSupported = async () => ({ supported: false });")
    page.add_init_script("MediaSource.isTypeSupported = () => false;")
    page.reload()
    open_playback(page)
    go_to(page, recent())
    consult(page)
    expect(page.locator(".review-tile__cover")).to_contain_text("Ce navigateur ne sait pas lire le format")
