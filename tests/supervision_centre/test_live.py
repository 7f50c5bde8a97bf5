"""Live viewing: entry, receipt, ticket; lease, close, revoke."""

from __future__ import annotations

import pytest

from access_audit.events import EventKind
from recorder.contract.assignment import StreamRole
from recorder.contract.ticket import MediaAct
from supervision_centre.people.person import Role
from tests.supervision_centre.centre import TestCentre, until
from tests.supervision_centre.parts import EVREUX, PURPOSE, VERNON, camera, camera_id
from vms.base.errors import VmsError


async def test_a_wall_opens_with_an_entry_behind_each_ticket(centre: TestCentre) -> None:
    """LAW-26: the receipt in the ticket is that of the entry, which holds author, reason, camera and authority."""
    operator = await centre.logged_in(Role.OPERATOR)
    answer = (await operator.watch(camera_id(1), camera_id(3))).json()
    assert answer["refused"] == []
    entries = {entry.index: entry for entry in await centre.some(EventKind.LIVE_OPENED, 2)}
    for session in answer["sessions"]:
        claims = centre.node.claims(session["ticket"])
        entry = entries[claims.receipt_index]
        assert entry.event is not None
        assert claims.receipt_leaf == entry.leaf_hash == session["receipt"]["leaf"]
        assert (claims.act, claims.roles) == (MediaAct.LIVE, (StreamRole.MAIN, StreamRole.SUB))
        assert claims.camera_id == entry.event.camera_id == session["camera"]
        assert claims.session_id == entry.event.details["session"] == session["session_id"]
        assert entry.event.author.person_id == operator.me["person"]["id"]
        assert entry.event.reason.code == PURPOSE
        assert entry.event.recipients


async def test_a_session_over_three_authorities_logs_three(centre: TestCentre) -> None:
    """LAW-20: each entry names who answers for the images, and the session bar shows them all."""
    department = "Présidente du conseil départemental de l'Eure"
    centre.cameras.views[camera_id(4)] = camera(4, VERNON, department)
    operator = await centre.logged_in(Role.OPERATOR)
    assert (await operator.watch(camera_id(1), camera_id(3), camera_id(4))).status_code == 200
    entries = await centre.some(EventKind.LIVE_OPENED, 3)
    logged = {entry.event.authority for entry in entries if entry.event}
    assert logged == {"Maire de Évreux", "Maire de Vernon", department} == set(operator.me["authorities"])


async def test_a_camera_of_another_commune_does_not_exist_and_the_try_is_logged(centre: TestCentre) -> None:
    """LAW-18: the commune is checked on the server, for each camera of the wall."""
    operator = await centre.logged_in(Role.OPERATOR, EVREUX)
    answer = (await operator.watch(camera_id(1), camera_id(3), camera_id(99))).json()
    assert [session["camera"] for session in answer["sessions"]] == [camera_id(1)]
    assert {(one["camera"], one["code"]) for one in answer["refused"]} == {
        (camera_id(3), "camera.unknown"),
        (camera_id(99), "camera.unknown"),
    }
    refusals = await centre.some(EventKind.LIVE_REFUSED, 2)
    assert {(entry.event.camera_id, entry.event.commune) for entry in refusals if entry.event} == {
        (camera_id(3), VERNON),
        (camera_id(99), ""),
    }


@pytest.mark.parametrize("purpose", ["", "curiosity"])
async def test_looking_without_a_purpose_of_the_law_is_refused(centre: TestCentre, purpose: str) -> None:
    """LAW-04, LAW-27."""
    operator = await centre.logged_in(Role.OPERATOR)
    answer = await operator.watch(camera_id(1), purpose=purpose)
    assert (answer.status_code, answer.json()["code"]) == (422, "access.purpose")
    assert (await centre.entry(EventKind.LIVE_REFUSED)).event is not None
    assert await centre.entries(EventKind.LIVE_OPENED) == []


async def test_a_lease_is_renewed_under_the_entry_that_it_was_opened_with(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]
    before = centre.node.claims(opened["ticket"])
    await centre.clock.advance(5)
    renewed = (await operator.post("/api/live-sessions/renew", {"sessions": [opened["session_id"]]})).json()
    assert renewed["ended"] == []
    after = centre.node.claims(renewed["sessions"][0]["ticket"])
    assert after.expires_at_ns == before.expires_at_ns + 5_000_000_000
    assert (after.receipt_index, after.receipt_leaf) == (before.receipt_index, before.receipt_leaf)
    assert len(await centre.entries(EventKind.LIVE_OPENED)) == 1


async def test_a_lease_that_is_not_renewed_ends_with_an_entry_of_its_length(centre: TestCentre) -> None:
    """LAW-26: a browser that vanishes leaves a close in the journal all the same."""
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]
    await centre.clock.advance(5)
    await operator.post("/api/live-sessions/renew", {"sessions": [opened["session_id"]]})

    async def lapsed() -> bool:
        await centre.clock.advance(1)
        return bool(await centre.entries(EventKind.LIVE_CLOSED))

    await until(lapsed)
    closed = (await centre.entry(EventKind.LIVE_CLOSED)).event
    assert closed is not None
    assert closed.details == {"session": opened["session_id"], "cause": "lease_expired", "seconds": "15"}
    with pytest.raises(VmsError, match=r"ticket\.expired"):
        centre.node.claims(opened["ticket"])
    answer = (await operator.post("/api/live-sessions/renew", {"sessions": [opened["session_id"]]})).json()
    assert answer == {"sessions": [], "ended": [{"session_id": opened["session_id"], "cause": "closed"}]}


async def test_closing_a_tile_tells_the_node_and_the_journal(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]
    await centre.clock.advance(3)
    assert (await operator.post("/api/live-sessions/close", {"sessions": [opened["session_id"]]})).status_code == 204
    assert centre.node.revoked == [opened["session_id"]]
    closed = (await centre.entry(EventKind.LIVE_CLOSED)).event
    assert closed is not None
    assert (closed.details["cause"], closed.details["seconds"]) == ("closed", "3")


async def test_nobody_renews_or_closes_the_look_of_somebody_else(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    answer = (await supervisor.post("/api/live-sessions/renew", {"sessions": [opened]})).json()
    assert answer["sessions"] == []
    await supervisor.post("/api/live-sessions/close", {"sessions": [opened]})
    assert centre.node.revoked == []
    assert (await operator.post("/api/live-sessions/renew", {"sessions": [opened]})).json()["ended"] == []


async def test_logging_out_ends_the_looks(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    opened = (await operator.watch(camera_id(1))).json()["sessions"][0]["session_id"]
    assert (await operator.post("/api/logout")).status_code == 204
    assert centre.node.revoked == [opened]
    assert (await operator.get("/api/me")).status_code == 401
    assert (await centre.entry(EventKind.SESSION_CLOSED)).event is not None


async def test_a_camera_out_of_service_is_not_shown(centre: TestCentre) -> None:
    from cameras.contract import CameraState

    centre.cameras.views[camera_id(1)] = camera(1, state=CameraState.SUSPENDED)
    operator = await centre.logged_in(Role.OPERATOR)
    answer = await operator.watch(camera_id(1))
    assert (answer.status_code, answer.json()["code"]) == (409, "access.not_in_service")


async def test_a_wall_has_a_limit(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    answer = await operator.watch(*(camera_id(number) for number in range(65)))
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_a_supervisor_sees_who_watches_now(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    supervisor = await centre.logged_in(Role.SUPERVISOR)
    await operator.watch(camera_id(1), camera_id(2))
    people = (await supervisor.get("/api/presence")).json()["people"]
    assert [(one["id"], sorted(one["cameras"])) for one in people] == [
        (operator.me["person"]["id"], [camera_id(1), camera_id(2)])
    ]
    assert (await operator.get("/api/presence")).status_code == 403
