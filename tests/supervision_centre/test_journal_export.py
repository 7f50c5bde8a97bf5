"""Exports of the journal: a CSV and PDF/A archive of a period and a controller, streamed, bounded and checkable."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import re
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from access_audit.events import CATALOGUE, Author, EventKind, LegalOperation, Reason
from access_audit.journal import JournalEntry, JournalQuery
from access_audit.verify import verify_proof
from supervision_centre.access.policy import Right
from supervision_centre.documents import process
from supervision_centre.documents.document import Attachment, Document, facts, heading, table, text
from supervision_centre.documents.process import pdf_bytes
from supervision_centre.journal import export
from supervision_centre.journal.answers import Names
from supervision_centre.journal.inventory import RIGHT_LABELS
from supervision_centre.journal.sheet import COLUMNS, PRINTED, csv_lines, csv_row, guarded, printed_row
from supervision_centre.people.person import Role
from tests.access_audit.logs import look, settings_of
from tests.supervision_centre.centre import Browser, TestCentre
from tests.supervision_centre.parts import EVREUX, VERNON, camera_id
from vms.base.errors import VmsError

PERIOD = {"from": "2020-01-01T00:00:00Z", "to": "2090-01-01T00:00:00Z"}
NO_NAMES = Names({}, {})


@pytest.fixture
def database_url(short_folder: Path, migrated_sqlite: Path) -> str:
    """SQLite alone: an export asks the database nothing but whether its reader is still there."""
    return f"sqlite+aiosqlite:///{shutil.copy(migrated_sqlite, short_folder / 'centre.sqlite')}"


async def archive(browser: Browser, **query: Any) -> zipfile.ZipFile:
    answer = await browser.get("/api/audit/export", **{**PERIOD, **query})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


def lines_of(files: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files.read("journal.csv").decode("utf-8-sig")), delimiter=";"))


def assert_pdf_a(content: bytes) -> None:
    """What PDF/A-3B asks and this file can be seen to have, without a validator: ISO 19005-3, 6.1 to 6.6."""
    assert content.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>3</pdfaid:part>" in content or b'pdfaid:part="3"' in content
    assert b"/OutputIntents" in content
    assert b"/Encrypt" not in content
    assert b"/JavaScript" not in content
    assert b"/FontFile2" in content
    assert re.search(rb"/ID ?\[<[0-9A-F]+><[0-9A-F]+>\]", content)
    assert b"/Lang (fr-FR)" in content


async def test_an_export_is_complete_checkable_and_logged(centre: TestCentre) -> None:
    """LAW-31: a readable CSV of the log with what verifies it; LAW-25: the export is itself an entry."""
    operator, inspector = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.INSPECTOR)
    await operator.watch(camera_id(1), camera_id(3))
    await centre.some(EventKind.LIVE_OPENED, 2)
    files = await archive(inspector, id="export-one-1")
    names = files.namelist()
    assert names == [
        "journal.csv", "attestation.pdf", "LISEZMOI.txt", "point-de-controle.txt", "consultation.json",
        "empreintes.txt",
    ]  # fmt: skip
    sums = dict(line.split("  ")[::-1] for line in files.read("empreintes.txt").decode().splitlines())
    assert sums == {name: hashlib.sha256(files.read(name)).hexdigest() for name in names[:-1]}
    entries = lines_of(files)
    assert [int(one["numero"]) for one in entries] == list(range(len(entries) - 1, -1, -1))
    looks = [one for one in entries if one["acte"] == "Consultation en direct ouverte"]
    assert {one["camera"] for one in looks} == {"Place 1", "Place 3"}
    assert {one["autorite"] for one in looks} == {"Maire de Évreux", "Maire de Vernon"}
    own = json.loads(files.read("consultation.json"))
    assert "export csv" in own["payload"]
    key = await asyncio.to_thread((settings_of(centre.folder).folder / "log.pub").read_text)
    assert verify_proof(own, key).ok
    assert files.read("point-de-controle.txt").decode() == own["checkpoint"]
    assert f"Nombre d'inscriptions : {len(entries)}" in files.read("LISEZMOI.txt").decode("utf-8-sig")
    assert_pdf_a(files.read("attestation.pdf"))
    told = (await inspector.get("/api/audit/export/export-one-1")).json()
    assert told == {"state": "done", "entries": len(entries), "share": 1.0}
    dpo = await centre.logged_in(Role.DPO)
    assert (await dpo.get("/api/audit/export/export-one-1")).json()["state"] == "unknown"


async def test_a_mayor_exports_their_commune_and_no_other(centre: TestCentre) -> None:
    """LAW-18: whatever is asked for."""
    operator, mayor = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.MAYOR, EVREUX)
    await operator.watch(camera_id(1), camera_id(3))
    await centre.some(EventKind.LIVE_OPENED, 2)
    for query in ({}, {"authority": "Maire de Évreux"}):
        assert {one["code_insee"] for one in lines_of(await archive(mayor, **query))} == {EVREUX}
    assert lines_of(await archive(mayor, commune=VERNON)) == []
    refused = await operator.get("/api/audit/export", **PERIOD)
    assert refused.status_code == 403


async def test_a_printed_export_comes_in_parts(centre: TestCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAW-31: memory holds one part."""
    monkeypatch.setattr(export, "PART_ENTRIES", 2)
    inspector = await centre.logged_in(Role.INSPECTOR)
    for _ in range(2):
        await centre.services.audit.record_all([look(camera_id(1), at_ns=centre.clock.utc_ns()) for _ in range(300)])
    files = await archive(inspector, format="pdf", commune=EVREUX)
    parts = [name for name in files.namelist() if name.startswith("journal-")]
    assert parts == ["journal-001.pdf", "journal-002.pdf"]
    for name in (*parts, "attestation.pdf"):
        assert_pdf_a(files.read(name))


async def test_an_export_that_cannot_begin_says_why(centre: TestCentre) -> None:
    inspector = await centre.logged_in(Role.INSPECTOR)
    turned = await inspector.get("/api/audit/export", **{"from": PERIOD["to"], "to": PERIOD["from"]})
    assert (turned.status_code, turned.json()["code"]) == (422, "export.period")
    for number in range(export.MAX_AT_ONCE):
        now_ns = centre.clock.monotonic_ns()
        centre.app.state.centre.exports._states[f"busy-{number}"] = export.Progress("per-x", now_ns)
    busy = await inspector.get("/api/audit/export", **PERIOD)
    assert (busy.status_code, busy.json()["code"]) == (503, "export.busy")
    await centre.clock.advance(601)  # nobody came for them
    assert (await inspector.get("/api/audit/export", **PERIOD)).status_code == 200


async def test_how_far_an_export_is_can_be_asked_while_it_runs(centre: TestCentre) -> None:
    reader = await centre.add(Role.INSPECTOR)
    for _ in range(2):
        await centre.services.audit.record_all([look(camera_id(1)) for _ in range(300)])
    exports: export.Exports = centre.app.state.centre.exports

    async def there() -> bool:
        return True

    pieces = await exports.open(
        reader, "export-running", export.ExportWish(export.ExportForm.CSV, 1, 4_000_000_000 * 10**9), there
    )
    await anext(pieces)
    found = exports.progress(reader, "export-running")
    assert found is not None
    assert (found.state, found.entries) == (export.ExportState.RUNNING, 500)
    assert 0 <= found.share < 1
    async for _ in pieces:
        pass
    assert (found.state, found.share) == (export.ExportState.DONE, 1.0)
    assert found.entries > 600


async def test_an_export_ends_with_the_log_in_of_its_reader(centre: TestCentre) -> None:
    """LAW-17: who is suspended gets no further page."""
    reader = await centre.add(Role.INSPECTOR)
    exports: export.Exports = centre.app.state.centre.exports
    wish = export.ExportWish(export.ExportForm.CSV, 1, 4_000_000_000 * 10**9)

    async def gone() -> bool:
        return False

    pieces = await exports.open(reader, "export-gone", wish, gone)
    with pytest.raises(VmsError, match="session"):
        async for _ in pieces:
            pass
    found = exports.progress(reader, "export-gone")
    assert found is not None
    assert found.state is export.ExportState.FAILED


async def test_the_export_journal_has_the_five_items_of_each_export(
    centre: TestCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAW-42: dates of the images, duration, camera, date of the export, person."""
    dpo, mayor = await centre.logged_in(Role.DPO), await centre.logged_in(Role.MAYOR, EVREUX)
    assert (await mayor.get("/api/audit/communications", **PERIOD)).json() == {"communications": []}
    as_export = replace(CATALOGUE[EventKind.PLAYBACK_OPENED], operation=LegalOperation.COMMUNICATION)
    monkeypatch.setitem(CATALOGUE, EventKind.PLAYBACK_OPENED, as_export)
    images = {"range_start_ns": 1_790_000_000_000_000_000, "range_end_ns": 1_790_000_090_000_000_000}
    for number, commune in ((1, EVREUX), (3, VERNON)):
        kind = {"kind": EventKind.PLAYBACK_OPENED, "details": {}, "recipients": ("Gendarmerie",)}
        await centre.services.audit.record(look(camera_id(number), commune, **kind, **images))
    lines = (await dpo.get("/api/audit/communications", **PERIOD)).json()["communications"]
    assert {line["camera_name"] for line in lines} == {"Place 1", "Place 3"}
    (line,) = (await mayor.get("/api/audit/communications", **PERIOD)).json()["communications"]
    assert (line["camera_name"], line["duration_s"], line["person"]) == ("Place 1", 90, "Odile Opératrice")
    assert line["range"] == {"start": "2026-09-21T14:13:20.000Z", "end": "2026-09-21T14:14:50.000Z"}
    assert line["at"]
    printed = await mayor.get("/api/audit/communications", **PERIOD, format="pdf")
    assert_pdf_a(printed.content)


async def test_an_inspector_takes_settings_and_lists_away(centre: TestCentre) -> None:
    """LAW-31: readable PDF and CSV of settings and lists; none of it helps to reach a device."""
    inspector, mayor = await centre.logged_in(Role.INSPECTOR), await centre.logged_in(Role.MAYOR, EVREUX)
    told = (await inspector.get("/api/audit/inventory")).json()
    assert [one["Caméra"] for one in told["cameras"]] == ["Place 1", "Place 2", "Place 3"]
    assert {one["Identifiant"] for one in told["personnes"]} == {"inspector", "mayor"}
    assert any(one["Rôle"] == "Gendarmerie nationale" and "direct" in one["Droits"] for one in told["droits"])
    answer = await inspector.get("/api/audit/inventory", format="csv")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as files:
        assert {"reglages.csv", "droits.csv", "personnes.csv", "cameras.csv"} < set(files.namelist())
        assert "Place 3" in files.read("cameras.csv").decode("utf-8-sig")
    assert_pdf_a((await inspector.get("/api/audit/inventory", format="pdf")).content)
    assert len(await centre.some(EventKind.JOURNAL_CONSULTED, 3)) == 3
    assert (await mayor.get("/api/audit/inventory")).status_code == 403
    assert set(RIGHT_LABELS) == set(Right)


def entry(**fields: Any) -> JournalEntry:
    return JournalEntry(7, "ab" * 32, 1_790_000_000_000_000_000, replace(look(), **fields))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "  =", "＝"])
def test_no_cell_is_taken_for_a_formula(start: str) -> None:
    """A person, a note or a recipient cannot plant a formula in the spreadsheet of an inspector."""
    wicked = f'{start}HYPERLINK("http://evil")'
    assert guarded(wicked).startswith("'")
    if wicked.isprintable():
        made = entry(reason=Reason("terrorism", wicked), author=Author("per-1", wicked, "operator"))
        cells = next(csv.reader(io.StringIO(csv_lines([csv_row(made, NO_NAMES)]).decode()), delimiter=";"))
        assert len(cells) == len(COLUMNS)
        assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_an_expired_entry_is_told_as_such() -> None:
    """LAW-28: its place, time and leaf hash remain."""
    gone = JournalEntry(7, "ab" * 32, 1_790_000_000_000_000_000, None)
    row = dict(zip(COLUMNS, csv_row(gone, NO_NAMES), strict=True))
    assert (row["numero"], row["acte"], row["personne"], row["empreinte"]) == (
        "7", "Inscription arrivée à échéance, contenu effacé", "", "ab" * 32,
    )  # fmt: skip
    assert len(printed_row(gone, NO_NAMES)) == len(PRINTED)


async def test_a_document_holds_what_it_is_given_and_characters_that_no_font_has() -> None:
    """A text of a stranger breaks neither the page nor PDF/A: no glyph may be missing (ISO 19005-3, 6.2.11.8)."""
    wild = "Évreux 你好 \U0001f600 " + "sansespace" * 40
    rows = tuple((str(number), wild, "x") for number in range(120))
    content = await pdf_bytes(
        Document(
            title="Titre",
            issuer="CDSU",
            made_at_ns=1_790_000_000_000_000_000,
            blocks=(heading("Un"), facts(("Nom", wild)), text(wild), table((("N", 1), ("Texte", 5), ("Fin", 1)), rows)),
            attachments=(Attachment("rapport.json", "application/json", b'{"a":1}'),),
        )
    )
    assert_pdf_a(content)
    assert b"/AFRelationship /Source" in content
    assert b'{"a":1}' in content


@pytest.mark.parametrize("command", [("/bin/false",), ("/bin/sleep", "60")])
async def test_a_document_that_cannot_be_drawn_is_an_error_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(process, "_COMMAND", command)
    monkeypatch.setattr(process, "DEADLINE_S", 0.3)
    began = time.monotonic()
    with pytest.raises(VmsError, match=r"document\.failed"):
        await pdf_bytes(Document("Titre", "CDSU", 1_790_000_000_000_000_000, (text("x"),)))
    assert time.monotonic() - began < 10


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["csv", "pdf"])
async def test_three_months_of_two_hundred_thousand_entries_in_under_ten_minutes(centre: TestCentre, form: str) -> None:
    """LAW-31."""
    inspector = await centre.logged_in(Role.INSPECTOR)
    for number in range(400):
        batch = [look(camera_id(1 + number % 2), at_ns=centre.clock.utc_ns()) for _ in range(500)]
        await centre.services.audit.record_all(batch)
        if number % 4 == 0:
            await centre.services.audit.search(JournalQuery(limit=1))  # as a log that is read every day
    began = time.monotonic()
    files = await archive(inspector, format=form, commune=EVREUX)
    took = time.monotonic() - began
    print(f"{form}: {took:.1f} s, {sum(one.compress_size for one in files.infolist())} bytes")
    assert "200000" in files.read("LISEZMOI.txt").decode("utf-8-sig")
    assert took < 600
