"""Holds over the API: placed on a requisition, let go of by two persons, and every step in the journal."""

from __future__ import annotations

from typing import Any

from access_audit.events import EventKind
from recorder.contract.hold import HoldRelease
from supervision_centre.people.person import Role
from tests.supervision_centre.centre import Browser, TestCentre
from tests.supervision_centre.parts import DAY_NS, EVREUX, VERNON, camera_id
from vms.base.clock import NS_PER_SECOND, utc_text

HOUR_NS = 3_600 * NS_PER_SECOND
REFERENCE = "15127/00324/2026"


def request(centre: TestCentre, **changes: Any) -> dict[str, Any]:
    now_ns = centre.clock.utc_ns()
    wanted = {
        "camera": camera_id(1),
        "from": utc_text(now_ns - 3 * HOUR_NS),
        "to": utc_text(now_ns - 2 * HOUR_NS),
        "expires": utc_text(now_ns + 90 * DAY_NS),
        "reference": REFERENCE,
        "authority": "OPJ Claude Martin, brigade de recherches d'Évreux",
        "basis": "flagrance",
        "reason": "Vol avec violence",
    }
    return wanted | changes


async def place(centre: TestCentre, browser: Browser, **changes: Any) -> dict[str, Any]:
    answer = await browser.post("/api/holds", request(centre, **changes))
    assert answer.status_code == 201, answer.text
    placed: dict[str, Any] = answer.json()
    return placed


async def two_supervisors(centre: TestCentre) -> tuple[Browser, Browser]:
    first = await centre.logged_in(Role.SUPERVISOR)
    second = await centre.logged_in(Role.SUPERVISOR, login="second", name="Camille Second")
    return first, second


async def test_a_hold_is_in_the_journal_before_the_node_keeps_it(centre: TestCentre) -> None:
    """LAW-10: reference, authority, legal basis and end; LAW-25: author, reason and authority of the images."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    placed = await place(centre, supervisor)
    assert (placed["state"], placed["warning"]) == ("placed", "")
    assert placed["held"]["bytes"] == 48_000_000
    assert placed["article"] == "art. 60-1 CPP"
    entry = await centre.entry(EventKind.HOLD_PLACED)
    assert entry.event is not None
    assert (entry.index, entry.leaf_hash) == (placed["receipt"]["index"], placed["receipt"]["leaf"])
    assert (entry.event.requisition, entry.event.authority, entry.event.commune) == (
        REFERENCE,
        "Maire de Évreux",
        EVREUX,
    )
    assert entry.event.details["basis"] == "art. 60-1 CPP"
    confirmed = await centre.entry(EventKind.HOLD_CONFIRMED)
    assert confirmed.event is not None
    assert confirmed.event.details["bytes"] == "48000000"
    assert confirmed.index > entry.index
    (at_node,) = centre.node.held.values()
    assert (at_node.hold.hold_id, at_node.hold.reference) == (placed["id"], REFERENCE)


async def test_a_hold_that_lacks_its_requisition_is_refused_and_logged(centre: TestCentre) -> None:
    """LAW-10: without reference, authority or basis nothing is kept longer."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    for changes, code in (
        ({"reference": "  "}, "hold.reference"),
        ({"authority": ""}, "hold.authority"),
        ({"basis": "curiosity"}, "hold.basis"),
        ({"camera": "cam-nowhere"}, "camera.unknown"),
    ):
        answer = await supervisor.post("/api/holds", request(centre, **changes))
        assert answer.json()["code"] == code
    for refused in await centre.some(EventKind.HOLD_REFUSED, 4):
        assert refused.event is not None
        assert refused.event.author.person_id == supervisor.me["person"]["id"]
    assert centre.node.held == {}


async def test_a_hold_of_more_than_a_year_or_already_over_is_refused(centre: TestCentre) -> None:
    """LAW-10: a hold has an end, and not a far one."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    now_ns = centre.clock.utc_ns()
    for expires_ns in (now_ns + 367 * DAY_NS, now_ns - HOUR_NS, now_ns - 4 * HOUR_NS):
        answer = await supervisor.post("/api/holds", request(centre, expires=utc_text(expires_ns)))
        assert (answer.status_code, answer.json()["code"]) == (422, "hold.expiry")
    await place(centre, supervisor, expires=utc_text(now_ns + 366 * DAY_NS))


async def test_only_a_supervisor_holds_images(centre: TestCentre) -> None:
    """LAW-21: no judicial act by operators; LAW-24: gendarmes look and no more."""
    roles = [Role.OPERATOR, Role.GENDARME, Role.INSTALLER, Role.MAYOR, Role.DPO, Role.ADMINISTRATOR]
    roles.append(Role.INSPECTOR)
    for role in roles:
        browser = await centre.logged_in(role)
        answer = await browser.post("/api/holds", request(centre))
        assert (answer.status_code, answer.json()["code"]) == (403, "access.role")
    refused = [entry.event for entry in await centre.some(EventKind.HOLD_REFUSED, len(roles)) if entry.event]
    assert [(event.author.role, event.details["cause"]) for event in refused] == [(role, "role") for role in roles]
    assert centre.node.held == {}


async def test_a_hold_of_another_commune_does_not_exist(centre: TestCentre) -> None:
    """LAW-18: neither the camera nor the hold; and the journal says who tried."""
    evreux = await centre.logged_in(Role.SUPERVISOR, EVREUX)
    vernon = await centre.logged_in(Role.SUPERVISOR, VERNON, login="vernon")
    placed = await place(centre, evreux)
    assert (await vernon.post("/api/holds", request(centre))).json()["code"] == "camera.unknown"
    assert (await vernon.get("/api/holds")).json()["holds"] == []
    for answer in (
        await vernon.get(f"/api/holds/{placed['id']}"),
        await vernon.post(f"/api/holds/{placed['id']}/release", {"reason": "non"}),
        await vernon.post(f"/api/holds/{placed['id']}/release/confirm"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "hold.unknown")
    assert len(await centre.some(EventKind.HOLD_REFUSED, 4)) == 4


async def test_two_persons_let_go_of_a_hold(centre: TestCentre) -> None:
    """LAW-10: one asks, another confirms, and each act is in the journal."""
    first, second = await two_supervisors(centre)
    placed = await place(centre, first)
    silent = await first.post(f"/api/holds/{placed['id']}/release", {})
    assert (silent.status_code, silent.json()["code"]) == (422, "hold.reason")
    asked = (await first.post(f"/api/holds/{placed['id']}/release", {"reason": "Classement sans suite"})).json()
    assert (asked["state"], asked["may_confirm"]) == ("release_asked", False)
    assert centre.node.releases == []
    alone = await first.post(f"/api/holds/{placed['id']}/release/confirm")
    assert (alone.status_code, alone.json()["code"]) == (409, "hold.same_person")
    assert list(centre.node.held) == [placed["id"]]
    assert (await second.get(f"/api/holds/{placed['id']}")).json()["may_confirm"] is True
    released = (await second.post(f"/api/holds/{placed['id']}/release/confirm")).json()
    assert (released["state"], released["warning"], released["confirmed_by"]) == ("released", "", "Camille Second")
    assert centre.node.releases == [
        HoldRelease(placed["id"], first.me["person"]["id"], second.me["person"]["id"]),
    ]
    entry = (await centre.entry(EventKind.HOLD_RELEASED)).event
    assert entry is not None
    assert entry.author.person_id == second.me["person"]["id"]
    assert entry.details["asked_by"] == first.me["person"]["id"]
    refused = [entry.event for entry in await centre.some(EventKind.HOLD_REFUSED, 2) if entry.event]
    assert [event.details["cause"] for event in refused] == ["reason", "same_person"]
    steps = (await first.get(f"/api/holds/{placed['id']}")).json()["steps"]
    assert [step["kind"] for step in steps] == [
        EventKind.HOLD_PLACED,
        EventKind.HOLD_CONFIRMED,
        EventKind.HOLD_RELEASE_ASKED,
        EventKind.HOLD_RELEASED,
    ]
    assert (await first.get("/api/holds")).json()["holds"] == []
    assert len((await first.get("/api/holds", ended=True)).json()["holds"]) == 1


async def test_who_lost_the_right_meanwhile_does_not_confirm(centre: TestCentre) -> None:
    """LAW-10: both persons have the right at the moment at which they act."""
    first, second = await two_supervisors(centre)
    operator = await centre.logged_in(Role.OPERATOR)
    placed = await place(centre, first)
    await first.post(f"/api/holds/{placed['id']}/release", {"reason": "Fin"})
    answer = await operator.post(f"/api/holds/{placed['id']}/release/confirm")
    assert (answer.status_code, answer.json()["code"]) == (403, "access.role")
    await first.post(f"/api/people/{second.me['person']['id']}/suspend")
    assert (await second.post(f"/api/holds/{placed['id']}/release/confirm")).status_code == 401
    assert list(centre.node.held) == [placed["id"]]


async def test_a_release_that_was_asked_for_can_be_taken_back(centre: TestCentre) -> None:
    """LAW-10."""
    first, second = await two_supervisors(centre)
    placed = await place(centre, first)
    path = f"/api/holds/{placed['id']}/release"
    assert (await second.post(f"{path}/confirm")).json()["code"] == "hold.not_asked"
    await first.post(path, {"reason": "Fin"})
    assert (await second.post(path, {"reason": "Fin"})).json()["code"] == "hold.already_asked"
    assert (await first.post(f"{path}/withdraw")).json()["state"] == "placed"
    assert (await second.post(f"{path}/confirm")).json()["code"] == "hold.not_asked"
    assert (await centre.entry(EventKind.HOLD_RELEASE_WITHDRAWN)).event is not None
    assert list(centre.node.held) == [placed["id"]]


async def test_nothing_recorded_is_said_clearly(centre: TestCentre) -> None:
    """LAW-10: a hold promises no image that is not there."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    centre.node.recorded_bytes = 0
    placed = await place(centre, supervisor)
    assert placed["state"] == "placed"
    assert placed["warning"].startswith("Rien n'est enregistré")
    assert placed["held"]["from"] is None
    now_ns = centre.clock.utc_ns()
    coming = await place(
        centre, supervisor, **{"from": utc_text(now_ns + HOUR_NS), "to": utc_text(now_ns + 2 * HOUR_NS)}
    )
    assert coming["warning"].startswith("Images à venir")


async def test_the_same_hold_sent_twice_is_one(centre: TestCentre) -> None:
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    await place(centre, supervisor)
    again = await supervisor.post("/api/holds", request(centre))
    assert (again.status_code, again.json()["code"]) == (409, "hold.already_placed")
    assert len(centre.node.held) == 1


async def test_who_reads_holds(centre: TestCentre) -> None:
    """The requisitions of investigators are read by the data protection officer, and by no elected official."""
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    await place(centre, supervisor)
    dpo = await centre.logged_in(Role.DPO)
    listed = (await dpo.get("/api/holds")).json()
    assert (len(listed["holds"]), listed["may_hold"], listed["holds"][0]["may_hold"]) == (1, False, False)
    mayor = await centre.logged_in(Role.MAYOR)
    assert (await mayor.get("/api/holds")).status_code == 403
