"""Holds, certificates and disks in a real browser, over a real centre."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.supervision_centre.console.conftest import ROOT, Stub
from tests.supervision_centre.console.screens import log_in
from tests.supervision_centre.parts import PASSWORD

pytestmark = pytest.mark.browser

REFERENCE = "15127/00324/2026"
OpenAs = Callable[[str], Page]


@pytest.fixture(scope="module")
def _centre_process() -> Iterator[Stub]:
    folder = Path(tempfile.mkdtemp(prefix="vms-"))
    command = [sys.executable, "-m", "tests.supervision_centre.console.real_centre", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                break
        else:
            raise AssertionError("the centre did not start")
        try:
            yield Stub(json.loads(line)["url"])
        finally:
            process.terminate()
            process.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def real(_centre_process: Stub) -> Stub:
    """The centre, its node at its best."""
    _centre_process.tell(disk="enough")
    return _centre_process


@pytest.fixture
def open_as(_browser: Browser, real: Stub) -> Iterator[OpenAs]:
    """Open the console as somebody, each in a window of their own in which no script may fail."""
    contexts = []
    failures: list[str] = []

    def opened(login: str) -> Page:
        context = _browser.new_context(
            viewport={"width": 1366, "height": 768}, locale="fr-FR", timezone_id="UTC", accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda told: failures.append(told.text) if "Content Security" in told.text else None)
        page.goto(f"{real.url}/#/conservations")
        log_in(page, login, PASSWORD)
        expect(page.locator(".shell")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []


def row_of(page: Page, reference: str) -> Locator:
    return page.locator("tr.row", has_text=reference)


def fill_requisition(page: Page, reference: str) -> None:
    form = page.get_by_role("dialog")
    form.get_by_label("Référence de la réquisition").fill(reference)
    form.get_by_label("Autorité qui la signe").fill("OPJ Claude Martin, brigade de recherches")
    form.get_by_label("Fondement").select_option(label="Enquête de flagrance (art. 60-1 CPP)")
    form.get_by_label("Conserver jusqu’au").fill((datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%d"))


def place(page: Page, reference: str) -> None:
    """Place a hold on an hour of yesterday."""
    page.get_by_role("button", name="Conserver des images…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Caméra").select_option(label="Place du Général-de-Gaulle")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    form.get_by_label("Début des images").fill(yesterday.strftime("%Y-%m-%dT08:00:00"))
    form.get_by_label("Fin des images").fill(yesterday.strftime("%Y-%m-%dT09:00:00"))
    fill_requisition(page, reference)
    form.get_by_role("button", name="Conserver ces images").click()


def test_a_hold_is_placed_and_let_go_of_by_two_persons(open_as: OpenAs, real: Stub) -> None:
    """LAW-10: the person who asks sees no button to confirm; another one confirms."""
    first = open_as("superviseur")
    expect(first.get_by_text("Aucune image n’est retenue au-delà de sa durée de conservation.")).to_be_visible()
    place(first, REFERENCE)
    expect(first.locator(".passing")).to_contain_text("Conservation en place : 48,0 Mo retenus.")
    row = row_of(first, REFERENCE)
    expect(row).to_contain_text("En place")
    expect(row).to_contain_text(re.compile(r"dans (89|90)\sjours"))
    row.get_by_role("button", name="Demander la levée").click()
    first.get_by_label("Motif de la levée").fill("Classement sans suite")
    first.get_by_role("dialog").get_by_role("button", name="Demander la levée").click()
    expect(row).to_contain_text("demandée par Marc Auger")
    expect(row.get_by_role("button", name="Retirer la demande")).to_be_visible()
    expect(row.get_by_role("button", name="Confirmer la levée")).to_have_count(0)

    second = open_as("adjointe")
    row_of(second, REFERENCE).get_by_role("button", name="Confirmer la levée").click()
    expect(second.get_by_role("dialog")).to_contain_text("Classement sans suite")
    second.get_by_role("button", name="Lever la conservation").click()
    expect(second.locator(".passing")).to_contain_text("La conservation est levée.")
    expect(row_of(second, REFERENCE)).to_have_count(0)
    second.get_by_role("button", name="Terminées").click()
    expect(row_of(second, REFERENCE)).to_contain_text("Marc Auger, puis Camille Lefèvre")
    assert real.tell()["held"] == []


def test_a_hold_that_the_recorder_has_not_confirmed_says_so_until_it_has(open_as: OpenAs, real: Stub) -> None:
    """LAW-10: nothing is shown as held before the node has said so."""
    page = open_as("superviseur")
    expect(page.get_by_role("button", name="Conserver des images…")).to_be_visible()
    real.tell(away=True)
    place(page, "AWAY/1")
    expect(row_of(page, "AWAY/1")).to_contain_text("Non confirmée par l'enregistreur")
    expect(row_of(page, "AWAY/1")).to_contain_text("—")
    real.tell(away=False)
    expect(row_of(page, "AWAY/1")).to_contain_text("En place", timeout=25_000)
    real.tell(recorded_bytes=0)
    place(page, "NOTHING/1")
    expect(row_of(page, "NOTHING/1")).to_contain_text("Rien n'est enregistré sur cette période")


def test_a_refused_form_keeps_what_was_typed_and_says_why(open_as: OpenAs) -> None:
    page = open_as("superviseur")
    place(page, "TWICE/1")
    expect(row_of(page, "TWICE/1")).to_be_visible()
    place(page, "TWICE/1")
    form = page.get_by_role("dialog")
    expect(form.get_by_role("alert")).to_contain_text("déjà conservées au titre de cette réquisition")
    expect(form.get_by_label("Référence de la réquisition")).to_have_value("TWICE/1")
    expect(form.get_by_label("Caméra")).to_have_value(re.compile("^cam-"))
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)


def test_the_form_opens_with_the_images_of_the_playback_and_the_details_by_the_keyboard(
    open_as: OpenAs, real: Stub
) -> None:
    page = open_as("superviseur")
    expect(page.get_by_role("button", name="Conserver des images…")).to_be_visible()
    camera = "cam-" + "3".rjust(26, "0")
    page.goto(f"{real.url}/#/conservations?camera={camera}&from=2026-01-23T08:00:05Z&to=2026-01-23T08:20:00Z")
    form = page.get_by_role("dialog")
    expect(form.get_by_label("Commune")).to_have_value("27681")
    expect(form.get_by_label("Début des images")).to_have_value("2026-01-23T09:00:05")
    fill_requisition(page, "PLAYBACK/1")
    form.get_by_role("button", name="Conserver ces images").click()
    page.get_by_role("button", name="Détails de la conservation, Pont Clemenceau").press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Enquête de flagrance, art. 60-1 CPP")
    expect(drawer).to_contain_text("Conservation en place sur l'enregistreur")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_a_mayor_gets_a_certificate_to_print_and_reads_no_requisition(open_as: OpenAs) -> None:
    """LAW-09: the segments of a day with their erasure, on a page to print and in a file with its proofs."""
    page = open_as("maire")
    expect(page.get_by_role("heading", name="Destruction des images")).to_be_visible()
    expect(page.get_by_role("button", name="Conserver des images…")).to_have_count(0)
    page.get_by_role("button", name="Certificat de destruction…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Caméra").select_option(label="Place du Général-de-Gaulle")
    form.get_by_label("Journée").fill((datetime.now(UTC) - timedelta(days=10)).strftime("%Y-%m-%d"))
    form.get_by_role("button", name="Établir le certificat").click()
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text("Toutes les images enregistrées ce jour-là sont détruites.")
    with page.expect_download() as download:
        drawer.get_by_role("button", name="Fichier et preuves (JSON)").click()
    certificate = json.loads(Path(download.value.path()).read_text())
    assert len(certificate["proofs"]) == sum(len(hour["collected"] + hour["erased"]) for hour in certificate["hours"])
    with page.context.expect_page() as printed:
        drawer.get_by_role("link", name="Page à imprimer").click()
    expect(printed.value.get_by_role("heading", name="Certificat de destruction des images")).to_be_visible()
    expect(printed.value.get_by_role("button", name="Imprimer")).to_be_visible()
    expect(printed.value.locator("tr.destroyed")).not_to_have_count(0)


def test_a_disk_that_will_not_do_is_told_above_every_screen(open_as: OpenAs, real: Stub) -> None:
    """LAW-08: days before, to who can act, with what to do."""
    real.tell(disk="short")
    page = open_as("administrateur")
    banner = page.get_by_role("alert").filter(has_text="ne tiendra que 24,5 jours des 30 jours exigés")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="Voir les disques").click()
    expect(page.locator('[data-disk="disque-2"]')).to_contain_text("Ajoutez un disque")
    expect(page.locator('[data-disk="disque-1"]')).to_contain_text("Suffisant")
    real.tell(away=True)
    page.goto(f"{real.url}/#/personnes")
    page.get_by_role("link", name="État").click()
    expect(page.get_by_text("L'enregistreur ne répond pas.")).to_be_visible()
    real.tell(away=False, disk="enough")
    page.get_by_role("button", name="Réessayer").click()
    expect(page.locator('[data-disk="disque-2"]')).to_contain_text("Suffisant")
    expect(banner).to_have_count(0)


_FROM_PLAYBACK = """async (markersMs) => {
  const { holdButton } = await import("/js/playback/hold.js");
  const headMs = Date.parse("2026-01-23T08:10:00Z");
  const button = holdButton(() => ({ camera: "cam-7", headMs, markersMs }));
  if (button) button.disabled = false;
  button?.click();
  return [button !== null, window.location.hash];
}"""


def test_the_playback_leads_to_the_form_with_what_is_looked_at(open_as: OpenAs, real: Stub) -> None:
    """LAW-10, LAW-21: for those who may hold, and for nobody else."""
    page = open_as("superviseur")
    expect(page.get_by_role("button", name="Conserver des images…")).to_be_visible()
    around = page.evaluate(_FROM_PLAYBACK, [])
    assert around == [
        True, "#/conservations?camera=cam-7&from=2026-01-23T08%3A05%3A00.000Z&to=2026-01-23T08%3A15%3A00.000Z",
    ]  # fmt: skip
    between = page.evaluate(_FROM_PLAYBACK, [1_769_155_200_000, 1_769_155_260_000])
    assert between[1].endswith("from=2026-01-23T08%3A00%3A00.000Z&to=2026-01-23T08%3A01%3A00.000Z")
    page.keyboard.press("Escape")
    operator = open_as("operateur")
    assert operator.evaluate(_FROM_PLAYBACK, [])[0] is False
