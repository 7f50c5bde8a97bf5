"""Who reads what of the journal: the officer, the inspector, the mayor; and nobody counts anybody."""

from __future__ import annotations

import json
from typing import Any

from fastapi.openapi.utils import get_openapi

from access_audit.events import EventKind
from supervision_centre.access.policy import IMAGE_RIGHTS, JUDICIAL_RIGHTS, Right, rights_of
from supervision_centre.people.person import Role
from tests.supervision_centre.centre import Browser, TestCentre
from tests.supervision_centre.parts import EVREUX, PASSWORD, VERNON, camera_id
from tests.supervision_centre.test_holds import REFERENCE, place

COUNTING = ("count", "total", "nombre", "activity", "activite", "productiv", "ranking", "per_person", "by_person")


def test_an_inspector_reads_everything_and_changes_nothing() -> None:
    """LAW-31: no right of the account lets anybody see an image, or change anything."""
    rights = rights_of(Role.INSPECTOR)
    assert not rights & (IMAGE_RIGHTS | JUDICIAL_RIGHTS)
    assert not rights & {Right.PEOPLE_SUSPEND, Right.PEOPLE_MANAGE, Right.INSTALL, Right.HOLD}
    assert {Right.JOURNAL, Right.PEOPLE_LIST, Right.HOLD_LIST, Right.CAPACITY, Right.DESTRUCTION} <= rights


async def test_every_change_is_refused_to_an_inspector(centre: TestCentre) -> None:
    """LAW-31: every unsafe route of the application answers 403, or knows nothing of theirs."""
    inspector = await centre.logged_in(Role.INSPECTOR)
    before = [person.suspended_at_ns for person in await centre.accounts.everybody()]
    schema = get_openapi(title="x", version="0", routes=centre.app.routes)
    bodies: dict[str, Any] = {
        "/api/live-sessions": {"cameras": [camera_id(1)], "purpose": "terrorism"},
        "/api/playback-sessions": {
            "camera": camera_id(1), "from": "2025-12-31T22:00:00Z", "to": "2025-12-31T22:10:00Z", "purpose": "terrorism"
        },
        "/api/holds": {
            "camera": camera_id(1), "from": "2025-12-31T22:00:00Z", "to": "2025-12-31T22:10:00Z", "reason": "motif",
            "expires": "2026-03-31T22:10:00Z", "reference": "1/2", "authority": "OPJ", "basis": "flagrance",
        },
    }  # fmt: skip
    seen = 0
    for path, methods in schema["paths"].items():
        for method in methods.keys() - {"get"}:
            if path in {"/api/login", "/api/logout"}:
                continue
            seen += 1
            url = path.replace("{person_id}", "per-x").replace("{hold_id}", "hold-x")
            body = bodies.get(path, {"sessions": ["view-1"], "reason": "motif"})
            answer = await inspector.http.request(method, url, json=body, headers={"X-CSRF-Token": inspector.csrf})
            assert answer.status_code in {403, 404, 422}, (path, answer.status_code, answer.text)
    assert seen >= 10
    assert [person.suspended_at_ns for person in await centre.accounts.everybody()] == before
    assert centre.node.held == {}
    assert await centre.entries(EventKind.LIVE_OPENED, EventKind.PLAYBACK_OPENED, EventKind.HOLD_PLACED) == []


async def test_an_inspector_reads_the_whole_journal_and_that_is_in_it(centre: TestCentre) -> None:
    """LAW-25, LAW-31."""
    operator, inspector = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.INSPECTOR)
    await operator.watch(camera_id(1), camera_id(3))
    await centre.some(EventKind.LIVE_OPENED, 2)
    entries = (await inspector.get("/api/audit/entries")).json()["entries"]
    assert {EVREUX, VERNON, ""} == {entry["commune"] for entry in entries}
    consulted = (await centre.entry(EventKind.JOURNAL_CONSULTED)).event
    assert consulted is not None
    assert (consulted.author.role, consulted.details["search"]) == ("inspector", "tout")
    assert (await inspector.get("/api/holds")).json()["may_hold"] is False


async def _held(centre: TestCentre) -> Browser:
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    await place(centre, supervisor)
    await centre.entry(EventKind.HOLD_PLACED)
    return supervisor


async def test_the_journal_is_searched_by_requisition_except_by_elected_officials(centre: TestCentre) -> None:
    """LAW-18, LAW-31: what investigators asked for is for the officer and the inspector."""
    await _held(centre)
    dpo, mayor = await centre.logged_in(Role.DPO), await centre.logged_in(Role.MAYOR, EVREUX)
    found = (await dpo.get("/api/audit/entries", requisition=REFERENCE)).json()
    assert found["requisitions"] is True
    assert {entry["requisition"] for entry in found["entries"]} == {REFERENCE}
    assert (await dpo.get("/api/audit/entries", requisition="autre")).json()["entries"] == []
    refused = await mayor.get("/api/audit/entries", requisition=REFERENCE)
    assert (refused.status_code, refused.json()["code"]) == (403, "journal.requisition")
    listed = await mayor.get("/api/audit/entries", operation="modification")
    holds = [entry for entry in listed.json()["entries"] if entry["kind"] == "hold.placed"]
    assert [(entry["person"], entry["requisition"], entry["note"]) for entry in holds] == [
        ("Dominique Supervisor", "", "")
    ]
    for secret in (REFERENCE, "Claude Martin", "Vol avec violence"):
        assert secret not in listed.text


async def test_a_search_by_requisition_does_not_tell_a_mayor_what_was_searched(centre: TestCentre) -> None:
    """LAW-18: an officer of one commune leaves entries in that commune, which its mayor reads."""
    dpo, mayor = await centre.logged_in(Role.DPO, EVREUX), await centre.logged_in(Role.MAYOR, EVREUX)
    await dpo.get("/api/audit/entries", requisition=REFERENCE)
    consulted = (await centre.entry(EventKind.JOURNAL_CONSULTED)).event
    assert consulted is not None
    assert consulted.details == {"search": "par réquisition", "requisition": REFERENCE}
    seen = await mayor.get("/api/audit/entries")
    assert "Dominique Dpo" in seen.text
    assert REFERENCE not in seen.text


async def test_the_proof_that_a_mayor_gets_of_a_hold_tells_nothing_of_the_requisition(centre: TestCentre) -> None:
    """LAW-18: the entry stands there, and that is all."""
    await _held(centre)
    dpo, mayor = await centre.logged_in(Role.DPO), await centre.logged_in(Role.MAYOR, EVREUX)
    index = (await centre.entry(EventKind.HOLD_PLACED)).index
    whole = (await dpo.get(f"/api/audit/entries/{index}/proof")).json()
    bare = (await mayor.get(f"/api/audit/entries/{index}/proof")).json()
    assert REFERENCE in whole["payload"]
    assert not {"payload", "salt"} & bare.keys()
    assert bare["leaf"] == whole["leaf"]


async def test_no_route_and_no_answer_counts_what_a_person_does(centre: TestCentre) -> None:
    """LAW-29: no path, parameter or field of the API speaks of the activity of a person."""
    schema = get_openapi(title="x", version="0", routes=centre.app.routes)
    names = {path.lower() for path in schema["paths"]} | set(_names(schema))
    assert not [name for name in names for word in COUNTING if word in name.lower()]
    officer = await centre.logged_in(Role.DPO)
    assert officer.me["person"]["name"]
    answer = (await officer.get("/api/audit/entries")).json()
    assert set(answer) == {"entries", "next", "requisitions"}
    assert PASSWORD not in json.dumps(answer)


def _names(node: Any) -> list[str]:
    if isinstance(node, dict):
        found = [str(name) for name in (node.get("properties") or {})]
        found += [node["name"]] if isinstance(node.get("name"), str) else []
        return found + [name for value in node.values() for name in _names(value)]
    return [name for value in node for name in _names(value)] if isinstance(node, list) else []
