"""Playback sessions, timelines, and reading the journal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from access_audit.events import EventKind
from recorder.contract.ticket import MediaAct
from supervision_centre.people.person import Role
from tests.supervision_centre.centre import Browser, TestCentre
from tests.supervision_centre.parts import EVREUX, PURPOSE, VERNON, camera_id
from vms.base.clock import parse_utc

START, END = "2025-12-31T22:00:00+01:00", "2025-12-31T21:10:00Z"


async def play_back(browser: Browser, number: int = 1, start: str = START, end: str = END) -> Any:
    body = {"camera": camera_id(number), "from": start, "to": end, "purpose": PURPOSE, "note": "recherche\nd'un fait"}
    return await browser.post("/api/playback-sessions", body)


async def test_a_playback_has_its_entry_with_the_range_before_its_ticket(centre: TestCentre) -> None:
    """LAW-25, LAW-26, LAW-27."""
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await play_back(operator)).json()
    claims = centre.node.claims(opened["ticket"])
    assert (claims.act, claims.start_ns, claims.end_ns) == (MediaAct.PLAYBACK, parse_utc(START), parse_utc(END))
    entry = await centre.entry(EventKind.PLAYBACK_OPENED)
    assert entry.event is not None
    assert (entry.index, entry.leaf_hash) == (claims.receipt_index, claims.receipt_leaf)
    assert (entry.event.range_start_ns, entry.event.range_end_ns) == (claims.start_ns, claims.end_ns)
    assert entry.event.reason.text == "recherche d'un fait"
    await centre.clock.advance(4)
    renewed = (await operator.post("/api/playback-sessions/renew", {"sessions": [opened["session_id"]]})).json()
    assert centre.node.claims(renewed["sessions"][0]["ticket"]).start_ns == claims.start_ns
    body = {"sessions": [opened["session_id"]]}
    assert (await operator.post("/api/live-sessions/renew", body)).json()["sessions"] == []
    assert (await operator.post("/api/playback-sessions/close", body)).status_code == 204
    closed = (await centre.entry(EventKind.PLAYBACK_CLOSED)).event
    assert closed is not None
    assert closed.details["seconds"] == "4"


@pytest.mark.parametrize(
    ("number", "start", "end", "code", "logged"),
    [
        (1, "2025-12-30T00:00:00Z", "2025-12-31T00:00:01Z", "access.range", True),
        (1, END, START, "access.range", True),
        (3, START, END, "camera.unknown", True),
        (1, "2025-12-31T21:00:00", END, "request.invalid", False),
        (1, "hier", END, "request.invalid", False),
    ],
)
async def test_a_playback_out_of_bounds_is_refused(
    centre: TestCentre, number: int, start: str, end: str, code: str, logged: bool
) -> None:
    operator = await centre.logged_in(Role.OPERATOR, EVREUX)
    answer = await play_back(operator, number, start, end)
    assert answer.json()["code"] == code
    if logged:
        assert (await centre.entry(EventKind.PLAYBACK_REFUSED)).event is not None
    assert await centre.entries(EventKind.PLAYBACK_OPENED) == []


async def test_a_timeline_says_in_french_why_seconds_are_missing(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    query = {"from": START, "to": END}
    line = (await operator.http.get(f"/api/cameras/{camera_id(1)}/timeline", params=query)).json()
    assert line["spans"] == [{"start": "2025-12-31T21:00:00.000Z", "end": "2025-12-31T21:05:00.000Z"}]
    assert line["gaps"][0]["label"] == "Liaison interrompue : caméra injoignable"
    assert line["gaps"][0]["end"] is None


async def test_a_mayor_who_asks_for_a_camera_of_another_commune_gets_nothing_but_an_entry(centre: TestCentre) -> None:
    """LAW-18."""
    mayor = await centre.logged_in(Role.MAYOR, EVREUX)
    assert (await mayor.get(f"/api/cameras/{camera_id(1)}")).status_code == 200
    answer = await mayor.get(f"/api/cameras/{camera_id(3)}")
    assert (answer.status_code, answer.json()["code"]) == (404, "camera.unknown")
    refused = (await centre.entry(EventKind.LIVE_REFUSED)).event
    assert refused is not None
    assert (refused.author.role, refused.camera_id, refused.commune) == ("mayor", camera_id(3), VERNON)


async def test_the_officer_reads_everything_and_that_is_in_the_journal_too(centre: TestCentre) -> None:
    """LAW-25, LAW-31."""
    operator, dpo = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.DPO)
    await operator.watch(camera_id(1), camera_id(3))
    await centre.some(EventKind.LIVE_OPENED, 2)
    answer = (await dpo.get("/api/audit/entries", operation="consultation", person=operator.me["person"]["id"])).json()
    assert {entry["camera_name"] for entry in answer["entries"]} == {"Place 1", "Place 3"}
    first = answer["entries"][0]
    assert (first["kind_label"], first["operation_label"]) == ("Consultation en direct ouverte", "Consultation")
    assert first["reason_label"].startswith("Prévention des atteintes")
    assert first["role_label"] == "Opérateur de vidéoprotection"
    consulted = (await centre.entry(EventKind.JOURNAL_CONSULTED)).event
    assert consulted is not None
    assert consulted.author.name == "Dominique Dpo"
    assert operator.me["person"]["id"] in consulted.details["search"]


async def test_pages_follow_each_other(centre: TestCentre) -> None:
    operator, dpo = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.DPO)
    await operator.watch(*(camera_id(number) for number in (1, 2, 3)))
    await centre.some(EventKind.LIVE_OPENED, 3)
    query: dict[str, Any] = {"person": operator.me["person"]["id"], "operation": "consultation", "limit": 2}
    first = (await dpo.get("/api/audit/entries", **query)).json()
    second = (await dpo.get("/api/audit/entries", **query, before=first["next"])).json()
    seen = [entry["index"] for entry in first["entries"] + second["entries"]]
    assert len(seen) == 3
    assert seen == sorted(seen, reverse=True)


async def test_a_mayor_reads_the_entries_of_their_commune_only(centre: TestCentre) -> None:
    """LAW-18: search, filter and proof alike."""
    operator, mayor = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.MAYOR, EVREUX)
    await operator.watch(camera_id(1), camera_id(3))
    entries = await centre.some(EventKind.LIVE_OPENED, 2)
    by_commune = {entry.event.commune: entry.index for entry in entries if entry.event}
    for query in ({}, {"commune": VERNON}, {"camera": camera_id(3)}):
        shown = (await mayor.get("/api/audit/entries", **query)).json()["entries"]
        assert {entry["commune"] for entry in shown} <= {EVREUX}
    assert (await mayor.get(f"/api/audit/entries/{by_commune[EVREUX]}/proof")).status_code == 200
    answer = await mayor.get(f"/api/audit/entries/{by_commune[VERNON]}/proof")
    assert (answer.status_code, answer.json()["code"]) == (404, "journal.unknown")


async def test_a_proof_is_a_file_and_its_download_is_an_entry(centre: TestCentre) -> None:
    operator, dpo = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.DPO)
    await operator.watch(camera_id(1))
    entry = await centre.entry(EventKind.LIVE_OPENED)
    answer = await dpo.get(f"/api/audit/entries/{entry.index}/proof")
    assert f"preuve-journal-{entry.index}.json" in answer.headers["content-disposition"]
    assert camera_id(1) in json.dumps(answer.json())
    consulted = (await centre.entry(EventKind.JOURNAL_CONSULTED)).event
    assert consulted is not None
    assert consulted.details["search"] == f"preuve de l'entrée {entry.index}"


async def test_no_answer_counts_what_a_person_did(centre: TestCentre) -> None:
    """LAW-29: people and presence hold no count and no past."""
    operator, supervisor = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.SUPERVISOR)
    await operator.watch(camera_id(1))
    people = (await supervisor.get("/api/people")).json()["people"]
    presence = (await supervisor.get("/api/presence")).json()["people"]
    for record in (*people, *presence):
        assert not [name for name in record if "count" in name or "total" in name or "last" in name]
    await operator.post("/api/logout")
    assert (await supervisor.get("/api/presence")).json()["people"] == []
