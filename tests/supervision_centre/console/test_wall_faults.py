"""What the wall says and does when something behind it fails, and that it comes back by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.screens import expect_live, moves, open_wall, renew_now, tile, until, video

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("sentence", ["", "Le journal des accès ne peut plus écrire sur son disque : aucune image."])
def test_without_the_journal_the_tiles_stop_with_one_sentence_and_recover_alone(
    page: Page, stub: Stub, sentence: str
) -> None:
    """LAW-26: no image while the journal does not answer, and the centre's own sentence, whatever keeps it away."""
    open_wall(page)
    expect_live(page, "cam_1")
    stub.tell(audit_down=sentence or True)
    renew_now(page)
    notice = page.locator('[data-notice="audit"]')
    usual = "Le journal des accès ne répond pas : aucune image ne peut être montrée."
    expect(notice).to_contain_text(sentence or usual)
    expect(notice).to_have_count(1)
    expect(tile(page, "cam_1")).to_have_attribute("data-condition", "unavailable")
    assert video(page, "cam_1").evaluate("video => video.videoWidth") == 0
    stub.tell(audit_down=False)
    expect_live(page, "cam_1", "cam_6")
    expect(notice).to_have_count(0)


def test_a_lost_gateway_is_said_and_found_again(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    stub.tell(gateway_down=True)
    expect(tile(page, "cam_1")).to_have_attribute("data-condition", "reconnecting")
    expect(page.locator('[data-notice="gateway"]')).to_contain_text("La liaison avec l’enregistreur est interrompue.")
    stub.tell(gateway_down=False)
    expect_live(page, "cam_1", "cam_6")
    moves(page, video(page, "cam_1"))
    expect(page.locator('[data-notice="gateway"]')).to_have_count(0)


def test_a_lost_network_is_said_and_the_notice_goes_when_it_is_back(page: Page) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    page.context.route("**/api/**", lambda route: route.abort())
    renew_now(page)
    notice = page.locator('[data-notice="network"]')
    expect(notice).to_contain_text("Le centre ne répond plus.")
    page.context.unroute("**/api/**")
    notice.get_by_role("button", name="Réessayer").click()
    expect(notice).to_have_count(0)


def test_a_new_generation_goes_on_without_a_black_tile(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    for _ in range(3):
        stub.tell(restart="cam_1")
        page.wait_for_timeout(150)
    moves(page, video(page, "cam_1"))
    ranges, behind = video(page, "cam_1").evaluate(
        "v => [v.buffered.length, v.buffered.end(v.buffered.length - 1) - v.currentTime]"
    )
    assert ranges == 1
    assert behind < 2


def test_a_revoked_session_stops_its_tile_and_is_not_opened_again(page: Page, stub: Stub) -> None:
    """LAW-17: what the centre ends stays ended."""
    open_wall(page)
    expect_live(page, "cam_2")
    session = next(name for name, camera in stub.tell()["sessions"] if camera == "cam_2")
    stub.tell(end=session, cause="revoked")
    expect(tile(page, "cam_2")).to_contain_text("La consultation a été interrompue par le centre.")
    opened = stub.tell()["opened"].count(["cam_2", "sub"])
    renew_now(page)
    page.wait_for_timeout(500)
    assert stub.tell()["opened"].count(["cam_2", "sub"]) == opened


def test_a_lease_that_ended_too_early_is_taken_again(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_2")
    session = next(name for name, camera in stub.tell()["sessions"] if camera == "cam_2")
    stub.tell(end=session, cause="lease_expired")
    until(lambda: stub.tell()["opened"].count(["cam_2", "sub"]) == 2, pause=page.wait_for_timeout)
    expect_live(page, "cam_2")


def test_dropped_images_are_told_on_the_tile(page: Page, stub: Stub) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    stub.tell(lag="cam_1")
    expect(tile(page, "cam_1").locator(".tile__lag")).to_have_text("En retard : 7 images omises")


@pytest.mark.long
def test_the_buffer_of_a_tile_stays_short(page: Page) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    page.wait_for_timeout(11_000)
    kept = video(page, "cam_1").evaluate("v => v.buffered.end(v.buffered.length - 1) - v.buffered.start(0)")
    assert kept < 10
