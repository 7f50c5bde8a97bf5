"""The journal of accesses and the people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.supervision_centre.console.conftest import Stub
from tests.supervision_centre.console.screens import PURPOSE, expect_live, log_in, open_wall

pytestmark = pytest.mark.browser


def look_at_the_wall(page: Page) -> None:
    open_wall(page)
    expect_live(page, "cam_1")
    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_text("Vous êtes déconnecté.")).to_be_visible()


def test_each_look_stands_in_the_journal_with_its_proof(page: Page, stub: Stub, tmp_path: Path) -> None:
    """LAW-25: author, date and hour, reason; each entry with a proof that can be taken away."""
    look_at_the_wall(page)
    log_in(page, "dpo")
    rows = page.locator("tr.row")
    expect(rows.first).to_contain_text("Camille Lefèvre")
    expect(rows.first).to_contain_text("Ouverture d'une image en direct")
    expect(rows.first).to_contain_text(PURPOSE)
    index = rows.first.get_attribute("data-entry")
    with page.expect_download() as download:
        rows.first.get_by_role("button", name="Télécharger la preuve").click()
    download.value.save_as(tmp_path / "preuve.json")
    assert json.loads((tmp_path / "preuve.json").read_text())["index"] == int(index or 0)
    assert download.value.suggested_filename == f"preuve-journal-{index}.json"


def test_filters_narrow_the_journal_and_an_empty_result_says_so(page: Page) -> None:
    look_at_the_wall(page)
    log_in(page, "dpo")
    page.get_by_label("Commune").select_option(label="Vernon")
    page.get_by_role("button", name="Rechercher").click()
    expect(page.locator("tr.row", has_text="Évreux")).to_have_count(0)
    expect(page.locator("tr.row", has_text="Vernon").first).to_be_visible()
    page.get_by_label("Opération").select_option(label="Effacement")
    page.get_by_role("button", name="Rechercher").click()
    expect(page.get_by_text("Aucune entrée ne correspond à ces filtres.")).to_be_visible()


def test_the_details_of_an_entry_open_by_the_keyboard_and_close_by_escape(page: Page) -> None:
    look_at_the_wall(page)
    log_in(page, "dpo")
    page.get_by_role("button", name="Détails de l’entrée").first.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Heure UTC")
    expect(drawer.get_by_role("button", name="Télécharger la preuve")).to_be_visible()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_a_person_is_suspended_after_a_confirmation_and_it_can_be_undone(page: Page) -> None:
    """LAW-17: suspension is one confirmed act."""
    log_in(page, "superviseur")
    page.get_by_role("dialog").get_by_role("button", name="Annuler").click()
    page.get_by_role("link", name="Personnes").click()
    row = page.locator('[data-person="per_operatrice"]')
    row.get_by_role("button", name="Suspendre Camille Lefèvre").click()
    page.get_by_role("dialog").get_by_role("button", name="Suspendre").click()
    expect(row).to_contain_text("Compte suspendu")
    page.get_by_role("status").get_by_role("button", name="Annuler").click()
    expect(row).to_contain_text("En fonction")
    expect(page.locator('[data-person="per_superviseur"]').get_by_role("button")).to_have_count(0)
