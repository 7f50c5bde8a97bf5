"""The journal in a real browser, over a real centre and a real log: officer, inspector, mayor."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.supervision_centre.console.test_holds_screen import OpenAs, _centre_process, open_as, real  # noqa: F401

pytestmark = pytest.mark.browser

REFERENCE = "15127/00324/2026"


def journal(open_as: OpenAs, login: str) -> Page:  # noqa: F811
    page = open_as(login)
    page.get_by_role("link", name="Journal des accès").click()
    expect(page.locator("tr.row").first).to_be_visible()
    return page


def test_an_inspector_searches_by_requisition_and_exports_a_period(open_as: OpenAs, tmp_path: Path) -> None:  # noqa: F811
    """LAW-31: the log as CSV with what verifies it, by the keyboard alone."""
    page = journal(open_as, "inspecteur")
    page.get_by_label("Réquisition").fill(REFERENCE)
    page.keyboard.press("Enter")
    expect(page.locator("tr.row")).to_have_count(1)
    expect(page.locator("tr.row")).to_contain_text("Conservation judiciaire demandée")
    page.get_by_role("button", name="Exporter une période").press("Enter")
    dialog = page.get_by_role("dialog")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Exporter", exact=True).press("Enter")
    expect(page.locator(".passing")).to_contain_text("Le journal est exporté.")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert download.value.suggested_filename.startswith("journal-complet-")
    download.value.save_as(tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as files:
        rows = list(csv.DictReader(io.StringIO(files.read("journal.csv").decode("utf-8-sig")), delimiter=";"))
    assert any(row["requisition"] == REFERENCE for row in rows)
    for change in ("Suspendre", "Conserver des images"):
        for screen in ("Personnes", "Conservations"):
            page.get_by_role("link", name=screen).click()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_role("button", name=change)).to_have_count(0)


def test_a_mayor_sees_their_commune_without_requisitions_and_gets_the_monthly_report(
    open_as: OpenAs,  # noqa: F811
    tmp_path: Path,
) -> None:
    """LAW-18: the commune of the mayor only; the report of a month, listed with its digest."""
    page = journal(open_as, "maire")
    expect(page.get_by_label("Réquisition")).to_be_hidden()
    expect(page.locator("tr.row", has_text="Vernon")).to_have_count(0)
    hold = page.locator("tr.row", has_text="Conservation judiciaire").first
    expect(hold).not_to_contain_text(REFERENCE)
    page.get_by_role("button", name="Exports d’images").click()
    expect(page.get_by_text("Aucune image n’a été exportée ni communiquée")).to_be_visible()
    page.get_by_role("button", name="Rapports mensuels").click()
    expect(page.get_by_label("Commune").locator("option")).to_have_text(["Évreux"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Données et preuve").click()
    download.value.save_as(tmp_path / "rapport.json")
    told = json.loads((tmp_path / "rapport.json").read_text())
    expect(page.get_by_role("table", name="Rapports établis")).to_contain_text(told["sha256"])


def test_an_export_that_fails_says_why_and_keeps_what_was_typed(open_as: OpenAs) -> None:  # noqa: F811
    page = journal(open_as, "dpo")

    def busy(route: Route) -> None:
        route.fulfill(
            status=503, json={"code": "export.busy", "message": "D'autres exports sont en cours.", "hint": ""}
        )

    page.route("**/api/audit/export?*", busy)
    page.get_by_role("button", name="Exporter une période").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("PDF/A").check()
    dialog.get_by_role("button", name="Exporter", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("D'autres exports sont en cours.")
    expect(dialog.get_by_label("PDF/A")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_an_export_shows_how_far_it_is_and_is_stopped_by_escape(open_as: OpenAs) -> None:  # noqa: F811
    """LAW-31: an inspector who takes three months away sees that it goes on."""
    page = journal(open_as, "dpo")
    told = {"state": "running", "entries": 1200, "share": 0.4}
    page.route("**/api/audit/export?*", lambda route: None)
    page.route("**/api/audit/export/*", lambda route: route.fulfill(json=told))
    page.get_by_role("button", name="Exporter une période").click()
    page.get_by_role("dialog").get_by_role("button", name="Exporter", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("inscriptions lues")
    assert page.get_by_role("progressbar").evaluate("bar => bar.value") == 0.4
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("Le centre ne répond plus")).to_have_count(0)


def test_an_expired_entry_is_shown_as_such(open_as: OpenAs) -> None:  # noqa: F811
    """LAW-28: the content is gone, the place and the proof remain."""
    page = open_as("dpo")
    gone = {
        "index": 3, "at": "2023-11-01T08:00:00.000Z", "leaf": "ab" * 32, "kind": "expired", "operation": "",
        "kind_label": "Inscription arrivée à échéance, contenu effacé", "operation_label": "", "range": None,
    }  # fmt: skip
    page.route("**/api/audit/entries?*", lambda route: route.fulfill(json={"entries": [gone], "next": None}))
    page.get_by_role("link", name="Journal des accès").click()
    expect(page.locator("tr.row--expired")).to_contain_text("contenu effacé")
    page.get_by_role("button", name="Détails de l’entrée 3").press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("elle a atteint son terme légal")
    expect(drawer.get_by_role("button", name="Télécharger la preuve")).to_be_visible()
