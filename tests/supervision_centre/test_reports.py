"""Monthly reports: what they say, what proves them, and what they never say."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from access_audit.events import AccessEvent, Author, EventKind, Reason
from access_audit.journal import JournalEntry
from access_audit.verify import verify_proof
from recorder.contract.timeline import Gap, GapCause, Timeline
from supervision_centre.destruction.wording import duration_text, of_text
from supervision_centre.journal.answers import Names
from supervision_centre.people.person import Role
from supervision_centre.reports.availability import UNTOLD_LABEL, Availability, Stretch, availability_of
from supervision_centre.reports.content import Subject, report_content
from supervision_centre.reports.month import Month
from supervision_centre.reports.page import lines_of, percent, report_page
from supervision_centre.reports.service import Issued, canonical_json
from tests.access_audit.logs import settings_of
from tests.supervision_centre.centre import TestCentre, running_centre
from tests.supervision_centre.parts import DAY_NS, EVREUX, VERNON, camera_id
from tests.supervision_centre.test_journal_export import assert_pdf_a
from vms.base.clock import NS_PER_SECOND, SystemClock, parse_utc
from vms.base.database import Database
from vms.base.errors import VmsError

HOUR_NS = 3_600 * NS_PER_SECOND
OCTOBER = Month(2026, 10)
START_NS, END_NS = OCTOBER.bounds_ns
CAMILLE = Author("per-1", "Camille Lefèvre", "operator")
MARC = Author("per-2", "Marc Auger", "supervisor")
NODE = Author("shard-1", "shard-1", "system")
NAMES = Names({camera_id(1): "Place 1", camera_id(2): "Place 2"}, {EVREUX: "Évreux"})
COUNTS = re.compile(
    r"nombre (de|d')|par (opérateur|personne|agent)|total|statisti|productiv|temps (passé|de travail)"
    r"|\d+ (fois|consultations|relectures)",
    re.IGNORECASE,
)


def happened(kind: EventKind, at_ns: int, author: Author = CAMILLE, number: int = 1, **fields: Any) -> AccessEvent:
    details = fields.pop("details", {})
    return AccessEvent(
        kind=kind,
        author=author,
        at_ns=at_ns,
        reason=Reason(fields.pop("reason", "security_of_persons_and_property"), fields.pop("note", "")),
        commune=fields.pop("commune", EVREUX),
        authority="Maire d'Évreux",
        camera_id=camera_id(number),
        details=details,
        **fields,
    )


def hour(number: int, **fields: Any) -> AccessEvent:
    start_ns = START_NS + number * HOUR_NS
    return happened(
        EventKind.RECORDING_COLLECTED, start_ns + HOUR_NS, NODE, reason="recording", range_start_ns=start_ns,
        range_end_ns=start_ns + HOUR_NS, details={"segments": "60", "bytes": "9", "digest": "ab"}, **fields,
    )  # fmt: skip


def a_month() -> list[AccessEvent]:
    """Something of everything."""
    images: dict[str, Any] = {"range_start_ns": START_NS, "range_end_ns": START_NS + HOUR_NS}
    return [
        happened(EventKind.LIVE_OPENED, START_NS + 9 * HOUR_NS, note="ronde"),
        happened(EventKind.LIVE_OPENED, START_NS + 10 * HOUR_NS, number=2),
        happened(EventKind.LIVE_OPENED, START_NS + 11 * HOUR_NS, MARC),
        happened(EventKind.LIVE_CLOSED, START_NS + 12 * HOUR_NS, details={"seconds": "7200"}),
        happened(EventKind.PLAYBACK_OPENED, START_NS + DAY_NS, note="chute d'un arbre", **images),
        happened(EventKind.PLAYBACK_REFUSED, START_NS + DAY_NS, details={"cause": "range"}),
        happened(
            EventKind.HOLD_PLACED, START_NS + DAY_NS, MARC, reason="requisition", note="vol", requisition="15/2026",
            details={"hold": "hold-1", "signatory": "OPJ Martin"}, **images,
        ),
        happened(
            EventKind.RECORDING_ERASED, START_NS + 2 * DAY_NS, NODE, reason="retention",
            details={"bytes": "1000", "cause": "retention"}, **images,
        ),
    ]  # fmt: skip


def entries(*events: AccessEvent) -> list[JournalEntry]:
    return [JournalEntry(number, f"{number:064x}", event.at_ns, event) for number, event in enumerate(events)]


def content(*events: AccessEvent, answered: bool = True) -> dict[str, Any]:
    log = {"origin": "journal.test", "size": 9, "root": "00"}
    subject = Subject(EVREUX, "Évreux", ("Maire d'Évreux",), OCTOBER, END_NS + DAY_NS, "Hélène Duval", log)
    period = Stretch(START_NS, END_NS)
    gap = Gap(START_NS, START_NS + HOUR_NS, GapCause.LINK, "unreachable")
    cameras = {camera_id(1): ("Place 1", availability_of(period, [period], [gap]))}
    return report_content(subject, entries(*events), NAMES, cameras, answered)


def test_a_report_says_who_looked_at_what_and_why() -> None:
    """LAW-18, LAW-25."""
    report = content(*a_month())
    live = [(line["day"], line["person"], line["cameras"], line["notes"]) for line in report["live"]]
    assert live == [
        ("2026-10-01", "Camille Lefèvre", ["Place 1", "Place 2"], ["ronde"]),
        ("2026-10-01", "Marc Auger", ["Place 1"], []),
    ]
    (played,) = report["playback"]
    assert (played["person"], played["note"], played["range"]["start"]) == (
        "Camille Lefèvre", "chute d'un arbre", "2026-09-30T22:00:00.000Z",
    )  # fmt: skip
    assert [line["cause"] for line in report["erasures"]] == ["retention"]
    assert [line["kind"] for line in report["holds"]] == ["hold.placed"]
    assert report["cameras"][0]["availability_percent"] == round(100 * (1 - 1 / (31 * 24 + 1)), 2)


def test_a_report_keeps_what_investigators_asked_for_and_counts_nobody(tmp_path: Path) -> None:
    """LAW-29: no field and no sentence of the report counts or ranks what a person did."""
    report = content(*a_month())
    text = canonical_json(report).decode()
    for secret in ("15/2026", "OPJ Martin", "vol"):
        assert f'"{secret}' not in text
    assert "7200" not in text
    assert not _fields(report) & {"count", "total", "looks", "views", "seconds", "sessions", "activity"}
    shown = "\n".join(lines_of(report_page(_issued(report), "CDSU")))
    assert not COUNTS.findall(shown)
    assert "Camille Lefèvre" in shown
    assert "jeudi 1er octobre 2026" in shown


def _fields(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*map(_fields, node.values()))
    return set().union(*map(_fields, node)) if isinstance(node, list) else set()


class _Receipt:
    index, leaf_hash = 9, b"\1" * 32


def _issued(report: dict[str, Any]) -> Issued:
    from supervision_centre.journal.anchor import Anchor

    canonical = canonical_json(report)
    anchor = Anchor("journal.test", 10, "00", "note", _Receipt(), {"index": 9})  # type: ignore[arg-type]
    return Issued(report, canonical, hashlib.sha256(canonical).hexdigest(), anchor)


def test_a_month_without_anything_says_so() -> None:
    shown = "\n".join(lines_of(report_page(_issued(content(answered=False)), "CDSU")))
    for sentence in ("Aucune consultation en direct", "Aucune relecture", "Aucune image n'a été exportée"):
        assert sentence in shown
    assert "L'enregistreur n'a pas répondu" in shown


def stretch(begin: float, end: float) -> Stretch:
    return Stretch(int(begin * HOUR_NS), int(end * HOUR_NS))


def gap(begin: float, end: float | None, cause: GapCause = GapCause.LINK, repaired: bool = False) -> Gap:
    return Gap(int(begin * HOUR_NS), None if end is None else int(end * HOUR_NS), cause, "timeout", repaired)


@pytest.mark.parametrize(
    ("collected", "gaps", "expected_h", "missing_h", "labels"),
    [
        ([stretch(0, 10)], [], 10, 0, []),
        ([stretch(0, 4), stretch(5, 10)], [], 10, 1, [UNTOLD_LABEL]),
        ([stretch(0, 10)], [gap(2, 3)], 10, 1, ["Liaison interrompue : la caméra ne répond pas"]),
        ([stretch(0, 4), stretch(5, 10)], [gap(3.5, 4.5)], 10, 1.5, ["Liaison", UNTOLD_LABEL]),
        ([stretch(0, 10)], [gap(2, 3, repaired=True)], 10, 0, []),
        ([stretch(0, 8)], [gap(8, None)], 10, 2, ["Liaison"]),
        ([stretch(0, 6)], [gap(6, 10, GapCause.AUTHORISATION)], 6, 0, ["Hors autorisation"]),
        ([], [], 10, 10, [UNTOLD_LABEL]),
    ],
)
def test_availability_hears_both_witnesses(
    collected: list[Stretch], gaps: list[Gap], expected_h: float, missing_h: float, labels: list[str]
) -> None:
    """LAW-14: every interruption is told, once."""
    found = availability_of(stretch(0, 10), collected, gaps)
    assert (found.expected_ns / HOUR_NS, found.missing_ns / HOUR_NS) == (expected_h, missing_h)
    assert all(one.label.startswith(label) for one, label in zip(found.interruptions, labels, strict=True))
    assert Availability(0, 0, ()).share is None


def test_months_and_figures_as_people_write_them() -> None:
    assert Month.parse("2026-12").next() == Month(2027, 1)
    assert Month(2026, 10).label == "octobre 2026"
    assert (Month(2026, 10).bounds_ns[1] - Month(2026, 10).bounds_ns[0]) // HOUR_NS == 31 * 24 + 1
    assert [percent(value) for value in (None, 99.876, 100.0)] == ["—", "99,88\u00a0%", "100,00\u00a0%"]
    assert [duration_text(value) for value in (9, 70, 7_500, 100_000)] == ["9 s", "1 min 10 s", "2 h 05 min", "1 j 3 h"]
    assert [of_text(name) for name in ("Évreux", "Vernon", "Les Andelys", "Le Neubourg", "octobre")] == [
        "d'Évreux", "de Vernon", "des Andelys", "du Neubourg", "d'octobre",
    ]  # fmt: skip
    for wrong in ("2026-13", "2026-1", "1999-01", "octobre"):
        with pytest.raises(VmsError, match="Ce mois"):
            Month.parse(wrong)


@pytest.fixture
async def next_month(database: Database, short_folder: Path) -> AsyncIterator[TestCentre]:
    """A centre in the month after this one: the writer of the log dates by the real clock."""
    now_ns = SystemClock().utc_ns()
    async with running_centre(database, short_folder, start_ns=now_ns + 32 * DAY_NS) as centre:
        yield centre


def this_month() -> Month:
    from supervision_centre.destruction.certificate import paris_time

    today = paris_time(SystemClock().utc_ns())
    return Month(today.year, today.month)


async def test_a_report_is_signed_by_the_log_and_a_third_party_verifies_it(next_month: TestCentre) -> None:
    """LAW-18, LAW-30: digest, entry, inclusion proof and signature, without this centre."""
    centre, month = next_month, this_month()
    await centre.services.audit.record_all([happened(EventKind.LIVE_OPENED, month.bounds_ns[0] + HOUR_NS)])
    mayor = await centre.logged_in(Role.MAYOR, EVREUX)
    answer = await mayor.get(f"/api/audit/reports/{EVREUX}/{month.text}")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["report"]["live"][0]["person"] == "Camille Lefèvre"
    assert json.loads(told["canonical"]) == told["report"]
    assert hashlib.sha256(told["canonical"].encode()).hexdigest() == told["sha256"]
    key = await asyncio.to_thread((settings_of(centre.folder).folder / "log.pub").read_text)
    assert verify_proof(told["proof"], key).ok
    payload = json.loads(told["proof"]["payload"])
    assert told["sha256"] in json.dumps(payload)
    assert told["proof"]["index"] == told["receipt"]["index"]
    forged = {**told["proof"], "payload": told["proof"]["payload"].replace(told["sha256"], "0" * 64)}
    assert not verify_proof(forged, key).ok
    listed = (await mayor.get("/api/audit/reports")).json()["reports"]
    assert [(one["month"], one["sha256"]) for one in listed] == [(month.text, told["sha256"])]


async def test_the_printed_report_carries_its_data_and_its_proof(next_month: TestCentre) -> None:
    """LAW-18: PDF/A-3 with the JSON whose digest the log holds, and the proof of the entry."""
    dpo = await next_month.logged_in(Role.DPO)
    printed = await dpo.get(f"/api/audit/reports/{EVREUX}/{this_month().text}", format="pdf")
    assert printed.headers["content-type"] == "application/pdf"
    assert_pdf_a(printed.content)
    issued = (await next_month.entry(EventKind.REPORT_ISSUED)).event
    assert issued is not None
    inside = printed.content[printed.content.index(b'{"alarms"') :].split(b"\nendstream")[0]
    assert hashlib.sha256(inside).hexdigest() == issued.details["digest"]


async def test_reports_out_of_scope_or_of_a_month_that_is_not_over(centre: TestCentre) -> None:
    """LAW-18: of another commune a report does not exist, and the journal says who asked."""
    mayor, operator = await centre.logged_in(Role.MAYOR, EVREUX), await centre.logged_in(Role.OPERATOR)
    elsewhere = await mayor.get(f"/api/audit/reports/{VERNON}/2025-11")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "report.commune")
    refused = (await centre.entry(EventKind.SESSION_REFUSED)).event
    assert refused is not None
    assert refused.details["cause"] == f"scope:report:{VERNON}"
    running = await mayor.get(f"/api/audit/reports/{EVREUX}/2026-01")
    assert (running.status_code, running.json()["code"]) == (422, "report.month")
    assert (await mayor.get(f"/api/audit/reports/{EVREUX}/hier")).json()["code"] == "report.month"
    assert (await operator.get(f"/api/audit/reports/{EVREUX}/2025-11")).status_code == 403
    dpo = await centre.logged_in(Role.DPO)
    assert (await dpo.get("/api/audit/reports/75056/2025-11")).json()["code"] == "report.commune"


async def test_a_node_that_is_away_leaves_causes_out_and_the_report_says_so(centre: TestCentre) -> None:
    centre.node.away = True
    dpo = await centre.logged_in(Role.DPO)
    report = (await dpo.get(f"/api/audit/reports/{EVREUX}/2025-11")).json()["report"]
    assert report["recorder_answered"] is False

    async def nothing(camera_id: str, start_ns: int, end_ns: int) -> Timeline:
        gap = Gap(parse_utc("2025-11-20T00:00:00Z"), parse_utc("2025-11-21T00:00:00Z"), GapCause.DISK, "disk_full")
        return Timeline(camera_id, start_ns, end_ns, (), (gap,))

    centre.node.away = False
    centre.node.timeline = nothing  # type: ignore[method-assign]
    again = (await dpo.get(f"/api/audit/reports/{EVREUX}/2025-11")).json()["report"]
    assert again["recorder_answered"] is True
    gaps = again["cameras"][0]["interruptions"]
    assert gaps[0]["label"] == "Disque plein ou en défaut : espace disque insuffisant"
