"""Who enters, and what the console says to those who may not."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.screens import choose_purpose, log_in, open_wall

pytestmark = pytest.mark.browser


def test_a_wrong_password_is_told_in_one_french_sentence_and_the_field_is_ready_again(page: Page) -> None:
    log_in(page, password="faux")
    expect(page.get_by_role("alert")).to_have_text("Identifiant ou mot de passe incorrect.")
    expect(page.get_by_label("Mot de passe")).to_be_focused()


def test_too_many_attempts_are_answered_by_a_countdown_that_ends(page: Page, stub: Stub) -> None:
    stub.tell(failed_logins=5)
    log_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Nouvel essai possible dans")
    expect(page.get_by_role("button", name="Se connecter")).to_be_disabled()
    stub.tell(failed_logins=0)
    expect(page.get_by_role("button", name="Se connecter")).to_be_enabled(timeout=6_000)


def test_no_image_before_a_purpose_is_chosen(page: Page, stub: Stub) -> None:
    """LAW-04, LAW-27: the dialog stands before the first session, and the choice is shown in the bar."""
    log_in(page)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text("Pour quelle finalité")
    dialog.get_by_role("button", name="Voir les images").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Annuler").click()
    expect(page.get_by_text("Choisissez la finalité pour voir les images.")).to_be_visible()
    assert stub.tell()["opened"] == []
    page.locator(".empty").get_by_role("button", name="Choisir la finalité").click()
    choose_purpose(page, "Secours aux personnes")
    expect(page.locator(".bar__purpose")).to_contain_text("Secours aux personnes")
    expect(page.locator(".foot__receipt")).to_contain_text("inscrites au journal")


def test_the_bar_says_who_under_whose_authority_and_that_this_is_a_demonstration(page: Page) -> None:
    """LAW-20: whose images these are stands in the bar; the whole list is one click away."""
    open_wall(page)
    bar = page.get_by_role("banner")
    expect(bar).to_contain_text("Camille Lefèvre")
    expect(bar).to_contain_text("Opérateur de vidéoprotection")
    expect(page.get_by_text("Démonstration : caméras simulées")).to_be_visible()
    bar.get_by_text("Autorités des images").click()
    expect(page.get_by_role("dialog").get_by_role("listitem")).to_have_count(6)


def test_navigation_shows_only_what_the_rights_allow(page: Page) -> None:
    open_wall(page)
    expect(page.get_by_role("navigation", name="Écrans").get_by_role("link")).to_have_text(["Mur", "Relecture"])


def test_an_expired_session_goes_back_to_the_login_and_says_so(page: Page, stub: Stub) -> None:
    log_in(page, "dpo")
    expect(page.get_by_role("heading", name="Journal des accès")).to_be_visible()
    page.route("**/api/audit/entries?*", lambda route: route.fulfill(status=401, json={"code": "session.expired"}))
    page.get_by_role("button", name="Rechercher").click()
    expect(page.get_by_text("Votre session a pris fin. Connectez-vous de nouveau.")).to_be_visible()
    expect(page.get_by_label("Identifiant")).to_be_focused()


def test_the_journal_of_the_dpo_is_reached_without_any_purpose(page: Page) -> None:
    log_in(page, "dpo")
    expect(page.get_by_role("heading", name="Journal des accès")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
